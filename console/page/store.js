// What the page knows, and since when.

import { follow, get } from './api.js';

const SLOTS = 60;

export const state = {
  about: null, // GET /gateway
  read: null, // Date of that
  routes: new Map(), // name to status
  series: new Map(), // name to ring of the last five minutes
  step: 5,
  until: 0, // the end of the last step that is known
  skew: 0, // the gateway's clock less this one's, ms
  line: 'connecting', // connecting, live, lost or refused
  heard: null, // Date of the last event
  known: false, // the first statuses are here
};

const listeners = new Set();

// on calls f(what) after every change: routes, changes, ledger, series, line or about.
export function on(f) {
  listeners.add(f);
  return () => listeners.delete(f);
}

function tell(what, detail) {
  for (const f of listeners) f(what, detail);
}

// now is the gateway's time in ms, as well as it is known.
export const now = () => Date.now() + state.skew;

export const operator = () => state.about?.role === 'operator';

export function start() {
  refresh();
  setInterval(refresh, 10_000);
  addEventListener('yadokari-token', refresh);
  follow('events?batch=1s&brief=1&series=1&ledger=1', take, (line) => {
    if (line === 'live') state.heard = new Date();
    if (line === state.line) return;
    const back = line === 'live' && state.line !== 'connecting';
    state.line = line;
    if (back) refresh();
    tell('line');
  });
}

let soon = 0;

async function refresh() {
  if (document.hidden && state.about) return;
  try {
    state.about = await get('gateway');
    state.read = new Date();
  } catch {
    tell('line');
    return;
  }
  if (state.line === 'refused') dispatchEvent(new Event('yadokari-known')); // the stream may try again
  const names = Object.keys(state.about.routes);
  if (state.known && (names.length !== state.routes.size || names.some((n) => !state.routes.has(n)))) {
    clearTimeout(soon);
    soon = setTimeout(refresh, 1000); // one of the two is of before a reload
  }
  tell('about');
}

function take(event, data) {
  if (event === 'routes') {
    state.routes = new Map(data.map((st) => [st.route, st]));
    if (state.known) refresh(); // the patterns may be others too
    state.known = true;
    tell('routes');
  } else if (event === 'ledger') {
    tell('ledger');
  } else if (event === 'changes') {
    const moved = [];
    for (const st of data) {
      const before = state.routes.get(st.route);
      if (before && (before.state !== st.state || before.stage !== st.stage)) moved.push({ before, st });
      state.routes.set(st.route, st);
    }
    tell('changes', { names: data.map((st) => st.route), moved });
  } else if (event === 'series') {
    takeSeries(data);
    tell('series');
  }
}

// takeSeries puts new steps into each route's ring. What is not there did not happen.
function takeSeries(data) {
  state.skew = Date.parse(data.now) - Date.now();
  if (data.until < state.until || data.until - state.until > SLOTS * data.step) state.series.clear();
  state.step = data.step;
  state.until = data.until;
  for (const [route, columns] of Object.entries(data.routes)) {
    let ring = state.series.get(route);
    if (!ring) state.series.set(route, ring = new Array(SLOTS).fill(null));
    columns.time.forEach((time, i) => {
      ring[(time / data.step) % SLOTS] = { time, vm: pick(columns.vm, i), containers: pick(columns.containers, i) };
    });
  }
}

function pick(side, i) {
  return { requests: side.requests[i], failures: side.failures[i], p50: side.p50[i], p95: side.p95[i], p99: side.p99[i] };
}

// known is how many of the last steps the gateway has seen; a few at least, to draw them.
export function known() {
  const began = Date.parse(state.about?.started ?? 0) / 1000;
  return Math.min(SLOTS, Math.max(6, Math.floor(state.until / state.step) - Math.ceil(began / state.step)));
}

// recent gives a route's last steps, of five minutes at most, oldest first; null where nothing ended.
export function recent(route, n = SLOTS) {
  const ring = state.series.get(route);
  const list = new Array(n).fill(null);
  if (!ring) return list;
  const first = state.until / state.step - n;
  for (let i = 0; i < n; i++) {
    const slot = ring[(first + i) % SLOTS];
    if (slot && slot.time === (first + i) * state.step) list[i] = slot;
  }
  return list;
}

// load is how many requests a second of users a route has; copies are none. A stage counts them from its
// beginning; for a route in none there are the last steps of the charts.
export function load(st) {
  const copies = st.stage === 'mirror';
  if (st.state === 'shifting' || st.state === 'paused') return st.rates.vm + (copies ? 0 : st.rates.containers);
  const last = recent(st.route).slice(-2);
  return last.reduce((all, slot) => all + (slot ? slot.vm.requests + slot.containers.requests : 0), 0) / (last.length * state.step);
}
