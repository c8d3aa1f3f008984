// Requests to this server. Errors have the detail of the answer's problem+json.
import { at, go } from "./address.js";
import { learn } from "./now.js";
import { page } from "./page.js";
import { say } from "./text.js";
import { pause, sleep } from "./timing.js";

const BUSY = [429, 503]; // with Retry-After
/** What happens when the session has ended; a page on which somebody works logs in again in place. */
export const session = {
  ended: () => go(`/login?next=${encodeURIComponent(location.pathname + location.search)}`),
};
const TIME_OUT_MS = 60000; // of an answer to a user: the server gives up before
const BACKGROUND_TIME_OUT_MS = 12000; // of one that the page asks for by itself, soon again
const inLanguage = { "Accept-Language": page.lang }; // what the server says is in the words of the page
const PATIENCE_MS = 20000; // how long busy answers are retried for a waiting user

export class ServerError extends Error {
  /**
   * @param {string} message
   * @param {{ status?: number, type?: string, retryMs?: number,
   *   errors?: { row?: number, pointer?: string, detail: string }[] }} told
   *   `status` is 0 when the server cannot be reached; `retryMs` is the wait of Retry-After
   */
  constructor(message, { status = 0, type = "", retryMs = 0, errors = [] } = {}) {
    super(message);
    this.status = status;
    this.type = type;
    this.retryMs = retryMs;
    this.errors = errors;
  }
}

/**
 * Returns the content of an answer; throws a ServerError for an error status.
 * @param {number} status
 * @param {any} body
 * @param {string | null} retryAfter in seconds
 */
function read(status, body, retryAfter) {
  if (status === 401 && page.person) session.ended();
  if (status >= 200 && status < 300) return body;
  const { detail, type, errors } = body;
  throw new ServerError(detail ?? `HTTP ${status}`, {
    status,
    type,
    errors,
    retryMs: (Number(retryAfter) || 0) * 1000,
  });
}

/**
 * @param {string} path
 * @param {RequestInit & { timeOutMs?: number }} options
 */
async function askOnce(path, { timeOutMs = TIME_OUT_MS, ...options }) {
  let answer;
  const askedAt = Date.now();
  const headers = { ...inLanguage, .../** @type {Record<string, string>} */ (options.headers) };
  const over = AbortSignal.timeout(timeOutMs);
  const signal = options.signal ? AbortSignal.any([options.signal, over]) : over;
  /** @param {Error} error @returns {never} */
  const fail = error => {
    if (options.signal?.aborted) throw error; // nobody waits any more
    throw new ServerError(over.aborted ? say("doesNotAnswer") : say("cannotBeReached"));
  };
  try {
    answer = await fetch(at(path), { ...options, headers, signal });
  } catch (error) {
    return fail(error);
  }
  learn(answer.headers.get("Date"), askedAt);
  const body = await answer.json().catch(error => {
    if (error.name !== "SyntaxError") fail(error); // cut off: an empty answer it is not
    return {}; // nothing, or what a proxy says: the status says it
  });
  return read(answer.status, body, answer.headers.get("Retry-After"));
}

/**
 * Sends a request. Reads are retried with back-off while the server is busy, for `patience` ms; with an infinite
 * patience also while the server cannot be reached. Writes are sent once.
 * @template {string} Path
 * @param {Path} path
 * @param {RequestInit & { patience?: number, timeOutMs?: number, waiting?: (error: ServerError) => void }} [options]
 *   `waiting` is called with the error before each retry
 * @returns {Promise<import("../types.js").Answer<Path>>}
 */
export async function ask(path, { patience = PATIENCE_MS, waiting, ...options } = {}) {
  const until = Date.now() + patience;
  for (let tries = 0; ; tries += 1) {
    try {
      return await askOnce(path, options);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      const isBusy = BUSY.includes(error.status) || (patience === Infinity && !error.status);
      const ms = pause(tries, error.retryMs);
      if (!isBusy || (options.method ?? "GET") !== "GET" || Date.now() + ms > until) throw error;
      waiting?.(error);
      await sleep(ms, options.signal);
    }
  }
}

/**
 * A request by the page itself, not by its user: it does not extend the session.
 * @template {string} Path
 * @param {Path} path
 * @param {Parameters<typeof ask>[1]} [options]
 */
export const poll = (path, options = {}) => 
  ask(path, { timeOutMs: BACKGROUND_TIME_OUT_MS, ...options, headers: { "Geo-Grid-Background": "1" } });

/**
 * Has a file made by the server, and gives it to the browser to keep.
 * @param {string} path
 * @param {string} name of the file
 * @param {AbortSignal} signal
 */
export async function download(path, name, signal) {
  const answer = await fetch(at(path), { headers: inLanguage, signal }).catch(error => {
    throw signal.aborted ? error : new ServerError(say("cannotBeReached"));
  });
  if (!answer.ok) read(answer.status, await answer.json().catch(() => ({})), answer.headers.get("Retry-After"));
  const href = URL.createObjectURL(await answer.blob());
  Object.assign(document.createElement("a"), { href, download: name }).click();
  URL.revokeObjectURL(href);
}

/** @returns {Record<string, string>} */
const ownToken = () => (page.person?.csrf ? { "X-CSRF-Token": page.person.csrf } : {});

/**
 * Sends a request that writes.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [content] sent as JSON; a form is sent as it is
 * @param {Record<string, string>} [headers]
 */
export function write(method, path, content, headers = {}) {
  if (content instanceof FormData) return ask(path, { method, headers: { ...ownToken(), ...headers }, body: content });
  const body = content === undefined ? undefined : JSON.stringify(content);
  return ask(path, { method, headers: { "Content-Type": "application/json", ...ownToken(), ...headers }, body });
}

/**
 * Sends a form with a file, and reports the progress: by XMLHttpRequest, since fetch has no progress of uploads.
 * @param {string} path
 * @param {FormData} content
 * @param {(share: number) => void} sent from 0 to 1
 * @returns {Promise<any>}
 */
export function upload(path, content, sent) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.upload.onprogress = ({ loaded, total }) => sent(loaded / total);
    request.upload.onload = () => sent(1);
    request.onerror = () => fail(new ServerError(say("cannotBeReached")));
    request.onload = () => {
      let body = {};
      try {
        body = JSON.parse(request.responseText);
      } catch {
        // the status says it
      }
      try {
        done(read(request.status, body, request.getResponseHeader("Retry-After")));
      } catch (error) {
        fail(error);
      }
    };
    request.open("POST", at(path));
    for (const [name, value] of Object.entries({ ...inLanguage, ...ownToken() })) request.setRequestHeader(name, value);
    request.send(content);
  });
}
