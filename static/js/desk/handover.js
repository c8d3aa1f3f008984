// Notes that a shift leaves to the next: one is written, those of others are acknowledged.
import { element } from "../element.js";
import { form, lines, select } from "../office.js";
import { poll, write } from "../server.js";
import { ago, named, say, when } from "../text.js";
import { put, sender } from "./rows.js";

const MOST = 50;
const KEPT = "geo-grid-shift-note"; // what was typed and not left yet, in this tab
/** @typedef {import("../../types.js").Api["ShiftNote"]} Note */

function keep(text) {
  try {
    if (text) sessionStorage.setItem(KEPT, text);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // the storage is full or forbidden: the field itself still has it
  }
}

function kept() {
  try {
    return sessionStorage.getItem(KEPT) ?? "";
  } catch {
    return "";
  }
}

export class Handover {
  /**
   * @param {(message: string) => void} tell says shortly what was done, or what the server says against it
   * @param {() => void} changed is called when other notes are open than before
   */
  constructor(tell, changed) {
    this.tell = tell;
    this.changed = changed;
    /** @type {Note[]} */
    this.notes = [];
    /** @type {import("../../types.js").Api["ShiftDesk"][]} */
    this.desks = [];
    this.list = element("ul", { className: "notes" });
    put(this.list, [], say("loading"));
    this.whose = element("div");
    const text = lines(say("noteForNext"), "note", {
      required: true,
      maxLength: 4000,
      rows: 2,
      oninput: event => keep(event.target.value),
    });
    this.note = /** @type {HTMLTextAreaElement} */ (text.querySelector("textarea"));
    this.note.value = kept();
    this.form = form([text, this.whose], say("leaveNote"), given => this.leave(given));
    this.form.addEventListener("keydown", event => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.form.requestSubmit();
    });
    this.form.querySelector(".action")?.append(" ", element("kbd", { textContent: "Ctrl Enter" }));
    this.parts = [element("h3", { textContent: say("handover") }), this.list, this.form];
  }

  /** How many notes of others wait, such as "3" or "50+". */
  get waiting() {
    const count = this.notes.filter(one => !one.is_own).length;
    return count ? `${count}${this.notes.length === MOST ? "+" : ""}` : "";
  }

  /** @param {{ patience: number }} options */
  async load(options) {
    const { notes, desks } = await poll(`/shifts/notes?open=true&limit=${MOST}`, options);
    this.notes = notes;
    this.offer(desks);
    put(
      this.list,
      notes.map(one => this.row(one)),
      say("noNotes"),
    );
    this.changed();
  }

  /** Offers the cells whose desk a note can be for, where there are several. @param {Handover["desks"]} desks */
  offer(desks) {
    const codes = /** @type {(those: Handover["desks"]) => string} */ (those => those.map(one => one.grid_code).join());
    if (codes(desks) === codes(this.desks)) return;
    this.desks = desks;
    const options = desks.map(one => /** @type {const} */ ([one.grid_code, `${one.name} ${one.grid_code}`]));
    this.whose.replaceChildren(...(desks.length > 1 ? [select(say("deskOf"), "grid_code", options)] : []));
  }

  /** @param {Note} one */
  row(one) {
    const by = one.is_own ? say("byYou") : one.written_by;
    const about = [by, ago(one.written_at), one.grid_code ?? say("theWholeCity")];
    return element(
      "li",
      {},
      element("p", { className: "left_note", textContent: one.note }),
      element("span", { className: "quiet", title: when(one.written_at), textContent: about.join(" · ") }),
      one.is_own
        ? element("span", { className: "quiet", textContent: say("nextShiftAcknowledges") })
        : sender(named("actions", "acknowledge"), one.note.slice(0, 60), String(one.shift_note_id), () =>
            this.acknowledge(one),
          ),
    );
  }

  /** @param {Record<string, string>} given */
  async leave({ note, grid_code: chosen }) {
    await write("POST", "/shifts/notes", { note, grid_code: chosen ?? this.desks[0]?.grid_code ?? null });
    this.note.value = "";
    keep("");
    this.tell(say("noteLeft"));
    await this.load({ patience: 0 }).catch(() => {}); // it is left; the next look shows it
  }

  /** @param {Note} one */
  async acknowledge(one) {
    try {
      await write("POST", `/shifts/notes/${one.shift_note_id}/acknowledgement`);
      this.tell(say("noteAcknowledged", { by: one.written_by }));
    } catch (error) {
      this.tell(error.message); // somebody else has by now, say
    }
    await this.load({ patience: 0 }).catch(() => {});
  }
}
