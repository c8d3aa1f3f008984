// Plays back where a unit was: a line, a sign that moves along it, a bar with the time.
import { ask, e, page, say } from "./office.js";
import { locale } from "./text.js";

const L = window.L;
const HOURS = [1, 4, 12, 24];
const STEP_MS = 100;
const WHOLE_MS = 20000;

export function trackBar(map) {
  const drawn = L.layerGroup().addTo(map);
  const name = e("b");
  const hours = e("select", { ariaLabel: say("时长", "How long"), onchange: () => load() }, ...HOURS.map(value => e("option", { value, textContent: say(`${value} 小时`, `${value} h`) })));
  const at = e("input", { type: "range", min: 0, max: 1000, value: 1000, ariaLabel: say("时间", "Time"), oninput: () => move() });
  const told = e("span", { className: "quiet" });
  const play = e("button", { className: "plain", textContent: "▶", ariaLabel: say("播放", "Play"), onclick: () => (playing ? stop() : start()) });
  const bar = e("div", { className: "swipe track panel", hidden: true }, name, hours, play, at, told, e("button", { className: "plain", textContent: "✕", ariaLabel: say("关闭", "Close"), onclick: close }));
  document.body.append(bar);
  let unit = null, positions = [], sign = null, playing = 0;

  async function load() {
    stop();
    const since = new Date(Date.now() - hours.value * 3600e3).toISOString();
    try {
      ({ positions } = await ask(`/units/${encodeURIComponent(unit)}/track?since=${since}`));
    } catch (error) {
      told.textContent = error.message;
      return;
    }
    drawn.clearLayers();
    sign = null;
    if (!positions.length) {
      told.textContent = say("这段时间没有位置上报", "no positions reported in this time");
      return;
    }
    L.polyline(positions.map(({ lat, lon }) => [lat, lon]), { color: "#6fe3a1", weight: 4, opacity: 0.8, interactive: false }).addTo(drawn);
    sign = L.circleMarker([0, 0], { radius: 9, color: "#fff", weight: 2, fillColor: "#6fe3a1", fillOpacity: 1, interactive: false }).addTo(drawn);
    at.value = 1000;
    move();
  }

  // The place at a moment is the last one reported until then: nothing is made up between two.
  function move() {
    if (!sign) return;
    const [first, last] = [positions[0], positions.at(-1)].map(one => Date.parse(one.reported_at));
    const moment = first + (last - first) * at.value / 1000;
    const here = positions.findLast(one => Date.parse(one.reported_at) <= moment) ?? positions[0];
    sign.setLatLng([here.lat, here.lon]);
    told.textContent = new Date(here.reported_at).toLocaleString(locale, { hour12: false, timeZone: page.timezone });
  }

  function start() {
    if (Number(at.value) >= 1000) at.value = 0;
    play.textContent = "❚❚";
    playing = setInterval(() => {
      at.value = Number(at.value) + 1000 * STEP_MS / WHOLE_MS;
      move();
      if (Number(at.value) >= 1000) stop();
    }, STEP_MS);
  }

  function stop() {
    clearInterval(playing);
    playing = 0;
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
