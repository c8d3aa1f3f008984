// The wall page: title bar, legend, list of open incidents, card.
import { go } from "./address.js";
import { Card } from "./card.js";
import { BaseMap, CHOICES } from "./basemap.js";
import { base, LiveLayer, LOOKS, OUTLINES, sign } from "./layers.js";
import { holesPanel } from "./holes.js";
import { ask, every, listen, poll, together, write } from "./server.js";
import { element as e } from "./element.js";
import { ago, categoryName, locale, page, text } from "./text.js";

const REFRESH_MS = 15000; // 10-30 s is what walls are seen to use; no authority for it
const ZONE = page.timezone;
const map = window[page.map];

map.createPane("labels").style.zIndex = 650;
map.getPane("labels").style.pointerEvents = "none";
map.setMaxZoom(19);
L.control.scale({ imperial: false, maxWidth: 160 }).addTo(map);
const ground = new BaseMap(map);
const sees = right => page.person.rights.includes(right);
const home = { centre: map.getCenter(), zoom: map.getZoom() };

// --- title bar -----------------------------------------------------------------------------
const clock = e("time", { className: "clock" });
const fresh = e("span", { className: "quiet" });
const other = page.lang === "zh" ? "en" : "zh";
const switchLanguage = () => {
  const address = new URL(location.href);
  address.searchParams.set("lang", other);
  location.href = address;
};
const counts = e("div", { className: "counts" });
document.body.append(e("header", { className: "bar" },
  e("img", { src: "/static/icon.svg", alt: "" }),
  e("h1", { textContent: page.city[page.lang] }), e("span", { className: "subtitle", textContent: text.subtitle }),
  page.isDemo ? e("span", { className: "demo", textContent: text.demo }) : null,
  counts, fresh, clock,
  e("button", { className: "plain", textContent: page.lang === "zh" ? "English" : "中文", onclick: switchLanguage }),
  e("span", { className: "quiet", textContent: page.person.name }),
  page.person.isKiosk ? null : e("a", { className: "plain", href: `/account?lang=${page.lang}`, textContent: text.account }),
  page.person.isKiosk ? null : e("button", { className: "plain", textContent: text.logOut, onclick: logOut })));
async function logOut() {
  unheard(); // nobody asks any more
  unasked();
  redraw.cancel();
  await write("DELETE", "/session");
  go(`/login?lang=${page.lang}`);
}
const tick = () => { clock.textContent = new Date().toLocaleString(locale, { hour12: false, timeZone: ZONE }); };
setInterval(tick, 1000);
tick();

const stale = e("p", { className: "stale", hidden: true, textContent: text.stale });
stale.setAttribute("role", "alert");
document.body.append(stale);

// --- legend and layer switch ----------------------------------------------------------------
const outlines = new LiveLayer(map, OUTLINES, 0);
const layers = LOOKS.filter(look => look.name !== "incidents" || sees("incidents.read")).map((look, number) => new LiveLayer(map, look, number + 1));

function swatch(look) {
  if (look.swatch === "circles") {
    return e("span", { className: "swatch three" }, ...[1, 3, 5].map(n => e("i", { className: `tier${n}`, title: text.tier(n) })));
  }
  return look.marker ? sign(look.swatch) : e("span", { className: `swatch ${look.swatch}` });
}

function row(layer, number) {
  const { look } = layer;
  const box = e("input", { type: "checkbox", checked: layer.visible, onchange: () => layer.toggle() });
  const state = e("span", { className: "state quiet" });
  layer.onState(({ off, far, loading, failed, count, truncated }) => {
    box.checked = !off;
    state.classList.toggle("bad", Boolean(failed));
    state.textContent = off ? "" : far ? text.zoomIn : loading ? "…" : failed ? text.failed
      : truncated ? text.more : count ? text.shown(count.toLocaleString(locale)) : text.none;
    if (failed) state.title = failed;
  });
  return e("label", { data: { layer: look.name } }, box, swatch(look),
    e("span", { className: "name", textContent: text[look.title ?? look.name] }), state, e("kbd", { textContent: (number + 1) % 10 }));
}

function grounds() {
  if (CHOICES.length < 2) return null;
  const choose = e("select", { ariaLabel: text.base, onchange: () => ground.show(choose.value) },
    ...CHOICES.map(choice => e("option", { value: choice, textContent: text.bases[choice] })));
  choose.value = ground.choice;
  ground.onChange(choice => { choose.value = choice; });
  return e("label", { className: "ground" }, e("span", { className: "name", textContent: text.base }), choose, e("kbd", { textContent: "B" }));
}

const place = e("input", { type: "search", className: "place", placeholder: text.search, ariaLabel: text.search });
const wrong = e("p", { className: "bad", hidden: true });
const legend = e("nav", { className: "legend panel" },
  e("form", { onsubmit: find }, place, wrong), e("h2", { textContent: text.layers }), grounds(), ...layers.map(row),
  e("div", { className: "key" }, e("span", { className: "swatch dedicated" }), e("span", { textContent: text.dedicated }),
    e("span", { className: "swatch segment" }), e("span", { textContent: text.segment })),
  e("div", { className: "key" }, ...[1, 3, 5].map(n => e("span", { className: `tier tier${n}`, textContent: text.tier(n) }))),
  e("p", { className: "quiet", textContent: text.help }),
  e("button", { className: "plain", textContent: `⌂ ${text.home}`, onclick: () => map.setView(home.centre, home.zoom) }),
  e("p", { className: "quiet keys", textContent: text.keys }));
document.body.append(legend);

function find(event) {
  event.preventDefault();
  const [lon, lat, ...rest] = place.value.split(/[\s,，]+/).filter(Boolean).map(Number);
  const good = Number.isFinite(lon) && Number.isFinite(lat) && Math.abs(lat) <= 90 && Math.abs(lon) <= 180 && !rest.length;
  wrong.hidden = good;
  wrong.textContent = text.searchBad;
  if (!good) return;
  map.setView([lat, lon], Math.max(map.getZoom(), 15));
  card.show(lat, lon);
}

// --- open incidents ---------------------------------------------------------------------------
const list = e("ol", { className: "incidents" });
const reached = layers.find(layer => layer.look.name === "live_coverage");
function showHole({ lon, lat }) {
  map.setView([lat, lon], Math.max(map.getZoom(), 13));
  if (!reached.visible) reached.toggle();
}
document.body.append(e("aside", { className: "board panel" }, holesPanel(showHole, () => reached.load(true)),
  ...(sees("incidents.read") ? [e("h2", { textContent: text.incidents }), list] : [])));

function entry(incident) {
  const select = () => {
    map.setView([incident.lat, incident.lon], Math.max(map.getZoom(), 15));
    card.show(incident.lat, incident.lon, incident.incident_id);
  };
  const made = e("li", { tabIndex: 0, onclick: select, onkeydown: event => { if (event.key === "Enter") select(); } },
    sign("incidents", incident.unassigned ? "unassigned" : incident.step),
    e("div", {}, e("b", { textContent: `${categoryName(incident.category)} ${incident.subtype}` }), e("span", { className: `step ${incident.step}`, textContent: text.steps[incident.step] }),
      e("div", { className: incident.unassigned ? "bad" : "quiet", textContent: incident.unassigned ? text.unassigned : `${incident.grid_name ?? ""} · ${incident.zone_name ?? ""}` })),
    e("time", { textContent: ago(incident.received_at), dateTime: incident.received_at }));
  return made;
}

async function lookAtIncidents() {
  if (!sees("incidents.read")) return;
  try {
    const { incidents, next } = await poll("/incidents?open=true&limit=200", { patience: 0 }); // it is asked again anyway
    list.replaceChildren(...(incidents.length ? incidents.slice(0, 60).map(entry) : [e("li", { className: "quiet", textContent: text.noIncidents })]));
    const lost = incidents.filter(i => i.unassigned).length;
    counts.replaceChildren(...[[incidents.length + (next ? "+" : ""), text.incidents, ""], [lost, text.unassigned.split(/[：:]/)[0], lost ? "bad" : ""]]
      .map(([value, name, look]) => e("span", { className: look }, e("b", { textContent: value }), ` ${name}`)));
    fresh.textContent = `${text.updated} ${new Date().toLocaleTimeString(locale, { hour12: false, timeZone: ZONE })}`;
    stale.hidden = true;
  } catch (error) {
    stale.hidden = false;
    throw error;
  }
}
const refresh = () => lookAtIncidents().catch(() => {});

const incidents = layers.find(layer => layer.look.name === "incidents");
const card = new Card(map, () => { refresh(); incidents?.load(); });
map.on("click", ({ latlng, feature, layer }) =>
  card.show(latlng.lat, latlng.lng, layer === "incidents" ? feature.properties.incident_id : undefined));
const unasked = every(REFRESH_MS, () => {
  incidents?.load(true);
  return lookAtIncidents();
});

// What happens is told at once; the interval is for what was missed.
const changed = new Set();
const redraw = together(() => {
  const some = [...changed];
  changed.clear();
  return Promise.all([refresh(), ...some.map(layer => layer.load(true))]);
});
const unheard = listen(["incident", "incidents", "edition", "layer"], (kind, data) => {
  const told = kind === "edition" ? [outlines, ...layers] : kind === "layer" ? layers.filter(layer => isDrawnFrom(layer, data)) : [incidents];
  told.filter(Boolean).forEach(layer => changed.add(layer));
  redraw();
}, () => {
  [outlines, ...layers].forEach(layer => changed.add(layer));
  redraw();
});
function isDrawnFrom(layer, name) {
  return !name || layer.look.name === name || (name === "police_posts" && layer.look.name === "response_circles");
}

ground.onChange(choice => {
  base.isShown = choice !== "none";
  [outlines, ...layers].forEach(layer => layer.load(true)); // in the colours of the theme
});
if (ground.choice !== "none") ground.show(ground.choice).catch(error => { stale.title = error.message; });

document.addEventListener("keydown", event => {
  if (event.key === "Escape") { card.close(); document.activeElement.blur(); return; }
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^\d$/.test(event.key)) layers[(Number(event.key) + 9) % 10]?.toggle(); // 0 is the tenth
  else if (event.key.toLowerCase() === "l") switchLanguage();
  else if (event.key.toLowerCase() === "b") ground.next();
  else if (event.key === "/") { event.preventDefault(); place.focus(); }
});

if (page.isEmpty) document.body.append(e("p", { className: "empty panel", textContent: text.empty }));
// An incident of any time, by its address: whose it was then, and whose place it is now.
async function openWanted() {
  const wanted = new URL(location.href).searchParams.get("incident");
  if (!wanted || !sees("incidents.read")) return;
  const { lat, lon, incident_id: id } = await ask(`/incidents/${encodeURIComponent(wanted)}`);
  map.setView([lat, lon], 15);
  await card.show(lat, lon, id);
}
openWanted().catch(error => { stale.title = error.message; });
Promise.all([refresh(), outlines.load(), ...layers.map(layer => layer.load())]).then(() => { document.body.dataset.ready = "yes"; });
