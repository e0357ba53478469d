// The service cluster: its name, or a choice among the file's. Each has a gateway and a page of its own.
import { h, put, swap } from './dom.js';
import { state } from './store.js';

// showClusters shows one of two elements: a name, or, when there are several, a list to choose from.
export function showClusters(name, list) {
  const { cluster, clusters } = state.about;
  const several = clusters.length > 1;
  name.hidden = several;
  list.hidden = !several;
  put(name, cluster ? `service cluster ${cluster}` : 'no service cluster');
  const known = JSON.stringify([cluster, clusters]);
  if (!several || list.dataset.known === known) return;
  list.dataset.known = known;
  swap(list, ...(cluster ? [] : [h('option', { value: '', selected: '' }, 'no service cluster')]), ...clusters.map((c) => choice(c, cluster)));
  list.onchange = () => leave(list, cluster);
}

function choice({ name, page }, current) {
  if (name === current) return h('option', { value: name, selected: '' }, name);
  return page ? h('option', { value: name }, name) : h('option', { value: name, disabled: '' }, `${name} (gateway.page is not set)`);
}

// leave goes to the chosen cluster's page, and shows there what is shown here.
function leave(list, current) {
  const chosen = state.about.clusters.find((c) => c.name === list.value);
  list.value = current;
  if (chosen?.page) location.assign(`${chosen.page.replace(/\/$/, '')}/${location.hash}`);
}
