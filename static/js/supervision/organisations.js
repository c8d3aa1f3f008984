// Mediation organisations by level and kind, and what only they have.
import { askFor } from "../dialogs.js";
import { element } from "../element.js";
import { codeField } from "../finder.js";
import { button, check, field, lines, panel, select, table } from "../office.js";
import { may } from "../page.js";
import { ask, write } from "../server.js";
import { named, number, say } from "../text.js";
import { KINDS } from "./cases.js";
import { filter, goingOn, query } from "./lists.js";

/** @typedef {import("../../types.js").Api["Organisation"]} Organisation */

const LEVELS = ["city", "county", "township", "village"];
const chosen = { level: "", kind: "" };

/** @param {import("../office_tabs.js").Bench} bench @param {Organisation} [was] */
async function edit(bench, was) {
  const made = await askFor(
    was ? `${was.name} ${was.facility_code}` : say("describeOrganisation"),
    [
      ...(was ? [] : [codeField(say("facilityCode"), "facility_code", "facility", { required: true, maxLength: 32 })]),
      select(
        say("mediationKind"),
        "mediation_kind",
        KINDS.map(one => [one, named("mediation_kinds", one)]),
        was?.mediation_kind ?? "people",
      ),
      codeField(say("servesCell"), "grid_code", "grid_cell", { maxLength: 32, value: was?.grid_code ?? "" }),
      codeField(say("centre"), "centre", "facility", { maxLength: 32, value: was?.centre_code ?? "" }),
      codeField(say("room"), "room", "facility", { maxLength: 32, value: was?.room_code ?? "" }),
      field(say("studioOf"), "studio_of", { maxLength: 100, value: was?.studio_of ?? "" }),
      lines(say("mediatorsAll", { count: number(was?.mediator_count ?? 0) }), "mediators", { required: true, rows: 4 }),
      check(say("takesCases"), "takes_cases", was?.takes_cases ?? true),
    ],
    {
      button: say("save"),
      send: ({ facility_code: code, mediators, takes_cases: takes, grid_code: cell, centre, room, ...given }) =>
        write("PUT", `/mediation/organisations/${encodeURIComponent(was?.facility_code ?? code)}`, {
          ...given,
          grid_code: cell || null,
          centre: centre || null,
          room: room || null,
          takes_cases: Boolean(takes),
          mediators: mediators
            .split(/[,，、\n]/)
            .map((/** @type {string} */ name) => name.trim())
            .filter(Boolean),
        }),
    },
  );
  if (!made) return;
  bench.done(say("savedAs", { name: made.name }));
  await bench.again();
}

/** @param {import("../office_tabs.js").Bench} bench */
export async function organisations(bench) {
  const first = await ask(`/mediation/organisations?${query(chosen)}`);
  const set = (/** @type {keyof typeof chosen} */ name) => (/** @type {string} */ value) => {
    chosen[name] = value;
    return bench.again();
  };
  const draw = (/** @type {Organisation[]} */ rows) =>
    table(
      [
        say("itsCode"),
        say("name"),
        say("level"),
        say("mediationKind"),
        say("servesCell"),
        say("room"),
        say("studioOf"),
        say("mediators"),
        say("telephone"),
        say("state"),
        "",
      ],
      rows.map(one => [
        one.facility_code,
        one.name,
        named("divisions", one.division_level),
        named("mediation_kinds", one.mediation_kind),
        one.grid_code ?? say("theWholeCity"),
        one.room_name ?? "",
        one.studio_of,
        number(one.mediator_count),
        one.phone,
        one.takes_cases ? "" : say("takesNoCases"),
        may("layers.write") ? button(say("edit"), () => edit(bench, one), one.name) : "",
      ]),
    );
  return [
    panel(
      say("organisations"),
      element("p", { className: "quiet", textContent: say("organisationsTold") }),
      element(
        "div",
        { className: "filters" },
        filter(
          say("level"),
          [["", say("everything")], ...LEVELS.map(one => /** @type {const} */ ([one, named("divisions", one)]))],
          chosen.level,
          set("level"),
        ),
        filter(
          say("mediationKind"),
          [["", say("everything")], ...KINDS.map(one => /** @type {const} */ ([one, named("mediation_kinds", one)]))],
          chosen.kind,
          set("kind"),
        ),
        may("layers.write") ? button(say("describeOrganisation"), () => edit(bench)) : null,
      ),
      goingOn(first, "organisations", draw),
    ),
  ];
}
