// One route: where it is, what comes next, charts, evidence, differences, its ledger and its servers.
import { get, name as enc } from './api.js';
import { h, put, attr, swap, icon } from './dom.js';
import { how, moment, span, parseShare, waits } from './words.js';
import { bar, words } from './bar.js';
import { keys, labels, possible, run } from './actions.js';
import { Charts } from './charts.js';
import { distribution } from './distribution.js';
import { evidence } from './evidence.js';
import { differences } from './differences.js';
import { entryRow } from './ledger.js';
import { serverTable } from './backends.js';
import { now, on, operator, state } from './store.js';

export function routePage(main, route) {
  const stop = new AbortController();
  const head = new Head(route);
  const charts = new Charts(route);
  const part = (title, cls, ...of) => h('section', { class: `panel ${cls}`, 'aria-label': title }, h('h2', {}, title), ...of);
  const judged = h('div', {});
  const spread = h('div', {});
  const found = h('div', {});
  const moves = h('div', {});
  const servers = h('div', {});
  const differing = part('Differences found', 'differences', found);
  swap(main, head.el, h('div', { class: 'columns' },
    h('div', { class: 'wide' }, charts.el, part('Latency in this stage', 'spread', spread), differing),
    h('div', { class: 'narrow' }, part('Evidence', 'evidence', judged), part('What happened', 'moves', moves), part('Servers', 'servers', servers))));

  let status = state.routes.get(route) ?? null;
  let missing = false;

  async function each(path, show) {
    try {
      show(await get(path, stop.signal));
    } catch (problem) {
      if (problem.status === 404) missing = true;
    }
  }

  function draw() {
    const st = state.routes.get(route);
    if (missing || (state.known && !st)) {
      swap(main, h('div', { class: 'empty' }, h('h1', {}, 'No such route'), h('p', {}, `The gateway has no route “${route}”. It may have been renamed in yadokari.yaml.`), h('p', {}, h('a', { href: '#/' }, 'All routes'))));
      return;
    }
    if (st) head.update(st);
  }

  // The status with its evidence, and what belongs to it, once a second; the rest more rarely.
  async function beat() {
    await Promise.all([
      each(`routes/${enc(route)}`, (st) => { status = st; evidence(judged, st, charts.compared()); }),
      charts.load(stop.signal),
    ]);
  }

  async function rest() {
    await Promise.all([
      each(`routes/${enc(route)}/latencies`, (l) => distribution(spread, l, status)),
      each(`routes/${enc(route)}/differences`, (d) => { differing.hidden = !differences(found, d, status); }),
      each('backends', (all) => {
        const st = state.routes.get(route);
        if (st) swap(servers, [st.from, ...(st.stages.length > 0 ? [st.to] : [])].map((side) => all.find((b) => b.name === side)).filter(Boolean).map((b) => h('div', {}, h('h3', {}, b.name), serverTable(b))));
      }),
    ]);
  }

  async function history() {
    await each(`ledger?route=${enc(route)}&limit=200`, (entries) => {
      charts.marks(entries);
      swap(moves, entries.length === 0
        ? h('p', { class: 'muted' }, 'Nothing yet. What moves this route is written here.')
        : h('ol', { class: 'entries' }, entries.slice(0, 12).map((e) => entryRow(e, false))),
      entries.length > 12 ? h('a', { href: `#/ledger?route=${enc(route)}` }, 'All entries') : null);
    });
  }

  const loop = (f, every) => {
    let busy = false;
    const once = async () => {
      if (busy || document.hidden || state.line === 'lost') return;
      busy = true;
      try { await f(); } finally { busy = false; }
    };
    once();
    const timer = setInterval(once, every);
    stop.signal.addEventListener('abort', () => clearInterval(timer));
    return once;
  };
  loop(beat, 1000);
  const again = loop(rest, 2500);
  const reread = loop(history, 15_000);
  const off = on((what, detail) => {
    draw();
    if (what === 'changes' && detail.moved.some((m) => m.st.route === route)) { reread(); again(); }
    if (what === 'line' && state.line === 'live') { reread(); again(); }
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
    put(this.next, st.next ? `Next: ${st.next}` : '');
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

