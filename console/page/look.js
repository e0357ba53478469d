// Light, dark, or as the system is.
import { attr, put } from './dom.js';

const order = ['auto', 'light', 'dark'];
const listeners = new Set();
const system = matchMedia('(prefers-color-scheme: dark)');

const root = document.documentElement;
const chosen = () => root.dataset.theme ?? 'auto';

export function showTheme() {
  const button = document.getElementById('theme');
  put(button, { auto: '◐', light: '○', dark: '●' }[chosen()]);
  attr(button, 'aria-label', `Colours: ${{ auto: 'as the system', light: 'light', dark: 'dark' }[chosen()]}`);
  attr(button, 'title', button.getAttribute('aria-label'));
}

export function nextTheme() {
  const next = order[(order.indexOf(chosen()) + 1) % order.length];
  if (next === 'auto') delete root.dataset.theme;
  else root.dataset.theme = next;
  try { localStorage.setItem('yadokari-theme', next); } catch { /* not kept */ }
  showTheme();
  tell();
}

// onTheme calls f when colours have changed; what is drawn on a canvas must be drawn anew.
export function onTheme(f) {
  listeners.add(f);
  return () => listeners.delete(f);
}

function tell() {
  for (const f of listeners) f();
}

system.addEventListener('change', tell);

export const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
