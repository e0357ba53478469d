// The servers of each backend, with what the gateway knows of them.
import { get } from './api.js';
import { h, put, swap, icon } from './dom.js';
import { count, percent, span } from './words.js';
import { drain } from './actions.js';
import { now, operator, state } from './store.js';

export function backendsPage(main) {
  const body = h('div', { class: 'backends' });
  const said = h('p', { class: 'muted', role: 'status' }, 'Reading…');
  swap(main, h('h1', { class: 'unseen' }, 'Backends'), said, body);
  async function load() {
    if (document.hidden || state.line === 'lost') return;
    try {
      const all = await get('backends');
      put(said, all.length ? '' : 'No backend is configured: add one under gateway.backends in yadokari.yaml.');
      const focused = body.contains(document.activeElement) ? document.activeElement.dataset.server : null;
      swap(body, all.map((b) => h('section', { class: 'panel', 'aria-label': b.name }, h('h2', {}, b.name, ' ', h('small', { class: 'muted' }, `${b.servers.filter((one) => how(one).good).length} of ${b.servers.length} take requests`)), serverTable(b))));
      if (focused) body.querySelector(`[data-server="${CSS.escape(focused)}"]`)?.focus();
    } catch (problem) {
      put(said, problem.text ?? problem.message);
    }
  }
  load();
  const timer = setInterval(load, 1500);
  addEventListener('yadokari-acted', load);
  return { title: 'Backends', close() { clearInterval(timer); removeEventListener('yadokari-acted', load); } };
}

// how says in a word whether a server gets requests, and if not, why.
function how(one) {
  if (one.health === 'absent') return { kind: 'none', words: 'absent, drained' };
  if (one.drained) return { kind: 'paused', words: one.inFlight ? 'draining' : 'drained' };
  if (one.leaving) return { kind: 'none', words: 'leaving' };
  if (one.ejected) return { kind: 'alarm', words: 'ejected: connects fail' };
  if (one.health === 'unhealthy') return { kind: 'alarm', words: 'unhealthy' };
  if (one.health === 'unknown') return { kind: 'idle', words: 'not checked yet' };
  if (one.slowStartPart < 1) return { kind: 'shifting', words: `warming up, ${percent(one.slowStartPart)}`, good: true };
  return { kind: 'done', words: one.health === 'unchecked' ? 'takes requests' : one.health, good: true };
}

export function serverTable(b) {
  const lost = b.names.filter((one) => one.error).map((one) => h('p', { class: 'lasterror' }, `The name in ${one.url} has not been found for ${span((now() - Date.parse(one.since)) / 1000)}`, one.addresses.length ? '; its last addresses stay: ' : ': ', one.error));
  if (b.servers.length === 0) return h('div', {}, lost, h('p', { class: 'muted' }, 'No server: the name resolves to no address.'));
  return h('div', {}, lost, serverList(b));
}

function serverList(b) {
  return h('ul', { class: 'serverlist' }, b.servers.map((one) => {
    const { kind, words } = how(one);
    return h('li', { data: { kind } },
      h('div', {}, h('b', { class: 'id' }, one.id), h('span', { class: 'state' }, icon(kind), words, one.since && Date.parse(one.since) > 0 ? ` for ${span((now() - Date.parse(one.since)) / 1000)}` : '')),
      h('div', { class: 'muted' }, `${count(one.inFlight)} under way`, one.url && !one.url.endsWith(`//${one.id}`) ? `, ${one.url}` : ''),
      one.lastError ? h('div', { class: 'lasterror' }, 'Last error: ', one.lastError) : null,
      operator() ? h('button', { type: 'button', data: { server: `${b.name} ${one.id}` }, on: { click: async () => { await drain(b.name, one, one.drained, b.servers.filter((other) => other !== one && how(other).good).length); dispatchEvent(new Event('yadokari-acted')); } } }, one.drained ? 'Undrain' : 'Drain', h('span', { class: 'unseen' }, ` ${one.id}`)) : null);
  }));
}
