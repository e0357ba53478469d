// What a person can do. Each action says what will happen to how many users, asks once, and calls the API.
import { act, name as enc } from './api.js';
import { h, put, toast, announce } from './dom.js';
import { open, form, field } from './dialog.js';
import { load, on, operator, state } from './store.js';
import { parseShare, rate, count, span } from './words.js';

// possible says which actions make sense for a route as it is.
export function possible(st) {
  if (!operator() || st.stages.length === 0) return [];
  switch (st.state) {
    case 'idle':
    case 'rolled-back':
      return ['start', 'share'];
    case 'shifting':
      return ['promote', 'pause', 'share', 'rollback'];
    case 'paused':
      return ['resume', 'promote', 'share', 'rollback'];
    case 'done':
      return ['share', 'rollback'];
  }
  return [];
}

export const labels = {
  start: 'Start', pause: 'Pause', resume: 'Resume', promote: 'Promote', share: 'Set share', rollback: 'Roll back',
};
export const keys = { start: 's', pause: 'p', resume: 'p', promote: 'n', share: 'h', rollback: 'r' };

// users says how many users a part of them is, in words.
function users(st, part) {
  if (part <= 0) return 'no user';
  const all = load(st);
  const size = part >= 1 ? `all users of ${st.route}` : `${Math.round(part * 10000) / 100} % of ${st.route}’s users`;
  return `${size} (${all > 0 ? `about ${rate(all * part)} requests a second` : state.until ? 'no requests in the last seconds' : 'how many requests is not known yet'})`;
}

// move says what a new share does.
function move(st, to) {
  const from = parseShare(st.share);
  if (to === from) return `Nobody moves: ${users(st, from)} on ${st.to}, as now.`;
  if (to > from) return `${cap(users(st, to - from))} move from ${st.from} to ${st.to}; ${to >= 1 ? 'all' : `${Math.round(to * 10000) / 100} %`} are there then.`;
  return `${cap(users(st, from - to))} move back from ${st.to} to ${st.from}.`;
}

const cap = (text) => text[0].toUpperCase() + text.slice(1);

function following(st) {
  const share = parseShare(st.share);
  return st.stages.find((name) => name !== 'mirror' && parseShare(name) > share);
}

// missing is what a stage still lacks for a promotion, in words.
function missing(st) {
  const list = [];
  if (st.holdRemaining > 0) list.push(`${span(st.holdRemaining)} of its hold are left`);
  if (st.verdict !== 'pass') list.push(st.verdict ? `the verdict is “${st.verdict}”${st.reason ? `: ${st.reason}` : ''}` : 'nothing is judged');
  return list;
}

const plans = {
  start(st) {
    const [stage] = st.stages;
    const what = stage === 'mirror'
      ? `Users stay on ${st.from}; ${st.to} gets copies of safe requests, and answers are compared. Users on the list “ahead” go to ${st.to}.`
      : move(st, parseShare(stage));
    return { title: `Start ${st.route} at ${stage}?`, what, then: `A failing ${st.to} rolls back by itself. Stages: ${st.stages.join(', ')}.`, why: true };
  },
  pause(st) {
    return { title: `Pause ${st.route} at ${st.stage}?`, what: `Nobody moves: ${users(st, parseShare(st.share))} on ${st.to}, as now.`, then: `It stays there until somebody resumes. A failing ${st.to} still rolls back by itself.`, why: true };
  },
  resume(st) {
    return { title: `Resume ${st.route} at ${st.stage}?`, what: 'Nobody moves now.', then: `Next comes ${following(st) ?? 'done'}, ${st.promote === 'manual' ? 'when somebody promotes it' : 'by itself after a pass'}.`, why: true };
  },
  promote(st) {
    const next = following(st);
    const lacks = missing(st);
    const forced = lacks.length ? `The stage is not ready: ${lacks.join('; ')}. Promoting it now is by hand, and the ledger will say so.` : '';
    if (!next) return { title: `Finish ${st.route}?`, what: `Nobody moves: all users are on ${st.to} and stay there.`, then: forced || 'The journey is done then.', why: true };
    return { title: `Promote ${st.route} to ${next}?`, what: move(st, parseShare(next)), then: forced, why: true };
  },
  rollback(st) {
    const share = parseShare(st.share);
    const what = share > 0 ? `${cap(users(st, share))} go back to ${st.from} now.` : `No user is on ${st.to}; it gets no more copies.`;
    return { title: `Roll back ${st.route}?`, what, then: `It stays on ${st.from} until somebody starts it anew.`, danger: true };
  },
};

// run asks and does. route may be gone by then; the API says so.
export async function run(action, route) {
  const st = state.routes.get(route);
  if (!st || !possible(st).includes(action)) return;
  if (action === 'share') return setShare(st);
  await ask(() => plans[action](state.routes.get(route) ?? st), labels[action], (why) => act('POST', `routes/${enc(route)}/${action}`, why ? { why } : {}), (after) => outcome(route, after));
}

async function setShare(st) {
  const input = field('Share of the users on the new side', { inputmode: 'decimal', value: `${Math.round(parseShare(st.share) * 10000) / 100}%`, data: { first: '' } }, 'from 0% to 100%; 0% ends the journey, 100% finishes it');
  const told = h('p', { class: 'what', 'aria-live': 'polite' });
  const read = () => {
    const m = /^\s*(\d+(?:\.\d+)?)\s*%?\s*$/.exec(input.input.value);
    const value = m ? Number(m[1]) : Number.NaN;
    return value >= 0 && value <= 100 ? value : null;
  };
  const say = () => {
    const value = read();
    put(told, value === null ? 'Write a share between 0% and 100%.' : `${move(state.routes.get(st.route) ?? st, value / 100)}${value > 0 && value < 100 ? ' It is paused there.' : ''}`);
  };
  input.input.addEventListener('input', say);
  const plan = { title: `Set the share of ${st.route}`, nodes: [input.el, told], why: true, valid: () => read() !== null, say };
  await ask(() => plan, 'Set share', (why) => act('PUT', `routes/${enc(st.route)}/share`, { share: `${read()}%`, ...(why ? { why } : {}) }), (after) => outcome(st.route, after));
}

function outcome(route, after) {
  if (!after) return `${route}: done`;
  return after.problem ? `${route}: ${after.problem}` : `${route}: ${after.state}${after.stage ? ` at ${after.stage}` : ''}`;
}

function everyRoute() {
  const moving = [...state.routes.values()].filter((st) => ['shifting', 'paused', 'done'].includes(st.state));
  const led = moving.filter((st) => parseShare(st.share) > 0);
  const sum = led.reduce((all, st) => all + load(st) * parseShare(st.share), 0);
  const those = (list) => (list.length === 1 ? list[0].route : `${count(list.length)} routes`);
  const mirrored = moving.filter((st) => !led.includes(st));
  const what = moving.length === 0
    ? 'No route has users on the new side, or gets copies there: nothing would change.'
    : [led.length ? `Every user of ${those(led)} goes back to the old side now${sum > 0 ? `: about ${rate(sum)} requests a second` : ''}.` : 'No user is on the new side.',
      mirrored.length ? `${those(mirrored)} ${mirrored.length === 1 ? 'gets' : 'get'} no more copies there.` : ''].filter(Boolean).join(' ');
  return { title: 'Roll back every route?', what, then: moving.slice(0, 12).map((st) => `${st.route} ${st.stage}`).join(', ') + (moving.length > 12 ? ', …' : ''), danger: true };
}

export async function rollbackAll() {
  if (!operator()) return;
  await ask(everyRoute, 'Roll back all', () => act('POST', 'rollback', {}), (after) => `${after.length} ${after.length === 1 ? 'route' : 'routes'} rolled back`);
}

// drain asks about one server; others are how many more of its backend take requests.
export async function drain(backend, server, off, others) {
  if (!operator()) return;
  const sides = [...state.routes.values()].map((st) => ({ st, part: st.to === backend ? parseShare(st.share) : st.from === backend ? 1 - parseShare(st.share) : 0 })).filter(({ part }) => part > 0);
  const sum = sides.reduce((all, { st, part }) => all + load(st) * part, 0);
  const whose = `the users of ${sides.length === 1 ? sides[0].st.route : `${count(sides.length)} routes`} on ${backend}${sum > 0 ? `, about ${rate(sum)} requests a second` : ''}`;
  const after = others > 0
    ? `${cap(whose)}, go to the other ${others === 1 ? 'server' : `${count(others)} servers`} of ${backend}.`
    : `It is the last one of ${backend} that takes requests: ${whose}, have no server there then, and get an error where no other side can answer.`;
  const verb = off ? 'undrain' : 'drain';
  const under = server.inFlight === 1 ? 'The request under way ends' : `The ${count(server.inFlight)} requests under way end`;
  const what = off
    ? `${server.id} gets requests again, its share growing from a small one.`
    : `${server.id} gets no new requests. ${server.inFlight > 0 ? `${under} where they are.` : 'None is under way.'} ${after}`;
  await ask(() => ({ title: `${off ? 'Undrain' : 'Drain'} ${server.id} of ${backend}?`, what, danger: !off }), off ? 'Undrain' : 'Drain',
    () => act('POST', `backends/${enc(backend)}/servers/${enc(server.id)}/${verb}`, {}), () => `${server.id} ${verb}ed`);
}

// ask shows the one question, with the API's answer in it when that is a refusal. planned gives the
// question; while the dialog is open it is asked again whenever something changed, so that what is
// said of users is of now and not of when the dialog was opened.
async function ask(planned, label, call, done) {
  const plan = planned();
  const what = h('p', { class: 'what' });
  const then = h('p', { class: 'then' });
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  let moved = false;
  // What was asked is never changed under a person's hand: only the numbers in it are.
  const say = plan.say ?? (() => {
    const now = planned();
    moved = moved || now.title !== plan.title;
    if (moved) {
      put(trouble, 'It has moved meanwhile, and this is not the question any more. Close, and look again.');
      for (const button of document.querySelectorAll('dialog button[type=submit]')) button.disabled = true;
      return;
    }
    put(what, now.what);
    put(then, now.then ?? '');
    then.hidden = !now.then;
  });
  say();
  const off = on(say);
  await open(plan.title, (close) => {
    const why = plan.why ? field('Why, for the ledger (optional)', { maxlength: 500, data: plan.nodes ? {} : { first: '' } }) : null;
    const submit = async (button) => {
      if (moved || (plan.valid && !plan.valid())) return;
      button.disabled = true;
      trouble.textContent = '';
      try {
        const text = done(await call(why?.input.value.trim()));
        toast(text);
        announce(text);
        close(true);
      } catch (problem) {
        trouble.textContent = problem.text ?? problem.message;
        button.disabled = false;
        button.focus();
      }
    };
    const fields = plan.nodes ?? [what, then];
    return [form([...fields, why?.el, trouble].filter(Boolean), label, plan.danger ? 'danger strong' : 'strong', submit, close)];
  });
  off();
}
