// Shading of cells by households per grid manager.
import { element } from "../element.js";
import { ask } from "../server.js";
import { number, say } from "../text.js";

const MOST = 10000;
/** Colours by the most households per manager, ascending; they differ in lightness, and each cell says its number. */
/** @type {[most: number, colour: string][]} */
const SHADES = [
  [300, "#3b528b"],
  [500, "#21918c"],
  [750, "#5ec962"],
  [Infinity, "#fde725"],
];
const NOBODY = "#d1478f";

/** @typedef {import("../../types.js").Api["CellLoad"]} CellLoad */

export class Loads {
  /** @param {import("./bench.js").Bench} bench @param {() => number} level that is shown */
  constructor(bench, level) {
    this.bench = bench;
    this.level = level;
    this.isOn = false;
    this.shown = 0; // level of the numbers
    /** @type {Map<string, CellLoad>} */
    this.byCode = new Map();
    this.legend = element("p", { className: "shades", hidden: true });
    this.legend.append(
      say("householdsPerManager"),
      ...SHADES.map(([most], at) =>
        swatch(SHADES[at][1], most === Infinity ? `> ${SHADES[at - 1][0]}` : `≤ ${most}`),
      ),
      swatch(NOBODY, say("noManager")),
    );
  }

  /** Reads the numbers of the level that is shown, as the open draft has its cells. */
  async load() {
    this.legend.hidden = !this.isOn;
    if (!this.isOn) return;
    const { draft, isLive } = this.bench;
    const within = draft && isLive ? `&draft=${draft.draft_id}` : "";
    this.shown = this.level();
    const { cells } = await ask(`/boundaries/overloaded?level=${this.shown}&all=true&limit=${MOST}${within}`);
    this.byCode = new Map(cells.map(cell => [cell.grid_code, cell]));
  }

  /** @param {string} code @returns {import("leaflet").PathOptions | null} null: it is not shaded */
  style(code) {
    const load = this.isOn ? this.byCode.get(code) : undefined;
    if (!load || (load.is_covered && load.households_per_worker === null)) return null;
    const each = load.households_per_worker;
    if (typeof each !== "number") {
      return load.households ? { fillColor: NOBODY, fillOpacity: 0.5, dashArray: "4 4" } : null;
    }
    return { fillColor: SHADES.find(([most]) => each <= most)?.[1], fillOpacity: 0.55 };
  }

  /** @param {string} code what is written beside the name of a cell */
  label(code) {
    const load = this.isOn ? this.byCode.get(code) : undefined;
    if (!load) return "";
    if (typeof load.households_per_worker === "number") return ` ${number(load.households_per_worker)}`;
    return load.state === "understaffed" ? ` ${number(load.households)}/0` : "";
  }
}

/** @param {string} colour @param {string} told */
const swatch = (colour, told) => {
  const box = element("i");
  box.style.background = colour;
  return element("span", {}, box, told);
};
