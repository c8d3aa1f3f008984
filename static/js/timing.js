// When something is done again: after a failure, every so often, or once for many events.

const LONGEST_MS = 30000;

/**
 * How long to wait before asking again: as long as the server says, and longer each time; never all pages at once.
 * @param {number} tries so far
 * @param {number} [toldMs] by the server
 */
export const pause = (tries, toldMs = 0) =>
  Math.max(toldMs, Math.min(1000 * 2 ** tries, LONGEST_MS)) * (1 + Math.random() / 4);

/**
 * @param {number} ms
 * @param {AbortSignal | null} [signal] ends the wait, which then fails with its reason
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

/**
 * Looks every so often, and later while looking fails; ends by itself when the session is over.
 * @param {number} ms between two looks, when the look itself says nothing else
 * @param {() => Promise<unknown>} look may say after how many ms it wants to look again
 * @param {number} [firstMs] before the first look
 * @returns {() => void} ends it
 */
export function every(ms, look, firstMs = ms) {
  let failures = 0;
  let isOver = false;
  let timer = setTimeout(go, firstMs);
  async function go() {
    let wait = ms;
    try {
      const wanted = await look();
      failures = 0;
      if (typeof wanted === "number") wait = wanted;
    } catch (error) {
      const { status, retryMs } = /** @type {{ status?: number, retryMs?: number }} */ (error);
      failures += 1;
      wait = Math.max(ms, pause(failures, retryMs));
      if (status === 401) isOver = true; // nobody asks any more
    }
    if (!isOver) timer = setTimeout(go, wait);
  }
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}

/**
 * Does what many events ask for once: when it was quiet for a while, and at the latest after the longest wait.
 * @param {() => unknown} work tells itself what went wrong, where it shows
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
      // told by the work
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
