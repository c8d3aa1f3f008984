// The dispatcher's desk: one box and the queue on the left, the map, the matter on the right; all of it by keys.
import { BaseMap } from "./basemap.js";
import { lookingFor } from "./cameras/looking.js";
import { Box } from "./desk/box.js";
import { hasCall, keptPlace } from "./desk/filing.js";
import { logInHere } from "./desk/log_in.js";
import { Matter } from "./desk/matter.js";
import { Queue } from "./desk/queue.js";
import { Shift } from "./desk/shift.js";
import { element, isTyping } from "./element.js";
import { follow } from "./events.js";
import { addLists } from "./in_view.js";
import { base, OUTLINES, shownLooks } from "./layers.js";
import { LiveLayer } from "./live_layer.js";
import { head } from "./office.js";
import { cityMap, onClick } from "./map.js";
import { may, ready } from "./page.js";
import { namesOf, pictureButton } from "./picture.js";
import { sightOf } from "./sight.js";
import { say } from "./text.js";
import { every } from "./timing.js";
import { keepView } from "./view.js";

const REFRESH_MS = 15000;
const SHIFT_MS = 30000;
const TOLD_MS = 8000;

logInHere();
const map = cityMap();
keepView(map);
const main = head(pictureButton(map, () => ({ theme: ground.theme, layers: namesOf(layers) })));
const ground = new BaseMap(map);
const layers = [
  new LiveLayer(map, OUTLINES, 0),
  ...shownLooks().map((look, at) => new LiveLayer(map, look, at + 1)),
];
const cameras = /** @type {LiveLayer} */ (layers.find(one => one.look.name === "cameras"));
const sight = sightOf(map, cameras).layers;
layers.push(...sight);
const note = addLists(map, () => looking.parts);
const looking = lookingFor(map, cameras, sight, is => note(is ? say("notAllCameras") : ""));
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
/** @param {number} id */
const openChosen = id => {
  box.forget();
  return open(id);
};
const queue = new Queue(openChosen);
const shift = may("incidents.read") ? new Shift(openChosen, tell) : null;
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
const box = new Box(map, matter, open);
const keys = element("p", { className: "quiet keys", textContent: say("deskKeys") });
const left = element("section", { className: "left panel" }, ...box.parts, queue.box, shift?.box, keys);
main.append(left, matter.box);

onClick(map, ({ latlng, feature, layer }) => {
  if (looking.sector.isDrawing) return undefined;
  // a call that is being written stays where it is
  if (layer !== "incidents" && document.querySelector("form.call")) return undefined;
  box.forget();
  if (layer === "incidents") return open(feature.properties.incident_id);
  return matter.showPlace(latlng.lng, latlng.lat);
});

// --- keys ---------------------------------------------------------------------------------------------
document.addEventListener("keydown", event => {
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") {
    if (isTyping(event)) /** @type {HTMLElement} */ (event.target).blur();
    else if (matter.isAsking) matter.stopAsking();
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
  if (event.shiftKey && matter.press(key, true)) event.preventDefault();
  if (event.defaultPrevented || (event.shiftKey && key !== "?")) return;
  if (key === "/") box.focus();
  else if (key === "j") queue.step(1);
  else if (key === "k") queue.step(-1);
  else if (key === "g") box.nextDatum();
  else if (key === "m") {
    const { lng, lat } = map.getCenter();
    box.forget();
    quietly(matter.showPlace(lng, lat));
  } else if (key === "n") matter.call();
  else if (key === "l") ground.next();
  else if (key === ".") shift?.focus();
  else if (key === "?") keys.classList.toggle("large");
  else if (!matter.press(key, false)) return;
  event.preventDefault();
});

// --- what changes meanwhile ------------------------------------------------------------------------------
const drawn = name => layers.filter(layer => layer.look.name === name);
follow(
  ["incident", "incidents", "edition", "layer"],
  (kind, told) => {
    if (kind === "edition") return layers;
    if (kind === "layer") return drawn(told);
    shift?.soon();
    if (kind === "incident" && JSON.parse(told).incident_id === matter.id) quietly(matter.lookAgain());
    return drawn("incidents");
  },
  () => {
    shift?.soon();
    return layers;
  },
  old => Promise.all([quietly(renew(true)), ...[...old].map(layer => layer.load(true))]),
);
every(REFRESH_MS, () => renew(true));
if (shift) every(SHIFT_MS, () => shift.load(true));
ground.onChange(choice => {
  base.isShown = choice !== "none";
  layers.forEach(layer => layer.load(true));
});
if (ground.choice !== "none") quietly(ground.show(ground.choice));

const wanted = Number(new URL(location.href).searchParams.get("incident"));
const call = keptPlace();
if (call && hasCall()) quietly(matter.showPlace(call.lon, call.lat).then(() => matter.call()));
else if (wanted) quietly(open(wanted));
Promise.all([quietly(renew()), shift && quietly(shift.load()), ...layers.map(layer => layer.load())]).then(ready);
