// The shift's own panel: units on scene that must be heard of, one's open matters, notes from shift to shift.
import { element } from "../element.js";
import { now } from "../now.js";
import { may } from "../page.js";
import { poll, write } from "../server.js";
import { categoryName, duration, named, say, when } from "../text.js";
import { together } from "../timing.js";
import { due } from "./about.js";
import { Handover } from "./handover.js";
import { put, sender } from "./rows.js";

const TICK_MS = 1000;
const MOST_OF_MINE = 6; // the most urgent; the queue lists all of them
const QUIET_MS = 1000; // in a busy hour changes come by the dozen: they are asked for together,
const LONGEST_MS = 5000; // and not more often than this
/** @typedef {import("../../types.js").Api["CheckInDue"]} CheckIn */
/** @typedef {import("../../types.js").Api["Reminder"]} Reminder */

/** Seconds until a unit must be heard of; less than 0: it is overdue. @param {CheckIn} one */
const left = one => (Date.parse(one.due_at) - now().getTime()) / 1000;

export class Shift {
  /**
   * @param {(id: number) => unknown} open shows a matter
   * @param {(message: string) => void} tell says shortly what was done, or what the server says against it
   */
  constructor(open, tell) {
    this.open = open;
    this.tell = tell;
    /** @type {CheckIn[]} */
    this.checkIns = [];
    /** @type {{ of: CheckIn, row: HTMLElement, left: HTMLElement }[]} rows whose time is counted down */
    this.counted = [];
    this.units = element("ul", { className: "rows" });
    this.mine = element("ul", { className: "rows" });
    for (const list of [this.units, this.mine]) put(list, [], say("loading"));
    this.handover = may("incidents.text") ? new Handover(tell, () => this.count()) : null;
    this.late = element("b", { className: "badge", hidden: true });
    this.waiting = element("span", { className: "quiet" });
    this.problem = element("p", { className: "bad", hidden: true });
    this.problem.setAttribute("role", "alert");
    this.told = element("p", { className: "heard", ariaLive: "polite" });
    this.summary = element(
      "summary",
      {},
      element("h2", { textContent: say("ownShift") }),
      this.late,
      this.waiting,
      element("kbd", { textContent: "." }),
    );
    this.details = element(
      "details",
      { ontoggle: () => this.details.open && this.soon() },
      this.summary,
      this.problem,
      element("h3", { textContent: say("unitsOnScene") }),
      this.units,
      element("h3", { textContent: say("myMatters") }),
      this.mine,
      ...(this.handover?.parts ?? []),
    );
    this.box = element("section", { className: "shift" }, this.details, this.told);
    /** Matters have changed, so whoever is on scene may have too. */
    this.soon = together(() => this.load(true), QUIET_MS, LONGEST_MS);
    setInterval(() => this.count(), TICK_MS);
  }

  /** @param {boolean} [background] */
  async load(background = false) {
    const options = { patience: background ? 0 : 20000 };
    const parts = [this.loadUnits(options), this.loadMine(options)];
    if (this.handover) parts.push(this.handover.load(options));
    const failed = (await Promise.allSettled(parts)).find(one => one.status === "rejected");
    this.problem.hidden = !failed;
    if (!failed) return;
    this.problem.textContent = failed.reason.message;
    throw failed.reason;
  }

  /** @param {{ patience: number }} options */
  async loadUnits(options) {
    this.checkIns = (await poll("/shifts/check-ins", options)).check_ins;
    this.counted = this.checkIns.map(of => this.checkIn(of));
    put(
      this.units,
      this.counted.map(one => one.row),
      say("noCheckIns"),
    );
    this.count();
  }

  /** @param {{ patience: number }} options */
  async loadMine(options) {
    const { matters } = await poll("/incidents/reminders", options);
    const rows = matters.slice(0, MOST_OF_MINE).map(one => this.reminder(one));
    if (rows.length < matters.length) {
      const told = say("listedOf", { listed: rows.length, open: matters.length });
      rows.push(element("li", { className: "quiet", textContent: told }));
    }
    put(this.mine, rows, say("noneIsMine"));
  }

  /** @param {CheckIn} of */
  checkIn(of) {
    const shown = element("time", { dateTime: of.due_at, title: when(of.due_at) });
    const row = element(
      "li",
      {},
      element(
        "span",
        {},
        this.opener(of.incident_id, `${of.unit_name} · ${categoryName(of.category)} #${of.incident_id}`, of.unit_code),
        shown,
      ),
      sender(named("actions", "check_in"), of.unit_name, `heard ${of.incident_id} ${of.unit_code}`, () =>
        this.heard(of),
      ),
    );
    return { of, row, left: shown };
  }

  /** @param {Reminder} one */
  reminder(one) {
    const isDue = due({ ...one, is_warned: one.state === "due_soon" });
    return element(
      "li",
      {},
      this.opener(one.incident_id, `${categoryName(one.category)} #${one.incident_id}`),
      element(
        "span",
        { className: "quiet" },
        one.to_acknowledge ? element("span", { className: "step reported", textContent: say("givenToYou") }) : null,
        " ",
        isDue ?? named("steps", one.step),
      ),
    );
  }

  /** @param {number} id @param {string} textContent @param {string} [unit] */
  opener(id, textContent, unit = "") {
    return element("button", {
      className: "opener",
      type: "button",
      data: { at: `${id} ${unit}` },
      textContent,
      onclick: () => this.open(id),
    });
  }

  /** Writes down that a unit is well. @param {CheckIn} of */
  async heard(of) {
    try {
      await write("POST", `/incidents/${of.incident_id}/steps`, { action: "check_in", unit_code: of.unit_code });
      this.tell(`#${of.incident_id} ${named("actions", "check_in")} · ${of.unit_name}`);
    } catch (error) {
      this.tell(error.message);
    }
    await this.load(true).catch(() => {}); // the panel says it
  }

  /** Counts down, and says in the heading what nobody who looks elsewhere may miss. */
  count() {
    for (const { of, row, left: shown } of this.counted) {
      const seconds = left(of);
      const time = duration(Math.abs(seconds));
      row.classList.toggle("late", seconds < 0);
      shown.className = seconds < 0 ? "bad" : "quiet";
      const text = seconds < 0 ? say("notHeardFor", { time }) : say("toBeHeardIn", { time });
      if (shown.textContent !== text) shown.textContent = text;
    }
    const late = this.checkIns.filter(one => left(one) < 0).length;
    const waiting = this.handover?.waiting;
    this.late.hidden = !late;
    this.late.textContent = say("lateCheckIns", { count: late });
    this.waiting.textContent = waiting ? say("notesWait", { count: waiting }) : "";
    const told = [late ? say("unitsNotHeard", { count: late }) : "", this.waiting.textContent];
    const text = told.filter(Boolean).join(" · ");
    if (this.told.textContent !== text) this.told.textContent = text; // said once for each change
  }

  /** Opens it and goes there; closes it for whoever is there. */
  focus() {
    const isThere = this.details.contains(document.activeElement);
    this.details.open = !(isThere && this.details.open);
    this.summary.focus();
    if (this.details.open) this.box.scrollIntoView({ block: "nearest" });
  }
}
