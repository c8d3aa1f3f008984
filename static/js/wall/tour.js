// The tour: the map goes round the counties and where most is open, and to each new incident at once.
import { element } from "../element.js";
import { say } from "../text.js";

const { L } = window;
const STAY_MS = 20000;
const CLOSE = 15;
const HOT_DEGREES = 0.05;
const HOT_SPOTS = 3;
const HOT_FROM = 3;

export class Tour {
  /**
   * @param {import("leaflet").Map} map
   * @param {() => void} wholeCity shows all of it
   * @param {() => any[]} counties features
   * @param {() => import("../../types.js").Matter[]} matters open ones
   */
  constructor(map, wholeCity, counties, matters) {
    this.map = map;
    this.wholeCity = wholeCity;
    this.counties = counties;
    this.matters = matters;
    this.isOn = false;
    /** Whether it stays where it is, such as while somebody looks at pictures of the place. */
    this.isHeld = () => false;
    this.at = 0;
    this.staysUntil = 0;
    this.told = element("p", { className: "tour", hidden: true });
    this.button = element(
      "button",
      { type: "button", className: "plain", onclick: () => this.toggle() },
      say("tour"),
      element("kbd", { textContent: "T" }),
    );
    setInterval(() => this.next(), STAY_MS);
  }

  toggle() {
    this.isOn = !this.isOn;
    this.button.setAttribute("aria-pressed", String(this.isOn));
    this.staysUntil = 0;
    this.at = 0;
    if (this.isOn) this.next();
    else {
      this.told.hidden = true;
      this.wholeCity();
    }
  }

  /** Goes to a new incident, if it is on, and stays there a while. @param {import("../../types.js").Matter} matter */
  visit({ lat, lon }) {
    if (!this.isOn || this.isHeld()) return;
    this.staysUntil = performance.now() + STAY_MS;
    this.map.setView([lat, lon], CLOSE, { animate: false });
    this.tell(say("newIncident"));
  }

  next() {
    if (!this.isOn || this.isHeld() || performance.now() < this.staysUntil) return;
    const stops = [{ name: say("wholeCity"), go: () => this.wholeCity() }, ...this.hotSpots(), ...this.ofCounties()];
    const stop = stops[this.at % stops.length];
    this.at += 1;
    stop.go();
    this.tell(stop.name);
  }

  /** @param {string} name */
  tell(name) {
    this.told.hidden = false;
    this.told.textContent = say("tourOf", { name });
  }

  ofCounties() {
    return this.counties().map(feature => ({
      name: feature.properties.name,
      go: () => this.map.fitBounds(L.geoJSON(feature).getBounds(), { animate: false }),
    }));
  }

  // Squares of some 5 km with most open incidents.
  hotSpots() {
    /** @type {Map<string, import("../../types.js").Matter[]>} */
    const squares = new Map();
    for (const one of this.matters()) {
      const key = `${Math.round(one.lon / HOT_DEGREES)} ${Math.round(one.lat / HOT_DEGREES)}`;
      squares.set(key, [...(squares.get(key) ?? []), one]);
    }
    return [...squares.values()]
      .filter(some => some.length >= HOT_FROM)
      .sort((a, b) => b.length - a.length)
      .slice(0, HOT_SPOTS)
      .map(some => ({
        name: say("hotSpot", { name: some[0].grid_name ?? "", count: some.length }),
        go: () =>
          this.map.fitBounds(L.latLngBounds(some.map(({ lat, lon }) => [lat, lon])).pad(0.3), {
            animate: false,
            maxZoom: CLOSE,
          }),
      }));
  }
}
