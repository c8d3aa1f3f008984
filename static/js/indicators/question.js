// What is asked: kept in the address, so that a view can be sent to somebody else.
import { page } from "../page.js";
import { dayOf } from "../text.js";

/**
 * `from` and `to` are days of the city, the second not included; empty: until now. `level` and `classes` are numbers as
 * text; an empty text is no choice.
 * @typedef {{ from: string, to: string, per: string, level: string, within: string, category: string, group: string,
 *   edition: string, of: string, scheme: string, classes: string }} Question
 */

export const PERIODS = ["day", "week", "month", "year"];
export const SCHEMES = ["quantiles", "equal_interval", "fisher_jenks"];
const DAY_MS = 86_400_000;
const MOST_PERIODS = 800;

const utc = (/** @type {string} */ day) => Date.parse(`${day}T00:00:00Z`);
const iso = (/** @type {number} */ at) => new Date(at).toISOString().slice(0, 10);

/** The first day of a month, so many months before a day. @param {string} day @param {number} months */
export function monthsBefore(day, months) {
  const [year, month] = day.split("-").map(Number);
  return iso(Date.UTC(year, month - 1 - months, 1));
}

/** @param {string} day */
export const dayBefore = day => iso(utc(day) - DAY_MS);

/** @returns {Question} */
const usual = () => ({
  from: monthsBefore(dayOf(), 11),
  to: "",
  per: "month",
  level: String(page.levels[0]?.grid_level ?? ""),
  within: "",
  category: "",
  group: "",
  edition: "then",
  of: "count",
  scheme: "quantiles",
  classes: "5",
});

/** @returns {Question} */
export function readQuestion() {
  const given = new URLSearchParams(location.search);
  return /** @type {Question} */ (
    Object.fromEntries(Object.entries(usual()).map(([name, value]) => [name, given.get(name) ?? value]))
  );
}

/** @param {Question} question */
export function keepQuestion(question) {
  const known = usual();
  const kept = Object.entries(question).filter(
    ([name, value]) => value !== known[/** @type {keyof Question} */ (name)],
  );
  const query = new URLSearchParams([["lang", page.lang], ...kept]);
  history.replaceState(null, "", `?${query}`);
}

/**
 * The parameters that every question to the server has, and some more.
 * @param {Question} question
 * @param {Record<string, string | string[]>} more
 */
export function asked({ from, to, within, category, group, edition }, more) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ from, to, within, category, group, edition, ...more }))
    for (const one of [value].flat()) if (one) query.append(name, one);
  return query;
}

/** The name of a period that a day is in, as the server writes it. @param {string} day @param {string} per */
function periodOf(day, per) {
  if (per === "day") return day;
  if (per === "month") return day.slice(0, 7);
  if (per === "year") return day.slice(0, 4);
  const thursday = utc(day) + (3 - ((new Date(utc(day)).getUTCDay() + 6) % 7)) * DAY_MS; // ISO 8601: it names the year
  const year = new Date(thursday).getUTCFullYear();
  const week = 1 + Math.floor((thursday - Date.UTC(year, 0, 1)) / DAY_MS / 7);
  return `${year}-W${String(week).padStart(2, "0")}`;
}

/**
 * The names of all periods of a question, also of those in which nothing happened; at most some hundreds.
 * @param {Question} question
 * @param {string} today
 */
export function periods({ from, to, per }, today) {
  const last = to ? utc(to) - DAY_MS : utc(today);
  const found = new Set();
  for (let at = utc(from); at <= last && found.size < MOST_PERIODS; at += DAY_MS) found.add(periodOf(iso(at), per));
  return [...found];
}
