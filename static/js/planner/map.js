// The cells of a draft on the map: shown by level, selected by clicks, with drawing that snaps to borders.
import { drawOn } from "../draw.js";
import { base, lookNamed, OUTLINES } from "../layers.js";
import { LiveLayer } from "../live_layer.js";
import { look } from "../look.js";
import { pane } from "../map.js";
import { withTip } from "../marks.js";
import { page } from "../page.js";
import { isNarrow } from "../room.js";
import { say } from "../text.js";
import { keepLocked, keptLocked } from "./keeping.js";
import { Loads } from "./loads.js";

const { L } = window;
const SNAP_PIXELS = 15;
const SPACE = 60; // pixels around what is shown
const JUST_NOW_MS = 50; // the click that ends a drawing must not select a cell
const COLOURS = { new: "#6fe3a1", changed: "#ffb347" };
const LOCKED = "#93abc2";
/** Borders are what is worked on here: louder than roads, ours and those of the base map. */
const BORDER = { weight: 2, opacity: 0.95 };
const CELLS = /** @type {Required<import("../../types.js").LayerLook>} */ (lookNamed("grid_cells"));

export class CellMap {
  /** @param {import("leaflet").Map} map @param {import("./bench.js").Bench} bench */
  constructor(map, bench) {
    this.map = map;
    this.bench = bench;
    /** @type {Map<string, any>} properties of what is chosen, by code */
    this.chosen = new Map();
    /** @type {"grid_cells" | "patrol_zones"} */
    this.layer = "grid_cells";
    /** @type {number | null} that is shown; null: what the zoom shows */
    this.level = null;
    /** @type {string | null} when what is shown was in force; null: now */
    this.moment = null;
    this.drawn = 0;
    /** @type {string | null} the cell that the keyboard is on */
    this.cursor = null;
    /** @type {Set<string>} cells that keep what they contain when a balance is proposed */
    this.locked = new Set(keptLocked());
    this.loads = new Loads(bench, () => this.shownLevel());
    /** @type {((cell: any) => void) | null} */
    this.target = null;
    /** @type {Parameters<typeof drawOn>[2] & {}} how the next drawing begins, and who hears of it */
    this.drawing = {};
    map.doubleClickZoom.disable();
    this.outlines = new LiveLayer(map, OUTLINES, 0);
    this.roads = new LiveLayer(
      map,
      {
        name: "roads",
        from: 14,
        style: () => ({ color: "#66788a", weight: 0.8, opacity: 0.5 }),
        told: ({ properties: { name } }) => [name || say("unnamedRoad")],
      },
      1,
    );
    this.cells = new LiveLayer(
      map,
      {
        name: "cells",
        from: 0,
        address: (bbox, zoom) => this.address(bbox, zoom),
        style: feature => this.style(feature),
        label: feature => this.label(feature),
        told: feature => [this.label(feature), feature.properties.grid_code],
        pick: (feature, event) => this.pick(feature, event),
      },
      2,
    );
    this.stops = L.layerGroup().addTo(map);
    this.notes = L.layerGroup().addTo(map);
    this.cells.onState(({ loading, failed }) => {
      if (failed) this.bench.tell("problem", failed);
      else if (!loading) this.refresh();
    });
    map.on("zoomend", () => {
      if (this.loads.isOn && this.loads.shown !== this.shownLevel()) this.loadCells();
    });
    map.pm.setLang(page.lang);
    map.pm.setGlobalOptions({
      snappable: true,
      snapDistance: SNAP_PIXELS,
      allowSelfIntersection: false,
      continueDrawing: false,
      templineStyle: { color: "#ffd84d" },
      hintlineStyle: { color: "#ffd84d", dashArray: "5 5" },
    });
  }

  /** Pixels at the left and right of the map that panels cover. */
  get margins() {
    return isNarrow() ? [0, 0] : [364, 504];
  }

  load() {
    return Promise.all([this.outlines.load(), this.roads.load(), this.loadCells()]);
  }

  /** Reads the cells anew, and what they are shaded by. */
  async loadCells() {
    await Promise.all([this.loads.load(), this.cells.load()]);
    if (this.loads.isOn) this.cells.redraw(); // with the numbers, which may have come last
  }

  label(feature) {
    const { grid_code: code, name } = feature.properties;
    if (this.layer === "patrol_zones") return name;
    const shown = `${CELLS.label(feature)}${this.loads.label(code)}`;
    return this.locked.has(code) ? `🔒 ${shown}` : shown;
  }

  /** Shows or hides how many households each manager of a cell has. */
  shade() {
    this.loads.isOn = !this.loads.isOn;
    return this.loadCells();
  }

  /** Locks cells, or unlocks them when all are locked. @param {string[]} codes */
  lock(codes) {
    const isLocked = codes.every(code => this.locked.has(code));
    codes.forEach(code => (isLocked ? this.locked.delete(code) : this.locked.add(code)));
    keepLocked(this.locked);
    this.cells.redraw();
  }

  /** What is drawn of the cells: shapes with their features. @returns {any[]} */
  shapes() {
    return this.cells.shapes();
  }

  // Removes cells of another time at once, so that none are shown under a wrong date when the request fails.
  /** @param {string | null} moment null: now */
  travel(moment) {
    this.moment = moment;
    this.outlines.moment = moment;
    for (const one of [this.outlines, this.cells]) one.clear();
    return Promise.all([this.outlines.load(), this.cells.load()]);
  }

  address(bbox, zoom) {
    if (this.bench.isLive && !this.moment && this.layer === "patrol_zones")
      return `${this.bench.address}/zones?bbox=${bbox}`;
    if (this.bench.isLive && !this.moment)
      return `${this.bench.address}/cells?bbox=${bbox}&level=${this.shownLevel(zoom)}`;
    const layer = this.layer;
    const then = this.moment ? `&datetime=${encodeURIComponent(this.moment)}` : "";
    return `/collections/${layer}/items?bbox=${bbox}&zoom=${zoom}${then}`;
  }

  shownLevel(zoom = Math.floor(this.map.getZoom())) {
    if (this.level) return this.level;
    return page.levels.filter(one => one.min_zoom <= zoom).reduce((most, one) => Math.max(most, one.grid_level), 1);
  }

  style({ properties }) {
    const isChosen = this.chosen.has(properties.grid_code);
    const colour = COLOURS[properties.change];
    const isZone = this.layer === "patrol_zones";
    const isLine = isZone && (properties.grid_level === 0 || properties.zone_kind === "segment");
    const shade = isZone ? null : this.loads.style(properties.grid_code);
    const isOn = this.cursor === properties.grid_code;
    const plain = isZone
      ? {
          color: isLine ? look().segment : look().patrol_zones,
          weight: isLine ? 4 : 2,
          opacity: 0.9,
          fillColor: look().patrol_zones,
          fillOpacity: 0.08,
        }
      : CELLS.style({ properties });
    if (isChosen || isOn)
      return {
        ...plain,
        ...(isChosen ? { fillColor: "#38b6ff", fillOpacity: 0.4 } : shade),
        color: isOn ? "#ffd84d" : "#ffffff",
        weight: isOn ? 4 : 3,
        opacity: 1,
      };
    if (colour)
      return { ...plain, color: colour, weight: 2.2, opacity: 1, fillColor: colour, fillOpacity: 0.28, ...shade };
    if (isZone) return plain;
    const isLocked = this.locked.has(properties.grid_code);
    return {
      ...plain,
      ...BORDER,
      fillOpacity: base.isShown ? 0.06 : plain.fillOpacity,
      color: isLocked ? LOCKED : (look().grid_cells[properties.grid_level - 1] ?? plain.color),
      ...(isLocked ? { fillColor: LOCKED, fillOpacity: 0.35, dashArray: "3 6" } : {}),
      ...shade,
    };
  }

  get isDrawing() {
    return this.map.pm.globalDrawModeEnabled();
  }

  pick({ properties }, event) {
    if (!properties.grid_code || this.isDrawing || this.moment || Date.now() - this.drawn < JUST_NOW_MS) return;
    if (this.target) {
      const found = this.target;
      this.target = null;
      found(properties);
      return;
    }
    const code = properties.grid_code;
    const isMore = event.shiftKey || event.ctrlKey || event.metaKey;
    const had = this.chosen.has(code);
    if (!isMore) this.chosen.clear();
    if (had && isMore) this.chosen.delete(code);
    else this.chosen.set(code, properties);
    this.chose();
  }

  /** Shows a cell between the panels, and chooses it. @param {string} code @param {number[]} bbox degrees */
  goTo(code, [west, south, east, north]) {
    this.fit(L.latLngBounds([south, west], [north, east]));
    this.cursor = code;
    this.choose([code]);
  }

  /** Shows a part of the city between the panels. @param {import("leaflet").LatLngBounds} bounds */
  fit(bounds) {
    this.map.fitBounds(bounds, {
      animate: false,
      paddingTopLeft: [this.margins[0] + SPACE, SPACE * 3],
      paddingBottomRight: [this.margins[1] + SPACE, SPACE],
    });
  }

  /** @param {string[]} codes */
  choose(codes) {
    this.chosen = new Map(codes.map(code => [code, this.chosen.get(code) ?? { grid_code: code, name: code }]));
    this.chose();
  }

  restyle() {
    this.cells.group.eachLayer((/** @type {any} */ drawn) => drawn.setStyle?.(feature => this.style(feature)));
  }

  chose() {
    this.restyle();
    this.bench.tell("chosen", [...this.chosen.values()]);
  }

  // Updates the selection with the new features; of zones also draws the mandatory stops.
  refresh() {
    this.stops.clearLayers();
    for (const { feature: { properties } } of this.shapes()) {
      if (this.chosen.has(properties.grid_code)) this.chosen.set(properties.grid_code, properties);
      (properties.stops ?? []).forEach(stop => this.mark(stop));
    }
    this.bench.tell("chosen", [...this.chosen.values()]);
  }

  mark({ name, point, window_from: from, window_to: to }) {
    const hours = [from, to]
      .filter(Boolean)
      .map(time => time.slice(0, 5))
      .join("–");
    this.pin(point, "#ffd84d", [`${name} ${hours}`]).addTo(this.stops);
  }

  /** Shows the notes that are pinned to the draft. @param {{ point: number[], lines: string[] }[]} notes */
  showNotes(notes) {
    this.notes.clearLayers();
    notes.forEach(({ point, lines }) => this.pin(point, "#ffffff", lines).addTo(this.notes));
  }

  /** @param {number[]} point lon, lat @param {string} fillColor @param {string[]} lines */
  pin([lon, lat], fillColor, lines) {
    const renderer = L.svg({ pane: "markerPane" });
    const dot = L.circleMarker([lat, lon], {
      radius: 6,
      weight: 2,
      color: "#07111c",
      fillColor,
      fillOpacity: 1,
      pane: "markerPane",
      renderer,
      pmIgnore: true,
    });
    return withTip(dot, lines);
  }

  turn(layer) {
    this.layer = layer;
    this.cursor = null;
    this.chosen.clear();
    this.bench.tell("layer", layer);
    return this.loadCells();
  }

  // Resolves to the next cell that is clicked.
  pickTarget() {
    return new Promise(found => {
      this.target = found;
    });
  }

  // Lets the user draw a line or an area; resolves to GeoJSON, or to null when cancelled.
  /** @param {"Line" | "Polygon" | "Marker"} shape */
  async draw(shape) {
    const { begun, heard } = this.drawing;
    this.drawing = {};
    const drawn = await drawOn(this.map, shape, { begun, heard });
    if (drawn) this.drawn = Date.now();
    return drawn;
  }

  cancel() {
    this.map.pm.disableDraw();
    this.target?.(null);
    this.target = null;
  }

  snapTolerance() {
    const { map } = this;
    const size = map.getSize();
    const metres = map.distance(
      map.containerPointToLatLng([0, size.y / 2]),
      map.containerPointToLatLng([SNAP_PIXELS, size.y / 2]),
    );
    return say("snaps", { pixels: SNAP_PIXELS, metres: metres.toFixed(metres < 10 ? 1 : 0) });
  }
}

/** @param {any[]} features @returns {import("geojson").FeatureCollection} */
const collected = features => ({ type: "FeatureCollection", features });

// Compares two states by a slider: the present left of its handle, the new one right of it.
export class Swipe {
  /** @param {import("leaflet").Map} map @param {HTMLElement} bar with a slider and the line of the cut */
  constructor(map, bar) {
    this.map = map;
    this.bar = bar;
    this.slider = /** @type {HTMLInputElement} */ (bar.querySelector("input"));
    this.cut = /** @type {HTMLElement} */ (bar.querySelector("i"));
    /** @type {import("leaflet").GeoJSON | null} */
    this.shaded = null;
    this.panes = ["before", "after"].map((name, number) => pane(map, name, 430 + number));
    this.sides = ["before", "after"].map((name, number) => {
      this.panes[number].style.pointerEvents = "none";
      return L.geoJSON(null, {
        pane: name,
        interactive: false,
        renderer: L.canvas({ pane: name, padding: 0.5 }),
        style: () =>
          number
            ? { color: "#6fe3a1", weight: 3, fillColor: "#6fe3a1", fillOpacity: 0.22 }
            : { color: "#ff8585", weight: 3, fillColor: "#ff8585", fillOpacity: 0.22 },
      });
    });
    this.slider.oninput = () => this.clip();
    map.on("move zoomend resize", () => this.clip());
  }

  // Shows one state, with cells coloured by their properties.
  /** @param {any[]} features @param {(properties: any) => import("leaflet").PathOptions} style */
  shade(features, style) {
    this.hide();
    this.shaded = L.geoJSON(collected(features), {
      pane: "after",
      interactive: false,
      renderer: this.sides[1].options.renderer,
      style: feature => style(feature?.properties),
    }).addTo(this.map);
    this.panes[1].style.clip = "auto";
    return this.shaded.getBounds();
  }

  /** @param {any[]} features @returns {import("leaflet").LatLngBounds | null} */
  show(features) {
    this.shaded?.remove();
    this.sides.forEach((side, number) => {
      side.clearLayers();
      const state = number ? "after" : "before";
      side.addData(
        collected(features.filter(({ properties }) => properties.state === state && !properties.is_divided)),
      );
      side.addTo(this.map);
    });
    this.bar.hidden = false;
    this.clip();
    const drawn = L.featureGroup(this.sides.filter(side => side.getLayers().length));
    return drawn.getLayers().length ? drawn.getBounds() : null;
  }

  /** @returns {null} */
  hide() {
    this.sides.forEach(side => side.remove());
    this.shaded?.remove();
    this.shaded = null;
    this.bar.hidden = true;
    return null;
  }

  clip() {
    if (this.shaded) return;
    const size = this.map.getSize();
    const nw = this.map.containerPointToLayerPoint([0, 0]);
    const se = this.map.containerPointToLayerPoint(size);
    const { left, width } = this.slider.getBoundingClientRect();
    const at = left + (width * this.slider.valueAsNumber) / Number(this.slider.max);
    const cut = nw.x + at;
    this.cut.style.left = `${at}px`;
    this.panes[0].style.clip = `rect(${nw.y}px, ${cut}px, ${se.y}px, ${nw.x}px)`;
    this.panes[1].style.clip = `rect(${nw.y}px, ${se.x}px, ${se.y}px, ${cut}px)`;
  }
}
