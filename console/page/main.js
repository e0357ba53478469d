// The frame: which page is shown, what the line is like, keys, theme and token.
import { h, put, attr, swap, announce } from './dom.js';
import { clock, local, moment, needsPerson, how } from './words.js';
import { actor, onUnauthorized, token } from './api.js';
import { on, operator, start, state } from './store.js';
import { anyOpen, field, form, open } from './dialog.js';
import { keys, possible, rollbackAll, run } from './actions.js';
import { nextTheme, showTheme } from './look.js';
import { help, shortcuts } from './help.js';
import { showClusters } from './clusters.js';
import { overview } from './overview.js';
import { routePage } from './route.js';
import { entryPage, ledgerPage } from './ledger.js';
import { backendsPage } from './backends.js';

const main = document.getElementById('main');
const el = (id) => document.getElementById(id);
let page = null;
let asking = false;
let declined = false;

function show() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const parts = path.split('/').map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
  page?.close?.();
  swap(main);
  scrollTo(0, 0);
  const pages = { route: () => routePage(main, parts[1]), ledger: () => (parts[1] ? entryPage(main, parts[1]) : ledgerPage(main, new URLSearchParams(query))), backends: () => backendsPage(main) };
  const id = Object.hasOwn(pages, parts[0]) ? parts[0] : 'overview';
  page = id === 'overview' ? overview(main) : pages[id]();
  for (const link of document.querySelectorAll('nav a')) attr(link, 'aria-current', link.dataset.page === id || (id === 'route' && link.dataset.page === 'overview') ? 'page' : null);
  title();
}

addEventListener('hashchange', () => { show(); announce(page.title); main.focus({ preventScroll: true }); });

function title() {
  const n = [...state.routes.values()].filter(needsPerson).length;
  document.title = `${n ? `(${n}) ` : ''}${page?.title ?? 'Routes'} · ${state.about?.cluster || state.about?.app || 'Yadokari'}`;
}

// line says how old what is shown is.
function line() {
  const lost = state.line === 'lost' || state.line === 'refused';
  document.documentElement.classList.toggle('stale', lost);
  attr(el('live'), 'data-line', state.line);
  put(el('live'), { live: `Live ${clock(state.heard ?? new Date())}`, connecting: 'Connecting…', lost: 'Connection lost', refused: 'No access' }[state.line]);
  if (state.line === 'refused') put(el('who'), 'Sign in');
  const texts = alarms();
  if (el('alarms').dataset.texts !== texts.join('\n')) {
    el('alarms').dataset.texts = texts.join('\n');
    swap(el('alarms'), texts.map((text) => h('p', { class: 'alarm', role: 'alert' }, text)));
  }
}

const OLD = 30_000; // ms after which what the gateway says of itself is old

function alarms() {
  if (state.line === 'lost') {
    return [state.heard
      ? `Connection lost since ${moment(state.heard)}. The numbers below are from then. Trying again.`
      : 'The gateway does not answer yet. Trying again.'];
  }
  if (state.line === 'refused') return [`No access${state.heard ? ` since ${moment(state.heard)}. The numbers below are from then` : ''}. Sign in, at the top, with a token.`];
  const list = [];
  if (state.about?.problem) list.push(`The gateway has a problem: ${state.about.problem}`);
  if (state.about?.keys?.warning) list.push(state.about.keys.warning);
  if (state.read && Date.now() - state.read > OLD) list.push(`What the gateway says of itself (its problems, its patterns, who you are) was not read since ${moment(state.read)}. Trying again.`);
  return list;
}

on((what, detail) => {
  if (what === 'about') {
    put(el('app'), state.about.app || 'Yadokari');
    showClusters(el('cluster'), el('clusters'));
    put(el('who'), `${state.about.caller} · ${state.about.role}`);
    el('rollback-all').hidden = !operator();
  }
  if (what === 'changes') {
    for (const { st } of detail.moved) announce(`${st.route}: ${how(st).words}${st.state === 'rolled-back' ? `. ${local(st.reason)}` : ''}`);
  }
  line();
  title();
});

// A token is kept for this tab only, and sent with every call. Who does not want to give one is not asked
// again, unless by an action of theirs.
async function askToken(refused, acting) {
  if (asking || (declined && !acting)) return;
  asking = true;
  declined = !await open('Who are you?', (close) => {
    const secret = field('Token', { type: 'password', data: { first: '' }, required: true }, 'a line of the gateway’s tokenFile; kept in this tab until it is closed');
    const say = h('p', {}, token.get() ? `The gateway refuses the token: ${refused.message}.` : 'This gateway wants a token.');
    return [form([say, secret.el], 'Go on', 'strong', () => {
      token.set(secret.input.value.trim());
      close(true);
    }, close)];
  });
  asking = false;
  if (!declined) dispatchEvent(new Event('yadokari-token'));
}
onUnauthorized(askToken);

el('who').addEventListener('click', () => (state.line === 'refused' ? askToken({ message: 'it is unknown' }, true) : whoAmI()));

const whoAmI = () => open('Who are you?', (close) => {
  if (token.get()) {
    return [h('p', {}, `You are ${state.about?.caller}, ${state.about?.role}, by the token in this tab.`),
      form([], 'Forget the token', 'strong', () => { token.set(''); close(true); location.reload(); }, close)];
  }
  const name = field('Your name, for the ledger', { value: actor.get(), maxlength: 64, pattern: '[A-Za-z0-9._@+\\-]*', data: { first: '' } }, 'letters, digits and . _ - @ +; believed, since only this machine reaches the port');
  return [form([name.el], 'Keep', 'strong', () => {
    if (!name.input.checkValidity()) { name.input.reportValidity(); return; }
    actor.set(name.input.value.trim());
    close(true);
    dispatchEvent(new Event('yadokari-token'));
  }, close)];
});

el('theme').addEventListener('click', nextTheme);
el('help').addEventListener('click', help);
el('rollback-all').addEventListener('click', rollbackAll);
showTheme();

let prefix = '';
const go = { o: '#/', l: '#/ledger', b: '#/backends' };

document.addEventListener('keydown', (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || anyOpen()) return;
  const typing = e.target.matches('input, textarea, select');
  if (e.key === 'Escape' && typing) { e.target.blur(); return; }
  if (typing || !shortcuts.on()) return;
  const first = prefix;
  prefix = '';
  if (first === 'g' && go[e.key]) { location.hash = go[e.key]; e.preventDefault(); return; }
  if (press(e.key)) e.preventDefault();
});

function press(key) {
  const route = page?.route?.();
  const st = route && state.routes.get(route);
  const action = st && possible(st).find((name) => keys[name] === key);
  if (action) { run(action, route); return true; }
  switch (key) {
    case 'g': prefix = 'g'; return true;
    case '?': help(); return true;
    case 't': nextTheme(); return true;
    case 'R': rollbackAll(); return true;
    case '/':
      if (!page?.filter) location.hash = '#/';
      requestAnimationFrame(() => page?.filter?.focus());
      return true;
    case 'u': location.hash = '#/'; return true;
  }
  const own = page?.keys?.[key];
  if (!own) return false;
  own();
  return true;
}

show();
start();
line();
