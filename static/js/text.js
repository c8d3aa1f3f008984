// Words, numbers and times in the language of the page.
import { formats } from "./formats.js";
import { page } from "./page.js";
import { speaker } from "./speaking.js";

export const { say, named } = speaker(page.lang);
export const {
  number,
  percent,
  metres,
  duration,
  elapsed,
  ago,
  moment,
  when,
  timeOfDay,
  clock,
  day,
  momentOf,
  dayOf,
  minuteOf,
  listed,
} = formats(page.lang, page.timezone);

/**
 * A text that the server keeps in both languages, as in `name_zh` and `name_en`.
 * @param {Record<string, any>} row
 * @param {string} column without the language
 * @returns {string}
 */
export const translated = (row, column) => row[`${column}_${page.lang}`];

/**
 * A note in brackets that a time or a circle is an estimate, with the reason if known; empty for one on roads.
 * @param {{ method: string, estimated_because?: string | null }} answer
 */
export const estimated = ({ method, estimated_because: why }) =>
  method === "geodesic_estimate" ? `（${say("estimate")}${why ? `：${named("estimated", why)}` : ""}）` : "";

/** The letters beside the sign of incidents of a category, by its code. @param {string} code */
export const categoryIcon = code => page.categories?.find(one => one.category_code === code)?.icon ?? "";

/**
 * The name of a category of incidents by its code; a category that is not listed is returned unchanged.
 * @param {string} code
 */
export function categoryName(code) {
  const found = page.categories?.find(one => one.category_code === code);
  return found ? translated(found, "name") : code;
}
