// Two canvases hold all that is drawn on a map: one for shapes, one above it for points and names. A canvas for each
// layer, or an element for each point, would be painted anew in every frame in which somebody pans.
import { pane } from "../map.js";

const { L } = window;
const SHAPES = 401; // just above what is drawn by hand: its canvas stays, and would hear all clicks
const POINTS = 590;
const ABOVE = ".leaflet-marker-pane, .leaflet-tooltip-pane, .leaflet-popup-pane, .leaflet-control-container";

/**
 * A canvas that draws by rank, whatever came first: layers come in the order in which the server answers.
 * @type {any}
 */
const Sheet = L.Canvas.extend({
  _initPath(path) {
    /** @type {any} */ (L.Canvas.prototype)._initPath.call(this, path); // links it at the end
    const rank = one => one.layer.options.rank ?? 0;
    const mine = path._order;
    let before = mine.prev;
    while (before && rank(before) > rank(mine)) before = before.prev;
    if (before === mine.prev) return;
    this._drawLast = mine.prev;
    this._drawLast.next = null;
    const next = before ? before.next : this._drawFirst;
    Object.assign(mine, { prev: before, next });
    next.prev = mine;
    if (before) before.next = mine;
    else this._drawFirst = mine;
  },

  /** Whether something that listens is drawn where the mouse is. @param {MouseEvent} event */
  isHit(event) {
    if (!this._map) return false;
    const at = this._map.mouseEventToLayerPoint(event);
    for (let one = this._drawFirst; one; one = one.next)
      if (one.layer.options.interactive && one.layer._containsPoint(at)) return true;
    return false;
  },
});

/**
 * Lets the upper canvas hear of the mouse only where it has drawn something: a canvas hears everything over it, and
 * what lies below would hear nothing.
 * @param {import("leaflet").Map} map @param {any} sheet
 */
function hearWhereDrawn(map, sheet) {
  const isOver = (/** @type {MouseEvent} */ event) =>
    !(/** @type {Element} */ (event.target).closest(ABOVE)) && sheet.isHit(event);
  const container = map.getContainer();
  for (const type of /** @type {const} */ (["click", "dblclick", "contextmenu"]))
    container.addEventListener(
      type,
      event => {
        if (!isOver(event)) return;
        event.stopPropagation();
        sheet._onClick(event);
      },
      true,
    );
  container.addEventListener("mousemove", event => {
    const isHit = isOver(event);
    if (isHit) sheet._onMouseMove(event);
    else if (sheet._hoveredLayer) sheet._handleMouseOut(event);
    container.classList.toggle("leaflet-interactive", isHit);
  });
}

/** @type {WeakMap<import("leaflet").Map, Record<"shapes" | "points", any>>} */
const sheets = new WeakMap();

/**
 * The canvases of a map.
 * @param {import("leaflet").Map} map
 */
export function sheetsOf(map) {
  let found = sheets.get(map);
  if (!found) {
    pane(map, "shapes", SHAPES);
    pane(map, "points", POINTS).style.pointerEvents = "none";
    found = {
      shapes: new Sheet({ pane: "shapes", padding: 0.15 }),
      points: new Sheet({ pane: "points", padding: 0.15, tolerance: 3 }),
    };
    sheets.set(map, found);
    hearWhereDrawn(map, found.points);
  }
  return found;
}

/**
 * A point that is drawn as a sprite; it is clicked and pointed at like any shape of Leaflet.
 * @type {any} (at: LatLng, options: { renderer, rank, sprite: () => Sprite, size }) => Layer
 */
export const SpritePoint = L.CircleMarker.extend({
  options: { stroke: false, bubblingMouseEvents: false },
  initialize(at, options) {
    const { width, height } = options.sprite();
    const radius = Math.max(width, height) / 2;
    /** @type {any} */ (L.CircleMarker.prototype).initialize.call(this, at, { ...options, radius });
  },
  _updatePath() {
    const sheet = this._renderer;
    if (!sheet._drawing || this._empty()) return;
    const { picture, width, height } = this.options.sprite();
    const { x, y } = this._point;
    sheet._ctx.drawImage(picture, Math.round(x - width / 2), Math.round(y - height / 2), width, height);
  },
});
