import { at, go } from "./address.js";

// Talks to our own server. An error carries the detail of its problem+json.
export class ServerError extends Error {
  constructor(message, status, type, retryMs = 0) {
    super(message);
    Object.assign(this, { status, type, retryMs });
  }
}

const page = JSON.parse(document.getElementById("geo-grid-page").textContent);
const BUSY = [429, 503]; // with Retry-After
const PATIENCE_MS = 20000; // of somebody who waits for an answer
const LONGEST_MS = 30000;

// How long to wait before asking again: as long as the server says, and longer each time; never all pages at the same moment.
const pause = (tries, toldMs = 0) => Math.max(toldMs, Math.min(1000 * 2 ** tries, LONGEST_MS)) * (1 + Math.random() / 4);

const sleep = (ms, signal) => new Promise((done, fail) => {
  const timer = setTimeout(done, ms);
  signal?.addEventListener("abort", () => { clearTimeout(timer); fail(signal.reason); }, { once: true });
});

async function askOnce(path, options) {
  let answer;
  try {
    answer = await fetch(at(path), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(String(error.message));
  }
  const body = await answer.json().catch(() => ({}));
  if (answer.status === 401 && page.person) { // the session is over
    go(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  if (!answer.ok) {
    throw new ServerError(body.detail ?? `HTTP ${answer.status}`, answer.status, body.type, (Number(answer.headers.get("Retry-After")) || 0) * 1000);
  }
  return body;
}

// A question that the server is too busy for is asked again, later each time, within `patience` in ms; without an end it is
// asked again too when the server cannot be reached. `waiting` is told of the error meanwhile. What writes is sent once.
export async function ask(path, { patience = PATIENCE_MS, waiting, ...options } = {}) {
  const until = Date.now() + patience;
  for (let tries = 0; ; tries += 1) {
    try {
      return await askOnce(path, options);
    } catch (error) {
      const isBusy = BUSY.includes(error.status) || (patience === Infinity && error instanceof ServerError && !error.status);
      const ms = pause(tries, error.retryMs);
      if (!isBusy || (options.method ?? "GET") !== "GET" || Date.now() + ms > until) throw error;
      waiting?.(error);
      await sleep(ms, options.signal);
    }
  }
}

// A page's own polling: it does not keep a session alive.
export const poll = (path, options = {}) => ask(path, { ...options, headers: { "Geo-Grid-Background": "1" } });

// Looks every so often, and later while looking fails; returns how to end it.
export function every(ms, look) {
  let timer = 0, failures = 0, isOver = false;
  async function go() {
    try {
      await look();
      failures = 0;
    } catch (error) {
      failures += 1;
      if (error.status === 401) isOver = true; // nobody asks any more
      if (!isOver) timer = setTimeout(go, Math.max(ms, pause(failures, error.retryMs)));
      return;
    }
    if (!isOver) timer = setTimeout(go, ms);
  }
  timer = setTimeout(go, ms);
  return () => { isOver = true; clearTimeout(timer); };
}

// Does what many events ask for once: when it was quiet for a while, and at the latest after the longest wait.
export function together(work, quietMs = 300, longestMs = 2000) {
  let due = 0, first = 0, isBusy = false, isAgain = false;
  async function go() {
    first = 0;
    isBusy = true;
    try { await work(); } catch { /* it has told what was wrong where it shows */ }
    isBusy = false;
    if (isAgain) soon();
    isAgain = false;
  }
  function soon() {
    if (isBusy) { isAgain = true; return; }
    const now = Date.now();
    first ||= now;
    clearTimeout(due);
    due = setTimeout(go, Math.min(quietMs, first + longestMs - now));
  }
  soon.cancel = () => { clearTimeout(due); isAgain = false; };
  return soon;
}

// Hears events of these kinds. The browser comes back by itself after a break, but not after an answer such as 429 or 503:
// then it is opened anew, and `missed` is told, because nobody knows what happened meanwhile.
export function listen(kinds, heard, missed) {
  let source, timer = 0, tries = 0;
  function open() {
    source = new EventSource(at("/events"));
    source.onopen = () => {
      if (tries) missed();
      tries = 0;
    };
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(open, pause(tries));
      tries += 1;
    };
    source.addEventListener("reset", missed); // the server does not know either
    for (const kind of kinds) source.addEventListener(kind, ({ data }) => heard(kind, data));
  }
  open();
  return () => { clearTimeout(timer); source.close(); };
}

export const write = (method, path, content, headers = {}) => ask(path, {
  method,
  headers: { "Content-Type": "application/json", ...(page.person?.csrf ? { "X-CSRF-Token": page.person.csrf } : {}), ...headers },
  body: content === undefined ? undefined : JSON.stringify(content),
});

export const report = incident => write("POST", "/incidents", incident.content, { "Idempotency-Key": incident.key });
