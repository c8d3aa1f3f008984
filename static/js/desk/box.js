// The one box of the desk: a place in any datum and notation, the number of an incident, or whatever has a name.
import { element } from "../element.js";
import { readPlace } from "../places.js";
import { ask } from "../server.js";
import { named, say } from "../text.js";
import { Finding } from "../finding.js";

/** @type {Record<string, string>} */
const DATUMS = { "EPSG:4490": "CGCS2000", "GCJ-02": "GCJ-02", "BD-09": "BD-09" };
const CODES = Object.keys(DATUMS);

export class Box {
  /**
   * @param {import("leaflet").Map} map
   * @param {import("./matter.js").Matter} matter
   * @param {(incident: number) => unknown} open
   */
  constructor(map, matter, open) {
    this.matter = matter;
    this.open = open;
    this.datum = CODES[0];
    /** @type {{ lon: number, lat: number } | null} */
    this.typed = null;
    /** @type {AbortController | undefined} */
    this.asked = undefined;
    this.input = element("input", {
      type: "search",
      className: "place",
      placeholder: say("deskBox"),
      ariaLabel: say("deskBox"),
      autocomplete: "off",
    });
    this.chip = element("button", {
      className: "chip",
      type: "button",
      title: `${say("coordinates")} (G)`,
      onclick: () => this.nextDatum(),
    });
    this.wrong = element("p", { className: "bad", hidden: true });
    this.wrong.setAttribute("role", "alert");
    this.doubt = element("p", { className: "then", hidden: true });
    this.doubt.setAttribute("role", "status");
    const near = () => {
      const { lng: lon, lat } = map.getCenter();
      return { lon, lat };
    };
    this.finding = new Finding(this.input, near, found => {
      this.forget();
      matter.showPlace(found.lon, found.lat);
    });
    const form = element(
      "form",
      {
        className: "box",
        onsubmit: event => {
          event.preventDefault();
          this.submit();
        },
      },
      this.input,
      this.chip,
    );
    /** What the page shows of it, from above. */
    this.parts = [form, this.finding.list, this.wrong, this.doubt];
    this.readAs(this.datum);
  }

  focus() {
    this.input.focus();
  }

  /** The place that was typed is no longer the one that is shown, and what was asked is no longer waited for. */
  forget() {
    this.asked?.abort();
    this.typed = null;
    this.doubt.hidden = true;
  }

  nextDatum() {
    this.readAs(CODES[(CODES.indexOf(this.datum) + 1) % CODES.length]);
  }

  /** @param {string} datum what numbers are read as from now on, and those that were typed already */
  readAs(datum) {
    this.datum = datum;
    this.doubt.hidden = true;
    this.chip.textContent = DATUMS[datum];
    this.chip.classList.toggle("other", datum !== CODES[0]);
    if (this.typed) this.matter.showPlace(this.typed.lon, this.typed.lat, datum);
  }

  /** Finds what is typed. Whoever types on meanwhile, or asks again, keeps the box. */
  async submit() {
    const typed = this.input.value;
    this.asked?.abort();
    const { signal } = (this.asked = new AbortController());
    this.wrong.hidden = this.doubt.hidden = true;
    this.finding.close();
    try {
      await this.find(typed, signal);
      if (!signal.aborted && this.input.value === typed) this.input.blur();
    } catch (error) {
      if (signal.aborted) return;
      this.wrong.textContent = error.message;
      this.wrong.hidden = false;
    }
  }

  /**
   * @param {string} typed
   * @param {AbortSignal} signal
   */
  async find(typed, signal) {
    this.typed = readPlace(typed);
    if (this.typed) {
      if (this.datum === CODES[0]) this.question(this.typed).catch(() => {}); // the place is shown all the same
      return this.matter.showPlace(this.typed.lon, this.typed.lat, this.datum);
    }
    const number = /^#?\s*(\d{1,18})$/.exec(typed.trim());
    if (number) {
      const { incident_id: id } = await ask(`/incidents/${number[1]}`, { signal });
      return this.open(id);
    }
    const [best] = await this.finding.look(signal);
    if (!best) throw new Error(say("nothingCalledThat"));
    return this.matter.showPlace(best.lon, best.lat);
  }

  /**
   * Asks whether numbers that seem to be of another datum are; the place as they stand is shown meanwhile.
   * @param {{ lon: number, lat: number }} place
   */
  async question(place) {
    const { readings, suspected, because } = await ask(`/search/datums?lon=${place.lon}&lat=${place.lat}`);
    const meant = readings.find(one => one.crs === suspected);
    if (!meant || !suspected || this.typed !== place) return;
    this.doubt.replaceChildren(
      say("isOtherDatum", {
        datum: DATUMS[suspected],
        why: named("datum_doubts", String(because)),
        place: meant.grid_name ?? say("outsideEveryCell"),
      }),
      element("button", {
        className: "plain",
        type: "button",
        textContent: say("readAs", { datum: DATUMS[suspected] }),
        onclick: () => this.readAs(suspected),
      }),
    );
    this.doubt.hidden = false;
  }
}
