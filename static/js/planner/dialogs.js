// Dialogs that ask for the arguments of a step.
import { askFor } from "../dialogs.js";
import { element } from "../element.js";
import { field } from "../office.js";
import { listed, say } from "../text.js";

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
