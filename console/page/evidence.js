// The evidence of a verdict: one sentence, who is compared, what a pass still needs, and one bar a signal, which is
// full when the route is rolled back.
import { h, swap } from './dom.js';
import { amount, count, local, ms, percent, rate, span } from './words.js';

export function evidence(el, st) {
  const e = st.evidence;
  if (!e?.signals) {
    swap(el, h('p', { class: st.reason ? 'sentence' : 'muted' }, local(st.reason) || quiet(st)));
    return;
  }
  const open = el.querySelector('details')?.open;
  swap(el,
    h('p', { class: `sentence ${st.verdict === 'fail' ? 'bad' : ''}` }, h('b', {}, `${cap(st.verdict || 'not judged')}: `), local(st.reason)),
    / users? are on /.test(st.reason) ? null : h('p', { class: 'who' }, who(e, st)), // the sentence of a fail or a pass says it
    needs(e.missing ?? [], st),
    signals(e, st, open),
    estimates(e.signals, st),
    e.missed > 0 ? h('p', { class: 'muted' }, `${count(e.missed)} requests were not looked at: there were too many at once.`) : null);
}

const cap = (text) => text[0].toUpperCase() + text.slice(1);

function quiet(st) {
  if (st.stages.length === 0) return 'Nothing is judged: the route has no shift.';
  if (st.state === 'done') return 'Nothing is left to compare with: all users are on the new side.';
  return 'Nothing is judged yet. Evidence grows from the first stage on.';
}

// who says between whom a verdict was made. In mirror nobody is on the new side.
function who(e, st) {
  const all = e.old.users + e.new.users;
  if (e.reference) return `${users(e.new.users)} on ${st.to}, compared with what ${st.from} did in earlier stages`;
  if (e.new.users > 0) return `${count(e.new.users)} of ${users(all)} ${st.state === 'rolled-back' ? 'were' : 'are'} on ${st.to}`;
  return all > 0 ? `${users(all)}, all on ${st.from}` : 'No users yet';
}

const users = (n) => (n === 1 ? '1 user' : `${count(n)} users`);

// needs are what a pass waits for, as far as it can be counted; of the rest the sentence and the bars tell.
function needs(missing, st) {
  const items = missing.filter((need) => need.want > 0).map((need) => needed(need, st));
  if (st.holdRemaining > 0) items.push(h('li', {}, `${span(st.holdRemaining)} more of the stage’s hold, however many requests come`));
  return items.length > 0 ? h('ul', { class: 'needs' }, items) : null;
}

// needed says how much is missing and how long that takes, as the gateway reckons it: in mirror both sides
// are counted by the copies. How soon another user comes, or another order, nobody knows.
function needed(need, st) {
  const part = need.have / need.want;
  if (need.users || need.counted) return h('li', {}, meter(need.text, part));
  const missing = need.want - need.have;
  const speed = need.old && st.stage !== 'mirror' ? st.rates.vm : st.rates.containers;
  const time = speed > 0 ? `${span(missing / speed)} at this rate (${rate(speed)} a second)` : 'and none came in the last minute';
  return h('li', {}, meter(`About ${count(missing)} more ${need.what}, ${time}`, part));
}

// order puts first what has decided, then what counts users, then the loudest.
const order = (decided) => (a, b) => (b.name === decided) - (a.name === decided) || (b.unit === 'users') - (a.unit === 'users') || b.part - a.part;

// speaks says that a signal has a bar worth drawing: one percent of its way, or what is rounded to it.
const speaks = (one) => one.part >= 0.005;

// signals are the bars: of those that speak against the new side, and of the breaker. The others are one line.
function signals(e, st, open) {
  const loud = e.signals.filter(speaks).sort(order(e.decided));
  const still = e.signals.filter((one) => !speaks(one));
  const rows = loud.map((one) => h('li', { class: one.name === e.decided ? 'decided' : null },
    meter(cap(one.text), one.part, `e-value ${amount(one.eValue)} of ${amount(one.threshold)}`)));
  const run = breaker(e, st);
  if (run) rows.splice(e.decided === 'breaker' ? 0 : rows.length, 0, run);
  return h('div', { class: 'signals' },
    h('h3', {}, `What speaks against ${st.to}`),
    rows.length > 0 ? h('ul', {}, rows) : null,
    still.length > 0 ? h('details', { open }, h('summary', {}, silence(still.length, loud.length, st)), h('ul', { class: 'still' }, still.map((one) => h('li', {}, one.text)))) : null);
}

function silence(still, loud, st) {
  const n = `${still} ${loud > 0 ? 'more ' : ''}${still === 1 ? 'signal' : 'signals'}`;
  return `${n}: nothing speaks against ${st.to}`;
}

// breaker is the run of failures, while there is one.
function breaker({ breaker: b, decided }, st) {
  if (!(b?.limit > 0) || (b.run === 0 && !b.shared)) return null;
  if (b.shared) return h('li', { class: 'muted' }, `${st.from} fails as well: a run of failures does not count now`);
  return h('li', { class: decided === 'breaker' ? 'decided' : null }, meter(`Failures one after the other: ${count(b.run)} of ${count(b.limit)}, of ${users(b.users)}`, b.run / b.limit, 'the breaker'));
}

// estimates are the latencies of both sides, and from when on an answer counts as slow.
function estimates(all, st) {
  const known = all.filter((one) => one.oldEstimate > 0 || one.newEstimate > 0);
  if (known.length === 0) return null;
  const time = (seconds) => ms(seconds * 1000);
  return h('table', { class: 'estimates' },
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Latency'), h('th', { scope: 'col' }, h('i', { class: 'key vm' }), st.from), h('th', { scope: 'col' }, h('i', { class: 'key containers' }), st.to), h('th', { scope: 'col' }, 'Tolerated'))),
    h('tbody', {}, known.map((one) => h('tr', {}, h('th', { scope: 'row' }, one.name), h('td', {}, time(one.oldEstimate)), h('td', {}, time(one.newEstimate)), h('td', {}, `${percent(one.tolerance)} longer`)))));
}

// meter is one bar. With a note it speaks against the new side, and the note says how its length is reckoned.
function meter(text, part, note) {
  const p = Math.round(Math.min(1, Math.max(0, part)) * 100);
  return h('div', { class: `meter ${note ? 'against' : ''}` },
    h('span', {}, text, note ? h('span', { class: 'muted' }, ` (${note})`) : null),
    h('span', { class: 'track', 'aria-hidden': 'true' }, h('span', { class: 'part', vars: { '--part': `${p}%` } })));
}
