// Live coverage by free units, compared with that by circles, and its holes by cell.
import { element } from "./element.js";
import { poll } from "./server.js";
import { number, percent, say } from "./text.js";
import { every } from "./timing.js";

const EVERY_MS = 10000;
const WHILE_DRAWN_MS = 1500;
const LISTED = 6;

/**
 * `show` is called with a hole that the user chooses; `renewed` with each new answer.
 * @param {(hole: { lon: number, lat: number }) => void} show
 * @param {(answer: import("../types.js").Api["LiveAnswer"]) => void} renewed
 */
export function holesPanel(show, renewed) {
  const told = element("div", { className: "live" });
  const list = element("ol", { className: "holes" });
  const title = element("h2", { textContent: say("reachedNow") });
  const panel = element("section", { className: "now panel" }, title, told, list);
  let asOf = null;

  const where = hole => [hole.county, hole.township].filter(Boolean).join(" · ");
  function entry(hole) {
    return element(
      "li",
      { data: { code: hole.grid_code } },
      element(
        "button",
        { type: "button", className: "hole", onclick: () => show(hole) },
        element("i", { className: "gap" }),
        element(
          "span",
          {},
          element("b", { textContent: hole.name }),
          element("span", { className: "quiet", textContent: where(hole) }),
        ),
        element("span", { className: "quiet", textContent: `${number(hole.households)} ${say("householdsUnit")}` }),
      ),
    );
  }

  function draw(now) {
    if (now.as_of === null) {
      told.replaceChildren(
        element("span", { className: "quiet", textContent: say("loading") }),
        element("progress", { max: now.total || 1, value: now.done }),
      );
      return;
    }
    const { tiers } = now.groups[0] ?? { tiers: [] };
    told.replaceChildren(
      ...tiers.map(tier =>
        element(
          "div",
          { className: `reach of${tier.tier_minutes}`, title: say("reachedNowTold") },
          element("span", { textContent: say("minutesOfTier", { minutes: tier.tier_minutes }) }),
          element("meter", { value: tier.households ?? tier.area, max: 1, title: say("reachedNowTold") }),
          element("b", { textContent: percent(tier.households ?? tier.area) }),
          element("span", {
            className: "quiet",
            textContent: say("plannedShare", { share: percent(tier.planned_households ?? tier.planned_area) }),
          }),
        ),
      ),
      element("p", {
        className: now.silent ? "silent" : "quiet",
        textContent: now.silent
          ? say("freeSomeSilent", { count: now.free, silent: now.silent })
          : say("freeUnits", { count: now.free }),
      }),
    );
    list.replaceChildren(
      now.holes_in_all
        ? element("li", { className: "quiet", textContent: say("countOfHoles", { count: number(now.holes_in_all) }) })
        : element("li", { className: "quiet", textContent: say("noHoles") }),
      ...now.holes.slice(0, LISTED).map(entry),
    );
    if (asOf !== now.as_of) renewed(now);
    asOf = now.as_of;
  }

  async function look() {
    const fails = error => told.replaceChildren(element("span", { className: "bad", textContent: error.message }));
    try {
      const now = await poll("/response/live", { patience: Infinity, waiting: fails });
      draw(now);
      return now.as_of === null ? WHILE_DRAWN_MS : EVERY_MS;
    } catch (error) {
      fails(error);
      throw error;
    }
  }
  every(EVERY_MS, look, 0);
  return panel;
}
