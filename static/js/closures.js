// Road closures and areas to avoid: drawing, listing and removing them.
import { drawOn } from "./draw.js";
import { element } from "./element.js";
import { may } from "./page.js";
import { poll, write } from "./server.js";
import { moment, say } from "./text.js";

const mayClose = may("layers.write");

/**
 * `drawing` is called with true when a drawing begins, and with false when it ends: clicks in between open no card.
 * @param {import("leaflet").Map} map
 * @param {(is: boolean) => void} drawing
 */
export function closuresPanel(map, drawing) {
  const closures = element("ul", { className: "closures" });
  const problem = element("p", { className: "bad", hidden: true });
  problem.setAttribute("role", "alert");
  const hint = element("p", { className: "hint", hidden: true });
  const name = element("input", { name: "name", maxLength: 200, placeholder: say("exampleOfClosure") });
  const tool = (shape, kind, label, told) =>
    element("button", {
      className: "tool",
      type: "button",
      data: { tool: kind },
      textContent: label,
      onclick: () => close(shape, kind, told),
    });
  const tools = element(
    "div",
    { className: "row" },
    tool("Line", "closed", say("closeARoad"), say("drawClosure")),
    tool("Polygon", "avoided", say("areaToAvoid"), say("drawAvoided")),
  );

  async function close(shape, kind, told) {
    hint.textContent = told;
    hint.hidden = false;
    drawing(true);
    const geometry = await drawOn(map, shape);
    hint.hidden = true;
    setTimeout(() => drawing(false), 100); // the click that ends a drawing must not open a card
    if (!geometry) return;
    const code = `RC${Date.now().toString(36).toUpperCase()}`;
    const properties = { closure_code: code, name: name.value.trim() || moment(new Date()), closure_kind: kind };
    await tried(() =>
      write(
        "POST",
        "/collections/road_closures/items",
        { type: "Feature", geometry, properties },
        { "Content-Type": "application/geo+json" },
      ),
    );
    name.value = "";
  }

  async function tried(change) {
    problem.hidden = true;
    try {
      await change();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
    await lookAtClosures();
  }

  async function lookAtClosures() {
    const { features } = await poll("/collections/road_closures/items?limit=100", { patience: Infinity });
    closures.replaceChildren(
      ...(features.length
        ? features.map(({ properties: { closure_code: code, name: title } }) =>
            element(
              "li",
              { data: { code } },
              element("span", { textContent: title }),
              mayClose
                ? element("button", {
                    className: "plain",
                    textContent: say("open"),
                    onclick: () =>
                      tried(() =>
                        write("DELETE", `/collections/road_closures/items/${encodeURIComponent(String(code))}`),
                      ),
                  })
                : null,
            ),
          )
        : [element("li", { className: "quiet", textContent: say("nothingIsClosed") })]),
    );
  }

  document.body.append(hint);
  return {
    look: lookAtClosures,
    panel: element(
      "section",
      {},
      element("h2", { textContent: say("closedOrAvoided") }),
      mayClose ? element("label", {}, say("name"), name) : null,
      mayClose ? tools : null,
      problem,
      closures,
    ),
  };
}
