// The right panels: findings, impact, and history.
import { element } from "../element.js";
import { table } from "../office.js";
import { may, page } from "../page.js";
import { ask, write } from "../server.js";
import { named, number, percent, say, when } from "../text.js";

const { L } = window;
const waiting = () => element("p", { className: "quiet", textContent: say("working") });
const failed = error => element("p", { className: "bad", textContent: error.message });

// A panel loads when it is opened, and again when the draft changes.
class Panel {
  /** @param {import("./bench.js").Bench} bench @param {string} title */
  constructor(bench, title) {
    this.bench = bench;
    this.title = title;
    this.box = element("div");
  }

  /** Removes what it has drawn on the map. */
  clear() {}

  /**
   * Loads and shows its content.
   * @param {(path: string) => Promise<any>} _get an answer about the draft
   * @returns {Promise<void>}
   */
  async fill(_get) {}

  async load() {
    this.asked?.abort();
    this.asked = new AbortController();
    const { signal } = this.asked;
    if (!this.bench.isLive) {
      this.clear();
      this.box.replaceChildren(
        element("p", {
          className: "quiet",
          textContent: this.bench.draft ? say("draftIsDone") : say("openOrBeginFirst"),
        }),
      );
      return;
    }
    if (!this.box.children.length) this.box.replaceChildren(waiting());
    try {
      await this.fill(path =>
        ask(`${this.bench.address}/${path}`, {
          signal,
          patience: Infinity,
          waiting: error => this.box.replaceChildren(failed(error)),
        }),
      );
    } catch (error) {
      if (error.name !== "AbortError") this.box.replaceChildren(failed(error));
    }
  }
}

export class CheckPanel extends Panel {
  /** @param {import("./bench.js").Bench} bench @param {import("./map.js").CellMap} map */
  constructor(bench, map) {
    super(bench, say("check"));
    this.map = map;
    this.all = false;
    this.marks = L.layerGroup().addTo(map.map);
  }

  clear() {
    this.marks.clearLayers();
  }

  async fill(get) {
    const { findings, count } = await get(`check?all=${this.all}&limit=300`);
    const all = element("input", {
      type: "checkbox",
      checked: this.all,
      onchange: () => {
        this.all = all.checked;
        this.box.replaceChildren(waiting());
        this.load();
      },
    });
    this.marks.clearLayers();
    findings.forEach(found =>
      L.circleMarker([found.lat, found.lon], {
        radius: 7,
        weight: 2,
        color: "#07111c",
        fillOpacity: 0.95,
        fillColor: found.severity === "error" ? "#ff5d5d" : "#ffb347",
        interactive: false,
        pmIgnore: true,
      }).addTo(this.marks),
    );
    this.box.replaceChildren(
      element("label", { className: "check" }, all, say("everyCell")),
      element("p", {
        className: count ? "" : "good",
        textContent: count ? say("countOfFindings", { count: number(count) }) : say("nothingIsWrong"),
      }),
      element(
        "ul",
        { className: "findings" },
        ...findings.map(found =>
          element(
            "li",
            { className: found.severity },
            element(
              "button",
              {
                className: "find",
                onclick: () => {
                  const { map } = this.map;
                  map.setView([found.lat, found.lon], Math.max(map.getZoom(), 15), { animate: false });
                  this.map.choose([found.grid_code]);
                },
              },
              element("b", { textContent: named("findings", found.kind) }),
              element("span", { textContent: found.text }),
              element("span", { className: "quiet", textContent: found.grid_code }),
            ),
            found.repair && this.bench.canEdit
              ? element("button", {
                  className: "plain repair",
                  textContent: say("repairMergeInto") + found.repair.keep,
                  onclick: () => {
                    const { operation, ...given } = found.repair;
                    this.bench.step(operation, given);
                  },
                })
              : null,
          ),
        ),
      ),
    );
  }
}

export class ImpactPanel extends Panel {
  /**
   * @param {import("./bench.js").Bench} bench
   * @param {import("./map.js").Swipe} swipe
   * @param {import("./map.js").CellMap} cells
   */
  constructor(bench, swipe, cells) {
    super(bench, say("impact"));
    this.swipe = swipe;
    this.cells = cells;
    this.isToShow = false; // the map goes to what changes as soon as it is known
  }

  clear() {
    this.swipe.hide();
  }

  async fill(get) {
    const [impact, changes] = await Promise.all([get("impact"), get("changes")]);
    const { opened, changed, retired, flows, stay, workloads, left_duties: left } = impact;
    const shown = changes.features.length ? this.swipe.show(changes.features) : this.swipe.hide();
    if (shown && this.isToShow) this.cells.fit(shown);
    this.isToShow = false;
    const kinds = [...new Set([...Object.keys(stay), ...flows.map(flow => flow.kind)])];
    const moved = kind => flows.filter(flow => flow.kind === kind).reduce((sum, flow) => sum + flow.count, 0);
    const pair = (before, after) =>
      before === after
        ? number(after)
        : element("span", {}, `${number(before)} → `, element("b", { textContent: number(after) }));
    this.box.replaceChildren(
      element(
        "p",
        {},
        say("countOfChanges", { opened: opened.length, changed: changed.length, retired: retired.length }),
        " ",
        element("button", {
          className: "plain",
          textContent: say("showAll"),
          disabled: !shown,
          onclick: () => shown && this.cells.fit(shown),
        }),
      ),
      element("h3", { textContent: say("changeOwner") }),
      table(
        [say("kind"), say("countMoves"), say("countStays")],
        kinds.map(kind => [
          kind === "households" ? say("householdsByArea") : named("findings", kind),
          number(moved(kind)),
          number(stay[kind]),
        ]),
      ),
      element("h3", { textContent: say("workloadByCell") }),
      table(
        [say("cell"), say("people"), say("householdsOfCell"), say("incidentsAYear"), say("cameras")],
        workloads.map(work => [
          `${work.name} ${work.grid_code}`,
          work.people.join("、") || element("span", { className: "bad", textContent: say("nobody") }),
          element(
            "span",
            { className: work.norm ? "bad" : "", title: work.norm ? say("outsideNorm") : "" },
            pair(work.households_before, work.households_after),
          ),
          pair(work.incidents_before, work.incidents_after),
          pair(work.cameras_before, work.cameras_after),
        ]),
      ),
      ...(left.length
        ? [
            element("h3", { textContent: say("toBeGivenOtherCells") }),
            table(
              [say("cell"), say("personName")],
              left.map(([code, , person]) => [code, person]),
            ),
          ]
        : []),
      element("h3", { textContent: say("report") }),
      element(
        "p",
        { className: "row" },
        ...["html", "pdf", "csv"].map(kind =>
          element("a", {
            className: "plain",
            href: `${this.bench.address}/report?f=${kind}&lang=${page.lang}`,
            target: "_blank",
            textContent: kind.toUpperCase(),
          }),
        ),
      ),
    );
  }
}

// Colours of cells by the share of their recorded incidents that they still own: least share and colour, descending.
/** @type {[least: number, colour: string][]} */
const AGREED = [
  [0.9, "#2f9e6e"],
  [0.6, "#ffd84d"],
  [0.3, "#ff9447"],
];

export class HistoryPanel {
  /**
   * @param {import("./bench.js").Bench} bench
   * @param {import("./map.js").Swipe} swipe
   * @param {import("./map.js").CellMap} map
   */
  constructor(bench, swipe, map) {
    this.bench = bench;
    this.swipe = swipe;
    this.map = map;
    this.title = say("history");
    this.told = element("div");
    this.box = element("div");
  }

  async load() {
    if (!this.box.children.length) this.box.replaceChildren(waiting());
    try {
      const { editions } = await ask("/boundaries/editions");
      this.fill(editions);
    } catch (error) {
      this.box.replaceChildren(failed(error));
    }
  }

  fill(editions) {
    const oldest = [...editions].reverse();
    const told = element("p", { className: "quiet" });
    const slider = element("input", {
      type: "range",
      min: 0,
      max: oldest.length - 1,
      value: oldest.length - 1,
      ariaLabel: say("time"),
    });
    slider.oninput = () => this.travel(oldest, Number(slider.value), told);
    told.textContent = say("boundariesInForce");
    this.box.replaceChildren(
      element("label", {}, say("boundariesThen"), slider),
      told,
      may("incidents.read")
        ? element("button", { className: "plain", textContent: say("compareWithRecords"), onclick: () => this.agree() })
        : "",
      this.told,
      element(
        "ol",
        { className: "editions" },
        ...editions.map((edition, at) =>
          element(
            "li",
            {},
            element("b", { textContent: say("editionNumber", { edition: edition.edition_id }) }),
            ` ${edition.note}`,
            element("div", {
              className: "quiet",
              textContent: [
                when(edition.valid_from),
                edition.title,
                edition.submitted_by,
                edition.approved_by && say("approvedBy", { name: edition.approved_by }),
              ]
                .filter(Boolean)
                .join(" · "),
            }),
            element(
              "div",
              { className: "row" },
              at + 1 < editions.length
                ? element("button", {
                    className: "plain",
                    textContent: say("whatItChanged"),
                    onclick: () => this.compare(edition, editions[at + 1]),
                  })
                : null,
              at > 0 && may("boundaries.approve")
                ? element("button", {
                    className: "plain",
                    textContent: say("takeBackToThis"),
                    onclick: () => this.restore(edition),
                  })
                : null,
            ),
          ),
        ),
      ),
    );
  }

  travel(oldest, at, told) {
    const isNow = at === oldest.length - 1;
    told.textContent = isNow
      ? say("boundariesInForce")
      : say("editionFrom", { edition: oldest[at].edition_id, time: when(oldest[at].valid_from) });
    told.classList.toggle("bad", !isNow);
    this.map.travel(isNow ? null : oldest[at].valid_from);
  }

  compare(edition, former) {
    return this.bench.run(async () => {
      const { features } = await ask(`/boundaries/editions/${edition.edition_id}/changes?since=${former.edition_id}`);
      const bounds = this.swipe.show(features);
      if (bounds) this.map.fit(bounds);
      else this.bench.tell("problem", say("noGridCellChanged"));
    });
  }

  // Incidents that were recorded for a cell which does not own their place now show that its border moved.
  agree() {
    return this.bench.run(async () => {
      const { features: found, count, agreed, gone } = await ask("/boundaries/agreement");
      const features = /** @type {{ properties: any }[]} */ (found);
      if (!count) return this.bench.tell("problem", say("noRecordedOwner"));
      const bounds = this.swipe.shade(features, ({ agreed: share }) => ({
        color: "#07111c",
        weight: 1,
        fillOpacity: 0.75,
        fillColor: AGREED.find(([least]) => share > least)?.[1] ?? "#ff5d5d",
      }));
      this.map.fit(bounds);
      const worst = [...features].sort((one, other) => one.properties.agreed - other.properties.agreed).slice(0, 60);
      this.told.replaceChildren(
        element("p", {}, say("shareAgrees", { count: number(count), share: percent(agreed, 2) })),
        table(
          [say("cell"), say("recorded"), say("agreeShare"), say("mostWentTo")],
          worst.map(({ properties: cell }) => [
            cell.name,
            number(cell.recorded),
            `${Math.round(cell.agreed * 100)} %`,
            cell.went_to || "",
          ]),
        ),
        Object.keys(gone).length
          ? element("p", { className: "quiet", textContent: say("inForceNoMore") + Object.keys(gone).join(" ") })
          : "",
      );
    });
  }

  restore(edition) {
    const note = prompt(say("whyRestore", { edition: edition.edition_id }));
    if (!note) return;
    this.bench.run(async () => {
      await write("POST", `/boundaries/editions/${edition.edition_id}/restore`, { note });
      if (this.bench.draft) await this.bench.open(this.bench.draft.draft_id);
      await Promise.all([this.map.load(), this.load()]);
    });
  }
}
