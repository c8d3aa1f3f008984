// How large a wall is and from how far it is read: `?cols=2&rows=1&d=10&pitch=0.63` in its address.
import { scale } from "../scale.js";

const SCREEN = { width: 1920, height: 1080 };
const SCREEN_MM = 1210; // how wide one of 55 inches is
const NEAR_M = 3.5; // one screen: whoever looks stands in the same room
const FAR_M = 10; // more than one
/** Angle that a sign must fill to be read, in radians: 16 minutes of arc (NUREG-0700 rev. 3, 1.3.1-4). */
const ANGLE = ((16 / 60) * Math.PI) / 180;
const FACE = 0.92; // how much of its em a Chinese character fills
const LEAST_PX = 16;
const MAP_PX = 24; // size of letters at which the map is drawn as at a desk
const LETTERS_PER_SCREEN = 24; // no larger, or nothing can be said on a screen

const asked = new URL(location.href).searchParams;
/** @param {string} name @param {number} otherwise @param {number} least @param {number} most */
function number(name, otherwise, least, most) {
  const value = Number(asked.get(name));
  return asked.get(name) && value >= least && value <= most ? value : otherwise;
}

/**
 * The canvas as it is now: screens across and down, size of one in CSS pixels, and of its letters.
 */
export function canvas() {
  const cols = Math.round(number("cols", Math.max(1, Math.round(innerWidth / SCREEN.width)), 1, 12));
  const rows = Math.round(number("rows", Math.max(1, Math.round(innerHeight / SCREEN.height)), 1, 6));
  const screen = { width: innerWidth / cols, height: innerHeight / rows };
  const distance = number("d", cols * rows > 1 ? FAR_M : NEAR_M, 0.3, 100);
  const pitch = number("pitch", Math.round((100 * SCREEN_MM) / screen.width) / 100, 0.05, 20);
  const wanted = (distance * 1000 * ANGLE) / pitch / FACE;
  const base = Math.round(Math.max(LEAST_PX, Math.min(wanted, screen.width / LETTERS_PER_SCREEN)));
  return { cols, rows, screen, distance, pitch, base, isTooSmall: wanted > base + 1 };
}

/** Lays the page out for its canvas. */
export function layOut() {
  const { cols, rows, screen, base } = canvas();
  scale.is = Math.max(1, base / MAP_PX);
  const { dataset, style } = document.body;
  dataset.cols = cols > 2 ? "many" : String(cols);
  dataset.rows = String(rows);
  style.setProperty("--base", `${base}px`);
  style.setProperty("--screen-w", `${screen.width}px`);
  style.setProperty("--screen-h", `${screen.height}px`);
  document.documentElement.style.fontSize = `${base}px`;
}
