// What the signs mean, which layers are shown, and what each of them has in view: as a list, for keys and for ears.
import { CHOICES } from "../basemap.js";
import { element } from "../element.js";
import { listOf, titleOf } from "../in_view.js";
import { sign } from "../signs.js";
import { named, number, say } from "../text.js";

const TIERS = [1, 3, 5];
const STEPS = ["reported", "accepted", "assigned", "handled", "unassigned"];
const UNITS = ["on_patrol", "dispatched", "on_scene", "silent", "off_duty"];

/** @param {import("../../types.js").LayerLook} look */
function swatch(look) {
  if (look.swatch === "circles") {
    const tiers = TIERS.map(tier => element("i", { className: `tier${tier}` }));
    return element("span", { className: "swatch three" }, ...tiers);
  }
  return look.point ? sign(look.name) : element("span", { className: `swatch ${look.swatch}` });
}

/**
 * A layer's switch, its state, and the list of what it has in view.
 * @param {import("../live_layer.js").LiveLayer} layer @param {number} at
 */
function row(layer, at) {
  const { look } = layer;
  const box = element("input", { type: "checkbox", checked: layer.visible, onchange: () => layer.toggle() });
  const state = element("span", { className: "state quiet" });
  layer.onState(({ off, far, loading, failed, count, truncated }) => {
    box.checked = !off;
    state.classList.toggle("bad", Boolean(failed));
    state.title = failed ?? "";
    if (off) state.textContent = "";
    else if (far) state.textContent = say("zoomIn");
    else if (loading) state.textContent = "…";
    else if (failed) state.textContent = say("triesAgain");
    else if (truncated) state.textContent = say("moreZoomIn");
    else state.textContent = count ? number(count) : say("noneHere");
  });
  const label = element(
    "label",
    { data: { layer: look.name } },
    box,
    swatch(look),
    element("span", { className: "name", textContent: titleOf(look) }),
    state,
    element("kbd", { textContent: (at + 1) % 10 }),
  );
  return element("div", { className: "layer" }, label, listOf(layer));
}

/** @param {import("../basemap.js").BaseMap} ground */
function grounds(ground) {
  if (CHOICES.length < 2) return null;
  const choose = element(
    "select",
    { ariaLabel: say("baseMap"), onchange: () => ground.show(choose.value) },
    ...CHOICES.map(choice => element("option", { value: choice, textContent: named("bases", choice) })),
  );
  choose.value = ground.choice;
  ground.onChange(choice => {
    choose.value = choice;
  });
  return element(
    "label",
    { className: "ground" },
    element("span", { className: "name", textContent: say("baseMap") }),
    choose,
    element("kbd", { textContent: "B" }),
  );
}

/** @param {string} layer @param {string[]} states @param {(state: string) => string} name */
const key = (layer, states, name) =>
  element(
    "div",
    { className: "key" },
    ...states.map(state => element("span", {}, sign(layer, state), name(state))),
  );

/**
 * @param {import("../basemap.js").BaseMap} ground
 * @param {import("../live_layer.js").LiveLayer[]} layers
 */
export const legend = (ground, layers) =>
  element(
    "section",
    { className: "legend" },
    element("h2", { textContent: say("legendAndLayers") }),
    grounds(ground),
    ...layers.map(row),
    key("incidents", STEPS, state => named("signsOfSteps", state)),
    key("patrol_units", UNITS, state => named("unitStates", state)),
    element(
      "div",
      { className: "key" },
      element("span", {}, element("i", { className: "swatch dedicated" }), say("dedicated")),
      element("span", {}, element("i", { className: "swatch segment" }), say("keySegment")),
      ...TIERS.map(tier =>
        element("span", {}, element("i", { className: `border tier${tier}` }), say("minutesOfTier", { minutes: tier })),
      ),
    ),
  );
