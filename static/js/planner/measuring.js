// What a line or an area that is being drawn would do: households, incidents and area of each part, as it moves.
import { element } from "../element.js";
import { table } from "../office.js";
import { write } from "../server.js";
import { number, say } from "../text.js";

const PAUSE_MS = 200;
const TOLD = new Set(["split", "move_border", "carve", "reshape", "create", "segment"]);
const HECTARE = 10000;
const SQUARE_KM = 1000000;
const UNNAMED = "…";

/** @param {number} squareMetres */
const area = squareMetres =>
  squareMetres < SQUARE_KM ? `${number(squareMetres / HECTARE, 2)} ha` : `${number(squareMetres / SQUARE_KM, 2)} km²`;

export class Measuring {
  /** @param {import("./bench.js").Bench} bench */
  constructor(bench) {
    this.bench = bench;
    this.box = element("div", { className: "measured", hidden: true });
    this.box.setAttribute("role", "status");
    this.turn = 0;
  }

  /**
   * Begins to tell of a step; returns what hears how far it is drawn.
   * @param {string} tool
   * @param {string[]} codes
   * @param {"grid_cells" | "patrol_zones"} layer
   * @param {boolean} isArea
   * @returns {(corners: number[][], pointer: number[] | null) => void}
   */
  begin(tool, codes, layer, isArea) {
    this.end();
    if (!TOLD.has(tool)) return () => {};
    const least = isArea ? 3 : 2;
    return (corners, pointer) => {
      const points = pointer && corners.length ? [...corners, pointer] : corners;
      if (points.length < least) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(tool, codes, layer, isArea, points), PAUSE_MS);
    };
  }

  end() {
    clearTimeout(this.timer);
    this.turn += 1;
    this.box.hidden = true;
  }

  async ask(tool, codes, layer, isArea, points) {
    const turn = (this.turn += 1);
    const shape = isArea
      ? { area: { type: "Polygon", coordinates: [[...points, points[0]]] } }
      : { line: { type: "LineString", coordinates: points } };
    const isNew = tool === "create" || tool === "segment";
    const step = {
      operation: tool === "segment" ? "create" : tool,
      layer,
      ...(isNew ? {} : { codes }),
      ...(isNew || tool === "carve" ? { name: UNNAMED } : {}),
      ...shape,
    };
    let told;
    try {
      told = await write("POST", `${this.bench.address}/preview`, step);
    } catch (error) {
      told = { parts: [], refused: error.message };
    }
    if (turn !== this.turn) return; // it moved on, or ended
    this.box.replaceChildren(
      told.refused
        ? element("p", { className: "quiet", textContent: told.refused })
        : table(
            [say("cell"), say("householdsOfCell"), say("incidentsAYear"), say("area")],
            told.parts.map(part => [
              `${part.name} ${part.grid_code}`,
              element("span", { className: part.norm ? "bad" : "" }, number(part.households_after)),
              number(part.incidents_after),
              area(part.area_after_m2),
            ]),
          ),
    );
    this.box.hidden = false;
  }
}
