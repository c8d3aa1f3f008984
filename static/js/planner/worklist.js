// The work list: what waits for approval, whose cells have too much to do or nobody, and what is wrong in the draft.
import { element } from "../element.js";
import { may } from "../page.js";
import { ask } from "../server.js";
import { named, number, say } from "../text.js";

const MOST = 200;
const CLOSE = 15;

/** @typedef {{ kind: string, title: string, about: string, go: () => unknown }} Item */

export class WorkList {
  /**
   * @param {import("./bench.js").Bench} bench
   * @param {import("./map.js").CellMap} cells
   */
  constructor(bench, cells) {
    this.bench = bench;
    this.cells = cells;
    this.title = say("workList");
    this.box = element("div", { className: "worklist" });
    /** @type {Item[]} */
    this.items = [];
    this.at = -1;
  }

  async load() {
    this.asked?.abort();
    const { signal } = (this.asked = new AbortController());
    if (!this.box.children.length) {
      this.box.replaceChildren(element("p", { className: "quiet", textContent: say("working") }));
    }
    const { draft, isLive } = this.bench;
    const within = draft && isLive ? `&draft=${draft.draft_id}` : "";
    try {
      const [{ drafts }, { cells, level }, check] = await Promise.all([
        ask("/boundaries/drafts?open=true", { signal }),
        ask(`/boundaries/overloaded?limit=${MOST}${within}`, { signal, patience: Infinity }),
        within ? ask(`${this.bench.address}/check?limit=${MOST}`, { signal, patience: Infinity }) : { findings: [] },
      ]);
      const before = this.items[this.at]?.title;
      this.items = [...this.approvals(drafts), ...this.loads(cells, level), ...this.findings(check.findings)];
      this.at = before ? this.items.findIndex(({ title }) => title === before) : -1;
      this.show();
    } catch (error) {
      if (error.name !== "AbortError")
        this.box.replaceChildren(element("p", { className: "bad", textContent: error.message }));
    }
  }

  /** @returns {Item[]} */
  approvals(drafts) {
    if (!may("boundaries.approve")) return [];
    return drafts
      .filter(draft => draft.submitted_at && !draft.approved_at)
      .map(draft => ({
        kind: say("waitsForApproval"),
        title: draft.title,
        about: `${draft.submitted_by} · ${say("countOfSteps", { count: draft.steps })}`,
        go: () => this.bench.open(draft.draft_id),
      }));
  }

  /** @returns {Item[]} */
  loads(cells, level) {
    return cells.map(cell => ({
      kind: cell.state === "overloaded" ? say("overloaded") : say("understaffed"),
      title: `${cell.name} ${cell.grid_code}`,
      about: say("householdsOfManagers", { households: number(cell.households), managers: cell.workers }),
      go: () => {
        this.bench.tell("level", level);
        this.cells.goTo(cell.grid_code, cell.bbox);
      },
    }));
  }

  /** @returns {Item[]} */
  findings(found) {
    return found.map(one => ({
      kind: named("findings", one.kind),
      title: `${one.grid_code} ${one.text}`,
      about: "",
      go: () => {
        this.cells.map.setView([one.lat, one.lon], Math.max(this.cells.map.getZoom(), CLOSE), { animate: false });
        this.cells.choose([one.grid_code]);
      },
    }));
  }

  /** Goes to the next item, or the one before. @param {1 | -1} by */
  step(by) {
    if (!this.items.length) return;
    const from = this.at < 0 && by < 0 ? 0 : this.at;
    this.go((from + by + this.items.length) % this.items.length);
  }

  /** @param {number} at */
  go(at) {
    this.at = at;
    this.mark();
    this.items[at].go();
  }

  mark() {
    [...this.box.querySelectorAll("li")].forEach((row, at) => {
      row.classList.toggle("chosen", at === this.at);
      if (at !== this.at) row.removeAttribute("aria-current");
      else {
        row.setAttribute("aria-current", "true");
        row.scrollIntoView({ block: "nearest" });
      }
    });
  }

  show() {
    this.box.replaceChildren(
      element("p", { className: "quiet", textContent: say("workKeys") }),
      this.items.length
        ? element(
            "ol",
            {},
            ...this.items.map(({ kind, title, about }, at) =>
              element(
                "li",
                {},
                element(
                  "button",
                  { className: "find", onclick: () => this.go(at) },
                  element("span", { className: "kind", textContent: kind }),
                  element("b", { textContent: title }),
                  element("span", { className: "quiet", textContent: about }),
                ),
              ),
            ),
          )
        : element("p", { className: "good", textContent: say("nothingWaits") }),
    );
    this.mark();
  }
}
