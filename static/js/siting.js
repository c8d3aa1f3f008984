// Where posts should be: asked, answered beside today, and drawn on the map over the circles of today.
import { mark } from "./marks.js";
import { ask, chooser, e, form, say, write } from "./office.js";
import { text } from "./text.js";

const L = window.L;
const DRAWN = 12;
const MODELS = [["maximal_covering", say("最大覆盖", "Maximal covering")], ["set_covering", say("最少站点全覆盖", "Set covering")], ["p_median", say("总距离最短（p-中位）", "p-median")]];
const DEMANDS = [["households", say("户数", "Households")], ["incidents", say("警情（12 个月）", "Incidents of 12 months")]];
const CANDIDATES = [["governance_centres", say("综治中心", "Governance centres")], ["mandatory_stops", say("必到点", "Mandatory stops")]];
const percent = share => `${(share * 100).toFixed(1)} %`;

const named = (label, select, name) => { select.name = name; return e("label", {}, label, select); };

export function sitingPanel(map) {
  const drawn = L.layerGroup().addTo(map);
  const within = chooser(say("区县", "County"), [], () => {});
  const model = chooser(say("目标", "Model"), MODELS, () => { count.disabled = model.value === "set_covering"; });
  const count = e("input", { name: "count", type: "number", min: 1, max: 500, value: 5, required: true });
  const keeps = e("input", { name: "keeps_posts", type: "checkbox", checked: true });
  const capacity = e("input", { name: "capacity", type: "number", min: 1, placeholder: say("不限", "no limit") });
  const busy = e("progress", { className: "drawing", hidden: true });
  const answer = e("div", { className: "answer" });

  async function solve(given) {
    busy.hidden = false;
    answer.replaceChildren();
    drawn.clearLayers();
    try {
      const asked = {
        within: given.within, model: given.model, tier_minutes: Number(given.tier_minutes), demand: given.demand, candidates: given.candidates,
        keeps_posts: keeps.checked, ...(model.value === "set_covering" ? {} : { count: Number(count.value) }), ...(given.capacity ? { capacity: Number(given.capacity) } : {}),
      };
      show(await write("POST", "/response/siting", asked), asked.tier_minutes);
    } finally {
      busy.hidden = true;
    }
  }

  function show(found, tier) {
    const fresh = found.sites.filter(site => !site.is_post).sort((a, b) => b.adds - a.adds);
    const kept = found.sites.filter(site => site.is_post);
    const row = (name, today, then) => e("tr", {}, e("td", { textContent: name }), e("td", { textContent: today }), e("td", {}, e("b", { textContent: then })));
    const mean = seconds => (seconds === null ? "–" : text.minutes(seconds));
    answer.replaceChildren(
      e("table", { className: "coverage" }, e("thead", {}, e("tr", {}, e("th"), e("th", { textContent: say("今天", "Today") }), e("th", { textContent: say("方案", "Then") }))),
        e("tbody", {}, row(say(`${tier} 分钟内`, `Within ${tier} min`), percent(found.covered_today), percent(found.covered)), row(say("平均到达", "Mean travel"), mean(found.mean_today_s), mean(found.mean_s)))),
      e("p", { className: "quiet", textContent: say(`新设 ${fresh.length} 处，保留 ${kept.length} 处。黄色为新设点的 ${tier} 分钟可达范围。`, `${fresh.length} new, ${kept.length} kept. In yellow: what new ones reach in ${tier} min.`) }),
      e("p", { className: "quiet", hidden: found.estimated === 0, textContent: say(`其中 ${percent(found.estimated)} 的时间为估算`, `${percent(found.estimated)} of the times are estimates`) }),
      e("ol", { className: "sites" }, ...fresh.map(site => e("li", { data: { code: site.code } }, e("button", { className: "find", type: "button", onclick: () => map.setView([site.lat, site.lon], Math.max(map.getZoom(), 13)) },
        e("span", { textContent: site.name }), e("span", { className: "quiet", textContent: say(`独自增加 ${percent(site.adds)}`, `adds ${percent(site.adds)} by itself`) }))))));
    fresh.forEach((site, number) => {
      mark([site.lat, site.lon], e("span", { className: "site", textContent: number + 1 }), 24, { title: site.name }).addTo(drawn);
    });
    if (found.sites.length) map.fitBounds(found.sites.map(({ lat, lon }) => [lat, lon]), { maxZoom: 13, paddingTopLeft: [384, 24], paddingBottomRight: [40, 24] });
    fresh.slice(0, DRAWN).forEach(site => reach(site, tier));
  }

  async function reach({ lon, lat }, tier) {
    const { features } = await ask(`/response/areas?lon=${lon}&lat=${lat}&direction=outbound`);
    L.geoJSON(features.filter(area => area.properties.tier_minutes === tier), {
      interactive: false, style: ({ properties: { method } }) => ({ color: "#ffd84d", weight: 2, fillOpacity: 0.14, dashArray: method === "valhalla" ? null : "4 4" }),
    }).addTo(drawn);
  }

  async function look() {
    const { features } = await ask("/collections/grid_cells/items?grid_level=1&limit=500");
    within.replaceChildren(...features.map(({ properties: { grid_code: value, name } }) => e("option", { value, textContent: name })));
  }

  const asking = form([
    named(say("范围", "Within"), within, "within"), named(say("目标", "Model"), model, "model"),
    named(say("分钟", "Minutes"), chooser(say("分钟", "Minutes"), [3, 1, 5].map(tier => [tier, text.tier(tier)]), () => {}), "tier_minutes"),
    e("label", {}, say("新设数量", "How many are placed"), count),
    named(say("需求", "Demand"), chooser(say("需求", "Demand"), DEMANDS, () => {}), "demand"), named(say("候选点", "Candidate places"), chooser(say("候选点", "Candidate places"), CANDIDATES, () => {}), "candidates"),
    e("label", {}, say("每站容量", "Capacity of a post"), capacity),
    e("label", { className: "check" }, keeps, say("保留现有警务站", "Posts stay")),
  ], say("求解", "Solve"), solve);

  return { look, clear: () => drawn.clearLayers(), panel: e("section", {}, e("h2", { textContent: say("警务站选址", "Where posts should be") }), asking, busy, answer) };
}
