// The draft at work: every change goes to the server, and whoever listens hears of the draft as it is then.
import { ask, write } from "../server.js";
import { page, say } from "../office.js";

export class Bench extends EventTarget {
  draft = null;
  busy = 0;
  reason = "";

  tell(kind, detail) { this.dispatchEvent(new CustomEvent(kind, { detail })); }

  on(kind, listener) { this.addEventListener(kind, ({ detail }) => listener(detail)); }

  get address() { return `/boundaries/drafts/${this.draft.draft_id}`; }

  get isLive() { return Boolean(this.draft && !this.draft.published_edition_id && !this.draft.discarded_at); }

  get isOpen() { return this.isLive && !this.draft.submitted_at; }

  get canEdit() { return this.isOpen && !this.draft.is_stale && !this.busy; }

  // Work that the server does: shown as going on, its failure said in words.
  async run(work) {
    this.busy += 1;
    this.tell("busy", this.busy);
    try {
      return await work();
    } catch (error) {
      this.tell("problem", error.message);
      if (error.status === 412 && this.draft) await this.open(this.draft.draft_id);
      return undefined;
    } finally {
      this.busy -= 1;
      this.tell("busy", this.busy);
    }
  }

  take(draft) {
    this.draft = draft;
    this.tell("problem", null);
    this.tell("draft", draft);
  }

  open(id) { return this.run(async () => this.take(id ? await ask(`/boundaries/drafts/${id}`) : null)); }

  begin(title) { return this.run(async () => this.take(await write("POST", "/boundaries/drafts", { title }))); }

  // True when it was done.
  act(path, content) {
    return this.run(async () => {
      this.take(await write("POST", `${this.address}/${path}`, content));
      return true;
    });
  }

  goOn(path) { return this.act(path, { seen: this.draft.steps }); }

  async step(operation, given) {
    if (!this.canEdit) return;
    if (await this.act("steps", { operation, ...given, reason: this.reason, seen: this.draft.steps })) this.tell("stepped", null);
  }

  // What was edited in a file.
  bring(file) {
    const given = new FormData();
    given.append("draft_id", this.draft.draft_id);
    given.append("file", file);
    const headers = page.person.csrf ? { "X-CSRF-Token": page.person.csrf } : {};
    return this.run(async () => this.take(await ask("/boundaries/imports", { method: "POST", headers, body: given })));
  }

  discard() {
    return this.run(async () => {
      await write("DELETE", this.address);
      this.take(null);
    });
  }
}

export const OPERATIONS = {
  split: say("分割", "Split"), merge: say("合并", "Merge"), move_border: say("移动边界", "Move border"), carve: say("划出专属", "Carve out"),
  reshape: say("重画", "Reshape"), transfer: say("划转", "Transfer"), describe: say("属性", "Describe"), regroup: say("均衡", "Balance"), redraw: say("外部修改", "Redrawn elsewhere"), create: say("新建", "Create"), retire: say("终止", "Retire"), set_duties: say("负责人", "Duties"), set_stops: say("必巡点", "Stops"), restore: say("恢复版本", "Restore edition"),
};
