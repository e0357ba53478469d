// A panel is read again and again, each for itself. When that fails, or takes long, the panel says since
// when it has not been read and is shown as old, until it has been.
import { h, put } from './dom.js';
import { moment } from './words.js';
import { state } from './store.js';

// fresh reads for a panel every so many milliseconds until the signal ends it, and returns a function that
// reads at once. Where needed says no, nothing is read, and nothing is late.
export function fresh(panel, read, every, signal, needed = () => true) {
  const note = h('p', { class: 'unread', role: 'status', hidden: true });
  const heading = panel.querySelector('h1, h2');
  const bar = heading?.closest('.title, .charthead') ?? heading;
  if (bar) bar.after(note);
  else panel.prepend(note);
  const late = 2 * every + 5000;
  const begun = Date.now();
  let last = null; // Date of the last answer
  let trouble = '';
  let busy = false;
  let again = false;

  function say() {
    const old = needed() && (trouble !== '' || Date.now() - (last ?? begun) > late);
    panel.classList.toggle('old', old);
    note.hidden = !old;
    if (old) put(note, `${last ? `Not read since ${moment(last)}` : 'Not read yet'}${trouble ? `: ${trouble}` : '.'} Trying again.`);
  }

  async function once() {
    if (busy) { again = true; return; }
    if (signal.aborted || document.hidden || !needed()) return;
    busy = true;
    try {
      await read();
      last = new Date();
      trouble = '';
    } catch (problem) {
      trouble = sentence(problem.text ?? problem.message);
    }
    busy = false;
    if (signal.aborted) return;
    say();
    if (again) { again = false; once(); }
  }

  const turn = () => { if (state.line !== 'lost') once(); }; // the whole page says so then, and tries
  const timers = [setInterval(turn, every), setInterval(say, 1000)];
  document.addEventListener('visibilitychange', once);
  signal.addEventListener('abort', () => {
    timers.forEach(clearInterval);
    document.removeEventListener('visibilitychange', once);
  });
  once();
  return once;
}

const sentence = (text) => (/[.!?)]$/.test(text) ? text : `${text}.`);
