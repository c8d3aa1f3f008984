// The symbols of things: shapes first, colours second, since one man in twelve tells few colours apart. One drawing for
// the map (canvas/sprites.js) and for legends and lists (SVG).
import { element } from "./element.js";
import { look } from "./look.js";
import { drawing } from "./marks.js";
import { page } from "./page.js";

const DISC = "M12 2a10 10 0 1 0 .01 0z";
const DIAMOND = "M12 1 23 12 12 23 1 12z";
const ARROW = "M12 2 21 21 12 16 3 21z";
const CAMERA = "M3 7h12v10H3zm13 3 5-3v10l-5-3z";
const WORN = "M6 9h7v6H6zm8 2 4-2v6l-4-2z";

/**
 * Paths in a square of 24 units with how each is painted: `fill` in the colour with a dark rim, `hollow` dark with a
 * rim in the colour, `mark` dark, `line` a stroke in the colour, `cut` a dark stroke.
 * @type {Record<string, { paths: [line: string, how: string][], colour: string }>}
 */
const SHAPES = {
  police_posts: {
    colour: "police_posts",
    paths: [
      ["M12 2 20 5v6c0 5.500-3.400 9.400-8 11-4.600-1.600-8-5.500-8-11V5z", "fill"],
      ["m12 7 1.500 3 3.300.500-2.400 2.300.600 3.300-3-1.600-3 1.600.600-3.300-2.400-2.300 3.300-.500z", "mark"],
    ],
  },
  cameras: { colour: "cameras", paths: [[CAMERA, "fill"]] },
  "cameras offline": {
    colour: "idle",
    paths: [
      [CAMERA, "hollow"],
      ["M4 21 20 3", "line"],
    ],
  },
  camera_positions: {
    colour: "cameras",
    paths: [
      [DISC, "fill"],
      [WORN, "mark"],
    ],
  },
  "camera_positions offline": {
    colour: "idle",
    paths: [
      [DISC, "hollow"],
      [WORN, "line"],
    ],
  },
  facilities: { colour: "facilities", paths: [["M4 11 12 4l8 7v9H4z", "fill"]] },
  patrol_units: { colour: "patrol_units", paths: [[ARROW, "fill"]] },
  "patrol_units dispatched": {
    colour: "under_way",
    paths: [
      [ARROW, "fill"],
      ["M3 24H21", "line"],
    ],
  },
  "patrol_units on_scene": {
    colour: "under_way",
    paths: [
      ["M2 2H22V22H2z", "fill"],
      ["M12 5 18 18 12 15 6 18z", "mark"],
    ],
  },
  "patrol_units off_duty": { colour: "idle", paths: [[ARROW, "hollow"]] },
  "patrol_units silent": {
    colour: "patrol_units",
    paths: [
      [ARROW, "hollow"],
      ["M12 7 9.500 9.500M14 9.500 7.500 15M15.500 13 10 18", "line"],
    ],
  },
  incidents: {
    colour: "incidents",
    paths: [
      ["M12 1 23.500 22H.500z", "fill"],
      ["M10.700 8h2.600v7h-2.600zm0 9h2.600v2.600h-2.600z", "mark"],
    ],
  },
  "incidents accepted": {
    colour: "incidents",
    paths: [
      ["M12 1 23.500 22H.500z", "hollow"],
      ["M12 9v6M12 17v3", "line"],
    ],
  },
  "incidents assigned": {
    colour: "under_way",
    paths: [
      [DIAMOND, "fill"],
      ["M9 7l7 5-7 5z", "mark"],
    ],
  },
  "incidents handled": {
    colour: "patrol_units",
    paths: [
      [DISC, "fill"],
      ["M6.500 12.500 10.500 16.500 18 8.500 16.500 7 10.500 13.300 8 11z", "mark"],
    ],
  },
  "incidents unassigned": {
    colour: "nobodys",
    paths: [
      ["M7 2H17L23 12 17 22H7L1 12z", "fill"],
      ["M8.500 9a3.500 3.500 0 1 1 5 3.200c-1 .500-1.500 1-1.500 2.300M12 17.500v2.200", "cut"],
    ],
  },
};

/** Colours of states; those of layers are the server's. */
const STATES = {
  dark: { under_way: "#ffc42e", idle: "#8496a8", nobodys: "#ff6fe0", rim: "#06101a" },
  light: { under_way: "#a86400", idle: "#66727e", nobodys: "#a3128a", rim: "#ffffff" },
};
const AS = { fed_back: "handled", verified: "handled", evaluated: "handled", reported: "", on_patrol: "" };

/**
 * The paths of a sign, each with how it is painted.
 * @param {string} layer @param {string} state
 */
function shapeOf(layer, state) {
  const found = SHAPES[`${layer} ${AS[state] ?? state}`.trim()] ?? SHAPES[layer];
  return /** @type {NonNullable<typeof found>} */ (found);
}

/**
 * What a renderer needs of a sign: paths of 24 units with their fill and stroke.
 * @param {string} layer one that has signs
 * @param {string} state of the thing, as the server says it, or `silent`, `unassigned`, `offline`
 * @param {"dark" | "light"} theme
 */
export function painted(layer, state, theme) {
  const { paths, colour } = shapeOf(layer, state);
  const { rim } = STATES[theme];
  const ink = STATES[theme][colour] ?? page.looks[theme][colour];
  return paths.map(([line, how]) => ({
    line,
    fill: { fill: ink, hollow: rim, mark: rim, line: "none", cut: "none" }[how],
    stroke: { fill: rim, hollow: ink, mark: "none", line: ink, cut: rim }[how],
    width: { fill: 1.4, hollow: 2.4, mark: 0, line: 2.4, cut: 2.6 }[how] ?? 0,
  }));
}

/**
 * The sign as an element, for legends and lists.
 * @param {string} layer @param {string} [state]
 */
export function sign(layer, state = "") {
  const svg = drawing(painted(layer, state, "dark"));
  return element("span", { className: `sign ${layer} ${state}`, ariaHidden: "true" }, svg);
}

/** The theme that the map has now. */
export const themeNow = () => (look() === page.looks.light ? "light" : "dark");

/** @param {string | null | undefined} reportedAt of a unit @param {Date} now of the server */
export const isSilent = (reportedAt, now) =>
  Boolean(reportedAt) && now.getTime() - new Date(String(reportedAt)).getTime() > 1000 * page.silentAfterS;
