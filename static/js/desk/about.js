// What a matter is: its stage, where, what was said, who has it, by when, and what was done.
import { element } from "../element.js";
import { now } from "../now.js";
import { ago, categoryName, duration, listed, metres, named, say, translated, when } from "../text.js";

/**
 * When the next thing has to be done, and by how much it is late; null where nothing is due.
 * @param {{ due_at: string | null, due_for: string | null, is_warned: boolean }} matter
 */
export function due({ due_at: at, due_for: what, is_warned: isWarned }) {
  if (!at || !what) return null;
  const left = (Date.parse(at) - now().getTime()) / 1000;
  const words = { what: named("due", what), time: duration(Math.abs(left)) };
  const text = left < 0 ? say("overdueBy", words) : say("dueIn", words);
  return element("time", {
    className: left < 0 ? "due bad" : `due ${isWarned ? "warned" : "quiet"}`,
    dateTime: at,
    title: when(at),
    textContent: text,
  });
}

/** @param {import("../../types.js").Api["Incident"]} matter */
export function whoHasIt(matter) {
  return matter.unit_names.length
    ? listed(matter.unit_names)
    : [matter.assigned_name, matter.assigned_cell].filter(Boolean).join(" · ");
}

function stagesOf(matter, course) {
  const at = course.stages.findIndex(stage => stage.stage === matter.step);
  return element(
    "ol",
    { className: "stages" },
    ...course.stages.map((stage, number) => {
      const shown = element("li", { textContent: translated(stage, "name") });
      shown.classList.toggle("done", number < at);
      shown.classList.toggle("here", number === at);
      if (number === at) shown.setAttribute("aria-current", "step");
      return shown;
    }),
  );
}

function endOf({ outcome, merged_into: into }) {
  if (!outcome) return "";
  return element("p", {
    className: outcome === "not_solved" ? "bad" : "good",
    textContent: `${named("outcomes", outcome)}${into ? ` → #${into}` : ""}`,
  });
}

/**
 * @param {import("../../types.js").Api["Incident"]} matter
 * @param {import("../../types.js").Api["Course"]} course
 */
export function aboutMatter(matter, course) {
  const who = whoHasIt(matter);
  const where = `${matter.grid_name ?? say("outsideEveryCell")}${matter.zone_name ? ` · ${matter.zone_name}` : ""}`;
  const contact = [matter.address, matter.caller_number].filter(Boolean).join(" · ");
  const isDue = due(matter);
  return [
    element(
      "h2",
      {},
      `${categoryName(matter.category)} ${matter.subtype} `,
      element("span", { className: "quiet", textContent: `#${matter.incident_id}` }),
    ),
    stagesOf(matter, course),
    element(
      "p",
      {},
      element("time", { textContent: ago(matter.received_at), dateTime: matter.received_at }),
      ` · ${where}`,
    ),
    matter.description ? element("p", { className: "said", textContent: matter.description }) : "",
    contact ? element("p", { textContent: contact }) : "",
    who || matter.assigned_rule
      ? element(
          "p",
          { className: "who" },
          `${say("hasIt")} `,
          element("b", { textContent: who || say("theCity") }),
          element("span", {
            className: "quiet",
            textContent: matter.assigned_rule ? `（${named("rules", matter.assigned_rule)}）` : "",
          }),
        )
      : "",
    isDue ? element("p", {}, isDue) : "",
    matter.suspended_at ? element("p", { className: "then", textContent: say("suspended") }) : "",
    endOf(matter),
  ];
}

/** Who owned the place when it was sent back, and how far its borders are. */
function evidenceOf(/** @type {Record<string, any>} */ { evidence: found }) {
  if (!found) return null;
  const owner = found.grid_cells.at(-1);
  const border = found.distance_to_boundary_m;
  return element("span", {
    className: "line quiet",
    textContent: [
      owner ? `${owner.name} ${owner.grid_code}` : say("outsideEveryCell"),
      border === null ? "" : say("fromItsBorder", { distance: metres(border) }),
      ...found.alternatives.map(one => `${one.name} ${metres(one.distance_m)}`),
    ]
      .filter(Boolean)
      .join(" · "),
  });
}

/**
 * What was done, the newest first.
 * @template {{ done_at: string, action: string, actor_name: string, note: string }} Step
 * @param {Step[]} steps
 * @param {(step: Step) => string} name of what was done
 * @param {(step: Step) => HTMLElement | null} more what stands below it
 */
export function logOf(steps, name, more) {
  return element(
    "ol",
    { className: "log" },
    ...[...steps]
      .reverse()
      .map(step =>
        element(
          "li",
          {},
          element("time", { className: "quiet", textContent: when(step.done_at), dateTime: step.done_at }),
          ` ${name(step)} · ${step.actor_name}`,
          step.note ? element("span", { className: "line", textContent: step.note }) : null,
          more(step),
        ),
      ),
  );
}

/** What was done to a matter. @param {import("../../types.js").Api["TakenStep"][]} steps */
export const stepsOf = steps =>
  logOf(
    steps,
    step => named("actions", step.action),
    step => evidenceOf(step.details),
  );
