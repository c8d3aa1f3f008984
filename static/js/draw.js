// Draws a line, an area or a place on a map with leaflet-geoman; gives its GeoJSON geometry, or null when given up.
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
