// How lines and areas of each layer are drawn: one definition, for our pages and for maps in notebooks, into which
// geo_grid/maps/elements.py copies this file. It imports nothing.

/** The tiers of circles are told apart by how their border is drawn: colours alone are not for everybody. */
const BORDERS = { 1: undefined, 3: "9 5", 5: "2 5" };

/**
 * Options of a Leaflet path, by layer, from the properties of a feature and the colours of a theme.
 * @type {Record<string, (properties: any, colours: any) => import("leaflet").PathOptions>}
 */
export const SHAPES = {
  grid_cells: ({ grid_level: level, cell_kind: kind }, colours) => ({
    color: colours.grid_cells[(level ?? 1) - 1] ?? colours.grid_cells[4],
    weight: level === 1 ? 1.6 : 1,
    opacity: 0.6,
    fillColor: kind === "dedicated" ? colours.dedicated : colours.grid_cell_fill,
    fillOpacity: kind === "dedicated" ? 0.22 : 0.05,
  }),
  patrol_zones: ({ zone_kind: kind }, colours) =>
    kind === "segment"
      ? { color: colours.segment, weight: 3, opacity: 0.65 }
      : { color: colours.patrol_zones, weight: 1.6, opacity: 0.7, dashArray: "7 5", fill: false },
  response_circles: ({ tier_minutes: tier }, colours) => ({
    color: colours.response_circles[tier] ?? colours.response_circles[5],
    weight: 1.2,
    opacity: 0.6,
    dashArray: BORDERS[tier],
    fillColor: colours.response_circles[tier] ?? colours.response_circles[5],
    fillOpacity: 0.07,
  }),
  road_closures: (_, colours) => ({
    color: colours.road_closures,
    weight: 4,
    opacity: 0.95,
    dashArray: "10 6",
    fillColor: colours.road_closures,
    fillOpacity: 0.25,
  }),
  live_coverage: ({ kind, method }, colours) =>
    kind === "hole"
      ? { color: colours.incidents, weight: 1, opacity: 0.8, fillColor: colours.incidents, fillOpacity: 0.35 }
      : {
          color: colours.patrol_units,
          weight: 1,
          opacity: 0.6,
          fillColor: colours.patrol_units,
          fillOpacity: 0.14,
          dashArray: method === "geodesic_estimate" ? "4 4" : undefined,
        },
};
