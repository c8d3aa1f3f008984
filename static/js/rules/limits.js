// Limits of time: which matters they are for, and what must happen by when.
import { askFor, confirmed } from "../dialogs.js";
import { element } from "../element.js";
import { button, check, field, panel, select, table } from "../office.js";
import { page } from "../page.js";
import { ask, write } from "../server.js";
import { named, number, say, translated } from "../text.js";
import { names, newCode } from "./fields.js";

/** @typedef {import("../../types.js").Api["KeptPolicy"]} Policy */

const MINUTE = 60;
const HOUR = 3600;
const ANY = "";
const URGENCIES = ["red", "yellow", "blue", "normal"];
const AREAS = ["division", "basic", "dedicated"];
const LIMITS = /** @type {const} */ (["accept_s", "arrive_s", "settle_s"]);
const NAMES = { accept_s: say("toAccept"), arrive_s: say("toArrive"), settle_s: say("toSettle") };
const address = (/** @type {string} */ code) => `/deadlines/policies/${encodeURIComponent(code)}`;
/** What is sent of a policy. @param {Policy} policy */
const rulesOf = ({ policy_code: _code, ...rules }) => rules;

/**
 * Two fields for one limit: how many, of what.
 * @param {(typeof LIMITS)[number]} name
 * @param {number | null | undefined} seconds
 */
function limit(name, seconds) {
  const inHours = Boolean(seconds && seconds % HOUR === 0);
  const unit = element(
    "select",
    { name: `${name}_of`, ariaLabel: `${NAMES[name]} ${say("unitOfTime")}` },
    element("option", { value: MINUTE, textContent: say("minutes") }),
    element("option", { value: HOUR, textContent: say("hours") }),
  );
  unit.value = String(inHours ? HOUR : MINUTE);
  const count = element("input", {
    name,
    type: "number",
    min: 1,
    step: "any",
    placeholder: say("noLimit"),
    value: seconds ? seconds / (inHours ? HOUR : MINUTE) : "",
  });
  return element("label", {}, NAMES[name], element("span", { className: "side" }, count, unit));
}

/** @param {import("../office_tabs.js").Bench} bench */
export async function limits(bench) {
  const [found, schedules, { categories }] = await Promise.all([
    ask("/deadlines/policies"),
    ask("/deadlines/schedules"),
    ask("/incidents/categories"),
  ]);
  const categoryName = (/** @type {string} */ code) => {
    const known = categories.find(one => one.category_code === code);
    return known ? translated(known, "name") : code;
  };
  const levelName = (/** @type {number} */ level) => {
    const known = page.levels.find(one => one.grid_level === level);
    return level === 0 || !known ? say("theWholeCity") : translated(known, "name");
  };
  const scheduleName = (/** @type {string | null | undefined} */ code) => {
    const known = schedules.find(one => one.schedule_code === code);
    return known ? translated(known, "name") : say("dayAndNight");
  };
  /** @param {Policy} one */
  const meant = one =>
    [
      one.category && categoryName(one.category),
      one.urgency && named("urgencies", one.urgency),
      typeof one.grid_level === "number" && levelName(one.grid_level),
      one.area_type && named("areas", one.area_type),
    ]
      .filter(Boolean)
      .join(" · ") || say("everythingElse");

  /** @param {Policy} [was] */
  async function edit(was) {
    const made = await askFor(
      was ? `${translated(was, "name")} ${was.policy_code}` : say("newLimit"),
      [
        ...(was ? [] : [newCode()]),
        ...names(was),
        select(
          say("category"),
          "category",
          [
            [ANY, say("any")],
            ...categories.map(one => /** @type {const} */ ([one.category_code, translated(one, "name")])),
          ],
          was?.category ?? ANY,
        ),
        select(
          say("urgency"),
          "urgency",
          [[ANY, say("any")], ...URGENCIES.map(one => /** @type {const} */ ([one, named("urgencies", one)]))],
          was?.urgency ?? ANY,
        ),
        select(
          say("heldAtLevel"),
          "grid_level",
          [
            [ANY, say("any")],
            [0, say("theWholeCity")],
            ...page.levels.map(one => /** @type {const} */ ([one.grid_level, translated(one, "name")])),
          ],
          was?.grid_level ?? ANY,
        ),
        select(
          say("kindOfCell"),
          "area_type",
          [[ANY, say("any")], ...AREAS.map(one => /** @type {const} */ ([one, named("areas", one)]))],
          was?.area_type ?? ANY,
        ),
        select(
          say("countedIn"),
          "schedule_code",
          [
            [ANY, say("dayAndNight")],
            ...schedules.map(one => /** @type {const} */ ([one.schedule_code, translated(one, "name")])),
          ],
          was?.schedule_code ?? ANY,
        ),
        ...LIMITS.map(name => limit(name, was?.[name])),
        field(say("warnPercent"), "warn_percent", {
          type: "number",
          min: 1,
          max: 99,
          value: was ? (was.warn_percent ?? "") : 80,
        }),
        check(say("isConfirmedByCity"), "is_confirmed", was?.is_confirmed ?? false),
      ],
      {
        button: say("save"),
        send: given =>
          write("PUT", address(was?.policy_code ?? given.code), {
            name_zh: given.name_zh,
            name_en: given.name_en,
            category: given.category || null,
            urgency: given.urgency || null,
            grid_level: given.grid_level === ANY ? null : Number(given.grid_level),
            area_type: given.area_type || null,
            schedule_code: given.schedule_code || null,
            warn_percent: given.warn_percent ? Number(given.warn_percent) : null,
            is_confirmed: Boolean(given.is_confirmed),
            ...Object.fromEntries(
              LIMITS.map(name => [
                name,
                given[name] ? Math.round(Number(given[name]) * Number(given[`${name}_of`])) : null,
              ]),
            ),
          }),
      },
    );
    if (!made) return;
    bench.done(say("limitSaved", { name: translated(made, "name") }), () =>
      was ? write("PUT", address(was.policy_code), rulesOf(was)) : write("DELETE", address(made.policy_code)),
    );
    await bench.again();
  }

  /** @param {Policy} one */
  async function remove(one) {
    const name = translated(one, "name");
    if (!(await confirmed(say("removeLimit", { name }), say("remove")))) return;
    await bench.act(async () => {
      await write("DELETE", address(one.policy_code));
      bench.done(say("removedOne", { name }), () => write("PUT", address(one.policy_code), rulesOf(one)));
    });
  }

  // in hours, not days: a day of working time is no day
  const time = (/** @type {number | null | undefined} */ seconds) => {
    if (!seconds) return "–";
    return seconds % HOUR
      ? say("minutesOfTier", { minutes: number(seconds / MINUTE, 1) })
      : say("hoursBack", { count: number(seconds / HOUR) });
  };
  return [
    panel(
      say("timeLimits"),
      element("p", { className: "quiet", textContent: say("limitsTold") }),
      button(say("newLimit"), () => edit()),
      table(
        [
          say("name"),
          say("appliesTo"),
          say("countedIn"),
          say("toAccept"),
          say("toArrive"),
          say("toSettle"),
          say("warnPercent"),
          "",
        ],
        found.map(one => [
          element(
            "span",
            {},
            translated(one, "name"),
            one.is_confirmed ? null : element("small", { className: "quiet", textContent: ` ${say("notConfirmed")}` }),
          ),
          meant(one),
          scheduleName(one.schedule_code),
          ...LIMITS.map(name => time(one[name])),
          one.warn_percent ? `${one.warn_percent} %` : "–",
          element(
            "span",
            { className: "side" },
            button(say("edit"), () => edit(one), translated(one, "name")),
            button(say("remove"), () => remove(one), translated(one, "name")),
          ),
        ]),
      ),
    ),
  ];
}
