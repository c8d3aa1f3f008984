// Where this server is: behind a proxy its paths may begin with a prefix (GEO_GRID_PUBLIC_URL), which the page says.
const base = document.documentElement.dataset.base ?? "";

/**
 * A path of ours as the browser must ask for it; what has the prefix already, or is no path, stays.
 * @param {string} path
 */
export const at = path =>
  path.startsWith("/") && !path.startsWith("//") && !(base && path.startsWith(`${base}/`)) ? base + path : path;

/**
 * Leaves this page for another of ours.
 * @param {string} path
 */
export const go = path => {
  location.href = at(path);
};
