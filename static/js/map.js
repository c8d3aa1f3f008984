// The Folium map of a page about the whole city, made ready for layers and their names.
import { page, pageMap } from "./page.js";
import { isNarrow } from "./room.js";

const { L } = window;

/**
 * Makes a pane of the map, above or below others.
 * @param {import("leaflet").Map} map
 * @param {string} name
 * @param {number} height where it lies among panes: tiles are at 200, shapes at 400, markers at 600
 */
export function pane(map, name, height) {
  const made = map.createPane(name);
  made.style.zIndex = String(height);
  return made;
}

/** The map of the page, with a scale. */
export function cityMap() {
  const map = pageMap();
  map.setMaxZoom(19);
  if (isNarrow() && page.bounds) {
    const [west, south, east, north] = page.bounds; // Folium has left room for panels, which are not there
    map.invalidateSize({ animate: false });
    map.fitBounds(L.latLngBounds([south, west], [north, east]), { animate: false, padding: [8, 8] });
  }
  L.control.scale({ imperial: false, maxWidth: 160 }).addTo(map);
  return map;
}

/**
 * Listens to clicks on the map: on a place, or on a feature of a layer.
 * @param {import("leaflet").Map} map
 * @param {(click: { latlng: import("leaflet").LatLng, feature?: any, layer?: string }) => void} heard
 */
export const onClick = (map, heard) => map.on("click", /** @type {any} */ (heard));
