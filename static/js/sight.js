// What cameras see, drawn near; where those are that move; and their states. No event tells of what is no edit.
import { MOVING, SIGHT } from "./layers.js";
import { LiveLayer } from "./live_layer.js";
import { zoomOf } from "./scale.js";
import { poll } from "./server.js";
import { every } from "./timing.js";

const STATES_MS = 30000;

/**
 * Draws what cameras see and where those are that move, while they are shown, and loads cameras again when others in
 * view are off than before.
 * @param {import("leaflet").Map} map
 * @param {LiveLayer} cameras the layer of cameras
 * @returns {{ layers: LiveLayer[], stop: () => void }} what they see, those that move, and what ends the asking
 */
export function sightOf(map, cameras) {
  const seen = new LiveLayer(map, SIGHT, 0.5);
  const moving = new LiveLayer(map, MOVING, cameras.rank + 0.5);
  const layers = [seen, moving];
  cameras.onState(({ off }) => {
    for (const layer of layers) if (layer.visible === Boolean(off)) layer.toggle();
  });
  let before = "";
  const stop = every(STATES_MS, async () => {
    if (!cameras.visible || zoomOf(map) < cameras.look.from) return;
    await moving.load(true);
    const bounds = map.getBounds();
    const bbox = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    const { states } = await poll(`/cameras/states?bbox=${bbox}`, { patience: 0 });
    const now = `${bbox} ${states.map(one => one.gb28181_id + one.state)}`;
    const isSameView = before.startsWith(`${bbox} `);
    if (isSameView && before !== now) await Promise.all([cameras.load(true), seen.load(true)]);
    before = now;
  });
  return { layers, stop };
}
