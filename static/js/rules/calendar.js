// Working time: which hours are worked, and which days of a year.
import { askFor } from "../dialogs.js";
import { element } from "../element.js";
import { button, check, field, panel, select, table } from "../office.js";
import { page } from "../page.js";
import { ask, ServerError, write } from "../server.js";
import { now } from "../now.js";
import { listed, named, say, translated } from "../text.js";
import { names, newCode } from "./fields.js";

/** @typedef {import("../../types.js").Api["KeptSchedule"]} Schedule */
/** @typedef {import("../../types.js").Api["KeptDay"]} Day */

const WEEK = ["1", "2", "3", "4", "5", "6", "7"]; // Monday first, as the server counts
const YEARS = [-1, 0, 1, 2];
/** @type {number | null} */
let chosen = null;

/** The spans of a weekday as people write them. @param {Schedule} schedule @param {string} weekday */
const spansOf = (schedule, weekday) =>
  schedule.hours
    .filter(one => String(one.weekday) === weekday)
    .map(one => `${one.begins_at}-${one.ends_at}`)
    .join(" ");

const SPAN = /(\d{2}:\d{2})\s*[-–—~～]\s*(\d{2}:\d{2})/g;

/**
 * The spans that somebody wrote for a weekday; throws what is shown at the field.
 * @param {string} weekday
 * @param {string} text
 */
function readSpans(weekday, text) {
  const plain = text.normalize("NFKC");
  if (plain.replace(SPAN, "").replace(/[\s,、;]/g, ""))
    throw new ServerError(say("hoursForm"), {
      errors: [{ pointer: `body/hours-${weekday}`, detail: say("hoursForm") }],
    });
  return [...plain.matchAll(SPAN)].map(([, begins_at, ends_at]) => ({ weekday: Number(weekday), begins_at, ends_at }));
}

/** What is sent of a schedule. @param {Schedule} schedule */
const rulesOf = ({ schedule_code: _code, ...rules }) => rules;

/** @param {import("../office_tabs.js").Bench} bench @param {Schedule} [was] */
async function editHours(bench, was) {
  const made = await askFor(
    was ? `${translated(was, "name")} ${was.schedule_code}` : say("newHours"),
    [
      ...(was ? [] : [newCode()]),
      ...names(was),
      ...WEEK.map(weekday =>
        field(named("weekdays", weekday), `hours-${weekday}`, {
          value: was ? spansOf(was, weekday) : "",
          placeholder: say("notWorked"),
        }),
      ),
      element("p", { className: "quiet", textContent: say("hoursForm") }),
      check(say("everyDay"), "every_day", was?.every_day ?? false),
      check(say("isConfirmedByCity"), "is_confirmed", was?.is_confirmed ?? false),
    ],
    {
      button: say("save"),
      send: given =>
        write("PUT", `/deadlines/schedules/${encodeURIComponent(was?.schedule_code ?? given.code)}`, {
          name_zh: given.name_zh,
          name_en: given.name_en,
          every_day: Boolean(given.every_day),
          is_confirmed: Boolean(given.is_confirmed),
          hours: WEEK.flatMap(weekday => readSpans(weekday, given[`hours-${weekday}`])),
        }),
    },
  );
  if (!made) return;
  bench.done(
    say("hoursSaved", { name: translated(made, "name") }),
    was && (() => write("PUT", `/deadlines/schedules/${encodeURIComponent(was.schedule_code)}`, rulesOf(was))),
  );
  await bench.again();
}

/** @param {import("../office_tabs.js").Bench} bench @param {Day} was */
async function editDay(bench, was) {
  const address = `/deadlines/days/${was.day}`;
  const made = await askFor(
    was.day,
    [
      select(
        say("thatDay"),
        "is_working",
        [
          ["yes", say("isWorked")],
          ["no", say("isOff")],
        ],
        was.is_working ? "yes" : "no",
      ),
      field(say("nameZh"), "name_zh", { maxLength: 100, value: was.name_zh ?? "" }),
      field(say("nameEn"), "name_en", { maxLength: 100, value: was.name_en ?? "" }),
    ],
    {
      button: say("save"),
      send: given => write("PUT", address, { ...given, is_working: given.is_working === "yes" }),
    },
  );
  if (!made) return;
  bench.done(say("daySaved", { day: was.day }), () =>
    write("PUT", address, { is_working: was.is_working, name_zh: was.name_zh ?? "", name_en: was.name_en ?? "" }),
  );
  await bench.again();
}

/** The days of one month, Monday first. @param {import("../office_tabs.js").Bench} bench @param {Day[]} days */
function month(bench, days) {
  const first = new Date(`${days[0].day}T00:00:00Z`);
  const name = first.toLocaleDateString(page.lang === "zh" ? "zh-CN" : "en-GB", { month: "long", timeZone: "UTC" });
  const blanks = (first.getUTCDay() + 6) % 7;
  return element(
    "section",
    { className: "month" },
    element("h3", { textContent: name }),
    element(
      "div",
      { className: "days" },
      ...WEEK.map(weekday => element("small", { className: "quiet", textContent: named("weekdaysShort", weekday) })),
      ...Array.from({ length: blanks }, () => element("span")),
      ...days.map(one => {
        const why = one.name_zh ? translated(one, "name") : "";
        const told = [one.day, one.is_working ? say("isWorked") : say("isOff"), why].filter(Boolean).join(" ");
        return element("button", {
          type: "button",
          className: `day ${one.is_working ? "worked" : "off"}${one.is_edited ? " edited" : ""}${why ? " named" : ""}`,
          textContent: Number(one.day.slice(8)),
          title: told,
          ariaLabel: `${Number(one.day.slice(8))} · ${told}`, // begins with what is written on it
          onclick: () => editDay(bench, one),
        });
      }),
    ),
  );
}

/** @param {import("../office_tabs.js").Bench} bench */
export async function calendar(bench) {
  const year = chosen ?? now().getFullYear();
  const [schedules, days] = await Promise.all([ask("/deadlines/schedules"), ask(`/deadlines/days?year=${year}`)]);
  const years = select(
    say("year"),
    "year",
    YEARS.map(apart => now().getFullYear() + apart).map(one => [one, String(one)]),
    year,
  );
  /** @type {HTMLSelectElement} */ (years.querySelector("select")).onchange = ({ target }) => {
    chosen = Number(/** @type {HTMLSelectElement} */ (target).value);
    bench.again();
  };
  const months = [...new Set(days.map(one => one.day.slice(0, 7)))];
  const worked = days.filter(one => one.is_working).length;
  const holidays = [...new Set(days.filter(one => one.name_zh && !one.is_working).map(one => translated(one, "name")))];
  return [
    panel(
      say("workingHours"),
      element("p", { className: "quiet", textContent: say("workingHoursTold") }),
      button(say("newHours"), () => editHours(bench)),
      table(
        [say("name"), ...WEEK.map(weekday => named("weekdays", weekday)), ""],
        schedules.map(one => [
          element(
            "span",
            {},
            translated(one, "name"),
            one.is_confirmed ? null : element("small", { className: "quiet", textContent: ` ${say("notConfirmed")}` }),
            one.every_day ? element("small", { className: "quiet", textContent: ` ${say("everyDay")}` }) : null,
          ),
          ...WEEK.map(weekday => spansOf(one, weekday) || "–"),
          button(say("edit"), () => editHours(bench, one), translated(one, "name")),
        ]),
      ),
    ),
    panel(
      say("workingDays"),
      element("p", { className: "quiet", textContent: say("workingDaysTold") }),
      years,
      days.some(one => one.is_provisional)
        ? element("p", { className: "note", textContent: say("yearIsProvisional", { year }) })
        : null,
      days.length
        ? element("p", {
            textContent: [say("daysWorked", { count: worked, all: days.length }), listed(holidays)]
              .filter(Boolean)
              .join(" · "),
          })
        : element("p", { className: "quiet", textContent: say("yearIsNotKept", { year }) }),
      element(
        "div",
        { className: "months" },
        ...months.map(one =>
          month(
            bench,
            days.filter(({ day }) => day.startsWith(one)),
          ),
        ),
      ),
    ),
  ];
}
