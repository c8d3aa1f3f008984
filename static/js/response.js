// The response page: circles on the left with what they cover and what is closed, who gets there first on the right.
import { BaseMap } from "./basemap.js";
import { Card } from "./card.js";
import { drawOn } from "./draw.js";
import { base, LiveLayer, LOOKS, OUTLINES } from "./layers.js";
import { ask, e, field, head, page, say, write } from "./office.js";
import { poll } from "./server.js";
import { locale, text } from "./text.js";

const LOOK_AGAIN_MS = 2000;
const BARE_MS = 30000;
const TIERS = [1, 3, 5];
const MEASURES = [["area", say("面积", "Area")], ["households", say("户数", "Households")], ["incidents", say("警情", "Incidents")], ["key_places", say("重点部位", "Key places")],
  ["own_incidents", say("警情（本责任区圈内）", "Incidents in their own zone's circles")]];
const map = window[page.map];
const main = head();
const ground = new BaseMap(map);
const seesIncidents = page.person.rights.includes("incidents.read");
const mayClose = page.person.rights.includes("layers.write");

map.setMaxZoom(19);
map.doubleClickZoom.disable();
map.createPane("labels").style.zIndex = 650;
map.getPane("labels").style.pointerEvents = "none";
window.L.control.scale({ imperial: false, maxWidth: 160 }).addTo(map);
map.pm.setLang(page.lang);
const SHOWN = ["response_circles", "road_closures", "police_posts", "patrol_units", ...(seesIncidents ? ["incidents"] : [])];
const layers = [new LiveLayer(map, OUTLINES, 0), ...SHOWN.map((name, at) => new LiveLayer(map, LOOKS.find(one => one.name === name), at + 1))];
const card = new Card(map, () => layers.at(-1).load());
let isDrawing = false;
map.on("click", ({ latlng, feature, layer }) => {
  if (!isDrawing) card.show(latlng.lat, latlng.lng, layer === "incidents" ? feature.properties.incident_id : undefined);
});

// --- how far the circles are -------------------------------------------------------------------
const drawing = e("progress", { className: "drawing", hidden: true });
const roads = e("p", { className: "quiet roads" });
const isolated = e("p", { className: "bad", hidden: true });
async function lookAtDrawing() {
  const told = await poll("/response/drawing");
  drawing.hidden = told.done >= told.total;
  Object.assign(drawing, { max: told.total || 1, value: told.done });
  roads.textContent = told.roads ? say(`道路：${told.roads.extract}（${new Date(told.roads.built_at).toLocaleDateString(locale)}）`, `Roads: ${told.roads.extract} (${new Date(told.roads.built_at).toLocaleDateString(locale)})`)
    : say("没有路网：时间均为估算（虚线）。导入：geo-grid import roads 文件.osm.pbf", "No road graph: all times are estimates (dashed). Import one: geo-grid import roads FILE.osm.pbf");
  isolated.hidden = !told.isolated.length;
  isolated.textContent = say(`无法驶出：${told.isolated.join("、")}`, `Cut off from the roads: ${told.isolated.join(", ")}`);
}

// --- what is closed ------------------------------------------------------------------------------
const closures = e("ul", { className: "closures" });
const problem = e("p", { className: "bad", hidden: true });
problem.setAttribute("role", "alert");
const hint = e("p", { className: "hint", hidden: true });
const named = field(say("名称", "Name"), "name", { maxLength: 200, placeholder: say("例：桥梁检修", "e.g. bridge works") });
const tool = (shape, kind, label, told) => e("button", { className: "tool", type: "button", data: { tool: kind }, textContent: label, onclick: () => close(shape, kind, told) });
const tools = e("div", { className: "row" },
  tool("Line", "closed", say("封闭道路", "Close a road"), say("画一条线横跨道路；双击结束，Esc 取消", "Draw a line across the road; double-click ends it, Esc gives up")),
  tool("Polygon", "avoided", say("避让区域", "Area to avoid"), say("画出要避让的区域；双击结束，Esc 取消", "Draw the area to avoid; double-click ends it, Esc gives up")));

async function close(shape, kind, told) {
  hint.textContent = told;
  hint.hidden = false;
  isDrawing = true;
  const geometry = await drawOn(map, shape);
  hint.hidden = true;
  setTimeout(() => { isDrawing = false; }, 100); // the click that ends a drawing asks for no card
  if (!geometry) return;
  const input = named.querySelector("input");
  const code = `RC${Date.now().toString(36).toUpperCase()}`;
  const properties = { closure_code: code, name: input.value.trim() || new Date().toLocaleString(locale, { hour12: false }), closure_kind: kind };
  await tried(() => write("POST", "/collections/road_closures/items", { type: "Feature", geometry, properties }, { "Content-Type": "application/geo+json" }));
  input.value = "";
}

async function tried(change) {
  problem.hidden = true;
  try {
    await change();
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }
  await lookAtClosures();
}

async function lookAtClosures() {
  const { features } = await poll("/collections/road_closures/items?limit=100");
  closures.replaceChildren(...(features.length ? features.map(({ properties: { closure_code: code, name } }) => e("li", { data: { code } }, e("span", { textContent: name }),
    mayClose ? e("button", { className: "plain", textContent: say("开放", "Open"), onclick: () => tried(() => write("DELETE", `/collections/road_closures/items/${encodeURIComponent(code)}`)) }) : null))
    : [e("li", { className: "quiet", textContent: say("没有封闭的道路", "Nothing is closed") })]));
}

// --- what is covered -------------------------------------------------------------------------------
const by = e("select", { ariaLabel: say("分组", "By"), onchange: lookAtCoverage }, ...[["city", say("全市", "City")], ["county", say("区县", "County")], ["township", say("乡镇", "Township")], ["zone", say("责任区", "Zone")], ["hour", say("时段", "Hour")]]
  .map(([value, textContent]) => e("option", { value, textContent })));
const measure = e("select", { ariaLabel: say("指标", "Measure"), onchange: lookAtCoverage }, ...MEASURES.map(([value, textContent]) => e("option", { value, textContent })));
const coverage = e("div", { className: "scroll" });
let asked = 0;
async function lookAtCoverage() {
  if (!seesIncidents) return; // they are part of the answer
  const mine = asked += 1;
  if (!coverage.children.length) coverage.replaceChildren(e("p", { className: "quiet", textContent: say("计算中…", "Working…") }));
  try {
    const { groups } = await ask(`/response/coverage?by=${by.value}`);
    if (mine !== asked) return; // a later question was asked meanwhile
    const percent = share => (share === null ? "–" : `${(share * 100).toFixed(1)} %`);
    const rows = groups.map(group => e("tr", { data: { code: group.code } }, e("td", { textContent: group.name || page.city[page.lang] }),
      ...group.tiers.map(tier => e("td", { className: `of${tier.tier_minutes}`, textContent: percent(tier[measure.value]) }))));
    coverage.replaceChildren(e("table", { className: "coverage" }, e("thead", {}, e("tr", {}, e("th"), ...TIERS.map(tier => e("th", { textContent: say(`${tier} 分钟`, `${tier} min`) })))), e("tbody", {}, ...rows)));
  } catch (error) {
    coverage.replaceChildren(e("p", { className: "bad", textContent: error.message }));
  }
}

// --- zones that nobody free is in ---------------------------------------------------------------------
const bare = e("ul", { className: "bare" });
async function lookAtBareZones() {
  if (!seesIncidents) return;
  const zones = await poll("/response/move-up");
  const told = ({ suggestion: s }) => (s ? say(`${s.name} 可补位，${text.minutes(s.arrival_s)}`, `${s.name} could move up, ${text.minutes(s.arrival_s)}`) : say("无可补位力量", "nobody to spare"));
  const look = ({ lat, lon }) => map.setView([lat, lon], Math.max(map.getZoom(), 13));
  bare.replaceChildren(...(zones.length ? zones.slice(0, 12).map(zone => e("li", { data: { zone: zone.zone_code } },
    e("button", { className: "find", onclick: () => look(zone) }, e("span", { textContent: zone.name }), e("span", { className: "quiet", textContent: told(zone) }))))
    : [e("li", { className: "quiet", textContent: say("每个责任区都有可派力量", "Somebody is free in every zone") })]));
}

main.append(e("section", { className: "left panel" },
  e("h2", { textContent: say("1、3、5 分钟覆盖", "Covered within 1, 3, 5 minutes") }), e("div", { className: "row" }, by, measure), coverage,
  seesIncidents ? e("h2", { textContent: say("无可派力量的责任区", "Zones with nobody free") }) : null, seesIncidents ? bare : null,
  e("h2", { textContent: say("封闭与避让", "Closed or avoided") }), mayClose ? named : null, mayClose ? tools : null, problem, closures,
  roads, drawing, isolated,
  e("p", { className: "quiet", textContent: say("点击地图任一点：谁先到、多久到。虚线响应圈为估算。", "Click anywhere: who is there first, and when. Dashed circles are estimates.") })), hint);

// What happens is told at once: circles as they are drawn, closures, units that move.
const happens = new EventSource("/events");
let due = 0;
const changed = new Set();
happens.addEventListener("layer", ({ data }) => {
  changed.add(data);
  clearTimeout(due);
  due = setTimeout(() => {
    layers.filter(layer => changed.has(layer.look.name)).forEach(layer => layer.load(true));
    if (changed.has("road_closures")) lookAtClosures();
    if (changed.has("response_circles")) lookAtCoverage();
    changed.clear();
  }, 300);
});
setInterval(() => lookAtBareZones().catch(() => {}), BARE_MS);
setInterval(() => lookAtDrawing().catch(() => {}), LOOK_AGAIN_MS);

document.addEventListener("keydown", event => {
  if (event.key === "Escape") { map.pm.disableDraw(); card.close(); }
});
ground.onChange(choice => {
  base.isShown = choice !== "none";
  layers.forEach(layer => layer.load(true));
});
if (ground.choice !== "none") ground.show(ground.choice).catch(() => {});
Promise.all([lookAtDrawing(), lookAtClosures(), lookAtCoverage(), lookAtBareZones().catch(() => {}), ...layers.map(layer => layer.load())]).then(() => { document.body.dataset.ready = "yes"; });
