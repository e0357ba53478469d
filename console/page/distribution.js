// Latencies of both sides as distributions on a logarithmic scale, each side by its own total.
import { h, s, swap } from './dom.js';
import { count, moment, ms } from './words.js';

const W = 640;
const H = 130;
const BASE = 112;

export function distribution(el, l, st) {
  const total = { vm: sum(l.vm), containers: sum(l.containers) };
  if (!st) return; // whose sides they are is not known yet
  if (total.vm + total.containers === 0) {
    swap(el, h('p', { class: 'muted' }, 'No answers in a stage yet.'));
    return;
  }
  const all = [...l.vm, ...l.containers].filter((bar) => bar.to > bar.from);
  const low = Math.max(0.05, Math.min(...all.map((bar) => bar.from || bar.to / 2)));
  const high = Math.max(low * 4, ...all.map((bar) => bar.to));
  const x = (t) => ((Math.log(Math.max(t, low)) - Math.log(low)) / (Math.log(high) - Math.log(low))) * (W - 20) + 10;
  const cells = { vm: cellsOf(l.vm, low, high), containers: cellsOf(l.containers, low, high) };
  const parts = Object.fromEntries(Object.entries(cells).map(([side, list]) => [side, list.map((n) => n / (total[side] || 1))]));
  const top = Math.max(...parts.vm, ...parts.containers);
  const outline = (list) => {
    const wide = (W - 20) / list.length;
    let d = `M10 ${BASE}`;
    list.forEach((p, i) => { const y = (BASE - (p / top) * (BASE - 8)).toFixed(1); d += `L${(10 + i * wide).toFixed(1)} ${y}L${(10 + (i + 1) * wide).toFixed(1)} ${y}`; });
    return `${d}L${W - 10} ${BASE}`;
  };
  const names = { vm: st.from, containers: st.to };
  const told = (side) => (total[side] ? `${names[side]}: ${count(total[side])} answers, p50 ${ms(quantile(l[side], total[side], 0.5))}, p95 ${ms(quantile(l[side], total[side], 0.95))}, p99 ${ms(quantile(l[side], total[side], 0.99))}` : `${names[side]}: no answers`);
  swap(el,
    s('svg', { class: 'distribution', viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': `${told('vm')}. ${told('containers')}.` },
      ticks(low, high).map((t) => s('g', {}, s('line', { class: 'grid', x1: x(t), x2: x(t), y1: 4, y2: BASE }), s('text', { x: x(t), y: H - 4, 'text-anchor': 'middle' }, ms(t)))),
      ['vm', 'containers'].map((side) => (total[side] ? s('path', { class: `shape ${side}`, d: outline(parts[side]) }) : null)),
      ['vm', 'containers'].map((side) => (total[side] ? s('line', { class: `p95 ${side}`, x1: x(quantile(l[side], total[side], 0.95)), x2: x(quantile(l[side], total[side], 0.95)), y1: 8, y2: BASE }) : null))),
    h('p', { class: 'legend' }, h('span', {}, h('i', { class: 'key vm' }), told('vm')), h('span', {}, h('i', { class: 'key containers' }), told('containers')), h('span', { class: 'muted' }, `stage ${l.stage} since ${moment(l.since)}${l.stage === 'mirror' ? ', requests that were copied' : ''}; the upright lines are p95`)));
}

const CELLS = 60;

// cellsOf spreads the gateway's buckets over as many cells of equal width on the logarithmic scale.
function cellsOf(bars, low, high) {
  const list = new Array(CELLS).fill(0);
  for (const bar of bars) {
    const at = (Math.log(Math.max(low, Math.sqrt((bar.from || bar.to) * bar.to))) - Math.log(low)) / (Math.log(high) - Math.log(low));
    list[Math.min(CELLS - 1, Math.max(0, Math.floor(at * CELLS)))] += bar.n;
  }
  return list;
}

function ticks(low, high) {
  const list = [];
  for (let decade = -2; decade < 7; decade++) for (const digit of [1, 2, 5]) { const t = digit * 10 ** decade; if (t >= low && t <= high) list.push(t); }
  return list.length > 9 ? list.filter((t) => /^1/.test(String(Number(t.toExponential(0).split('e')[0])))) : list;
}

const sum = (bars) => bars.reduce((all, bar) => all + bar.n, 0);

function quantile(bars, total, q) {
  let below = 0;
  for (const bar of bars) {
    below += bar.n;
    if (below >= q * total) return Math.sqrt((bar.from || bar.to) * bar.to);
  }
  return 0;
}
