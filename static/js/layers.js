// Layers that load themselves for the part of the map in view.
import { ask, poll } from "./server.js";
import { element } from "./element.js";
import { look } from "./look.js";
import { drawing, mark, withTip } from "./marks.js";
import { categoryName, text } from "./text.js";

const L = window.L;
const SIGNS = {
  police_posts: [["M12 2 20 5v6c0 5.5-3.4 9.4-8 11-4.600-1.600-8-5.500-8-11V5z"], ["m12 7 1.500 3 3.300.500-2.400 2.300.600 3.300-3-1.600-3 1.600.600-3.300-2.400-2.300 3.300-.500z", "mark"]],
  patrol_units: [["M12 3 21 20 12 16 3 20z"]],
  incidents: [["M12 2 23 21H1z"], ["M11 8h2v7h-2zm0 8.500h2v2h-2z", "mark"]],
  cameras: [["M3 7h12v10H3zm13 3 5-3v10l-5-3z"]],
  facilities: [["M4 11 12 4l8 7v9H4z"]],
};

export function sign(layer, extra = "") {
  return element("span", { className: `sign ${layer} ${extra}` }, drawing(SIGNS[layer]));
}

function marker(layer, place, extra, size, ...lines) {
  return withTip(mark(place, sign(layer, extra), size), lines, { direction: "top", offset: [0, -size / 2] });
}

// How each layer looks. `from` is the first zoom at which it is drawn.
export const LOOKS = [
  {
    name: "grid_cells", from: 0, swatch: "cells",
    style: f => ({
      color: look().grid_cells[f.properties.grid_level - 1] ?? look().grid_cells[4], weight: f.properties.grid_level === 1 ? 1.6 : 1,
      opacity: 0.75, fillColor: f.properties.cell_kind === "dedicated" ? look().dedicated : look().grid_cell_fill,
      fillOpacity: f.properties.cell_kind === "dedicated" ? 0.28 : 0.10,
    }),
    label: f => f.properties.grid_level === 1 ? "" : f.properties.name,
  },
  {
    name: "patrol_zones", from: 11, swatch: "zones",
    style: f => f.properties.zone_kind === "segment"
      ? { color: look().segment, weight: 3, opacity: 0.65 }
      : { color: look().patrol_zones, weight: 2, opacity: 0.85, dashArray: "7 5", fill: false },
  },
  {
    name: "response_circles", from: 11, swatch: "circles",
    style: f => ({
      color: look().response_circles[f.properties.tier_minutes], weight: 0.9, opacity: 0.7, fillOpacity: 0.1,
      dashArray: f.properties.method === "geodesic_estimate" ? "4 4" : null, // an estimate shows that it is one
    }),
  },
  {
    name: "police_posts", from: 9, swatch: "police_posts",
    marker: (f, at, zoom) => marker("police_posts", at, zoom < 12 ? "far" : "", zoom < 12 ? 14 : 24, f.properties.name, f.properties.responsible_unit),
  },
  {
    name: "patrol_units", from: 12, swatch: "patrol_units",
    marker: (f, at) => marker("patrol_units", at, f.properties.unit_status, 16, f.properties.name, f.properties.unit_status),
  },
  {
    name: "incidents", title: "open_incidents", from: 0, swatch: "incidents",
    marker: (f, at) => marker("incidents", at, f.properties.unassigned ? "unassigned" : f.properties.step, 22,
      `${categoryName(f.properties.category)} ${f.properties.subtype}`, text.steps[f.properties.step], f.properties.unassigned ? text.unassigned : null),
  },
  {
    name: "cameras", from: 11, swatch: "cameras",
    marker: (f, at) => {
      const { point_count: count, name, is_online: online } = f.properties;
      if (count === undefined) return marker("cameras", at, online ? "" : "offline", 18, name, online ? text.online : text.offline);
      const size = Math.round(16 + 5 * Math.log10(count) * 2);
      return mark(at, element("span", { className: "cluster", textContent: count }), size, { interactive: false });
    },
  },
  {
    name: "facilities", from: 14, swatch: "facilities", off: true,
    marker: (f, at) => marker("facilities", at, f.properties.facility_kind, 16, f.properties.name),
  },
  {
    name: "road_closures", from: 8, swatch: "closures",
    style: () => ({ color: look().road_closures, weight: 4, opacity: 0.95, dashArray: "10 6", fillColor: look().road_closures, fillOpacity: 0.25 }),
  },
  {
    name: "live_coverage", from: 11, swatch: "reached", off: true,
    address: bbox => `/response/live/areas?bbox=${bbox}`,
    style: ({ properties: { kind, method } }) => kind === "hole"
      ? { color: look().incidents, weight: 1, opacity: 0.8, fillColor: look().incidents, fillOpacity: 0.35 }
      : { color: look().patrol_units, weight: 1, opacity: 0.6, fillColor: look().patrol_units, fillOpacity: 0.14, dashArray: method === "geodesic_estimate" ? "4 4" : null },
    label: ({ properties: { kind, name } }) => (kind === "hole" ? name : ""),
  },
];

// Whether a base map lies under everything; without one the outermost cells are filled.
export const base = { isShown: false };

// The outermost cells lie under everything, so that a person always knows which county this is.
export const OUTLINES = {
  name: "outlines", collection: "grid_cells", from: 0, outermost: true, labelsBelow: 11,
  style: () => ({ color: look().outline, weight: 2.6, opacity: 0.9, fillColor: "#14304d", fillOpacity: base.isShown ? 0 : 0.35 }),
  label: f => f.properties.name, labelClass: "outermost",
};

const LABELS_AT_MOST = 160;

export class LiveLayer {
  constructor(map, look, number) {
    Object.assign(this, { map, look, visible: !look.off, listeners: [], state: {} });
    const pane = map.createPane(look.name);
    pane.style.zIndex = (look.marker ? 600 : 400) + number;
    this.group = L.layerGroup([], { pane: look.name });
    this.renderer = look.marker ? undefined : L.canvas({ pane: look.name, padding: 0.2 });
    map.on("moveend", () => this.load());
    if (this.visible) this.group.addTo(map);
  }

  onState(listener) { this.listeners.push(listener); }

  tell(state) {
    this.state = state;
    this.listeners.forEach(listener => listener(state));
  }

  toggle() {
    this.visible = !this.visible;
    if (this.visible) this.group.addTo(this.map); else this.group.remove();
    return this.load();
  }

  load(background = false) {
    this.current = this.loadNow(background);
    return this.current;
  }

  async loadNow(background) {
    this.asked?.abort();
    const zoom = Math.floor(this.map.getZoom());
    if (!this.visible) return this.tell({ off: true });
    if (zoom < this.look.from) {
      this.group.clearLayers();
      return this.tell({ far: true });
    }
    this.asked = new AbortController();
    this.tell({ loading: true });
    const bounds = this.map.getBounds().pad(0.05);
    const wrap = degrees => Math.max(-180, Math.min(180, degrees));
    const bbox = [wrap(bounds.getWest()), Math.max(-90, bounds.getSouth()), wrap(bounds.getEast()), Math.min(90, bounds.getNorth())];
    try {
      const found = await (background ? poll : ask)(this.address(bbox, zoom), {
        signal: this.asked.signal, patience: Infinity, waiting: error => this.tell({ failed: error.message }),
      });
      this.draw(found, zoom);
    } catch (error) {
      if (error.name === "AbortError") return this.current; // a later one took its place: done when that is
      this.tell({ failed: error.message });
    }
  }

  address(bbox, zoom) {
    const { name, collection = name, outermost, address } = this.look;
    if (address) return address(bbox, zoom);
    // near by the outermost cells are not what the zoom shows, and are few: as they are
    const how = outermost && zoom > 9 ? "grid_level=1&limit=100" : `zoom=${zoom}`;
    const then = this.moment ? `&datetime=${encodeURIComponent(this.moment)}` : "";
    return `/collections/${collection}/items?bbox=${bbox}&${how}${then}`;
  }

  draw(found, zoom) {
    const { look } = this;
    const drawn = L.geoJSON(found, {
      pane: look.name, renderer: this.renderer, interactive: Boolean(look.marker || look.pick), style: look.style,
      onEachFeature: (feature, shape) => { if (look.pick) shape.on("click", event => look.pick(feature, event.originalEvent)); },
      pointToLayer: (feature, at) => {
        const made = look.marker(feature, at, zoom);
        made.options.pane = look.name;
        if (made.options.interactive !== false) made.on("click", () => this.map.fire("click", { latlng: at, feature, layer: look.name }));
        return made;
      },
    });
    this.group.clearLayers();
    this.group.addLayer(drawn);
    if (look.label && zoom < (look.labelsBelow ?? 99)) this.write(drawn);
    const count = found.features.reduce((sum, f) => sum + (f.properties.point_count ?? 1), 0);
    this.tell({ count, truncated: found.truncated });
  }

  // Names go where they fit: the largest shapes first.
  write(drawn) {
    let written = 0;
    const extent = shape => this.map.distance(shape.getBounds().getSouthWest(), shape.getBounds().getNorthEast());
    drawn.getLayers().sort((a, b) => extent(b) - extent(a)).forEach(shape => {
      const bounds = shape.getBounds();
      const size = this.map.latLngToLayerPoint(bounds.getSouthEast()).subtract(this.map.latLngToLayerPoint(bounds.getNorthWest()));
      const name = this.look.label(shape.feature) // the official suffix is left off for room
        .replace(/居民委员会$|村民委员会$|居委会$|村委会$/, "");
      if (size.x < name.length * 15 || size.y < 26 || written >= LABELS_AT_MOST) return;
      written += 1;
      const shown = element("span", { className: `label ${this.look.labelClass ?? ""}`, textContent: name });
      this.group.addLayer(mark(shape.getCenter?.() ?? bounds.getCenter(), shown, 0, { pane: "labels", interactive: false }));
    });
  }
}
