/**
 * Lets the user draw a line, an area or a point with leaflet-geoman.
 * Resolves to a GeoJSON geometry in degrees, or to null when the user cancels.
 * @param {import("leaflet").Map} map
 * @param {"Line" | "Polygon" | "Marker"} shape
 * @returns {Promise<any>}
 */
export function drawOn(map, shape) {
  map.pm.enableDraw(shape, { finishOn: "dblclick" });
  return new Promise(found => {
    const created = ({ layer }) => {
      layer.remove();
      end(layer.toGeoJSON(10).geometry);
    };
    const ended = ({ enabled }) => {
      if (!enabled) setTimeout(() => end(null));
    };
    const end = geometry => {
      map.off("pm:create", created);
      map.off("pm:globaldrawmodetoggled", ended);
      found(geometry);
    };
    map.on("pm:create", created);
    map.on("pm:globaldrawmodetoggled", ended);
  });
}
