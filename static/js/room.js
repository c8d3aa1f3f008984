// Whether panels lie over the sides of the map, or above and under it, as on a tablet or with large letters.
const NARROW = matchMedia("(max-width: 1100px)"); // as planner.css has it

export const isNarrow = () => NARROW.matches;
