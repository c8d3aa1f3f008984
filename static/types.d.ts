// Types of what crosses the scripts' modules, for the checker only (npm run types): no page loads this file.
import type * as Leaflet from "leaflet";
import type * as Protomaps from "protomaps-leaflet";
import "@geoman-io/leaflet-geoman-free";

/** The names in braces of a sentence. */
export type Named<Sentence extends string> = Sentence extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Named<Rest>
  : never;

/** Who looks. */
export interface Person {
  name: string;
  role: string;
  rights: string[];
  /** What must be done before anything else: change_password, enrol_factor. */
  must: string | null;
  isKiosk: boolean;
  /** What writes must send as X-CSRF-Token; none for a key. */
  csrf: string | null;
}

/** Colours of a theme; `grid_cells` by level, `response_circles` by minutes. */
export interface Look {
  [name: string]: any;
  grid_cells: string[];
  response_circles: Record<string, string>;
}

export interface Category {
  category_code: string;
  name_zh: string;
  name_en: string;
}

export interface GridLevel {
  grid_level: number;
  min_zoom: number;
  name_zh: string;
  name_en: string;
}

/** A base map from elsewhere. */
export interface ExternalBase {
  urls: string[];
  subdomains: string[];
  attribution: string;
}

/**
 * What the server puts into a page (geo_grid/maps, geo_grid/api/pages.py): the language on all, the rest on the pages
 * that need it. The log-in has no person.
 */
export interface Page {
  lang: "zh" | "en";
  title: string;
  person: Person | null;
  city: { zh: string; en: string };
  timezone?: string;
  /** The name of the variable that holds the Folium map. */
  map: string;
  isDemo: boolean;
  isEmpty: boolean;
  /** Its language follows the browser: the page offers no other. */
  isFixed?: boolean;
  categories: Category[];
  levels: GridLevel[];
  looks: Record<"dark" | "light", Look>;
  hasBaseMap: boolean;
  externalBase: ExternalBase | null;
  layers: { name: string; title_zh: string; title_en: string; fields: string[] }[];
  formats: string[];
  shortest: number;
  kioskPages: string[];
  next: string;
  provider: string | null;
  layer: string;
  address: string;
  answer: any;
}

/** How a layer of the map looks and where it comes from. */
export interface LayerLook {
  name: string;
  /** Key of its title among the codes; its name when it has none. */
  title?: string;
  /** The collection that it shows; the one of its name when it has none. */
  collection?: string;
  /** First zoom at which it is drawn. */
  from: number;
  swatch?: string;
  /** Whether it is off until somebody turns it on. */
  off?: boolean;
  outermost?: boolean;
  /** First zoom at which names are written no more. */
  labelsBelow?: number;
  labelClass?: string;
  address?: (bbox: number[], zoom: number) => string;
  style?: (feature: any) => Leaflet.PathOptions;
  label?: (feature: any) => string;
  marker?: (feature: any, place: Leaflet.LatLng, zoom: number) => Leaflet.Marker;
  pick?: (feature: any, event: MouseEvent) => void;
}

/** What a layer tells of itself; no member: nothing is known yet. */
export interface LayerState {
  off?: boolean;
  far?: boolean;
  loading?: boolean;
  failed?: string;
  count?: number;
  truncated?: boolean;
}

/** A draft of boundaries, as /boundaries/drafts answers. */
export interface Draft {
  [name: string]: any;
  draft_id: number;
  title: string;
  /** How many steps it has: told back with each change, which is refused when there are others. */
  steps: number;
  is_stale: boolean;
  submitted_at: string | null;
  approved_at: string | null;
  published_edition_id: number | null;
  discarded_at: string | null;
}

declare module "leaflet" {
  // Leaflet hands what it does not know on to the shapes
  interface GeoJSONOptions {
    renderer?: Renderer;
    interactive?: boolean;
  }
  interface PathOptions {
    pmIgnore?: boolean;
  }
}

declare global {
  interface Window {
    L: typeof Leaflet;
    protomapsL: typeof Protomaps;
  }
}
