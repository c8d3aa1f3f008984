// Disputes in mediation: which organisation has them, and what became of them.
import { askFor, dialog } from "../dialogs.js";
import { logOf } from "../desk/about.js";
import { element } from "../element.js";
import { button, field, lines, panel, select, table } from "../office.js";
import { may } from "../page.js";
import { repeated } from "../repeated.js";
import { ask, write } from "../server.js";
import { named, number, say, when } from "../text.js";
import { definitionsOf, filter, goingOn, query } from "./lists.js";

/** @typedef {import("../../types.js").Api["Case"]} Case */

export const KINDS = ["people", "administrative", "judicial", "arbitration", "reconsideration", "pre_litigation"];
const PARTIES = ["applicant", "respondent", "third_party", "representative"];
const chosen = { open: "true", kind: "" };

const kindField = (/** @type {string} */ value, any = "") =>
  select(
    say("mediationKind"),
    "kind",
    [
      ...(any ? [/** @type {const} */ (["", any])] : []),
      ...KINDS.map(one => /** @type {const} */ ([one, named("mediation_kinds", one)])),
    ],
    value,
  );

/** @param {import("../office_tabs.js").Bench} bench */
async function take(bench) {
  const parties = repeated(say("parties"), say("addParty"), () => [
    select(
      say("role"),
      "role",
      PARTIES.map(one => [one, named("party_roles", one)]),
    ),
    field(say("initials"), "initials", { required: true, maxLength: 8, placeholder: say("initialsExample") }),
  ]);
  const made = await askFor(
    say("takeDispute"),
    [
      field(say("incidentNumber"), "incident", { type: "number", min: 1, required: true }),
      kindField("people"),
      field(say("organisationCode"), "organisation", { maxLength: 32, placeholder: say("nearestSuitable") }),
      parties.box,
      element("p", { className: "quiet", textContent: say("partiesTold") }),
      lines(say("note"), "note", { maxLength: 4000, rows: 2 }),
    ],
    {
      button: say("takeDispute"),
      send: ({ incident, kind, organisation, note }) =>
        write("POST", `/incidents/${incident}/mediation`, {
          kind,
          note,
          parties: parties.values(),
          ...(organisation ? { organisation } : {}),
        }),
    },
  );
  if (!made) return;
  bench.done(say("disputeTaken", { number: made.incident_id, name: made.organisation ?? "" }));
  await bench.again();
}

/**
 * What each action asks for.
 * @type {Record<string, () => HTMLElement[]>}
 */
const ASKS = {
  hand_on: () => [
    kindField("", say("sameKind")),
    field(say("organisationCode"), "organisation", { maxLength: 32, placeholder: say("nearestSuitable") }),
    lines(say("reason"), "reason", { required: true, maxLength: 4000 }),
  ],
  settle: () => [lines(say("note"), "note", { maxLength: 4000 })],
  not_settled: () => [lines(say("reason"), "reason", { required: true, maxLength: 4000 })],
  withdraw: () => [lines(say("reason"), "reason", { required: true, maxLength: 4000 })],
  reopen: () => [lines(say("reason"), "reason", { required: true, maxLength: 4000 })],
};

/** @param {import("../office_tabs.js").Bench} bench @param {Case} one @param {string} action */
async function act(bench, one, action) {
  const name = named("case_actions", action);
  const done = await askFor(`${name} · #${one.incident_id}`, ASKS[action](), {
    button: name,
    send: async given => {
      const answer = await write("POST", `/mediation/cases/${one.case_id}/steps`, {
        action,
        seen: one.step_count,
        ...Object.fromEntries(Object.entries(given).filter(([, value]) => value)),
      });
      await bench.again(); // before the dialog goes: the next step is of what the list shows then
      return answer;
    },
  });
  if (done) bench.done(say("doneTo", { action: name, name: `#${one.incident_id}` }));
}

/** @param {Case} one */
async function look(one) {
  const { case: it, steps, parties } = await ask(`/mediation/cases/${one.case_id}`);
  await dialog(`${say("mediation")} #${it.incident_id}`, () => [
    element("p", {
      textContent: [
        it.organisation ?? say("noOrganisation"),
        named("mediation_kinds", it.mediation_kind),
        named("divisions", it.division_level),
        it.room_name,
        it.studio_of,
      ]
        .filter(Boolean)
        .join(" · "),
    }),
    parties.length
      ? element("p", {
          textContent: parties.map(({ role, initials }) => `${named("party_roles", role)} ${initials}`).join(" · "),
        })
      : "",
    logOf(
      steps,
      step => named("case_actions", step.action),
      ({ organisation }) =>
        organisation ? element("span", { className: "line quiet", textContent: organisation }) : null,
    ),
  ]);
}

/** @param {import("../office_tabs.js").Bench} bench */
export async function cases(bench) {
  const [first, { figures, definitions }] = await Promise.all([
    ask(`/mediation/cases?${query({ open: chosen.open, kind: chosen.kind })}`),
    ask("/mediation/figures?by=kind"),
  ]);
  const set = (/** @type {keyof typeof chosen} */ name) => (/** @type {string} */ value) => {
    chosen[name] = value;
    return bench.again();
  };
  const draw = (/** @type {Case[]} */ rows) =>
    table(
      ["#", say("mediationKind"), say("level"), say("organisation"), say("cell"), say("takenAt"), say("state"), ""],
      rows.map(one => [
        `#${one.incident_id}`,
        named("mediation_kinds", one.mediation_kind),
        named("divisions", one.division_level),
        one.organisation ?? say("noOrganisation"),
        one.grid_code ?? "",
        when(one.taken_at),
        one.outcome
          ? element("b", {
              className: one.outcome === "settled" ? "good" : "bad",
              textContent: named("case_outcomes", one.outcome),
            })
          : say("underWay"),
        element(
          "span",
          { className: "side" },
          button(say("look"), () => look(one), `#${one.incident_id}`),
          ...one.possible
            .filter(action => ASKS[action] && may("incidents.write"))
            .map(action => button(named("case_actions", action), () => act(bench, one, action), `#${one.incident_id}`)),
        ),
      ]),
    );
  return [
    panel(
      say("mediationFigures"),
      table(
        [
          say("mediationKind"),
          say("casesTaken"),
          say("casesSettled"),
          say("casesNotSettled"),
          say("casesWithdrawn"),
          say("underWay"),
          say("shareSettled"),
        ],
        figures.map(one => [
          one.mediation_kind ? named("mediation_kinds", one.mediation_kind) : say("everything"),
          number(one.taken),
          number(one.settled),
          number(one.not_settled),
          number(one.withdrawn),
          number(one.open),
          `${number(one.settled_percent, 2)} %`,
        ]),
      ),
      definitionsOf(definitions),
    ),
    panel(
      say("mediationCases"),
      element(
        "div",
        { className: "filters" },
        filter(
          say("state"),
          [
            ["true", say("underWay")],
            ["", say("everything")],
          ],
          chosen.open,
          set("open"),
        ),
        filter(
          say("mediationKind"),
          [["", say("everything")], ...KINDS.map(one => /** @type {const} */ ([one, named("mediation_kinds", one)]))],
          chosen.kind,
          set("kind"),
        ),
        may("incidents.write") ? button(say("takeDispute"), () => take(bench)) : null,
        may("export") ? element("a", { href: "/mediation/cases/export", textContent: "CSV" }) : null,
      ),
      goingOn(first, "cases", draw),
    ),
  ];
}
