// Differences that the mirror found: both answers side by side, the changed part marked, noise grey. What
// stands in them was written by users: it goes into text nodes only.
import { h, swap } from './dom.js';
import { count, moment } from './words.js';

// differences shows what was found and says whether there is anything to show.
export function differences(el, found, st) {
  const c = found.counts;
  if (!c.chosen && found.examples.length === 0) return false;
  const stamp = JSON.stringify(found.examples.map((x) => [x.kind, x.path, x.count, x.noise]));
  const numbers = `${count(c.compared)} answers compared: ${count(c.different)} differ, ${count(c.noisy)} only in noise, ${count(c.failed)} without an answer of ${st?.to ?? 'the new side'}`;
  if (el.dataset.stamp === stamp) {
    el.querySelector('.numbers').textContent = numbers;
    return true;
  }
  const open = new Set([...el.querySelectorAll('details[open]')].map((d) => d.dataset.key));
  el.dataset.stamp = stamp;
  const real = found.examples.filter((x) => !x.noise);
  const noise = found.examples.filter((x) => x.noise);
  swap(el, h('p', { class: 'numbers muted' }, numbers),
    real.length === 0 ? h('p', {}, 'No difference so far that is not noise.') : real.map((x, i) => example(x, st, open, i < 3 && !el.dataset.seen)),
    noise.length ? h('h3', {}, `Taken for noise: ${st?.from ?? 'the old side'} differs from itself there`) : null, noise.map((x) => example(x, st, open, false)));
  if (real.length) el.dataset.seen = '1';
  return true;
}

const kinds = {
  status: 'another status', header: 'another header', missing: 'a field is missing', added: 'a field is new', type: 'another type', value: 'another value',
  length: 'another length', order: 'another order', text: 'another text', bytes: 'other bytes', encoding: 'a broken encoding', many: 'many differences', failed: 'no answer',
};

function example(x, st, open, unfold) {
  const key = `${x.kind} ${x.path}`;
  const [before, old, now, after] = changed(x.old, x.new);
  const text = (part, tag) => h('pre', { tabindex: '0', 'aria-label': `answer of ${tag === 'del' ? st?.from : st?.to}` }, before, h(tag, {}, part), after);
  return h('details', { class: x.noise ? 'example noise' : 'example', open: open.has(key) || unfold, data: { key } },
    h('summary', {}, h('b', {}, kinds[x.kind] ?? x.kind), x.path ? [x.kind === 'text' ? ' after ' : ' at ', h('code', {}, clip(x.path.replace(/\s+/g, ' '), x.kind === 'text' ? 48 : 120))] : null, h('span', { class: 'muted' }, `  ${count(x.count)} ×, last ${moment(x.last)}${x.noise ? ', noise' : ''}`)),
    h('p', { class: 'muted target' }, `${x.method} ${x.target}`),
    h('div', { class: 'sides' }, h('div', {}, h('p', { class: 'sidename' }, st?.from ?? 'old'), text(old, 'del')), h('div', {}, h('p', { class: 'sidename' }, st?.to ?? 'new'), text(now, 'ins'))));
}

const clip = (text, n) => (text.length > n ? `…${text.slice(-n)}` : text);

// changed splits two texts into what they begin and end with alike, and what differs between.
function changed(a, b) {
  let start = 0;
  const most = Math.min(a.length, b.length);
  while (start < most && a[start] === b[start]) start++;
  let end = 0;
  while (end < most - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  return [a.slice(0, start), a.slice(start, a.length - end), b.slice(start, b.length - end), end ? a.slice(-end) : ''];
}
