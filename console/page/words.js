// Numbers, times and states in words.

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

export function count(n) {
  return whole.format(n ?? 0);
}

// rate is requests a second in few digits.
export function rate(n) {
  if (!(n > 0)) return '0';
  if (n < 0.05) return 'less than 0.1';
  if (n >= 9999.5) return `${(n / 1000).toFixed(n >= 99950 ? 0 : 1)}k`;
  return n >= 10 ? whole.format(n) : n.toFixed(1);
}

// percent writes a part: 4.8 %, 0.10 %, 12 %.
export function percent(part) {
  const x = part * 100;
  if (!(x > 0)) return '0 %';
  if (x >= 99.95) return x >= 100 ? '100 %' : '99.9 %';
  if (x >= 10) return `${x.toFixed(x % 1 < 0.05 ? 0 : 1)} %`;
  const text = x.toFixed(Math.min(6, Math.max(1, 1 - Math.floor(Math.log10(x)))));
  return `${text.replace(/\.0+$/, '')} %`;
}

// amount writes an e-value with as many digits as matter, cut off as in the gateway's sentences.
export function amount(x) {
  if (x >= 1e6) return x.toExponential(0);
  return x >= 100 ? count(Math.floor(x)) : x < 0.001 ? 'below 0.001' : x.toPrecision(2);
}

export function ms(x) {
  if (!(x > 0)) return '–';
  if (x < 1) return `${Math.round(x * 1000)} µs`;
  if (x < 10) return `${x.toFixed(1)} ms`;
  if (x < 1000) return `${Math.round(x)} ms`;
  return `${(x / 1000).toFixed(x < 10000 ? 2 : 1)} s`;
}

// span is a length of time in two parts at most: 6 minutes, 1 h 20 min, 3 d 4 h.
export function span(seconds) {
  const t = Math.max(0, Math.round(seconds));
  if (t < 60) return `${t} s`;
  if (t < 3600) return t % 60 && t < 600 ? `${Math.floor(t / 60)} min ${t % 60} s` : `${Math.round(t / 60)} min`;
  if (t < 86400) return `${Math.floor(t / 3600)} h${Math.floor((t % 3600) / 60) ? ` ${Math.floor((t % 3600) / 60)} min` : ''}`;
  return `${Math.floor(t / 86400)} d${Math.floor((t % 86400) / 3600) ? ` ${Math.floor((t % 86400) / 3600)} h` : ''}`;
}

// latencies are p50, p95 and p99 in one unit: 4.6, 14 and 22 ms.
export function latencies(...all) {
  const most = Math.max(...all);
  if (!(most > 0)) return null;
  const [unit, per] = most < 1 ? ['µs', 1000] : most < 1000 ? ['ms', 1] : ['s', 0.001];
  const short = (x) => (x >= 10 ? x.toFixed(0) : x >= 1 ? x.toFixed(1) : x.toPrecision(1));
  return { each: all.map((x) => (x > 0 ? short(x * per) : '–')), unit };
}

const pad = (n) => String(n).padStart(2, '0');

export function clock(date) {
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

// moment is a clock time, with its day unless that is today.
export function moment(text) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return '';
  const today = new Date().toDateString() === date.toDateString();
  return today ? clock(date) : `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${clock(date)}`;
}

// local puts this browser's time in place of the gateway's, in a sentence that the gateway has made.
export function local(text) {
  return text?.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)/g, (stamp) => moment(stamp.replace(' ', 'T'))) ?? '';
}

// parseShare reads 25% as a part.
export function parseShare(text) {
  return typeof text === 'number' ? text : Number.parseFloat(text) / 100 || 0;
}

// how says how a route is: its kind (for colour and icon), its words, and how urgent it is: below 10 a
// person is needed.
export function how(st) {
  if (st.problem) return { kind: 'alarm', words: 'Problem', rank: 0 };
  switch (st.state) {
    case 'rolled-back':
      return { kind: 'rolled-back', words: 'Rolled back', rank: 1 };
    case 'paused':
      return { kind: 'paused', words: `Paused at ${st.stage}`, rank: 3 };
    case 'done':
      return { kind: 'done', words: 'Done', rank: 30 };
    case 'shifting':
      if (waits(st)) return { kind: 'waits', words: `Waits for you: ${st.stage}`, rank: 2 };
      return { kind: 'shifting', words: st.stage === 'mirror' ? 'Mirroring' : `Moving: ${st.stage}`, rank: 10 };
  }
  if (st.stages.length === 0) return { kind: 'none', words: `Stays on ${st.from}`, rank: 40 };
  return { kind: 'idle', words: 'Not started', rank: 20 };
}

// waits says that a route moves on only when a person promotes it.
export function waits(st) {
  if (st.state !== 'shifting') return false;
  if (st.promote === 'manual' && st.verdict === 'pass' && !(st.holdRemaining > 0)) return true;
  return /^done when a person promotes/.test(st.next);
}

export const needsPerson = (st) => how(st).rank < 10;

// actions in the ledger, in words.
export const did = {
  start: 'started', promote: 'promoted', 'promote-forced': 'promoted by hand', pause: 'paused', resume: 'resumed',
  set: 'share set', rollback: 'rolled back', revert: 'reverted', drain: 'drained', undrain: 'undrained',
};

export const actionIcon = {
  start: 'shifting', promote: 'shifting', 'promote-forced': 'shifting', pause: 'paused', resume: 'shifting',
  set: 'shifting', rollback: 'rolled-back', revert: 'alarm', drain: 'paused', undrain: 'shifting',
};

// where is one end of a change.
export function where(place) {
  if (place.state === 'idle') return 'not started';
  if (place.state === 'rolled-back') return 'rolled back';
  if (place.state === 'done') return 'done';
  return place.state === 'paused' ? `${place.stage} (paused)` : place.stage;
}
