// How figures are written: the value of an indicator, and what it is of.
import { duration, number, percent, say } from "../text.js";

/** @typedef {import("../../types.js").Api["Answer"]["rows"][number]} Row */
/** @typedef {import("../../types.js").Api["ClassedAreas"]["definition"]} Definition */
/** @typedef {Definition["code"]} Code */

/**
 * What is drawn and ranked: a count, rate, share or change, or the P90 of a time in seconds.
 * @param {Row} row
 * @param {Code} code
 */
export function valueOf(row, code) {
  if (code === "count" || code === "rate") return row[code] ?? null;
  if (code === "year_on_year") return row.year_on_year?.change ?? null;
  if (code === "settlement" || code === "on_time") return row[code]?.share ?? null;
  return row[code]?.p90_s ?? null;
}

/** How many incidents a value is of. @param {Row} row @param {Code} code */
export function countOf(row, code) {
  if (code === "year_on_year") return row.year_on_year?.before ?? 0;
  if (code === "on_time") return row.on_time?.due ?? 0;
  if (code === "count" || code === "rate" || code === "settlement") return row.count ?? 0;
  return row[code]?.n ?? 0;
}

/**
 * A value as it is read.
 * @param {number | null | undefined} value
 * @param {Definition["unit"]} unit
 * @param {Code} code
 */
export function written(value, unit, code) {
  if (value === null || value === undefined) return "–";
  if (unit === "share") return `${code === "year_on_year" && value > 0 ? "+" : ""}${percent(value, 1)}`;
  if (unit === "seconds") return duration(value);
  return number(value, unit === "incidents" ? 0 : 1);
}

/** What a figure is of, and what was left out. @param {Row} row @param {Code} code */
export function basis(row, code) {
  if (code === "count") return "";
  if (code === "rate") return row.households ? say("ofHouseholds", { count: number(row.households) }) : "";
  if (code === "year_on_year")
    return row.year_on_year ? say("yearBefore", { count: number(row.year_on_year.before) }) : "";
  if (code === "settlement") {
    const { closed, taken, not_solved: open } = row.settlement ?? { closed: 0, taken: 0, not_solved: 0 };
    return say("closedOfTaken", { closed: number(closed), taken: number(taken), unsolved: number(open) });
  }
  if (code === "on_time") {
    const { on_time: kept, due } = row.on_time ?? { on_time: 0, due: 0 };
    return say("keptOfDue", { kept: number(kept), due: number(due) });
  }
  const times = row[code];
  if (!times) return "";
  const half = times.p50_s === null || times.p50_s === undefined ? "–" : duration(times.p50_s);
  return say("timesOf", {
    count: number(times.n),
    half,
    noClock: number(times.no_clock),
    outOfOrder: number(times.out_of_order),
    overADay: number(times.over_a_day),
  });
}
