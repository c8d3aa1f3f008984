// A layer that loads itself for the part of the map in view, and draws on the map's two canvases.
import { namesOf } from "./canvas/names.js";
import { sheetsOf, SpritePoint } from "./canvas/sheet.js";
import { countSprite, signSprite } from "./canvas/sprites.js";
import { layersOf } from "./in_view.js";
import { withTip } from "./marks.js";
import { scale, zoomOf } from "./scale.js";
import { ask, poll } from "./server.js";
import { number, say } from "./text.js";
import { pause } from "./timing.js";

const { L } = window;
const BEYOND = 0.15; // how far beyond the view is loaded, so that a small move asks for nothing
const STRONG_RANK = 100;
const CLOSER = 2; // zooms: what a group of points is divided at
/** Official suffixes, which every name of its level has: left out to save space. */
const SUFFIX = /居民委员会$|村民委员会$|居委会$|村委会$/;

export class LiveLayer {
  /**
   * @param {import("leaflet").Map} map
   * @param {import("../types.js").LayerLook} look
   * @param {number} rank among the layers, from below
   */
  constructor(map, look, rank) {
    this.map = map;
    this.look = look;
    this.rank = rank;
    this.visible = !look.off;
    /** @type {((state: import("../types.js").LayerState) => void)[]} */
    this.listeners = [];
    /** @type {string | null} when what is shown was in force; null: now */
    this.moment = null;
    /** @type {any[]} what is drawn */
    this.features = [];
    /** @type {{ bounds: import("leaflet").LatLngBounds, zoom: number } | null} what is drawn is all there is here */
    this.held = null;
    this.tries = 0;
    /** What its question has besides: parameters that begin with &. */
    this.also = "";
    const { shapes, points } = sheetsOf(map);
    this.renderer = look.point ? points : shapes;
    this.group = L.layerGroup();
    layersOf(map).push(this);
    map.on("moveend", () => {
      if (!this.holdsView()) this.load();
    });
    if (this.visible) this.group.addTo(map);
  }

  /** @param {(state: import("../types.js").LayerState) => void} listener */
  onState(listener) {
    this.listeners.push(listener);
  }

  /** @param {import("../types.js").LayerState} state */
  tell(state) {
    this.state = state;
    this.listeners.forEach(listener => listener(state));
  }

  toggle() {
    this.visible = !this.visible;
    if (this.visible) this.group.addTo(this.map);
    else this.group.remove();
    return this.load();
  }

  holdsView() {
    return Boolean(this.held && this.held.zoom === zoomOf(this.map) && this.held.bounds.contains(this.map.getBounds()));
  }

  /**
   * Loads the features in view; resolves when they are drawn, or the failure is shown.
   * @param {boolean} [background] whether no user action caused it, so that it does not extend the session
   * @returns {Promise<void>}
   */
  load(background = false) {
    this.current = this.loadNow(background);
    return this.current;
  }

  /** @param {boolean} background @returns {Promise<void>} */
  async loadNow(background) {
    this.asked?.abort();
    clearTimeout(this.again);
    const zoom = zoomOf(this.map);
    if (!this.visible || zoom < this.look.from) {
      this.show([], zoom);
      return this.tell(this.visible ? { far: true } : { off: true });
    }
    const { signal } = (this.asked = new AbortController());
    if (!background) this.tell({ loading: true });
    const bounds = this.map.getBounds().pad(BEYOND);
    const wrap = degrees => Math.max(-180, Math.min(180, degrees));
    const bbox = [
      wrap(bounds.getWest()),
      Math.max(-90, bounds.getSouth()),
      wrap(bounds.getEast()),
      Math.min(90, bounds.getNorth()),
    ];
    try {
      const found = await (background ? poll : ask)(this.address(bbox, zoom), {
        signal,
        patience: Infinity,
        waiting: error => this.tell({ failed: error.message }),
      });
      if (signal.aborted) return this.current;
      this.show(found.features, zoom);
      this.held = found.truncated ? null : { bounds, zoom };
      this.tries = 0;
      const count = this.features.reduce((sum, feature) => sum + (feature.properties.point_count ?? 1), 0);
      this.tell({ count, truncated: found.truncated });
    } catch (error) {
      if (signal.aborted) return this.current; // a later load replaced this one: resolve with that
      this.tell({ failed: error.message });
      if (error.status >= 400 && error.status < 500) return; // asking again would change nothing
      this.again = setTimeout(() => this.load(true), pause((this.tries += 1)));
    }
  }

  /** @param {number[]} bbox west, south, east, north in degrees @param {number} zoom */
  address(bbox, zoom) {
    const { name, collection = name, outermost, address } = this.look;
    if (address) return address(bbox, zoom) + this.also;
    // at large zooms the outermost cells are loaded without `zoom`, which would return a deeper level
    const how = outermost && zoom > 9 ? "grid_level=1&limit=100" : `zoom=${zoom}`;
    const then = this.moment ? `&datetime=${encodeURIComponent(this.moment)}` : "";
    return `/collections/${collection}/items?bbox=${bbox}&${how}${then}${this.also}`;
  }

  /** Draws nothing any more, until it loads again. */
  clear() {
    this.show([], 0);
  }

  /** Draws what it has once more: because the theme is another, or what is left out. */
  redraw() {
    this.show(this.features, zoomOf(this.map));
  }

  /** @param {any[]} features @param {number} zoom */
  show(features, zoom) {
    const { look } = this;
    if (!features.length) this.held = null;
    this.features = features;
    const options = { renderer: this.renderer, pane: this.renderer.options.pane, rank: this.rank };
    const drawn = L.geoJSON(/** @type {any} */ ({ type: "FeatureCollection", features }), {
      ...options,
      filter: feature => look.filter?.(feature) ?? true,
      interactive: Boolean(look.pick),
      style: feature => this.scaled(look.style?.(feature) ?? {}),
      onEachFeature: (feature, shape) => {
        if (look.pick) shape.on("click", event => look.pick?.(feature, event.originalEvent));
      },
      pointToLayer: (feature, at) => this.point(feature, at, zoom, options),
    });
    this.group.clearLayers();
    this.group.addLayer(drawn);
    if (look.point)
      namesOf(this.map).setSigns(
        look.name,
        drawn.getLayers().map((/** @type {any} */ one) => ({ at: one.getLatLng(), size: 2 * one.getRadius() })),
      );
    namesOf(this.map).set(
      look.name,
      look.label && zoom < (look.labelsBelow ?? 99) ? drawn.getLayers().flatMap(shape => this.name(shape)) : [],
    );
  }

  /** @param {import("leaflet").PathOptions} style */
  scaled(style) {
    return { ...style, weight: (style.weight ?? 3) * Math.sqrt(scale.is) };
  }

  point(feature, at, zoom, options) {
    const draw = /** @type {NonNullable<import("../types.js").LayerLook["point"]>} */ (this.look.point);
    const { count, state = "", size: small, lines, isLate, icon, rank = 0, share } = draw(feature, zoom);
    const size = Math.round(small * scale.is);
    const drawn = () =>
      count === undefined ? signSprite(this.look.name, state, size, isLate, icon) : countSprite(count, size, share);
    const interactive = count === undefined;
    const made = new SpritePoint(at, { ...options, rank: this.rank + rank, sprite: drawn, interactive });
    if (count !== undefined) return made;
    made.on("click", () => this.choose(feature, at));
    return withTip(made, lines ?? [], { direction: "top", offset: [0, -size / 2] });
  }

  /** Chooses a feature as a click on it does. @param {any} feature @param {import("leaflet").LatLng} at */
  choose(feature, at) {
    this.map.fire("click", { latlng: at, feature, layer: this.look.name });
  }

  /** What is drawn: shapes and points with their features. @returns {any[]} */
  shapes() {
    /** @type {any[]} */
    const found = [];
    this.group.eachLayer((/** @type {any} */ drawn) =>
      drawn.eachLayer?.(shape => {
        if (shape.feature) found.push(shape);
      }),
    );
    return found;
  }

  /**
   * What is drawn within the view, in words, and how it is chosen.
   * @returns {{ key: string, text: string, choose: () => unknown }[]}
   */
  inView() {
    const view = this.map.getBounds();
    return this.shapes()
      .filter(shape => (shape.getBounds ? view.intersects(shape.getBounds()) : view.contains(shape.getLatLng())))
      .map((shape, at) => {
        const { feature } = shape;
        const { point_count: count } = feature.properties;
        const place = shape.getBounds ? (shape.getCenter?.() ?? shape.getBounds().getCenter()) : shape.getLatLng();
        const lines = count ? [say("severalHere", { count: number(count) })] : this.told(feature);
        return {
          key: String(feature.id ?? at),
          text: lines.filter(Boolean).join(" · "),
          choose: () => {
            if (count) this.map.setView(place, this.map.getZoom() + CLOSER, { animate: false });
            else if (this.look.pick) this.look.pick(feature, new MouseEvent("click"));
            else this.choose(feature, place);
          },
        };
      });
  }

  /** What a feature is, in words. @returns {(string | null | undefined)[]} */
  told(feature) {
    const { point, told = () => [] } = this.look;
    return point ? (point(feature, zoomOf(this.map)).lines ?? []) : told(feature);
  }

  /** @param {any} shape @returns {import("./canvas/names.js").Name[]} */
  name(shape) {
    const text = (this.look.label?.(shape.feature) ?? "").replace(SUFFIX, "");
    if (!text) return [];
    const bounds = shape.getBounds();
    const room = this.map
      .latLngToLayerPoint(bounds.getSouthEast())
      .subtract(this.map.latLngToLayerPoint(bounds.getNorthWest()));
    const isStrong = Boolean(this.look.outermost);
    return [
      { at: shape.getCenter?.() ?? bounds.getCenter(), text, isStrong, rank: isStrong ? STRONG_RANK : this.rank, room },
    ];
  }
}
