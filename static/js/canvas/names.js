// Names on the map, where they do not cover each other: those of higher rank first, then those with more room.
import { element } from "../element.js";
import { scale } from "../scale.js";
import { nameSprite } from "./sprites.js";
import { sheetsOf, SpritePoint } from "./sheet.js";

const { L } = window;
const AT_MOST = 160;
const GAP = 4;
const UNDER_POINTS = -1;
const SIGNS_AT_MOST = 400;
const PLACES = [0, -1, 1]; // where a strong name may stand, in its heights

/** @typedef {{ at: import("leaflet").LatLng, size: number }} Sign */

/** @param {number} x @param {number} y of its middle @param {number} width @param {number} height */
const boxAt = (x, y, width, height) => [x - width / 2 - GAP, y - height / 2, x + width / 2 + GAP, y + height / 2];
/** @param {number[]} one @param {number[]} other west, north, east, south in pixels */
const overlap = (one, other) => one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3];

/**
 * @typedef {object} Name
 * @property {import("leaflet").LatLng} at
 * @property {string} text
 * @property {boolean} isStrong
 * @property {number} rank
 * @property {{ x: number, y: number }} room size of what it names, in pixels
 */

export class Names {
  /** @param {import("leaflet").Map} map */
  constructor(map) {
    this.map = map;
    /** @type {Map<string, Name[]>} */
    this.wanted = new Map();
    /** @type {Map<string, Sign[]>} */
    this.signs = new Map();
    this.group = L.layerGroup().addTo(map);
    this.read = element("p", { className: "heard names" }); // for who cannot see a canvas
    map.getContainer().append(this.read);
  }

  /** @param {string} layer @param {Name[]} names instead of those it had */
  set(layer, names) {
    if (!names.length && !this.wanted.get(layer)?.length) return;
    this.wanted.set(layer, names);
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.place());
  }

  /** Tells where signs are, which names make way for. @param {string} layer @param {Sign[]} signs */
  setSigns(layer, signs) {
    this.signs.set(layer, signs.length > SIGNS_AT_MOST ? [] : signs);
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.place());
  }

  place() {
    const all = [...this.wanted.values()].flat();
    all.sort((a, b) => b.rank - a.rank || b.room.x * b.room.y - a.room.x * a.room.y);
    /** @type {number[][]} */
    const taken = [];
    const written = [];
    const signs = [...this.signs.values()].flat().map(({ at, size }) => {
      const { x, y } = this.map.latLngToLayerPoint(at);
      return boxAt(x, y, size, size);
    });
    this.group.clearLayers();
    for (const { at, text, isStrong, room } of all) {
      if (written.length >= AT_MOST) break;
      const size = Math.round((isStrong ? 18 : 13) * scale.is ** 0.75);
      const { width, height } = nameSprite(text, size, isStrong);
      if (!isStrong && (room.x < width || room.y < height)) continue;
      const { x, y } = this.map.latLngToLayerPoint(at);
      const inside = PLACES.filter(place => Math.abs(place) * height < room.y / 3);
      const places = isStrong && inside.length ? inside : [0];
      const boxes = places.map(place => boxAt(x, y + place * height, width, height));
      const free = boxes.filter(box => !taken.some(one => overlap(box, one)));
      if (!free.length) continue;
      const covered = box => signs.filter(one => overlap(box, one)).length;
      const box = free.reduce((best, one) => (covered(one) < covered(best) ? one : best));
      taken.push(box);
      written.push(text);
      const middle = this.map.layerPointToLatLng([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]);
      const sprite = () => nameSprite(text, size, isStrong);
      const where = { renderer: sheetsOf(this.map).points, pane: "points", rank: UNDER_POINTS };
      this.group.addLayer(new SpritePoint(middle, { ...where, sprite, interactive: false }));
    }
    this.read.textContent = written.join(", ");
  }
}

/** @type {WeakMap<import("leaflet").Map, Names>} */
const made = new WeakMap();

/**
 * The names of a map.
 * @param {import("leaflet").Map} map
 */
export function namesOf(map) {
  let found = made.get(map);
  if (!found) {
    found = new Names(map);
    made.set(map, found);
  }
  return found;
}
