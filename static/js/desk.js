// The dispatcher's desk: one box and the queue on the left, the map, the matter on the right; all of it by keys.
import { BaseMap } from "./basemap.js";
import { hasCall, keptPlace } from "./desk/filing.js";
import { logInHere } from "./desk/log_in.js";
import { Matter } from "./desk/matter.js";
import { Queue } from "./desk/queue.js";
import { element, isTyping } from "./element.js";
import { follow } from "./events.js";
import { base, lookNamed, OUTLINES } from "./layers.js";
import { LiveLayer } from "./live_layer.js";
import { head } from "./office.js";
import { cityMap, onClick } from "./map.js";
import { ready } from "./page.js";
import { readPlace } from "./places.js";
import { ask } from "./server.js";
import { say } from "./text.js";
import { every } from "./timing.js";

const REFRESH_MS = 15000;
const TOLD_MS = 8000;
const DATUMS = ["EPSG:4490", "GCJ-02", "BD-09"];
const NAMES = { "EPSG:4490": "CGCS2000", "GCJ-02": "GCJ-02", "BD-09": "BD-09" };
const SHOWN = ["grid_cells", "patrol_zones", "police_posts", "patrol_units", "incidents", "cameras", "road_closures"];

logInHere();
const map = cityMap();
const main = head();
const ground = new BaseMap(map);
const layers = [
  new LiveLayer(map, OUTLINES, 0),
  ...SHOWN.map((name, at) => new LiveLayer(map, lookNamed(name), at + 1)),
];
map.getContainer().append(element("i", { className: "cross", ariaHidden: "true" }));

// --- what was done, and its undoing --------------------------------------------------------------
/** @type {(() => void) | undefined} */
let undo;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
const toast = element("p", { className: "told", hidden: true });
toast.setAttribute("role", "status");
document.body.append(toast);
/** @param {string} message @param {() => void} [back] */
function tell(message, back) {
  undo = back;
  toast.replaceChildren(
    message,
    ...(back
      ? [
          element(
            "button",
            { className: "plain", onclick: takeBack },
            `${say("undoIt")} `,
            element("kbd", { textContent: "Ctrl Z" }),
          ),
        ]
      : []),
  );
  toast.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => {
    toast.hidden = true;
    undo = undefined;
  }, TOLD_MS);
}
function takeBack() {
  undo?.();
  undo = undefined;
  toast.hidden = true;
}

// --- the queue and the matter ----------------------------------------------------------------------
const stale = element("p", { className: "stale", hidden: true, textContent: say("dataIsStale") });
stale.setAttribute("role", "alert");
document.body.append(stale);
const queue = new Queue(id => open(id));
const matter = new Matter(map, tell, () => renew());
async function renew(isBackground = false) {
  try {
    await queue.load(isBackground);
    stale.hidden = true;
  } catch (error) {
    stale.hidden = false;
    throw error;
  }
}
const quietly = work => work.catch(() => {});
/** @param {number} id */
function open(id) {
  queue.choose(id);
  const address = new URL(location.href);
  address.searchParams.set("incident", String(id));
  history.replaceState(null, "", address);
  return matter.show(id);
}

// --- one box ----------------------------------------------------------------------------------------
let datum = DATUMS[0];
/** @type {{ lon: number, lat: number } | null} */
let typedPlace = null;
const box = element("input", {
  type: "search",
  className: "place",
  placeholder: say("deskBox"),
  ariaLabel: say("deskBox"),
  autocomplete: "off",
});
const chip = element("button", {
  className: "chip",
  type: "button",
  title: `${say("coordinates")} (G)`,
  onclick: nextDatum,
});
const wrong = element("p", { className: "bad", hidden: true });
wrong.setAttribute("role", "alert");
function showDatum() {
  chip.textContent = NAMES[datum];
  chip.classList.toggle("other", datum !== DATUMS[0]);
}
function nextDatum() {
  datum = DATUMS[(DATUMS.indexOf(datum) + 1) % DATUMS.length];
  showDatum();
  if (typedPlace) quietly(matter.showPlace(typedPlace.lon, typedPlace.lat, datum));
}
showDatum();

/** @param {string} typed */
async function find(typed) {
  const place = readPlace(typed);
  typedPlace = place;
  if (place) return matter.showPlace(place.lon, place.lat, datum);
  const number = /^#?\s*(\d{1,18})$/.exec(typed.trim());
  if (number) {
    const { incident_id: id } = await ask(`/incidents/${number[1]}`);
    return open(id);
  }
  const code = typed.trim();
  for (const layer of ["patrol_units", "police_posts", "cameras", "grid_cells", "facilities"]) {
    try {
      const { geometry } = await ask(`/collections/${layer}/items/${encodeURIComponent(code)}`);
      const [lon, lat] = middle(geometry);
      return await matter.showPlace(lon, lat);
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }
  throw new Error(say("nothingCalledThat"));
}
/**
 * The middle of a shape's box, in degrees.
 * @param {any} geometry
 */
function middle(geometry) {
  const centre = window.L.geoJSON(geometry).getBounds().getCenter();
  return [centre.lng, centre.lat];
}
const asking = element(
  "form",
  {
    className: "box",
    onsubmit: async event => {
      event.preventDefault();
      wrong.hidden = true;
      try {
        await find(box.value);
        box.blur();
      } catch (error) {
        wrong.textContent = error.message;
        wrong.hidden = false;
      }
    },
  },
  box,
  chip,
);
const keys = element("p", { className: "quiet keys", textContent: say("deskKeys") });
main.append(element("section", { className: "left panel" }, asking, wrong, queue.box, keys), matter.box);

onClick(map, ({ latlng, feature, layer }) => {
  if (layer === "incidents") return open(feature.properties.incident_id);
  if (document.querySelector("form.call")) return undefined; // a call that is being written stays where it is
  typedPlace = null;
  return matter.showPlace(latlng.lng, latlng.lat);
});

// --- keys ---------------------------------------------------------------------------------------------
document.addEventListener("keydown", event => {
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") {
    if (isTyping(event)) /** @type {HTMLElement} */ (event.target).blur();
    else if (matter.form?.childElementCount) matter.form.replaceChildren();
    else queue.focus();
    return;
  }
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && undo && !isTyping(event)) {
    event.preventDefault();
    takeBack();
    return;
  }
  if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key === "/") box.focus();
  else if (key === "j") queue.step(1);
  else if (key === "k") queue.step(-1);
  else if (key === "g") nextDatum();
  else if (key === "m") {
    const { lng, lat } = map.getCenter();
    typedPlace = null;
    quietly(matter.showPlace(lng, lat));
  } else if (key === "n") matter.call();
  else if (key === "l") ground.next();
  else if (key === "?") keys.classList.toggle("large");
  else if (!matter.press(key)) return;
  event.preventDefault();
});

// --- what changes meanwhile ------------------------------------------------------------------------------
const drawn = name => layers.filter(layer => layer.look.name === name);
follow(
  ["incident", "incidents", "edition", "layer"],
  (kind, told) => {
    if (kind === "edition") return layers;
    if (kind === "layer") return drawn(told);
    if (kind === "incident" && JSON.parse(told).incident_id === matter.id) quietly(matter.lookAgain());
    return drawn("incidents");
  },
  () => layers,
  old => Promise.all([quietly(renew(true)), ...[...old].map(layer => layer.load(true))]),
);
every(REFRESH_MS, () => renew(true));
ground.onChange(choice => {
  base.isShown = choice !== "none";
  layers.forEach(layer => layer.load(true));
});
if (ground.choice !== "none") quietly(ground.show(ground.choice));

const wanted = Number(new URL(location.href).searchParams.get("incident"));
const call = keptPlace();
if (call && hasCall()) quietly(matter.showPlace(call.lon, call.lat).then(() => matter.call()));
else if (wanted) quietly(open(wanted));
Promise.all([quietly(renew()), ...layers.map(layer => layer.load())]).then(ready);
