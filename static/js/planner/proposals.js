// Proposals of a balance: which cells are locked, and each way side by side with the present, as maps and as measures.
import { askFor, dialog } from "../dialogs.js";
import { element } from "../element.js";
import { field, table } from "../office.js";
import { ask, write } from "../server.js";
import { number, percent, say } from "../text.js";

const MEASURES = {
  households: say("households"),
  incidents: say("incidentsOfCell12Months"),
  visiting_time: say("visitingTimeMinutes"),
};
const AIMS = {
  present: say("present"),
  balanced: say("mostEven"),
  compact: say("mostCompact"),
  least_moved: say("leastMoved"),
};
/** Colours that people who see fewer of them tell apart too (Okabe and Ito, 2008). */
const GROUPS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#999999"];
const SVG = "http://www.w3.org/2000/svg";
const SIZE = 240;

/**
 * Proposes balanced groupings of the children of the chosen cells, beside the present one, to choose from.
 * @param {import("./bench.js").Bench} bench
 * @param {import("./map.js").CellMap} cells
 * @param {string[]} codes
 * @returns {Promise<any>}
 */
export async function balance(bench, cells, codes) {
  const wish = await askFor(say("balanceCells", { count: codes.length }), [
    element(
      "label",
      {},
      say("balancedBy"),
      element(
        "select",
        { name: "measure" },
        ...Object.entries(MEASURES).map(([value, textContent]) => element("option", { value, textContent })),
      ),
    ),
    field(say("howManyGroups"), "count", { type: "number", min: 2, max: 200, value: codes.length, required: true }),
    tick("along_roads", "yes", say("alongMainRoads")),
    element(
      "fieldset",
      {},
      element("legend", { textContent: say("lockedKeep") }),
      ...codes.map(code => {
        const { name = code } = cells.chosen.get(code) ?? {};
        return tick(`lock:${code}`, "yes", `${name} ${code}`, cells.locked.has(code));
      }),
    ),
  ]);
  if (!wish) return null;
  const answer = await bench.run(async () => {
    const [found, below] = await Promise.all([
      write("POST", `${bench.address}/proposals`, {
        parents: codes,
        measure: wish.measure,
        count: Number(wish.count),
        locked: codes.filter(code => wish[`lock:${code}`]),
        along_roads: wish.along_roads === "yes",
      }),
      childrenOf(bench, cells, codes),
    ]);
    return { ...found, below };
  });
  if (!answer) return null;
  const ways = [answer.present, ...answer.proposals];
  return dialog(say("comparedProposals"), end => [
    wish.along_roads && !answer.along_roads
      ? element("p", { className: "quiet", textContent: say("noMainRoads") })
      : "",
    element(
      "div",
      { className: "ways" },
      ...ways.map(({ aim, groups }) =>
        element(
          "figure",
          {},
          element("figcaption", { textContent: AIMS[aim] }),
          drawn(answer.below, groups, AIMS[aim]),
          aim === "present"
            ? null
            : element("button", {
                className: "action",
                type: "button",
                textContent: say("use"),
                ariaLabel: `${say("use")}: ${AIMS[aim]}`,
                onclick: () => end({ groups }),
              }),
        ),
      ),
    ),
    table(
      [
        say("proposal"),
        say("deviation"),
        say("compactness"),
        say("cutEdges"),
        `${MEASURES[wish.measure]} ${say("movedByProposal")}`,
        say("groups"),
      ],
      ways.map(({ aim, measures }) => [
        AIMS[aim],
        percent(measures.deviation, 1),
        number(measures.compactness * 100, 1),
        measures.cut_edges,
        number(measures.moved, 1),
        Object.values(measures.loads)
          .map(load => number(load, 1))
          .join(" · "),
      ]),
    ),
  ]);
}

const tick = (name, value, label, checked = false) =>
  element("label", { className: "check" }, element("input", { type: "checkbox", name, value, checked }), label);

/** The cells that the chosen ones contain, as the draft has them. @returns {Promise<any[]>} */
async function childrenOf(bench, cells, codes) {
  const chosen = cells.shapes().filter(({ feature }) => codes.includes(feature.properties.grid_code));
  if (!chosen.length) return [];
  const bounds = chosen.map(shape => shape.getBounds()).reduce((all, one) => all.extend(one));
  const level = chosen[0].feature.properties.grid_level + 1;
  /** @type {string} */
  const address = `${bench.address}/cells?bbox=${bounds.toBBoxString()}&level=${level}`;
  const { features } = await ask(address);
  return features.filter(({ properties }) => codes.includes(properties.parent_code));
}

/**
 * A small map of cells, coloured by the group that each is in.
 * @param {any[]} features
 * @param {{ codes: string[] }[]} groups
 * @param {string} title
 */
function drawn(features, groups, title) {
  const groupOf = new Map(groups.flatMap(({ codes }, at) => codes.map(code => [code, at])));
  const rings = features.map(({ properties, geometry }) => ({
    code: properties.grid_code,
    rings: geometry.type === "Polygon" ? geometry.coordinates : geometry.coordinates.flat(),
  }));
  const points = rings.flatMap(one => one.rings.flat());
  const [west, east] = ends(points.map(([lon]) => lon));
  const [south, north] = ends(points.map(([, lat]) => lat));
  // a degree of longitude is shorter than one of latitude
  const narrow = Math.cos((((south + north) / 2) * Math.PI) / 180);
  const scale = SIZE / Math.max((east - west) * narrow, north - south, 1e-9);
  const spot = ([lon, lat]) => `${((lon - west) * narrow * scale).toFixed(1)} ${((north - lat) * scale).toFixed(1)}`;
  const made = document.createElementNS(SVG, "svg");
  const [width, height] = [(east - west) * narrow * scale, (north - south) * scale];
  made.setAttribute("viewBox", `-2 -2 ${(width + 4).toFixed(1)} ${(height + 4).toFixed(1)}`);
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", title);
  for (const { code, rings: lines } of rings) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", lines.map(ring => `M${ring.map(spot).join("L")}Z`).join(""));
    path.setAttribute("fill", GROUPS[(groupOf.get(code) ?? 0) % GROUPS.length]);
    path.dataset.code = code;
    made.append(path);
  }
  return made;
}

/** @param {number[]} values */
const ends = values =>
  values.reduce(([least, most], one) => [Math.min(least, one), Math.max(most, one)], [Infinity, -Infinity]);
