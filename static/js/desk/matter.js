// One matter: what it is, who has it, what can be done to it now and by which key, who is near, what was done.
import { element } from "../element.js";
import { ask, ServerError, write } from "../server.js";
import { ago, categoryName, duration, estimated, listed, metres, named, say, translated, when } from "../text.js";
import { ACTIONS, TAKES_BACK, unitsFor } from "./actions.js";
import { callForm } from "./filing.js";

const { L } = window;
const POSTS = ["police_station", "police_post", "standby_post"];

/** @param {import("../../types.js").Api["Responder"][]} responders */
const freeUnits = responders => responders.filter(one => one.is_free && !POSTS.includes(one.kind));

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
    this.pin.remove();
    this.box.replaceChildren(element("p", { className: "quiet", textContent: say("chooseAMatter") }));
  }

  /** @param {number} lon @param {number} lat */
  mark(lon, lat, isFlown = true) {
    this.place = { lon, lat };
    this.pin.setLatLng([lat, lon]).addTo(this.map);
    if (isFlown && !this.map.getBounds().pad(-0.25).contains([lat, lon]))
      this.map.setView([lat, lon], Math.max(this.map.getZoom(), 15), { animate: false });
  }

  /**
   * Shows a matter; what it is comes first, who could go after.
   * @param {number} id
   * @param {boolean} [isAgain] whether it is shown already and may have changed
   */
  async show(id, isAgain = false) {
    this.asked?.abort();
    this.asked = new AbortController();
    const { signal } = this.asked;
    if (!isAgain) this.box.replaceChildren(element("p", { className: "quiet", textContent: say("loading") }));
    this.id = id;
    try {
      const [matter, course] = await Promise.all([
        ask(`/incidents/${id}`, { signal }),
        ask(`/incidents/${id}/steps`, { signal }),
      ]);
      this.matter = matter;
      this.course = course;
      this.mark(matter.lon, matter.lat, !isAgain);
      const near = element("div", { className: "near" }, ...(isAgain ? (this.near?.children ?? []) : []));
      this.near = near;
      this.fill(matter, course, near);
      const [card, duplicates, run] = await Promise.all([
        ask(`/desk?incident=${id}`, { signal }),
        ask(`/incidents/${id}/duplicates`, { signal }),
        ask(`/incidents/${id}/run-card`, { signal }),
      ]);
      this.free = freeUnits(card.responders);
      this.duplicates = duplicates.duplicates;
      near.replaceChildren(
        ...this.runCard(run),
        ...this.responders(card),
        ...this.proposals(duplicates.duplicates),
        ...this.surroundings(card),
      );
    } catch (error) {
      if (error.name === "AbortError") return;
      this.box.replaceChildren(element("p", { className: "bad", textContent: error.message }));
    }
  }

  /** A place where nothing was filed yet. @param {number} lon @param {number} lat @param {string} [crs] */
  async showPlace(lon, lat, crs = "EPSG:4490") {
    this.asked?.abort();
    this.asked = new AbortController();
    this.id = null;
    this.course = null;
    this.box.replaceChildren(element("p", { className: "quiet", textContent: say("loading") }));
    try {
      const asked = `lon=${lon.toFixed(8)}&lat=${lat.toFixed(8)}&source_crs=${encodeURIComponent(crs)}`;
      const card = await ask(`/desk?${asked}`, { signal: this.asked.signal });
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
        ...this.responders(card),
        ...this.surroundings(card),
      );
    } catch (error) {
      if (error.name === "AbortError") return;
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

  fill(matter, course, near) {
    const at = course.stages.findIndex(stage => stage.stage === matter.step);
    const who = matter.unit_codes.length
      ? listed(matter.unit_codes)
      : [matter.assigned_name, matter.assigned_cell].filter(Boolean).join(" · ");
    this.box.replaceChildren(
      element(
        "h2",
        {},
        `${categoryName(matter.category)} ${matter.subtype} `,
        element("span", { className: "quiet", textContent: `#${matter.incident_id}` }),
      ),
      element(
        "ol",
        { className: "stages" },
        ...course.stages.map((stage, number) => {
          const shown = element("li", { textContent: translated(stage, "name") });
          shown.classList.toggle("done", number < at);
          shown.classList.toggle("here", number === at);
          if (number === at) shown.setAttribute("aria-current", "step");
          return shown;
        }),
      ),
      element(
        "p",
        {},
        element("time", { textContent: ago(matter.received_at), dateTime: matter.received_at }),
        ` · ${matter.grid_name ?? say("outsideEveryCell")}${matter.zone_name ? ` · ${matter.zone_name}` : ""}`,
      ),
      matter.description ? element("p", { className: "said", textContent: matter.description }) : "",
      matter.address || matter.caller_number
        ? element("p", { textContent: [matter.address, matter.caller_number].filter(Boolean).join(" · ") })
        : "",
      who || matter.assigned_rule
        ? element(
            "p",
            { className: "who" },
            `${say("hasIt")} `,
            element("b", { textContent: who || say("theCity") }),
            element("span", {
              className: "quiet",
              textContent: matter.assigned_rule ? `（${named("rules", matter.assigned_rule)}）` : "",
            }),
          )
        : "",
      matter.suspended_at ? element("p", { className: "then", textContent: say("suspended") }) : "",
      matter.outcome
        ? element("p", {
            className: matter.outcome === "not_solved" ? "bad" : "good",
            textContent: `${named("outcomes", matter.outcome)}${matter.merged_into ? ` → #${matter.merged_into}` : ""}`,
          })
        : "",
      this.buttons(course),
      near,
      element("h3", { textContent: say("whatWasDone") }),
      element(
        "ol",
        { className: "log" },
        ...[...course.steps].reverse().map(step =>
          element(
            "li",
            {},
            element("time", { className: "quiet", textContent: when(step.done_at), dateTime: step.done_at }),
            ` ${named("actions", step.action)} · ${step.actor_name}`,
            step.note ? element("span", { className: "line", textContent: step.note }) : null,
          ),
        ),
      ),
    );
    this.box.scrollTop = 0;
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

  /** Does what a key stands for. @param {string} key @returns {boolean} whether it stood for something */
  press(key) {
    if (!this.course) return false;
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

  askFor(action, needs, units) {
    const NAMES = { reason: "reason", unit: "unit_code", handler: "handler", score: "score", other: "into" };
    const LABELS = {
      reason: say("reason"),
      unit: say("whichUnit"),
      handler: say("handOverTo"),
      score: say("scoreOf"),
      other: say("mergeInto"),
      place: say("moveToCrossHair"),
    };
    const input =
      needs === "unit"
        ? element("select", {}, ...units.map(unit => element("option", { textContent: unit.unit_code })))
        : element("input", {
            type: needs === "score" || needs === "other" ? "number" : "text",
            min: "1",
            max: needs === "score" ? "5" : "",
            maxLength: 4000,
            required: needs !== "place",
            value: needs === "other" ? (this.duplicates?.[0]?.incident_id ?? "") : "",
            hidden: needs === "place",
          });
    const send = () => {
      if (needs === "place") {
        const { lng: lon, lat } = this.map.getCenter();
        return this.take({ action, lon, lat });
      }
      const value = needs === "score" || needs === "other" ? Number(input.value) : input.value;
      return this.take({ action, [NAMES[needs]]: value });
    };
    this.form?.replaceChildren(
      element(
        "form",
        {
          onsubmit: event => {
            event.preventDefault();
            send();
          },
        },
        element("label", {}, `${named("actions", action)}：${LABELS[needs]}`, input),
        element("button", { className: "action", type: "submit", textContent: say("doIt") }),
        element("button", {
          className: "plain",
          type: "button",
          textContent: say("cancel"),
          onclick: () => this.form?.replaceChildren(),
        }),
      ),
    );
    const first = this.form?.querySelector(needs === "place" ? "button" : "input, select");
    /** @type {HTMLElement | null | undefined} */ (first)?.focus();
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
    if (this.id !== null && !this.form?.childElementCount) await this.show(this.id, true);
  }

  async renew(id) {
    this.changed();
    if (this.id === id) await this.show(id, true);
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

  responders(card) {
    const numbered = freeUnits(card.responders);
    return [
      element("h3", { textContent: say("whoIsFirst") }),
      element(
        "ol",
        { className: "ranked" },
        ...card.responders.slice(0, 14).map(one => {
          const number = numbered.indexOf(one) + 1;
          const arrival = one.arrival_s === null ? "" : duration(one.arrival_s) + estimated(one);
          const state = one.is_free ? "" : named("reasons", one.reason);
          return element(
            "li",
            { className: one.is_free ? "" : "quiet" },
            number && number <= 9 && this.id !== null
              ? element(
                  "button",
                  { className: "tool", title: say("send"), onclick: () => this.send(one) },
                  element("kbd", { textContent: number }),
                )
              : element("span", {}),
            element("span", { textContent: one.name }),
            element("span", { className: "quiet", textContent: [arrival, state].filter(Boolean).join(" · ") }),
          );
        }),
      ),
    ];
  }

  runCard(run) {
    if (!run.card) return [];
    return [
      element("h3", { textContent: say("runCard") }),
      element("p", {
        textContent: listed(
          run.units.map(({ unit_kind: kind, sent, wanted }) =>
            say("kindOf", { kind: named("units", kind), sent, wanted }),
          ),
        ),
      }),
      run.card.note ? element("p", { className: "quiet", textContent: run.card.note }) : "",
    ];
  }

  proposals(duplicates) {
    if (!duplicates.length) return [];
    return [
      element("h3", { textContent: say("maybeTheSame") }),
      element(
        "ul",
        { className: "rows" },
        ...duplicates.slice(0, 4).map(one =>
          element(
            "li",
            {},
            element("button", {
              className: "plain",
              textContent: `#${one.incident_id}`,
              onclick: () => this.show(one.incident_id),
            }),
            element("span", { textContent: `${categoryName(one.category)} ${one.description.slice(0, 40)}` }),
            element("span", { className: "quiet", textContent: `${metres(one.distance_m)} · ${ago(one.received_at)}` }),
          ),
        ),
      ),
    ];
  }

  surroundings({ location, nearest_cameras: cameras, nearest_facilities: facilities }) {
    const zone = location.patrol_zone;
    const rows = (title, items) =>
      items.length
        ? [
            element("h3", { textContent: title }),
            element(
              "ul",
              { className: "rows" },
              ...items
                .slice(0, 5)
                .map(one =>
                  element(
                    "li",
                    {},
                    element("span", { textContent: one.name }),
                    element("span", { className: "quiet", textContent: metres(one.distance_m) }),
                  ),
                ),
            ),
          ]
        : [];
    return [
      element("h3", { textContent: say("whoIsResponsible") }),
      location.unassigned ? element("p", { className: "bad", textContent: say("outsideEveryCell") }) : "",
      element(
        "ol",
        { className: "chain" },
        ...[...location.grid_cells].reverse().map(cell =>
          element(
            "li",
            {},
            element("span", { className: "level", textContent: translated(cell, "level_name") }),
            element("b", { textContent: cell.name }),
            ...cell.duties.map(duty =>
              element(
                "div",
                { className: "duty" },
                element("span", { className: "role", textContent: named("duties", duty.duty_role) }),
                ` ${duty.person_name} ${duty.phone}`,
              ),
            ),
          ),
        ),
      ),
      element("p", { textContent: zone ? `${zone.name} · ${zone.responsible_unit}` : say("noZone") }),
      ...rows(say("nearestCameras"), cameras),
      ...rows(say("nearestFacilities"), facilities),
    ];
  }
}
