// Features of one layer: a table beside a small map.
import { element } from "./element.js";
import { head, table } from "./office.js";
import { page, pageMap, ready } from "./page.js";
import { ask } from "./server.js";
import { say } from "./text.js";

const { L } = window;
const map = pageMap();
const main = head();
document.body.append(map.getContainer()); // after the table
const outlines = L.geoJSON(null, { interactive: false, style: { color: "#2b5379", weight: 1, fill: false } }).addTo(
  map,
);
let selected;
const style = feature =>
  feature?.id === selected
    ? { color: "#ffd84d", weight: 4, fillOpacity: 0.35 }
    : { color: "#38b6ff", weight: 2, fillOpacity: 0.15 };
const drawn = L.geoJSON(null, {
  style,
  pointToLayer: (_, at) => L.circleMarker(at, { radius: 7 }),
  onEachFeature: (feature, layer) => layer.on("click", () => select(feature.id)),
}).addTo(map);

function select(id) {
  selected = id;
  drawn.setStyle(style);
  main.querySelectorAll("tbody tr").forEach((row, number) => {
    const mine = features[number].id === id;
    row.setAttribute("aria-selected", String(mine));
    if (mine) row.scrollIntoView({ block: "nearest" });
  });
}

// Links have the public address; the Content-Security-Policy of this page allows requests to its own server only.
const local = address => {
  const { pathname, search } = new URL(address, location.href);
  return pathname + search;
};

let features = [];
async function load(address) {
  main.replaceChildren(element("p", { className: "quiet", textContent: say("loading") }));
  let answer;
  try {
    answer = await ask(address);
  } catch (error) {
    main.replaceChildren(element("p", { className: "bad", textContent: error.message }));
    return;
  }
  features = answer.features ?? [answer];
  drawn.clearLayers();
  features.filter(feature => feature.geometry).forEach(feature => drawn.addData(feature));
  map.invalidateSize({ animate: false }); // the table has changed the size of the map
  if (drawn.getBounds().isValid()) map.fitBounds(drawn.getBounds(), { padding: [40, 40], maxZoom: 16, animate: false });
  const names = [...new Set(features.flatMap(feature => Object.keys(feature.properties)))];
  const next = answer.links?.find(link => link.rel === "next");
  main.replaceChildren(
    element(
      "div",
      { className: "pages" },
      element("h2", { textContent: page.title }),
      element("span", { className: "quiet", textContent: features.length }),
      next
        ? element("button", { className: "plain", textContent: say("nextPage"), onclick: () => load(local(next.href)) })
        : null,
      ...["json", "csv", "fgb", "parquet"].map(form =>
        element("a", { href: address.replace(/f=json/, `f=${form}`), textContent: form }),
      ),
    ),
    features.length === 1 && !answer.features
      ? table(
          [say("property"), say("value")],
          names.map(name => [name, features[0].properties[name]]),
        )
      : table(
          ["id", ...names],
          features.map(feature => [
            element("a", {
              href: `/collections/${page.layer}/items/${encodeURIComponent(feature.id)}`,
              textContent: feature.id,
            }),
            ...names.map(name => feature.properties[name]),
          ]),
        ),
  );
  main.querySelectorAll("tbody tr").forEach((row, number) => {
    const mine = () => features[number] && select(features[number].id);
    row.addEventListener("click", mine);
    row.addEventListener("focusin", mine); // its link, by keys
  });
}
ask("/collections/grid_cells/items?bbox=-180,-90,180,90&zoom=8")
  .then(counties => outlines.addData(counties))
  .catch(() => {});
// not before the stylesheets are there: the map must know its size
if (document.readyState !== "complete")
  await new Promise(done => {
    addEventListener("load", done);
  });
load(local(page.address)).then(ready);
