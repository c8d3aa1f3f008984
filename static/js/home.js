// The home page: what this is, the state of the city, what waits, and the doors that one's rights open.
import { demoPeople } from "./demo_people.js";
import { element } from "./element.js";
import { header, openDoors } from "./header.js";
import { panel } from "./office.js";
import { may, page, ready } from "./page.js";
import { poll } from "./server.js";
import { ago, named, number, percent, say, timeOfDay } from "./text.js";
import { now } from "./now.js";
import { every } from "./timing.js";

/** @typedef {import("../types.js").Api["Overview"]} Overview */

const REFRESH_MS = 15000;
const SOON_MS = 2000; // while the share that is reached is reckoned for the first time
const LATE_S = 120;
const NOTHING = "–";
const FIRST_COMMANDS = "geo-grid levels FILE.toml\ngeo-grid import grid_cells FILE --source-crs EPSG:…";

const main = element("main", { className: "home" });
document.body.append(header(page.title), main);
const stale = element("p", { className: "notice", hidden: true, textContent: say("dataIsStale") });
stale.setAttribute("role", "alert");
const fresh = element("p", { className: "quiet fresh" });
const state = element("dl", { className: "numbers" });
const waits = element("ul", { className: "waits" });
const doors = element("div", { className: "cards" });

/** @type {(value: number | null | undefined) => string} */
const shown = value => (value === null || value === undefined ? NOTHING : number(value));

/**
 * @param {string} label
 * @param {string} value
 * @param {string} told
 * @param {string} [alarm] warns, alarms
 */
const figure = (label, value, told, alarm = "") =>
  element(
    "div",
    { className: `figure ${alarm}` },
    element("dt", { textContent: label }),
    element(
      "dd",
      {},
      element("b", { textContent: value }),
      element("small", { textContent: value === NOTHING ? say("notYours") : told }),
    ),
  );

/** @param {Overview["city"]} city */
function reached({ reached: share, is_reckoned: isReckoned }) {
  if (!may("map")) return figure(say("reachedIn5"), NOTHING, say("reachedIn5Told"));
  if (!isReckoned) return figure(say("reachedIn5"), "…", say("beingReckoned"));
  return figure(say("reachedIn5"), typeof share === "number" ? percent(share) : NOTHING, say("reachedIn5Told"));
}

/** @param {Overview} told */
function figures({ city }) {
  const heard = city.heard_at ? (now().getTime() - Date.parse(city.heard_at)) / 1000 : null;
  return [
    figure(say("openIncidents"), shown(city.open), say("notClosed")),
    figure(say("unsent"), shown(city.unsent), say("unsentTold"), city.unsent ? "warns" : ""),
    figure(say("overdue"), shown(city.overdue), say("overdueTold"), city.overdue ? "alarms" : ""),
    figure(
      say("freeNow"),
      shown(city.free_units),
      city.silent_units === null || city.silent_units === undefined
        ? say("freeTold")
        : say("freeAndSilent", { busy: number(city.busy_units ?? 0), silent: number(city.silent_units) }),
      city.free_units === 0 ? "warns" : "",
    ),
    reached(city),
    figure(
      say("heardOf"),
      city.heard_at ? ago(city.heard_at) : NOTHING,
      say("heardOfTold"),
      heard !== null && heard > LATE_S ? "warns" : "",
    ),
  ];
}

/** @param {Overview} told */
function waiting({ waiting: found }) {
  const kinds = /** @type {const} */ ([
    [found.mine, say("waitsMine"), "/maps/desk"],
    [found.due_soon, say("waitsDueSoon"), "/maps/desk"],
    [found.to_verify, say("waitsToVerify"), "/maps/desk"],
    [found.to_approve, say("waitsToApprove"), "/maps/planner"],
    [found.imports, say("waitsImports"), "/imports"],
    [found.notes, say("waitsNotes"), "/maps/desk"],
  ]);
  const rows = kinds
    .filter(([count]) => count)
    .map(([count, name, href]) =>
      element(
        "li",
        {},
        element(
          "a",
          { href: `${href}?lang=${page.lang}` },
          element("b", { textContent: shown(count) }),
          ` ${name}`,
        ),
      ),
    );
  return rows.length ? rows : [element("li", { className: "quiet", textContent: say("nothingWaits") })];
}

/**
 * What is told under each door: of now, where it has something of its own.
 * @type {Record<string, (told: Overview) => string>}
 */
const FACTS = {
  wall: ({ city }) => (city.open === null ? say("wallTold") : say("wallFact", { count: shown(city.open) })),
  desk: ({ city, waiting: found }) => say("deskFact", { unsent: shown(city.unsent), mine: shown(found.mine) }),
  fieldWork: ({ waiting: found }) => say("fieldFact", { mine: shown(found.mine) }),
  planning: ({ behind }) => say("planningFact", { drafts: shown(behind.drafts), edition: shown(behind.edition) }),
  response: ({ behind }) => say("responseFact", { closures: shown(behind.closures) }),
  supervision: () => say("supervisionTold"),
  indicators: () => say("indicatorsTold"),
  rules: () => say("rulesTold"),
  data: () => say("dataTold"),
  import: ({ waiting: found }) => say("importFact", { count: shown(found.imports) }),
  manageAccounts: ({ behind }) => say("accountsFact", { count: shown(behind.accounts) }),
  audit: ({ behind }) => (behind.audited_at ? say("auditFact", { ago: ago(behind.audited_at) }) : say("auditTold")),
  myAccount: () => page.person?.name ?? "",
  api: () => say("apiTold"),
};

/** @type {Map<string, HTMLElement>} */
const facts = new Map();
for (const [, href, key, name] of openDoors()) {
  const fact = element("span", { className: "quiet fact", textContent: "…" });
  facts.set(key, fact);
  doors.append(
    element(
      "a",
      { className: "door", href: key === "data" || key === "api" ? href : `${href}?lang=${page.lang}` },
      element("b", { textContent: name }),
      element("span", { textContent: named("doors", key) }),
      fact,
    ),
  );
}

async function look() {
  try {
    const told = await poll("/overview", { patience: 0, signal: AbortSignal.timeout(REFRESH_MS) });
    state.replaceChildren(...figures(told));
    waits.replaceChildren(...waiting(told));
    for (const [key, fact] of facts) fact.textContent = FACTS[key](told);
    fresh.textContent = `${say("updated")} ${timeOfDay(now())}`;
    stale.hidden = true;
    return told.city.is_reckoned || !may("map") ? REFRESH_MS : SOON_MS;
  } catch (error) {
    stale.hidden = false;
    throw error;
  }
}

main.append(stale);
if (page.isEmpty) {
  main.append(
    panel(
      say("emptyCity"),
      element("p", { textContent: say("emptyCityTold") }),
      element("pre", {}, element("code", { textContent: FIRST_COMMANDS })),
    ),
  );
}
const people = demoPeople("/");
main.append(
  element("section", { className: "panel state wide" }, element("h2", { textContent: say("cityNow") }), state, fresh),
  element("section", { className: "wide" }, element("h2", { className: "over", textContent: say("doors") }), doors),
  element("section", { className: "panel" }, element("h2", { textContent: say("whatWaits") }), waits),
  panel(
    say("whatThisIs"),
    element("p", { textContent: say("whatThisIsTold") }),
    page.isDemo ? element("p", { className: "quiet", textContent: say("demoTold") }) : null,
    element("p", { className: "quiet", textContent: say("homeKeys") }),
  ),
  ...(people ? [people] : []),
);
people?.classList.add("wide");

document.addEventListener("keydown", event => {
  const isFree = document.activeElement === document.body || document.activeElement?.classList.contains("door");
  if (!isFree || event.ctrlKey || event.metaKey || event.altKey || !/^[1-9]$/.test(event.key)) return;
  /** @type {HTMLAnchorElement | undefined} */ (doors.children[Number(event.key) - 1])?.click();
});
[...doors.children].slice(0, 9).forEach((door, at) => door.append(element("kbd", { textContent: at + 1 })));

look().catch(() => {}).finally(ready);
every(REFRESH_MS, look, SOON_MS);
