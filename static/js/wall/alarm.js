// New incidents that nobody in front of the wall has acknowledged: a strip, a ring on the map, and a sound.
import { element } from "../element.js";
import { pane } from "../map.js";
import { mark } from "../marks.js";
import { now } from "../now.js";
import { scale } from "../scale.js";
import { categoryName, say } from "../text.js";
import { Sound } from "./sound.js";

const NEW_FOR_MS = 20000; // how long its row is inverted
const RECENT_MS = 15 * 60000; // one that came longer ago was brought by an import
const RING_PX = 64;
const OVER_ALL = 660;
const WAITING = ["reported", "accepted"];

/** @typedef {import("../../types.js").Matter} Matter */

export class Alarm {
  /**
   * @param {import("leaflet").Map} map
   * @param {() => void} onChange called when another set of incidents is new or unacknowledged
   */
  constructor(map, onChange) {
    this.map = map;
    this.onChange = onChange;
    /** @type {Map<number, Matter>} the oldest first */
    this.open = new Map();
    /** @type {Map<number, number>} when each was heard of, in ms of the page */
    this.heard = new Map();
    /** @type {import("leaflet").Marker | null} */
    this.ring = null;
    pane(map, "newest", OVER_ALL).style.pointerEvents = "none";
    this.sound = new Sound(() => this.show());
    this.told = element("span");
    this.strip = element(
      "button",
      { type: "button", className: "alarm", hidden: true, onclick: () => this.acknowledge() },
      this.told,
      element("kbd", { textContent: "A" }),
    );
    this.strip.setAttribute("role", "alert");
    this.voice = element("button", { type: "button", className: "plain voice", onclick: () => this.sound.mute() });
    this.show();
  }

  /** @param {Matter} matter that was not known before @returns {boolean} whether it is new */
  raise(matter) {
    const age = now().getTime() - new Date(matter.received_at).getTime();
    if (age > RECENT_MS || !WAITING.includes(matter.step) || matter.closed_at) return false;
    this.open.set(matter.incident_id, matter);
    this.heard.set(matter.incident_id, performance.now());
    setTimeout(() => {
      this.heard.delete(matter.incident_id);
      this.onChange();
    }, NEW_FOR_MS);
    this.show();
    return true;
  }

  /** Somebody was sent, or it is closed: it needs nobody's ear. @param {Matter} matter */
  settle(matter) {
    if (!matter.closed_at && WAITING.includes(matter.step)) return;
    if (this.open.delete(matter.incident_id)) this.show();
  }

  acknowledge() {
    if (!this.open.size) return;
    this.open.clear();
    this.heard.clear();
    this.show();
    this.onChange();
  }

  /** @param {number} id */
  isNew(id) {
    return this.heard.has(id);
  }

  show() {
    const all = [...this.open.values()];
    const newest = all.at(-1);
    this.strip.hidden = !newest;
    this.ring?.remove();
    this.ring = null;
    if (newest) {
      this.told.textContent = say("newAcknowledge", { count: all.length, what: categoryName(newest.category) });
      const size = Math.round(RING_PX * scale.is);
      this.ring = mark([newest.lat, newest.lon], element("i", { className: "ring" }), size, {
        pane: "newest",
        interactive: false,
      }).addTo(this.map);
      this.sound.begin();
    } else this.sound.end();
    const { isMuted, isBlocked } = this.sound;
    this.voice.dataset.state = isMuted || isBlocked ? "off" : "on";
    this.voice.replaceChildren(
      isMuted ? say("soundOff") : say("soundOn"),
      element("kbd", { textContent: "M" }),
    );
    if (isBlocked && !isMuted) this.voice.replaceChildren(say("soundBlocked"));
  }
}
