// The wall: what is open, where, and who has it, for people who stand ten metres away; it lives by itself for weeks.
import { BaseMap } from "./basemap.js";
import { lookingFor } from "./cameras/looking.js";
import { forget } from "./canvas/sprites.js";
import { Card } from "./card.js";
import { element, isTyping } from "./element.js";
import { follow } from "./events.js";
import { holesPanel } from "./holes.js";
import { base, lookNamed, OUTLINES, shownLooks } from "./layers.js";
import { LiveLayer } from "./live_layer.js";
import { cityMap, onClick } from "./map.js";
import { may, page, ready } from "./page.js";
import { namesOf, pictureButton } from "./picture.js";
import { scale } from "./scale.js";
import { ask, poll } from "./server.js";
import { sightOf } from "./sight.js";
import { say } from "./text.js";
import { every } from "./timing.js";
import { Alarm } from "./wall/alarm.js";
import { layOut } from "./wall/canvas.js";
import { Filters } from "./wall/filters.js";
import { forcesPanel } from "./wall/forces.js";
import { headOf } from "./wall/head.js";
import { Heartbeat } from "./wall/heartbeat.js";
import { helpDrawer, switchLanguage } from "./wall/help.js";
import { legend } from "./wall/legend.js";
import { Pictures } from "./wall/pictures.js";
import { isLate, Stream } from "./wall/stream.js";
import { Tour } from "./wall/tour.js";
import { showWantedView } from "./view.js";

const { L } = window;
const REFRESH_MS = 10000; // walls commonly use 10 to 30 s; no official number exists
const CLOSE = 15;
const reads = may("incidents.read");

layOut();
const map = cityMap();
const ground = new BaseMap(map);
const main = element("main", { className: "map" }, map.getContainer());
document.body.prepend(main);

map.options.zoomSnap = 0.25; // so that the city fills the map
function wholeCity() {
  map.invalidateSize({ animate: false });
  if (page.bounds) {
    const [west, south, east, north] = page.bounds;
    const padding = /** @type {[number, number]} */ ([16 * scale.is, 20 * scale.is]);
    map.fitBounds(L.latLngBounds([south, west], [north, east]), { animate: false, padding });
  }
}
wholeCity();
let width = innerWidth;
addEventListener("resize", () => {
  if (width !== innerWidth) layOut();
  width = innerWidth;
  map.invalidateSize({ animate: false });
});

// --- layers -----------------------------------------------------------------------------------
const outlines = new LiveLayer(map, OUTLINES, 0);
const pointOf = /** @type {NonNullable<import("../types.js").LayerLook["point"]>} */ (lookNamed("incidents").point);
/** @param {import("../types.js").LayerLook} drawn */
const forWall = drawn =>
  drawn.name === "incidents"
    ? {
        ...drawn,
        filter: ({ properties }) => filters.lets(properties),
        point: (feature, zoom) => {
          const matter = stream.matters.get(feature.properties.incident_id);
          return { ...pointOf(feature, zoom), isLate: Boolean(matter && isLate(matter)) };
        },
      }
    : drawn;
const layers = shownLooks().map((drawn, at) => new LiveLayer(map, forWall(drawn), at + 1));
const cameras = /** @type {LiveLayer} */ (layers.find(one => one.look.name === "cameras"));
const sight = sightOf(map, cameras);
const notAll = element("span", { className: "quiet" });
const looking = lookingFor(map, cameras, sight.layers, is => {
  notAll.textContent = is ? say("notAllCameras") : "";
});
const everyLayer = [outlines, ...sight.layers, ...layers];
const layerOf = name => layers.find(layer => layer.look.name === name);
const incidents = layerOf("incidents");

// --- what is open -----------------------------------------------------------------------------
const heartbeat = new Heartbeat(() => {
  renew();
  everyLayer.forEach(layer => layer.load(true));
});
const filters = new Filters(() => {
  stream.show();
  incidents?.redraw();
});
const alarm = new Alarm(map, () => stream.show());
const stream = new Stream(show, raise, alarm, one => filters.lets(one));
const tour = new Tour(
  map,
  wholeCity,
  () => outlines.features,
  () => stream.wanted(),
);
const pictures = new Pictures();
tour.isHeld = () => pictures.isShown;
const card = new Card(
  map,
  () => {
    renew();
    incidents?.load();
  },
  shown => pictures.offer(shown),
);

/** @param {import("../types.js").Matter} matter */
function show(matter) {
  stream.choose(matter.incident_id);
  map.setView([matter.lat, matter.lon], Math.max(map.getZoom(), CLOSE), { animate: false });
  return card.show(matter.lat, matter.lon, matter.incident_id);
}

/** @param {import("../types.js").Matter} matter that was not known before */
function raise(matter) {
  if (filters.lets(matter) && alarm.raise(matter)) tour.visit(matter);
}

async function look() {
  if (!reads) await poll("/session", { patience: 0 }); // a heartbeat all the same
  else {
    const [counts] = await Promise.all([poll("/incidents/counts", { patience: 0 }), stream.load()]);
    stream.open = counts.open;
    for (const name of /** @type {const} */ (["unassigned", "under_way", "overdue"])) head.set(name, counts[name]);
    const known = [...stream.matters.values()];
    known.forEach(matter => alarm.settle(matter));
    filters.show(known);
    stream.show();
  }
  heartbeat.beat();
}
const renew = () => look().catch(() => {});

// --- the page ---------------------------------------------------------------------------------
const help = helpDrawer(
  element(
    "div",
    {},
    legend(ground, layers),
    ...looking.parts,
    page.person?.isKiosk ? null : pictureButton(map, () => ({ theme: ground.theme, layers: namesOf(layers) })),
  ),
  ({ lat, lon }) => {
    map.setView([lat, lon], Math.max(map.getZoom(), CLOSE), { animate: false });
    card.show(lat, lon);
  },
  () => {
    unheard(); // stop listening
    sight.stop();
    unasked();
  },
);
const head = headOf(heartbeat.fresh, notAll, reads ? alarm.voice : null, tour.button, help.button);
const reached = layerOf("live_coverage");
const holes = holesPanel(
  ({ lon, lat }) => {
    map.setView([lat, lon], Math.max(map.getZoom(), 13), { animate: false });
    if (!reached?.visible) reached?.toggle();
  },
  answer => {
    reached?.load(true);
    head.set("free", answer.free);
    head.setSilent(answer.silent);
  },
);
const forces = forcesPanel(({ geometry: { coordinates }, properties }) => {
  const [lon, lat] = coordinates;
  map.setView([lat, lon], Math.max(map.getZoom(), CLOSE), { animate: false });
  card.show(lat, lon);
  return properties;
});
main.append(heartbeat.banner, tour.told);
const isTight = document.body.dataset.cols === "2"; // every line there is one of incidents less
document.body.append(
  head.head,
  head.numerals,
  element(
    "section",
    { className: "stream", ariaLabel: say("openIncidents") },
    ...(reads ? [alarm.strip, ...(isTight ? [] : [filters.box]), stream.list, stream.more] : []),
  ),
  forces,
  holes,
  help.drawer,
);
if (isTight) help.drawer.append(filters.box);

onClick(map, ({ latlng, feature, layer }) => {
  if (looking.sector.isDrawing) return;
  if (layer === "police_posts") card.circles(feature.properties.post_code);
  card.show(latlng.lat, latlng.lng, layer === "incidents" ? feature.properties.incident_id : undefined);
});
const unasked = every(REFRESH_MS, () => {
  incidents?.load(true);
  return look();
});

// Events reload parts at once; the interval is for events that were missed.
/** @param {string} kind @param {string} data name of the layer, or the incident as it is now */
function staleBy(kind, data) {
  heartbeat.beat();
  if (kind === "edition") return everyLayer;
  if (kind === "layer") return layers.filter(layer => isDrawnFrom(layer, data));
  if (kind === "incident") stream.hear(JSON.parse(data)); // shown before anything is asked
  return incidents ? [incidents] : [];
}
const unheard = follow(
  ["incident", "incidents", "edition", "layer"],
  staleBy,
  () => everyLayer,
  old => Promise.all([renew(), ...[...old].map(layer => layer.load(true))]),
);
function isDrawnFrom(layer, name) {
  return !name || layer.look.name === name || (name === "police_posts" && layer.look.name === "response_circles");
}

ground.onChange(choice => {
  base.isShown = choice !== "none";
  everyLayer.forEach(layer => layer.redraw()); // in the colours of the theme
});
if (ground.choice !== "none")
  ground.show(ground.choice).catch(error => {
    heartbeat.banner.title = error.message;
  });
document.fonts.addEventListener("loadingdone", () => {
  forget();
  everyLayer.forEach(layer => layer.redraw());
});

/** @type {Record<string, () => void>} */
const KEYS = {
  a: () => alarm.acknowledge(),
  m: () => alarm.sound.mute(),
  t: () => tour.toggle(),
  h: wholeCity,
  j: () => stream.step(1),
  k: () => stream.step(-1),
  l: switchLanguage,
  b: () => ground.next(),
  v: () => pictures.begin(),
  "/": () => help.find(),
  "?": () => help.toggle(),
};
document.addEventListener("keydown", event => {
  if (event.key === "Escape") {
    card.close();
    help.toggle(false);
    /** @type {HTMLElement | null} */ (document.activeElement)?.blur();
    return;
  }
  if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
  // 0 is the tenth
  if (/^\d$/.test(event.key)) layers[(Number(event.key) + 9) % 10]?.toggle();
  const act = KEYS[event.key.toLowerCase()];
  if (!act) return;
  event.preventDefault();
  act();
});

if (page.isEmpty) main.append(element("p", { className: "empty panel", textContent: say("cityIsEmpty") }));
if (page.person?.isKiosk || new URL(location.href).searchParams.has("tour")) tour.toggle();
// Shows the incident of the page's address: its owner when it was recorded, and the present owner of its place.
async function openWanted() {
  const wanted = new URL(location.href).searchParams.get("incident");
  if (wanted && reads) await show(await ask(`/incidents/${encodeURIComponent(wanted)}`));
}
openWanted().catch(() => {});
wholeCity(); // now that the panels have their places
showWantedView(map);
Promise.all([renew(), ...everyLayer.map(layer => layer.load())]).then(ready);
