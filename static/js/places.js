// Places as people type them.

/**
 * Reads degrees east and north, divided by a comma or a space; null when it is no place on Earth.
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
