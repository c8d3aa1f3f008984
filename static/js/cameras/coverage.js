// What cameras see within a cell: of its cells, roads and key places; and where more of them would see most.
import { element } from "../element.js";
import { mark } from "../marks.js";
import { button, chooser, field, form, scroller } from "../office.js";
import { may } from "../page.js";
import { ask, write } from "../server.js";
import { listed, metres, named, number, percent, say } from "../text.js";

const { L } = window;
const LISTED = 12;
const MOST_CELLS = 1000;
const KILOMETRE = 1000;
const BLIND = "#ff8585";
const FOUND = "#ffd84d";
const LEFT_PX = 384; // what the panel covers
const CLOSE = 17;
/** @type {import("leaflet").FitBoundsOptions} */
const ROOM = { maxZoom: CLOSE, paddingTopLeft: [LEFT_PX, 24], paddingBottomRight: [40, 24] };

/** @typedef {import("../../types.js").Api["RoadsAnswer"]} RoadsAnswer */

/** @param {{ name: string, road_class: string }} road */
const roadName = ({ name, road_class: kind }) => name || `${say("unnamedRoad")} · ${kind}`;

/** @param {string} title @param {(Node | string)[][]} rows */
function shares(title, rows) {
  if (!rows.length) return [];
  return [
    element("h3", { textContent: title }),
    scroller(
      element(
        "table",
        { className: "coverage" },
        element("tbody", {}, ...rows.map(row => element("tr", {}, ...row.map(one => element("td", {}, one))))),
      ),
    ),
  ];
}

/**
 * @param {import("leaflet").Map} map
 * @param {Node[]} more what stands below, such as which cameras the map shows
 */
export function cameraCoveragePanel(map, more) {
  const drawn = L.layerGroup().addTo(map);
  const sites = L.layerGroup().addTo(map);
  const county = chooser(say("county"), [], () => townships().then(look).catch(fail));
  const township = chooser(say("township"), [], () => look().catch(fail));
  const busy = element("progress", { className: "drawing", hidden: true });
  const told = element("p", { className: "quiet" });
  told.setAttribute("role", "status");
  const answer = element("div");
  const proposed = element("div", { className: "answer" });
  let asked = 0;

  /** @param {Error} error */
  function fail(error) {
    busy.hidden = true;
    told.textContent = error.message;
  }
  const within = () => township.value || county.value;

  /** @param {string} query @param {HTMLSelectElement} into @param {Node[]} first */
  async function cells(query, into, first = []) {
    const { features } = await ask(`/collections/grid_cells/items?${query}&limit=${MOST_CELLS}`);
    const options = features.map(({ properties: { grid_code: value, name } }) =>
      element("option", { value, textContent: name }),
    );
    into.replaceChildren(...first, ...options);
  }
  const townships = () =>
    cells(`parent_code=${encodeURIComponent(county.value)}`, township, [
      element("option", { value: "", textContent: say("wholeCounty") }),
    ]);

  /** @param {import("leaflet").LatLngBounds} bounds */
  const show = bounds => {
    if (bounds.isValid()) map.fitBounds(bounds, ROOM);
  };

  /** @param {string} code */
  async function blindSpots(code) {
    const found = await ask(`/cameras/coverage/${encodeURIComponent(code)}/blind-spots`);
    drawn.clearLayers();
    show(shapes(found.features, { color: BLIND, weight: 1, fillOpacity: 0.25, interactive: false }, drawn).getBounds());
  }

  /** @param {object[]} features @param {object} style @param {import("leaflet").LayerGroup} onto */
  const shapes = (features, style, onto) =>
    L.geoJSON(/** @type {any} */ ({ type: "FeatureCollection", features }), { style, interactive: false }).addTo(onto);
  /** @param {{ lat: number, lon: number }} place */
  const goTo = ({ lat, lon }) => map.setView([lat, lon], Math.max(map.getZoom(), CLOSE), { animate: false });

  /** @param {RoadsAnswer["stretches"]} stretches */
  function draw(stretches) {
    drawn.clearLayers();
    return shapes(stretches, { color: BLIND, weight: 4, opacity: 0.85, interactive: false }, drawn);
  }

  async function look() {
    const mine = (asked += 1);
    const code = within();
    if (!code) return;
    busy.hidden = false;
    told.textContent = say("working");
    const one = encodeURIComponent(code);
    const [covered, places, roads] = await Promise.all([
      ask(`/cameras/coverage?within=${one}&limit=${LISTED}`),
      ask(`/cameras/coverage/places?within=${one}&limit=${LISTED}`),
      ask(`/cameras/coverage/roads?within=${one}&limit=${LISTED}`),
    ]);
    if (mine !== asked) return; // outdated: another cell was chosen meanwhile
    busy.hidden = true;
    told.textContent = say("roadsSeen", {
      share: percent(roads.length_m ? roads.seen_m / roads.length_m : null, 1),
      length: number(roads.length_m / KILOMETRE, 1),
    });
    draw(roads.stretches);
    const ofRoad = (/** @type {{ name: string, road_class: string }} */ road) =>
      roads.stretches.filter(({ properties: { name } }) => (road.name ? name === road.name : !name));
    const unseen = places.places.filter(place => place.cameras === 0);
    answer.replaceChildren(
      ...shares(
        say("leastSeenRoads"),
        roads.roads.map(road => [
          button(roadName(road), () => show(draw(ofRoad(road)).getBounds())),
          say("seenOfRoad", { share: percent(road.share), unseen: metres(road.length_m - road.seen_m) }),
        ]),
      ),
      ...shares(
        say("leastSeenCells"),
        covered.cells.map(cell => [
          button(cell.name ?? cell.grid_code, () => blindSpots(cell.grid_code).catch(fail)),
          percent(cell.share, 1),
        ]),
      ),
      ...shares(
        say("placesNotSeen"),
        unseen.map(place => [button(place.name, () => goTo(place))]),
      ),
    );
  }

  /** @param {{ count: string, range_m: string }} given */
  async function solve({ count, range_m: range }) {
    busy.hidden = false;
    sites.clearLayers();
    proposed.replaceChildren();
    try {
      const question = { within: within(), count: Number(count), ...(range ? { range_m: Number(range) } : {}) };
      showSites(await write("POST", "/cameras/siting", question));
    } finally {
      busy.hidden = true;
    }
  }

  /** @param {import("../../types.js").Api["CameraSites"]} found */
  function showSites({ features, length_m: length, seen_m: today, seen_then_m: then }) {
    const seen = shapes(features, { color: FOUND, weight: 1, fillOpacity: 0.2, interactive: false }, sites);
    features.forEach(({ properties: { lat, lon, roads } }, at) => {
      const sign = element("span", { className: "site", textContent: at + 1 });
      mark([lat, lon], sign, 24, { title: listed(roads) }).addTo(sites);
    });
    const compared = { today: percent(today / length, 1), then: percent(then / length, 1) };
    proposed.replaceChildren(
      element("p", { textContent: say("roadsSeenThen", compared) }),
      element(
        "ol",
        { className: "sites" },
        ...features.map(({ properties: site }) =>
          element(
            "li",
            {},
            element(
              "button",
              { className: "find", type: "button", onclick: () => goTo(site) },
              element("span", { textContent: listed(site.roads) || say("unnamedRoad") }),
              element("span", {
                className: "quiet",
                textContent: `${named("siteKinds", site.kind)} · ${say("addsMetres", { metres: metres(site.adds_m) })}`,
              }),
            ),
          ),
        ),
      ),
    );
    show(seen.getBounds());
  }

  const asking = may("boundaries.draft")
    ? [
        element("h2", { textContent: say("whereMoreCameras") }),
        form(
          [
            field(say("howManyArePlaced"), "count", { type: "number", min: 1, max: 100, value: 5, required: true }),
            field(say("sectorRange"), "range_m", { type: "number", min: 5, max: 1000, placeholder: say("usualRange") }),
          ],
          say("solve"),
          solve,
        ),
        proposed,
      ]
    : [];

  return {
    async look() {
      if (!county.childElementCount) {
        await cells("grid_level=1", county);
        await townships();
      }
      await look().catch(fail);
    },
    clear() {
      asked += 1;
      drawn.clearLayers();
      sites.clearLayers();
      proposed.replaceChildren();
    },
    panel: element(
      "section",
      {},
      element("h2", { textContent: say("whatCamerasSee") }),
      element("p", { className: "quiet", textContent: say("heightsAreIgnored") }),
      element("div", { className: "row" }, county, township),
      busy,
      told,
      answer,
      ...asking,
      ...more,
    ),
  };
}
