// What is closed or avoided: drawn on the map, listed, opened again.
import { drawOn } from "./draw.js";
import { e, field, page, say, write } from "./office.js";
import { poll } from "./server.js";
import { locale } from "./text.js";

const mayClose = page.person.rights.includes("layers.write");

// `drawing` is told when a drawing begins and when it is over: its clicks ask for nothing.
export function closuresPanel(map, drawing) {
  const closures = e("ul", { className: "closures" });
  const problem = e("p", { className: "bad", hidden: true });
  problem.setAttribute("role", "alert");
  const hint = e("p", { className: "hint", hidden: true });
  const named = field(say("名称", "Name"), "name", { maxLength: 200, placeholder: say("例：桥梁检修", "e.g. bridge works") });
  const tool = (shape, kind, label, told) => e("button", { className: "tool", type: "button", data: { tool: kind }, textContent: label, onclick: () => close(shape, kind, told) });
  const tools = e("div", { className: "row" },
    tool("Line", "closed", say("封闭道路", "Close a road"), say("画一条线横跨道路；双击结束，Esc 取消", "Draw a line across the road; double-click ends it, Esc gives up")),
    tool("Polygon", "avoided", say("避让区域", "Area to avoid"), say("画出要避让的区域；双击结束，Esc 取消", "Draw the area to avoid; double-click ends it, Esc gives up")));

  async function close(shape, kind, told) {
    hint.textContent = told;
    hint.hidden = false;
    drawing(true);
    const geometry = await drawOn(map, shape);
    hint.hidden = true;
    setTimeout(() => drawing(false), 100); // the click that ends a drawing asks for no card
    if (!geometry) return;
    const input = named.querySelector("input");
    const code = `RC${Date.now().toString(36).toUpperCase()}`;
    const properties = { closure_code: code, name: input.value.trim() || new Date().toLocaleString(locale, { hour12: false }), closure_kind: kind };
    await tried(() => write("POST", "/collections/road_closures/items", { type: "Feature", geometry, properties }, { "Content-Type": "application/geo+json" }));
    input.value = "";
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
    closures.replaceChildren(...(features.length ? features.map(({ properties: { closure_code: code, name } }) => e("li", { data: { code } }, e("span", { textContent: name }),
      mayClose ? e("button", { className: "plain", textContent: say("开放", "Open"), onclick: () => tried(() => write("DELETE", `/collections/road_closures/items/${encodeURIComponent(code)}`)) }) : null))
      : [e("li", { className: "quiet", textContent: say("没有封闭的道路", "Nothing is closed") })]));
  }

  document.body.append(hint);
  return {
    look: lookAtClosures,
    panel: e("section", {}, e("h2", { textContent: say("封闭与避让", "Closed or avoided") }), mayClose ? named : null, mayClose ? tools : null, problem, closures),
  };
}
