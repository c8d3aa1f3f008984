// The card: who is responsible for a point, what is near, and filing an incident there.
import { element } from "./element.js";
import { lookNamed } from "./layers.js";
import { pane } from "./map.js";
import { mark } from "./marks.js";
import { may, page } from "./page.js";
import { ask, write } from "./server.js";
import { categoryName, duration, estimated, metres, named, say, translated } from "./text.js";

const { L } = window;
const ABOVE_SHAPES = 450;
const ABOVE_POINTS = 655;

export class Card {
  /**
   * @param {import("leaflet").Map} map
   * @param {(incident: any) => void} onFiled called with an incident that was filed here
   * @param {(card: import("../types.js").Api["DeskCard"]) => Node[]} [more] what stands below the rest
   */
  constructor(map, onFiled, more = () => []) {
    this.map = map;
    this.more = more;
    this.onFiled = onFiled;
    this.box = element("section", { className: "card panel", hidden: true });
    this.box.setAttribute("aria-live", "polite");
    document.body.append(this.box);
    pane(map, "chosen", ABOVE_SHAPES).style.pointerEvents = "none";
    pane(map, "pin", ABOVE_POINTS).style.pointerEvents = "none";
    this.pin = mark([0, 0], element("i", { className: "pin" }), 22, { pane: "pin", interactive: false });
    /** the cell that answers for the place, and the circles of a post that was asked for */
    this.outline = L.geoJSON(undefined, {
      pane: "chosen",
      interactive: false,
      style: { color: "#ffffff", weight: 4, fill: false },
    });
    this.reach = L.geoJSON(undefined, {
      pane: "chosen",
      interactive: false,
      style: feature => ({
        ...lookNamed("response_circles").style?.(feature),
        weight: 2.5,
        opacity: 1,
        fillOpacity: 0.15,
      }),
    });
  }

  /** Draws the circles of one post, until the card is closed. @param {string} post its code */
  async circles(post) {
    this.reach.clearLayers().addTo(this.map);
    const asked = `/collections/response_circles/items?f=json&post_code=${encodeURIComponent(post)}`;
    this.reach.addData(await ask(asked));
  }

  /** @param {string | undefined} code of the cell that answers for the place */
  async showOwner(code) {
    this.outline.clearLayers();
    if (!code) return;
    const cell = await ask(`/collections/grid_cells/items/${encodeURIComponent(code)}?f=json`);
    if (!this.box.hidden) this.outline.addData(cell).addTo(this.map);
  }

  close() {
    this.asked?.abort();
    this.box.hidden = true;
    for (const drawn of [this.pin, this.outline, this.reach]) drawn.remove();
  }

  /** @param {number} lat @param {number} lon @param {number} [incident] whose place it is, by its number */
  async show(lat, lon, incident) {
    this.asked?.abort();
    this.asked = new AbortController();
    this.pin.setLatLng([lat, lon]).addTo(this.map);
    this.box.hidden = false;
    this.box.replaceChildren(
      this.head(say("whoIsResponsible")),
      element("p", { className: "quiet", textContent: say("loading") }),
    );
    const question = incident ? `incident=${incident}` : `lon=${lon.toFixed(8)}&lat=${lat.toFixed(8)}`;
    try {
      this.fill(await ask(`/desk?${question}`, { signal: this.asked.signal }));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.box.replaceChildren(
        this.head(say("somethingWentWrong")),
        element("p", { className: "bad", textContent: error.message }),
      );
    }
  }

  head(title) {
    const close = element("button", {
      className: "plain",
      textContent: "✕",
      title: `${say("close")} (Esc)`,
      onclick: () => this.close(),
    });
    close.setAttribute("aria-label", say("close"));
    return element("header", {}, element("h2", { textContent: title }), close);
  }

  /** @param {import("../types.js").Api["DeskCard"]} card */
  fill(card) {
    const { location, incident, ...near } = card;
    const [lon, lat] = location.point;
    const parts = [this.head(say("whoIsResponsible"))];
    if (incident) {
      parts.push(
        element(
          "p",
          { className: "incident" },
          element("b", { textContent: `${categoryName(incident.category)} ${incident.subtype}` }),
          ` · ${named("steps", incident.step)} · #${incident.incident_id}`,
        ),
      );
    }
    parts.push(
      element("p", {
        className: "quiet",
        textContent: `${lon.toFixed(6)}, ${lat.toFixed(6)} · ${say("boundaryEdition")} ${location.edition ?? "–"}`,
      }),
    );
    const now = location.grid_cells.at(-1)?.grid_code ?? null;
    if (incident && incident.grid_code !== now) {
      parts.push(
        element("p", {
          className: "then",
          textContent: say("ownerThen", {
            name: incident.grid_name ?? incident.grid_code ?? say("noOwner"),
            edition: incident.edition_id ?? "–",
          }),
        }),
      );
    }
    if (location.unassigned) parts.push(element("p", { className: "bad", textContent: say("outsideEveryCell") }));
    parts.push(element("ol", { className: "chain" }, ...location.grid_cells.map(cell => this.cell(cell))));
    if (location.distance_to_boundary_m !== null) {
      parts.push(
        element("p", {
          className: "quiet",
          textContent: say("toBorder", { distance: metres(location.distance_to_boundary_m) }),
        }),
      );
    }
    if (location.alternatives.length) {
      parts.push(
        this.list(
          say("alternatives"),
          location.alternatives.map(a => [a.name, metres(a.distance_m)]),
        ),
      );
    }
    const zone = location.patrol_zone;
    parts.push(
      element("h3", { textContent: say("patrolZone") }),
      element("p", {
        textContent: zone ? `${zone.name} · ${zone.responsible_unit}` : say("noZone"),
        className: zone ? "" : "bad",
      }),
      ...location.patrol_segments.map(segment =>
        element("p", {
          className: "segment",
          textContent: `${segment.name} · ${segment.responsible_unit} · ${metres(segment.distance_m)}`,
        }),
      ),
    );
    parts.push(
      element("h3", { textContent: say("circlesHere") }),
      location.response.length
        ? element(
            "p",
            {},
            ...location.response.slice(0, 6).map(r =>
              element("span", {
                className: `tier tier${r.tier_minutes}`,
                textContent: `${say("minutesOfTier", { minutes: r.tier_minutes })} ${r.post_code}${estimated(r)}`,
              }),
            ),
          )
        : element("p", { className: "quiet", textContent: say("noCircles") }),
    );
    if (near.responders.length)
      parts.push(
        this.list(
          say("whoIsFirst"),
          near.responders.slice(0, 8).map(r => [r.name, this.arrival(r)]),
        ),
      );
    for (const { title, items } of [
      { title: say("nearestCameras"), items: near.nearest_cameras.slice(0, 4) },
      { title: say("nearestFacilities"), items: near.nearest_facilities.slice(0, 4) },
    ]) {
      if (items.length)
        parts.push(
          this.list(
            title,
            items.map(i => [i.name, metres(i.distance_m)]),
          ),
        );
    }
    if (!incident && may("incidents.write"))
      parts.push(
        element("button", {
          className: "action",
          textContent: say("fileIncident"),
          onclick: () => this.form(lon, lat),
        }),
      );
    this.box.replaceChildren(...parts, ...this.more(card));
    this.box.scrollTop = 0;
    this.showOwner(location.grid_cells.at(-1)?.grid_code).catch(() => {}); // the card names it
  }

  cell(cell) {
    const people = cell.duties.map(d =>
      element(
        "div",
        { className: "duty" },
        element("span", { className: "role", textContent: named("duties", d.duty_role) }),
        ` ${d.person_name} ${d.phone}`,
      ),
    );
    const level = translated(cell, "level_name");
    return element(
      "li",
      {},
      element("span", { className: "level", textContent: level }),
      element("b", { textContent: cell.name }),
      element("span", {
        className: "quiet",
        textContent: ` ${[cell.grid_code, this.households(cell)].filter(Boolean).join(" · ")}`,
      }),
      ...people,
    );
  }

  households({ household_count: count, households_estimated: isEstimated }) {
    if (count === null) return "";
    return `${isEstimated ? say("about") : ""}${count} ${say("householdsUnit")}`;
  }

  /** @param {import("../types.js").Api["Responder"]} responder */
  arrival({ arrival_s: seconds, method, estimated_because: why, on_foot_s: onFoot, reason, is_free: isFree }) {
    const state = isFree && reason === "free" ? "" : named("reasons", reason);
    if (seconds === null) return state;
    let how = estimated({ method, estimated_because: why });
    if (!how && onFoot) how = `（${say("onFoot")} ${duration(onFoot)}）`;
    return [duration(seconds) + how, state].filter(Boolean).join(" · ");
  }

  list(title, rows) {
    return element(
      "div",
      {},
      element("h3", { textContent: title }),
      element(
        "ul",
        { className: "rows" },
        ...rows.map(([name, value]) =>
          element(
            "li",
            {},
            element("span", { textContent: name }),
            element("span", { className: "quiet", textContent: value }),
          ),
        ),
      ),
    );
  }

  form(lon, lat) {
    const category = element(
      "select",
      { name: "category" },
      ...page.categories.map(one =>
        element("option", { value: one.category_code, textContent: categoryName(one.category_code) }),
      ),
    );
    const description = element("textarea", { name: "description", rows: 3, maxLength: 4000 });
    const address = element("input", { name: "address", maxLength: 400 });
    const problem = element("p", { className: "bad", hidden: true });
    const key = crypto.randomUUID(); // idempotency key: sending one form several times stores one incident
    const send = element("button", { className: "action", textContent: say("fileIt"), type: "submit" });
    const form = element(
      "form",
      {},
      element("label", {}, say("category"), category),
      element("label", {}, say("whatHappened"), description),
      element("label", {}, say("address"), address),
      problem,
      send,
      element("button", {
        className: "plain",
        type: "button",
        textContent: say("cancel"),
        onclick: () => this.show(lat, lon),
      }),
    );
    form.onsubmit = async event => {
      event.preventDefault();
      send.disabled = true;
      try {
        const content = { lon, lat, category: category.value, description: description.value, address: address.value };
        const made = await write("POST", "/incidents", content, { "Idempotency-Key": key });
        this.onFiled(made);
        await this.show(lat, lon, made.incident_id);
        this.box
          .querySelector("header")
          ?.after(element("p", { className: "good", textContent: say("incidentFiled", { number: made.incident_id }) }));
      } catch (error) {
        problem.textContent = error.message;
        problem.hidden = false;
        send.disabled = false;
      }
    };
    this.box.replaceChildren(
      this.head(say("fileIncident")),
      element("p", { className: "quiet", textContent: `${lon.toFixed(6)}, ${lat.toFixed(6)}` }),
      form,
    );
    category.focus();
  }
}
