// What a page shows, in its address: so that it is there again after a reload, and can be sent to somebody.
import { page } from "./page.js";

const MOST_ZOOM = 24;

/**
 * Puts values into the address, without a step in the history; null takes one out.
 * @param {Record<string, string | number | null>} values
 */
export function putInAddress(values) {
  const here = new URL(location.href);
  here.searchParams.set("lang", page.lang);
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === "") here.searchParams.delete(name);
    else here.searchParams.set(name, String(value));
  }
  history.replaceState(null, "", here);
}

/** @param {string} name */
export const inAddress = name => new URL(location.href).searchParams.get(name);

/** @param {import("leaflet").Map} map @returns {string} zoom, lat, lon in degrees */
export function viewOf(map) {
  const { lat, lng } = map.getCenter();
  return `${Number(map.getZoom().toFixed(2))},${lat.toFixed(6)},${lng.toFixed(6)}`;
}

/** The view that the address asks for; null: none that a map can show. */
export function wantedView() {
  const [zoom, lat, lon, ...more] = (inAddress("view") ?? "").split(",").map(Number);
  const isGood = !more.length && zoom >= 0 && zoom <= MOST_ZOOM && Math.abs(lat) <= 85 && Math.abs(lon) <= 180;
  return isGood ? { zoom, lat, lon } : null;
}

/** Shows the view that the address asks for, if it asks for one. @param {import("leaflet").Map} map */
export function showWantedView(map) {
  const wanted = wantedView();
  if (wanted) map.setView([wanted.lat, wanted.lon], wanted.zoom, { animate: false });
}

/**
 * Shows the view that the address asks for, and keeps the address up with the map.
 * @param {import("leaflet").Map} map
 */
export function keepView(map) {
  showWantedView(map);
  map.on("moveend", () => putInAddress({ view: viewOf(map) }));
}
