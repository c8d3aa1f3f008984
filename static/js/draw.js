// Drawing on a map, with leaflet-geoman.
const { L } = window;

/**
 * Lets the user draw a line, an area or a point with leaflet-geoman; Enter or a double-click ends it, Backspace takes
 * back the last corner. Resolves to a GeoJSON geometry in degrees, or to null when the user cancels.
 * @param {import("leaflet").Map} map
 * @param {"Line" | "Polygon" | "Marker"} shape
 * @param {object} [how]
 * @param {number[][]} [how.begun] corners that are there already: lon, lat in degrees
 * @param {(corners: number[][], pointer: number[] | null) => void} [how.heard] told what is drawn so far, and where the
 *   mouse is (null: it has not moved since the last corner)
 * @returns {Promise<any>}
 */
export function drawOn(map, shape, { begun = [], heard } = {}) {
  /** @type {any} */
  let working = null;
  const corners = () => (working ? [working.getLatLngs()].flat(2).map(({ lng, lat }) => [lng, lat]) : []);
  /** @param {number[] | null} pointer */
  const tell = pointer => heard?.(corners(), pointer);
  map.once("pm:drawstart", event => {
    working = shape === "Marker" ? null : event.workingLayer;
    working?.on("pm:vertexadded", () => tell(null));
  });
  const moved = ({ latlng: { lng, lat } }) => tell([lng, lat]);
  if (heard) map.on("mousemove", moved);
  map.pm.enableDraw(shape, { finishOn: "dblclick", tooltips: false });
  begun.forEach(([lng, lat]) => map.fire("click", { latlng: L.latLng(lat, lng) }));
  /** @param {KeyboardEvent} event */
  const press = event => {
    const tool = /** @type {any} */ (map.pm.Draw)[shape];
    if (!working || (event.key !== "Enter" && event.key !== "Backspace")) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Enter") tool._finishShape();
    else tool._removeLastVertex();
    if (event.key === "Backspace") tell(null);
  };
  document.addEventListener("keydown", press, true);
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
      map.off("mousemove", moved);
      document.removeEventListener("keydown", press, true);
      found(geometry);
    };
    map.on("pm:create", created);
    map.on("pm:globaldrawmodetoggled", ended);
  });
}
