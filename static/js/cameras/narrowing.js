// Which cameras a map shows: by owner, network, type and state. The address has them, so that they are there again.
import { element } from "../element.js";
import { page } from "../page.js";
import { ask } from "../server.js";
import { named, number, say } from "../text.js";
import { inAddress, putInAddress } from "../view.js";

/** @typedef {import("../../types.js").Api["Facet"]} Facet */

const PROPERTIES = /** @type {const} */ (["owner_name", "network_code", "type_code", "camera_state"]);
const IN_ADDRESS = "cameras";

/** @param {Facet} facet */
function called({ property, value, zh, en }) {
  if (property === "camera_state") return named("cameraStates", value);
  const name = page.lang === "zh" ? zh : en;
  return [value, name].filter(Boolean).join(" ") || say("notInRegister");
}

/** A fold in which cameras are chosen; everything is shown of a property of which nothing is ticked. */
export class Narrowing {
  /**
   * @param {import("../live_layer.js").LiveLayer[]} layers that show cameras
   * @param {(isNarrowed: boolean) => void} [told] when fewer are shown than there are, or all again
   */
  constructor(layers, told = () => {}) {
    this.layers = layers;
    this.told = told;
    const asked = [...new URLSearchParams(inAddress(IN_ADDRESS) ?? "")];
    /** @type {Map<string, Set<string>>} what is ticked, by property */
    this.chosen = new Map(
      PROPERTIES.map(name => [name, new Set(asked.filter(([key]) => key === name).map(([, value]) => value))]),
    );
    this.summary = element("summary");
    this.groups = element("div", { className: "groups" });
    this.box = element(
      "details",
      { className: "narrowing", data: { narrows: "cameras" } },
      this.summary,
      this.groups,
      element("button", {
        type: "button",
        className: "plain",
        textContent: say("showAllCameras"),
        onclick: () => this.clear(),
      }),
    );
    this.box.ontoggle = () => {
      if (this.box.open) this.fill();
    };
    this.tell();
  }

  /** What a question about cameras has besides: parameters that begin with &; empty: all of them are asked for. */
  get query() {
    const values = [...this.chosen].flatMap(([name, some]) => [...some].map(value => [name, value]));
    return values.length ? `&${new URLSearchParams(values)}` : "";
  }

  clear() {
    for (const some of this.chosen.values()) some.clear();
    for (const box of this.groups.querySelectorAll("input")) box.checked = false;
    this.apply();
  }

  /** Says what is shown, and has the layers ask so. */
  tell() {
    const { query } = this;
    const count = [...this.chosen.values()].reduce((sum, some) => sum + some.size, 0);
    this.summary.textContent = `${say("whichCameras")} · ${count ? say("chosenOnly", { count }) : say("allOfThem")}`;
    for (const layer of this.layers) layer.also = query;
    this.told(Boolean(query));
  }

  apply() {
    this.tell();
    putInAddress({ [IN_ADDRESS]: this.query.slice(1) });
    return Promise.all(this.layers.map(layer => layer.load()));
  }

  async fill() {
    try {
      const { facets } = await ask("/cameras/facets");
      this.groups.replaceChildren(...PROPERTIES.map(name => this.group(name, facets)));
    } catch (error) {
      this.groups.replaceChildren(element("p", { className: "bad", textContent: error.message }));
    }
  }

  /** @param {typeof PROPERTIES[number]} name @param {Facet[]} facets */
  group(name, facets) {
    const chosen = /** @type {Set<string>} */ (this.chosen.get(name));
    const known = facets.filter(({ property }) => property === name);
    const gone = [...chosen].filter(value => !known.some(one => one.value === value));
    const choices = [...known, ...gone.map(value => ({ property: name, value, zh: "", en: "", cameras: 0 }))];
    return element(
      "fieldset",
      {},
      element("legend", { textContent: named("cameraProperties", name) }),
      ...choices.map(facet => {
        const box = element("input", {
          type: "checkbox",
          name,
          value: facet.value,
          checked: chosen.has(facet.value),
          onchange: () => {
            if (box.checked) chosen.add(facet.value);
            else chosen.delete(facet.value);
            this.apply();
          },
        });
        const count = element("span", { className: "quiet", textContent: number(facet.cameras) });
        return element("label", {}, box, element("span", { className: "name", textContent: called(facet) }), count);
      }),
    );
  }
}
