// The servers of one backend. A row stays the same element while its numbers change, so that a button can
// be pressed, and keeps the focus, whenever news come.
import { h, attr, icon, keyed, put, swap } from './dom.js';
import { count, percent, span } from './words.js';
import { drain } from './actions.js';
import { now, operator } from './store.js';

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

const age = (since) => span((now() - Date.parse(since)) / 1000);

export class Servers {
  constructor() {
    this.count = h('small', { class: 'muted' });
    this.lost = h('div', {});
    this.none = h('p', { class: 'muted', hidden: true }, 'No server: the name resolves to no address.');
    this.list = h('ul', { class: 'serverlist' });
    this.el = h('div', {}, this.lost, this.none, this.list);
    this.rows = new Map(); // by id
  }

  update(b) {
    const good = b.servers.filter((one) => how(one).good);
    put(this.count, `${good.length} of ${b.servers.length} take requests`);
    swap(this.lost, b.names.filter((one) => one.error).map((one) => h('p', { class: 'lasterror' },
      `The name in ${one.url} has not been found for ${age(one.since)}`, one.addresses.length ? '; its last addresses stay: ' : ': ', one.error)));
    this.none.hidden = b.servers.length > 0;
    const former = this.rows;
    this.rows = new Map(b.servers.map((one) => [one.id, former.get(one.id) ?? new Server()]));
    for (const one of b.servers) this.rows.get(one.id).update(b.name, one, good.filter((other) => other.id !== one.id).length);
    keyed(this.list, b.servers, (one) => one.id, (one) => this.rows.get(one.id).el);
  }
}

class Server {
  constructor() {
    this.id = h('b', { class: 'id' });
    this.mark = h('span', {});
    this.state = h('span', {});
    this.load = h('div', { class: 'muted' });
    this.trouble = h('div', { class: 'lasterror', hidden: true });
    this.verb = h('span', {});
    this.whom = h('span', { class: 'unseen' });
    this.button = h('button', { type: 'button', hidden: true, on: { click: () => this.act() } }, this.verb, this.whom);
    this.el = h('li', {}, h('div', {}, this.id, h('span', { class: 'state' }, this.mark, this.state)), this.load, this.trouble, this.button);
  }

  update(backend, one, others) {
    Object.assign(this, { backend, one, others });
    const { kind, words } = how(one);
    if (this.el.dataset.kind !== kind) {
      this.el.dataset.kind = kind;
      swap(this.mark, icon(kind));
    }
    put(this.id, one.id);
    put(this.state, `${words}${one.since && Date.parse(one.since) > 0 ? ` for ${age(one.since)}` : ''}`);
    put(this.load, `${count(one.inFlight)} under way${one.url && !one.url.endsWith(`//${one.id}`) ? `, ${one.url}` : ''}`);
    this.trouble.hidden = !one.lastError;
    put(this.trouble, `Last error: ${one.lastError ?? ''}`);
    this.button.hidden = !operator();
    attr(this.button, 'data-server', `${backend} ${one.id}`);
    put(this.verb, one.drained ? 'Undrain' : 'Drain');
    put(this.whom, ` ${one.id}`);
  }

  async act() {
    await drain(this.backend, this.one, this.one.drained, this.others);
    dispatchEvent(new Event('yadokari-acted'));
  }
}
