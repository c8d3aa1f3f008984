// The planner's workbench: drafts on the left, tools above, findings and impact on the right.
import { BaseMap, CHOICES } from "./basemap.js";
import { element, isTyping } from "./element.js";
import { follow } from "./events.js";
import { Finding } from "./finding.js";
import { addLists } from "./in_view.js";
import { base } from "./layers.js";
import { head } from "./office.js";
import { cityMap } from "./map.js";
import { may, page, ready } from "./page.js";
import { pictureButton } from "./picture.js";
import { Bench } from "./planner/bench.js";
import { Cursor } from "./planner/cursor.js";
import { DraftsPanel } from "./planner/drafts.js";
import { dropLine, keepLine, keptLine } from "./planner/keeping.js";
import { CellMap, Swipe } from "./planner/map.js";
import { Measuring } from "./planner/measuring.js";
import { CheckPanel, HistoryPanel, ImpactPanel } from "./planner/panels.js";
import { askingWith, asksArea, CLICKED, HINTS, TOOLS, toolName } from "./planner/tools.js";
import { WorkList } from "./planner/worklist.js";
import { named, say, translated } from "./text.js";
import { inAddress, keepView, putInAddress, wantedView } from "./view.js";

const CHOSEN_IN_ADDRESS = 30; // cells: an address has an end
const CLOSE = 15;
const hasView = Boolean(wantedView());
const map = cityMap();
addLists(map);
keepView(map);
const main = head(
  pictureButton(map, () => ({
    theme: ground.theme,
    layers: [cells.layer],
    draft: bench.isLive ? bench.draft?.draft_id : null,
  })),
);
const bench = new Bench();
const ground = new BaseMap(map);
const cells = new CellMap(map, bench);

// --- tools ------------------------------------------------------------------------------------
const tools = () => TOOLS[cells.layer];
const fits = (tool, count) => count >= tools()[tool][1] && count <= (tools()[tool][2] ?? Infinity);
const asking = askingWith(bench, cells);
const hint = element("p", { className: "hint", hidden: true });

/** @typedef {import("../types.js").Operation} Operation */

function neededFor(tool) {
  const [, count] = tools()[tool];
  return count > 1
    ? say("chooseSeveral", { tool: toolName(tool), count })
    : say("chooseOne", { tool: toolName(tool), count });
}

/**
 * Uses a tool on what is chosen.
 * @param {string} tool
 * @param {number[][]} [begun] corners that were drawn already
 */
async function use(tool, begun = []) {
  cells.cancel();
  const codes = [...cells.chosen.keys()];
  if (!bench.canEdit || !fits(tool, codes.length)) {
    bench.tell("problem", bench.canEdit ? neededFor(tool) : say("openDraftFirst"));
    return;
  }
  if (!bench.failure) bench.tell("problem", null); // what could not be sent stays said while it is drawn again
  hint.textContent = `${HINTS[tool]} · ${CLICKED.has(tool) ? say("escGivesUp") : say("drawingKeys")}`;
  hint.hidden = !HINTS[tool];
  const measure = measuring.begin(tool, codes, cells.layer, asksArea(cells, tool, codes));
  cells.drawing = {
    begun,
    heard: (corners, pointer) => {
      if (!pointer) {
        const { draft_id: draft } = bench.opened;
        keepLine({ draft, tool, layer: cells.layer, cells: [...cells.chosen.values()], corners });
      }
      measure(corners, pointer);
    },
  };
  const given = await asking[tool](codes);
  hint.hidden = true;
  measuring.end();
  if (!given || Object.values(given).some(value => value === null)) return dropLine();
  const isDone = await bench.step(
    /** @type {Operation} */ (tool === "segment" ? "create" : tool),
    cells.layer === "grid_cells" ? given : { layer: cells.layer, ...given },
  );
  const { status = 0 } = bench.failure ?? {};
  if (isDone || (status >= 400 && status < 500 && status !== 401)) dropLine();
  else if (!status) resume(); // it could not be sent: the line is there again
}

/** Goes on with a line that was drawn by half before a reload, or could not be sent. */
async function resume() {
  const begun = bench.canEdit ? keptLine(bench.draft?.draft_id) : null;
  if (!begun) return;
  if (begun.layer !== cells.layer) await turnLayer(begun.layer);
  cells.chosen = new Map(begun.cells.map(cell => [cell.grid_code, cell]));
  cells.chose();
  use(begun.tool, begun.corners);
}

/** @param {"grid_cells" | "patrol_zones"} to */
function turnLayer(to) {
  layer.value = to;
  putInAddress({ layer: to === "grid_cells" ? null : to });
  return cells.turn(to);
}

const bar = element("span", { className: "bar-of-tools" });
const layer = element(
  "select",
  {
    ariaLabel: say("layer"),
    onchange: () => {
      turnLayer(/** @type {"grid_cells" | "patrol_zones"} */ (layer.value));
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
  level.hidden = shades.hidden = lock.hidden = cells.layer !== "grid_cells";
  choosing([...cells.chosen.values()]);
}
const chosen = element("p", { className: "chosen quiet" });
const snap = element("p", { className: "quiet snap" });
const reason = element("input", {
  className: "reason",
  maxLength: 2000,
  placeholder: say("reasonOfStep"),
  ariaLabel: say("reasonOfStep"),
  onchange: () => {
    bench.reason = reason.value;
  },
});
const level = element(
  "select",
  {
    ariaLabel: say("level"),
    onchange: () => showLevel(Number(level.value) || null),
  },
  element("option", { value: "", textContent: say("levelByZoom") }),
  ...page.levels.map(one => element("option", { value: one.grid_level, textContent: translated(one, "name") })),
);
/** @param {number | null} wanted level of the cells; null: what the zoom shows */
function showLevel(wanted) {
  if (cells.level === wanted) return;
  cells.level = wanted;
  level.value = String(wanted ?? "");
  putInAddress({ level: wanted });
  cells.loadCells();
}
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
const shades = element(
  "button",
  { className: "tool", onclick: () => shade() },
  say("shade"),
  element("kbd", { textContent: "H" }),
);
shades.setAttribute("aria-pressed", "false");
async function shade() {
  await bench.run(() => cells.shade());
  shades.setAttribute("aria-pressed", String(cells.loads.isOn));
}
const lock = element(
  "button",
  { className: "tool", onclick: () => cells.lock([...cells.chosen.keys()]) },
  say("lock"),
  element("kbd", { textContent: "K" }),
);
const measuring = new Measuring(bench);
const cursor = new Cursor(cells);
const search = element("input", {
  type: "search",
  className: "place",
  placeholder: say("searchNames"),
  ariaLabel: say("searchNames"),
  autocomplete: "off",
});
const finding = new Finding(
  search,
  () => {
    const { lng: lon, lat } = map.getCenter();
    return { lon, lat };
  },
  async ({ kind, code, lon, lat }) => {
    map.setView([lat, lon], Math.max(map.getZoom(), CLOSE), { animate: false });
    if (kind !== "grid_cell") return;
    await cells.cells.current;
    cells.cursor = code;
    cells.choose([code]);
    cells.refresh();
  },
);
const busy = element("progress", { className: "busy", hidden: true });
const problem = element("p", {
  className: "problem",
  hidden: true,
  onclick: () => {
    problem.hidden = true;
  },
});
problem.setAttribute("role", "alert");

let isStarted = false; // what the address asks for is shown
function choosing(list) {
  const can = bench.canEdit;
  bar.querySelectorAll("button").forEach(button => {
    button.disabled = !can || !fits(button.dataset.tool, list.length);
  });
  lock.disabled = !list.length;
  if (isStarted) putInAddress({ cells: list.slice(0, CHOSEN_IN_ADDRESS).map(one => one.grid_code).join(",") });
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
const work = new WorkList(bench, cells);
const impact = new ImpactPanel(bench, swipe, cells);
const panels = [work, new CheckPanel(bench, cells), impact, new HistoryPanel(bench, swipe, cells)];
const TABS = ["work", "check", "impact", "history"];
/** @type {(typeof panels)[number]} */
let shown = panels[0];
const tabs = element(
  "div",
  { className: "tabs", role: "tablist" },
  ...panels.map(panel =>
    element("button", { className: "tab", role: "tab", textContent: panel.title, onclick: () => turn(panel) }),
  ),
);
const desk = element("div", { className: "content" });

function turn(panel) {
  shown = panel;
  putInAddress({ tab: TABS[panels.indexOf(panel)] });
  swipe.hide();
  if (cells.moment) cells.travel(null);
  [...tabs.children].forEach((tab, at) => tab.setAttribute("aria-selected", String(panels[at] === panel)));
  desk.replaceChildren(panel.box);
  return panel.load();
}

const drafts = new DraftsPanel(bench);
drafts.box.prepend(search, finding.list);
main.append(
  drafts.box,
  element(
    "div",
    { className: "tools panel" },
    element("div", { className: "row" }, layer, bar, shades, lock, reason, level, grounds ?? ""),
    chosen,
    measuring.box,
    cells.loads.legend,
    snap,
  ),
  element("aside", { className: "right panel" }, tabs, desk),
  handle,
  hint,
  problem,
  busy,
  cursor.told,
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
  const isOther = (draft?.draft_id ?? null) !== open;
  if (isOther) cells.chosen.clear();
  open = draft?.draft_id ?? null;
  putInAddress({ draft: open });
  cells.choose([...cells.chosen.keys()]);
  cells.loadCells();
  cells.showNotes(
    (draft?.history ?? [])
      .filter(step => step.operation === "note" && !step.undone_at)
      .map(({ arguments: { point, text }, author }) => ({ point, lines: [text, author] })),
  );
  if (!draft) swipe.hide();
  if (isOther && draft?.submitted_at && !draft.approved_at && may("boundaries.approve")) {
    impact.isToShow = isStarted || !hasView; // whoever approves looks at what changes first
    turn(impact);
  } else shown.load();
});
bench.on("level", showLevel);
bench.on("place", ([lon, lat]) => map.setView([lat, lon], Math.max(map.getZoom(), CLOSE), { animate: false }));
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

/** @type {Record<string, () => unknown>} */
const KEYS = {
  n: () => workOn(1),
  p: () => workOn(-1),
  h: shade,
  k: () => cells.lock([...cells.chosen.keys()]),
  "/": () => search.focus(),
};
/** @param {1 | -1} by */
async function workOn(by) {
  if (shown !== work) await turn(work);
  work.step(by);
}

document.addEventListener("keydown", event => {
  if (event.key === "Escape") {
    cells.cancel();
    dropLine();
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
  const isFree = document.activeElement === document.body || map.getContainer().contains(document.activeElement);
  const act = KEYS[key];
  if ((isFree && cursor.press(event.key, event.shiftKey)) || act) {
    event.preventDefault();
    act?.();
    return;
  }
  const found = Object.entries(tools()).find(([, [letter]]) => letter === key);
  if (found) use(found[0]);
});

if (ground.choice !== "none") ground.show(ground.choice).catch(error => bench.tell("problem", error.message));
snap.textContent = cells.snapTolerance();
arm();
const wanted = Number(inAddress("draft"));
const wantedCells = (inAddress("cells") ?? "").split(",").filter(Boolean);
const wantedTab = panels[TABS.indexOf(inAddress("tab") ?? "")] ?? (wanted ? panels[1] : work);
cells.level = Number(inAddress("level")) || null;
level.value = String(cells.level ?? "");
if (inAddress("layer") === "patrol_zones") turnLayer("patrol_zones");
await Promise.all([cells.load(), drafts.refresh(), turn(wantedTab)]);
if (wanted) await bench.open(wanted);
isStarted = true;
if (wantedCells.length) {
  await cells.cells.current;
  cells.choose(wantedCells);
  cells.refresh();
}
resume();
ready();
