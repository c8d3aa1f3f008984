// How much larger than for a person at a desk all on the map is drawn: a wall is read from far away (wall/canvas.js).
export const scale = { is: 1 };

/**
 * The zoom at which a person at a desk sees as much: it decides what a layer shows, not how many pixels there are.
 * @param {import("leaflet").Map} map
 */
export const zoomOf = map => Math.max(0, Math.floor(map.getZoom() - Math.log2(scale.is) + 1e-6));
