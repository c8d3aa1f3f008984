// The planner's tools: what must be chosen for each, its key, what it asks for, and the arguments of its step.
import { askFor } from "../dialogs.js";
import { field } from "../office.js";
import { named, say } from "../text.js";
import { duties, stops } from "./dialogs.js";
import { balance } from "./proposals.js";

/**
 * Tools by layer: the keyboard shortcut, and the least and most cells that must be chosen.
 * @type {Record<"grid_cells" | "patrol_zones", Record<string, [key: string, least: number, most?: number]>>}
 */
export const TOOLS = {
  grid_cells: {
    split: ["s", 1, 1],
    merge: ["m", 2],
    move_border: ["b", 2, 2],
    carve: ["c", 1],
    reshape: ["r", 1, 1],
    transfer: ["t", 1, 1],
    regroup: ["e", 2],
    describe: ["d", 1, 1],
    set_duties: ["u", 1],
    note: ["a", 0],
  },
  patrol_zones: {
    create: ["z", 0],
    segment: ["l", 0],
    split: ["s", 1, 1],
    merge: ["m", 2],
    move_border: ["b", 2, 2],
    carve: ["c", 1],
    reshape: ["r", 1, 1],
    describe: ["d", 1, 1],
    set_stops: ["o", 1, 1],
    retire: ["x", 1, 1],
    note: ["a", 0],
  },
};
/** @param {string} tool */
export function toolName(tool) {
  if (tool === "create") return say("newZone");
  return tool === "segment" ? say("newSegment") : named("operations", tool);
}

/**
 * What a tool asks the user to do on the map.
 * @type {Record<string, string>}
 */
export const HINTS = {
  split: say("drawSplit"),
  move_border: say("drawBorder"),
  carve: say("drawCarved"),
  reshape: say("drawShape"),
  create: say("drawZone"),
  segment: say("drawSegment"),
  set_stops: say("clickStop"),
  transfer: say("clickNewParent"),
  note: say("clickNote"),
};
/** One click does these; the others are drawn. */
export const CLICKED = new Set(["set_stops", "transfer", "note"]);

const LINE = "Line";
const AREA = "Polygon";
const unitField = (value = "") => field(say("responsibleUnit"), "responsible_unit", { maxLength: 200, value });
const nameField = (value = "") => field(say("name"), "name", { required: true, maxLength: 200, value });

/** @typedef {import("../../types.js").Operation} Operation */
/**
 * @template {Operation} Name
 * @typedef {(codes: string[]) => Promise<import("../../types.js").Drawn<Name> | null>} Tool
 */
/**
 * What asks the user for the arguments of each step.
 * @param {import("./bench.js").Bench} bench
 * @param {import("./map.js").CellMap} cells
 */
export function askingWith(bench, cells) {
  const made = async (shape, key, codes) => {
    const drawn = await cells.draw(shape);
    const isZone = cells.layer === "patrol_zones";
    const given =
      drawn && (await askFor(named("operations", "create"), isZone ? [nameField(), unitField()] : [nameField()]));
    return given && { ...(codes ? { codes } : {}), [key]: drawn, ...given };
  };
  /**
   * For each tool a function that asks the user for input, and returns the arguments of its step; null: cancelled.
   * @type {{ [Name in Operation]?: Tool<Name> } & { segment: Tool<"create"> }}
   */
  const asking = {
    split: async codes => ({ codes, line: await cells.draw(LINE) }),
    merge: async codes => ({ codes }),
    move_border: async codes => ({ codes, line: await cells.draw(LINE) }),
    carve: async codes => made(AREA, "area", codes),
    create: () => made(AREA, "area"),
    segment: () => made(LINE, "line"),
    retire: async codes => ({ codes }),
    set_stops: async codes => stops(codes, cells.chosen.get(codes[0]), await cells.draw("Marker")),
    reshape: async codes =>
      isLine(cells, codes[0]) ? { codes, line: await cells.draw(LINE) } : { codes, area: await cells.draw(AREA) },
    transfer: async codes => {
      const target = await cells.pickTarget();
      return { codes, parent_code: target && (target.grid_code === codes[0] ? null : target.parent_code) };
    },
    regroup: codes => balance(bench, cells, codes),
    set_duties: codes => duties(codes),
    note: async () => {
      const place = await cells.draw("Marker");
      const given =
        place &&
        (await askFor(named("operations", "note"), [
          field(say("noteText"), "text", { required: true, maxLength: 2000 }),
        ]));
      return given && { point: place.coordinates, text: given.text };
    },
    describe: async codes => {
      const cell = cells.chosen.get(codes[0]);
      const isZone = cells.layer === "patrol_zones";
      const given = await askFor(`${cell.name} ${codes[0]}`, [
        nameField(cell.name),
        isZone
          ? unitField(cell.responsible_unit ?? "")
          : field(say("households"), "household_count", { type: "number", min: 0, value: cell.household_count ?? "" }),
      ]);
      if (!given) return null;
      const { household_count: count, ...told } = given;
      return { codes, ...told, ...(count ? { household_count: Number(count) } : {}) };
    },
  };
  return asking;
}

/** Whether a cell is a road segment: a line. @param {import("./map.js").CellMap} cells @param {string} code */
const isLine = (cells, code) => cells.layer === "patrol_zones" && cells.chosen.get(code)?.grid_level === 0;

/**
 * Whether a tool asks for an area, not for a line.
 * @param {import("./map.js").CellMap} cells
 * @param {string} tool
 * @param {string[]} codes
 */
export const asksArea = (cells, tool, codes) =>
  ["carve", "create"].includes(tool) || (tool === "reshape" && !isLine(cells, codes[0]));
