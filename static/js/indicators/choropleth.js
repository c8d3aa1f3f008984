// One indicator on the map, in the classes that the server made.
import { element } from "../element.js";
import { pane } from "../map.js";
import { withTip } from "../marks.js";
import { number, say } from "../text.js";
import { valueOf, written } from "./telling.js";

const { L } = window;
/** From the least to the most: a ramp that the colour-blind read as well (viridis, without its darkest end). */
const RAMP = ["#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];
/** Of changes: fewer, and more. */
const FEWER = ["#2166ac", "#4393c3", "#92c5de"];
const MORE = ["#f4a582", "#d6604d", "#b2182b"];
const NONE = "#8a94a0";

/** So many colours of a ramp, its ends among them. @param {string[]} ramp @param {number} count */
const picked = (ramp, count) =>
  Array.from(
    { length: count },
    (_, at) => ramp[count === 1 ? ramp.length >> 1 : Math.round((at * (ramp.length - 1)) / (count - 1))],
  );

/** The colour of each class. @param {number[]} bounds @param {import("./telling.js").Code} code */
export function coloursOf(bounds, code) {
  if (code !== "year_on_year") return picked(RAMP, bounds.length);
  const below = bounds.filter(one => one <= 0).length;
  return [...picked(FEWER, below), ...picked(MORE, bounds.length - below)];
}

export class Choropleth {
  /** @param {import("leaflet").Map} map @param {(code: string) => void} choose a cell */
  constructor(map, choose) {
    this.map = map;
    this.choose = choose;
    pane(map, "areas", 420);
    this.renderer = L.canvas({ pane: "areas" });
    this.drawn = L.layerGroup().addTo(map);
    this.legend = element("ul", { className: "classes" });
    this.isPlaced = "";
  }

  /**
   * @param {import("../../types.js").Api["ClassedAreas"]} found
   * @param {import("./telling.js").Code} code
   * @param {string} what the view is of: another one moves the map
   */
  show(found, code, what) {
    const colours = coloursOf(found.bounds, code);
    const { unit } = found.definition;
    this.drawn.clearLayers();
    const shapes = L.geoJSON(/** @type {any} */ (found), {
      renderer: this.renderer,
      pane: "areas",
      style: feature => {
        const at = feature?.properties.class_number;
        return {
          color: "#ffffff",
          weight: 0.8,
          fillColor: at === null ? NONE : colours[at],
          fillOpacity: at === null ? 0.25 : 0.78,
        };
      },
      onEachFeature: ({ properties }, shape) => {
        const row = properties.figures;
        withTip(shape, [
          `${row.name_zh} ${properties.grid_code}`,
          written(valueOf(row, code), unit, code),
          `${number(row.count)} ${say("incidents")}`,
        ]);
        shape.on("click", () => this.choose(properties.grid_code));
      },
    });
    this.drawn.addLayer(shapes);
    if (what !== this.isPlaced && shapes.getLayers().length) {
      this.map.fitBounds(shapes.getBounds(), { padding: [12, 12], animate: false });
      this.isPlaced = what;
    }
    const counts = found.bounds.map((_, at) => found.features.filter(one => one.properties.class_number === at).length);
    const without = found.features.filter(one => one.properties.class_number === null).length;
    const line = (/** @type {string} */ colour, /** @type {string} */ text, /** @type {number} */ count) => {
      const swatch = element("i");
      swatch.style.background = colour;
      return element("li", {}, swatch, text, element("span", { className: "quiet", textContent: ` ${number(count)}` }));
    };
    this.legend.replaceChildren(
      ...found.bounds.map((bound, at) => {
        const most = written(bound, unit, code);
        const text = at ? say("classUpTo", { least: written(found.bounds[at - 1], unit, code), most }) : `≤ ${most}`;
        return line(colours[at], text, counts[at]);
      }),
      ...(without ? [line(NONE, say("noValue"), without)] : []),
    );
  }

  clear() {
    this.drawn.clearLayers();
    this.legend.replaceChildren();
  }
}
