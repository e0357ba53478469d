// One row of the overview.
import { h, put, attr, icon } from './dom.js';
import { how, latencies, local, rate, percent, span, count } from './words.js';
import { bar, words } from './bar.js';
import { spark, draw, drawBands } from './spark.js';
import { known, now, recent, state } from './store.js';

const MINUTE = 12; // steps

export class Row {
  constructor() {
    this.name = h('a', { class: 'name' });
    this.match = h('small', { class: 'match' });
    this.mark = h('span', { class: 'mark' });
    this.how = h('b', {});
    this.since = h('small', {});
    this.bar = bar();
    this.where = h('small', { class: 'where' });
    this.cells = ['Requests/s', 'Failures', 'p50 / p95 / p99'].map((label) => new Pair(label));
    this.verdict = h('p', { class: 'verdict' });
    const cell = (name, ...of) => h('div', { role: 'cell', class: `c-${name}` }, ...of);
    this.el = h('div', { role: 'row', class: 'row' },
      cell('route', this.name, this.match),
      cell('users', h('p', { class: 'state' }, this.mark, this.how, ' ', this.since), this.bar.el, this.where),
      ...this.cells.map((pair) => cell('pair', pair.el)),
      cell('verdict', this.verdict));
    this.kind = null;
  }

  // show makes the row that of a route.
  show(st, index, match) {
    if (this.route !== st.route) {
      this.route = st.route;
      this.el.dataset.route = st.route;
      put(this.name, st.route);
      attr(this.name, 'href', `#/route/${encodeURIComponent(st.route)}`);
      this.stamp = null;
    }
    attr(this.el, 'aria-rowindex', index + 2);
    put(this.match, match);
    attr(this.match, 'title', match);
    const { kind, words: text, rank } = how(st);
    if (this.kind !== kind) {
      this.kind = kind;
      this.mark.replaceChildren(icon(kind));
      this.el.dataset.kind = kind;
    }
    this.el.classList.toggle('urgent', rank < 10);
    put(this.how, text);
    put(this.since, st.since ? span((now() - Date.parse(st.since)) / 1000) : '');
    this.bar.update(st);
    put(this.where, words(st));
    put(this.verdict, sentence(st));
    attr(this.verdict, 'title', sentence(st));
    this.draw(st);
  }

  // draw brings the small charts up to date, once for each step.
  draw(st) {
    const stamp = `${state.until} ${known()} ${st.from} ${st.to}`;
    if (this.stamp === stamp) return;
    this.stamp = stamp;
    const slots = recent(st.route, known());
    const of = (side, key) => slots.map((slot) => (slot ? slot[side][key] / state.step : 0));
    const sum = (side, key, n) => slots.slice(-n).reduce((all, slot) => all + (slot ? slot[side][key] : 0), 0);
    const [requests, failures, latency] = this.cells;
    const any = slots.some((slot) => slot);
    this.el.classList.toggle('silent', !any);
    for (const pair of this.cells) pair.sides(st.from, st.to);
    draw(requests.chart, { vm: of('vm', 'requests'), containers: of('containers', 'requests') });
    requests.values(rate(sum('vm', 'requests', 2) / 2 / state.step), rate(sum('containers', 'requests', 2) / 2 / state.step));
    const part = (side) => slots.map((slot) => (slot && slot[side].requests ? slot[side].failures / slot[side].requests : null));
    draw(failures.chart, { vm: part('vm'), containers: part('containers') }, 0.02);
    const failed = (side) => {
      const all = sum(side, 'requests', MINUTE);
      return all ? percent(sum(side, 'failures', MINUTE) / all) : '–';
    };
    failures.values(failed('vm'), failed('containers'), sum('vm', 'failures', MINUTE), sum('containers', 'failures', MINUTE));
    drawBands(latency.chart, slots);
    const last = (side) => slots.slice(-2).findLast((slot) => slot && slot[side].p95 > 0)?.[side];
    latency.latencies(last('vm'), last('containers'));
  }
}

// Pair is a small chart with both sides' latest values.
class Pair {
  constructor(label) {
    this.chart = spark();
    const value = (side) => {
      const [name, before, number, after] = [h('span', { class: 'side' }), h('span', {}), h('b', {}), h('span', {})];
      return { name, before, number, after, el: h('span', { class: `value ${side}` }, h('i', { class: `key ${side}`, 'aria-hidden': 'true' }), name, before, number, after) };
    };
    this.vm = value('vm');
    this.containers = value('containers');
    this.el = h('div', { class: 'pair' }, h('small', { class: 'label' }, label), this.chart.el, h('div', { class: 'values' }, this.vm.el, this.containers.el));
  }

  sides(from, to) {
    put(this.vm.name, from);
    put(this.containers.name, to);
  }

  // values shows a number for each side, and behind it how many failures it stands for.
  values(vm, containers, vmBad = 0, containersBad = 0) {
    for (const [side, number, bad] of [[this.vm, vm, vmBad], [this.containers, containers, containersBad]]) {
      put(side.number, number);
      put(side.after, bad > 0 ? ` (${count(bad)})` : '');
      side.el.classList.toggle('bad', bad > 0);
    }
  }

  latencies(vm, containers) {
    for (const [side, slot] of [[this.vm, vm], [this.containers, containers]]) {
      const all = slot && latencies(slot.p50, slot.p95, slot.p99);
      put(side.before, all ? `${all.each[0]}\u2009/\u2009` : '');
      put(side.number, all ? all.each[1] : '–');
      put(side.after, all ? `\u2009/\u2009${all.each[2]} ${all.unit}` : '');
    }
  }
}

// sentence is what a person is told of a route: a problem, or the verdict with its evidence and what
// comes next.
export function sentence(st) {
  if (st.problem) return st.problem;
  if (st.state === 'rolled-back') return `${st.reason || st.why || 'by hand, without a reason'}${st.by ? ` — by ${st.by}` : ''}`;
  if (st.stages.length === 0) return 'No shift in the file: nothing moves this route.';
  if (st.state === 'idle') return `Next: ${st.next}`;
  const verdict = st.verdict ? `${st.verdict[0].toUpperCase()}${st.verdict.slice(1)}: ${st.reason}` : st.reason;
  return [verdict, `Next: ${local(st.next)}`].filter(Boolean).join('. ');
}
