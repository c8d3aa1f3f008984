// Joint meetings: what was resolved becomes matters.
import { askFor } from "../dialogs.js";
import { element } from "../element.js";
import { codeField, placeField } from "../finder.js";
import { button, field, lines, select, table } from "../office.js";
import { may, page } from "../page.js";
import { readPlace } from "../places.js";
import { repeated } from "../repeated.js";
import { ask, write } from "../server.js";
import { categoryName, listed, minuteOf, momentOf, named, number, say, translated, when } from "../text.js";
import { goingOn } from "./lists.js";

/** @typedef {import("../../types.js").Api["Meeting"]} Meeting */

const namesOf = (/** @type {string} */ text) =>
  text
    .split(/[,，、;；\n]/)
    .map(name => name.trim())
    .filter(Boolean);

/** @param {import("../office_tabs.js").Bench} bench */
async function record(bench) {
  const key = crypto.randomUUID(); // of this meeting: sent again it is not recorded twice
  const resolutions = repeated(
    say("resolutions"),
    say("addResolution"),
    () => [
      lines(say("whatWasResolved"), "text", { required: true, maxLength: 4000, rows: 2 }),
      select(
        say("category"),
        "category",
        page.categories.map(one => [one.category_code, translated(one, "name")]),
      ),
      field(say("responsibleUnit"), "responsible_unit", { required: true, maxLength: 200 }),
      placeField(say("placeOfMatter"), "place", { required: true, placeholder: say("placeExample") }),
    ],
    1,
  );
  const made = await askFor(
    say("recordMeeting"),
    [
      field(say("topic"), "title", { required: true, maxLength: 200 }),
      field(say("heldAt"), "held_at", { type: "datetime-local", required: true, value: minuteOf() }),
      codeField(say("cellOrCity"), "grid_code", "grid_cell", { maxLength: 32 }),
      field(say("unitsPresent"), "units", { required: true }),
      resolutions.box,
    ],
    {
      button: say("recordIt"),
      send: given =>
        write(
          "POST",
          "/meetings",
          {
            title: given.title,
            held_at: momentOf(given.held_at),
            grid_code: given.grid_code || null,
            units: namesOf(given.units),
            resolutions: resolutions.values().map(({ place, ...one }) => {
              const at = readPlace(place);
              if (!at) throw new Error(`${one.text.slice(0, 20)}: ${say("placeIsBad")}`);
              return { ...one, ...at };
            }),
          },
          { "Idempotency-Key": key },
        ),
    },
  );
  if (!made) return;
  bench.done(say("meetingRecorded", { name: made.title, count: number(made.resolutions.length) }));
  await bench.again();
}

/** @param {Meeting} one */
const about = one =>
  element(
    "article",
    { className: "panel" },
    element("h3", { textContent: one.title }),
    element("p", {
      className: "quiet",
      textContent: [when(one.held_at), one.grid_code ?? say("theWholeCity"), listed(one.units)].join(" · "),
    }),
    table(
      ["#", say("whatWasResolved"), say("category"), say("responsibleUnit"), say("stage"), say("isDueAt")],
      one.resolutions.map(it => [
        `#${it.incident_id}`,
        it.text,
        categoryName(it.category),
        it.responsible_unit,
        `${named("steps", it.step)}${it.is_open ? "" : ` · ${say("isClosed")}`}`,
        it.due_at ? when(it.due_at) : "–",
      ]),
    ),
  );

/** @param {import("../office_tabs.js").Bench} bench */
export async function meetings(bench) {
  const first = await ask("/meetings?limit=20");
  return [
    element("p", { className: "quiet", textContent: say("meetingsTold") }),
    may("incidents.write") ? button(say("recordMeeting"), () => record(bench)) : null,
    goingOn(first, "meetings", rows =>
      rows.length
        ? element("div", { className: "section" }, ...rows.map(about))
        : element("p", { className: "quiet", textContent: say("noMeetings") }),
    ),
  ];
}
