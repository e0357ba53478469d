// The ledger: who or what moved which route, when and why. Each entry has an address of its own.
import { get, name as enc, text } from './api.js';
import { h, keyed, put, swap, icon, toast } from './dom.js';
import { fresh } from './fresh.js';
import { actionIcon, did, moment, where } from './words.js';
import { on, state } from './store.js';

const BLOCK = 100;

// subject is what an entry is about: a route, or a server of a backend.
const subject = (e) => (e.route ? h('a', { href: `#/route/${enc(e.route)}` }, e.route) : h('a', { href: '#/backends' }, `${e.backend} ${e.server}`));

// entryRow is one entry in a list.
export function entryRow(e, named) {
  return h('li', { class: `entry ${e.action === 'rollback' ? 'back' : ''}`, data: { seq: e.seq } },
    h('a', { class: 'seq', href: `#/ledger/${e.seq}`, 'aria-label': `Entry ${e.seq}` }, `#${e.seq}`),
    h('time', { datetime: e.time, title: e.time }, moment(e.time)),
    h('span', { class: 'did' }, icon(actionIcon[e.action] ?? 'none'), named ? [subject(e), ' '] : null, h('b', {}, did[e.action] ?? e.action)),
    h('span', { class: 'fromto' }, e.route ? `${where(e.from)} → ${where(e.to)}` : ''),
    h('span', { class: 'by' }, `by ${e.actor.name}`),
    e.why ? h('span', { class: 'why' }, e.why) : null);
}

export function ledgerPage(main, query) {
  const filter = { route: query.get('route') ?? '', actor: query.get('actor') ?? '', action: query.get('action') ?? '' };
  const list = h('ol', { class: 'entries full' });
  const older = h('button', { type: 'button', hidden: true }, 'Older entries');
  const said = h('p', { class: 'muted', role: 'status' });
  const known = h('datalist', { id: 'route-names' });
  const input = (key, label, props) => h('label', { class: 'field' }, h('span', {}, label), h('input', { value: filter[key], ...props, on: { change: (e) => { filter[key] = e.target.value.trim(); apply(); } } }));
  const kind = h('select', { on: { change: () => { filter.action = kind.value; apply(); } } },
    h('option', { value: '' }, 'all'), Object.entries(did).map(([id, words]) => h('option', { value: id, selected: filter.action === id }, words)));
  const route = input('route', 'Route', { type: 'search', list: 'route-names', id: 'filter' });
  const panel = h('div', { class: 'panel' }, h('div', { class: 'title' }, h('h1', {}, 'Ledger'),
    h('button', { type: 'button', id: 'export', on: { click: save } }, 'Export JSON lines')),
  h('div', { class: 'fields' }, route, input('actor', 'Who', { type: 'search' }), h('label', { class: 'field' }, h('span', {}, 'What'), kind), known), said, list, older);
  swap(main, panel);

  const asked = () => Object.entries(filter).filter(([, v]) => v).map(([k, v]) => `${k}=${enc(v)}`);
  const ask = (before) => get(`ledger?${[...asked(), `limit=${BLOCK}`, ...(before ? [`before=${before}`] : [])].join('&')}`, stop.signal);
  const stop = new AbortController();
  let entries = [];
  let turn = 0; // of the filter: what was asked with a former one is not shown

  function apply() {
    history.replaceState(null, '', asked().length ? `#/ledger?${asked().join('&')}` : '#/ledger');
    turn++;
    entries = [];
    swap(list);
    older.hidden = true;
    put(said, 'Reading…');
    renew();
  }

  // newest reads what is new, and puts it before what was read already, however far down that goes.
  async function newest() {
    const mine = turn;
    const found = await ask();
    if (mine !== turn) return;
    const news = entries.length ? found.filter((e) => e.seq > entries[0].seq) : found;
    if (news.length === BLOCK) entries = []; // there may be others between
    if (entries.length === 0) older.hidden = found.length < BLOCK;
    entries = [...news, ...entries];
    show();
  }

  async function further() {
    const mine = turn;
    try {
      const found = await ask(entries.at(-1).seq);
      if (mine !== turn) return;
      entries = [...entries, ...found];
      older.hidden = found.length < BLOCK;
      show();
    } catch (problem) {
      if (mine === turn) toast(problem.text ?? problem.message, 'bad');
    }
  }

  function show() {
    keyed(list, entries, (e) => e.seq, (e) => entryRow(e, true));
    put(said, entries.length ? '' : asked().length ? 'No entry is like that.' : 'Nothing has moved yet. Open a route and start it: that will be the first entry.');
    keyed(known, [...state.routes.keys()], (n) => n, (n) => h('option', { value: n }));
  }

  older.addEventListener('click', further);

  async function save() {
    try {
      const url = URL.createObjectURL(await text(`ledger.jsonl?${asked().join('&')}`));
      h('a', { href: url, download: 'yadokari-ledger.jsonl' }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch (problem) {
      toast(problem.text ?? problem.message, 'bad');
    }
  }

  const renew = fresh(panel, newest, 15_000, stop.signal);
  const off = on((what) => { if (what === 'ledger' || what === 'routes') renew(); });
  return { title: 'Ledger', filter: route.querySelector('input'), close() { off(); stop.abort(); } };
}

export function entryPage(main, seq) {
  const body = h('div', {}, h('p', { class: 'muted' }, 'Reading…'));
  swap(main, h('div', { class: 'panel entrypage' }, h('p', {}, h('a', { href: '#/ledger' }, 'Ledger')), h('h1', {}, `Entry ${seq}`), body));
  (async () => {
    try {
      if (!/^\d{1,18}$/.test(seq)) throw new Error(`“${seq}” is not the number of an entry.`);
      const [e] = await get(`ledger?before=${Number(seq) + 1}&limit=1`);
      if (!e || e.seq !== Number(seq)) throw new Error('There is no such entry.');
      const row = (name, ...of) => h('div', {}, h('dt', {}, name), h('dd', {}, ...of));
      swap(body, h('dl', { class: 'facts' }, row('When', `${moment(e.time)} (${e.time})`), row(e.route ? 'Route' : 'Server', subject(e)),
        e.cluster ? row('Service cluster', e.cluster) : null, row('What', did[e.action] ?? e.action), e.route ? [row('From', where(e.from)), row('To', where(e.to))] : null, row('Who', e.actor.name), row('Why', e.why || '–')),
      e.evidence ? [h('h2', {}, 'Evidence'), h('pre', { tabindex: '0' }, JSON.stringify(e.evidence, null, 2))] : null);
    } catch (problem) {
      swap(body, h('p', {}, problem.text ?? problem.message));
    }
  })();
  return { title: `Entry ${seq}`, close() {} };
}
