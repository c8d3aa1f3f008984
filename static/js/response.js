// The response page: circles and what they cover, who gets there first, closures, siting of posts, patrols.
import { BaseMap } from "./basemap.js";
import { Card } from "./card.js";
import { closuresPanel } from "./closures.js";
import { coveragePanel } from "./coverage.js";
import { base, LiveLayer, LOOKS, OUTLINES } from "./layers.js";
import { e, head, page, say } from "./office.js";
import { patrolPanel } from "./patrol.js";
import { every, listen, poll, together } from "./server.js";
import { sitingPanel } from "./siting.js";
import { locale } from "./text.js";
import { trackBar } from "./track.js";

const LOOK_AGAIN_MS = 2000;
const NOW_AND_THEN_MS = 30000;
const map = window[page.map];
const main = head();
const ground = new BaseMap(map);
const may = right => page.person.rights.includes(right);

map.setMaxZoom(19);
map.doubleClickZoom.disable();
map.createPane("labels").style.zIndex = 650;
map.getPane("labels").style.pointerEvents = "none";
window.L.control.scale({ imperial: false, maxWidth: 160 }).addTo(map);
map.pm.setLang(page.lang);
const SHOWN = ["response_circles", "road_closures", "police_posts", "patrol_units", ...(may("incidents.read") ? ["incidents"] : [])];
let joined = ""; // by what circles are joined
const circles = { ...LOOKS.find(one => one.name === "response_circles"), from: 9 };
circles.address = (bbox, zoom) => (joined ? `/response/unions?by=${joined}&bbox=${bbox}` : `/collections/response_circles/items?bbox=${bbox}&zoom=${zoom}`);
const lookOf = name => (name === circles.name ? circles : LOOKS.find(one => one.name === name));
const layers = [new LiveLayer(map, OUTLINES, 0), ...SHOWN.map((name, at) => new LiveLayer(map, lookOf(name), at + 1))];
const layerOf = name => layers.find(layer => layer.look.name === name);
const card = new Card(map, () => layerOf("incidents")?.load());
const track = trackBar(map);
let isDrawing = false;
map.on("click", ({ latlng, feature, layer }) => {
  if (isDrawing) return;
  if (layer === "patrol_units") track.show(feature.properties);
  card.show(latlng.lat, latlng.lng, layer === "incidents" ? feature.properties.incident_id : undefined);
});

// --- how far the circles are -------------------------------------------------------------------
const drawing = e("progress", { className: "drawing", hidden: true });
const roads = e("p", { className: "quiet roads" });
const isolated = e("p", { className: "bad", hidden: true });
async function lookAtDrawing() {
  const told = await poll("/response/drawing", { patience: 0 });
  drawing.hidden = told.done >= told.total;
  Object.assign(drawing, { max: told.total || 1, value: told.done });
  roads.textContent = told.roads ? say(`道路：${told.roads.extract}（${new Date(told.roads.built_at).toLocaleDateString(locale)}）`, `Roads: ${told.roads.extract} (${new Date(told.roads.built_at).toLocaleDateString(locale)})`)
    : say("没有路网：时间均为估算（虚线）。导入：geo-grid import roads 文件.osm.pbf", "No road graph: all times are estimates (dashed). Import one: geo-grid import roads FILE.osm.pbf");
  isolated.hidden = !told.isolated.length;
  isolated.textContent = say(`无法驶出：${told.isolated.join("、")}`, `Cut off from the roads: ${told.isolated.join(", ")}`);
}

// --- tabs: what is covered, where posts should be, patrols ------------------------------------------
const closures = closuresPanel(map, is => { isDrawing = is; });
const coverage = may("incidents.read") ? coveragePanel(map, by => { joined = by; layerOf(circles.name).load(); }) : null;
const siting = may("boundaries.draft") ? sitingPanel(map) : null;
const patrol = patrolPanel(map);
const TABS = [
  { name: say("覆盖", "Coverage"), parts: [coverage?.panel, closures.panel], look: () => coverage?.look() },
  ...(siting ? [{ name: say("选址", "Siting"), parts: [siting.panel], look: siting.look, clear: siting.clear }] : []),
  { name: say("巡逻", "Patrol"), parts: [patrol.panel], look: patrol.look, clear: patrol.clear },
];
const content = e("div");
const buttons = TABS.map(tab => e("button", { className: "tab", role: "tab", textContent: tab.name, onclick: () => open(tab) }));
let opened = null;
function open(tab) {
  opened?.clear?.();
  opened = tab;
  buttons.forEach((button, at) => button.setAttribute("aria-selected", TABS[at] === tab));
  content.replaceChildren(...tab.parts.filter(Boolean));
  return Promise.resolve(tab.look()).catch(error => content.append(e("p", { className: "bad", textContent: error.message })));
}
main.append(e("section", { className: "left panel" }, e("div", { className: "tabs", role: "tablist" }, ...buttons), content, roads, drawing, isolated,
  e("p", { className: "quiet", textContent: say("点击地图任一点：谁先到、多久到。点击力量：回放轨迹。虚线响应圈为估算。", "Click anywhere: who is there first, and when. Click a unit: where it was. Dashed circles are estimates.") })));

// What happens is told at once: circles as they are drawn, closures, units that move.
const changed = new Set();
const redraw = together(() => {
  const some = new Set(changed);
  changed.clear();
  return Promise.all([
    ...layers.filter(layer => some.has(layer.look.name)).map(layer => layer.load(true)),
    some.has("road_closures") ? closures.look() : null, some.has("response_circles") ? coverage?.look() : null,
  ]);
});
const all = ["road_closures", "response_circles", ...layers.map(layer => layer.look.name)];
const look = names => { names.forEach(name => changed.add(name)); redraw(); };
listen(["layer"], (_, name) => look(name ? [name] : all), () => look(all));
const lookNowAndThen = () => Promise.all([coverage?.lookAtBareZones(), opened?.look === patrol.look ? patrol.look() : null]);
every(NOW_AND_THEN_MS, lookNowAndThen);
every(LOOK_AGAIN_MS, lookAtDrawing);

document.addEventListener("keydown", event => {
  if (event.key === "Escape") { map.pm.disableDraw(); card.close(); track.close(); }
});
ground.onChange(choice => {
  base.isShown = choice !== "none";
  layers.forEach(layer => layer.load(true));
});
if (ground.choice !== "none") ground.show(ground.choice).catch(() => {});
Promise.all([open(TABS[0]), lookAtDrawing().catch(() => {}), closures.look(), lookNowAndThen().catch(() => {}), ...layers.map(layer => layer.load())]).then(() => { document.body.dataset.ready = "yes"; });
