// Cells by the keyboard: arrow keys go from cell to cell, space chooses.
import { element } from "../element.js";
import { number, say } from "../text.js";

const { L } = window;
/** @type {Record<string, [x: number, y: number]>} */
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ASIDE = 2; // how much farther a cell seems that lies aside of the way
const EDGE = 60; // pixels: a cell nearer to the edge is brought into the middle

export class Cursor {
  /** @param {import("./map.js").CellMap} cells */
  constructor(cells) {
    this.cells = cells;
    /** What it is on, for who cannot see the map. */
    this.told = element("p", { className: "heard" });
    this.told.setAttribute("role", "status");
    cells.map.keyboard.disable(); // arrows go from cell to cell, not from view to view
    cells.map.getContainer().setAttribute("aria-label", say("mapOfCells"));
  }

  /** @param {string} key @returns {boolean} whether it was one of its keys */
  press(key, isMore = false) {
    if (key === " ") return this.choose(isMore);
    if (!(key in WAYS) || this.cells.isDrawing) return false;
    this.move(WAYS[key]);
    return true;
  }

  choose(isMore) {
    const here = this.at();
    if (!here) return false;
    this.cells.pick(here.feature, { shiftKey: isMore });
    return true;
  }

  /** The shape that it is on; null: none of those in view. */
  at() {
    return this.cells.shapes().find(({ feature }) => feature.properties.grid_code === this.cells.cursor) ?? null;
  }

  /** @param {[x: number, y: number]} way */
  move([x, y]) {
    const { map } = this.cells;
    const place = shape => map.latLngToContainerPoint(shape.getBounds().getCenter());
    const here = this.at();
    const from = here ? place(here) : map.getSize().divideBy(2);
    const ranked = this.cells
      .shapes()
      .filter(shape => shape !== here)
      .map(shape => {
        const to = place(shape).subtract(from);
        const along = to.x * x + to.y * y;
        const aside = Math.abs(to.x * y) + Math.abs(to.y * x);
        return { shape, along, far: along + ASIDE * aside, isThere: here ? along > 1 && aside < 2 * along : true };
      })
      .filter(one => one.isThere)
      .map(one => (here ? one : { ...one, far: place(one.shape).distanceTo(from) }))
      .sort((one, other) => one.far - other.far);
    const [best] = ranked;
    if (!best) return map.panBy([x * (map.getSize().x / 3), y * (map.getSize().y / 3)], { animate: false });
    this.put(best.shape, place(best.shape));
  }

  put(shape, at) {
    const { name, grid_code: code, household_count: count } = shape.feature.properties;
    this.cells.cursor = code;
    this.cells.restyle();
    this.told.textContent = `${name} ${code}${count ? say("householdsOfChosen", { count: number(count) }) : ""}`;
    const { map } = this.cells;
    const [left, right] = this.cells.margins;
    const inner = L.bounds([left + EDGE, EDGE * 3], map.getSize().subtract([right + EDGE, EDGE]));
    if (!inner.contains(at)) map.panTo(shape.getBounds().getCenter(), { animate: false });
  }
}
