// Charts over time of one route, drawn by uPlot: both sides on one scale, what the ledger holds as marks.
import { get, name as enc } from './api.js';
import { h, put, attr, swap } from './dom.js';
import { clock, count, did, ms, percent, rate, where } from './words.js';
import { colour, onTheme } from './look.js';
import { now, state } from './store.js';

const spans = [['5m', 'Five minutes', 300], ['2h', 'Two hours', 7200], ['24h', 'A day', 86400]];
const LEAST = 20; // steps that are shown, however short the past
let kept = '5m';
let quantile = 'p95';

// What is drawn: a title, what a value is, and how it is written.
const kinds = [
  { id: 'requests', title: 'Requests a second', of: (side, i, step) => side.requests[i] / step, zero: 0, words: rate },
  { id: 'failures', title: 'Failures', of: (side, i) => (side.requests[i] ? side.failures[i] / side.requests[i] : null), zero: null, words: percent, least: 0.01 },
  { id: 'latency', title: 'Latency', of: (side, i) => side[quantile][i] || null, zero: null, words: ms },
  { id: 'doubt', title: 'Evidence against the new side', zero: null, words: percent, least: 1, one: 'doubt', note: '100 % rolls back' },
  { id: 'share', title: 'Users on the new side', zero: null, words: percent, least: 1, one: 'share', stepped: true },
];

export class Charts {
  constructor(route) {
    this.route = route;
    this.data = null;
    this.entries = [];
    this.plots = [];
    this.holds = kinds.map((kind) => {
      const readout = h('p', { class: 'readout' });
      const box = h('div', { class: 'plot', role: 'img', 'aria-label': kind.title });
      const heading = h('h3', {}, kind.title);
      return { kind, readout, box, el: h('figure', { class: `chart ${kind.id}` }, h('figcaption', {}, heading, kind.id === 'latency' ? this.quantiles() : null, readout), box) };
    });
    this.legend = h('p', { class: 'legend' });
    this.empty = h('p', { class: 'muted', hidden: true }, 'No traffic in this time.');
    this.el = h('section', { class: 'panel charts', 'aria-label': 'Charts' },
      h('div', { class: 'charthead' }, h('h2', {}, 'Over time'), this.legend, this.choose('Time span', spans, () => kept, (id) => { kept = id; this.data = null; this.load().catch(() => {}); })), // what fails is said by who reads each second
      this.empty, h('div', { class: 'grid' }, this.holds.map((hold) => hold.el)));
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.el);
    this.off = onTheme(() => { this.drop(); this.draw(); });
  }

  choose(label, list, now, set) {
    const group = h('div', { class: 'segments', role: 'group', 'aria-label': label });
    const buttons = list.map(([id, text]) => h('button', {
      type: 'button', 'aria-pressed': String(now() === id),
      on: { click: () => { set(id); buttons.forEach((b, i) => attr(b, 'aria-pressed', String(list[i][0] === id))); } },
    }, text));
    group.append(...buttons);
    return group;
  }

  quantiles() {
    return this.choose('Quantile', [['p50', 'p50'], ['p95', 'p95'], ['p99', 'p99']], () => quantile, (id) => { quantile = id; this.draw(); });
  }

  async load(signal) {
    const span = kept;
    const since = this.data ? `&since=${this.data.until}` : '';
    const news = await get(`routes/${enc(this.route)}/series?span=${span}${since}`, signal);
    if (span !== kept) return;
    if (this.data && news.step === this.data.step) this.data = join(this.data, news, spans.find(([id]) => id === span)[2]);
    else if (this.data) { this.data = null; return; } // finer steps began: read all of them the next time
    else this.data = news;
    this.draw();
  }

  marks(entries) {
    this.entries = entries;
    this.draw();
  }

  // columns are the values of a chart at every step of the span.
  columns(kind) {
    const d = this.data;
    const length = spans.find(([id]) => id === kept)[2];
    // A short past takes the whole width. Before it nothing is known; after it no point means nothing ended.
    const known = Math.max(LEAST, Math.ceil((d.until - d.from) / d.step));
    const n = Math.min(Math.floor(length / d.step), known);
    const at = new Map(d.time.map((time, i) => [time, i]));
    const x = new Array(n);
    const lists = (kind.one ? ['one'] : ['vm', 'containers']).map(() => new Array(n));
    for (let k = 0; k < n; k++) {
      const time = d.until - (n - k) * d.step;
      const i = at.get(time);
      x[k] = time + d.step / 2;
      if (kind.one) lists[0][k] = i === undefined || d[kind.one][i] < 0 ? null : d[kind.one][i];
      else {
        const nothing = time >= d.from ? kind.zero : null;
        lists[0][k] = i === undefined ? nothing : kind.of(d.vm, i, d.step);
        lists[1][k] = i === undefined ? nothing : kind.of(d.containers, i, d.step);
      }
    }
    return [x, ...lists];
  }

  draw() {
    if (!this.data || !this.el.isConnected) return;
    const st = state.routes.get(this.route);
    if (!st) return;
    this.names = [st.from, st.to];
    const legend = this.names.join(' ');
    if (this.legend.dataset.for !== legend) {
      this.legend.dataset.for = legend;
      swap(this.legend, h('span', {}, h('i', { class: 'key vm' }), st.from), h('span', {}, h('i', { class: 'key containers' }), st.to));
    }
    this.empty.hidden = this.data.time.length > 0;
    this.holds.forEach((hold, i) => {
      const data = this.columns(hold.kind);
      if (!this.plots[i]) this.plots[i] = new uPlot(this.options(hold), data, hold.box); // eslint-disable-line no-undef
      else this.plots[i].setData(data);
      this.read(hold, data, null);
    });
  }

  options(hold) {
    const { kind } = hold;
    const ink = colour('muted');
    const grid = { stroke: colour('line'), width: 1 };
    const points = (name) => ({ show: false, size: 5, width: 0, fill: colour(name), filter: alone });
    const side = (name, dash) => ({ stroke: colour(name), width: 1.75, dash, points: points(name), spanGaps: false });
    const fill = { ...side('new'), fill: colour('new-soft'), paths: kind.stepped ? uPlot.paths.stepped({ align: 1 }) : undefined }; // eslint-disable-line no-undef
    return {
      ...this.size(hold),
      cursor: { sync: { key: `yadokari-${this.route}` }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
      legend: { show: false },
      padding: [6, 24, 0, 0],
      scales: { x: { time: true }, y: { range: (u, low, high) => [0, Math.max(kind.least ?? 0, (high ?? 0) * (kind.one ? 1 : 1.08)) || 1] } },
      axes: [
        { stroke: ink, grid: { show: false }, ticks: grid, font: '11px system-ui, sans-serif', size: 24, space: 70, values: (u, list) => list.map((t) => { const c = clock(new Date(t * 1000)); return kept === '5m' ? c : c.slice(0, 5); }) },
        { stroke: ink, grid, ticks: { show: false }, font: '11px system-ui, sans-serif', size: 54, space: 28, values: (u, list) => list.map((v) => (v === 0 ? '0' : kind.words(v))) },
      ],
      series: [{}, ...(kind.one ? [fill] : [side('old', [4, 3]), side('new')])],
      hooks: {
        draw: [(u) => this.drawMarks(u, hold)],
        setCursor: [(u) => this.read(hold, u.data, u.cursor.idx)],
      },
    };
  }

  // drawMarks puts a line where the ledger says that the route was moved.
  drawMarks(u, hold) {
    const { ctx } = u;
    const { left, top, width, height } = u.bbox;
    ctx.save();
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = 'left';
    ctx.textBaseline = 'alphabetic';
    let free = Infinity; // labels from the right, none over another
    for (const e of this.entries) {
      const x = Math.round(u.valToPos(Date.parse(e.time) / 1000, 'x', true));
      if (x < left || x > left + width) continue;
      const back = e.action === 'rollback';
      ctx.strokeStyle = ctx.fillStyle = colour(back ? 'bad' : 'muted');
      ctx.lineWidth = (back ? 2 : 1) * devicePixelRatio;
      ctx.setLineDash(back ? [] : [2 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + height);
      ctx.stroke();
      const text = back ? 'rolled back' : e.to.stage || e.to.state;
      const wide = ctx.measureText(text).width + 10 * devicePixelRatio;
      const at = x + wide < left + width ? x + 4 * devicePixelRatio : x - wide + 4 * devicePixelRatio;
      if (hold.kind.id === 'requests' && at + wide < free) {
        ctx.fillText(text, at, top + 11 * devicePixelRatio);
        free = at;
      }
    }
    ctx.restore();
  }

  // read writes the values at the cursor, or else the latest.
  read(hold, data, at) {
    const { kind } = hold;
    // What is told as the present value is at most a dozen steps old; a share holds until it changes.
    const since = kind.one ? 0 : now() / 1000 - 12 * this.data.step;
    const last = (list) => list.findLast((v, i) => v !== null && v !== undefined && data[0][i] >= since);
    const pick = (list) => (at === null || at === undefined ? last(list) : list[at]);
    const value = (v) => (v === null || v === undefined ? '–' : kind.words(v));
    const when = at === null || at === undefined ? '' : `${clock(new Date(data[0][at] * 1000))}  `;
    const text = kind.one
      ? `${when}${value(pick(data[1]))}${kind.note ? `  (${kind.note})` : ''}`
      : `${when}${this.names[0]} ${value(pick(data[1]))}   ${this.names[1]} ${value(pick(data[2]))}`;
    put(hold.readout, text);
    if (!when) attr(hold.box, 'aria-label', `${kind.title}: ${text}. ${this.entries.length ? `Last mark: ${did[this.entries[0].action]} to ${where(this.entries[0].to)} at ${clock(new Date(this.entries[0].time))}.` : ''} ${count(this.data.time.length)} points.`);
  }

  size(hold) {
    return { width: Math.max(200, Math.floor(hold.box.clientWidth)), height: hold.kind.one ? 84 : 140 };
  }

  resize() {
    this.plots.forEach((plot, i) => {
      const size = this.size(this.holds[i]);
      if (plot.width !== size.width) plot.setSize(size);
    });
  }

  drop() {
    for (const plot of this.plots) plot.destroy();
    this.plots = [];
  }

  close() {
    this.off();
    this.sizes.disconnect();
    this.drop();
  }
}

// alone gives the points of a series that no line leads to or from: they are drawn as dots.
function alone(u, series) {
  const list = u.data[series];
  const none = (v) => v === null || v === undefined;
  return list.flatMap((v, i) => (!none(v) && none(list[i - 1]) && none(list[i + 1]) ? [i] : []));
}

// join adds new points to old ones and lets those go that are older than the span.
function join(old, news, length) {
  const from = news.until - length;
  const keep = old.time.findIndex((time) => time >= from);
  const cut = (a, b) => [...(keep < 0 ? [] : a.slice(keep)), ...b];
  const side = (a, b) => Object.fromEntries(Object.keys(a).map((key) => [key, cut(a[key], b[key])]));
  const all = { ...news, vm: side(old.vm, news.vm), containers: side(old.containers, news.containers) };
  for (const key of ['time', 'share', 'doubt', 'fallbacks', 'compared', 'different']) all[key] = cut(old[key], news[key]);
  return all;
}
