// What a map shows, as lists: a canvas has nothing that keys could go to, or that could be read aloud.
import { element } from "./element.js";
import { isNarrow, onNarrow } from "./room.js";
import { named, number, say } from "./text.js";

const { L } = window;
const LISTED = 100;
const ARROWS = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "+", "-"];

/** @type {WeakMap<import("leaflet").Map, import("./live_layer.js").LiveLayer[]>} */
const known = new WeakMap();

/**
 * The layers of a map, from the lowest; layers put themselves in.
 * @param {import("leaflet").Map} map
 */
export function layersOf(map) {
  const found = known.get(map) ?? [];
  known.set(map, found);
  return found;
}

/** What a layer is called. @param {import("../types.js").LayerLook} look */
export const titleOf = look => named("layers", look.title ?? look.name);

/**
 * The list of what a layer has in view, which says the same as the canvas; what is activated is chosen as by a click.
 * @param {import("./live_layer.js").LiveLayer} layer
 * @param {string} [title] of the list
 */
export function listOf(layer, title = say("listInView", { name: titleOf(layer.look) })) {
  const summary = element("summary");
  const list = element("ul");
  const fold = element("details", { className: "listed", data: { layer: layer.look.name } }, summary, list);

  function fill() {
    if (!fold.checkVisibility()) return; // in a drawer that is closed
    const { off, far, failed, truncated } = layer.state ?? {};
    const shown = off || far ? [] : layer.inView();
    let told = number(shown.length);
    if (off) told = say("switchedOff");
    else if (far) told = say("zoomIn");
    else if (failed) told = say("triesAgain");
    summary.textContent = `${title} · ${told}`;
    if (!fold.open) return;
    const at = /** @type {HTMLElement | null} */ (document.activeElement);
    const focused = at && list.contains(at) ? at.dataset.key : undefined; // who is here stays, whatever is read anew
    list.replaceChildren(
      ...shown.slice(0, LISTED).map(({ key, text, choose }) =>
        element(
          "li",
          {},
          element("button", { type: "button", className: "plain", data: { key }, textContent: text, onclick: choose }),
        ),
      ),
      ...(shown.length > LISTED || truncated
        ? [element("li", { className: "quiet", textContent: say("moreZoomIn") })]
        : []),
    );
    if (focused)
      [...list.querySelectorAll("button")].find(one => one.dataset.key === focused)?.focus({ preventScroll: true });
  }
  new IntersectionObserver(fill).observe(fold);
  fold.ontoggle = fill;
  layer.onState(fill);
  layer.map.on("moveend", fill);
  return fold;
}

/**
 * Puts a button on the map that opens the lists of all its layers.
 * @param {import("leaflet").Map} map
 * @param {() => Node[]} [more] what stands above the lists
 * @returns {(note: string) => void} writes a note on the button
 */
export function addLists(map, more = () => []) {
  const lists = element("div", { className: "lists panel", id: "in-view", hidden: true });
  lists.setAttribute("role", "region");
  lists.ariaLabel = say("shownOnMap");
  const button = element("button", { type: "button", className: "plain lister", textContent: say("shownOnMap") });
  button.setAttribute("aria-controls", lists.id);
  const show = (/** @type {boolean} */ isShown) => {
    const listed = layersOf(map).filter(isListed).reverse(); // as they lie: the uppermost first
    if (isShown && !lists.childElementCount)
      lists.append(...more(), ...listed.map(one => listOf(one, titleOf(one.look))));
    lists.hidden = !isShown;
    button.setAttribute("aria-expanded", String(isShown));
  };
  show(false);
  button.onclick = () => show(lists.hidden);
  const box = element("div", { className: "in_view" }, button, lists);
  box.onkeydown = event => {
    if (event.key === "Escape" && !lists.hidden) {
      event.stopPropagation();
      show(false);
      button.focus();
    } else if (ARROWS.includes(event.key)) event.stopPropagation(); // which would move the map
  };
  L.DomEvent.disableClickPropagation(box);
  L.DomEvent.disableScrollPropagation(box);
  const corner = () => (isNarrow() ? "topleft" : "bottomleft"); // where no panel lies
  const control = new L.Control({ position: corner() });
  onNarrow(() => control.setPosition(corner()));
  control.onAdd = () => box;
  control.addTo(map);
  return note => {
    button.textContent = [say("shownOnMap"), note].filter(Boolean).join(" · ");
  };
}

/** @param {import("./live_layer.js").LiveLayer} layer */
const isListed = ({ look }) => Boolean(look.point ?? look.told);
