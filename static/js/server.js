// Talks to our own server. An error carries the detail of its problem+json.
import { at, go } from "./address.js";
import { page } from "./page.js";
import { say } from "./text.js";
import { pause, sleep } from "./timing.js";

const BUSY = [429, 503]; // with Retry-After
const PATIENCE_MS = 20000; // of somebody who waits for an answer

export class ServerError extends Error {
  /**
   * @param {string} message
   * @param {{ status?: number, type?: string, retryMs?: number, errors?: { row?: number, reason: string }[] }} told
   *   `status` is 0 when the server was not reached; `retryMs` is how long it asks to wait
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
 * The content of an answer, or the error that it is.
 * @param {number} status
 * @param {any} body
 * @param {string | null} retryAfter in seconds
 */
function read(status, body, retryAfter) {
  if (status === 401 && page.person) {
    // the session is over
    go(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
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
 * @param {RequestInit} options
 */
async function askOnce(path, options) {
  let answer;
  try {
    answer = await fetch(at(path), options);
  } catch (error) {
    if (/** @type {Error} */ (error).name === "AbortError") throw error;
    throw new ServerError(say("cannotBeReached"));
  }
  const body = await answer.json().catch(() => ({}));
  return read(answer.status, body, answer.headers.get("Retry-After"));
}

/**
 * A question that the server is too busy for is asked again, later each time, within `patience` in ms; without an end
 * it is asked again too when the server cannot be reached. What writes is sent once.
 * @template {string} Path
 * @param {Path} path
 * @param {RequestInit & { patience?: number, waiting?: (error: ServerError) => void }} [options]
 *   `waiting` is told of the error meanwhile
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
 * A page's own polling: it does not keep a session alive.
 * @template {string} Path
 * @param {Path} path
 * @param {Parameters<typeof ask>[1]} [options]
 */
export const poll = (path, options = {}) => ask(path, { ...options, headers: { "Geo-Grid-Background": "1" } });

/** @returns {Record<string, string>} */
const ownToken = () => (page.person?.csrf ? { "X-CSRF-Token": page.person.csrf } : {});

/**
 * Changes something.
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
 * Sends a form with a file, and tells how far that is: with XMLHttpRequest, because fetch does not tell it.
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
    for (const [name, value] of Object.entries(ownToken())) request.setRequestHeader(name, value);
    request.send(content);
  });
}
