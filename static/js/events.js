// Server-sent events about changes in the city.
import { at } from "./address.js";
import { pause, together } from "./timing.js";

/**
 * Listens to events of these kinds. After a lost connection the browser reconnects by itself and resumes after the
 * last event, but not after an answer such as 429 or 503: then a new source is opened, which starts with new events
 * only, and `missed` is called.
 * @param {string[]} kinds
 * @param {(kind: string, data: string) => void} heard
 * @param {() => void} missed
 * @returns {() => void} stops it
 */
export function listen(kinds, heard, missed) {
  /** @type {EventSource} */
  let source;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let tries = 0;
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
    source.addEventListener("reset", missed); // the server no longer has the events in between
    for (const kind of kinds) source.addEventListener(kind, ({ data }) => heard(kind, data));
  }
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}

/**
 * Reloads parts of a page that events make stale: once for many events, and at the latest after the longest wait.
 * @template Part
 * @param {string[]} kinds
 * @param {(kind: string, data: string) => Part[]} partsOf the parts that an event makes stale
 * @param {() => Part[]} allParts the parts that may be stale after events were missed
 * @param {(old: Set<Part>) => unknown} renew
 * @returns {() => void} stops it
 */
export function follow(kinds, partsOf, allParts, renew) {
  /** @type {Set<Part>} */
  let old = new Set();
  const soon = together(() => {
    const parts = old;
    old = new Set();
    return renew(parts);
  });
  /** @param {Part[]} parts */
  const grow = parts => {
    parts.forEach(part => old.add(part));
    soon();
  };
  const end = listen(
    kinds,
    (kind, data) => grow(partsOf(kind, data)),
    () => grow(allParts()),
  );
  return () => {
    end();
    soon.cancel();
  };
}
