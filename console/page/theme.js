// Before anything is drawn, so that the page does not flash in the other theme. Not a module: those come later.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem('yadokari-theme'); } catch { /* a browser that keeps nothing */ }
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
})();
