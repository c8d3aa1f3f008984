// How each layer of the map looks.
import { look as colours } from "./look.js";
import { now } from "./now.js";
import { page } from "./page.js";
import { SHAPES } from "./shapes.js";
import { isSilent } from "./signs.js";
import { ago, categoryIcon, categoryName, metres, named, say } from "./text.js";

/** What waits is larger than what is only to be written up, and lies over it. */
const ICONS_FROM = 13; // zoom: before, letters would cover other signs
const STAGES = {
  reported: { size: 24, rank: 0.9 },
  accepted: { size: 24, rank: 0.8 },
  assigned: { size: 21, rank: 0.5 },
  handled: { size: 14, rank: 0 },
};

/** @param {string} name @returns {(feature: any) => import("leaflet").PathOptions} in the colours of the theme */
const shape = name => feature => SHAPES[name](feature.properties, colours());
/** Whether a camera works, for all that is known: nobody reported on it, and it is not drawn as broken. */
const works = state => state === "online" || state === null || state === undefined;

/** @type {import("../types.js").LayerLook[]} from the lowest */
const LOOKS = [
  {
    name: "grid_cells",
    from: 0,
    swatch: "cells",
    style: shape("grid_cells"),
    told: ({ properties: { name, grid_code: code } }) => [name, code],
    label: feature => (feature.properties.grid_level === 1 ? "" : feature.properties.name),
  },
  {
    name: "patrol_zones",
    from: 12,
    swatch: "zones",
    style: shape("patrol_zones"),
    told: ({ properties: { name, zone_code: code, responsible_unit: unit } }) => [name, code, unit],
  },
  {
    name: "response_circles",
    from: 10,
    swatch: "circles",
    address: (bbox, zoom) => `/response/unions?by=city&bbox=${bbox}&zoom=${zoom}`,
    style: shape("response_circles"),
    told: ({ properties: { tier_minutes: minutes, name, post_code: post, method } }) => [
      say("minutesOfTier", { minutes }),
      name || post,
      method === "geodesic_estimate" ? say("estimate") : null,
    ],
  },
  {
    name: "cameras",
    from: 12,
    swatch: "cameras",
    point: ({ properties: { point_count: count, offline_count: off, name, camera_state: state } }) => {
      if (count !== undefined) return { count, size: Math.round(16 + 10 * Math.log10(count)), share: off / count };
      const lines = [name, named("cameraStates", state ?? "unknown")];
      return { state: works(state) ? "" : "offline", size: 18, lines };
    },
  },
  {
    name: "facilities",
    from: 14,
    swatch: "facilities",
    off: true,
    point: ({ properties: { name } }) => ({ size: 16, lines: [name] }),
  },
  {
    name: "police_posts",
    from: 11,
    swatch: "police_posts",
    point: ({ properties: { name, responsible_unit: unit } }, zoom) => ({
      size: zoom < 13 ? 13 : 24,
      lines: [name, unit],
    }),
  },
  {
    name: "patrol_units",
    from: 12,
    swatch: "patrol_units",
    point: ({ properties: { name, unit_status: status, reported_at: reportedAt } }) => {
      const state = status === "on_patrol" && isSilent(reportedAt, now()) ? "silent" : status;
      return { state, size: 17, lines: [name, named("unitStates", state)] };
    },
  },
  {
    name: "incidents",
    title: "open_incidents",
    from: 0,
    swatch: "incidents",
    point: ({ properties: { category, subtype, step, unassigned } }, zoom) => ({
      state: unassigned ? "unassigned" : step,
      icon: zoom < ICONS_FROM ? "" : categoryIcon(category),
      ...(unassigned ? STAGES.reported : (STAGES[step] ?? STAGES.handled)),
      lines: [`${categoryName(category)} ${subtype}`, named("steps", step), unassigned ? say("unassigned") : null],
    }),
  },
  {
    name: "road_closures",
    from: 8,
    swatch: "closures",
    style: shape("road_closures"),
    told: ({ properties: { name, closure_code: code } }) => [name, code],
  },
  {
    name: "live_coverage",
    from: 11,
    swatch: "reached",
    off: true,
    address: bbox => `/response/live/areas?bbox=${bbox}`,
    style: shape("live_coverage"),
    told: ({ properties: { kind, name } }) => [name, kind === "hole" ? say("isAHole") : say("isReached")],
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
    fillColor: colours().grid_cell_fill,
    fillOpacity: base.isShown ? 0 : 0.2,
  }),
  label: feature => feature.properties.name,
  told: ({ properties: { name, grid_code: code } }) => [name, code],
};

/** @type {import("../types.js").LayerLook} what cameras see, near; of one that is off only the outline */
export const SIGHT = {
  name: "camera_views",
  from: 16,
  address: bbox => `/cameras/views?bbox=${bbox}`,
  told: ({ properties: { name, range_m: range } }) => [name, metres(range)],
  style: ({ properties: { camera_state: state } }) => ({
    color: colours().cameras,
    weight: 1,
    opacity: 0.6,
    dashArray: works(state) ? undefined : "3 4",
    fill: works(state),
    fillColor: colours().cameras,
    fillOpacity: 0.14,
  }),
};

/** @type {import("../types.js").LayerLook} cameras that move, where they are */
export const MOVING = {
  name: "camera_positions",
  from: 12,
  address: bbox => `/cameras/positions?bbox=${bbox}`,
  point: ({ properties: { name, camera_state: state, positioned_at: at } }) => ({
    state: works(state) ? "" : "offline",
    size: 18,
    lines: [name, say("wasHere", { ago: ago(at) }), works(state) ? null : named("cameraStates", state)],
  }),
};

/** The layers that the page was composed of (geo_grid/maps/pages.py), from the lowest. */
export const shownLooks = () => page.shown.map(lookNamed);

/**
 * The look of a layer by its name.
 * @param {string} name
 */
export const lookNamed = name => /** @type {import("../types.js").LayerLook} */ (LOOKS.find(one => one.name === name));
