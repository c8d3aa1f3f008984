// Coverage by circles, by group; and the zones without a free unit.
import { element } from "./element.js";
import { chooser, scroller } from "./office.js";
import { page } from "./page.js";
import { ask, poll } from "./server.js";
import { duration, estimated, percent, say } from "./text.js";

const TIERS = [1, 3, 5];
const GROUPINGS = [
  ["city", say("city")],
  ["county", say("county")],
  ["township", say("township")],
  ["zone", say("zone")],
  ["hour", say("hour")],
];
const MEASURES = [
  ["area", say("area")],
  ["households", say("households")],
  ["incidents", say("incidents")],
  ["key_places", say("keyPlaces")],
  ["own_incidents", say("incidentsInOwnCircles")],
  ["times", say("reallyArrived")],
];
const JOINED = [
  ["", say("eachPostsCircles")],
  ["zone", say("joinedByZone")],
  ["unit", say("joinedByUnit")],
  ["city", say("joinedForTheCity")],
];

function clocks(one) {
  if (!one?.n) return say("noCompleteClocks");
  return say("clocksOfIncidents", {
    count: one.n,
    wholeHalf: duration(one.whole_p50_s),
    wholeMost: duration(one.whole_p90_s),
    travelHalf: duration(one.travel_p50_s),
    travelMost: duration(one.travel_p90_s),
  });
}

function leftOut(times) {
  const sum = name => times.reduce((all, one) => all + one[name], 0);
  return say("clocksLeftOut", {
    count: sum("n"),
    noClock: sum("no_clock"),
    outOfOrder: sum("out_of_order"),
    overADay: sum("over_a_day"),
  });
}

/**
 * `join` is called with the grouping by which circles are joined on the map.
 * @param {import("leaflet").Map} map
 * @param {(by: string) => void} join
 */
export function coveragePanel(map, join) {
  const by = chooser(say("groupedBy"), GROUPINGS, look);
  const measure = chooser(say("measure"), MEASURES, look);
  const joined = chooser(say("circles"), JOINED, () => join(joined.value));
  const shares = scroller();
  const told = element("p", { className: "quiet told" });
  const bare = element("ul", { className: "bare" });
  let asked = 0;

  async function look() {
    const mine = (asked += 1);
    if (!shares.children.length)
      shares.replaceChildren(element("p", { className: "quiet", textContent: say("working") }));
    const fails = error => {
      if (mine === asked) shares.replaceChildren(element("p", { className: "bad", textContent: error.message }));
    };
    const patient = { patience: Infinity, waiting: fails };
    try {
      const isReal = measure.value === "times";
      const [{ groups }, times] = await Promise.all([
        ask(`/response/coverage?by=${by.value}`, patient),
        isReal ? ask(`/response/times?by=${by.value}`, patient) : [],
      ]);
      if (mine !== asked) return; // outdated: a later request was sent meanwhile
      const real = new Map(times.map(one => /** @type {const} */ ([one.code, one])));
      const share = (group, tier) =>
        isReal ? (real.get(group.code)?.[`within_${tier.tier_minutes}`] ?? null) : tier[measure.value];
      const rows = groups.map(group =>
        element(
          "tr",
          { data: { code: group.code }, title: isReal ? clocks(real.get(group.code)) : "" },
          element("td", {
            textContent:
              (group.name || page.city[page.lang]) +
              (group.traffic_factor === 1 ? "" : say("trafficFactor", { factor: group.traffic_factor })),
          }),
          ...group.tiers.map(tier =>
            element("td", { className: `of${tier.tier_minutes}`, textContent: percent(share(group, tier), 1) }),
          ),
        ),
      );
      told.textContent = isReal ? leftOut(times) + (times.length === 1 ? ` ${clocks(times[0])}` : "") : "";
      shares.replaceChildren(
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
              ...TIERS.map(tier => element("th", { textContent: say("minutesOfTier", { minutes: tier }) })),
            ),
          ),
          element("tbody", {}, ...rows),
        ),
      );
    } catch (error) {
      fails(error);
    }
  }

  async function lookAtBareZones() {
    const zones = await poll("/response/move-up", { patience: 0 });
    const advice = ({ suggestion }) =>
      suggestion
        ? say("couldMoveUp", { name: suggestion.name, time: duration(suggestion.arrival_s) + estimated(suggestion) })
        : say("nobodyToSpare");
    const show = ({ lat, lon }) => map.setView([lat, lon], Math.max(map.getZoom(), 13), { animate: false });
    bare.replaceChildren(
      ...(zones.length
        ? zones
            .slice(0, 12)
            .map(zone =>
              element(
                "li",
                { data: { zone: zone.zone_code } },
                element(
                  "button",
                  { className: "find", onclick: () => show(zone) },
                  element("span", { textContent: zone.name }),
                  element("span", { className: "quiet", textContent: advice(zone) }),
                ),
              ),
            )
        : [element("li", { className: "quiet", textContent: say("everyZoneHasSomebody") })]),
    );
  }

  return {
    look,
    lookAtBareZones,
    panel: element(
      "section",
      {},
      element("h2", { textContent: say("coveredWithinTiers") }),
      element("div", { className: "row" }, by, measure),
      element("div", { className: "row" }, joined),
      shares,
      told,
      element("h2", { textContent: say("zonesWithNobody") }),
      bare,
    ),
  };
}
