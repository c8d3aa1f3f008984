// Places as people type them.

/**
 * Parses longitude and latitude in degrees, separated by a comma or a space; null when they are out of range.
 * @param {string} typed
 * @returns {{ lon: number, lat: number } | null}
 */
export function readPlace(typed) {
  const numbers = typed
    .split(/[\s,，]+/)
    .filter(Boolean)
    .map(Number);
  if (numbers.length !== 2) return null;
  const [lon, lat] = numbers;
  return Math.abs(lon) <= 180 && Math.abs(lat) <= 90 ? { lon, lat } : null;
}
