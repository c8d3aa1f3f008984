// Playback of a unit's track: a line, a symbol that moves along it, a bar with the time.
import { element } from "./element.js";
import { ask } from "./server.js";
import { moment, say } from "./text.js";

const { L } = window;
const HOURS = [1, 4, 12, 24];
const STEP_MS = 100;
const WHOLE_MS = 20000;

/**
 * A bar that plays back the track of a unit.
 * @param {import("leaflet").Map} map where tracks are drawn
 */
export function trackBar(map) {
  const drawn = L.layerGroup().addTo(map);
  const name = element("b");
  const hours = element(
    "select",
    { ariaLabel: say("howLong"), onchange: () => load() },
    ...HOURS.map(value => element("option", { value, textContent: say("hoursBack", { count: value }) })),
  );
  const at = element("input", {
    type: "range",
    min: 0,
    max: 1000,
    value: 1000,
    ariaLabel: say("time"),
    oninput: () => move(),
  });
  const told = element("span", { className: "quiet" });
  const play = element("button", {
    className: "plain",
    textContent: "▶",
    ariaLabel: say("play"),
    onclick: () => (playing ? stop() : start()),
  });
  const bar = element(
    "div",
    { className: "swipe track panel", hidden: true },
    name,
    hours,
    play,
    at,
    told,
    element("button", { className: "plain", textContent: "✕", ariaLabel: say("close"), onclick: close }),
  );
  document.body.append(bar);
  let unit = "";
  /** @type {any[]} as reported, the earliest first */
  let positions = [];
  /** @type {import("leaflet").CircleMarker | null} */
  let sign = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let playing;

  async function load() {
    stop();
    const since = new Date(Date.now() - Number(hours.value) * 3600e3).toISOString();
    try {
      ({ positions } = await ask(`/units/${encodeURIComponent(unit)}/track?since=${since}`));
    } catch (error) {
      told.textContent = error.message;
      return;
    }
    drawn.clearLayers();
    sign = null;
    if (!positions.length) {
      told.textContent = say("noPositions");
      return;
    }
    L.polyline(
      positions.map(({ lat, lon }) => [lat, lon]),
      { color: "#6fe3a1", weight: 4, opacity: 0.8, interactive: false },
    ).addTo(drawn);
    sign = L.circleMarker([0, 0], {
      radius: 9,
      color: "#fff",
      weight: 2,
      fillColor: "#6fe3a1",
      fillOpacity: 1,
      interactive: false,
    }).addTo(drawn);
    at.value = "1000";
    move();
  }

  // The position at a moment is the last one reported before it, without interpolation.
  function move() {
    if (!sign) return;
    const [first, last] = [positions[0], positions.at(-1)].map(one => Date.parse(one.reported_at));
    const shown = first + ((last - first) * at.valueAsNumber) / 1000;
    const here = positions.findLast(one => Date.parse(one.reported_at) <= shown) ?? positions[0];
    sign.setLatLng([here.lat, here.lon]);
    told.textContent = moment(here.reported_at);
  }

  function start() {
    if (at.valueAsNumber >= 1000) at.value = "0";
    play.textContent = "❚❚";
    playing = setInterval(() => {
      at.value = String(at.valueAsNumber + (1000 * STEP_MS) / WHOLE_MS);
      move();
      if (at.valueAsNumber >= 1000) stop();
    }, STEP_MS);
  }

  function stop() {
    clearInterval(playing);
    playing = undefined;
    play.textContent = "▶";
  }

  function close() {
    stop();
    drawn.clearLayers();
    bar.hidden = true;
  }

  return {
    close,
    show: ({ unit_code: code, name: title }) => {
      unit = code;
      name.textContent = title;
      bar.hidden = false;
      return load();
    },
  };
}
