// What the server has put into the page for its script: one JSON block, read once.

/** @type {import("../types.js").Page} */
export const page = JSON.parse(/** @type {HTMLElement} */ (document.getElementById("geo-grid-page")).textContent ?? "");

/**
 * Whether who looks may do this; nobody may do anything before the log-in.
 * @param {string} right
 */
export const may = right => page.person?.rights.includes(right) ?? false;

/** The map that Folium has made on this page. */
export const pageMap = () => /** @type {import("leaflet").Map} */ (/** @type {any} */ (window)[page.map]);

/** Says that everything is there which the page shows at first. */
export const ready = () => {
  document.body.dataset.ready = "yes";
};
