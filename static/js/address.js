// Paths of this server: behind a proxy they may begin with a prefix (GEO_GRID_PUBLIC_URL), which the page has.
const base = document.documentElement.dataset.base ?? "";

/**
 * Adds the prefix to a path of this server; paths that have it already, and other addresses, are returned unchanged.
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
