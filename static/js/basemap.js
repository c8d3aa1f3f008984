// The base map under everything: our own vector tiles in a dark and a light style, or one from elsewhere.
import { at } from "./address.js";
import { useTheme } from "./look.js";
import { pane } from "./map.js";
import { page } from "./page.js";
import { scale } from "./scale.js";
import { ask } from "./server.js";

const { L, protomapsL } = window;
const KEPT = "geo-grid-base";
const FONT = "'Noto Sans SC', 'Noto Sans CJK SC', sans-serif";
const PLACES = { city: 19, county: 17, town: 16, suburb: 14, village: 13, quarter: 13, neighbourhood: 12, hamlet: 12 };

/**
 * Choices of the base map: dark, light, external, none.
 * @type {string[]}
 */
export const CHOICES = [
  ...(page.hasBaseMap ? ["dark", "light"] : []),
  ...(page.externalBase ? ["external"] : []),
  "none",
];

// Evaluates the few forms of MapLibre expressions that our own styles use.
function width(value) {
  if (typeof value === "number") return value;
  const [, [, base], , ...stops] = value; // ["interpolate", ["exponential", base], ["zoom"], zoom, value, ...]
  return protomapsL.exp(
    base,
    stops.flatMap((part, number) => (number % 2 ? [] : [[part, stops[number + 1]]])),
  );
}

function matches([operator, [, property], wanted]) {
  const values = new Set(operator === "in" ? wanted[1] : [wanted]);
  return (_, feature) => values.has(feature.props[property]);
}

function paintRule({ type, filter, paint, "source-layer": dataLayer }) {
  const symbolizer =
    type === "fill"
      ? new protomapsL.PolygonSymbolizer({ fill: paint["fill-color"] })
      : new protomapsL.LineSymbolizer({ color: paint["line-color"], width: width(paint["line-width"]) });
  return { dataLayer, symbolizer, filter: matches(filter) };
}

function labels(colours) {
  const written = { fill: colours.label, stroke: colours.halo, width: 2.5, labelProps: ["name"] };
  const place = (kind, size) => ({
    dataLayer: "base_features",
    filter: (_, { props }) => props.feature_kind === "place" && props.feature_class === kind,
    symbolizer: new protomapsL.CenteredTextSymbolizer({
      ...written,
      font: `${size >= 16 ? 600 : 400} ${Math.round(size * scale.is)}px ${FONT}`,
    }),
  });
  return [
    ...Object.entries(PLACES).map(([kind, size]) => place(kind, size)),
    {
      dataLayer: "roads",
      minzoom: 13,
      symbolizer: new protomapsL.LineLabelSymbolizer({
        ...written,
        font: `400 ${Math.round(12 * scale.is)}px ${FONT}`,
      }),
    },
  ];
}

async function own(theme) {
  const style = await ask(`/styles/${theme}`, { patience: Infinity });
  return protomapsL.leafletLayer({
    url: at("/tiles/WebMercatorQuad/{z}/{y}/{x}?collections=base_features,roads"),
    paintRules: style.layers.filter(layer => layer.source === "base").map(paintRule),
    labelRules: labels(page.looks[theme]),
    backgroundColor: page.looks[theme].background,
    maxDataZoom: style.sources.base.maxzoom,
    pane: "base",
  });
}

/** @param {import("../types.js").ExternalBase} from */
function external({ urls, subdomains }) {
  return L.layerGroup(urls.map(url => L.tileLayer(url, { subdomains, pane: "base", maxNativeZoom: 18, maxZoom: 19 })));
}

export class BaseMap {
  /**
   * @param {import("leaflet").Map} map
   * @param {string} [fixed] the choice, where it is no user's and is not kept
   */
  constructor(map, fixed) {
    /** @type {((choice: string) => void)[]} */
    this.listeners = [];
    this.map = map;
    pane(map, "base", 150);
    this.isKept = fixed === undefined;
    const kept = fixed ?? localStorage.getItem(KEPT) ?? "";
    this.choice = CHOICES.includes(kept) ? kept : CHOICES[0];
    useTheme(this.theme, map.getContainer());
  }

  get theme() {
    return this.choice === "light" || this.choice === "external" ? "light" : "dark";
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  next() {
    return this.show(CHOICES[(CHOICES.indexOf(this.choice) + 1) % CHOICES.length]);
  }

  async show(choice) {
    this.choice = choice;
    if (this.isKept) localStorage.setItem(KEPT, choice);
    useTheme(this.theme, this.map.getContainer());
    this.listeners.forEach(listener => listener(choice));
    const { externalBase } = page;
    let fresh = null;
    if (choice === "external" && externalBase) fresh = external(externalBase);
    else if (choice !== "none") fresh = await own(choice);
    if (this.choice !== choice) return; // another one was chosen meanwhile
    this.layer?.remove();
    this.layer = fresh?.addTo(this.map);
    const owed = choice === "external" ? externalBase?.attribution : fresh && "© OpenStreetMap";
    const ground = this.map.getContainer();
    if (owed) ground.dataset.owed = owed;
    else delete ground.dataset.owed;
  }
}
