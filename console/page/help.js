// Keyboard shortcuts, and the switch that turns the single letters off.
import { h } from './dom.js';
import { open } from './dialog.js';

const KEY = 'yadokari-shortcuts';

export const shortcuts = {
  on: () => { try { return localStorage.getItem(KEY) !== 'off'; } catch { return true; } },
  set: (on) => { try { localStorage.setItem(KEY, on ? 'on' : 'off'); } catch { /* not kept */ } },
};

const lists = [
  ['Go', [['g o', 'routes'], ['g l', 'ledger'], ['g b', 'backends'], ['u', 'back to the routes'], ['/', 'filter'], ['j  k  ↓  ↑', 'next and previous row'], ['Enter', 'open the row']]],
  ['The route in focus, or on the page', [['s', 'start'], ['p', 'pause or resume'], ['n', 'promote: the next stage'], ['h', 'set the share'], ['r', 'roll back (Enter confirms)']]],
  ['Everything', [['Shift R', 'roll back all routes'], ['t', 'light, dark, as the system'], ['?', 'this list'], ['Esc', 'close, leave a field']]],
];

export function help() {
  open('Keyboard', (close) => {
    const box = h('input', { type: 'checkbox', on: { change: () => shortcuts.set(box.checked) } });
    box.checked = shortcuts.on();
    return [
      h('div', { class: 'keys' }, ...lists.map(([title, list]) => h('section', {}, h('h3', {}, title),
        h('dl', {}, ...list.map(([key, does]) => h('div', {}, h('dt', {}, ...key.split(' ').filter(Boolean).map((k) => h('kbd', {}, k))), h('dd', {}, does))))))),
      h('label', { class: 'check' }, box, ' Single letters act'),
      h('div', { class: 'buttons' }, h('button', { type: 'button', class: 'strong', data: { first: '' }, on: { click: () => close() } }, 'Close')),
    ];
  });
}
