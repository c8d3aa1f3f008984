// The way from a map to paper: what is shown now, as PNG or PDF from the server, and its address to send on.
import { element } from "./element.js";
import { choose, field, form } from "./office.js";
import { page } from "./page.js";
import { download } from "./server.js";
import { say } from "./text.js";
import { viewOf } from "./view.js";

const PAPERS = { a4: "A4 ▭", "a4-portrait": "A4 ▯", a3: "A3 ▭", "a3-portrait": "A3 ▯" };

/**
 * A button that asks what the picture shall be, and has it made.
 * @param {import("leaflet").Map} map
 * @param {() => { theme: string, layers: string[], draft?: number | null }} shown what the map shows now
 */
export function pictureButton(map, shown) {
  const open = () => {
    const stopping = new AbortController();
    const box = element("dialog", { className: "panel picture" });
    const busy = element("p", { className: "quiet", hidden: true, textContent: say("beingMade") });
    busy.setAttribute("role", "status");
    const asking = form(
      [
        field(say("pictureTitle"), "title", { maxLength: 120 }),
        choose(say("pictureForm"), "f", { pdf: "PDF", png: "PNG" }),
        choose(say("picturePaper"), "paper", PAPERS),
        field(say("pictureScale"), "scale", { type: "number", min: 200, max: 10000000, placeholder: say("asShown") }),
        busy,
      ],
      say("makePicture"),
      async ({ title, f, paper, scale }) => {
        const { theme, layers, draft } = shown();
        const asked = { f, paper, title, scale, theme, layers: layers.join(","), draft, lang: page.lang };
        const query = Object.entries({ ...asked, view: viewOf(map) })
          .filter(([name, value]) => value || name === "layers")
          .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
        busy.hidden = false;
        try {
          await download(`/maps/picture?${query.join("&")}`, `map.${f}`, stopping.signal);
          box.close();
        } finally {
          busy.hidden = true;
        }
      },
    );
    box.append(
      element("h2", { textContent: say("pictureOf") }),
      asking,
      element("button", { className: "plain", type: "button", textContent: say("cancel"), onclick: () => box.close() }),
    );
    box.onclose = () => {
      stopping.abort(); // the server stops too
      box.remove();
    };
    document.body.append(box);
    box.showModal();
  };
  return element("button", { className: "plain", type: "button", textContent: say("pictureOf"), onclick: open });
}

/** Names of the layers that are on. @param {import("./live_layer.js").LiveLayer[]} layers */
export const namesOf = layers =>
  layers.filter(layer => layer.visible && layer.look.name !== "outlines").map(layer => layer.look.name);
