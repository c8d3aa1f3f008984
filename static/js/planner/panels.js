// The right side: what is wrong, what would change, and what was.
import { ask, write } from "../server.js";
import { e, page, say, table } from "../office.js";
import { when } from "./drafts.js";

const L = window.L;
const number = value => (value ?? "–").toLocaleString(page.lang === "zh" ? "zh-CN" : "en-GB");
const may = right => page.person.rights.includes(right);
const waiting = () => e("p", { className: "quiet", textContent: say("计算中…", "Working…") });
const failed = error => e("p", { className: "bad", textContent: error.message });
const KINDS = {
  "overlap or mismatch": "重叠或不重合", "no parent": "无上级", "not tiled": "未铺满", "in pieces": "不连续", sliver: "狭长", "too small": "过小", "too large": "过大", code: "编码", households: "户数", compounds: "服务小区数",
  "no lead": "无网格长", "open incidents": "未结警情", "incidents of 12 months": "近 12 个月警情", cameras: "摄像机", posts: "警务站", facilities: "设施",
};
const named = kind => say(KINDS[kind] ?? kind, kind);

// Loads when it is looked at, and again when the draft changes.
class Panel {
  constructor(bench, title) {
    Object.assign(this, { bench, title });
    this.box = e("div");
  }

  clear() {}

  async load() {
    this.asked?.abort();
    this.asked = new AbortController();
    if (!this.bench.isLive) {
      this.clear();
      this.box.replaceChildren(e("p", { className: "quiet", textContent: this.bench.draft ? say("这个草案已结束；见“历史”", "This draft is done; see History") : say("先打开或新建一个草案", "Open or begin a draft first") }));
      return;
    }
    if (!this.box.children.length) this.box.replaceChildren(waiting());
    try {
      await this.fill(path => ask(`${this.bench.address}/${path}`, {
        signal: this.asked.signal, patience: Infinity, waiting: error => this.box.replaceChildren(failed(error)),
      }));
    } catch (error) {
      if (error.name !== "AbortError") this.box.replaceChildren(failed(error));
    }
  }
}

export class CheckPanel extends Panel {
  constructor(bench, map) {
    super(bench, say("检查", "Check"));
    Object.assign(this, { map, all: false });
    this.marks = L.layerGroup().addTo(map.map);
  }

  clear() { this.marks.clearLayers(); }

  async fill(get) {
    const { findings, count } = await get(`check?all=${this.all}&limit=300`);
    const all = e("input", { type: "checkbox", checked: this.all, onchange: () => { this.all = all.checked; this.box.replaceChildren(waiting()); this.load(); } });
    this.marks.clearLayers();
    findings.forEach(found => L.circleMarker([found.lat, found.lon], { radius: 7, weight: 2, color: "#07111c", fillOpacity: 0.95, fillColor: found.severity === "error" ? "#ff5d5d" : "#ffb347", interactive: false, pmIgnore: true }).addTo(this.marks));
    this.box.replaceChildren(
      e("label", { className: "check" }, all, say("全部网格，不只是改动的", "every cell, not only what changes")),
      e("p", { className: count ? "" : "good", textContent: count ? say(`${number(count)} 项`, `${number(count)} findings`) : say("没有问题", "Nothing is wrong") }),
      e("ul", { className: "findings" }, ...findings.map(found => e("li", { className: found.severity },
        e("button", { className: "find", onclick: () => { this.map.map.setView([found.lat, found.lon], Math.max(this.map.map.getZoom(), 15)); this.map.choose([found.grid_code]); } },
          e("b", { textContent: named(found.kind) }), e("span", { textContent: found.text }), e("span", { className: "quiet", textContent: found.grid_code })),
        found.repair && this.bench.canEdit ? e("button", { className: "plain repair", textContent: say("修复：并入 ", "Repair: merge into ") + found.repair.keep, onclick: () => {
          const { operation, ...given } = found.repair;
          this.bench.step(operation, given);
        } }) : null))));
  }
}

export class ImpactPanel extends Panel {
  constructor(bench, swipe, map) {
    super(bench, say("影响", "Impact"));
    Object.assign(this, { swipe, map });
  }

  clear() { this.swipe.hide(); }

  async fill(get) {
    const [impact, changes] = await Promise.all([get("impact"), get("changes")]);
    const { opened, changed, retired, flows, stay, workloads, left_duties: left } = impact;
    const shown = changes.features.length ? this.swipe.show(changes.features) : this.swipe.hide();
    const kinds = [...new Set([...Object.keys(stay), ...flows.map(flow => flow.kind)])];
    const moved = kind => flows.filter(flow => flow.kind === kind).reduce((sum, flow) => sum + flow.count, 0);
    const pair = (before, after) => (before === after ? number(after) : e("span", {}, `${number(before)} → `, e("b", { textContent: number(after) })));
    this.box.replaceChildren(
      e("p", {}, say(`新增 ${opened.length} · 改动 ${changed.length} · 撤销 ${retired.length}`, `${opened.length} new · ${changed.length} changed · ${retired.length} retired`), " ",
        e("button", { className: "plain", textContent: say("看全部", "Show all"), disabled: !shown, onclick: () => this.map.fitBounds(shown, { padding: [60, 60] }) })),
      e("h3", { textContent: say("换主", "Change owner") }),
      table([say("种类", "Kind"), say("换主", "move"), say("不变", "stay")], kinds.map(kind => [say({ ...KINDS, households: "户数（按面积估算）" }[kind] ?? kind, kind === "households" ? "households (by area)" : kind), number(moved(kind)), number(stay[kind])])),
      e("h3", { textContent: say("各网格工作量", "Workload by cell") }),
      table([say("网格", "Cell"), say("负责人", "People"), say("户", "Households"), say("警情/年", "Incidents a year"), say("摄像机", "Cameras")],
        workloads.map(work => [`${work.name} ${work.grid_code}`, work.people.join("、") || e("span", { className: "bad", textContent: say("无人", "nobody") }),
          e("span", { className: work.norm ? "bad" : "", title: work.norm ? say("超出 300–500 户", "outside 300 to 500") : "" }, pair(work.households_before, work.households_after)), pair(work.incidents_before, work.incidents_after), pair(work.cameras_before, work.cameras_after)])),
      ...(left.length ? [e("h3", { textContent: say("需另行安排", "To be given other cells") }), table([say("网格", "Cell"), say("姓名", "Name")], left.map(([code, , person]) => [code, person]))] : []),
      e("h3", { textContent: say("报告", "Report") }),
      e("p", { className: "row" }, ...["html", "pdf", "csv"].map(kind => e("a", { className: "plain", href: `${this.bench.address}/report?f=${kind}&lang=${page.lang}`, target: "_blank", textContent: kind.toUpperCase() }))));
  }
}

export class HistoryPanel {
  constructor(bench, swipe, map) {
    Object.assign(this, { bench, swipe, map, title: say("历史", "History"), told: e("div") });
    this.box = e("div");
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
    const told = e("p", { className: "quiet" });
    const slider = e("input", { type: "range", min: 0, max: oldest.length - 1, value: oldest.length - 1, ariaLabel: say("时间", "Time") });
    slider.oninput = () => this.travel(oldest, Number(slider.value), told);
    told.textContent = say("现行边界", "The boundaries in force");
    this.box.replaceChildren(e("label", {}, say("看当时的边界", "Boundaries as they were"), slider), told,
      may("incidents.read") ? e("button", { className: "plain", textContent: say("与警情记录的归属比较", "Compare with recorded owners"), onclick: () => this.agree() }) : "",
      this.told, e("ol", { className: "editions" }, ...editions.map((edition, at) => e("li", {},
        e("b", { textContent: say(`第 ${edition.edition_id} 版`, `Edition ${edition.edition_id}`) }), ` ${edition.note}`,
        e("div", { className: "quiet", textContent: [when(edition.valid_from), edition.title, edition.submitted_by, edition.approved_by && say(`批准：${edition.approved_by}`, `approved by ${edition.approved_by}`)].filter(Boolean).join(" · ") }),
        e("div", { className: "row" },
          at + 1 < editions.length ? e("button", { className: "plain", textContent: say("与前一版的差异", "What it changed"), onclick: () => this.compare(edition, editions[at + 1]) }) : null,
          at > 0 && may("boundaries.approve") ? e("button", { className: "plain", textContent: say("恢复这一版", "Take back to this"), onclick: () => this.restore(edition) }) : null)))));
  }

  travel(oldest, at, told) {
    const isNow = at === oldest.length - 1;
    told.textContent = isNow ? say("现行边界", "The boundaries in force") : say(`第 ${oldest[at].edition_id} 版，自 ${when(oldest[at].valid_from)}`, `Edition ${oldest[at].edition_id}, from ${when(oldest[at].valid_from)}`);
    told.classList.toggle("bad", !isNow);
    this.map.travel(isNow ? null : oldest[at].valid_from);
  }

  compare(edition, former) {
    return this.bench.run(async () => {
      const { features } = await ask(`/boundaries/editions/${edition.edition_id}/changes?since=${former.edition_id}`);
      const bounds = this.swipe.show(features);
      if (bounds) this.map.map.fitBounds(bounds, { padding: [60, 60] });
      else this.bench.tell("problem", say("网格没有变化", "No grid cell changed"));
    });
  }

  // Where incidents were recorded for a cell that does not own their place now, the cell moved.
  agree() {
    return this.bench.run(async () => {
      const { features, count, agreed, gone } = await ask("/boundaries/agreement");
      if (!count) return this.bench.tell("problem", say("没有记录归属的警情", "No incident has a recorded owner"));
      const bounds = this.swipe.shade(features, ({ agreed: share }) => ({ color: "#07111c", weight: 1, fillOpacity: 0.75, fillColor: share > 0.9 ? "#2f9e6e" : share > 0.6 ? "#ffd84d" : share > 0.3 ? "#ff9447" : "#ff5d5d" }));
      this.map.map.fitBounds(bounds, { padding: [60, 60] });
      const worst = [...features].sort((one, other) => one.properties.agreed - other.properties.agreed).slice(0, 60);
      this.told.replaceChildren(
        e("p", {}, say(`${number(count)} 起警情中 ${(agreed * 100).toFixed(2)} % 与记录一致`, `${(agreed * 100).toFixed(2)} % of ${number(count)} incidents agree with their record`)),
        table([say("网格", "Cell"), say("记录", "Recorded"), say("一致", "Agree"), say("多归于", "Most went to")], worst.map(({ properties: cell }) => [cell.name, number(cell.recorded), `${Math.round(cell.agreed * 100)} %`, cell.went_to || ""])),
        Object.keys(gone).length ? e("p", { className: "quiet", textContent: say("已不存在：", "In force no more: ") + Object.keys(gone).join(" ") }) : "");
    });
  }

  restore(edition) {
    const note = prompt(say(`恢复第 ${edition.edition_id} 版的全部网格。原因：`, `Bring every cell of edition ${edition.edition_id} back into force. Why:`));
    if (!note) return;
    this.bench.run(async () => {
      await write("POST", `/boundaries/editions/${edition.edition_id}/restore`, { note });
      if (this.bench.draft) await this.bench.open(this.bench.draft.draft_id);
      await Promise.all([this.map.load(), this.load()]);
    });
  }
}
