// Retry with back-off, polling, and batching of events.

const LONGEST_MS = 30000;

/**
 * The wait in ms before a retry: exponential back-off with jitter, at least the wait that the server asks for.
 * @param {number} tries number of failed attempts
 * @param {number} [toldMs] the server's Retry-After in ms
 */
export const pause = (tries, toldMs = 0) =>
  Math.max(toldMs, Math.min(1000 * 2 ** tries, LONGEST_MS)) * (1 + Math.random() / 4);

/**
 * @param {number} ms
 * @param {AbortSignal | null} [signal] aborts the wait, which then rejects with its reason
 * @returns {Promise<void>}
 */
export const sleep = (ms, signal) =>
  new Promise((done, fail) => {
    const timer = setTimeout(done, ms);
    const giveUp = () => {
      clearTimeout(timer);
      fail(signal?.reason);
    };
    signal?.addEventListener("abort", giveUp, { once: true });
  });

/** Polls that wait for a session. @type {Set<() => void>} */
const waiting = new Set();

/** Takes up the polls that wait, once somebody has logged in without leaving the page. */
export function resume() {
  const polls = [...waiting];
  waiting.clear();
  polls.forEach(go => go());
}

/**
 * Polls periodically, with back-off after failures; waits for `resume` when the session has ended.
 * @param {number} ms interval, unless `look` resolves to another one
 * @param {() => Promise<unknown>} look the poll; may resolve to the ms until the next one
 * @param {number} [firstMs] delay of the first poll
 * @returns {() => void} stops it
 */
export function every(ms, look, firstMs = ms) {
  let failures = 0;
  let isOver = false;
  let timer = setTimeout(go, firstMs);
  async function go() {
    let hasSession = true;
    let wait = ms;
    try {
      const wanted = await look();
      failures = 0;
      if (typeof wanted === "number") wait = wanted;
    } catch (error) {
      const { status, retryMs } = /** @type {{ status?: number, retryMs?: number }} */ (error);
      failures += 1;
      wait = Math.max(ms, pause(failures, retryMs));
      hasSession = status !== 401;
    }
    if (isOver) return;
    if (hasSession) timer = setTimeout(go, wait);
    else waiting.add(go);
  }
  return () => {
    isOver = true;
    waiting.delete(go);
    clearTimeout(timer);
  };
}

/**
 * Batches many calls into one (debounce): when there was none for `quietMs`, and at the latest after `longestMs`.
 * @param {() => unknown} work shows its errors itself
 * @param {number} [quietMs]
 * @param {number} [longestMs]
 */
export function together(work, quietMs = 300, longestMs = 2000) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {number | null} */
  let first = null;
  let isBusy = false;
  let isAgain = false;
  async function go() {
    first = null;
    isBusy = true;
    try {
      await work();
    } catch {
      // the work shows its errors itself
    }
    isBusy = false;
    if (isAgain) soon();
    isAgain = false;
  }
  function soon() {
    if (isBusy) {
      isAgain = true;
      return;
    }
    const now = Date.now();
    first ??= now;
    clearTimeout(timer);
    timer = setTimeout(go, Math.min(quietMs, first + longestMs - now));
  }
  soon.cancel = () => {
    clearTimeout(timer);
    first = null;
    isAgain = false;
  };
  return soon;
}
