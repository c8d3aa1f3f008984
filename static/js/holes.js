// What those who are free reach now, beside what circles promise, and where they do not: by cell.
import { element as e } from "./element.js";
import { poll } from "./server.js";
import { locale, text } from "./text.js";

const EVERY_MS = 10000;
const WHILE_DRAWN_MS = 1500;
const LISTED = 6;
const percent = share => (share === null ? "–" : `${(share * 100).toFixed(0)} %`);

// `show` is told of a hole that is chosen; `renewed` when there is something new to draw.
export function holesPanel(show, renewed) {
  const told = e("div", { className: "live" });
  const list = e("ol", { className: "holes" });
  const panel = e("section", { className: "now" }, e("h2", { textContent: text.live }), told, list);
  let asOf = null;

  function entry(hole) {
    return e("li", { tabIndex: 0, data: { code: hole.grid_code }, onclick: () => show(hole), onkeydown: event => { if (event.key === "Enter") show(hole); } },
      e("i", { className: "gap" }),
      e("div", {}, e("b", { textContent: hole.name }), e("div", { className: "quiet", textContent: [hole.county, hole.township].filter(Boolean).join(" · ") })),
      e("span", { className: "quiet", textContent: `${hole.households.toLocaleString(locale)} ${text.households}` }));
  }

  function draw(now) {
    if (now.as_of === null) {
      told.replaceChildren(e("span", { className: "quiet", textContent: text.loading }), e("progress", { max: now.total || 1, value: now.done }));
      return;
    }
    const { tiers } = now.groups[0] ?? { tiers: [] };
    told.replaceChildren(...tiers.map(tier => e("div", { className: `reach of${tier.tier_minutes}`, title: text.liveTold },
      e("span", { textContent: text.tier(tier.tier_minutes) }),
      e("meter", { value: tier.households ?? tier.area, max: 1, title: text.liveTold }),
      e("b", { textContent: percent(tier.households ?? tier.area) }),
      e("span", { className: "quiet", textContent: text.planned(percent(tier.planned_households ?? tier.planned_area)) }))),
    e("p", { className: "quiet", textContent: text.free(now.free, now.silent) }));
    list.replaceChildren(now.holes_in_all
      ? e("li", { className: "quiet", textContent: text.holes(now.holes_in_all.toLocaleString(locale)) }) : e("li", { className: "quiet", textContent: text.noHoles }),
    ...now.holes.slice(0, LISTED).map(entry));
    if (asOf !== now.as_of) renewed();
    asOf = now.as_of;
  }

  async function look() {
    let wait = EVERY_MS;
    const fails = error => told.replaceChildren(e("span", { className: "bad", textContent: error.message }));
    try {
      const now = await poll("/response/live", { patience: Infinity, waiting: fails });
      draw(now);
      if (now.as_of === null) wait = WHILE_DRAWN_MS;
    } catch (error) {
      fails(error);
      if (error.status === 401) return; // nobody asks any more
    }
    setTimeout(look, wait);
  }
  look();
  return panel;
}
