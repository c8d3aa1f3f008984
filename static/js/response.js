// The response page: circles and what they cover, who gets there first, closures, siting of posts, patrols.
import { BaseMap } from "./basemap.js";
import { cameraCoveragePanel } from "./cameras/coverage.js";
import { lookingFor } from "./cameras/looking.js";
import { Card } from "./card.js";
import { closuresPanel } from "./closures.js";
import { coveragePanel } from "./coverage.js";
import { element } from "./element.js";
import { follow } from "./events.js";
import { addLists } from "./in_view.js";
import { base, lookNamed, OUTLINES, shownLooks } from "./layers.js";
import { LiveLayer } from "./live_layer.js";
import { head } from "./office.js";
import { cityMap, onClick } from "./map.js";
import { may, page, ready } from "./page.js";
import { patrolPanel } from "./patrol.js";
import { namesOf, pictureButton } from "./picture.js";
import { poll } from "./server.js";
import { sightOf } from "./sight.js";
import { sitingPanel } from "./siting.js";
import { day, listed, say } from "./text.js";
import { every } from "./timing.js";
import { trackBar } from "./track.js";
import { keepView } from "./view.js";

const LOOK_AGAIN_MS = 2000;
const NOW_AND_THEN_MS = 30000;
const map = cityMap();
const note = addLists(map);
keepView(map);
const main = head(pictureButton(map, () => ({ theme: ground.theme, layers: namesOf(layers) })));
const ground = new BaseMap(map);

map.doubleClickZoom.disable();
map.pm.setLang(page.lang);

let joined = ""; // the grouping by which circles are joined; empty: none
const circles = { ...lookNamed("response_circles"), from: 9 };
circles.address = (bbox, zoom) =>
  joined
    ? `/response/unions?by=${joined}&bbox=${bbox}`
    : `/collections/response_circles/items?bbox=${bbox}&zoom=${zoom}`;
const CHANGED = { [circles.name]: circles, cameras: { ...lookNamed("cameras"), off: true } };
const layers = [OUTLINES, ...shownLooks()].map((look, at) => new LiveLayer(map, CHANGED[look.name] ?? look, at));
const layerOf = name => layers.find(layer => layer.look.name === name);
const cameras = /** @type {LiveLayer} */ (layerOf("cameras"));
const sight = sightOf(map, cameras).layers;
layers.push(...sight);
const looking = lookingFor(map, cameras, sight, is => note(is ? say("notAllCameras") : ""));
const card = new Card(map, () => layerOf("incidents")?.load());
const track = trackBar(map);
let isDrawing = false;
onClick(map, ({ latlng, feature, layer }) => {
  if (isDrawing || looking.sector.isDrawing) return;
  if (layer === "patrol_units") track.show(feature.properties);
  card.show(latlng.lat, latlng.lng, layer === "incidents" ? feature.properties.incident_id : undefined);
});

// --- how far the circles are -------------------------------------------------------------------
const drawing = element("progress", { className: "drawing", hidden: true });
const roads = element("p", { className: "quiet roads" });
const isolated = element("p", { className: "bad", hidden: true });
async function lookAtDrawing() {
  const told = await poll("/response/drawing", { patience: 0 });
  drawing.hidden = told.done >= told.total;
  Object.assign(drawing, { max: told.total || 1, value: told.done });
  roads.textContent = told.roads
    ? say("roadGraph", { extract: told.roads.extract, day: day(told.roads.built_at) })
    : say("noRoadGraph");
  isolated.hidden = !told.isolated.length;
  isolated.textContent = say("cutOff", { names: listed(told.isolated) });
}

// --- tabs: what is covered, where posts should be, patrols ------------------------------------------
const closures = closuresPanel(map, is => {
  isDrawing = is;
});
const coverage = may("incidents.read")
  ? coveragePanel(map, by => {
      joined = by;
      layerOf(circles.name)?.load();
    })
  : null;
const siting = may("boundaries.draft") ? sitingPanel(map) : null;
const patrol = patrolPanel(map);
const seen = cameraCoveragePanel(map, looking.parts);
/** @param {boolean} is whether cameras are shown, as while their tab is open */
const showCameras = is => (cameras.visible === is ? null : cameras.toggle());
const TABS = [
  { name: say("coverage"), parts: [coverage?.panel, closures.panel], look: () => coverage?.look() },
  ...(siting ? [{ name: say("siting"), parts: [siting.panel], look: siting.look, clear: siting.clear }] : []),
  {
    name: say("cameras"),
    parts: [seen.panel],
    look: () => Promise.all([showCameras(true), seen.look()]),
    clear: () => {
      seen.clear();
      looking.sector.clear();
      showCameras(false);
    },
  },
  { name: say("patrol"), parts: [patrol.panel], look: patrol.look, clear: patrol.clear },
];
const content = element("div");
const buttons = TABS.map(tab =>
  element("button", { className: "tab", role: "tab", textContent: tab.name, onclick: () => open(tab) }),
);
let opened = null;
function open(tab) {
  opened?.clear?.();
  opened = tab;
  buttons.forEach((button, at) => button.setAttribute("aria-selected", String(TABS[at] === tab)));
  content.replaceChildren(...tab.parts.filter(Boolean));
  return Promise.resolve(tab.look()).catch(error =>
    content.append(element("p", { className: "bad", textContent: error.message })),
  );
}
main.append(
  element(
    "section",
    { className: "left panel" },
    element("div", { className: "tabs", role: "tablist" }, ...buttons),
    content,
    roads,
    drawing,
    isolated,
    element("p", { className: "quiet", textContent: say("responseHelp") }),
  ),
);

// Events reload layers at once: circles, closures, units.
const allNames = ["road_closures", "response_circles", ...layers.map(layer => layer.look.name)];
follow(
  ["layer"],
  (_, name) => (name ? [name] : allNames),
  () => allNames,
  names =>
    Promise.all([
      ...layers.filter(layer => names.has(layer.look.name)).map(layer => layer.load(true)),
      names.has("road_closures") ? closures.look() : null,
      names.has("response_circles") ? coverage?.look() : null,
    ]),
);
const lookNowAndThen = () =>
  Promise.all([coverage?.lookAtBareZones(), opened?.look === patrol.look ? patrol.look() : null]);
every(NOW_AND_THEN_MS, lookNowAndThen);
every(LOOK_AGAIN_MS, lookAtDrawing);

document.addEventListener("keydown", event => {
  if (event.key === "Escape") {
    map.pm.disableDraw();
    card.close();
    track.close();
  }
});
ground.onChange(choice => {
  base.isShown = choice !== "none";
  layers.forEach(layer => layer.load(true));
});
if (ground.choice !== "none") ground.show(ground.choice).catch(() => {});
Promise.all([
  open(TABS[0]),
  lookAtDrawing().catch(() => {}),
  closures.look(),
  lookNowAndThen().catch(() => {}),
  ...layers.map(layer => layer.load()),
]).then(ready);
