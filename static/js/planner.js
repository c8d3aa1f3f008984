// The planner's workbench: drafts on the left, tools above, what is wrong and what would change on the right.
import { BaseMap, CHOICES } from "./basemap.js";
import { base } from "./layers.js";
import { Bench, OPERATIONS } from "./planner/bench.js";
import { ask, balance, duties, stops } from "./planner/dialogs.js";
import { DraftsPanel } from "./planner/drafts.js";
import { CellMap, Swipe } from "./planner/map.js";
import { CheckPanel, HistoryPanel, ImpactPanel } from "./planner/panels.js";
import { e, field, form, head, page, ready, say } from "./office.js";
import { listen, together } from "./server.js";

const map = window[page.map];
const main = head();
const bench = new Bench();
const ground = new BaseMap(map);
const cells = new CellMap(map, bench);

// --- tools: what they need, and what they do -------------------------------------------------
// By layer: the key, and how many must be chosen, at least and at most.
const TOOLS = {
  grid_cells: {
    split: ["s", 1, 1], merge: ["m", 2], move_border: ["b", 2, 2], carve: ["c", 1], reshape: ["r", 1, 1], transfer: ["t", 1, 1], regroup: ["e", 2], describe: ["d", 1, 1], set_duties: ["u", 1],
  },
  patrol_zones: {
    create: ["n", 0], segment: ["l", 0], split: ["s", 1, 1], merge: ["m", 2], move_border: ["b", 2, 2], carve: ["c", 1], reshape: ["r", 1, 1], describe: ["d", 1, 1], set_stops: ["p", 1, 1], retire: ["x", 1, 1],
  },
};
const NAMES = { ...OPERATIONS, create: say("新建责任区", "New zone"), segment: say("新建路段", "New segment") };
const tools = () => TOOLS[cells.layer];
const fits = (tool, count) => count >= tools()[tool][1] && count <= (tools()[tool][2] ?? Infinity);
const isLine = code => cells.layer === "patrol_zones" && cells.chosen.get(code)?.grid_level === 0;
const HINTS = {
  split: say("画一条线，从边界到边界；双击结束，Esc 取消", "Draw a line from border to border; double-click ends it, Esc gives up"),
  move_border: say("画出新的边界，贯穿两个网格；双击结束", "Draw the new border across both cells; double-click ends it"),
  carve: say("画出要划出的范围；双击结束", "Draw what is carved out; double-click ends it"),
  reshape: say("画出网格的新形状；双击结束", "Draw the cell's new shape; double-click ends it"),
  create: say("画出责任区；已属其他责任区的部分不计；双击结束", "Draw the zone; what belongs to others does not count; double-click ends it"),
  segment: say("沿道路画线；双击结束", "Draw along the road; double-click ends it"),
  set_stops: say("点击必巡点的位置", "Click where patrols must stop"),
  transfer: say("点击新上级中的一个网格", "Click a cell of the new parent"),
};
const hint = e("p", { className: "hint", hidden: true });

const LINE = "Line";
const AREA = "Polygon";
const unit = (value = "") => field(say("责任单位", "Responsible unit"), "responsible_unit", { maxLength: 200, value });
const named = (value = "") => field(say("名称", "Name"), "name", { required: true, maxLength: 200, value });
const made = async (shape, key, codes) => {
  const drawn = await cells.draw(shape);
  const isZone = cells.layer === "patrol_zones";
  const given = drawn && await ask(OPERATIONS.create, isZone ? [named(), unit()] : [named()]);
  return given && { ...(codes ? { codes } : {}), [key]: drawn, ...given };
};

const DO = {
  split: async codes => ({ codes, line: await cells.draw(LINE) }),
  merge: async codes => ({ codes }),
  move_border: async codes => ({ codes, line: await cells.draw(LINE) }),
  carve: async codes => made(AREA, "area", codes),
  create: () => made(AREA, "area"),
  segment: () => made(LINE, "line"),
  retire: async codes => ({ codes }),
  set_stops: async codes => stops(codes, cells.chosen.get(codes[0]), await cells.draw("Marker")),
  reshape: async codes => (isLine(codes[0]) ? { codes, line: await cells.draw(LINE) } : { codes, area: await cells.draw(AREA) }),
  transfer: async codes => {
    const target = await cells.pickTarget();
    return { codes, parent_code: target && (target.grid_code === codes[0] ? null : target.parent_code) };
  },
  regroup: codes => balance(bench, codes),
  set_duties: codes => duties(codes),
  describe: async codes => {
    const cell = cells.chosen.get(codes[0]);
    const isZone = cells.layer === "patrol_zones";
    const given = await ask(`${cell.name} ${codes[0]}`, [named(cell.name), isZone ? unit(cell.responsible_unit ?? "")
      : field(say("户数", "Households"), "household_count", { type: "number", min: 0, value: cell.household_count ?? "" })]);
    if (!given) return null;
    const { household_count: count, ...told } = given;
    return { codes, ...told, ...(count ? { household_count: Number(count) } : {}) };
  },
};

async function use(tool) {
  cells.cancel();
  const codes = [...cells.chosen.keys()];
  if (!bench.canEdit || !fits(tool, codes.length)) {
    const [, least] = tools()[tool];
    bench.tell("problem", bench.canEdit ? say(`“${NAMES[tool]}”需要先选中 ${least} 个（按住 Shift 多选）`, `Choose ${least} cell${least > 1 ? "s" : ""} first (Shift-click for more)`)
      : say("先打开一个可编辑的草案", "Open a draft that can be changed first"));
    return;
  }
  bench.tell("problem", null);
  hint.textContent = HINTS[tool] ?? "";
  hint.hidden = !HINTS[tool];
  const given = await DO[tool](codes);
  hint.hidden = true;
  if (!given || Object.values(given).some(value => value === null)) return;
  await bench.step(tool === "segment" ? "create" : tool, cells.layer === "grid_cells" ? given : { layer: cells.layer, ...given });
}

const bar = e("span", { className: "bar-of-tools" });
const layer = e("select", { ariaLabel: say("图层", "Layer"), onchange: () => { cells.turn(layer.value); } },
  e("option", { value: "grid_cells", textContent: say("网格", "Grid cells") }), e("option", { value: "patrol_zones", textContent: say("巡控责任区", "Patrol zones") }));
function arm() {
  bar.replaceChildren(...Object.entries(tools()).map(([tool, [key]]) => e("button", { className: "tool", data: { tool }, title: `${NAMES[tool]} (${key.toUpperCase()})`, onclick: () => use(tool) },
    NAMES[tool], e("kbd", { textContent: key.toUpperCase() }))));
  level.hidden = cells.layer !== "grid_cells";
  choosing([...cells.chosen.values()]);
}
const chosen = e("p", { className: "chosen quiet" });
const snap = e("p", { className: "quiet snap" });
const reason = e("input", { className: "reason", maxLength: 2000, placeholder: say("下一步的原因（记入历史）", "Reason of the next step (kept)"), onchange: () => { bench.reason = reason.value; } });
const level = e("select", { ariaLabel: say("层级", "Level"), onchange: () => { cells.level = Number(level.value) || null; cells.cells.load(); } },
  e("option", { value: "", textContent: say("层级：随缩放", "Level: by zoom") }), ...page.levels.map(one => e("option", { value: one.grid_level, textContent: page.lang === "zh" ? one.name_zh : one.name_en })));
const grounds = CHOICES.length > 1 ? e("select", { ariaLabel: say("底图", "Base map"), onchange: ({ target }) => ground.show(target.value) }, ...CHOICES.map(value => e("option", { value, textContent: value, selected: value === ground.choice }))) : null;
const busy = e("progress", { className: "busy", hidden: true });
const problem = e("p", { className: "problem", hidden: true, onclick: () => { problem.hidden = true; } });
problem.setAttribute("role", "alert");

function choosing(list) {
  const can = bench.canEdit;
  for (const tool of bar.children) tool.disabled = !can || !fits(tool.dataset.tool, list.length);
  chosen.textContent = list.length ? list.map(cell => `${cell.name} ${cell.grid_code}${cell.household_count ? say(` · ${cell.household_count} 户`, ` · ${cell.household_count} households`) : ""}`).join("　")
    : bench.draft ? say("点击网格以选中；按住 Shift 多选", "Click a cell to choose it; Shift-click for more") : say("先打开或新建一个草案", "Open or begin a draft");
}

// --- panels ----------------------------------------------------------------------------------
const handle = e("label", { className: "swipe panel", hidden: true }, e("span", { textContent: say("◀ 改前", "◀ before") }),
  e("input", { type: "range", min: 0, max: 1000, value: 500, ariaLabel: say("改前与改后", "Before and after") }), e("span", { textContent: say("改后 ▶", "after ▶") }), e("i"));
const swipe = new Swipe(map, handle);
const panels = [new CheckPanel(bench, cells), new ImpactPanel(bench, swipe, map), new HistoryPanel(bench, swipe, cells)];
let shown = panels[0];
const tabs = e("div", { className: "tabs" }, ...panels.map(panel => e("button", { className: "tab", textContent: panel.title, onclick: () => turn(panel) })));
tabs.setAttribute("role", "tablist");
const desk = e("div", { className: "content" });

function turn(panel) {
  shown = panel;
  swipe.hide();
  if (cells.moment) cells.travel(null);
  [...tabs.children].forEach((tab, at) => tab.setAttribute("aria-selected", panels[at] === panel));
  desk.replaceChildren(panel.box);
  return panel.load();
}

const drafts = new DraftsPanel(bench);
main.append(drafts.box,
  e("div", { className: "tools panel" }, e("div", { className: "row" }, layer, bar, reason, level, grounds ?? ""), chosen, snap),
  e("aside", { className: "right panel" }, tabs, desk), handle, hint, problem, busy);

// --- what happens ----------------------------------------------------------------------------
bench.on("busy", count => { busy.hidden = !count; choosing([...cells.chosen.values()]); });
bench.on("problem", message => { problem.hidden = !message; problem.textContent = message ?? ""; });
bench.on("layer", arm);
bench.on("chosen", choosing);
bench.on("stepped", () => {
  reason.value = bench.reason = "";
  cells.choose([]); // what was chosen is not what it was
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
map.on("zoomend moveend", () => { snap.textContent = cells.snapTolerance(); });
ground.onChange(choice => { base.isShown = choice !== "none"; cells.load(); });
const renew = together(() => Promise.all([cells.load(), drafts.refresh(), shown.load()]));
listen(["edition"], renew, renew);

document.addEventListener("keydown", event => {
  if (event.key === "Escape") { cells.cancel(); cells.choose([]); hint.hidden = true; return; }
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.altKey || document.querySelector("dialog[open]")) return;
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
