// What cameras see, drawn near; and their states, which change without any edit, so that no event tells of them.
import { SIGHT } from "./layers.js";
import { LiveLayer } from "./live_layer.js";
import { zoomOf } from "./scale.js";
import { poll } from "./server.js";
import { every } from "./timing.js";

const STATES_MS = 30000;

/**
 * Draws what cameras see while they are shown, and loads cameras again when others in view are off than before.
 * @param {import("leaflet").Map} map
 * @param {LiveLayer} cameras the layer of cameras
 * @returns {{ layer: LiveLayer, stop: () => void }} the layer of what they see, and what ends the asking
 */
export function sightOf(map, cameras) {
  const layer = new LiveLayer(map, SIGHT, 0.5);
  cameras.onState(({ off }) => {
    if (layer.visible === Boolean(off)) layer.toggle();
  });
  let before = "";
  const stop = every(STATES_MS, async () => {
    if (!cameras.visible || zoomOf(map) < cameras.look.from) return;
    const bounds = map.getBounds();
    const bbox = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    const { states } = await poll(`/cameras/states?bbox=${bbox}`, { patience: 0 });
    const now = `${bbox} ${states.map(one => one.gb28181_id + one.state)}`;
    const isSameView = before.startsWith(`${bbox} `);
    if (isSameView && before !== now) await Promise.all([cameras.load(true), layer.load(true)]);
    before = now;
  });
  return { layer, stop };
}
