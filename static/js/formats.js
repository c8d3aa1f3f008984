// Formats of numbers, lengths and times in one language and in the city's time zone.
import { now as serverNow } from "./now.js";
import { speaker } from "./speaking.js";

/**
 * @param {"zh" | "en"} lang
 * @param {string} [timeZone] of the city; by default the browser's
 */
export function formats(lang, timeZone) {
  const { say } = speaker(lang);
  const locale = lang === "zh" ? "zh-CN" : "en-GB";

  /** @param {number | null | undefined} value @param {number} [digits] after the decimal sign, at most */
  const number = (value, digits = 3) => value?.toLocaleString(locale, { maximumFractionDigits: digits }) ?? "–";

  /** @param {number | null | undefined} share from 0 to 1 @param {number} [digits] after the decimal sign */
  const percent = (share, digits = 0) =>
    share === null || share === undefined ? "–" : `${(share * 100).toFixed(digits)} %`;

  /** @param {number} value a length in metres */
  function metres(value) {
    if (value < 10) return `${value.toFixed(1)} m`;
    return value < 1000 ? `${Math.round(value)} m` : `${(value / 1000).toFixed(1)} km`;
  }

  /** @param {number} seconds */
  function duration(seconds) {
    const whole = Math.round(seconds);
    if (whole < 60) return say("seconds", { seconds: whole });
    const minutes = Math.floor(whole / 60);
    if (minutes < 120) return say("minutesAndSeconds", { minutes, seconds: whole % 60 });
    const hours = Math.floor(minutes / 60);
    if (hours < 48) return say("hoursAndMinutes", { hours, minutes: minutes % 60 });
    return say("daysAndHours", { days: Math.floor(hours / 24), hours: hours % 24 });
  }

  /** How long, in the two largest units, for a row of a list. @param {number} seconds */
  function elapsed(seconds) {
    const minutes = Math.max(0, Math.floor(seconds / 60));
    if (minutes < 60) return say("inMinutes", { count: minutes });
    if (minutes < 1440) return say("inHours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
    return say("inDays", { count: Math.floor(minutes / 1440) });
  }

  /** @param {string | Date} time @param {Date} [now] by default that of the server */
  function ago(time, now = serverNow()) {
    const minutes = Math.max(0, Math.round((now.getTime() - new Date(time).getTime()) / 60000));
    if (minutes < 1) return say("justNow");
    if (minutes < 60) return say("minutesAgo", { count: minutes });
    if (minutes < 2880) return say("hoursAgo", { count: Math.round(minutes / 60) });
    return say("daysAgo", { count: Math.round(minutes / 1440) });
  }

  /** @param {string | Date} time with seconds */
  const moment = time => new Date(time).toLocaleString(locale, { hour12: false, timeZone });

  /** @param {string | Date} time without seconds */
  const when = time =>
    new Date(time).toLocaleString(locale, { hour12: false, timeZone, dateStyle: "short", timeStyle: "short" });

  /** @param {string | Date} time its hours, minutes and seconds */
  const timeOfDay = time => new Date(time).toLocaleTimeString(locale, { hour12: false, timeZone });

  /** @param {string | Date} time its hours and minutes */
  const clock = time => new Date(time).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit", timeZone });

  /** @param {string | Date} time its date */
  const day = time => new Date(time).toLocaleDateString(locale, { timeZone });

  /** How far the city's clocks are ahead of UTC at a moment. @param {number} at in ms @returns {number} in ms */
  function ahead(at) {
    const written = new Date(at).toLocaleString("sv-SE", { timeZone }); // 2026-11-25 08:00:00
    return Date.parse(`${written.replace(" ", "T")}Z`) - Math.floor(at / 1000) * 1000;
  }

  /** A moment of the city's clocks, as fields of the kind datetime-local have it. @param {string} local */
  function momentOf(local) {
    const wall = Date.parse(`${local}Z`);
    return new Date(wall - ahead(wall - ahead(wall))).toISOString();
  }

  /** The day of the city, as fields of dates have it. @param {string | Date} [time] now if not given */
  const dayOf = (time = serverNow()) => new Date(time).toLocaleDateString("sv-SE", { timeZone });

  /** The minute of the city's clocks, as `momentOf` takes it. @param {string | Date} [time] now if not given */
  const minuteOf = (time = serverNow()) =>
    new Date(time).toLocaleString("sv-SE", { timeZone }).slice(0, 16).replace(" ", "T");

  /** @param {string[]} names */
  const listed = names => names.join(lang === "zh" ? "、" : ", ");

  const numbers = { number, percent, metres, duration, elapsed };
  return { ...numbers, ago, moment, when, timeOfDay, clock, day, momentOf, dayOf, minuteOf, listed };
}
