// Elements are made here and nowhere else. What a server or a user wrote becomes text nodes and
// attributes, never markup, so that nothing has to be escaped.

const SVG = 'http://www.w3.org/2000/svg';

// h makes an HTML element: h('a', {class: 'x', href: '#/', on: {click: f}}, 'text', child, null).
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

// s makes an SVG element.
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(el, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === 'on') for (const [type, f] of Object.entries(value)) el.addEventListener(type, f);
    else if (key === 'data') Object.assign(el.dataset, value);
    else if (key === 'vars') for (const [name, v] of Object.entries(value)) el.style.setProperty(name, v);
    else el.setAttribute(key, value === true ? '' : String(value));
  }
  el.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

// put writes a text if it is another one, so that nothing is laid out in vain.
export function put(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

// attr sets or removes an attribute if it has another value.
export function attr(el, name, value) {
  if (value === null || value === undefined || value === false) el.removeAttribute(name);
  else if (el.getAttribute(name) !== String(value)) el.setAttribute(name, String(value));
}

// swap replaces what an element holds. The focus stays on what is there again.
export function swap(el, ...children) {
  const focused = el.contains(document.activeElement) && document.activeElement !== el ? document.activeElement : null;
  el.replaceChildren(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  if (!focused || el.contains(focused)) return;
  const same = identity(focused);
  [...el.querySelectorAll(focused.localName)].find((one) => identity(one) === same)?.focus({ preventScroll: true });
}

// identity is what an element is to a person, wherever it was made.
function identity(el) {
  return [el.closest('[data-key]')?.dataset.key, el.id, el.dataset.action, el.getAttribute('href'), el.getAttribute('aria-label')].join('\n');
}

// keyed brings a list up to date. An element of an item that is still there is not touched, so that it
// keeps the focus, and a finger that is pressing it.
export function keyed(el, items, key, make) {
  const keys = items.map((item) => String(key(item)));
  const wanted = new Set(keys);
  const there = new Map();
  for (const child of [...el.children]) {
    if (wanted.has(child.dataset.key)) there.set(child.dataset.key, child);
    else child.remove();
  }
  let before = el.firstElementChild;
  items.forEach((item, i) => {
    const child = there.get(keys[i]) ?? make(item);
    child.dataset.key = keys[i];
    if (child === before) before = before.nextElementSibling;
    else el.insertBefore(child, before);
  });
}

const shapes = {
  idle: 'M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3z',
  shifting: 'M2.5 8h10m-4-4 4 4-4 4',
  paused: 'M5.5 3.5v9m5-9v9',
  done: 'M3 8.5 6.5 12 13 4.5',
  'rolled-back': 'M6 3.5 2.5 7 6 10.5M3 7h6.5a3.5 3.5 0 0 1 0 7H7',
  alarm: 'M8 2.5 14 13H2zM8 6.5v3m0 1.7v.3',
  none: 'M4 8h8',
  waits: 'M4 2.5h8M4 13.5h8M5 2.5c0 4 6 7 6 11M11 2.5c0 4-6 7-6 11',
};

// icon is a small drawing that goes with a word; it says nothing that the word does not.
export function icon(name) {
  return s('svg', { viewBox: '0 0 16 16', class: 'icon', 'aria-hidden': 'true' }, s('path', { d: shapes[name] ?? shapes.none }));
}

// announce tells a screen reader.
export function announce(text) {
  put(document.getElementById('say'), text);
}

// toast shows the outcome of an action for a while.
export function toast(text, kind = 'good') {
  const el = h('p', { class: `toast ${kind}`, role: kind === 'bad' ? 'alert' : 'status' }, text,
    h('button', { type: 'button', class: 'quiet', 'aria-label': 'Dismiss', on: { click: () => el.remove() } }, '×'));
  document.getElementById('toasts').append(el);
  setTimeout(() => el.remove(), kind === 'bad' ? 20_000 : 6_000);
}
