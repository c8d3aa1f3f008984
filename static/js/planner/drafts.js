// The left panel: the list of drafts, the open one with its steps, and its approval.
import { element } from "../element.js";
import { field, form } from "../office.js";
import { may } from "../page.js";
import { poll } from "../server.js";
import { named, say, when } from "../text.js";
import { every } from "../timing.js";

const button = (textContent, onclick, className = "plain") =>
  element("button", { textContent, onclick, className, type: "button" });

/**
 * The state of a draft in words.
 * @param {import("../../types.js").Api["Draft"]} draft
 */
export function state(draft) {
  if (draft.published_edition_id) return say("publishedAs", { edition: draft.published_edition_id });
  if (draft.discarded_at) return say("isDiscarded");
  if (draft.approved_at) return say("approvedFor", { time: when(draft.effective_at ?? draft.approved_at) });
  if (draft.submitted_at) return say("isSubmitted");
  if (draft.is_stale) return say("isStale");
  return say("isAtWork");
}

export class DraftsPanel {
  /** @param {import("./bench.js").Bench} bench */
  constructor(bench) {
    this.bench = bench;
    this.list = element("ul", { className: "drafts" });
    this.current = element("section");
    const begin = form(
      [field(say("newDraft"), "title", { required: true, maxLength: 200, placeholder: say("exampleOfDraft") })],
      say("begin"),
      async ({ title }) => {
        await bench.begin(title);
        begin.reset();
      },
    );
    this.box = element(
      "aside",
      { className: "left panel" },
      this.current,
      element("h2", { textContent: say("drafts") }),
      this.list,
      begin,
    );
    bench.on("draft", () => {
      this.show();
      this.refresh();
    });
    every(15000, () => this.look());
  }

  refresh() {
    return this.look().catch(() => {});
  }

  async look() {
    const { drafts } = await poll("/boundaries/drafts?open=true", { patience: 0 });
    const current = this.bench.draft;
    const known = drafts.find(one => one.draft_id === current?.draft_id);
    if (current && this.bench.isLive && !known)
      this.bench.open(current.draft_id); // it was published or discarded by somebody else
    else if (
      current &&
      known &&
      !this.bench.busy &&
      ["steps", "is_stale", "submitted_at", "approved_at"].some(key => known[key] !== current[key])
    )
      this.bench.open(current.draft_id);
    this.list.replaceChildren(
      ...(drafts.length
        ? drafts.map(draft =>
            element(
              "li",
              {},
              element(
                "button",
                {
                  className: draft.draft_id === current?.draft_id ? "draft chosen" : "draft",
                  onclick: () => this.bench.open(draft.draft_id),
                },
                element("b", { textContent: draft.title }),
                element("span", {
                  className: "quiet",
                  textContent: `${draft.made_by} · ${say("countOfSteps", { count: draft.steps })} · ${state(draft)}`,
                }),
              ),
            ),
          )
        : [element("li", { className: "quiet", textContent: say("noDrafts") })]),
    );
  }

  show() {
    const { bench } = this;
    const { draft } = bench;
    if (!draft) return this.current.replaceChildren();
    const parts = [
      element(
        "header",
        {},
        element("h2", { textContent: draft.title }),
        button("✕", () => bench.open(null)),
      ),
      element("p", {
        className: "quiet",
        textContent: say("draftOnEdition", { draft: draft.draft_id, edition: draft.base_edition_id }) + state(draft),
      }),
    ];
    if (draft.returned_because)
      parts.push(element("p", { className: "bad", textContent: say("returned") + draft.returned_because }));
    const live = draft.history.filter(step => !step.undone_at).length;
    if (bench.isOpen) {
      const undo = button(say("undo"), () => bench.goOn("undo"));
      const redo = button(say("redo"), () => bench.goOn("redo"));
      undo.disabled = !live;
      redo.disabled = live === draft.history.length;
      parts.push(
        element(
          "div",
          { className: "row" },
          undo,
          redo,
          button(say("discardDraft"), () => {
            if (confirm(say("giveDraftUp"))) bench.discard();
          }),
        ),
      );
      parts.push(this.files());
      if (draft.is_stale) parts.push(button(say("rebase"), () => bench.act("rebase"), "action"));
      else if (live) parts.push(button(say("sendForApproval"), () => bench.goOn("submit"), "action"));
    } else if (draft.submitted_at && !draft.published_edition_id) {
      if (may("boundaries.approve") && !draft.approved_at) parts.push(this.approval());
      parts.push(button(say("withdraw"), () => bench.act("withdraw")));
    }
    parts.push(
      element(
        "ol",
        { className: "steps" },
        ...draft.history.map(step =>
          element(
            "li",
            { className: step.undone_at ? "undone" : "" },
            element("b", { textContent: named("operations", step.operation) }),
            step.operation === "note"
              ? element("button", {
                  className: "find",
                  textContent: step.arguments.text,
                  onclick: () => this.bench.tell("place", step.arguments.point),
                })
              : ` ${/** @type {string[]} */ (step.arguments.codes ?? []).join(" ")}`,
            element("div", {
              className: "quiet",
              textContent: [step.author, when(step.done_at), step.reason].filter(Boolean).join(" · "),
            }),
          ),
        ),
      ),
    );
    this.current.replaceChildren(...parts);
  }

  // Export for QGIS, and import of the edited file.
  files() {
    const file = element("input", {
      type: "file",
      hidden: true,
      accept: ".gpkg,.geojson,.json,.zip,.fgb,.parquet,.kml",
    });
    file.onchange = () => this.bench.bring(file.files?.[0]);
    return element(
      "div",
      { className: "row" },
      element("a", {
        className: "plain",
        href: `${this.bench.address}/file`,
        download: "",
        textContent: say("exportGeoPackage"),
      }),
      button(say("bringEditsBack"), () => file.click()),
      file,
    );
  }

  // What was done and why, and the two answers of whoever approves.
  approval() {
    const { bench } = this;
    const steps = bench.opened.history.filter(step => !step.undone_at);
    return element(
      "section",
      { className: "approval" },
      element("h3", { textContent: say("whatIsAsked") }),
      element(
        "ul",
        { className: "reasons" },
        ...steps.map(step =>
          element(
            "li",
            {},
            element("b", { textContent: named("operations", step.operation) }),
            ` ${step.operation === "note" ? step.arguments.text : step.reason || say("noReason")}`,
          ),
        ),
      ),
      form(
        [
          field(say("noteForHistory"), "note", { required: true, maxLength: 500 }),
          field(say("inForceAt"), "effective_at", { type: "datetime-local" }),
        ],
        say("approveAndPublish"),
        ({ note, effective_at: at }) =>
          bench.act("publish", { note, ...(at ? { effective_at: new Date(at).toISOString() } : {}) }),
      ),
      form(
        [field(say("whyItIsReturned"), "reason", { required: true, maxLength: 2000 })],
        say("returnDraft"),
        ({ reason }) => bench.act("return", { reason }),
      ),
    );
  }
}
