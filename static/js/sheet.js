// A sheet of paper: a part of the map at its scale, with legend, north arrow, time, edition and source.
import { BaseMap, CHOICES } from "./basemap.js";
import { element } from "./element.js";
import { base, OUTLINES, shownLooks } from "./layers.js";
import { LiveLayer } from "./live_layer.js";
import { useTheme } from "./look.js";
import { pane } from "./map.js";
import { drawing } from "./marks.js";
import { page, pageMap } from "./page.js";
import { ask } from "./server.js";
import { painted } from "./signs.js";
import { moment, named, number, say } from "./text.js";
import { showWantedView, wantedView } from "./view.js";

const { L } = window;
const { sheet } = page;
const M_PER_PIXEL = 0.0254 / 96; // of paper: a CSS pixel is 1/96 inch
const EQUATOR_M_PER_PIXEL = 156543.03392804097; // of EPSG:3857 at zoom 0, tiles of 256 pixels
const PATIENCE_MS = 40000;
const NORTH = [
  { line: "M12 1 18 20 12 16 6 20z", fill: "#1b2733", stroke: "none", width: 0 },
  { line: "M12 1 12 16 6 20z", fill: "#8b98a5", stroke: "none", width: 0 },
];
const STATES = { before: "#c62828", after: "#1b7f4b" };

const [width, height] = sheet.paper;
document.head.append(
  element("style", {
    textContent:
      `@page { size: ${width}mm ${height}mm; margin: 0 }` + ` body { width: ${width}mm; height: ${height}mm }`,
  }),
);
const map = pageMap();
const legend = element("ul", { className: "legend" });
const imprint = element("div", { className: "imprint" });
document.body.append(
  element(
    "header",
    {},
    element("h1", { textContent: page.title }),
    page.isDemo ? element("b", { className: "demo", textContent: say("demoData") }) : null,
  ),
  element(
    "div",
    { className: "ground" },
    map.getContainer(),
    element("figure", { className: "north", ariaLabel: say("north") }, drawing(NORTH), say("northLetter")),
  ),
  element("footer", {}, legend, imprint),
);
map.options.zoomSnap = 0;
map.setMaxZoom(24);
map.zoomControl?.remove();
map.invalidateSize({ animate: false });

if (wantedView()) showWantedView(map);
else if (page.bounds) {
  const [west, south, east, north] = page.bounds;
  map.fitBounds(L.latLngBounds([south, west], [north, east]), { animate: false, padding: [12, 12] });
}
const narrow = () => Math.cos((map.getCenter().lat * Math.PI) / 180);
if (sheet.scale) {
  const zoom = Math.log2((EQUATOR_M_PER_PIXEL * narrow()) / (sheet.scale * M_PER_PIXEL));
  map.setView(map.getCenter(), zoom, { animate: false });
}
const scale = (EQUATOR_M_PER_PIXEL * narrow()) / 2 ** map.getZoom() / M_PER_PIXEL;
L.control.scale({ imperial: false, maxWidth: 200, position: "bottomleft" }).addTo(map);

const ground = new BaseMap(map, CHOICES.includes(sheet.theme) ? sheet.theme : "none");
useTheme(sheet.theme, map.getContainer());
base.isShown = ground.choice !== "none";
const layers = [OUTLINES, ...shownLooks()].map((one, at) => new LiveLayer(map, { ...one, off: false }, at));

/** Resolves when the base map is drawn. */
async function drawGround() {
  if (ground.choice === "none") return;
  await ground.show(ground.choice);
  const drawn = /** @type {any} */ (ground.layer);
  if (drawn?.isLoading?.()) await new Promise(done => drawn.once("load", done));
}

/** @param {string} color @param {boolean} [isDashed] */
function box(color, isDashed = false, fillColor = color) {
  const made = element("i");
  made.style.border = `2px ${isDashed ? "dashed" : "solid"} ${color}`;
  made.style.background = `color-mix(in srgb, ${fillColor} 22%, transparent)`;
  return made;
}

/** @param {import("../types.js").LayerLook} one @returns {[Node, string][]} what it is drawn as, and what that is */
function signsOf(one) {
  const name = named("layers", one.title ?? one.name);
  if (one.point) {
    return [[element("span", { className: "sign" }, drawing(painted(one.name, "", sheet.theme))), name]];
  }
  const kinds = one.name === "response_circles" ? [1, 3, 5] : [1];
  return kinds.map(kind => {
    const properties = { grid_level: kind, tier_minutes: kind };
    const { color = "", dashArray, fillColor } = one.style?.({ properties }) ?? {};
    const told = kinds.length > 1 ? `${name} ${say("minutesOfTier", { minutes: kind })}` : name;
    return [box(color, Boolean(dashArray), fillColor), told];
  });
}

/** Draws what a draft changes, and returns the lines of the legend about it. @returns {Promise<[Node, string][]>} */
async function drawDraft() {
  if (!sheet.draft) return [];
  const [draft, changes] = await Promise.all([
    ask(`/boundaries/drafts/${sheet.draft}`),
    ask(`/boundaries/drafts/${sheet.draft}/changes`),
  ]);
  pane(map, "changes", 450);
  for (const state of /** @type {const} */ (["before", "after"])) {
    const features = changes.features.filter(
      ({ properties }) => properties.state === state && !properties.is_divided,
    );
    L.geoJSON(/** @type {any} */ ({ type: "FeatureCollection", features }), {
      pane: "changes",
      interactive: false,
      renderer: L.svg({ pane: "changes" }),
      style: {
        color: STATES[state],
        weight: state === "after" ? 3 : 2,
        dashArray: state === "after" ? undefined : "6 5",
        fill: state === "after",
        fillOpacity: 0.15,
      },
    }).addTo(map);
  }
  return [
    [box(STATES.before, true, "transparent"), `${draft.title}: ${say("beforeChange")}`],
    [box(STATES.after), `${draft.title}: ${say("afterChange")}`],
  ];
}

const frame = () => new Promise(done => requestAnimationFrame(done));

async function fill() {
  const [changed] = await Promise.all([drawDraft(), drawGround(), ...layers.map(layer => layer.load())]);
  const failed = layers.find(layer => layer.state?.failed);
  if (failed) throw new Error(`${failed.look.name}: ${failed.state?.failed}`);
  legend.append(
    ...[...shownLooks().flatMap(signsOf), ...changed].map(([sign, name]) => element("li", {}, sign, name)),
  );
  imprint.append(
    element("b", { textContent: say("scaleIs", { scale: number(Math.round(scale), 0) }) }),
    ...[
      `${say("editionNumber", { edition: page.edition ?? 0 })} · ${moment(sheet.madeAt)}`,
      [page.city[page.lang], page.person?.name, base.isShown ? "© OpenStreetMap" : ""].filter(Boolean).join(" · "),
      layers.some(layer => layer.state?.truncated) ? say("sheetTruncated") : "",
    ].map(textContent => element("div", { textContent })),
  );
  await document.fonts.ready;
  await frame();
  await frame();
}

Promise.race([
  fill(),
  new Promise((_, fail) => {
    setTimeout(() => fail(new Error(say("doesNotAnswer"))), PATIENCE_MS);
  }),
]).then(
  () => {
    document.body.dataset.scale = String(Math.round(scale));
    document.body.dataset.ready = "yes";
  },
  error => {
    document.body.dataset.failed = error.message;
    document.body.prepend(element("p", { className: "bad", textContent: error.message }));
  },
);
