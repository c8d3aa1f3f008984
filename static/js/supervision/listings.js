// The supervised list: what a township, a county or the city watches until it is done.
import { askFor, dialog } from "../dialogs.js";
import { logOf } from "../desk/about.js";
import { element } from "../element.js";
import { codeField } from "../finder.js";
import { button, field, lines, panel, select, table } from "../office.js";
import { may } from "../page.js";
import { ask, write } from "../server.js";
import { dayOf, named, number, percent, say, when } from "../text.js";
import { definitionsOf, filter, goingOn, query } from "./lists.js";

/** @typedef {import("../../types.js").Api["Listing"]} Listing */

const LEVELS = ["township", "county", "city"];
const chosen = { state: "open", level: "" };
const STATES = /** @type {const} */ ([
  ["open", say("onTheList")],
  ["overdue", say("overdue")],
  ["", say("everything")],
]);

/** @param {Listing} one */
const called = one => one.place_name ?? (one.incident_id ? `#${one.incident_id}` : (one.place_code ?? ""));

/** @param {import("../office_tabs.js").Bench} bench */
async function add(bench) {
  const made = await askFor(
    say("putOnTheList"),
    [
      field(say("incidentNumber"), "incident_id", { type: "number", min: 1 }),
      codeField(say("orPlaceOfRegister"), "place_code", "registered_place", { maxLength: 32 }),
      select(
        say("level"),
        "level",
        LEVELS.map(one => [one, named("divisions", one)]),
        "township",
      ),
      field(say("responsibleUnit"), "responsible_unit", { required: true, maxLength: 200 }),
      lines(say("measures"), "measures", { required: true, maxLength: 4000 }),
      field(say("dueOn"), "due_on", { type: "date", required: true, min: dayOf() }),
      lines(say("note"), "note", { maxLength: 4000, rows: 2 }),
    ],
    {
      button: say("putOnTheList"),
      send: ({ incident_id: incident, place_code: place, ...given }) =>
        write("POST", "/supervised/listings", {
          ...given,
          ...(incident ? { incident_id: Number(incident) } : {}),
          ...(place ? { place_code: place } : {}),
        }),
    },
  );
  if (!made) return;
  bench.done(say("listed", { name: called(made), level: named("divisions", made.listed_level) }));
  await bench.again();
}

/**
 * What each action asks for.
 * @type {Record<string, (one: Listing) => HTMLElement[]>}
 */
const ASKS = {
  progress: () => [lines(say("howFarItIs"), "note", { required: true, maxLength: 4000 })],
  change: one => [
    field(say("responsibleUnit"), "responsible_unit", { maxLength: 200, value: one.responsible_unit, required: true }),
    field(say("dueOn"), "due_on", { type: "date", value: one.due_on, required: true }),
    lines(say("measures"), "measures", { maxLength: 4000, value: one.measures ?? "" }),
    lines(say("whyItChanges"), "note", { required: true, maxLength: 4000, rows: 2 }),
  ],
  delist: () => [
    select(say("result"), "result", [
      ["done", named("listing_results", "done")],
      ["dropped", named("listing_results", "dropped")],
    ]),
    lines(say("whatCameOfIt"), "note", { required: true, maxLength: 4000 }),
  ],
};

/** @param {import("../office_tabs.js").Bench} bench @param {Listing} one @param {string} action */
async function act(bench, one, action) {
  const done = await askFor(`${named("listing_actions", action)} · ${called(one)}`, ASKS[action](one), {
    button: named("listing_actions", action),
    send: async given => {
      const changed = Object.entries(given).filter(
        ([name, value]) => name === "note" || action !== "change" || (value && value !== (one[name] ?? "")),
      );
      const answer = await write("POST", `/supervised/listings/${one.listing_id}/steps`, {
        action,
        seen: one.step_count,
        ...Object.fromEntries(changed),
      });
      await bench.again(); // before the dialog goes: the next step is of what the list shows then
      return answer;
    },
  });
  if (done) bench.done(say("doneTo", { action: named("listing_actions", action), name: called(one) }));
}

/** @param {Listing} one */
async function look(one) {
  const { listing, steps } = await ask(`/supervised/listings/${one.listing_id}`);
  await dialog(called(listing), () => [
    element("p", {
      className: "quiet",
      textContent: [
        named("divisions", listing.listed_level),
        listing.responsible_unit,
        say("listedBy", { name: listing.listed_by_name, time: when(listing.listed_at) }),
      ].join(" · "),
    }),
    listing.measures ? element("p", { textContent: `${say("measures")}：${listing.measures}` }) : "",
    logOf(
      steps,
      step => named("listing_actions", step.action),
      step => (step.measures ? element("span", { className: "line", textContent: step.measures }) : null),
    ),
  ]);
}

/** @param {import("../office_tabs.js").Bench} bench @param {Listing[]} rows */
const draw = (bench, rows) =>
  table(
    ["#", say("matter"), say("level"), say("responsibleUnit"), say("measures"), say("dueOn"), say("state"), ""],
    rows.map(one => [
      one.listing_id,
      called(one),
      named("divisions", one.listed_level),
      one.responsible_unit,
      one.measures ?? "",
      one.due_on,
      one.is_open
        ? element("b", {
            className: one.is_overdue ? "bad" : "",
            textContent: one.is_overdue ? say("overdue") : say("onTheList"),
          })
        : named("listing_results", one.result ?? ""),
      element(
        "span",
        { className: "side" },
        button(say("look"), () => look(one), called(one)),
        ...["progress", ...(may("supervised.list") ? ["change", "delist"] : [])]
          .filter(() => one.is_open && may("incidents.write"))
          .map(action => button(named("listing_actions", action), () => act(bench, one, action), called(one))),
      ),
    ]),
  );

/** @param {import("../office_tabs.js").Bench} bench */
export async function listings(bench) {
  const asked = query({
    level: chosen.level,
    ...(chosen.state ? { [chosen.state]: "true" } : {}),
  });
  const [page, { figures, definitions }] = await Promise.all([
    ask(`/supervised/listings?${asked}`),
    ask("/supervised/figures"),
  ]);
  const set = (/** @type {keyof typeof chosen} */ name) => (/** @type {string} */ value) => {
    chosen[name] = value;
    return bench.again();
  };
  return [
    panel(
      say("supervisedFigures"),
      table(
        [
          say("level"),
          say("listedEver"),
          say("doneOfThem"),
          say("droppedOfThem"),
          say("onTheList"),
          say("overdue"),
          say("shareDone"),
        ],
        figures.map(one => [
          one.listed_level ? named("divisions", one.listed_level) : say("everything"),
          number(one.listed),
          number(one.done),
          number(one.dropped),
          number(one.open),
          number(one.overdue),
          one.listed ? percent(one.done / one.listed, 1) : "–",
        ]),
      ),
      definitionsOf(definitions),
    ),
    panel(
      say("supervisedList"),
      element(
        "div",
        { className: "filters" },
        filter(say("state"), [...STATES], chosen.state, set("state")),
        filter(
          say("level"),
          [["", say("everything")], ...LEVELS.map(one => /** @type {const} */ ([one, named("divisions", one)]))],
          chosen.level,
          set("level"),
        ),
        may("supervised.list") ? button(say("putOnTheList"), () => add(bench)) : null,
      ),
      goingOn(page, "listings", rows => draw(bench, rows)),
    ),
  ];
}
