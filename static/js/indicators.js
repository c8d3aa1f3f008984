// Indicators: figures with their definitions, a chart over time, what they are of, a map, and the same as tables.
import { BaseMap } from "./basemap.js";
import { element } from "./element.js";
import { codeField } from "./finder.js";
import { header } from "./header.js";
import { Choropleth } from "./indicators/choropleth.js";
import { PeriodChart } from "./indicators/chart.js";
import {
  asked,
  dayBefore,
  keepQuestion,
  monthsBefore,
  periods,
  PERIODS,
  readQuestion,
  SCHEMES,
} from "./indicators/question.js";
import { basis, countOf, valueOf, written } from "./indicators/telling.js";
import { cityMap } from "./map.js";
import { button, field, panel, select, table } from "./office.js";
import { may, page, ready } from "./page.js";
import { ask } from "./server.js";
import { dayOf, named, number, say, translated, when } from "./text.js";

const WAIT_MS = 350;
const map = cityMap();
const ground = new BaseMap(map);
const question = readQuestion();
const { indicators, groups } = await ask("/indicators");
if (!indicators.some(one => one.code === question.of)) question.of = "count";
const definition = () => /** @type {(typeof indicators)[number]} */ (indicators.find(one => one.code === question.of));

const main = element("main", { className: "indicators" });
document.body.prepend(header(page.title));
document.body.append(main);

// --- what is asked -----------------------------------------------------------------------------
const problem = element("p", { className: "note bad", hidden: true });
problem.setAttribute("role", "alert");
const period = element("p", { className: "quiet period" });
period.setAttribute("role", "status");
/** @type {(readonly [string, string])[]} */
const ANY = [["", say("everything")]];
const fields = element(
  "form",
  { className: "ask", onsubmit: event => event.preventDefault() },
  field(say("receivedFrom"), "from", { type: "date", required: true }),
  field(say("receivedBefore"), "to", { type: "date" }),
  select(
    say("per"),
    "per",
    PERIODS.map(one => [one, named("periods", one)]),
  ),
  select(
    say("level"),
    "level",
    page.levels.map(one => [one.grid_level, translated(one, "name")]),
  ),
  codeField(say("onlyInCell"), "within", "grid_cell", { maxLength: 32, placeholder: say("theWholeCity") }),
  select(say("category"), "category", [
    ...ANY,
    ...page.categories.map(one => /** @type {const} */ ([one.category_code, translated(one, "name")])),
  ]),
  select(say("group"), "group", [
    ...ANY,
    ...groups.map(one => /** @type {const} */ ([one.group_code, translated(one, "name")])),
  ]),
  select(say("byWhichBoundaries"), "edition", [
    ["then", named("editions", "then")],
    ["now", named("editions", "now")],
  ]),
  select(
    say("indicator"),
    "of",
    indicators.map(one => [one.code, translated(one, "name")]),
  ),
  select(
    say("classesBy"),
    "scheme",
    SCHEMES.map(one => [one, named("schemes", one)]),
  ),
  select(
    say("howManyClasses"),
    "classes",
    [2, 3, 4, 5, 6, 7].map(one => [one, String(one)]),
  ),
);
const inputs = /** @type {(HTMLInputElement | HTMLSelectElement)[]} */ ([...fields.querySelectorAll("[name]")]);
function fill() {
  for (const input of inputs) input.value = question[input.name];
}
let timer = 0;
function changed() {
  for (const input of inputs) question[input.name] = input.value.trim();
  question.from ||= monthsBefore(dayOf(), 11);
  fill();
  clearTimeout(timer);
  timer = setTimeout(load, WAIT_MS);
}
fields.onchange = changed;
/** @param {string} name @param {() => [from: string, to: string]} span */
const preset = (name, span) =>
  button(name, () => {
    [question.from, question.to] = span();
    fill();
    return load();
  });
const presets = element(
  "div",
  { className: "side" },
  preset(say("thisMonth"), () => [monthsBefore(dayOf(), 0), ""]),
  preset(say("lastMonth"), () => [monthsBefore(dayOf(), 1), monthsBefore(dayOf(), 0)]),
  preset(say("thisYear"), () => [`${dayOf().slice(0, 4)}-01-01`, ""]),
  preset(say("twelveMonths"), () => [monthsBefore(dayOf(), 11), ""]),
);
const files = element("div", { className: "side files" });

// --- what is answered ---------------------------------------------------------------------------
const cards = element("div", { className: "figures" });
const chart = new PeriodChart();
const overTime = element("div");
const ofWhat = element("div");
const ofCells = element("div");
const choropleth = new Choropleth(map, only);
const chartPanel = panel(say("overTime"), chart.box, overTime);
const partsPanel = panel(say("byCategory"), ofWhat);
const mapPanel = panel(
  say("onTheMap"),
  element("p", { className: "quiet", textContent: say("clickToGoInto") }),
  map.getContainer(),
  choropleth.legend,
);
const cellsPanel = panel(say("byCell"), ofCells);
main.append(
  element("section", { className: "panel wide asking" }, fields, presets, files),
  problem,
  period,
  element("section", { className: "wide" }, cards),
  chartPanel,
  mapPanel,
  partsPanel,
  cellsPanel,
);

/** Looks at one cell and what is in it; an empty code: at the whole city again. @param {string} code */
function only(code) {
  question.within = code;
  const deepest = page.levels.at(-1)?.grid_level ?? 1;
  const level = Number(question.level);
  question.level = String(code ? Math.min(deepest, level + 1) : page.levels[0].grid_level);
  fill();
  return load();
}

/** @param {any} row */
const rowName = row => (page.lang === "zh" ? row.name_zh : row.name_en) || say("inNoCell");

/** A heading with what is shown, in the words of its definition. @param {HTMLElement} box @param {string} what */
function head(box, what) {
  const { unit } = definition();
  const told = unit === "seconds" ? ` (${say("asP90")})` : "";
  /** @type {HTMLElement} */ (box.querySelector("h2")).textContent =
    `${translated(definition(), "name")}${told} · ${what}`;
}

/** @param {any} total */
function showFigures({ rows }) {
  const [row] = rows;
  cards.replaceChildren(
    ...indicators.map(one => {
      const isChosen = one.code === question.of;
      const show = button(
        isChosen ? say("isShown") : say("showIt"),
        () => {
          question.of = one.code;
          fill();
          return load();
        },
        translated(one, "name"),
      );
      show.setAttribute("aria-pressed", String(isChosen));
      return element(
        "section",
        { className: isChosen ? "figure panel chosen" : "figure panel" },
        element("h2", { textContent: translated(one, "name") }),
        element("p", { className: "value", textContent: written(valueOf(row, one.code), one.unit, one.code) }),
        element("p", { className: "basis", textContent: basis(row, one.code) }),
        element("p", { className: "quiet definition", textContent: translated(one, "definition") }),
        show,
      );
    }),
  );
}

/** @param {any[]} rows by period */
function showTime(rows) {
  const names = periods(question, dayOf());
  const found = new Map(rows.map(row => [row.key[question.per], row]));
  const { code, unit } = definition();
  const at = (/** @type {(row: any) => number | null} */ read, /** @type {number | null} */ none = null) =>
    names.map(name => (found.has(name) ? read(found.get(name)) : none));
  const isTime = unit === "seconds";
  const isCount = code === "count";
  chart.show(
    named("periods", question.per),
    names,
    [
      {
        name: isTime ? "P90" : translated(definition(), "name"),
        values: at(row => valueOf(row, code), isCount ? 0 : null),
        isBar: isCount || code === "rate",
      },
      ...(isTime ? [{ name: "P50", values: at(row => row[code]?.p50_s ?? null) }] : []),
      ...(isCount ? [{ name: say("aYearBefore"), values: at(row => row.year_on_year?.before ?? null) }] : []),
    ],
    value => written(value, unit, code),
  );
  overTime.replaceChildren(
    folded(
      table(
        [named("periods", question.per), translated(definition(), "name"), say("ofWhat"), say("incidents")],
        names.map(name => {
          const row = found.get(name) ?? { count: 0 };
          return [
            name,
            written(valueOf(row, code), unit, code),
            found.has(name) ? basis(row, code) : "",
            number(row.count),
          ];
        }),
      ),
    ),
  );
  head(chartPanel, named("by_period", question.per));
}

/** A table that is folded under its picture, and opened for the printer. @param {HTMLElement} made */
const folded = made =>
  element("details", { className: "same" }, element("summary", { textContent: say("asTable") }), made);

/** A row of a table with a bar as long as its value. @param {any} row @param {number} most */
function barred(row, most) {
  const { code, unit } = definition();
  const value = valueOf(row, code);
  const bar = element("span", { className: "bar-of" });
  bar.style.width = `${value === null || most <= 0 ? 0 : Math.max(0, (100 * value) / most)}%`;
  return element("span", { className: "barred" }, bar, element("span", { textContent: written(value, unit, code) }));
}

/** @param {any[]} rows by category */
function showParts(rows) {
  const { code } = definition();
  const sorted = rows
    .filter(row => row.count || row.year_on_year?.before)
    .sort((a, b) => (valueOf(b, code) ?? -Infinity) - (valueOf(a, code) ?? -Infinity));
  const most = Math.max(0, ...sorted.map(row => valueOf(row, code) ?? 0));
  ofWhat.replaceChildren(
    table(
      [say("category"), translated(definition(), "name"), say("ofWhat"), say("incidents")],
      sorted.map(row => [rowName(row), barred(row, most), basis(row, code), number(row.count)]),
    ),
  );
  head(partsPanel, say("byCategory"));
}

/** @param {any} answer by cell, ranked */
function showCells({ rows, not_ranked: others, min_n: least }) {
  const { code } = definition();
  const most = Math.max(0, ...rows.map((/** @type {any} */ row) => valueOf(row, code) ?? 0));
  const line = (/** @type {any} */ row, /** @type {boolean} */ isRanked) => [
    isRanked ? row.rank : "",
    row.key.cell ? button(rowName(row), () => only(row.key.cell)) : say("inNoCell"),
    isRanked ? barred(row, most) : barred(row, 0),
    basis(row, code),
    number(row.count),
    isRanked || countOf(row, code) >= least ? "" : say("tooFewToRank", { count: least }),
  ];
  ofCells.replaceChildren(
    question.within ? button(say("backToCity"), () => only("")) : "",
    table(
      [say("rank"), say("cell"), translated(definition(), "name"), say("ofWhat"), say("incidents"), ""],
      [
        ...rows.map((/** @type {any} */ row) => line(row, true)),
        ...others.map((/** @type {any} */ row) => line(row, false)),
      ],
    ),
  );
  head(cellsPanel, say("byCell"));
}

function showFiles() {
  const month = (question.to ? monthsBefore(dayBefore(question.to), 0) : monthsBefore(dayOf(), 1)).slice(0, 7);
  const report = (/** @type {string} */ f) =>
    `/indicators/report?${new URLSearchParams({ month, level: question.level, f, lang: page.lang })}`;
  const csv = (/** @type {string} */ by, level = "") =>
    `/indicators/figures?${asked(question, { by, level, f: "csv" })}`;
  files.replaceChildren(
    ...(may("export")
      ? [
          element("a", { href: csv("cell", question.level), textContent: say("csvByCell") }),
          element("a", { href: csv(question.per), textContent: say("csvOverTime") }),
          element("a", { href: csv("category"), textContent: say("csvByCategory") }),
          element("a", { href: report("pdf"), textContent: say("reportPdf", { month }) }),
          element("a", { href: report("html"), textContent: say("reportHtml", { month }) }),
        ]
      : []),
    button(say("print"), () => print()),
  );
}

let turn = 0;
/** @type {AbortController | null} */
let asking = null;
async function load() {
  const mine = (turn += 1);
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  keepQuestion(question);
  showFiles();
  main.setAttribute("aria-busy", "true");
  const { of } = question;
  const also = of === "count" ? ["count", "year_on_year"] : [of];
  const figures = (/** @type {Record<string, string | string[]>} */ more) =>
    ask(`/indicators/figures?${asked(question, more)}`, { signal });
  try {
    // two at a time: more of one person's questions at once would have to wait, and be asked again
    const [total, time] = await Promise.all([figures({}), figures({ by: question.per, indicators: also })]);
    const [parts, cells] = await Promise.all([
      figures({ by: "category", indicators: also }),
      figures({ by: "cell", level: question.level, indicators: also, rank: of }),
    ]);
    const { level, scheme, classes } = question;
    const areas = await ask(`/indicators/areas?${asked(question, { level, of, scheme, classes })}`, { signal });
    if (mine !== turn) return;
    problem.hidden = true;
    showFigures(total);
    showTime(time.rows);
    showParts([...parts.rows, ...parts.not_ranked]);
    showCells(cells);
    head(mapPanel, say("onTheMap"));
    choropleth.show(areas, definition().code, `${question.within} ${question.level}`);
    period.textContent = say("figuresOf", {
      from: when(total.from),
      to: when(total.to),
      now: when(total.as_of),
      edition: named("editions", total.edition),
    });
  } catch (error) {
    if (signal.aborted) return;
    problem.textContent = error.message;
    problem.hidden = false;
    choropleth.clear();
  } finally {
    if (mine === turn) main.removeAttribute("aria-busy");
  }
}

addEventListener("beforeprint", () => {
  document.documentElement.classList.add("printed");
  document.querySelectorAll("details").forEach(one => {
    one.open = true;
  });
  chart.redraw();
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("printed");
  chart.redraw();
});

map.invalidateSize({ animate: false });
if (page.bounds) {
  const [west, south, east, north] = page.bounds;
  map.fitBounds(
    [
      [south, west],
      [north, east],
    ],
    { animate: false },
  );
}
fill();
showFiles();
await Promise.all([load(), ground.choice === "none" ? null : ground.show(ground.choice).catch(() => {})]);
ready();
