// Dialogs: the browser's own, which keep the focus and close with Escape.
import { h } from './dom.js';

// open shows a dialog and resolves to what close was called with; undefined after Escape or Cancel. A click
// beside it does nothing: a question about users is not to vanish by a slip of the hand.
export function open(title, build) {
  return new Promise((resolve) => {
    let answer;
    const before = document.activeElement;
    const heading = h('h2', { id: 'dialog-title' }, title);
    const dialog = h('dialog', { 'aria-labelledby': 'dialog-title' }, heading);
    const close = (value) => { answer = value; dialog.close(); };
    dialog.append(...build(close, dialog).filter(Boolean));
    dialog.addEventListener('close', () => {
      dialog.remove();
      if (before?.isConnected) before.focus();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector('[data-first]')?.focus();
  });
}

export const anyOpen = () => document.querySelector('dialog[open]') !== null;

// form is the usual body of a dialog: fields, then the buttons, with Enter as the first of them.
export function form(fields, label, kind, submit, close) {
  const go = h('button', { type: 'submit', class: kind, data: fields.some((f) => f.querySelector?.('input')) ? {} : { first: '' } }, label);
  return h('form', {
    method: 'dialog',
    on: { submit: (e) => { e.preventDefault(); submit(go); } },
  }, ...fields, h('div', { class: 'buttons' }, go, h('button', { type: 'button', on: { click: () => close() } }, 'Cancel')));
}

export function field(label, props, hint) {
  const input = h('input', { autocomplete: 'off', spellcheck: 'false', ...props });
  return { input, el: h('label', { class: 'field' }, h('span', {}, label), input, hint ? h('small', {}, hint) : null) };
}
