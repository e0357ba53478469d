// Every route as one row, what needs a person first. Only the rows on screen exist.
import { h, put, attr, swap } from './dom.js';
import { how, needsPerson, parseShare, count } from './words.js';
import { Row } from './row.js';
import { load, on, recent, state } from './store.js';

const groups = [
  ['all', 'All', () => true],
  ['person', 'Need a person', needsPerson],
  ['moving', 'Moving', (st) => st.state === 'shifting'],
  ['done', 'Done', (st) => st.state === 'done'],
  ['old', 'On the old side', (st) => st.state === 'idle' || st.state === 'rolled-back'],
];

const worstP95 = (route) => {
  const slot = recent(route).findLast((one) => one);
  return slot ? Math.max(slot.vm.p95, slot.containers.p95) : 0;
};
const failing = (route) => recent(route).slice(-12).reduce((all, slot) => all + (slot ? slot.vm.failures + slot.containers.failures : 0), 0);

// How rows are sorted: by a number, the smallest first; then by name.
const orders = {
  urgent: { label: 'Verdict', key: (st) => how(st).rank, words: 'what needs a person first' },
  name: { label: 'Route', key: () => 0, words: 'name' },
  share: { label: 'Users', key: (st) => -parseShare(st.share), words: 'share, largest first' },
  rate: { label: 'Requests/s', key: (st) => -load(st), words: 'users’ requests a second' },
  failures: { label: 'Failures', key: (st) => -failing(st.route), words: 'failures in the last minute' },
  p95: { label: 'p50 / p95 / p99', key: (st) => -worstP95(st.route), words: 'slowest p95; the line is p95, the band p50 to p99' },
};

const AT_ONCE = 8; // rows that are made, or given another route, in one frame: laying out a screen of them holds the page too long

const kept = { order: 'urgent', group: 'all', filter: '' }; // while other pages are open

export function overview(main) {
  const filter = h('input', { type: 'search', id: 'filter', placeholder: 'Filter routes   /', 'aria-label': 'Filter routes by name, pattern or state', value: kept.filter });
  const chips = h('div', { class: 'chips', role: 'group', 'aria-label': 'Which routes' });
  const buttons = groups.map(([id, label]) => {
    const n = h('b', {});
    const el = h('button', { type: 'button', class: 'chip', 'aria-pressed': String(kept.group === id), on: { click: () => { kept.group = id; arrange(); } } }, `${label} `, n);
    return { id, el, n };
  });
  chips.append(...buttons.map((b) => b.el));
  const heads = ['name', 'share', 'rate', 'failures', 'p95', 'urgent'].map((id) => ({
    id,
    el: h('div', { role: 'columnheader', class: `c-${id}` },
      h('button', { type: 'button', title: `Sort by ${orders[id].words}`, on: { click: () => { kept.order = id; arrange(); } } }, orders[id].label)),
  }));
  const rows = h('div', { role: 'rowgroup', class: 'rows' });
  const table = h('div', { role: 'table', class: 'routes', 'aria-label': 'Routes' },
    h('div', { role: 'rowgroup' }, h('div', { role: 'row', class: 'row head' }, ...heads.map((head) => head.el))), rows);
  const hint = h('div', { class: 'empty', hidden: true });
  const total = h('p', { class: 'unseen', role: 'status' });
  swap(main, h('h1', { class: 'unseen' }, 'Routes'), h('div', { class: 'strip' }, chips, filter), hint, total, table);

  let list = [];
  let first = 0;
  let last = -1;
  const shown = new Map(); // name to Row
  const spare = [];
  let height = 0;
  let planned = false;

  let recalled = null; // the route that had the focus last, where the next step begins
  rows.addEventListener('focusin', (e) => { recalled = e.target.closest('.row')?.dataset.route; });
  filter.addEventListener('input', () => { kept.filter = filter.value; arrange(); });

  // arrange chooses and sorts the routes.
  function arrange() {
    const words = kept.filter.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = groups.find(([id]) => id === kept.group)[2];
    const all = [...state.routes.values()];
    const { key } = orders[kept.order];
    const held = focused();
    const at = list.findIndex((one) => one.name === held?.route);
    list = all.filter((st) => chosen(st) && matches(st, words)).map((st) => ({ name: st.route, key: key(st) }));
    list.sort((a, b) => a.key - b.key || a.name.localeCompare(b.name, 'en', { numeric: true }));
    if (held) follow(held, at);
    for (const b of buttons) {
      put(b.n, count(all.filter(groups.find(([id]) => id === b.id)[2]).length));
      attr(b.el, 'aria-pressed', String(b.id === kept.group));
      b.el.classList.toggle('urgent', b.id === 'person' && all.some(needsPerson));
    }
    for (const head of heads) attr(head.el, 'aria-sort', kept.order === head.id ? (head.id === 'name' || head.id === 'urgent' ? 'ascending' : 'descending') : null);
    attr(table, 'aria-rowcount', list.length + 1);
    put(total, `${list.length} of ${all.length} routes`);
    empty(all);
    plan();
  }

  const focused = () => [...shown.values()].find((row) => row.el.contains(document.activeElement));

  // follow keeps the focus on its row: where that would leave the screen it is scrolled along. When the row
  // is in the list no more, the one that has its place gets the focus.
  function follow(row, at) {
    const now = list.findIndex((one) => one.name === row.route);
    if (now < 0) {
      const next = list[Math.min(at, list.length - 1)];
      if (next) requestAnimationFrame(() => { draw(Infinity); shown.get(next.name)?.name.focus({ preventScroll: true }); });
      else filter.focus();
      return;
    }
    const by = (now - at) * height;
    const top = row.el.getBoundingClientRect().top + by;
    if (top < 100 || top + height > innerHeight) scrollBy(0, by);
  }

  function matches(st, words) {
    if (words.length === 0) return true;
    const text = `${st.route} ${patterns(st.route)} ${how(st).words} ${st.verdict}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }

  function empty(all) {
    const said = emptyWords(all, list.length);
    hint.hidden = !said;
    table.hidden = list.length === 0;
    if (said) swap(hint, ...said);
  }

  // plan draws once in the next frame, however often it is asked for.
  function plan() {
    if (planned) return;
    planned = true;
    requestAnimationFrame(() => { planned = false; if (main.contains(table)) draw(); });
  }

  // draw brings the rows on screen up to date, as many as it may; the rest of them follow in the next frame.
  function draw(most = AT_ONCE) {
    if (!height) height = measure();
    const top = rows.getBoundingClientRect().top;
    first = Math.max(0, Math.floor(-top / height) - 3);
    last = Math.min(list.length - 1, Math.ceil((innerHeight - top) / height) + 3);
    const end = upTo(most);
    if (end < last) { last = end; plan(); }
    const wanted = new Set(list.slice(first, last + 1).map((one) => one.name));
    rows.style.paddingTop = `${first * height}px`;
    rows.style.paddingBottom = `${Math.max(0, list.length - 1 - last) * height}px`;
    for (const [name, row] of shown) {
      if (wanted.has(name)) continue;
      shown.delete(name);
      row.el.remove();
      spare.push(row);
    }
    const active = rows.contains(document.activeElement) ? document.activeElement : null;
    let before = rows.firstChild;
    for (let i = first; i <= last; i++) {
      let row = shown.get(list[i].name);
      if (!row) shown.set(list[i].name, row = spare.pop() ?? new Row());
      if (row.el !== before) rows.insertBefore(row.el, before);
      else before = before.nextSibling;
      row.show(state.routes.get(list[i].name), i, patterns(list[i].name));
    }
    if (active && document.activeElement !== active && rows.contains(active)) active.focus({ preventScroll: true });
  }

  // upTo is the last row to draw with so many that are not shown yet: all of them, if one that is shown would go.
  function upTo(most) {
    let others = 0;
    for (let i = first; i <= last; i++) {
      if (shown.has(list[i].name) || ++others <= most) continue;
      return list.slice(i, last + 1).some((one) => shown.has(one.name)) ? last : i - 1;
    }
    return last;
  }

  function measure() {
    const probe = new Row();
    rows.append(probe.el);
    const found = probe.el.getBoundingClientRect().height;
    probe.el.remove();
    return found || 64;
  }

  // step moves the focus by rows: arrow keys, j and k.
  function step(by) {
    if (list.length === 0) return;
    const at = list.findIndex((one) => one.name === (focused()?.route ?? recalled));
    const next = Math.min(list.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : list.length - 1) : at + by));
    const y = rows.getBoundingClientRect().top + scrollY + next * height;
    const margin = 150;
    if (y < scrollY + margin) scrollTo(0, y - margin);
    else if (y + height > scrollY + innerHeight) scrollTo(0, y + height - innerHeight + 8);
    draw(Infinity);
    shown.get(list[next].name)?.name.focus({ preventScroll: true });
  }

  const resize = () => { height = 0; plan(); };
  addEventListener('scroll', plan, { passive: true });
  addEventListener('resize', resize);
  const off = on((what, detail) => {
    if (what === 'routes' || what === 'about' || what === 'series' || (what === 'changes' && detail.moved.length > 0)) arrange();
    else if (what === 'changes' && kept.order === 'urgent') arrange();
    else plan();
  });
  arrange();
  return {
    title: 'Routes',
    keys: { j: () => step(1), k: () => step(-1), ArrowDown: () => step(1), ArrowUp: () => step(-1) },
    route: () => focused()?.route ?? null,
    filter,
    close() {
      off();
      removeEventListener('scroll', plan);
      removeEventListener('resize', resize);
    },
  };

  function emptyWords(all, found) {
    if (!state.known) return [h('p', {}, 'Waiting for the gateway…')];
    if (all.length === 0) {
      return [h('h2', {}, 'No routes yet'), h('p', {}, 'Add one under ', h('code', {}, 'gateway.routes'), ' in yadokari.yaml, then reload the gateway (SIGHUP).'), sample()];
    }
    if (found === 0) {
      const clear = () => { filter.value = kept.filter = ''; kept.group = 'all'; arrange(); filter.focus(); };
      const what = kept.group === 'person' && !kept.filter ? 'Nothing needs a person.' : 'No route matches.';
      return [h('p', {}, what), h('button', { type: 'button', on: { click: clear } }, 'Show all routes')];
    }
    if (all.every((st) => st.stages.length === 0)) {
      return [h('h2', {}, 'No route has a shift yet'), h('p', {}, 'Every user stays on the old side. Give a route a journey in yadokari.yaml, then reload the gateway (SIGHUP):'), sample()];
    }
    if (state.until && state.series.size === 0) {
      return [h('h2', {}, 'No traffic in the last five minutes'), h('p', {}, 'Send users to the gateway (',
        h('code', {}, 'gateway.listen'), '), for example one VM’s worth from your balancer. Their requests appear here within five seconds. Then open a route and start it.')];
    }
    return null;
  }
}

const patterns = (route) => (state.about?.routes[route] ?? []).join('  ');

function sample() {
  return h('pre', {}, 'routes:\n  - name: wiki\n    match: ["/wiki/"]\n    shift:\n      stages: [mirror, 1%, 5%, 25%, 50%, 100%]');
}
