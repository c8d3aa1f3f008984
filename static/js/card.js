// The card: who is responsible for a point, what is near, and filing an incident there.
import { ask, report } from "./server.js";
import { element } from "./element.js";
import { categoryName, estimate, metres, page, text } from "./text.js";

const L = window.L;
const e = element;

export class Card {
  constructor(map, onFiled) {
    Object.assign(this, { map, onFiled });
    this.box = e("section", { className: "card panel", hidden: true });
    this.box.setAttribute("aria-live", "polite");
    document.body.append(this.box);
    this.pin = L.circleMarker([0, 0], { radius: 9, color: "#fff", weight: 3, fillColor: "#ff3b6b", fillOpacity: 0.9, interactive: false });
  }

  close() {
    this.asked?.abort();
    this.box.hidden = true;
    this.pin.remove();
  }

  async show(lat, lon, incident) {
    this.asked?.abort();
    this.asked = new AbortController();
    this.pin.setLatLng([lat, lon]).addTo(this.map);
    this.box.hidden = false;
    this.box.replaceChildren(this.head(text.who), e("p", { className: "quiet", textContent: text.loading }));
    const question = incident ? `incident=${incident}` : `lon=${lon.toFixed(8)}&lat=${lat.toFixed(8)}`;
    try {
      this.fill(await ask(`/desk?${question}`, { signal: this.asked.signal }));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.box.replaceChildren(this.head(text.failed), e("p", { className: "bad", textContent: error.message }));
    }
  }

  head(title) {
    const close = e("button", { className: "plain", textContent: "✕", title: `${text.close} (Esc)`, onclick: () => this.close() });
    close.setAttribute("aria-label", text.close);
    return e("header", {}, e("h2", { textContent: title }), close);
  }

  fill({ location, incident, ...near }) {
    const [lon, lat] = location.point;
    const parts = [this.head(text.who)];
    if (incident) {
      parts.push(e("p", { className: "incident" },
        e("b", { textContent: `${categoryName(incident.category)} ${incident.subtype}` }), ` · ${text.steps[incident.step]} · #${incident.incident_id}`));
    }
    parts.push(e("p", { className: "quiet", textContent: `${lon.toFixed(6)}, ${lat.toFixed(6)} · ${text.edition} ${location.edition ?? "–"}` }));
    const now = location.grid_cells.at(-1)?.grid_code ?? null;
    if (incident && incident.grid_code !== now) {
      parts.push(e("p", { className: "then", textContent: text.then(incident.grid_name ?? incident.grid_code ?? text.nobody, incident.edition_id) }));
    }
    if (location.unassigned) parts.push(e("p", { className: "bad", textContent: text.outside }));
    parts.push(e("ol", { className: "chain" }, ...location.grid_cells.map(cell => this.cell(cell))));
    if (location.distance_to_boundary_m !== null) {
      parts.push(e("p", { className: "quiet", textContent: text.border(metres(location.distance_to_boundary_m)) }));
    }
    if (location.alternatives.length) {
      parts.push(this.list(text.alternatives, location.alternatives.map(a => [a.name, metres(a.distance_m)])));
    }
    const zone = location.patrol_zone;
    parts.push(e("h3", { textContent: text.zone }),
      e("p", { textContent: zone ? `${zone.name} · ${zone.responsible_unit}` : text.noZone, className: zone ? "" : "bad" }),
      ...location.patrol_segments.map(segment => e("p", { className: "segment", textContent: `${segment.name} · ${segment.responsible_unit} · ${metres(segment.distance_m)}` })));
    parts.push(e("h3", { textContent: text.circles }), location.response.length
      ? e("p", {}, ...location.response.slice(0, 6).map(r => e("span", { className: `tier tier${r.tier_minutes}`, textContent: `${text.tier(r.tier_minutes)} ${r.post_code}` })))
      : e("p", { className: "quiet", textContent: text.noCircles }));
    if (near.responders.length) parts.push(this.list(text.responders, near.responders.slice(0, 8).map(r => [r.name, this.arrival(r)])));
    for (const [title, items] of [
      [text.nearCameras, near.nearest_cameras.slice(0, 4)], [text.nearFacilities, near.nearest_facilities.slice(0, 4)],
    ]) {
      if (items.length) parts.push(this.list(title, items.map(i => [i.name, metres(i.distance_m)])));
    }
    if (!incident && page.person.rights.includes("incidents.write")) parts.push(e("button", { className: "action", textContent: text.file, onclick: () => this.form(lon, lat) }));
    this.box.replaceChildren(...parts);
    this.box.scrollTop = 0;
  }

  cell(cell) {
    const people = cell.duties.map(d => e("div", { className: "duty" },
      e("span", { className: "role", textContent: text[d.duty_role] }), ` ${d.person_name} ${d.phone}`));
    const level = page.lang === "zh" ? cell.level_name_zh : cell.level_name_en;
    return e("li", {}, e("span", { className: "level", textContent: level }), e("b", { textContent: cell.name }),
      e("span", { className: "quiet", textContent: ` ${cell.grid_code}${cell.household_count === null ? "" : ` · ${cell.households_estimated ? text.about : ""}${cell.household_count} ${text.households}`}` }),
      ...people);
  }

  arrival({ arrival_s: seconds, method, estimated_because: why, on_foot_s: onFoot, reason, is_free: isFree }) {
    const time = seconds === null ? "" : text.minutes(seconds) + (method === "geodesic_estimate" ? `（${estimate(why)}）` : onFoot ? `（${text.onFoot} ${text.minutes(onFoot)}）` : "");
    return [time, isFree && reason === "free" ? "" : text.reasons[reason]].filter(Boolean).join(" · ");
  }

  list(title, rows) {
    return e("div", {}, e("h3", { textContent: title }), e("ul", { className: "rows" },
      ...rows.map(([name, value]) => e("li", {}, e("span", { textContent: name }), e("span", { className: "quiet", textContent: value })))));
  }

  form(lon, lat) {
    const category = e("select", { name: "category" }, ...page.categories.map(one => e("option", { value: one.category_code, textContent: categoryName(one.category_code) })));
    const description = e("textarea", { name: "description", rows: 3, maxLength: 4000 });
    const address = e("input", { name: "address", maxLength: 400 });
    const problem = e("p", { className: "bad", hidden: true });
    const key = crypto.randomUUID(); // one form is one incident, however often it is sent
    const send = e("button", { className: "action", textContent: text.send, type: "submit" });
    const form = e("form", {},
      e("label", {}, text.category, category), e("label", {}, text.description, description), e("label", {}, text.address, address),
      problem, send, e("button", { className: "plain", type: "button", textContent: text.cancel, onclick: () => this.show(lat, lon) }));
    form.onsubmit = async event => {
      event.preventDefault();
      send.disabled = true;
      try {
        const content = { lon, lat, category: category.value, description: description.value, address: address.value };
        const made = await report({ key, content });
        this.onFiled(made);
        await this.show(lat, lon, made.incident_id);
        this.box.querySelector("header").after(e("p", { className: "good", textContent: text.filed(made.incident_id) }));
      } catch (error) {
        problem.textContent = error.message;
        problem.hidden = false;
        send.disabled = false;
      }
    };
    this.box.replaceChildren(this.head(text.file), e("p", { className: "quiet", textContent: `${lon.toFixed(6)}, ${lat.toFixed(6)}` }), form);
    category.focus();
  }
}
