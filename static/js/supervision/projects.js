// Major projects: whether all whose risk to stability should be assessed are.
import { askFor } from "../dialogs.js";
import { element } from "../element.js";
import { button, field, panel, select, table } from "../office.js";
import { may } from "../page.js";
import { ask, write } from "../server.js";
import { dayOf, named, say } from "../text.js";
import { filter, goingOn } from "./lists.js";

/** @typedef {import("../../types.js").Api["Project"]} Project */

const RISKS = ["low", "medium", "high"];
const DECISIONS = ["proceed", "proceed_partly", "postpone", "refuse"];
const chosen = { due: "true" };

/** @param {import("../office_tabs.js").Bench} bench @param {Project} one */
async function assess(bench, one) {
  const done = await askFor(
    say("assessProject", { name: one.name }),
    [
      field(say("assessedOn"), "assessed_on", { type: "date", required: true, value: dayOf(), max: dayOf() }),
      field(say("validUntil"), "valid_until", { type: "date", required: true }),
      select(
        say("risk"),
        "risk_level",
        RISKS.map(risk => [risk, named("risks", risk)]),
        "low",
      ),
      select(
        say("decision"),
        "decision",
        DECISIONS.map(it => [it, named("decisions", it)]),
        "proceed",
      ),
    ],
    {
      button: say("save"),
      send: given => write("POST", `/supervised/projects/${encodeURIComponent(one.place_code)}/assessments`, given),
    },
  );
  if (!done) return;
  bench.done(say("assessed", { name: one.name }));
  await bench.again();
}

/** @param {import("../office_tabs.js").Bench} bench */
export async function projects(bench) {
  const page = await ask(`/supervised/projects?due=${chosen.due}`);
  const draw = (/** @type {Project[]} */ rows) =>
    table(
      [
        say("itsCode"),
        say("name"),
        say("responsibleUnit"),
        say("cell"),
        say("assessment"),
        say("validUntil"),
        say("risk"),
        say("decision"),
        "",
      ],
      rows.map(one => [
        one.place_code,
        one.name,
        one.responsible_unit,
        one.grid_code ?? "",
        element("b", {
          className: one.state === "valid" ? "" : "bad",
          textContent: named("assessment_states", one.state),
        }),
        one.valid_until ?? "",
        one.risk_level ? named("risks", one.risk_level) : "",
        one.decision ? named("decisions", one.decision) : "",
        may("supervised.list") ? button(say("assess"), () => assess(bench, one), one.name) : "",
      ]),
    );
  return [
    panel(
      say("majorProjects"),
      element("p", { className: "quiet", textContent: say("majorProjectsTold") }),
      element(
        "div",
        { className: "filters" },
        filter(
          say("assessment"),
          [
            ["true", say("toBeAssessed")],
            ["false", say("everything")],
          ],
          chosen.due,
          value => {
            chosen.due = value;
            return bench.again();
          },
        ),
      ),
      goingOn(page, "projects", draw),
    ),
  ];
}
