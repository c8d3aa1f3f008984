// Places as people type them.

import { AXES } from "./words.js";

const NUMBER = String.raw`\d+(?:\.\d+)?`;
const MINUTES = String.raw`(?:(${NUMBER})\s*['′’\u5206]\s*)?`; // or the Chinese sign for minutes
const SECONDS = String.raw`(?:(${NUMBER})\s*(?:["”]|''|′′|\u79d2)\s*)?`;
const ANGLE = String.raw`([-+]?${NUMBER})\s*(?:[°o\u5ea6]\s*${MINUTES}${SECONDS})?`;
const WORD = [...AXES.lon, ...AXES.lat].join("|");
const WORD_FIRST = new RegExp(String.raw`(?:(${WORD})\s*[:=]?\s*)?${ANGLE}`, "giu");
const WORD_LAST = new RegExp(String.raw`()${ANGLE}(?:\s*(${WORD})(?![a-z]))?`, "giu");

/**
 * Parses longitude and latitude as people write them: two numbers in this order, or in the other where only that is
 * possible; with words or letters for the axes in any order; in degrees or in degrees, minutes and seconds.
 * Null when it is no place.
 * @param {string} typed
 * @returns {{ lon: number, lat: number } | null} in degrees, in whatever datum they were meant
 */
export function readPlace(typed) {
  const plain = typed.normalize("NFKC").trim(); // full-width digits and signs as usual ones
  const parts = [...plain.matchAll(/^\D/.test(plain.replace(/^[-+(]+/, "")) ? WORD_FIRST : WORD_LAST)];
  const rest = parts.reduce((text, [whole]) => text.replace(whole, " "), plain);
  if (parts.length !== 2 || !/^[\s,，;；、()/]*$/.test(rest)) return null;
  const [first, second] = parts.map(([, before = "", degrees, minutes = "0", seconds = "0", after = ""]) => {
    const axis = (before || after).toLowerCase();
    const size = Math.abs(Number(degrees)) + Number(minutes) / 60 + Number(seconds) / 3600;
    const isBelow = AXES.below.includes(axis) || degrees.startsWith("-");
    return { value: isBelow ? -size : size, isLon: axis ? AXES.lon.includes(axis) : null };
  });
  if (first.isLon !== null && first.isLon === second.isLon) return null;
  const isTold = first.isLon !== null || second.isLon !== null;
  const isOtherOrder = isTold
    ? first.isLon === false || second.isLon === true
    : Math.abs(first.value) <= 90 && Math.abs(second.value) > 90;
  const [lon, lat] = isOtherOrder ? [second.value, first.value] : [first.value, second.value];
  return Math.abs(lon) <= 180 && Math.abs(lat) <= 90 ? { lon, lat } : null;
}
