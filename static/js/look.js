// Colours of the map, from the server, in the theme of the chosen base map.
import { page } from "./page.js";

let theme = "dark";
/**
 * Colours of the current theme.
 * @returns {import("../types.js").Look}
 */
export const look = () => page.looks[theme];

/**
 * Sets the theme of the map; panels stay dark.
 * @param {"dark" | "light"} chosen
 * @param {HTMLElement} ground of the map
 */
export function useTheme(chosen, ground) {
  theme = chosen;
  document.documentElement.dataset.theme = theme;
  paint(document.documentElement, page.looks.dark);
  paint(ground, look());
}

function paint(part, colours) {
  for (const [name, colour] of Object.entries(colours)) {
    if (typeof colour === "string") part.style.setProperty(`--map-${name}`, colour);
  }
}
