// What happens in the city, as the server tells it.
import { at } from "./address.js";
import { pause, together } from "./timing.js";

/**
 * Hears events of these kinds. After a break the browser comes back by itself and goes on after the last event, but not
 * after an answer such as 429 or 503: then a new source is opened, which begins with what is new, and `missed` is told.
 * @param {string[]} kinds
 * @param {(kind: string, data: string) => void} heard
 * @param {() => void} missed
 * @returns {() => void} ends it
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
    source.addEventListener("reset", missed); // the server does not know either
    for (const kind of kinds) source.addEventListener(kind, ({ data }) => heard(kind, data));
  }
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}

/**
 * Renews what events make old: once for many of them, and never later than the longest wait.
 * @template Part
 * @param {string[]} kinds
 * @param {(kind: string, data: string) => Part[]} partsOf which parts an event makes old
 * @param {() => Part[]} allParts that may have become old when events were missed
 * @param {(old: Set<Part>) => unknown} renew
 * @returns {() => void} ends it
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
