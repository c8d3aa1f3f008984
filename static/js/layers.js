// Layers that load themselves for the part of the map in view.
import { element } from "./element.js";
import { look as colours } from "./look.js";
import { pane } from "./map.js";
import { drawing, mark, withTip } from "./marks.js";
import { ask, poll } from "./server.js";
import { categoryName, named, say } from "./text.js";

const { L } = window;
const SIGNS = {
  police_posts: [
    ["M12 2 20 5v6c0 5.5-3.4 9.4-8 11-4.600-1.600-8-5.500-8-11V5z"],
    ["m12 7 1.500 3 3.300.500-2.400 2.300.600 3.300-3-1.600-3 1.600.600-3.300-2.400-2.300 3.300-.500z", "mark"],
  ],
  patrol_units: [["M12 3 21 20 12 16 3 20z"]],
  incidents: [["M12 2 23 21H1z"], ["M11 8h2v7h-2zm0 8.500h2v2h-2z", "mark"]],
  cameras: [["M3 7h12v10H3zm13 3 5-3v10l-5-3z"]],
  facilities: [["M4 11 12 4l8 7v9H4z"]],
};

/**
 * The symbol of a layer on the map and in the legend.
 * @param {string} layer one that has symbols
 * @param {string} [extra] an additional CSS class
 */
export function sign(layer, extra = "") {
  return element("span", { className: `sign ${layer} ${extra}` }, drawing(SIGNS[layer]));
}

function marker(layer, place, extra, size, ...lines) {
  return withTip(mark(place, sign(layer, extra), size), lines, { direction: "top", offset: [0, -size / 2] });
}

// How each layer looks.
/** @type {import("../types.js").LayerLook[]} */
export const LOOKS = [
  {
    name: "grid_cells",
    from: 0,
    swatch: "cells",
    style: feature => ({
      color: colours().grid_cells[feature.properties.grid_level - 1] ?? colours().grid_cells[4],
      weight: feature.properties.grid_level === 1 ? 1.6 : 1,
      opacity: 0.75,
      fillColor: feature.properties.cell_kind === "dedicated" ? colours().dedicated : colours().grid_cell_fill,
      fillOpacity: feature.properties.cell_kind === "dedicated" ? 0.28 : 0.1,
    }),
    label: feature => (feature.properties.grid_level === 1 ? "" : feature.properties.name),
  },
  {
    name: "patrol_zones",
    from: 11,
    swatch: "zones",
    style: feature =>
      feature.properties.zone_kind === "segment"
        ? { color: colours().segment, weight: 3, opacity: 0.65 }
        : { color: colours().patrol_zones, weight: 2, opacity: 0.85, dashArray: "7 5", fill: false },
  },
  {
    name: "response_circles",
    from: 11,
    swatch: "circles",
    style: feature => ({
      color: colours().response_circles[feature.properties.tier_minutes],
      weight: 0.9,
      opacity: 0.7,
      fillOpacity: 0.1,
      // estimates have a style of their own
      dashArray: feature.properties.method === "geodesic_estimate" ? "4 4" : undefined,
    }),
  },
  {
    name: "police_posts",
    from: 9,
    swatch: "police_posts",
    marker: (feature, at, zoom) =>
      marker(
        "police_posts",
        at,
        zoom < 12 ? "far" : "",
        zoom < 12 ? 14 : 24,
        feature.properties.name,
        feature.properties.responsible_unit,
      ),
  },
  {
    name: "patrol_units",
    from: 12,
    swatch: "patrol_units",
    marker: (feature, at) =>
      marker(
        "patrol_units",
        at,
        feature.properties.unit_status,
        16,
        feature.properties.name,
        feature.properties.unit_status,
      ),
  },
  {
    name: "incidents",
    title: "open_incidents",
    from: 0,
    swatch: "incidents",
    marker: (feature, at) =>
      marker(
        "incidents",
        at,
        feature.properties.unassigned ? "unassigned" : feature.properties.step,
        22,
        `${categoryName(feature.properties.category)} ${feature.properties.subtype}`,
        named("steps", feature.properties.step),
        feature.properties.unassigned ? say("unassigned") : null,
      ),
  },
  {
    name: "cameras",
    from: 11,
    swatch: "cameras",
    marker: (feature, at) => {
      const { point_count: count, name, is_online: online } = feature.properties;
      if (count === undefined)
        return marker("cameras", at, online ? "" : "offline", 18, name, online ? say("online") : say("offline"));
      const size = Math.round(16 + 5 * Math.log10(count) * 2);
      return mark(at, element("span", { className: "cluster", textContent: count }), size, { interactive: false });
    },
  },
  {
    name: "facilities",
    from: 14,
    swatch: "facilities",
    off: true,
    marker: (feature, at) => marker("facilities", at, feature.properties.facility_kind, 16, feature.properties.name),
  },
  {
    name: "road_closures",
    from: 8,
    swatch: "closures",
    style: () => ({
      color: colours().road_closures,
      weight: 4,
      opacity: 0.95,
      dashArray: "10 6",
      fillColor: colours().road_closures,
      fillOpacity: 0.25,
    }),
  },
  {
    name: "live_coverage",
    from: 11,
    swatch: "reached",
    off: true,
    address: bbox => `/response/live/areas?bbox=${bbox}`,
    style: ({ properties: { kind, method } }) =>
      kind === "hole"
        ? { color: colours().incidents, weight: 1, opacity: 0.8, fillColor: colours().incidents, fillOpacity: 0.35 }
        : {
            color: colours().patrol_units,
            weight: 1,
            opacity: 0.6,
            fillColor: colours().patrol_units,
            fillOpacity: 0.14,
            dashArray: method === "geodesic_estimate" ? "4 4" : undefined,
          },
    label: ({ properties: { kind, name } }) => (kind === "hole" ? name : ""),
  },
];

// Whether a base map is shown; without one the outermost cells are filled.
export const base = { isShown: false };

// The outermost cells are always shown under the other layers, so that the county can be recognised.
/** @type {import("../types.js").LayerLook} */
export const OUTLINES = {
  name: "outlines",
  collection: "grid_cells",
  from: 0,
  outermost: true,
  labelsBelow: 11,
  style: () => ({
    color: colours().outline,
    weight: 2.6,
    opacity: 0.9,
    fillColor: "#14304d",
    fillOpacity: base.isShown ? 0 : 0.35,
  }),
  label: feature => feature.properties.name,
  labelClass: "outermost",
};

const LABELS_AT_MOST = 160;

// A layer of the map; loads its features again whenever the map has moved.
export class LiveLayer {
  /**
   * @param {import("leaflet").Map} map
   * @param {import("../types.js").LayerLook} look
   * @param {number} number of its pane among those of its kind, from below
   */
  constructor(map, look, number) {
    this.map = map;
    this.look = look;
    this.visible = !look.off;
    /** @type {((state: import("../types.js").LayerState) => void)[]} */
    this.listeners = [];
    /** @type {string | null} when what is shown was in force; null: now */
    this.moment = null;
    pane(map, look.name, (look.marker ? 600 : 400) + number);
    this.group = L.layerGroup([], { pane: look.name });
    this.renderer = look.marker ? undefined : L.canvas({ pane: look.name, padding: 0.2 });
    map.on("moveend", () => this.load());
    if (this.visible) this.group.addTo(map);
  }

  /** @param {(state: import("../types.js").LayerState) => void} listener */
  onState(listener) {
    this.listeners.push(listener);
  }

  /** @param {import("../types.js").LayerState} state */
  tell(state) {
    this.listeners.forEach(listener => listener(state));
  }

  toggle() {
    this.visible = !this.visible;
    if (this.visible) this.group.addTo(this.map);
    else this.group.remove();
    return this.load();
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
    const zoom = Math.floor(this.map.getZoom());
    if (!this.visible) return this.tell({ off: true });
    if (zoom < this.look.from) {
      this.group.clearLayers();
      return this.tell({ far: true });
    }
    const { signal } = (this.asked = new AbortController());
    this.tell({ loading: true });
    const bounds = this.map.getBounds().pad(0.05);
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
      this.draw(found, zoom);
    } catch (error) {
      if (signal.aborted) return this.current; // a later load replaced this one: resolve with that
      this.tell({ failed: error.message });
    }
  }

  /** @param {number[]} bbox west, south, east, north in degrees @param {number} zoom */
  address(bbox, zoom) {
    const { name, collection = name, outermost, address } = this.look;
    if (address) return address(bbox, zoom);
    // at large zooms the outermost cells are loaded without `zoom`, which would return a deeper level
    const how = outermost && zoom > 9 ? "grid_level=1&limit=100" : `zoom=${zoom}`;
    const then = this.moment ? `&datetime=${encodeURIComponent(this.moment)}` : "";
    return `/collections/${collection}/items?bbox=${bbox}&${how}${then}`;
  }

  draw(found, zoom) {
    const { look } = this;
    const drawn = L.geoJSON(found, {
      pane: look.name,
      renderer: this.renderer,
      interactive: Boolean(look.marker || look.pick),
      style: look.style,
      onEachFeature: (feature, shape) => {
        if (look.pick) shape.on("click", event => look.pick?.(feature, event.originalEvent));
      },
      pointToLayer: (feature, at) => {
        const made = /** @type {import("leaflet").Marker} */ (look.marker?.(feature, at, zoom));
        made.options.pane = look.name;
        if (made.options.interactive !== false)
          made.on("click", () => this.map.fire("click", { latlng: at, feature, layer: look.name }));
        return made;
      },
    });
    this.group.clearLayers();
    this.group.addLayer(drawn);
    if (look.label && zoom < (look.labelsBelow ?? 99)) this.write(drawn);
    const count = found.features.reduce((sum, feature) => sum + (feature.properties.point_count ?? 1), 0);
    this.tell({ count, truncated: found.truncated });
  }

  // Places labels where they do not overlap, the largest shapes first.
  /** @param {any} drawn */
  write(drawn) {
    let written = 0;
    const extent = shape => this.map.distance(shape.getBounds().getSouthWest(), shape.getBounds().getNorthEast());
    drawn
      .getLayers()
      .sort((a, b) => extent(b) - extent(a))
      .forEach(shape => {
        const bounds = shape.getBounds();
        const size = this.map
          .latLngToLayerPoint(bounds.getSouthEast())
          .subtract(this.map.latLngToLayerPoint(bounds.getNorthWest()));
        const name = (this.look.label?.(shape.feature) ?? "") // without the official suffix, to save space
          .replace(/居民委员会$|村民委员会$|居委会$|村委会$/, "");
        if (size.x < name.length * 15 || size.y < 26 || written >= LABELS_AT_MOST) return;
        written += 1;
        const shown = element("span", { className: `label ${this.look.labelClass ?? ""}`, textContent: name });
        this.group.addLayer(
          mark(shape.getCenter?.() ?? bounds.getCenter(), shown, 0, { pane: "labels", interactive: false }),
        );
      });
  }
}

/**
 * The look of a layer by its name.
 * @param {string} name
 */
export const lookNamed = name => /** @type {import("../types.js").LayerLook} */ (LOOKS.find(one => one.name === name));
