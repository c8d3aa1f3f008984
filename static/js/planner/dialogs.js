// Dialogs that ask for the arguments of a step.
import { askFor, dialog } from "../dialogs.js";
import { element } from "../element.js";
import { field, table } from "../office.js";
import { write } from "../server.js";
import { listed, number, say } from "../text.js";

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

/**
 * Proposes balanced groupings of the children of the chosen cells, compared with the present one, to choose from.
 * @param {import("./bench.js").Bench} bench
 * @param {string[]} codes
 * @returns {Promise<any>}
 */
export async function balance(bench, codes) {
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
    element(
      "label",
      { className: "check" },
      element("input", { type: "checkbox", name: "along_roads", value: "yes" }),
      say("alongMainRoads"),
    ),
  ]);
  const answer =
    wish &&
    (await bench.run(() =>
      write("POST", `${bench.address}/proposals`, {
        parents: codes,
        measure: wish.measure,
        count: Number(wish.count),
        along_roads: wish.along_roads === "yes",
      }),
    ));
  if (!answer) return null;
  const rows = [answer.present, ...answer.proposals];
  return dialog(say("comparedProposals"), end => [
    wish.along_roads && !answer.along_roads
      ? element("p", { className: "quiet", textContent: say("noMainRoads") })
      : "",
    table(
      [
        say("proposal"),
        say("deviation"),
        say("compactness"),
        say("cutEdges"),
        `${MEASURES[wish.measure]} ${say("movedByProposal")}`,
        say("groups"),
        "",
      ],
      rows.map(({ aim, groups, measures }) => [
        AIMS[aim],
        `${number(measures.deviation * 100, 1)} %`,
        number(measures.compactness * 100, 1),
        measures.cut_edges,
        number(measures.moved, 1),
        Object.values(measures.loads)
          .map(load => number(load, 1))
          .join(" · "),
        aim === "present"
          ? ""
          : element("button", { className: "action", textContent: say("use"), onclick: () => end({ groups }) }),
      ]),
    ),
  ]);
}

/**
 * Asks for the people responsible for cells from then on; present duties end.
 * @param {string[]} codes
 */
export async function duties(codes) {
  const given = await askFor(say("dutiesOfCells", { codes: listed(codes) }), [
    field(say("gridLead"), "lead", { maxLength: 200 }),
    field(say("gridLeadsPhone"), "phone", { maxLength: 32 }),
    field(say("gridManagers"), "managers", { maxLength: 2000 }),
    field(say("gridAssistants"), "assistants", { maxLength: 2000 }),
  ]);
  if (!given) return null;
  const several = (text, role) =>
    text
      .split(/[,，、]/)
      .map(name => name.trim())
      .filter(Boolean)
      .map(name => ({ duty_role: role, person_name: name }));
  const lead = several(given.lead, "grid_lead").map(one => ({ ...one, phone: given.phone }));
  return {
    codes,
    duties: [...lead, ...several(given.managers, "grid_manager"), ...several(given.assistants, "grid_assistant")],
  };
}

/**
 * Asks for a mandatory stop of a zone, in addition to the present ones, or in their place.
 * @param {string[]} codes of one zone
 * @param {any} zone
 * @param {any} place a GeoJSON point; null when drawing was cancelled
 */
export async function stops(codes, zone, place) {
  const had = zone.stops ?? [];
  const given =
    place &&
    (await askFor(say("stopOfZone", { zone: zone.name }), [
      field(say("name"), "name", { required: true, maxLength: 200 }),
      field(say("earliest"), "from", { type: "time" }),
      field(say("latest"), "to", { type: "time" }),
      element(
        "label",
        { className: "check", hidden: !had.length },
        element("input", { type: "checkbox", name: "alone", value: "yes" }),
        say("dropStops", { count: had.length }),
      ),
    ]));
  if (!given) return null;
  const stop = {
    name: given.name,
    point: place.coordinates,
    ...(given.from ? { window_from: given.from } : {}),
    ...(given.to ? { window_to: given.to } : {}),
  };
  const kept = (given.alone ? [] : had).map(one =>
    Object.fromEntries(Object.entries(one).filter(([, value]) => value !== null)),
  );
  return { codes, stops: [...kept, stop] };
}
