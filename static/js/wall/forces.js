// The patrol units by what they do; those not heard of for long are hatched, and counted for themselves.
import { element } from "../element.js";
import { now } from "../now.js";
import { poll } from "../server.js";
import { isSilent, sign } from "../signs.js";
import { named, number, say } from "../text.js";
import { every } from "../timing.js";

const EVERY_MS = 30000;
const STATES = ["on_patrol", "dispatched", "on_scene", "silent", "off_duty"];
const BUSY = ["on_scene", "dispatched"];
const LISTED = 60;

/** @param {any} unit its properties */
const stateOf = ({ unit_status: status, reported_at: reportedAt }) =>
  status !== "off_duty" && isSilent(reportedAt, now()) ? "silent" : status;

/** @param {(unit: any) => void} show called with a unit that is chosen: a feature */
export function forcesPanel(show) {
  const told = element("ul", { className: "states" });
  const list = element("ol", { className: "units", ariaLabel: say("unitsAtWork") });
  const title = element("h2", { textContent: say("forces") });
  const panel = element("section", { className: "forces panel" }, title, told, list);

  /** @param {any[]} units */
  function draw(units) {
    const counts = new Map(STATES.map(state => [state, 0]));
    for (const { properties } of units) counts.set(stateOf(properties), (counts.get(stateOf(properties)) ?? 0) + 1);
    told.replaceChildren(
      ...STATES.map(state =>
        element(
          "li",
          { className: state },
          sign("patrol_units", state),
          element("span", { textContent: named("unitStates", state) }),
          element("b", { textContent: number(counts.get(state)) }),
        ),
      ),
    );
    const busy = units
      .filter(({ properties }) => BUSY.includes(properties.unit_status))
      .sort((a, b) => BUSY.indexOf(a.properties.unit_status) - BUSY.indexOf(b.properties.unit_status));
    list.replaceChildren(
      ...busy.slice(0, LISTED).map(unit =>
        element(
          "li",
          {},
          element(
            "button",
            { type: "button", className: "unit", onclick: () => show(unit) },
            sign("patrol_units", stateOf(unit.properties)),
            element("span", { textContent: unit.properties.name }),
          ),
        ),
      ),
    );
  }

  const look = async () => {
    const units = [];
    // page by page: a large city has more than one answer holds
    let address = "/collections/patrol_units/items?f=json&limit=1000";
    while (address) {
      const { features, links = [] } = await poll(address);
      units.push(...features);
      const next = links.find(link => link.rel === "next");
      address = next ? new URL(next.href).pathname + new URL(next.href).search : "";
    }
    draw(units);
  };
  every(EVERY_MS, look, 0);
  return panel;
}
