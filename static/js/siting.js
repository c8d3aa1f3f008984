// Siting of posts: the question, and the answer compared with the existing posts, also on the map.
import { element } from "./element.js";
import { mark } from "./marks.js";
import { chooser, form } from "./office.js";
import { ask, write } from "./server.js";
import { duration, listed, named, percent, say } from "./text.js";

const { L } = window;
const DRAWN = 12;
const MODELS = [
  ["maximal_covering", say("maximalCovering")],
  ["set_covering", say("setCovering")],
  ["p_median", say("pMedian")],
];
const DEMANDS = [
  ["households", say("households")],
  ["incidents", say("incidentsOf12Months")],
];
const CANDIDATES = [
  ["governance_centres", say("governanceCentres")],
  ["mandatory_stops", say("mandatoryStops")],
];

const labelled = (label, select, name) => {
  select.name = name;
  return element("label", {}, label, select);
};

/**
 * Asks for places of posts, and shows the answer compared with the existing ones.
 * @param {import("leaflet").Map} map where sites are drawn
 */
export function sitingPanel(map) {
  const drawn = L.layerGroup().addTo(map);
  const within = chooser(say("county"), [], () => {});
  const model = chooser(say("model"), MODELS, () => {
    count.disabled = model.value === "set_covering";
  });
  const count = element("input", { name: "count", type: "number", min: 1, max: 500, value: 5, required: true });
  const keeps = element("input", { name: "keeps_posts", type: "checkbox", checked: true });
  const capacity = element("input", { name: "capacity", type: "number", min: 1, placeholder: say("noLimit") });
  const busy = element("progress", { className: "drawing", hidden: true });
  const answer = element("div", { className: "answer" });

  async function solve(given) {
    busy.hidden = false;
    answer.replaceChildren();
    drawn.clearLayers();
    try {
      const asked = {
        within: given.within,
        model: given.model,
        tier_minutes: Number(given.tier_minutes),
        demand: given.demand,
        candidates: given.candidates,
        keeps_posts: keeps.checked,
        ...(model.value === "set_covering" ? {} : { count: Number(count.value) }),
        ...(given.capacity ? { capacity: Number(given.capacity) } : {}),
      };
      show(await write("POST", "/response/siting", asked), asked.tier_minutes);
    } finally {
      busy.hidden = true;
    }
  }

  function show(found, tier) {
    const fresh = found.sites.filter(site => !site.is_post).sort((a, b) => b.adds - a.adds);
    const kept = found.sites.filter(site => site.is_post);
    const row = (name, today, then) =>
      element(
        "tr",
        {},
        element("td", { textContent: name }),
        element("td", { textContent: today }),
        element("td", {}, element("b", { textContent: then })),
      );
    const mean = seconds => (seconds === null ? "–" : duration(seconds));
    answer.replaceChildren(
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
            element("th", { textContent: say("today") }),
            element("th", { textContent: say("asProposed") }),
          ),
        ),
        element(
          "tbody",
          {},
          row(say("withinMinutes", { minutes: tier }), percent(found.covered_today, 1), percent(found.covered, 1)),
          row(say("meanTravel"), mean(found.mean_today_s), mean(found.mean_s)),
        ),
      ),
      element("p", {
        className: "quiet",
        textContent: say("sitesPlaced", { fresh: fresh.length, kept: kept.length, minutes: tier }),
      }),
      element("p", {
        className: "quiet",
        hidden: found.estimated === 0,
        textContent: say("shareOfEstimates", {
          share: percent(found.estimated, 1),
          why: listed(Object.keys(found.estimated_because).map(why => named("estimated", why))),
        }),
      }),
      element(
        "ol",
        { className: "sites" },
        ...fresh.map(site =>
          element(
            "li",
            { data: { code: site.code } },
            element(
              "button",
              {
                className: "find",
                type: "button",
                onclick: () => map.setView([site.lat, site.lon], Math.max(map.getZoom(), 13), { animate: false }),
              },
              element("span", { textContent: site.name }),
              element("span", {
                className: "quiet",
                textContent: say("addsByItself", { share: percent(site.adds, 1) }),
              }),
            ),
          ),
        ),
      ),
    );
    fresh.forEach((site, number) => {
      mark([site.lat, site.lon], element("span", { className: "site", textContent: number + 1 }), 24, {
        title: site.name,
      }).addTo(drawn);
    });
    if (found.sites.length)
      map.fitBounds(
        found.sites.map(({ lat, lon }) => [lat, lon]),
        { maxZoom: 13, paddingTopLeft: [384, 24], paddingBottomRight: [40, 24] },
      );
    fresh.slice(0, DRAWN).forEach(site => reach(site, tier));
  }

  async function reach({ lon, lat }, tier) {
    const { features } = await ask(`/response/areas?lon=${lon}&lat=${lat}&direction=outbound`);
    L.geoJSON(
      features.filter(area => area.properties.tier_minutes === tier),
      {
        interactive: false,
        style: feature => ({
          color: "#ffd84d",
          weight: 2,
          fillOpacity: 0.14,
          dashArray: feature?.properties.method === "valhalla" ? undefined : "4 4",
        }),
      },
    ).addTo(drawn);
  }

  async function look() {
    const { features } = await ask("/collections/grid_cells/items?grid_level=1&limit=500");
    within.replaceChildren(
      ...features.map(({ properties: { grid_code: value, name } }) => element("option", { value, textContent: name })),
    );
  }

  const asking = form(
    [
      labelled(say("within"), within, "within"),
      labelled(say("model"), model, "model"),
      labelled(
        say("minutes"),
        chooser(
          say("minutes"),
          [3, 1, 5].map(tier => [tier, say("minutesOfTier", { minutes: tier })]),
          () => {},
        ),
        "tier_minutes",
      ),
      element("label", {}, say("howManyArePlaced"), count),
      labelled(
        say("demand"),
        chooser(say("demand"), DEMANDS, () => {}),
        "demand",
      ),
      labelled(
        say("candidatePlaces"),
        chooser(say("candidatePlaces"), CANDIDATES, () => {}),
        "candidates",
      ),
      element("label", {}, say("capacityOfAPost"), capacity),
      element("label", { className: "check" }, keeps, say("postsStay")),
    ],
    say("solve"),
    solve,
  );

  return {
    look,
    clear: () => drawn.clearLayers(),
    panel: element("section", {}, element("h2", { textContent: say("wherePostsShouldBe") }), asking, busy, answer),
  };
}
