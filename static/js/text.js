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
 * Says of a time or a circle that it is an estimate, and why where that is known.
 * @param {string | null} [why]
 */
export const estimate = why => say("estimate") + (why ? `：${named("estimated", why)}` : "");

/**
 * A category of incidents by its code; one that is not listed has the name it came with.
 * @param {string} code
 */
export function categoryName(code) {
  const found = page.categories?.find(one => one.category_code === code);
  return found ? translated(found, "name") : code;
}
