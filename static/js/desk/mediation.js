// The case of mediation of a dispute: which organisation has it, what was done, and what can be done by which key.
import { element } from "../element.js";
import { ask, write } from "../server.js";
import { page } from "../page.js";
import { named, say } from "../text.js";
import { logOf } from "./about.js";
import { askingForm } from "./asking.js";

const KINDS = ["people", "administrative", "judicial", "arbitration", "reconsideration", "pre_litigation"];
const TAKEN_FROM = ["reported", "accepted", "assigned"];

/**
 * What can be done to a case; with Shift, since the letters alone are the matter's.
 * @type {Record<string, { key: string, asks: ("kind" | "reason")[] }>}
 */
export const CASE_ACTIONS = {
  hand_on: { key: "r", asks: ["kind", "reason"] },
  settle: { key: "s", asks: [] },
  not_settled: { key: "x", asks: ["reason"] },
  withdraw: { key: "w", asks: ["reason"] },
  reopen: { key: "o", asks: ["reason"] },
};
const TAKE = "t";

const isDispute = category => page.categories.find(one => one.category_code === category)?.answered_by === "mediation";

export class Mediation {
  /** @param {(message: string) => void} tell @param {() => unknown} changed after something was done */
  constructor(tell, changed) {
    this.tell = tell;
    this.changed = changed;
    this.box = element("section", { className: "case", hidden: true });
    /** @type {import("../../types.js").Api["CaseCourse"] | null} */
    this.course = null;
    this.form = element("div", { className: "asking" });
  }

  /**
   * @param {import("../../types.js").Api["Incident"]} matter
   * @param {AbortSignal} signal
   */
  async show(matter, signal) {
    this.matter = matter;
    this.course = null;
    if (!isDispute(matter.category)) {
      this.box.hidden = true;
      return;
    }
    const { cases } = await ask(`/mediation/cases?incident=${matter.incident_id}`, { signal });
    if (cases.length) this.course = await ask(`/mediation/cases/${cases[0].case_id}`, { signal });
    this.fill();
  }

  /** What can be done now, by name. */
  possible() {
    const { course, matter } = this;
    if (!matter || !isDispute(matter.category)) return [];
    if (!course) return matter.is_open && TAKEN_FROM.includes(matter.step) ? ["take"] : [];
    return course.case.possible.filter(action => CASE_ACTIONS[action]);
  }

  fill() {
    const { course } = this;
    this.form.replaceChildren();
    this.box.hidden = !course && !this.possible().length;
    this.box.replaceChildren(
      element("h3", { textContent: say("mediation") }),
      ...(course ? this.aboutCase(course) : []),
      element(
        "div",
        { className: "row actions" },
        ...this.possible().map(action =>
          element(
            "button",
            { className: "tool", data: { caseAction: action }, onclick: () => this.begin(action) },
            named("case_actions", action),
            element("kbd", { textContent: `⇧ ${this.keyOf(action).toUpperCase()}` }),
          ),
        ),
      ),
      this.form,
    );
  }

  /** @param {string} action */
  keyOf(action) {
    return action === "take" ? TAKE : CASE_ACTIONS[action].key;
  }

  /** @param {import("../../types.js").Api["CaseCourse"]} course */
  aboutCase({ case: one, steps, parties }) {
    const room = [one.centre_name, one.room_name, one.studio_of].filter(Boolean).join(" · ");
    return [
      element(
        "p",
        { className: "who" },
        element("b", { textContent: one.organisation ?? say("noOrganisation") }),
        element("span", {
          className: "quiet",
          textContent: `（${named("mediation_kinds", one.mediation_kind)} · ${named("divisions", one.division_level)}）`,
        }),
      ),
      room ? element("p", { className: "quiet", textContent: room }) : "",
      parties.length
        ? element("p", {
            textContent: parties.map(({ role, initials }) => `${named("party_roles", role)} ${initials}`).join(" · "),
          })
        : "",
      one.outcome
        ? element("p", {
            className: one.outcome === "settled" ? "good" : "bad",
            textContent: named("case_outcomes", one.outcome),
          })
        : "",
      logOf(
        steps,
        step => named("case_actions", step.action),
        ({ organisation }) =>
          organisation ? element("span", { className: "line quiet", textContent: organisation }) : null,
      ),
    ];
  }

  /** Does what Shift and a key stand for. @param {string} key @returns {boolean} whether they stood for something */
  press(key) {
    const action = this.possible().find(name => this.keyOf(name) === key);
    if (action) this.begin(action);
    return Boolean(action);
  }

  /** @param {string} action */
  begin(action) {
    const asks = action === "take" ? ["kind"] : CASE_ACTIONS[action].asks;
    if (!asks.length) return this.take(action, {});
    const fields = asks.map(name =>
      name === "kind"
        ? {
            name,
            label: say("mediationKind"),
            choices: KINDS.map(kind => ({ value: kind, text: named("mediation_kinds", kind) })),
          }
        : { name, label: say("reason") },
    );
    const { form, focus } = askingForm(
      named("case_actions", action),
      fields,
      answers => this.take(action, answers),
      () => this.form.replaceChildren(),
    );
    this.form.replaceChildren(form);
    focus();
  }

  /** @param {string} action @param {Record<string, string | number>} answers */
  async take(action, answers) {
    const { course, matter } = this;
    if (!matter) return;
    try {
      if (course) {
        const { case_id: id, step_count: seen } = course.case;
        await write("POST", `/mediation/cases/${id}/steps`, { action, seen, ...answers });
      } else await write("POST", `/incidents/${matter.incident_id}/mediation`, answers);
      this.tell(`#${matter.incident_id} ${named("case_actions", action)}`);
    } catch (error) {
      this.tell(error.message);
      if (error.status !== 412) return;
    }
    this.form.replaceChildren();
    await this.changed();
  }
}
