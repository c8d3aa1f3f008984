// Patrol: completion of mandatory stops by zone and shift; routes for the open ones, drawn on the map.
import { element } from "./element.js";
import { mark, withTip } from "./marks.js";
import { chooser, scroller } from "./office.js";
import { may } from "./page.js";
import { ask, poll, write } from "./server.js";
import { clock, duration, estimated, metres, percent, say } from "./text.js";

const { L } = window;
const COLOURS = ["#ffd84d", "#38b6ff", "#6fe3a1", "#ff8bd1", "#ffb347", "#b78cff"];
const mayPlan = may("incidents.read");
const WHY = { made: say("stopMade"), not_due: say("stopNotDue"), no_time: say("stopNoTime") };

// The time of a stop on a route, and the wait until its time window begins.
function stay({ arrives_at: arrives, leaves_at: leaves, waits_s: waits }) {
  const waiting = waits ? say("stopWaits", { time: duration(waits) }) : "";
  return `${clock(arrives)}${waiting} – ${clock(leaves)}`;
}

/**
 * Mandatory stops of today by shift and zone, and routes for those that are missed.
 * @param {import("leaflet").Map} map where routes are drawn
 */
export function patrolPanel(map) {
  const drawn = L.layerGroup().addTo(map);
  const shift = chooser(say("shift"), [], draw);
  const named = element("input", {
    type: "search",
    ariaLabel: say("zone"),
    placeholder: say("nameOfAZone"),
    oninput: draw,
  });
  const whole = element("p", { className: "whole" });
  const zones = scroller();
  const chosen = element("div", { className: "chosen" });
  let rows = [];

  async function look() {
    rows = await poll("/patrol/completion");
    const shifts = [...new Set(rows.map(row => row.shift))];
    const before = shift.value;
    shift.replaceChildren(...shifts.map(value => element("option", { value, textContent: value })));
    if (shifts.includes(before)) shift.value = before;
    draw();
  }

  function draw() {
    const mine = rows.filter(row => row.shift === shift.value);
    const due = mine.reduce((sum, row) => sum + row.due, 0);
    const done = mine.reduce((sum, row) => sum + row.done, 0);
    whole.textContent = due ? say("stopsMadeOf", { due, done, share: percent(done / due) }) : say("noMandatoryStops");
    const found = mine
      .filter(row => row.name.includes(named.value.trim()))
      .sort((a, b) => a.rate - b.rate || b.missed.length - a.missed.length);
    zones.replaceChildren(
      element(
        "table",
        { className: "coverage" },
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            element("th"),
            element("th", { textContent: say("stopsDue") }),
            element("th", { textContent: say("stopsMade") }),
            element("th", { textContent: say("stopsMissed") }),
          ),
        ),
        element(
          "tbody",
          {},
          ...found.slice(0, 200).map(row =>
            element(
              "tr",
              { className: "pick", data: { zone: row.zone_code }, onclick: () => choose(row) },
              element("td", {}, element("button", { type: "button", className: "find", textContent: row.name })),
              element("td", { textContent: row.due }),
              element("td", { textContent: row.done }),
              element("td", { className: row.missed.length ? "bad" : "", textContent: row.missed.length }),
            ),
          ),
        ),
      ),
    );
  }

  async function choose(row) {
    drawn.clearLayers();
    const stops = await ask(`/patrol/stops?zone_code=${encodeURIComponent(row.zone_code)}`);
    const state = stop => {
      if (row.missed.includes(stop.name)) return say("stopMissed");
      return row.open.includes(stop.name) ? say("stopToBeMade") : say("stopMadeOrNotDue");
    };
    const times = stop =>
      stop.window_from ? `${stop.window_from.slice(0, 5)}–${stop.window_to?.slice(0, 5) ?? ""}` : say("anyTime");
    const hours = element("input", { type: "number", min: 0.5, max: 24, step: 0.5, value: 4, ariaLabel: say("hours") });
    const problem = element("p", { className: "bad", hidden: true });
    problem.setAttribute("role", "alert");
    const routes = element("div", { className: "routes" });
    const plan = element("button", {
      className: "action",
      textContent: say("planRoutes"),
      onclick: async () => {
        plan.disabled = true;
        problem.hidden = true;
        try {
          show(await write("POST", "/patrol/routes", { zone_code: row.zone_code, hours: Number(hours.value) }), routes);
        } catch (error) {
          problem.textContent = error.message;
          problem.hidden = false;
        }
        plan.disabled = false;
      },
    });
    chosen.replaceChildren(
      element("h2", { textContent: row.name }),
      element(
        "ul",
        { className: "stops" },
        ...stops.map(stop =>
          element(
            "li",
            {},
            element("span", { textContent: stop.name }),
            element("span", { className: "quiet", textContent: `${times(stop)} · ${state(stop)}` }),
          ),
        ),
      ),
      element(
        "div",
        { className: "row", hidden: !mayPlan },
        plan,
        element("label", { className: "hours" }, hours, say("withinHours")),
      ),
      problem,
      routes,
    );
    stops.forEach(stop =>
      withTip(
        L.circleMarker([stop.lat, stop.lon], {
          radius: 7,
          color: row.missed.includes(stop.name) ? "#ff5d5d" : "#ffd84d",
          weight: 2,
          fillOpacity: 0.5,
        }),
        [`${stop.name} ${times(stop)}`],
      ).addTo(drawn),
    );
    if (stops.length)
      map.fitBounds(
        stops.map(({ lat, lon }) => [lat, lon]),
        { maxZoom: 14, paddingTopLeft: [400, 40], paddingBottomRight: [60, 40] },
      );
    chosen.scrollIntoView({ block: "nearest" });
  }

  function show(found, routes) {
    routes.replaceChildren(
      ...found.routes.map((route, at) =>
        element(
          "section",
          { data: { unit: route.unit_code } },
          element("h3", { style: `color: ${COLOURS[at % COLOURS.length]}`, textContent: route.name }),
          element("p", {
            className: "quiet",
            textContent:
              say("routeSetsOut", { time: clock(route.begins_at), travel: duration(route.travel_s) }) +
              (route.length_m === null ? "" : ` · ${metres(route.length_m)}`) +
              estimated(route),
          }),
          element(
            "ol",
            {},
            ...route.stops.map(stop =>
              element(
                "li",
                {},
                element("span", { textContent: stop.name }),
                element("span", {
                  className: "quiet",
                  textContent: ` ${stay(stop)}`,
                }),
              ),
            ),
          ),
        ),
      ),
      ...found.left_out.map(({ name, reason }) =>
        element("p", { className: reason === "no_time" ? "bad" : "quiet", textContent: `${name}：${WHY[reason]}` }),
      ),
    );
    found.routes.forEach((route, at) => {
      const colour = COLOURS[at % COLOURS.length];
      L.polyline(
        route.line.map(([lon, lat]) => [lat, lon]),
        { color: colour, weight: 5, opacity: 0.9, dashArray: route.method === "valhalla" ? undefined : "6 6" },
      ).addTo(drawn);
      route.stops.forEach((stop, number) => {
        const shown = element("span", { className: "site", style: `background: ${colour}`, textContent: number + 1 });
        mark([stop.lat, stop.lon], shown, 24, { title: stop.name }).addTo(drawn);
      });
    });
  }

  return {
    look,
    clear: () => drawn.clearLayers(),
    panel: element(
      "section",
      {},
      element("h2", { textContent: say("mandatoryStopsToday") }),
      element("div", { className: "row" }, shift, named),
      whole,
      zones,
      chosen,
    ),
  };
}
