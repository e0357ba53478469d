// The evidence of a verdict, growing towards its bounds: what a pass still needs, and how far each test is
// from a rollback.
import { h, s, swap } from './dom.js';
import { count, local, ms, percent, rate, span } from './words.js';

export function evidence(el, st) {
  const e = st.evidence;
  if (!e || !e.errors) {
    swap(el, h('p', { class: st.reason ? 'sentence' : 'muted' }, local(st.reason) || quiet(st)));
    return;
  }
  swap(el,
    h('p', { class: `sentence ${st.verdict === 'fail' ? 'bad' : ''}` }, h('b', {}, `${cap(st.verdict || 'not judged')}: `), st.reason),
    e.missing?.length || st.holdRemaining > 0 ? h('ul', { class: 'needs' }, (e.missing ?? []).map((need) => needed(need, st)), held(st)) : null,
    h('h3', {}, 'Failures'),
    interval([side(st.from, 'vm', e.old.requests, e.old.low, e.old.rate, e.old.high), side(st.to, 'containers', e.new.requests, e.new.low, e.new.rate, e.new.high)], null, percent),
    h('p', { class: 'muted' }, `${count(e.new.failures)} of ${count(e.new.requests)} on ${st.to}, ${count(e.old.failures)} of ${count(e.old.requests)} on ${st.from}${e.reference ? ' (of earlier stages)' : ''}`),
    weight('Failures speak against it', e.errors),
    e.differences ? [h('h3', {}, 'Differences'), h('p', { class: 'muted' }, `${count(e.differences.different)} of ${count(e.differences.compared)} compared answers differ (${percent(e.differences.rate)}), ${count(e.differences.noisy)} only in noise`), weight('Differences speak against it', e.differences)] : null,
    (e.latencies ?? []).map((l) => [h('h3', {}, `Latency ${l.quantile}`),
      interval([side(st.from, 'vm', l.old.requests, l.old.low, l.old.estimate, l.old.high), side(st.to, 'containers', l.new.requests, l.new.low, l.new.estimate, l.new.high)], l.limit, (x) => ms(x * 1000)),
      h('p', { class: 'muted' }, l.limit === undefined ? 'too few answers for a bound yet' : `rolls back when ${st.to} is surely above ${ms(l.limit * 1000)} (${percent(l.tolerance)} tolerated)`)]),
    e.breaker.limit > 0 ? meter(`Failures in a row: ${count(e.breaker.run)} of ${count(e.breaker.limit)}`, e.breaker.run / e.breaker.limit, true) : null);
}

const cap = (text) => text[0].toUpperCase() + text.slice(1);

function quiet(st) {
  if (st.stages.length === 0) return 'Nothing is judged: the route has no shift.';
  if (st.state === 'done') return 'Nothing is left to compare with: all users are on the new side.';
  return 'Nothing is judged yet. Evidence grows from the first stage on.';
}

// needed says how much is missing and how long that takes, as the gateway reckons it: in mirror both sides
// are counted by the copies.
function needed(need, st) {
  if (!(need.want > 0)) return h('li', {}, need.text);
  const missing = need.want - need.have;
  const speed = need.old && st.stage !== 'mirror' ? st.rates.vm : st.rates.containers;
  const time = speed > 0 ? `${span(missing / speed)} at this rate (${rate(speed)} a second)` : 'and none came in the last minute';
  return h('li', {}, meter(`About ${count(missing)} more ${need.what}, ${time}`, need.have / need.want, false));
}

function held(st) {
  return st.holdRemaining > 0 ? h('li', {}, `${span(st.holdRemaining)} more of the stage’s hold, however many requests come`) : null;
}

function meter(text, part, against) {
  const p = Math.round(Math.min(1, Math.max(0, part)) * 100);
  return h('div', { class: `meter ${against ? 'against' : ''}` }, h('span', {}, text), h('span', { class: 'track', 'aria-hidden': 'true' }, h('span', { class: 'part', vars: { '--part': `${p}%` } })));
}

// weight shows an e-value on its way to the threshold, as logarithms.
function weight(label, test) {
  const part = test.eValue > 1 ? Math.log(test.eValue) / Math.log(test.threshold) : 0;
  const value = test.eValue >= 1e6 ? test.eValue.toExponential(0) : test.eValue >= 100 ? count(test.eValue) : test.eValue < 0.001 ? 'below 0.001' : test.eValue.toPrecision(2);
  return meter(`${label}: e-value ${value}, rolls back at ${count(test.threshold)}`, part, true);
}

const side = (name, cls, n, low, at, high) => ({ name, cls, n, low, at, high });

// interval draws both sides' estimates with their bounds on one scale.
function interval(sides, limit, words) {
  const known = sides.filter((one) => one.n > 0);
  if (known.length === 0) return h('p', { class: 'muted' }, 'no answers yet');
  const W = 300;
  const H = 22;
  const most = Math.max(limit ?? 0, ...known.map((one) => one.at));
  const top = Math.max(most, ...known.map((one) => (most > 0 ? Math.min(one.high ?? most * 2, most * 4) : one.high ?? 0))) * 1.1 || 1;
  const x = (v) => Math.min(W - 2, 2 + (v / top) * (W - 4));
  const drawing = s('svg', { class: 'interval', viewBox: `0 0 ${W} ${H * 2}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    limit ? s('line', { class: 'limit', x1: x(limit), x2: x(limit), y1: 0, y2: H * 2 }) : null,
    sides.map((one, i) => (one.n > 0 ? s('g', { class: one.cls }, s('line', { class: 'reach', x1: x(one.low), x2: x(one.high ?? top), y1: H * i + H / 2, y2: H * i + H / 2 }),
      s('line', { class: 'dot', x1: x(one.at), x2: x(one.at), y1: H * i + 5, y2: H * i + H - 5 })) : null)));
  return h('div', { class: 'intervals' },
    h('div', { class: 'names' }, sides.map((one) => h('span', {}, h('i', { class: `key ${one.cls}` }), `${one.name} `, h('b', {}, one.n > 0 ? words(one.at) : '–')))),
    drawing);
}
