// The head of the wall: which city, what time it is there, how fresh, and four numbers.
import { element } from "../element.js";
import { now } from "../now.js";
import { page } from "../page.js";
import { clock, day, number, say } from "../text.js";

const TICK_MS = 1000;
const NUMBERS = ["unassigned", "under_way", "overdue", "free"];
const NAMES = {
  unassigned: say("countUnassigned"),
  under_way: say("countUnderWay"),
  overdue: say("countOverdue"),
  free: say("countFree"),
};

/** @param {HTMLElement} fresh @param {(Node | null)[]} buttons */
export function headOf(fresh, ...buttons) {
  const time = element("time", { className: "clock" });
  const date = element("span", { className: "quiet date" });
  const tick = () => {
    time.textContent = clock(now()); // of the server: this computer's own may be wrong
    date.textContent = day(now());
  };
  setInterval(tick, TICK_MS);
  tick();
  const shown = new Map(NUMBERS.map(name => [name, element("b", { textContent: "–" })]));
  const silent = element("small");
  const numerals = element(
    "div",
    { className: "numerals" },
    ...NUMBERS.map(name =>
      element(
        "div",
        { className: `numeral ${name}`, data: { count: name } },
        shown.get(name),
        element("span", {}, NAMES[name], name === "free" ? silent : null),
      ),
    ),
  );
  const head = element(
    "header",
    { className: "head" },
    element("h1", { textContent: page.city[page.lang] }),
    page.isDemo ? element("span", { className: "demo", textContent: say("demoData") }) : null,
    element("span", { className: "moment" }, time, date),
    fresh,
    element("span", { className: "tools" }, ...buttons),
  );
  return {
    head,
    numerals,
    /** @param {string} name @param {number | null} value */
    set(name, value) {
      const box = /** @type {HTMLElement} */ (shown.get(name));
      box.textContent = value === null ? "–" : number(value);
      box.parentElement?.classList.toggle("none", !value);
    },
    /** @param {number} count */
    setSilent(count) {
      silent.textContent = count ? say("silentBeside", { count: number(count) }) : "";
    },
  };
}
