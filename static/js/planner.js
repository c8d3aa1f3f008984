// The planner's workbench: drafts on the left, tools above, findings and impact on the right.
import { BaseMap, CHOICES } from "./basemap.js";
import { askFor } from "./dialogs.js";
import { element, isTyping } from "./element.js";
import { follow } from "./events.js";
import { base } from "./layers.js";
import { field, head } from "./office.js";
import { cityMap } from "./map.js";
import { page, ready } from "./page.js";
import { Bench } from "./planner/bench.js";
import { balance, duties, stops } from "./planner/dialogs.js";
import { DraftsPanel } from "./planner/drafts.js";
import { CellMap, Swipe } from "./planner/map.js";
import { CheckPanel, HistoryPanel, ImpactPanel } from "./planner/panels.js";
import { named, say, translated } from "./text.js";

const map = cityMap();
const main = head();
const bench = new Bench();
const ground = new BaseMap(map);
const cells = new CellMap(map, bench);

// --- tools: what they need, and what they do -------------------------------------------------
// Tools by layer: the keyboard shortcut, and the least and most cells that must be chosen.
/** @type {Record<"grid_cells" | "patrol_zones", Record<string, [key: string, least: number, most?: number]>>} */
const TOOLS = {
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
  },
  patrol_zones: {
    create: ["n", 0],
    segment: ["l", 0],
    split: ["s", 1, 1],
    merge: ["m", 2],
    move_border: ["b", 2, 2],
    carve: ["c", 1],
    reshape: ["r", 1, 1],
    describe: ["d", 1, 1],
    set_stops: ["p", 1, 1],
    retire: ["x", 1, 1],
  },
};
/** @param {string} tool */
function toolName(tool) {
  if (tool === "create") return say("newZone");
  return tool === "segment" ? say("newSegment") : named("operations", tool);
}
const tools = () => TOOLS[cells.layer];
const fits = (tool, count) => count >= tools()[tool][1] && count <= (tools()[tool][2] ?? Infinity);
const isLine = code => cells.layer === "patrol_zones" && cells.chosen.get(code)?.grid_level === 0;
const HINTS = {
  split: say("drawSplit"),
  move_border: say("drawBorder"),
  carve: say("drawCarved"),
  reshape: say("drawShape"),
  create: say("drawZone"),
  segment: say("drawSegment"),
  set_stops: say("clickStop"),
  transfer: say("clickNewParent"),
};
const hint = element("p", { className: "hint", hidden: true });

const LINE = "Line";
const AREA = "Polygon";
const unitField = (value = "") => field(say("responsibleUnit"), "responsible_unit", { maxLength: 200, value });
const nameField = (value = "") => field(say("name"), "name", { required: true, maxLength: 200, value });
const made = async (shape, key, codes) => {
  const drawn = await cells.draw(shape);
  const isZone = cells.layer === "patrol_zones";
  const given =
    drawn && (await askFor(named("operations", "create"), isZone ? [nameField(), unitField()] : [nameField()]));
  return given && { ...(codes ? { codes } : {}), [key]: drawn, ...given };
};

/** @typedef {import("../types.js").Operation} Operation */
/**
 * @template {Operation} Name
 * @typedef {(codes: string[]) => Promise<import("../types.js").Drawn<Name> | null>} Tool
 */
/**
 * For each tool a function that asks the user for input, and returns the arguments of its step; null: cancelled.
 * @type {{ [Name in Operation]?: Tool<Name> } & { segment: Tool<"create"> }}
 */
const DO = {
  split: async codes => ({ codes, line: await cells.draw(LINE) }),
  merge: async codes => ({ codes }),
  move_border: async codes => ({ codes, line: await cells.draw(LINE) }),
  carve: async codes => made(AREA, "area", codes),
  create: () => made(AREA, "area"),
  segment: () => made(LINE, "line"),
  retire: async codes => ({ codes }),
  set_stops: async codes => stops(codes, cells.chosen.get(codes[0]), await cells.draw("Marker")),
  reshape: async codes =>
    isLine(codes[0]) ? { codes, line: await cells.draw(LINE) } : { codes, area: await cells.draw(AREA) },
  transfer: async codes => {
    const target = await cells.pickTarget();
    return { codes, parent_code: target && (target.grid_code === codes[0] ? null : target.parent_code) };
  },
  regroup: codes => balance(bench, codes),
  set_duties: codes => duties(codes),
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

function neededFor(tool) {
  const [, count] = tools()[tool];
  return count > 1
    ? say("chooseSeveral", { tool: toolName(tool), count })
    : say("chooseOne", { tool: toolName(tool), count });
}

async function use(tool) {
  cells.cancel();
  const codes = [...cells.chosen.keys()];
  if (!bench.canEdit || !fits(tool, codes.length)) {
    bench.tell("problem", bench.canEdit ? neededFor(tool) : say("openDraftFirst"));
    return;
  }
  bench.tell("problem", null);
  hint.textContent = HINTS[tool] ?? "";
  hint.hidden = !HINTS[tool];
  const given = await DO[tool](codes);
  hint.hidden = true;
  if (!given || Object.values(given).some(value => value === null)) return;
  await bench.step(
    tool === "segment" ? "create" : tool,
    cells.layer === "grid_cells" ? given : { layer: cells.layer, ...given },
  );
}

const bar = element("span", { className: "bar-of-tools" });
const layer = element(
  "select",
  {
    ariaLabel: say("layer"),
    onchange: () => {
      cells.turn(layer.value);
    },
  },
  element("option", { value: "grid_cells", textContent: say("gridCells") }),
  element("option", { value: "patrol_zones", textContent: say("patrolZones") }),
);
function arm() {
  bar.replaceChildren(
    ...Object.entries(tools()).map(([tool, [key]]) =>
      element(
        "button",
        {
          className: "tool",
          data: { tool },
          title: `${toolName(tool)} (${key.toUpperCase()})`,
          onclick: () => use(tool),
        },
        toolName(tool),
        element("kbd", { textContent: key.toUpperCase() }),
      ),
    ),
  );
  level.hidden = cells.layer !== "grid_cells";
  choosing([...cells.chosen.values()]);
}
const chosen = element("p", { className: "chosen quiet" });
const snap = element("p", { className: "quiet snap" });
const reason = element("input", {
  className: "reason",
  maxLength: 2000,
  placeholder: say("reasonOfStep"),
  onchange: () => {
    bench.reason = reason.value;
  },
});
const level = element(
  "select",
  {
    ariaLabel: say("level"),
    onchange: () => {
      cells.level = Number(level.value) || null;
      cells.cells.load();
    },
  },
  element("option", { value: "", textContent: say("levelByZoom") }),
  ...page.levels.map(one => element("option", { value: one.grid_level, textContent: translated(one, "name") })),
);
const grounds =
  CHOICES.length > 1
    ? element(
        "select",
        { ariaLabel: say("baseMap"), onchange: ({ target }) => ground.show(target.value) },
        ...CHOICES.map(value =>
          element("option", { value, textContent: named("bases", value), selected: value === ground.choice }),
        ),
      )
    : null;
const busy = element("progress", { className: "busy", hidden: true });
const problem = element("p", {
  className: "problem",
  hidden: true,
  onclick: () => {
    problem.hidden = true;
  },
});
problem.setAttribute("role", "alert");

function choosing(list) {
  const can = bench.canEdit;
  bar.querySelectorAll("button").forEach(button => {
    button.disabled = !can || !fits(button.dataset.tool, list.length);
  });
  if (list.length) chosen.textContent = list.map(described).join("　");
  else chosen.textContent = bench.draft ? say("clickToChoose") : say("noDraftOpen");
}

function described({ name, grid_code: code, household_count: count }) {
  return `${name} ${code}${count ? say("householdsOfChosen", { count }) : ""}`;
}

// --- panels ----------------------------------------------------------------------------------
const handle = element(
  "label",
  { className: "swipe panel", hidden: true },
  element("span", { textContent: say("before") }),
  element("input", { type: "range", min: 0, max: 1000, value: 500, ariaLabel: say("beforeAndAfter") }),
  element("span", { textContent: say("after") }),
  element("i"),
);
const swipe = new Swipe(map, handle);
const panels = [
  new CheckPanel(bench, cells),
  new ImpactPanel(bench, swipe, map),
  new HistoryPanel(bench, swipe, cells),
];
/** @type {(typeof panels)[number]} */
let shown = panels[0];
const tabs = element(
  "div",
  { className: "tabs" },
  ...panels.map(panel => element("button", { className: "tab", textContent: panel.title, onclick: () => turn(panel) })),
);
tabs.setAttribute("role", "tablist");
const desk = element("div", { className: "content" });

function turn(panel) {
  shown = panel;
  swipe.hide();
  if (cells.moment) cells.travel(null);
  [...tabs.children].forEach((tab, at) => tab.setAttribute("aria-selected", String(panels[at] === panel)));
  desk.replaceChildren(panel.box);
  return panel.load();
}

const drafts = new DraftsPanel(bench);
main.append(
  drafts.box,
  element(
    "div",
    { className: "tools panel" },
    element("div", { className: "row" }, layer, bar, reason, level, grounds ?? ""),
    chosen,
    snap,
  ),
  element("aside", { className: "right panel" }, tabs, desk),
  handle,
  hint,
  problem,
  busy,
);

// --- what happens ----------------------------------------------------------------------------
bench.on("busy", count => {
  busy.hidden = !count;
  choosing([...cells.chosen.values()]);
});
bench.on("problem", message => {
  problem.hidden = !message;
  problem.textContent = message ?? "";
});
bench.on("layer", arm);
bench.on("chosen", choosing);
bench.on("stepped", () => {
  reason.value = bench.reason = "";
  cells.choose([]); // the chosen cells may have changed
});
let open = null;
bench.on("draft", draft => {
  if ((draft?.draft_id ?? null) !== open) cells.chosen.clear();
  open = draft?.draft_id ?? null;
  history.replaceState(null, "", `?lang=${page.lang}${open ? `&draft=${open}` : ""}`);
  cells.choose([...cells.chosen.keys()]);
  cells.cells.load();
  if (!draft) swipe.hide();
  shown.load();
});
map.on("zoomend moveend", () => {
  snap.textContent = cells.snapTolerance();
});
ground.onChange(choice => {
  base.isShown = choice !== "none";
  cells.load();
});
follow(
  ["edition"],
  () => [],
  () => [],
  () => Promise.all([cells.load(), drafts.refresh(), shown.load()]),
);

document.addEventListener("keydown", event => {
  if (event.key === "Escape") {
    cells.cancel();
    cells.choose([]);
    hint.hidden = true;
    return;
  }
  if (isTyping(event) || event.altKey || document.querySelector("dialog[open]")) return;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (!bench.canEdit || (key !== "z" && key !== "y")) return;
    event.preventDefault();
    bench.goOn(key === "y" || event.shiftKey ? "redo" : "undo");
    return;
  }
  const found = Object.entries(tools()).find(([, [letter]]) => letter === key);
  if (found) use(found[0]);
});

if (ground.choice !== "none") ground.show(ground.choice).catch(error => bench.tell("problem", error.message));
snap.textContent = cells.snapTolerance();
arm();
const wanted = Number(new URL(location.href).searchParams.get("draft"));
await Promise.all([cells.load(), drafts.refresh(), turn(panels[0])]);
if (wanted) await bench.open(wanted);
ready();
