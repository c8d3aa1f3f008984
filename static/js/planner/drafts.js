// The left side: which drafts there are, the one at work with its steps, and its way to approval.
import { every, poll } from "../server.js";
import { e, field, form, page, say } from "../office.js";
import { OPERATIONS } from "./bench.js";

const locale = page.lang === "zh" ? "zh-CN" : "en-GB";
export const when = moment => new Date(moment).toLocaleString(locale, { hour12: false, timeZone: page.timezone, dateStyle: "short", timeStyle: "short" });
const may = right => page.person.rights.includes(right);
const button = (textContent, onclick, className = "plain") => e("button", { textContent, onclick, className, type: "button" });

export function state(draft) {
  if (draft.published_edition_id) return say(`已发布为第 ${draft.published_edition_id} 版`, `published as edition ${draft.published_edition_id}`);
  if (draft.discarded_at) return say("已废弃", "discarded");
  if (draft.approved_at) return say(`已批准，${when(draft.effective_at)} 生效`, `approved, in force at ${when(draft.effective_at)}`);
  if (draft.submitted_at) return say("待审批", "waiting for approval");
  if (draft.is_stale) return say("边界已更新，需变基", "behind the boundaries in force");
  return say("编辑中", "at work");
}

export class DraftsPanel {
  constructor(bench) {
    this.bench = bench;
    this.list = e("ul", { className: "drafts" });
    this.current = e("section");
    const begin = form([field(say("新草案", "New draft"), "title", { required: true, maxLength: 200, placeholder: say("例：南园小区拆分", "e.g. South Garden, two cells") })],
      say("新建", "Begin"), async ({ title }) => {
        await bench.begin(title);
        begin.reset();
      });
    this.box = e("aside", { className: "left panel" }, this.current, e("h2", { textContent: say("草案", "Drafts") }), this.list, begin);
    bench.on("draft", () => { this.show(); this.refresh(); });
    every(15000, () => this.look());
  }

  refresh() { return this.look().catch(() => {}); }

  async look() {
    const { drafts } = await poll("/boundaries/drafts?open=true", { patience: 0 });
    const current = this.bench.draft;
    const known = drafts.find(one => one.draft_id === current?.draft_id);
    if (this.bench.isLive && !known) this.bench.open(current.draft_id); // somebody published or discarded it
    else if (current && known && !this.bench.busy && ["steps", "is_stale", "submitted_at", "approved_at"].some(key => known[key] !== current[key])) this.bench.open(current.draft_id);
    this.list.replaceChildren(...(drafts.length ? drafts.map(draft => e("li", {}, e("button", {
      className: draft.draft_id === current?.draft_id ? "draft chosen" : "draft", onclick: () => this.bench.open(draft.draft_id),
    }, e("b", { textContent: draft.title }), e("span", { className: "quiet", textContent: `${draft.made_by} · ${say(`${draft.steps} 步`, `${draft.steps} steps`)} · ${state(draft)}` }))))
      : [e("li", { className: "quiet", textContent: say("还没有草案：在下面新建一个", "No drafts yet: begin one below") })]));
  }

  show() {
    const { bench } = this;
    const { draft } = bench;
    if (!draft) return this.current.replaceChildren();
    const parts = [
      e("header", {}, e("h2", { textContent: draft.title }), button("✕", () => bench.open(null))),
      e("p", { className: "quiet", textContent: say(`第 ${draft.draft_id} 号 · 基于第 ${draft.base_edition_id} 版 · `, `No. ${draft.draft_id} · on edition ${draft.base_edition_id} · `) + state(draft) }),
    ];
    if (draft.returned_because) parts.push(e("p", { className: "bad", textContent: say("退回：", "Returned: ") + draft.returned_because }));
    const live = draft.history.filter(step => !step.undone_at).length;
    if (bench.isOpen) {
      parts.push(e("div", { className: "row" },
        button(say("↶ 撤销", "↶ Undo"), () => bench.goOn("undo")), button(say("↷ 重做", "↷ Redo"), () => bench.goOn("redo")),
        button(say("废弃", "Discard"), () => { if (confirm(say("废弃这个草案？", "Give this draft up?"))) bench.discard(); })));
      parts[parts.length - 1].children[0].disabled = !live;
      parts[parts.length - 1].children[1].disabled = live === draft.history.length;
      parts.push(this.files());
      if (draft.is_stale) parts.push(button(say("变基到现行边界", "Rebase on the boundaries in force"), () => bench.act("rebase"), "action"));
      else if (live) parts.push(button(say("送审", "Send for approval"), () => bench.goOn("submit"), "action"));
    } else if (draft.submitted_at && !draft.published_edition_id) {
      if (may("boundaries.approve") && !draft.approved_at) parts.push(this.approval());
      parts.push(button(say("撤回", "Withdraw"), () => bench.act("withdraw")));
    }
    parts.push(e("ol", { className: "steps" }, ...draft.history.map(step => e("li", { className: step.undone_at ? "undone" : "" },
      e("b", { textContent: OPERATIONS[step.operation] }), ` ${(step.arguments.codes ?? []).join(" ")}`,
      e("div", { className: "quiet", textContent: [step.author, when(step.done_at), step.reason].filter(Boolean).join(" · ") })))));
    this.current.replaceChildren(...parts);
  }

  // To QGIS and back.
  files() {
    const file = e("input", { type: "file", hidden: true, accept: ".gpkg,.geojson,.json,.zip,.fgb,.parquet,.kml" });
    file.onchange = () => this.bench.bring(file.files[0]);
    return e("div", { className: "row" },
      e("a", { className: "plain", href: `${this.bench.address}/file`, download: "", textContent: say("⇩ 导出 GeoPackage", "⇩ GeoPackage") }),
      button(say("⇧ 带回修改", "⇧ Bring edits back"), () => file.click()), file);
  }

  approval() {
    const { bench } = this;
    const approve = form([
      field(say("发布说明", "Note for the history"), "note", { required: true, maxLength: 500 }),
      field(say("生效时间（空：立即）", "In force at (empty: now)"), "effective_at", { type: "datetime-local" }),
    ], say("批准并发布", "Approve and publish"), ({ note, effective_at: at }) =>
      bench.act("publish", { note, ...(at ? { effective_at: new Date(at).toISOString() } : {}) }));
    approve.append(button(say("退回…", "Return…"), () => {
      const reason = prompt(say("退回的原因", "Why it is returned"));
      if (reason !== null) bench.act("return", { reason });
    }));
    approve.className = "approval";
    return approve;
  }
}
