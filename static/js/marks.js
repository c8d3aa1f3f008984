// Markers and tooltips of a map. Leaflet parses strings as HTML, so it gets elements, which are made only here.
import { element } from "./element.js";

const { L } = window;
const SVG = "http://www.w3.org/2000/svg";

/**
 * A drawing of paths, 24 units wide and high.
 * @param {{ line: string, fill: string, stroke: string, width: number }[]} paths of SVG with their paint
 */
export function drawing(paths) {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("viewBox", "0 0 24 24");
  made.append(
    ...paths.map(({ line, fill, stroke, width }) => {
      const path = document.createElementNS(SVG, "path");
      for (const [name, value] of Object.entries({ d: line, fill, stroke, "stroke-width": width }))
        path.setAttribute(name, String(value));
      return path;
    }),
  );
  return made;
}

/**
 * A marker that shows an element, of this size in pixels, at a place.
 * @param {import("leaflet").LatLngExpression} place
 * @param {HTMLElement} shown
 * @param {number} size in pixels
 * @param {import("leaflet").MarkerOptions} [options]
 */
export function mark(place, shown, size, options = {}) {
  if (!(shown instanceof Element)) throw new TypeError("a mark is an element: a string would be read as HTML");
  const icon = L.divIcon({ className: "holder", html: shown, iconSize: [size, size] });
  return L.marker(place, { icon, keyboard: false, ...options });
}

/**
 * Lines of text that show while the mouse is on a shape.
 * @template {import("leaflet").Layer} Shape
 * @param {Shape} shape
 * @param {(string | null | undefined)[]} lines
 * @param {import("leaflet").TooltipOptions} [options]
 * @returns {Shape}
 */
export function withTip(shape, lines, options) {
  const made = () => element("div", {}, ...lines.filter(Boolean).map(textContent => element("div", { textContent })));
  return shape.bindTooltip(made, options); // made when it is shown: of thousands of points few are ever pointed at
}
