// The wall page: title bar, legend, list of open incidents, card.
import { BaseMap, CHOICES } from "./basemap.js";
import { Card } from "./card.js";
import { element, isTyping } from "./element.js";
import { follow } from "./events.js";
import { holesPanel } from "./holes.js";
import { base, LiveLayer, LOOKS, OUTLINES, sign } from "./layers.js";
import { logOut } from "./leave.js";
import { cityMap, onClick } from "./map.js";
import { now } from "./now.js";
import { may, page, ready } from "./page.js";
import { readPlace } from "./places.js";
import { ask, poll } from "./server.js";
import { ago, categoryName, moment, named, number, say, timeOfDay } from "./text.js";
import { every } from "./timing.js";

const REFRESH_MS = 15000; // walls commonly use 10 to 30 s; no official number exists
const map = cityMap();
const ground = new BaseMap(map);
const home = { centre: map.getCenter(), zoom: map.getZoom() };

// --- title bar -----------------------------------------------------------------------------
const clock = element("time", { className: "clock" });
const fresh = element("span", { className: "quiet" });
const other = page.lang === "zh" ? "en" : "zh";
const switchLanguage = () => {
  const address = new URL(location.href);
  address.searchParams.set("lang", other);
  location.href = address.href;
};
const counts = element("div", { className: "counts" });
document.body.append(
  element(
    "header",
    { className: "bar" },
    element("img", { src: "/static/icon.svg", alt: "" }),
    element("h1", { textContent: page.city[page.lang] }),
    element("span", { className: "subtitle", textContent: say("subtitle") }),
    page.isDemo ? element("span", { className: "demo", textContent: say("demoData") }) : null,
    counts,
    fresh,
    clock,
    element("button", {
      className: "plain",
      textContent: say("otherLanguage"),
      onclick: switchLanguage,
    }),
    element("span", { className: "quiet", textContent: page.person?.name }),
    page.person?.isKiosk
      ? null
      : element("a", { className: "plain", href: `/account?lang=${page.lang}`, textContent: say("myAccount") }),
    page.person?.isKiosk
      ? null
      : element("button", { className: "plain", textContent: say("logOut"), onclick: leave }),
  ),
);
function leave() {
  return logOut(() => {
    unheard(); // stop listening
    unasked();
  });
}
const tick = () => {
  clock.textContent = moment(now()); // of the server: this computer's own may be wrong
};
setInterval(tick, 1000);
tick();

const stale = element("p", { className: "stale", hidden: true, textContent: say("dataIsStale") });
stale.setAttribute("role", "alert");
document.body.append(stale);

// --- legend and layer switch ----------------------------------------------------------------
const outlines = new LiveLayer(map, OUTLINES, 0);
const layers = LOOKS.filter(look => look.name !== "incidents" || may("incidents.read")).map(
  (look, at) => new LiveLayer(map, look, at + 1),
);

function swatch(look) {
  if (look.swatch === "circles") {
    return element(
      "span",
      { className: "swatch three" },
      ...[1, 3, 5].map(minutes =>
        element("i", { className: `tier${minutes}`, title: say("minutesOfTier", { minutes }) }),
      ),
    );
  }
  return look.marker ? sign(look.swatch) : element("span", { className: `swatch ${look.swatch}` });
}

function row(layer, at) {
  const { look } = layer;
  const box = element("input", { type: "checkbox", checked: layer.visible, onchange: () => layer.toggle() });
  const state = element("span", { className: "state quiet" });
  layer.onState(({ off, far, loading, failed, count, truncated }) => {
    box.checked = !off;
    state.classList.toggle("bad", Boolean(failed));
    if (off) state.textContent = "";
    else if (far) state.textContent = say("zoomIn");
    else if (loading) state.textContent = "…";
    else if (failed) state.textContent = say("somethingWentWrong");
    else if (truncated) state.textContent = say("moreZoomIn");
    else state.textContent = count ? number(count) : say("noneHere");
    if (failed) state.title = failed;
  });
  return element(
    "label",
    { data: { layer: look.name } },
    box,
    swatch(look),
    element("span", { className: "name", textContent: named("layers", look.title ?? look.name) }),
    state,
    element("kbd", { textContent: (at + 1) % 10 }),
  );
}

function grounds() {
  if (CHOICES.length < 2) return null;
  const choose = element(
    "select",
    { ariaLabel: say("baseMap"), onchange: () => ground.show(choose.value) },
    ...CHOICES.map(choice => element("option", { value: choice, textContent: named("bases", choice) })),
  );
  choose.value = ground.choice;
  ground.onChange(choice => {
    choose.value = choice;
  });
  return element(
    "label",
    { className: "ground" },
    element("span", { className: "name", textContent: say("baseMap") }),
    choose,
    element("kbd", { textContent: "B" }),
  );
}

const place = element("input", {
  type: "search",
  className: "place",
  placeholder: say("placeExample"),
  ariaLabel: say("placeExample"),
});
const wrong = element("p", { className: "bad", hidden: true });
const legend = element(
  "nav",
  { className: "legend panel" },
  element("form", { onsubmit: find }, place, wrong),
  element("h2", { textContent: say("legendAndLayers") }),
  grounds(),
  ...layers.map(row),
  element(
    "div",
    { className: "key" },
    element("span", { className: "swatch dedicated" }),
    element("span", { textContent: say("dedicated") }),
    element("span", { className: "swatch segment" }),
    element("span", { textContent: say("keySegment") }),
  ),
  element(
    "div",
    { className: "key" },
    ...[1, 3, 5].map(minutes =>
      element("span", { className: `tier tier${minutes}`, textContent: say("minutesOfTier", { minutes }) }),
    ),
  ),
  element("p", { className: "quiet", textContent: say("clickHelp") }),
  element("button", {
    className: "plain",
    textContent: `⌂ ${say("wholeCity")}`,
    onclick: () => map.setView(home.centre, home.zoom),
  }),
  element("p", { className: "quiet keys", textContent: say("keyHelp") }),
);
document.body.append(legend);

function find(event) {
  event.preventDefault();
  const found = readPlace(place.value);
  wrong.hidden = found !== null;
  wrong.textContent = say("placeIsBad");
  if (!found) return;
  const { lon, lat } = found;
  map.setView([lat, lon], Math.max(map.getZoom(), 15));
  card.show(lat, lon);
}

// --- open incidents ---------------------------------------------------------------------------
const list = element("ol", { className: "incidents" });
const reached = layers.find(layer => layer.look.name === "live_coverage");
function showHole({ lon, lat }) {
  map.setView([lat, lon], Math.max(map.getZoom(), 13));
  if (!reached?.visible) reached?.toggle();
}
document.body.append(
  element(
    "aside",
    { className: "board panel" },
    holesPanel(showHole, () => reached?.load(true)),
    ...(may("incidents.read") ? [element("h2", { textContent: say("openIncidents") }), list] : []),
  ),
);

function entry(incident) {
  const select = () => {
    map.setView([incident.lat, incident.lon], Math.max(map.getZoom(), 15));
    card.show(incident.lat, incident.lon, incident.incident_id);
  };
  return element(
    "li",
    {
      tabIndex: 0,
      onclick: select,
      onkeydown: event => {
        if (event.key === "Enter") select();
      },
    },
    sign("incidents", incident.unassigned ? "unassigned" : incident.step),
    element(
      "div",
      {},
      element("b", { textContent: `${categoryName(incident.category)} ${incident.subtype}` }),
      element("span", { className: `step ${incident.step}`, textContent: named("steps", incident.step) }),
      element("div", {
        className: incident.unassigned ? "bad" : "quiet",
        textContent: incident.unassigned
          ? say("unassigned")
          : `${incident.grid_name ?? ""} · ${incident.zone_name ?? ""}`,
      }),
    ),
    element("time", { textContent: ago(incident.received_at), dateTime: incident.received_at }),
  );
}

async function lookAtIncidents() {
  if (!may("incidents.read")) return;
  try {
    // no retries: the interval loads again anyway
    const { incidents: found, next } = await poll("/incidents?open=true&limit=200", { patience: 0 });
    list.replaceChildren(
      ...(found.length
        ? found.slice(0, 60).map(entry)
        : [element("li", { className: "quiet", textContent: say("noIncidents") })]),
    );
    const lost = found.filter(incident => incident.unassigned).length;
    counts.replaceChildren(
      ...[
        [found.length + (next ? "+" : ""), say("openIncidents"), ""],
        [lost, say("countUnassigned"), lost ? "bad" : ""],
      ].map(([value, name, look]) =>
        element("span", { className: look }, element("b", { textContent: value }), ` ${name}`),
      ),
    );
    fresh.textContent = `${say("updated")} ${timeOfDay(now())}`;
    stale.hidden = true;
  } catch (error) {
    stale.hidden = false;
    throw error;
  }
}
const refresh = () => lookAtIncidents().catch(() => {});

const incidents = layers.find(layer => layer.look.name === "incidents");
const card = new Card(map, () => {
  refresh();
  incidents?.load();
});
onClick(map, ({ latlng, feature, layer }) =>
  card.show(latlng.lat, latlng.lng, layer === "incidents" ? feature.properties.incident_id : undefined),
);
const unasked = every(REFRESH_MS, () => {
  incidents?.load(true);
  return lookAtIncidents();
});

// Events reload parts at once; the interval is for events that were missed.
const everyLayer = [outlines, ...layers];
/** @param {string} kind @param {string} name of the layer that an event of the kind "layer" is about */
function layersOf(kind, name) {
  if (kind === "edition") return everyLayer;
  if (kind === "layer") return layers.filter(layer => isDrawnFrom(layer, name));
  return incidents ? [incidents] : [];
}
const unheard = follow(
  ["incident", "incidents", "edition", "layer"],
  layersOf,
  () => everyLayer,
  old => Promise.all([refresh(), ...[...old].map(layer => layer.load(true))]),
);
function isDrawnFrom(layer, name) {
  return !name || layer.look.name === name || (name === "police_posts" && layer.look.name === "response_circles");
}

ground.onChange(choice => {
  base.isShown = choice !== "none";
  everyLayer.forEach(layer => layer.load(true)); // in the colours of the theme
});
if (ground.choice !== "none")
  ground.show(ground.choice).catch(error => {
    stale.title = error.message;
  });

document.addEventListener("keydown", event => {
  if (event.key === "Escape") {
    card.close();
    /** @type {HTMLElement | null} */ (document.activeElement)?.blur();
    return;
  }
  if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
  // 0 is the tenth
  if (/^\d$/.test(event.key)) layers[(Number(event.key) + 9) % 10]?.toggle();
  else if (event.key.toLowerCase() === "l") switchLanguage();
  else if (event.key.toLowerCase() === "b") ground.next();
  else if (event.key === "/") {
    event.preventDefault();
    place.focus();
  }
});

if (page.isEmpty) document.body.append(element("p", { className: "empty panel", textContent: say("cityIsEmpty") }));
// Shows the incident of the page's address: its owner when it was recorded, and the present owner of its place.
async function openWanted() {
  const wanted = new URL(location.href).searchParams.get("incident");
  if (!wanted || !may("incidents.read")) return;
  const { lat, lon, incident_id: id } = await ask(`/incidents/${encodeURIComponent(wanted)}`);
  map.setView([lat, lon], 15);
  await card.show(lat, lon, id);
}
openWanted().catch(error => {
  stale.title = error.message;
});
Promise.all([refresh(), outlines.load(), ...layers.map(layer => layer.load())]).then(ready);
