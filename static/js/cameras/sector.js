// Cameras in a sector that is drawn on the map, or that see into it: its point, then its far end; the angle is a field.
import { sightWords } from "../desk/around.js";
import { element } from "../element.js";
import { form } from "../office.js";
import { ask } from "../server.js";
import { listed, metres, number, say } from "../text.js";

const { L } = window;
const USUAL_FOV_DEG = 60;
const USUAL_RANGE_M = 300;
const MOST_RANGE_M = 5000;
const STEP_DEG = 5;
const EARTH_M = 111320; // metres of a degree of latitude; what is drawn meanwhile need not be exact
const LISTED = 50;
const LINE = { color: "#ffd84d", weight: 2, fillOpacity: 0.1, interactive: false, pmIgnore: true };

/** @typedef {{ lon: number, lat: number }} Place */

/** @param {Place} from @param {Place} to @returns {{ azimuth: number, range: number }} degrees from north, metres */
export function toward(from, to) {
  const east = (to.lon - from.lon) * Math.cos((from.lat * Math.PI) / 180) * EARTH_M;
  const north = (to.lat - from.lat) * EARTH_M;
  const azimuth = Math.round((Math.atan2(east, north) * 180) / Math.PI + 360) % 360;
  return { azimuth, range: Math.min(MOST_RANGE_M, Math.max(1, Math.round(Math.hypot(east, north)))) };
}

/**
 * @param {Place} at
 * @param {number} azimuth
 * @param {number} fov
 * @param {number} range
 * @returns {[number, number][]} lat, lon
 */
export function outline({ lon, lat }, azimuth, fov, range) {
  const count = Math.max(2, Math.ceil(fov / STEP_DEG) + 1);
  const arc = Array.from({ length: count }, (_, step) => {
    const angle = ((azimuth - fov / 2 + (fov * step) / (count - 1)) * Math.PI) / 180;
    const north = (Math.cos(angle) * range) / EARTH_M;
    const east = (Math.sin(angle) * range) / EARTH_M / Math.cos((lat * Math.PI) / 180);
    return /** @type {[number, number]} */ ([lat + north, lon + east]);
  });
  return fov >= 360 ? arc : [[lat, lon], ...arc];
}

/** @param {string} textContent @param {() => void} onclick */
const plain = (textContent, onclick) =>
  element("button", { type: "button", className: "plain", textContent, onclick });

export class Sector {
  /**
   * @param {import("leaflet").Map} map
   * @param {import("../live_layer.js").LiveLayer} cameras
   * @param {() => string} also what the question has besides, such as what the map is narrowed to
   */
  constructor(map, cameras, also) {
    this.map = map;
    this.cameras = cameras;
    this.also = also;
    this.isDrawing = false;
    /** @type {Place | null} its point; null: the middle of the map */
    this.at = null;
    this.drawn = L.layerGroup().addTo(map);
    const numeric = (/** @type {string} */ name, /** @type {object} */ more) =>
      element("input", { name, type: "number", required: true, ...more });
    this.azimuth = numeric("azimuth_deg", { min: 0, max: 359, value: 0 });
    this.fov = numeric("fov_deg", { min: 1, max: 360, value: USUAL_FOV_DEG });
    this.range = numeric("range_m", { min: 1, max: MOST_RANGE_M, value: USUAL_RANGE_M });
    this.told = element("p", { className: "quiet", textContent: say("sectorHelp") });
    this.told.setAttribute("role", "status");
    this.list = element("ul", { className: "rows" });
    const labelled = (/** @type {string} */ text, /** @type {HTMLElement} */ input) =>
      element("label", {}, text, input);
    const asking = form(
      [
        plain(say("drawSector"), () => this.draw()),
        labelled(say("sectorAzimuth"), this.azimuth),
        labelled(say("sectorAngle"), this.fov),
        labelled(say("sectorRange"), this.range),
      ],
      say("searchSector"),
      () => this.search(),
    );
    this.box = element(
      "details",
      { className: "sector" },
      element("summary", { textContent: say("camerasInSector") }),
      asking,
      this.told,
      this.list,
      plain(say("clearSector"), () => this.clear()),
    );
  }

  clear() {
    this.stop?.();
    this.at = null;
    this.drawn.clearLayers();
    this.list.replaceChildren();
    this.told.textContent = say("sectorHelp");
  }

  /** Draws the sector alone. @param {Place} at @param {string} [dashArray] */
  draft(at, dashArray) {
    this.drawn.clearLayers();
    const shape = outline(at, Number(this.azimuth.value), Number(this.fov.value), Number(this.range.value));
    L.polygon(shape, { ...LINE, dashArray }).addTo(this.drawn);
  }

  /** Lets the user draw: a click on its point, one on its far end; Escape ends it. */
  draw() {
    this.clear();
    this.isDrawing = true;
    this.told.textContent = say("sectorPoint");
    /** @type {Place | null} */
    let point = null;
    const aim = (/** @type {import("leaflet").LatLng} */ { lng: lon, lat }) => {
      if (!point) return;
      const { azimuth, range } = toward(point, { lon, lat });
      this.azimuth.value = String(azimuth);
      this.range.value = String(range);
      this.draft(point, "4 4");
    };
    const moved = (/** @type {import("leaflet").LeafletMouseEvent} */ { latlng }) => aim(latlng);
    const clicked = (/** @type {import("leaflet").LeafletMouseEvent} */ { latlng }) => {
      if (!point) {
        point = { lon: latlng.lng, lat: latlng.lat };
        this.told.textContent = say("sectorEnd");
        return;
      }
      aim(latlng);
      this.stop?.();
      this.at = point;
      this.search().catch(error => this.fail(error));
    };
    const pressed = (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.clear();
    };
    this.map.on("mousemove", moved).on("click", clicked);
    document.addEventListener("keydown", pressed, true);
    this.stop = () => {
      this.map.off("mousemove", moved).off("click", clicked);
      document.removeEventListener("keydown", pressed, true);
      setTimeout(() => (this.isDrawing = false)); // the click that ends it is no click on a place
      this.stop = undefined;
    };
  }

  /** @param {Error} error */
  fail(error) {
    this.told.textContent = error.message;
  }

  async search() {
    this.stop?.();
    if (!this.at) {
      const { lng: lon, lat } = this.map.getCenter();
      this.at = { lon, lat };
    }
    const { lon, lat } = this.at;
    const values = [this.azimuth, this.fov, this.range].map(({ name, value }) => `&${name}=${value}`).join("");
    const found = await ask(`/cameras/sector?lon=${lon.toFixed(7)}&lat=${lat.toFixed(7)}${values}${this.also()}`);
    this.draft(this.at);
    this.show(found);
  }

  /** @param {import("../../types.js").Api["SectorAnswer"]} found */
  show({ features, truncated }) {
    const see = features.filter(one => one.properties.sees_in).length;
    const counted = { count: number(features.length), see: number(see) };
    this.told.textContent = truncated ? say("sectorTooMany", counted) : say("sectorFound", counted);
    for (const { geometry } of features) {
      const [lon, lat] = /** @type {number[]} */ (geometry.coordinates);
      L.circleMarker([lat, lon], { ...LINE, radius: 12, fillOpacity: 0 }).addTo(this.drawn);
    }
    this.list.replaceChildren(
      ...features.slice(0, LISTED).map(feature => {
        const { name, distance_m: distance, sees_in: sees, stands_in: stands, ...more } = feature.properties;
        const words = [
          metres(distance),
          sees ? say("seesTheSector") : "",
          stands ? say("standsInSector") : "",
          ...sightWords({ sees: null, status: more.camera_state, sight_note: more.sight_note, positioned_at: null }),
        ];
        return element(
          "li",
          { data: { code: more.gb28181_id } },
          plain(name, () => this.choose(feature)),
          element("span", { className: "quiet", textContent: listed(words.filter(Boolean)) }),
        );
      }),
    );
  }

  /** @param {any} feature */
  choose(feature) {
    const [lon, lat] = feature.geometry.coordinates;
    if (!this.map.getBounds().contains([lat, lon])) this.map.panTo([lat, lon], { animate: false });
    this.cameras.choose(feature, L.latLng(lat, lon));
  }
}
