// The servers of each backend, with what the gateway knows of them.
import { get } from './api.js';
import { h, keyed, put, swap } from './dom.js';
import { fresh } from './fresh.js';
import { Servers } from './servers.js';

export function backendsPage(main) {
  const stop = new AbortController();
  const body = h('div', { class: 'backends' });
  const said = h('p', { class: 'muted', role: 'status' }, 'Reading…');
  const all = h('div', {}, said, body);
  let shown = new Map(); // by name
  swap(main, h('h1', { class: 'unseen' }, 'Backends'), all);

  async function read() {
    const list = await get('backends', stop.signal);
    put(said, list.length ? '' : 'No backend is configured: add one under gateway.backends in yadokari.yaml.');
    shown = new Map(list.map((b) => [b.name, shown.get(b.name) ?? new Servers()]));
    for (const b of list) shown.get(b.name).update(b);
    keyed(body, list, (b) => b.name, (b) => h('section', { class: 'panel', 'aria-label': b.name },
      h('h2', {}, b.name, ' ', shown.get(b.name).count), shown.get(b.name).el));
  }

  const again = fresh(all, read, 1500, stop.signal);
  addEventListener('yadokari-acted', again, { signal: stop.signal });
  return { title: 'Backends', close: () => stop.abort() };
}
