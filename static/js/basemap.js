// The base map under everything: our own vector tiles in a dark and a light style, or one from elsewhere.
import { at } from "./address.js";
import { ask } from "./server.js";
import { useTheme } from "./look.js";
import { page } from "./text.js";

const L = window.L;
const P = window.protomapsL;
const KEPT = "geo-grid-base";
const FONT = "'Noto Sans SC', 'Noto Sans CJK SC', sans-serif";
const PLACES = { city: 19, county: 17, town: 16, suburb: 14, village: 13, quarter: 13, neighbourhood: 12, hamlet: 12 };

export const CHOICES = [...(page.hasBaseMap ? ["dark", "light"] : []), ...(page.externalBase ? ["external"] : []), "none"];

// The few forms of MapLibre expressions that our own styles use.
function number(value) {
  if (typeof value === "number") return value;
  const [, [, base], , ...stops] = value; // ["interpolate", ["exponential", base], ["zoom"], zoom, value, ...]
  return P.exp(base, stops.flatMap((part, at) => (at % 2 ? [] : [[part, stops[at + 1]]])));
}

function matches([operator, [, property], wanted]) {
  const values = new Set(operator === "in" ? wanted[1] : [wanted]);
  return (_, feature) => values.has(feature.props[property]);
}

function paint({ type, filter, paint, "source-layer": dataLayer }) {
  const symbolizer = type === "fill"
    ? new P.PolygonSymbolizer({ fill: paint["fill-color"] })
    : new P.LineSymbolizer({ color: paint["line-color"], width: number(paint["line-width"]) });
  return { dataLayer, symbolizer, filter: matches(filter) };
}

function labels(colours) {
  const written = { fill: colours.label, stroke: colours.halo, width: 2.5, labelProps: ["name"] };
  const place = (kind, size) => ({
    dataLayer: "base_features", filter: (_, { props }) => props.feature_kind === "place" && props.feature_class === kind,
    symbolizer: new P.CenteredTextSymbolizer({ ...written, font: `${size >= 16 ? 600 : 400} ${size}px ${FONT}` }),
  });
  return [
    ...Object.entries(PLACES).map(([kind, size]) => place(kind, size)),
    { dataLayer: "roads", minzoom: 13, symbolizer: new P.LineLabelSymbolizer({ ...written, font: `400 12px ${FONT}` }) },
  ];
}

async function own(theme) {
  const style = await ask(`/styles/${theme}`, { patience: Infinity });
  return P.leafletLayer({
    url: at("/tiles/WebMercatorQuad/{z}/{y}/{x}?collections=base_features,roads"),
    paintRules: style.layers.filter(layer => layer.source === "base").map(paint),
    labelRules: labels(page.looks[theme]),
    backgroundColor: page.looks[theme].background,
    maxDataZoom: style.sources.base.maxzoom,
    pane: "base",
  });
}

function external() {
  const { urls, subdomains } = page.externalBase;
  return L.layerGroup(urls.map(url => L.tileLayer(url, { subdomains, pane: "base", maxNativeZoom: 18, maxZoom: 19 })));
}

export class BaseMap {
  constructor(map) {
    this.map = map;
    map.createPane("base").style.zIndex = 150;
    this.listeners = [];
    this.choice = CHOICES.includes(localStorage.getItem(KEPT)) ? localStorage.getItem(KEPT) : CHOICES[0];
    useTheme(this.theme, map.getContainer());
  }

  get theme() { return this.choice === "light" || this.choice === "external" ? "light" : "dark"; }

  onChange(listener) { this.listeners.push(listener); }

  next() { return this.show(CHOICES[(CHOICES.indexOf(this.choice) + 1) % CHOICES.length]); }

  async show(choice) {
    this.choice = choice;
    localStorage.setItem(KEPT, choice);
    useTheme(this.theme, this.map.getContainer());
    this.listeners.forEach(listener => listener(choice));
    const fresh = choice === "none" ? null : choice === "external" ? external() : await own(choice);
    if (this.choice !== choice) return; // another one was chosen meanwhile
    this.layer?.remove();
    this.layer = fresh?.addTo(this.map);
    const owed = choice === "external" ? page.externalBase.attribution : fresh ? "© OpenStreetMap" : "";
    const ground = this.map.getContainer();
    if (owed) ground.dataset.owed = owed;
    else delete ground.dataset.owed;
  }
}
