// Fields that propose what is called so while somebody types: for codes of cells and other things, and for places.
import { element } from "./element.js";
import { ask } from "./server.js";
import { named } from "./text.js";

const WAIT_MS = 200;
const MOST = 12;
let number = 0;

/**
 * A field with proposals.
 * @param {string} label
 * @param {string} name
 * @param {Record<string, any>} properties of the input
 * @param {(found: import("../types.js").Api["Found"]) => string | null} valueOf what is put in for something found;
 *   null: it is not proposed
 */
function finder(label, name, properties, valueOf) {
  const list = element("datalist", { id: `found-${(number += 1)}` });
  const input = element("input", { name, autocomplete: "off", ...properties });
  input.setAttribute("list", list.id);
  /** @type {AbortController | null} */
  let asked = null;
  let timer = 0;
  input.oninput = () => {
    clearTimeout(timer);
    asked?.abort();
    const typed = input.value.trim();
    if (typed.length < 2) return;
    timer = setTimeout(async () => {
      asked = new AbortController();
      try {
        const { found } = await ask(`/search?limit=${MOST}&q=${encodeURIComponent(typed)}`, { signal: asked.signal });
        list.replaceChildren(
          ...found.flatMap(one => {
            const value = valueOf(one);
            const told = [one.name, named("found_kinds", one.kind), one.about].filter(Boolean).join(" · ");
            return value === null ? [] : [element("option", { value, label: told, textContent: told })];
          }),
        );
      } catch {
        // proposals are a help: what is typed counts without them
      }
    }, WAIT_MS);
  };
  return element("label", {}, label, input, list);
}

/**
 * A field for the code of something of a kind, found by its name too.
 * @param {string} label
 * @param {string} name
 * @param {string} kind as GET /search has it
 * @param {Record<string, any>} [properties] of the input
 */
export const codeField = (label, name, kind, properties = {}) =>
  finder(label, name, properties, one => (one.kind === kind ? one.code : null));

/**
 * A field for a place: coordinates, or a name that becomes them.
 * @param {string} label
 * @param {string} name
 * @param {Record<string, any>} [properties] of the input
 */
export const placeField = (label, name, properties = {}) =>
  finder(label, name, properties, one => `${one.lon.toFixed(6)}, ${one.lat.toFixed(6)}`);
