// The bar that says where a route's users are: the old side's part hatched, the new one's solid, with a
// mark at every stage.
import { h, attr } from './dom.js';
import { parseShare } from './words.js';

export function bar() {
  const fill = h('span', { class: 'fill' });
  const marks = h('span', { class: 'marks' });
  const el = h('span', { class: 'bar', role: 'img', 'aria-label': 'Not known yet' }, fill, marks);
  let stages = '';
  return {
    el,
    update(st) {
      const share = parseShare(st.share);
      const width = `${share * 100}%`;
      if (fill.style.width !== width) fill.style.width = width;
      el.classList.toggle('mirror', st.stage === 'mirror');
      el.classList.toggle('back', st.state === 'rolled-back');
      attr(el, 'aria-label', words(st));
      const names = st.stages.join();
      if (names !== stages) {
        stages = names;
        marks.replaceChildren(...st.stages.map((name) => parseShare(name)).filter((at) => at > 0 && at < 1).map(mark));
      }
    },
  };
}

function mark(at) {
  const el = h('i', {});
  el.style.left = `${at * 100}%`;
  return el;
}

export function words(st) {
  const share = parseShare(st.share);
  if (st.stage === 'mirror') return `All users on ${st.from}, copies to ${st.to}`;
  if (share === 0) return `All users on ${st.from}`;
  if (share === 1) return `All users on ${st.to}`;
  const rest = Math.round((1 - share) * 10000) / 100;
  return `${st.from} ${rest} %, ${st.to} ${Math.round(share * 10000) / 100} %`;
}
