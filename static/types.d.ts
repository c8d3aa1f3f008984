// Types of what crosses the scripts' modules, for the checker only (npm run types): no page loads this file.
import type * as Leaflet from "leaflet";
import type * as Protomaps from "protomaps-leaflet";
import "@geoman-io/leaflet-geoman-free";
import type { components, paths } from "../.cache/api";

/** What the server takes and gives, by the name of its model: made from its OpenAPI document by `make types`. */
export type Api = components["schemas"];

/** A step of a draft as it is sent: the models of geo_grid/boundaries/steps.py. */
export type Step =
  paths["/boundaries/drafts/{draft_id}/steps"]["post"]["requestBody"]["content"]["application/json"];

export type Operation = Step["operation"];

/** The arguments of one step, beside what every step has. */
export type Given<Name extends Operation> = Omit<
  Extract<Step, { operation: Name }>,
  "operation" | "layer" | "reason" | "seen"
> & { layer?: Step["layer"] };

/** The arguments of one step as a hand gives them: null where it gave up. */
export type Drawn<Name extends Operation> = { [Argument in keyof Given<Name>]: Given<Name>[Argument] | null };

/** The names in braces of a sentence. */
export type Named<Sentence extends string> = Sentence extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Named<Rest>
  : never;

type Segments<Path extends string> = Path extends `${infer First}/${infer Rest}` ? [First, ...Segments<Rest>] : [Path];
type Fits<Asked, Known> = Asked extends [infer One, ...infer Others]
  ? Known extends [infer Its, ...infer Following]
    ? One extends (Its extends `{${string}}` ? string : Its)
      ? Fits<Others, Following>
      : false
    : false
  : Known extends []
    ? true
    : false;
type Declared<Path extends string> = Path extends keyof paths
  ? Path
  : {
      [Known in keyof paths & string]: Fits<Segments<Path>, Segments<Known>> extends true ? Known : never;
    }[keyof paths & string];
type Content<Route> = Route extends { get: { responses: { 200: { content: { "application/json": infer Given } } } } }
  ? Given
  : any;

/** What GET of an address answers, as its route declares; an address that is put together elsewhere: anything. */
export type Answer<Address extends string> = string extends Address
  ? any
  : Content<paths[Declared<Address extends `${infer Path}?${string}` ? Path : Address>]>;

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
  urgency?: string;
  answered_by?: string;
  icon?: string;
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
  /** Names of the layers on its map, from the lowest. */
  shown: string[];
  looks: Record<"dark" | "light", Look>;
  hasBaseMap: boolean;
  externalBase: ExternalBase | null;
  /** West, south, east, north of the city in degrees; null: there is none yet. */
  bounds: [number, number, number, number] | null;
  /** Seconds without a report after which a unit is silent. */
  silentAfterS: number;
  layers: { name: string; title_zh: string; title_en: string; fields: string[] }[];
  formats: string[];
  shortest: number;
  kioskPages: string[];
  next: string;
  provider: string | null;
  /** Users of the demo that this browser may choose without a password. */
  demo?: { login_name: string; display_name: string; role: string }[];
  /** What a sheet of paper shows (geo_grid/api/pictures.py). */
  sheet: {
    /** Width and height in millimetres. */
    paper: [number, number];
    view: string;
    scale: number | null;
    theme: "light" | "dark";
    heading: string;
    draft: number | null;
    madeAt: string;
  };
  edition: number | null;
  layer: string;
  address: string;
  answer: any;
}

/** How a point is drawn: a sign, or the number of things that it stands for. */
export interface PointLook {
  size: number;
  state?: string;
  count?: number;
  /** Of those that it counts, from 0 to 1: that do not work. */
  share?: number;
  /** What is said of it. */
  lines?: (string | null | undefined)[];
  isLate?: boolean;
  /** Letters beside it, which say of what kind it is. */
  icon?: string;
  /** From 0 to 1: what has more lies over the others of its layer. */
  rank?: number;
}

/** An open incident, as an answer or an event tells it: an event leaves out who has it. */
export type Matter = Pick<
  Api["Incident"],
  | "incident_id" | "category" | "subtype" | "step" | "received_at" | "closed_at" | "lon" | "lat" | "grid_name"
  | "unassigned" | "due_at" | "due_for"
> &
  Partial<Api["Incident"]>;

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
  address?: (bbox: number[], zoom: number) => string;
  style?: (feature: any) => Leaflet.PathOptions;
  label?: (feature: any) => string;
  /** What a shape is, in words; of points the lines say it. */
  told?: (feature: any) => (string | null | undefined)[];
  /** How a point is drawn; a layer of points has it instead of a style. */
  point?: (feature: any, zoom: number) => PointLook;
  /** Which features are drawn; all when it has none. */
  filter?: (feature: any) => boolean;
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
