// What a planner has begun, kept in this tab: a line that is drawn by half survives a reload and a session that ended.

const LINE = "geo-grid-planner-line";
const LOCKED = "geo-grid-planner-locked";

/**
 * @typedef {object} Begun
 * @property {number} draft
 * @property {string} tool
 * @property {"grid_cells" | "patrol_zones"} layer
 * @property {any[]} cells properties of the chosen ones
 * @property {number[][]} corners lon, lat in degrees
 */

/** @param {string} key @param {unknown} value */
function keep(key, value) {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // the store is full: drawing goes on, and only a reload would lose it
  }
}

/** @param {string} key */
function kept(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/** @param {Begun} begun */
export const keepLine = begun => keep(LINE, begun);
export const dropLine = () => sessionStorage.removeItem(LINE);
/** @param {number | undefined} draft @returns {Begun | null} */
export function keptLine(draft) {
  const found = kept(LINE);
  return found && found.draft === draft && found.corners?.length ? found : null;
}

/** @param {Iterable<string>} codes */
export const keepLocked = codes => keep(LOCKED, [...codes]);
/** @returns {string[]} */
export const keptLocked = () => kept(LOCKED) ?? [];
