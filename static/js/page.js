// The data that the server embedded in the page for its script: one JSON block, read once.

/** @type {import("../types.js").Page} */
export const page = JSON.parse(/** @type {HTMLElement} */ (document.getElementById("geo-grid-page")).textContent ?? "");

/**
 * Whether the user has this right; before the log-in there are none.
 * @param {string} right
 */
export const may = right => page.person?.rights.includes(right) ?? false;

/** The map that Folium has made on this page. */
export const pageMap = () => /** @type {import("leaflet").Map} */ (/** @type {any} */ (window)[page.map]);

/** Marks the page as completely loaded. */
export const ready = () => {
  document.body.dataset.ready = "yes";
};
