// Words, numbers and times as the reader of this page reads them.
import { formats } from "./formats.js";
import { page } from "./page.js";
import { speaker } from "./speaking.js";

export const { say, named } = speaker(page.lang);
export const { number, percent, metres, duration, ago, moment, when, timeOfDay, clock, day, listed } = formats(
  page.lang,
  page.timezone,
);

/**
 * A text that the server keeps in both languages, as in `name_zh` and `name_en`.
 * @param {Record<string, any>} row
 * @param {string} column without the language
 * @returns {string}
 */
export const translated = (row, column) => row[`${column}_${page.lang}`];

/**
 * Says in brackets of a time or a circle that it is an estimate, and why where that is known; nothing of one on roads.
 * @param {{ method: string, estimated_because?: string | null }} answer
 */
export const estimated = ({ method, estimated_because: why }) =>
  method === "geodesic_estimate" ? `（${say("estimate")}${why ? `：${named("estimated", why)}` : ""}）` : "";

/**
 * A category of incidents by its code; one that is not listed has the name it came with.
 * @param {string} code
 */
export function categoryName(code) {
  const found = page.categories?.find(one => one.category_code === code);
  return found ? translated(found, "name") : code;
}
