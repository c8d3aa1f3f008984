// Patrol: how many mandatory stops were made, by zone and shift; routes that make the others, drawn on the map.
import { ask, chooser, e, page, say, write } from "./office.js";
import { mark, withTip } from "./marks.js";
import { poll } from "./server.js";
import { locale, metres, text } from "./text.js";

const L = window.L;
const COLOURS = ["#ffd84d", "#38b6ff", "#6fe3a1", "#ff8bd1", "#ffb347", "#b78cff"];
const mayPlan = page.person.rights.includes("incidents.read");
const percent = share => `${(share * 100).toFixed(0)} %`;
const WHY = { made: say("已到", "made"), not_due: say("不在时段", "not due then"), no_time: say("来不及", "no time for it") };
const clock = moment => new Date(moment).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit", timeZone: page.timezone });

export function patrolPanel(map) {
  const drawn = L.layerGroup().addTo(map);
  const shift = chooser(say("班次", "Shift"), [], draw);
  const named = e("input", { type: "search", ariaLabel: say("责任区", "Zone"), placeholder: say("责任区名称", "name of a zone"), oninput: draw });
  const whole = e("p", { className: "whole" });
  const zones = e("div", { className: "scroll" });
  const chosen = e("div", { className: "chosen" });
  let rows = [];

  async function look() {
    rows = await poll("/patrol/completion");
    const shifts = [...new Set(rows.map(row => row.shift))];
    const before = shift.value;
    shift.replaceChildren(...shifts.map(value => e("option", { value, textContent: value })));
    if (shifts.includes(before)) shift.value = before;
    draw();
  }

  function draw() {
    const mine = rows.filter(row => row.shift === shift.value);
    const due = mine.reduce((sum, row) => sum + row.due, 0);
    const done = mine.reduce((sum, row) => sum + row.done, 0);
    whole.textContent = due ? say(`应到 ${due} 处，已到 ${done} 处（${percent(done / due)}）`, `${done} of ${due} stops made (${percent(done / due)})`) : say("没有必到点", "There are no mandatory stops");
    const found = mine.filter(row => row.name.includes(named.value.trim())).sort((a, b) => a.rate - b.rate || b.missed.length - a.missed.length);
    zones.replaceChildren(e("table", { className: "coverage" }, e("thead", {}, e("tr", {}, e("th"), e("th", { textContent: say("应到", "Due") }), e("th", { textContent: say("已到", "Made") }), e("th", { textContent: say("漏到", "Missed") }))),
      e("tbody", {}, ...found.slice(0, 200).map(row => e("tr", { tabIndex: 0, className: "pick", data: { zone: row.zone_code }, onclick: () => choose(row), onkeydown: event => { if (event.key === "Enter") choose(row); } },
        e("td", { textContent: row.name }), e("td", { textContent: row.due }), e("td", { textContent: row.done }), e("td", { className: row.missed.length ? "bad" : "", textContent: row.missed.length }))))));
  }

  async function choose(row) {
    drawn.clearLayers();
    const stops = await ask(`/patrol/stops?zone_code=${encodeURIComponent(row.zone_code)}`);
    const state = stop => (row.missed.includes(stop.name) ? say("漏到", "missed") : row.open.includes(stop.name) ? say("待到", "to be made") : say("已到或不在本班", "made, or not in this shift"));
    const window = stop => (stop.window_from ? `${stop.window_from.slice(0, 5)}–${stop.window_to?.slice(0, 5) ?? ""}` : say("全天", "any time"));
    const hours = e("input", { type: "number", min: 0.5, max: 24, step: 0.5, value: 4, ariaLabel: say("小时", "hours") });
    const problem = e("p", { className: "bad", hidden: true });
    problem.setAttribute("role", "alert");
    const routes = e("div", { className: "routes" });
    const plan = e("button", { className: "action", textContent: say("规划路线", "Plan routes"), onclick: async () => {
      plan.disabled = true;
      problem.hidden = true;
      try {
        show(await write("POST", "/patrol/routes", { zone_code: row.zone_code, hours: Number(hours.value) }), routes);
      } catch (error) {
        problem.textContent = error.message;
        problem.hidden = false;
      }
      plan.disabled = false;
    } });
    chosen.replaceChildren(e("h2", { textContent: row.name }),
      e("ul", { className: "stops" }, ...stops.map(stop => e("li", {}, e("span", { textContent: stop.name }), e("span", { className: "quiet", textContent: `${window(stop)} · ${state(stop)}` })))),
      e("div", { className: "row", hidden: !mayPlan }, plan, e("label", { className: "hours" }, hours, say("小时内", "hours"))), problem, routes);
    stops.forEach(stop => withTip(L.circleMarker([stop.lat, stop.lon], { radius: 7, color: row.missed.includes(stop.name) ? "#ff5d5d" : "#ffd84d", weight: 2, fillOpacity: 0.5 }),
      [`${stop.name} ${window(stop)}`]).addTo(drawn));
    if (stops.length) map.fitBounds(stops.map(({ lat, lon }) => [lat, lon]), { maxZoom: 14, paddingTopLeft: [400, 40], paddingBottomRight: [60, 40] });
    chosen.scrollIntoView({ block: "nearest" });
  }

  function show(found, routes) {
    routes.replaceChildren(...found.routes.map((route, at) => e("section", { data: { unit: route.unit_code } },
      e("h3", { style: `color: ${COLOURS[at % COLOURS.length]}`, textContent: route.name }),
      e("p", { className: "quiet", textContent: say(`${clock(route.begins_at)} 出发，路上 ${text.minutes(route.travel_s)}`, `sets out ${clock(route.begins_at)}, ${text.minutes(route.travel_s)} on the way`) + (route.length_m === null ? `（${text.estimate}）` : ` · ${metres(route.length_m)}`) }),
      e("ol", {}, ...route.stops.map(stop => e("li", {}, e("span", { textContent: stop.name }), e("span", { className: "quiet", textContent: ` ${clock(stop.arrives_at)}${stop.waits_s ? say(`（等候 ${text.minutes(stop.waits_s)}）`, ` (waits ${text.minutes(stop.waits_s)})`) : ""} – ${clock(stop.leaves_at)}` })))))),
    ...found.left_out.map(({ name, reason }) => e("p", { className: reason === "no_time" ? "bad" : "quiet", textContent: `${name}：${WHY[reason]}` })));
    found.routes.forEach((route, at) => {
      const colour = COLOURS[at % COLOURS.length];
      L.polyline(route.line.map(([lon, lat]) => [lat, lon]), { color: colour, weight: 5, opacity: 0.9, dashArray: route.method === "valhalla" ? null : "6 6" }).addTo(drawn);
      route.stops.forEach((stop, number) => {
        const shown = e("span", { className: "site", style: `background: ${colour}`, textContent: number + 1 });
        mark([stop.lat, stop.lon], shown, 24, { title: stop.name }).addTo(drawn);
      });
    });
  }

  return { look, clear: () => drawn.clearLayers(), panel: e("section", {}, e("h2", { textContent: say("必到点完成情况（今天）", "Mandatory stops today") }), e("div", { className: "row" }, shift, named), whole, zones, chosen) };
}
