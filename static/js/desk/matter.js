// One matter: what it is, what can be done to it now and by which key, and who is near.
import { element } from "../element.js";
import { ask, ServerError, write } from "../server.js";
import { listed, named, say } from "../text.js";
import { aboutMatter, stepsOf } from "./about.js";
import { ACTIONS, TAKES_BACK, unitsFor } from "./actions.js";
import { freeUnits, proposals, ranked, runCard, surroundings } from "./around.js";
import { askingForm } from "./asking.js";
import { Feeds } from "./feeds.js";
import { callForm } from "./filing.js";
import { Mediation } from "./mediation.js";

const { L } = window;

export class Matter {
  /**
   * @param {import("leaflet").Map} map
   * @param {(message: string, undo?: () => void) => void} tell says shortly what was done, with what takes it back
   * @param {() => void} changed is called after a step
   */
  constructor(map, tell, changed) {
    this.map = map;
    this.tell = tell;
    this.changed = changed;
    this.box = element("section", { className: "right panel", ariaLabel: say("matter") });
    this.pin = L.circleMarker([0, 0], { radius: 11, color: "#ffd84d", weight: 4, fill: false, interactive: false });
    this.feeds = new Feeds(tell);
    this.mediation = new Mediation(tell, () => this.renew(this.id));
    /** @type {number | null} */
    this.id = null;
    /** @type {{ lon: number, lat: number } | null} */
    this.place = null;
    /** @type {import("../../types.js").Api["Responder"][]} */
    this.free = [];
    /** @type {import("../../types.js").Api["Course"] | null} */
    this.course = null;
    this.clear();
  }

  clear() {
    this.asked?.abort();
    this.id = null;
    this.place = null;
    this.course = null;
    this.free = [];
    this.feeds.forget();
    this.pin.remove();
    this.box.replaceChildren(element("p", { className: "quiet", textContent: say("chooseAMatter") }));
  }

  /** @param {number} lon @param {number} lat */
  mark(lon, lat, isFlown = true) {
    this.place = { lon, lat };
    this.pin.setLatLng([lat, lon]).addTo(this.map);
    const isNear = this.map.getZoom() >= 13 && this.map.getBounds().pad(-0.3).contains([lat, lon]);
    if (isFlown && !isNear) this.map.setView([lat, lon], Math.max(this.map.getZoom(), 15), { animate: false });
  }

  /** Whether something is asked of the user just now. */
  get isAsking() {
    return [this.form, this.mediation.form, this.feeds.form].some(form => form?.childElementCount);
  }

  /** Takes back what is asked. */
  stopAsking() {
    this.form?.replaceChildren();
    this.mediation.form.replaceChildren();
    this.feeds.form.replaceChildren();
  }

  /**
   * Shows a matter; what it is comes first, who could go after.
   * @param {number} id
   * @param {boolean} [isAgain] whether it is shown already and may have changed
   */
  async show(id, isAgain = false) {
    this.asked?.abort();
    const { signal } = (this.asked = new AbortController());
    if (!isAgain) {
      this.mediation.box.hidden = true;
      this.box.replaceChildren(element("p", { className: "quiet", textContent: say("loading") }));
    }
    this.id = id;
    try {
      const [matter, course] = await Promise.all([
        ask(`/incidents/${id}`, { signal }),
        ask(`/incidents/${id}/steps`, { signal }),
      ]);
      this.course = course;
      this.mark(matter.lon, matter.lat, !isAgain);
      const near = element("div", { className: "near" }, ...(isAgain ? (this.near?.children ?? []) : []));
      this.near = near;
      this.box.replaceChildren(
        ...aboutMatter(matter, course),
        this.buttons(course),
        this.mediation.box,
        near,
        element("h3", { textContent: say("whatWasDone") }),
        stepsOf(course.steps),
      );
      this.box.scrollTop = 0;
      const [card, duplicates, run] = await Promise.all([
        ask(`/desk?incident=${id}`, { signal }),
        ask(`/incidents/${id}/duplicates`, { signal }),
        ask(`/incidents/${id}/run-card`, { signal }),
        this.mediation.show(matter, signal),
      ]);
      this.free = freeUnits(card.responders);
      this.duplicates = duplicates.duplicates;
      near.replaceChildren(
        ...runCard(run),
        ...ranked(card.responders, unit => this.send(unit)),
        ...proposals(duplicates.duplicates, other => this.show(other)),
        ...surroundings(card, this.feeds, id),
      );
    } catch (error) {
      if (signal.aborted) return;
      this.box.replaceChildren(element("p", { className: "bad", textContent: error.message }));
    }
  }

  /** A place where nothing was filed yet. @param {number} lon @param {number} lat @param {string} [crs] */
  async showPlace(lon, lat, crs = "EPSG:4490") {
    this.asked?.abort();
    const { signal } = (this.asked = new AbortController());
    this.id = null;
    this.course = null;
    this.box.replaceChildren(element("p", { className: "quiet", textContent: say("loading") }));
    try {
      const asked = `lon=${lon.toFixed(8)}&lat=${lat.toFixed(8)}&source_crs=${encodeURIComponent(crs)}`;
      const card = await ask(`/desk?${asked}`, { signal });
      const [east, north] = card.location.point;
      this.mark(east, north);
      this.free = freeUnits(card.responders);
      this.box.replaceChildren(
        element("h2", { textContent: say("whoIsResponsible") }),
        element("p", { className: "quiet", textContent: `${east.toFixed(6)}, ${north.toFixed(6)} · CGCS2000` }),
        crs === "EPSG:4490" ? "" : element("p", { className: "then", textContent: say("movedFrom", { crs }) }),
        element(
          "button",
          { className: "action", onclick: () => this.call() },
          `${say("fileIncident")} `,
          element("kbd", { textContent: "N" }),
        ),
        ...ranked(card.responders, null),
        ...surroundings(card, this.feeds, null),
      );
    } catch (error) {
      if (signal.aborted) return;
      this.box.replaceChildren(element("p", { className: "bad", textContent: error.message }));
    }
  }

  /** Opens the form of a call at the place that is shown. */
  call() {
    if (!this.place) return;
    const { form, focus } = callForm(this.place, this.free, (made, units) => {
      if (!made) this.clear();
      else {
        this.tell(
          units.length
            ? say("filedAndSent", { number: made.incident_id, units: listed(units) })
            : say("incidentFiled", { number: made.incident_id }),
        );
        this.show(made.incident_id);
      }
      this.changed();
    });
    this.box.replaceChildren(
      element("h2", { textContent: say("fileIncident") }),
      element("p", {
        className: "quiet",
        textContent: `${this.place.lon.toFixed(6)}, ${this.place.lat.toFixed(6)}`,
      }),
      form,
    );
    focus();
  }

  buttons(course) {
    this.form = element("div", { className: "asking" });
    return element(
      "div",
      {},
      element(
        "div",
        { className: "row actions" },
        ...course.possible
          .filter(action => ACTIONS[action])
          .map(action =>
            element(
              "button",
              { className: "tool", data: { action }, onclick: () => this.begin(action) },
              named("actions", action),
              element("kbd", { textContent: ACTIONS[action].key.toUpperCase() }),
            ),
          ),
      ),
      this.form,
    );
  }

  /**
   * Does what a key stands for.
   * @param {string} key
   * @param {boolean} isShifted
   * @returns {boolean} whether it stood for something
   */
  press(key, isShifted) {
    if (isShifted && this.feeds.press(key)) return true;
    if (!this.course) return false;
    if (isShifted) return this.mediation.press(key);
    if (/^[1-9]$/.test(key)) {
      const unit = this.free[Number(key) - 1];
      if (unit) this.send(unit);
      return Boolean(unit);
    }
    const action = this.course.possible.find(name => ACTIONS[name]?.key === key);
    if (action) this.begin(action);
    return Boolean(action);
  }

  /** @param {string} action */
  begin(action) {
    const { needs } = ACTIONS[action];
    if (!needs) return this.take({ action });
    const units = unitsFor(action, this.course?.units ?? []);
    if (needs === "unit" && units.length === 1) return this.take({ action, unit_code: units[0].unit_code });
    return this.askFor(action, needs, units);
  }

  /**
   * @param {string} action
   * @param {import("./actions.js").Need} needs
   * @param {{ unit_code: string }[]} units
   */
  askFor(action, needs, units) {
    /** @type {Record<import("./actions.js").Need, import("./asking.js").Field[]>} */
    const FIELDS = {
      reason: [{ name: "reason", label: say("reason") }],
      unit: [
        {
          name: "unit_code",
          label: say("whichUnit"),
          choices: units.map(unit => ({ value: unit.unit_code, text: unit.unit_code })),
        },
      ],
      handler: [{ name: "handler", label: say("handOverTo") }],
      score: [{ name: "score", label: say("scoreOf"), type: "number", max: 5 }],
      other: [
        { name: "into", label: say("mergeInto"), type: "number", value: this.duplicates?.[0]?.incident_id ?? "" },
      ],
      place: [],
    };
    const title = needs === "place" ? say("moveToCrossHair") : named("actions", action);
    const send = answers => {
      if (needs !== "place") return this.take({ action, ...answers });
      const { lng: lon, lat } = this.map.getCenter();
      return this.take({ action, lon, lat });
    };
    const { form, focus } = askingForm(title, FIELDS[needs], send, () => this.stopAsking());
    this.form?.replaceChildren(form);
    focus();
  }

  /** Takes one step, and shows what became of the matter. @param {Record<string, unknown>} step */
  async take(step) {
    const { id, course } = this;
    if (id === null || !course) return;
    try {
      await write("POST", `/incidents/${id}/steps`, { ...step, seen: course.steps.length });
      const back = TAKES_BACK[/** @type {keyof typeof TAKES_BACK} */ (step.action)];
      this.tell(
        `#${id} ${named("actions", String(step.action))}`,
        back ? () => this.takeBack(id, back) : undefined,
      );
    } catch (error) {
      this.tell(error.message);
      if (!(error instanceof ServerError) || error.status !== 412) return;
    }
    await this.renew(id);
  }

  /** @param {number} id @param {string} action */
  async takeBack(id, action) {
    try {
      await write("POST", `/incidents/${id}/steps`, { action });
    } catch (error) {
      this.tell(error.message);
    }
    await this.renew(id);
  }

  /** Shows the matter as it is now, since somebody else works on it too; not while something is asked of its user. */
  async lookAgain() {
    if (this.id !== null && !this.isAsking) await this.show(this.id, true);
  }

  /** @param {number | null} id */
  async renew(id) {
    this.changed();
    if (id !== null && this.id === id) await this.show(id, true);
  }

  /** Sends a unit, and takes the matter in hand first where nobody has. */
  async send(unit) {
    const { id, course } = this;
    if (id === null || !course) return;
    try {
      if (course.possible.includes("accept")) await write("POST", `/incidents/${id}/steps`, { action: "accept" });
      await write("POST", `/incidents/${id}/steps`, { action: "assign", unit_codes: [unit.code] });
      this.tell(say("sent", { units: unit.name, number: id }));
    } catch (error) {
      this.tell(error.message);
    }
    await this.renew(id);
  }
}
