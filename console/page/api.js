// Calls of the admin API, and its stream of events. There is no other way in or out.

const TOKEN = 'yadokari-token';
const ACTOR = 'yadokari-actor';

let askToken = null; // shows the dialog; set by main

export function onUnauthorized(f) {
  askToken = f;
}

export const token = {
  get: () => sessionStorage.getItem(TOKEN) ?? '',
  set: (text) => (text ? sessionStorage.setItem(TOKEN, text) : sessionStorage.removeItem(TOKEN)),
};

export const actor = {
  get: () => { try { return localStorage.getItem(ACTOR) ?? ''; } catch { return ''; } },
  set: (name) => { try { localStorage.setItem(ACTOR, name); } catch { /* not kept */ } },
};

function headers(more) {
  const all = { Accept: 'application/json', ...more };
  if (token.get()) all.Authorization = `Bearer ${token.get()}`;
  else if (actor.get()) all['X-Yadokari-Actor'] = actor.get();
  return all;
}

// Refused is an answer that is an error, as the API tells it.
export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `the gateway answered ${status}`);
    this.status = status;
    this.code = error?.code ?? '';
    this.remedy = error?.remedy ?? '';
  }

  get text() {
    return this.remedy ? `${this.message} (${this.remedy})` : this.message;
  }
}

// refusal reads an answer that is an error. A token that was replaced meanwhile is asked for no more. acting
// says that a person waits for the answer.
async function refusal(answer, used, acting) {
  let error = null;
  try { error = (await answer.json()).error; } catch { /* not of this API */ }
  const refused = new Refused(answer.status, error);
  refused.outdated = used !== token.get();
  if (answer.status === 401 && !refused.outdated) askToken?.(refused, acting);
  return refused;
}

async function send(path, options) {
  const used = token.get();
  let answer;
  try {
    answer = await fetch(path, { ...options, cache: 'no-store', signal: AbortSignal.any([AbortSignal.timeout(options.method ? 25_000 : 10_000), ...(options.signal ? [options.signal] : [])]) });
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw new Refused(0, { message: 'The gateway does not answer.', code: 'unreachable' });
  }
  if (!answer.ok) throw await refusal(answer, used, Boolean(options.method));
  return answer;
}

export async function get(path, signal) {
  return (await send(`/api/v1/${path}`, { headers: headers(), signal })).json();
}

export async function text(path) {
  return (await send(`/api/v1/${path}`, { headers: headers({ Accept: '*/*' }) })).blob();
}

export async function act(method, path, body) {
  const answer = await send(`/api/v1/${path}`, { method, headers: headers({ 'Content-Type': 'application/json' }), body: JSON.stringify(body ?? {}) });
  return answer.status === 204 ? null : answer.json();
}

export const name = encodeURIComponent;

const SILENCE = 12_000; // series come every 5 s: longer without a byte means that the line is dead
const waits = [250, 500, 1000, 2000, 4000];

// follow keeps a stream of events open for good: each(event, data) for every event, state(now, Date)
// with 'live' or 'lost'.
export async function follow(path, each, state) {
  let tries = 0;
  for (;;) {
    const line = new AbortController();
    let heard = false;
    try {
      await once(path, line, (event, data) => {
        heard = true;
        tries = 0;
        state('live');
        each(event, data);
      });
    } catch (problem) {
      if (problem?.status === 401 && problem.outdated) continue;
      if (problem?.status === 401) {
        state('refused');
        await new Promise((go) => { for (const event of ['yadokari-token', 'yadokari-known']) addEventListener(event, go, { once: true }); });
        continue;
      }
    }
    line.abort();
    state('lost', heard);
    const wait = waits[Math.min(tries++, waits.length - 1)];
    await new Promise((go) => { setTimeout(go, wait * (0.75 + Math.random() / 2)); });
  }
}

async function once(path, line, each) {
  const used = token.get();
  let watchdog = setTimeout(() => line.abort(), SILENCE);
  try {
    const answer = await fetch(`/api/v1/${path}`, { headers: headers({ Accept: 'text/event-stream' }), signal: line.signal, cache: 'no-store' });
    if (!answer.ok) throw await refusal(answer, used);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(watchdog);
      watchdog = setTimeout(() => line.abort(), SILENCE);
      const parts = (rest + value).split('\n\n');
      rest = parts.pop();
      for (const part of parts) deliver(part, each);
    }
  } finally {
    clearTimeout(watchdog);
  }
}

// deliver reads one event (HTML Living Standard, server-sent events, as far as this API uses it).
function deliver(part, each) {
  let event = 'message';
  let data = '';
  for (const line of part.split('\n')) {
    if (line.startsWith('event: ')) event = line.slice(7);
    else if (line.startsWith('data: ')) data += line.slice(6);
  }
  if (data) each(event, JSON.parse(data));
}
