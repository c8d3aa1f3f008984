// What helps to look for cameras on a map: which of them it shows, and which are in a sector or see into it.
import { Narrowing } from "./narrowing.js";
import { Sector } from "./sector.js";

/**
 * @param {import("leaflet").Map} map
 * @param {import("../live_layer.js").LiveLayer} cameras
 * @param {import("../live_layer.js").LiveLayer[]} sight what they see, and those that move
 * @param {(isNarrowed: boolean) => void} told
 */
export function lookingFor(map, cameras, sight, told) {
  const narrowing = new Narrowing([cameras, ...sight], told);
  const sector = new Sector(map, cameras, () => narrowing.query);
  return { parts: [narrowing.box, sector.box], sector };
}
