// What circles cover, by group; and the zones that nobody free is in.
import { ask, chooser, e, page, say } from "./office.js";
import { poll } from "./server.js";
import { text } from "./text.js";

const TIERS = [1, 3, 5];
const GROUPINGS = [["city", say("全市", "City")], ["county", say("区县", "County")], ["township", say("乡镇", "Township")], ["zone", say("责任区", "Zone")], ["hour", say("时段", "Hour")]];
const MEASURES = [["area", say("面积", "Area")], ["households", say("户数", "Households")], ["incidents", say("警情", "Incidents")], ["key_places", say("重点部位", "Key places")],
  ["own_incidents", say("警情（本责任区圈内）", "Incidents in their own zone's circles")],
  ["times", say("实际到达（警情时钟）", "Really arrived (incidents' clocks)")]];
const JOINED = [["", say("每站响应圈", "Each post's circles")], ["zone", say("按责任区合并", "Joined by zone")], ["unit", say("按单位合并", "Joined by unit")], ["city", say("全市合并", "Joined for the city")]];
const percent = share => (share === null ? "–" : `${(share * 100).toFixed(1)} %`);

function clocks(one) {
  if (!one?.n) return say("没有完整时钟", "no complete clocks");
  return say(`${one.n} 起：全程中位 ${text.minutes(one.whole_p50_s)}，九成 ${text.minutes(one.whole_p90_s)}；路上中位 ${text.minutes(one.travel_p50_s)}，九成 ${text.minutes(one.travel_p90_s)}`,
    `${one.n} incidents: call to arrival P50 ${text.minutes(one.whole_p50_s)}, P90 ${text.minutes(one.whole_p90_s)}; travel P50 ${text.minutes(one.travel_p50_s)}, P90 ${text.minutes(one.travel_p90_s)}`);
}

function leftOut(times) {
  const sum = name => times.reduce((all, one) => all + one[name], 0);
  return say(`计入 ${sum("n")} 起；未计：缺时钟 ${sum("no_clock")}，时钟倒序 ${sum("out_of_order")}，超过一天 ${sum("over_a_day")}。`,
    `${sum("n")} counted; left out: ${sum("no_clock")} without a clock, ${sum("out_of_order")} out of order, ${sum("over_a_day")} over a day.`);
}

// `join` is told by what circles are to be joined on the map.
export function coveragePanel(map, join) {
  const by = chooser(say("分组", "By"), GROUPINGS, look);
  const measure = chooser(say("指标", "Measure"), MEASURES, look);
  const joined = chooser(say("响应圈", "Circles"), JOINED, () => join(joined.value));
  const shares = e("div", { className: "scroll" });
  const told = e("p", { className: "quiet told" });
  const bare = e("ul", { className: "bare" });
  let asked = 0;

  async function look() {
    const mine = asked += 1;
    if (!shares.children.length) shares.replaceChildren(e("p", { className: "quiet", textContent: say("计算中…", "Working…") }));
    const fails = error => { if (mine === asked) shares.replaceChildren(e("p", { className: "bad", textContent: error.message })); };
    const patient = { patience: Infinity, waiting: fails };
    try {
      const isReal = measure.value === "times";
      const [{ groups }, times] = await Promise.all([ask(`/response/coverage?by=${by.value}`, patient), isReal ? ask(`/response/times?by=${by.value}`, patient) : []]);
      if (mine !== asked) return; // a later question was asked meanwhile
      const real = new Map(times.map(one => [one.code, one]));
      const share = (group, tier) => (isReal ? real.get(group.code)?.[`within_${tier.tier_minutes}`] ?? null : tier[measure.value]);
      const rows = groups.map(group => e("tr", { data: { code: group.code }, title: isReal ? clocks(real.get(group.code)) : "" }, e("td", { textContent: (group.name || page.city[page.lang]) + (group.traffic_factor === 1 ? "" : say(`（路况 ×${group.traffic_factor}）`, ` (traffic ×${group.traffic_factor})`)) }),
        ...group.tiers.map(tier => e("td", { className: `of${tier.tier_minutes}`, textContent: percent(share(group, tier)) }))));
      told.textContent = isReal ? leftOut(times) + (times.length === 1 ? ` ${clocks(times[0])}` : "") : "";
      shares.replaceChildren(e("table", { className: "coverage" }, e("thead", {}, e("tr", {}, e("th"), ...TIERS.map(tier => e("th", { textContent: text.tier(tier) })))), e("tbody", {}, ...rows)));
    } catch (error) {
      fails(error);
    }
  }

  async function lookAtBareZones() {
    const zones = await poll("/response/move-up", { patience: 0 });
    const told = ({ suggestion: s }) => (s ? say(`${s.name} 可补位，${text.minutes(s.arrival_s)}`, `${s.name} could move up, ${text.minutes(s.arrival_s)}`) : say("无可补位力量", "nobody to spare"));
    const show = ({ lat, lon }) => map.setView([lat, lon], Math.max(map.getZoom(), 13));
    bare.replaceChildren(...(zones.length ? zones.slice(0, 12).map(zone => e("li", { data: { zone: zone.zone_code } },
      e("button", { className: "find", onclick: () => show(zone) }, e("span", { textContent: zone.name }), e("span", { className: "quiet", textContent: told(zone) }))))
      : [e("li", { className: "quiet", textContent: say("每个责任区都有可派力量", "Somebody is free in every zone") })]));
  }

  return {
    look,
    lookAtBareZones,
    panel: e("section", {}, e("h2", { textContent: say("1、3、5 分钟覆盖", "Covered within 1, 3, 5 minutes") }), e("div", { className: "row" }, by, measure), e("div", { className: "row" }, joined), shares, told,
      e("h2", { textContent: say("无可派力量的责任区", "Zones with nobody free") }), bare),
  };
}
