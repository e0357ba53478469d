// Small charts of the last five minutes, both sides on one scale. The old side is a dashed line, the new
// one a solid line; a failure is a bar that stands on the axis. What they show is beside them in numbers.
import { s, attr } from './dom.js';

const W = 120;
const H = 28;

export function spark() {
  const band = { vm: s('path', { class: 'band vm' }), containers: s('path', { class: 'band containers' }) };
  const line = { vm: s('path', { class: 'line vm' }), containers: s('path', { class: 'line containers' }) };
  const el = s('svg', { class: 'spark', viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    band.vm, band.containers, line.vm, line.containers);
  return { el, band, line };
}

// draw shows lists of numbers (null: nothing known) from 0 to the largest of both sides.
export function draw(chart, sides, floor = 0) {
  let top = floor;
  for (const list of Object.values(sides)) for (const v of list) if (v > top) top = v;
  for (const side of ['vm', 'containers']) attr(chart.line[side], 'd', path(sides[side], top));
}

// drawBands shows p50 to p99 as a band and p95 as the line in it.
export function drawBands(chart, slots) {
  let top = 0;
  for (const slot of slots) if (slot) top = Math.max(top, slot.vm.p99, slot.containers.p99);
  for (const side of ['vm', 'containers']) {
    const of = (q) => slots.map((slot) => (slot && slot[side].p95 > 0 ? slot[side][q] : null));
    attr(chart.line[side], 'd', path(of('p95'), top));
    attr(chart.band[side], 'd', area(of('p50'), of('p99'), top));
  }
}

const x = (i, n) => ((i + 0.5) * W / n).toFixed(1);
const y = (v, top) => (H - 1.5 - (top > 0 ? v / top : 0) * (H - 3)).toFixed(1);

function path(list, top) {
  let d = '';
  let pen = false;
  list.forEach((v, i) => {
    if (v === null) { pen = false; return; }
    const alone = !pen && (list[i + 1] ?? null) === null;
    d += `${pen ? 'L' : 'M'}${x(i, list.length)} ${y(v, top)}${alone ? 'h1.5' : ''}`;
    pen = true;
  });
  return d;
}

function area(low, high, top) {
  let d = '';
  for (let i = 0; i < low.length; i++) {
    if (low[i] === null) continue;
    let end = i;
    while (end + 1 < low.length && low[end + 1] !== null) end++;
    d += `M${x(i, low.length)} ${y(high[i], top)}`;
    for (let k = i + 1; k <= end; k++) d += `L${x(k, low.length)} ${y(high[k], top)}`;
    for (let k = end; k >= i; k--) d += `L${x(k, low.length)} ${y(low[k], top)}`;
    d += 'z';
    i = end;
  }
  return d;
}
