// The queue: open matters in the order in which they want somebody, and which one is chosen.
import { element } from "../element.js";
import { sign } from "../signs.js";
import { page } from "../page.js";
import { poll } from "../server.js";
import { ago, categoryName, named, say } from "../text.js";
import { due, whoHasIt } from "./about.js";
import { inOrder } from "./actions.js";

/** @param {string} code */
const urgencyOf = code => page.categories.find(one => one.category_code === code)?.urgency;

export class Queue {
  /** @param {(id: number) => void} onChoose */
  constructor(onChoose) {
    this.onChoose = onChoose;
    /** @type {import("../../types.js").Api["Incident"][]} */
    this.matters = [];
    /** @type {number | null} */
    this.chosen = null;
    this.list = element("ol", { className: "incidents", ariaLabel: say("openIncidents") });
    this.told = element("p", { className: "quiet" });
    this.told.setAttribute("role", "status");
    this.whose = element(
      "select",
      { ariaLabel: say("whose"), onchange: () => this.load() },
      element("option", { value: "", textContent: say("everybodys") }),
      element("option", { value: "mine=true", textContent: say("mine") }),
      element("option", { value: "unassigned=true", textContent: say("countUnassigned") }),
    );
    this.category = element(
      "select",
      { ariaLabel: say("category"), onchange: () => this.show() },
      element("option", { value: "", textContent: say("allCategories") }),
      ...page.categories.map(one =>
        element("option", { value: one.category_code, textContent: categoryName(one.category_code) }),
      ),
    );
    this.box = element(
      "section",
      { className: "queue" },
      element("h2", { textContent: say("openIncidents") }),
      element("div", { className: "row" }, this.whose, this.category),
      this.told,
      this.list,
    );
  }

  /** @param {boolean} [background] */
  async load(background = false) {
    const filter = this.whose.value ? `&${this.whose.value}` : "";
    const { incidents, next } = await poll(`/incidents?open=true&limit=500${filter}`, {
      patience: background ? 0 : 20000,
    });
    this.matters = inOrder(incidents, urgencyOf);
    this.isCut = Boolean(next);
    this.show();
  }

  shown() {
    return this.matters.filter(one => !this.category.value || one.category === this.category.value);
  }

  show() {
    const shown = this.shown();
    const focused = this.list.contains(document.activeElement);
    this.told.textContent = shown.length
      ? say("countOpen", { count: `${shown.length}${this.isCut ? "+" : ""}` })
      : say("noIncidents");
    this.list.replaceChildren(...shown.slice(0, 200).map(one => this.row(one)));
    if (focused) this.focus();
  }

  /** @param {import("../../types.js").Api["Incident"]} matter */
  row(matter) {
    const isDue = due(matter);
    const isChosen = matter.incident_id === this.chosen;
    const made = element(
      "li",
      { className: isChosen ? "chosen" : "" },
      element(
        "button",
        {
          type: "button",
          className: "matter",
          data: { id: matter.incident_id },
          onclick: () => this.onChoose(matter.incident_id),
        },
        sign("incidents", matter.unassigned ? "unassigned" : matter.step),
        element(
          "span",
          {},
          element("b", { textContent: `${categoryName(matter.category)} ${matter.subtype}` }),
          element("span", { className: `step ${matter.step}`, textContent: named("steps", matter.step) }),
          matter.suspended_at ? element("span", { className: "step", textContent: say("suspended") }) : null,
          element("span", {
            className: matter.unassigned ? "line bad" : "line quiet",
            textContent: matter.unassigned ? say("unassigned") : (matter.grid_name ?? ""),
          }),
          isDue ? element("span", { className: "line" }, isDue) : null,
          element("span", {
            className: "line",
            textContent: [matter.description, whoHasIt(matter)].filter(Boolean).join(" · "),
          }),
        ),
        element("time", { textContent: ago(matter.received_at), dateTime: matter.received_at }),
      ),
    );
    if (isChosen) made.firstElementChild?.setAttribute("aria-current", "true");
    return made;
  }

  /** @param {number} id */
  choose(id) {
    this.chosen = id;
    this.show();
    this.list.querySelector(".chosen")?.scrollIntoView({ block: "nearest" });
  }

  focus() {
    /** @type {HTMLElement | null} */ (this.list.querySelector(".chosen button"))?.focus();
  }

  /** @param {1 | -1} way */
  step(way) {
    const shown = this.shown();
    const at = shown.findIndex(one => one.incident_id === this.chosen);
    const next = shown[at < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, at + way))];
    if (next) this.onChoose(next.incident_id);
  }
}
