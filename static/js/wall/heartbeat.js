// How old what the page shows is: the time since the server last answered. Nobody sees a page that stands still.
import { element } from "../element.js";
import { say } from "../text.js";

const TICK_MS = 1000;
const STALE_S = 30;
const LATE_S = 15;

export class Heartbeat {
  /** @param {() => void} onReturn called when the server answers again after the page was stale */
  constructor(onReturn) {
    this.onReturn = onReturn;
    this.last = performance.now(); // of no clock that anybody sets
    this.fresh = element("span", { className: "fresh" });
    this.banner = element("p", { className: "stale", hidden: true });
    this.banner.setAttribute("role", "alert");
    setInterval(() => this.show(), TICK_MS);
    this.show();
  }

  beat() {
    const wasStale = !this.banner.hidden;
    this.last = performance.now();
    this.show();
    if (wasStale) this.onReturn();
  }

  show() {
    const seconds = Math.round((performance.now() - this.last) / 1000);
    const isStale = seconds >= STALE_S;
    this.fresh.textContent = say("answeredAgo", { seconds });
    this.fresh.dataset.state = stateOf(seconds);
    if (isStale) this.banner.textContent = say("dataIsStaleFor", { seconds });
    if (this.banner.hidden === isStale) this.banner.hidden = !isStale;
  }
}

/** @param {number} seconds */
function stateOf(seconds) {
  if (seconds >= STALE_S) return "stale";
  return seconds >= LATE_S ? "late" : "good";
}
