// The open incidents: what, where, who and when, how long: the list, for keys and for ears, of what the map shows.
import { element } from "../element.js";
import { now } from "../now.js";
import { page } from "../page.js";
import { poll } from "../server.js";
import { sign } from "../signs.js";
import { categoryName, elapsed, listed, named, number, say } from "../text.js";
import { canvas } from "./canvas.js";

const AT_MOST = 200;
const LINES = { narrow: 3.9, wide: 2.2 }; // heights of letters that a row needs: three lines, or two where it is wide
const WAITING = ["reported", "accepted"];
const URGENCIES = ["red", "yellow", "blue"];
/** @param {string} code */
const urgencyOf = code => page.categories.find(one => one.category_code === code)?.urgency ?? "";

/** @typedef {import("../../types.js").Matter} Matter */

/** Whether nobody was sent. @param {Matter} matter */
export const isWaiting = matter => matter.unassigned || WAITING.includes(matter.step);

/** Whether a deadline has passed, by the server's clock. @param {Matter} matter */
export const isLate = matter => Boolean(matter.due_at) && new Date(String(matter.due_at)) < now();

/** Where a matter stands in the list: waiting by urgency, then under way, then what is only to be written up. */
function stageOf(matter) {
  if (!isWaiting(matter)) return [matter.step === "assigned" ? 1 : 2, 0];
  const urgency = URGENCIES.indexOf(urgencyOf(matter.category));
  return [0, urgency < 0 ? URGENCIES.length : urgency];
}

export class Stream {
  /**
   * @param {(matter: Matter) => void} onChoose
   * @param {(matter: Matter) => void} onNew called with one that was not known before
   * @param {{ isNew: (id: number) => boolean }} alarm
   * @param {(matter: Matter) => boolean} isWanted by the filters
   */
  constructor(onChoose, onNew, alarm, isWanted) {
    this.onChoose = onChoose;
    this.onNew = onNew;
    this.alarm = alarm;
    this.isWanted = isWanted;
    /** @type {Map<number, Matter>} the newest of them all, by number */
    this.matters = new Map();
    /** @type {Map<number, { at: number, matter: Matter }>} what events told, which no answer has yet */
    this.told = new Map();
    this.isLoaded = false;
    this.open = 0; // in all
    /** @type {number | null} */
    this.chosen = null;
    this.list = element("ol", { className: "incidents", ariaLabel: say("openIncidents") });
    this.more = element("p", { className: "more" });
    this.more.setAttribute("role", "status");
    new ResizeObserver(() => this.fit()).observe(this.list);
  }

  /** Makes rows as high as fills the list with whole ones: none is cut at its end, or on a seam. */
  fit() {
    const { base, cols, screen } = canvas();
    const least = base * (cols > 1 ? LINES.wide : LINES.narrow);
    const rows = Math.max(1, Math.floor(this.list.clientHeight / least));
    const height = cols > 2 ? screen.height / Math.floor(screen.height / least) : this.list.clientHeight / rows;
    const { style } = this.list;
    style.setProperty("--row", `${height}px`);
    if (cols < 3) return;
    const top = this.list.getBoundingClientRect().top - (parseFloat(style.marginTop) || 0);
    style.marginTop = `${(height - (top % height)) % height}px`;
  }

  async load() {
    const asked = performance.now();
    const { incidents } = await poll(`/incidents?open=true&limit=${AT_MOST}`, { patience: 0 });
    const before = this.matters;
    this.matters = new Map(incidents.map(one => [one.incident_id, one]));
    for (const [id, { at, matter }] of this.told) {
      if (at < asked) this.told.delete(id);
      else this.put(matter); // heard while the answer was on its way
    }
    if (this.isLoaded) for (const one of incidents) if (!before.has(one.incident_id)) this.onNew(one);
    this.isLoaded = true;
    this.show();
  }

  /** Takes in what an event says. @param {Matter} matter */
  hear(matter) {
    const isKnown = this.matters.has(matter.incident_id);
    this.told.set(matter.incident_id, { at: performance.now(), matter });
    this.put(matter);
    if (this.isLoaded && !isKnown) this.onNew(matter);
    this.show();
  }

  /** @param {Matter} matter */
  put(matter) {
    if (matter.closed_at) this.matters.delete(matter.incident_id);
    else this.matters.set(matter.incident_id, { ...this.matters.get(matter.incident_id), ...matter });
  }

  /** Those that the filters let through: new ones first, then those nobody was sent to, the urgent before; by time. */
  wanted() {
    const place = one => [Number(!this.alarm.isNew(one.incident_id)), ...stageOf(one)];
    return [...this.matters.values()]
      .filter(this.isWanted)
      .map(one => ({ one, key: [...place(one), -new Date(one.received_at).getTime()] }))
      .sort((a, b) => {
        const at = a.key.findIndex((part, number_) => part !== b.key[number_]);
        return at < 0 ? 0 : a.key[at] - b.key[at];
      })
      .map(({ one }) => one);
  }

  show() {
    const wanted = this.wanted();
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.incident;
    this.list.replaceChildren(
      ...(wanted.length
        ? wanted.map(one => this.row(one))
        : [element("li", { className: "quiet none", textContent: say("noIncidents") })]),
    );
    if (focused) this.rowOf(Number(focused))?.focus({ preventScroll: true });
    const hidden = this.matters.size - wanted.length;
    this.more.textContent = [
      say("listedOf", { listed: number(wanted.length), open: number(Math.max(this.open, this.matters.size)) }),
      hidden ? say("filteredOut", { count: number(hidden) }) : "",
    ].join("");
  }

  /** @param {number} id @returns {HTMLElement | null} */
  rowOf(id) {
    return this.list.querySelector(`[data-incident="${id}"]`);
  }

  /** @param {Matter} matter */
  row(matter) {
    const id = matter.incident_id;
    const classes = ["matter"];
    if (this.alarm.isNew(id)) classes.push("new");
    if (isLate(matter)) classes.push("late");
    if (id === this.chosen) classes.push("chosen");
    const units = matter.unit_names ?? [];
    const who = units.length ? listed(units) : matter.assigned_name;
    const state = matter.unassigned ? "unassigned" : matter.step;
    return element(
      "li",
      {},
      element(
        "button",
        { type: "button", className: classes.join(" "), data: { incident: id }, onclick: () => this.onChoose(matter) },
        sign("incidents", state),
        element(
          "span",
          { className: "what" },
          element("b", { textContent: `${categoryName(matter.category)} ${matter.subtype}` }),
        ),
        element("time", { textContent: elapsed(this.age(matter.received_at)), dateTime: matter.received_at }),
        element("span", {
          className: "where",
          textContent: matter.unassigned ? say("outsideEveryCell") : (matter.grid_name ?? ""),
        }),
        element(
          "span",
          { className: "who" },
          element("span", {
            className: isWaiting(matter) ? "step waiting" : "step",
            textContent: who || (isWaiting(matter) ? say("nobodySent") : named("steps", matter.step)),
          }),
          this.due(matter),
        ),
      ),
    );
  }

  /** @param {string} time seconds since then, by the server's clock */
  age(time) {
    return (now().getTime() - new Date(time).getTime()) / 1000;
  }

  /** @param {Matter} matter what is due next, and when */
  due(matter) {
    if (!matter.due_at || !matter.due_for) return null;
    const seconds = this.age(matter.due_at);
    const told = { what: named("due", matter.due_for), time: elapsed(Math.abs(seconds)) };
    return seconds > 0
      ? element("span", { className: "due over", textContent: say("overdueBy", told) })
      : element("span", { className: "due", textContent: say("dueIn", told) });
  }

  /** @param {number | null} id */
  choose(id) {
    this.chosen = id;
    this.show();
  }

  /** @param {1 | -1} way */
  step(way) {
    const shown = this.wanted();
    const at = shown.findIndex(one => one.incident_id === this.chosen);
    const next = shown[at < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, at + way))];
    if (!next) return;
    this.onChoose(next);
    const row = this.rowOf(next.incident_id);
    row?.scrollIntoView({ block: "nearest" });
    row?.focus({ preventScroll: true });
  }
}
