// One route: where it is, what comes next, charts, evidence, differences, its ledger and its servers.
import { get, name as enc } from './api.js';
import { h, put, attr, keyed, swap, icon } from './dom.js';
import { fresh } from './fresh.js';
import { how, local, moment, span, parseShare, waits } from './words.js';
import { bar, words } from './bar.js';
import { keys, labels, possible, run } from './actions.js';
import { Charts } from './charts.js';
import { distribution } from './distribution.js';
import { evidence } from './evidence.js';
import { differences } from './differences.js';
import { entryRow } from './ledger.js';
import { Servers } from './servers.js';
import { now, on, operator, state } from './store.js';

export function routePage(main, route) {
  const stop = new AbortController();
  const head = new Head(route);
  const charts = new Charts(route);
  const part = (title, cls, ...of) => h('section', { class: `panel ${cls}`, 'aria-label': title }, h('h2', {}, title), ...of);
  const reading = () => h('div', {}, h('p', { class: 'muted' }, 'Reading…'));
  const [judged, spread, found, moves] = [reading(), reading(), reading(), reading()];
  const servers = h('div', {});
  const panels = {
    evidence: part('Evidence', 'evidence', judged),
    spread: part('Latency in this stage', 'spread', spread),
    differing: part('Differences found', 'differences', found),
    moves: part('What happened', 'moves', moves),
    servers: part('Servers', 'servers', servers),
  };
  const columns = h('div', { class: 'columns' },
    h('div', { class: 'wide' }, charts.el, panels.spread, panels.differing),
    h('div', { class: 'narrow' }, panels.evidence, panels.moves, panels.servers));
  swap(main, head.el, columns);
  let gone = false;
  const path = `routes/${enc(route)}`;

  // The route's own status; it may have come and gone with a reload of the file.
  function draw() {
    const st = state.routes.get(route);
    if (state.known && gone !== !st) {
      gone = !st;
      if (gone) swap(main, h('div', { class: 'empty' }, h('h1', {}, 'No such route'), h('p', {}, `The gateway has no route “${route}”. It may have been renamed in yadokari.yaml.`), h('p', {}, h('a', { href: '#/' }, 'All routes'))));
      else swap(main, head.el, columns);
    }
    if (st) head.update(st);
  }

  async function history() {
    const entries = await get(`ledger?route=${enc(route)}&limit=200`, stop.signal);
    charts.marks(entries);
    listMoves(moves, entries, route);
  }

  const there = () => !state.known || state.routes.has(route);
  const read = (panel, every, f) => fresh(panel, f, every, stop.signal, there);
  const status = read(panels.evidence, 1000, async () => evidence(judged, await get(path, stop.signal)));
  read(charts.el, 1000, () => charts.load(stop.signal));
  const distributed = read(panels.spread, 2500, async () => distribution(spread, await get(`${path}/latencies`, stop.signal), state.routes.get(route)));
  read(panels.differing, 2500, async () => { panels.differing.hidden = !differences(found, await get(`${path}/differences`, stop.signal), state.routes.get(route)); });
  const moved = read(panels.moves, 15_000, history);
  const served = read(panels.servers, 2500, async () => listServers(servers, await get('backends', stop.signal), state.routes.get(route)));
  addEventListener('yadokari-acted', served, { signal: stop.signal });

  const off = on((what, detail) => {
    draw();
    if (what === 'ledger') moved();
    if (what === 'routes' || (what === 'line' && state.line === 'live')) for (const again of [status, distributed, moved, served]) again();
    if (what === 'changes' && detail.moved.some((m) => m.st.route === route)) { status(); distributed(); }
  });
  draw();
  return {
    title: route,
    route: () => route,
    close() {
      off();
      stop.abort();
      charts.close();
    },
  };
}

// listMoves shows the newest entries of the route's ledger.
function listMoves(el, entries, route) {
  if (el.dataset.seq === String(entries[0]?.seq)) return;
  el.dataset.seq = entries[0]?.seq;
  swap(el, entries.length === 0
    ? h('p', { class: 'muted' }, 'Nothing yet. What moves this route is written here.')
    : h('ol', { class: 'entries' }, entries.slice(0, 12).map((e) => entryRow(e, false))),
  entries.length > 12 ? h('a', { href: `#/ledger?route=${enc(route)}` }, 'All entries') : null);
}

const lists = new WeakMap(); // of the element of a backend

// listServers shows the servers of the route's two sides.
function listServers(el, all, st) {
  if (!st) return;
  const sides = [st.from, ...(st.stages.length > 0 ? [st.to] : [])].map((side) => all.find((b) => b.name === side)).filter(Boolean);
  keyed(el, sides, (b) => b.name, (b) => {
    const list = new Servers();
    const box = h('div', {}, h('h3', {}, b.name), list.el);
    lists.set(box, list);
    return box;
  });
  sides.forEach((b, i) => lists.get(el.children[i]).update(b));
}

// Head is the top of the page: name, state, the bar with its stages, and the actions.
class Head {
  constructor(route) {
    this.state = h('p', { class: 'pill' });
    this.match = h('p', { class: 'muted match' });
    this.bar = bar();
    this.where = h('p', { class: 'where' });
    this.stages = h('ol', { class: 'stages', 'aria-label': 'Stages' });
    this.next = h('p', { class: 'next' });
    this.by = h('p', { class: 'muted' });
    this.actions = h('div', { class: 'actions', role: 'group', 'aria-label': `Actions on ${route}` });
    this.problem = h('p', { class: 'alarm', role: 'alert', hidden: true });
    this.route = route;
    this.el = h('div', { class: 'head panel' },
      h('div', { class: 'title' }, h('div', {}, h('h1', {}, route), this.match), this.state, this.actions),
      this.problem, this.bar.el, this.stages, this.where, this.next, this.by);
  }

  update(st) {
    const { kind, words: text } = how(st);
    this.el.dataset.kind = kind;
    if (this.shown !== `${kind} ${text}`) {
      this.shown = `${kind} ${text}`;
      swap(this.state, icon(kind), h('b', {}, text));
    }
    put(this.match, (state.about?.routes[st.route] ?? []).join('   '));
    this.problem.hidden = !st.problem;
    put(this.problem, st.problem ?? '');
    this.bar.update(st);
    put(this.where, `${words(st)}${st.since ? `, since ${moment(st.since)} (${span((now() - Date.parse(st.since)) / 1000)})` : ''}`);
    put(this.next, st.next ? `Next: ${local(st.next)}` : '');
    put(this.by, st.by ? `Last change by ${st.by}${st.why ? `: ${st.why}` : ''}` : '');
    this.rail(st);
    this.offer(st);
  }

  rail(st) {
    const stamp = `${st.stages.join()} ${st.stage} ${st.state}`;
    if (this.railed === stamp) return;
    this.railed = stamp;
    const share = parseShare(st.share);
    swap(this.stages, st.stages.map((name) => {
      const here = name === st.stage && st.state !== 'done';
      const past = st.state === 'done' || (name === 'mirror' ? share > 0 : parseShare(name) < share);
      return h('li', { class: here ? 'here' : past ? 'past' : '', 'aria-current': here ? 'step' : null }, past ? '✓ ' : here ? '▸ ' : '', name);
    }));
  }

  offer(st) {
    const can = possible(st);
    const stamp = `${can.join()} ${waits(st)} ${state.about?.role}`;
    if (this.offered === stamp) return;
    this.offered = stamp;
    const focused = document.activeElement?.dataset?.action;
    swap(this.actions, can.map((action) => h('button', {
      type: 'button', class: action === 'rollback' ? 'danger' : action === 'start' || action === 'resume' || (action === 'promote' && waits(st)) ? 'strong' : '',
      data: { action }, 'aria-keyshortcuts': keys[action], on: { click: () => run(action, this.route) },
    }, labels[action], ' ', h('kbd', { 'aria-hidden': 'true' }, keys[action]))));
    if (focused) this.actions.querySelector(`[data-action="${focused}"], button`)?.focus();
    if (can.length === 0) swap(this.actions, h('span', { class: 'muted' }, operator() || !state.about ? (st.stages.length === 0 ? 'Give it a shift in yadokari.yaml to move it' : '') : 'You may look; acting takes an operator'));
    attr(this.actions, 'hidden', this.actions.textContent === '' ? '' : null);
  }
}

