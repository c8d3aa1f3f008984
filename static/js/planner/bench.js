// The open draft: every change is sent to the server, and listeners get the new state of the draft.
import { ask, write } from "../server.js";
import { say } from "../text.js";

export class Bench extends EventTarget {
  /** @type {import("../../types.js").Api["DraftInFull"] | null} */
  draft = null;
  busy = 0;
  /** @type {(Error & { status?: number }) | null} of the last request; null: it succeeded */
  failure = null;
  reason = "";

  tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }

  /** @param {string} kind @param {(detail: any) => void} listener */
  on(kind, listener) {
    this.addEventListener(kind, event => listener(/** @type {CustomEvent} */ (event).detail));
  }

  // The open draft; throws when there is none.
  get opened() {
    if (!this.draft) throw new Error(say("openDraftFirst"));
    return this.draft;
  }

  get address() {
    return `/boundaries/drafts/${this.opened.draft_id}`;
  }

  get isLive() {
    return Boolean(this.draft && !this.draft.published_edition_id && !this.draft.discarded_at);
  }

  get isOpen() {
    return this.isLive && !this.opened.submitted_at;
  }

  get canEdit() {
    return this.isOpen && !this.opened.is_stale && !this.busy;
  }

  // Runs a request: shows that it is in progress, and its error. Resolves to true when it succeeded.
  async run(work) {
    this.busy += 1;
    this.failure = null;
    this.tell("busy", this.busy);
    try {
      return await work();
    } catch (error) {
      this.failure = error;
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

  open(id) {
    return this.run(async () => this.take(id ? await ask(`/boundaries/drafts/${id}`) : null));
  }

  begin(title) {
    return this.run(async () => this.take(await write("POST", "/boundaries/drafts", { title })));
  }

  // Does something to the draft; resolves to true when it succeeded.
  act(path, content) {
    return this.run(async () => {
      this.take(await write("POST", `${this.address}/${path}`, content));
      return true;
    });
  }

  goOn(path) {
    return this.act(path, { seen: this.opened.steps });
  }

  /**
   * Adds a step to the draft, with the arguments of the server's model.
   * @template {import("../../types.js").Operation} Name
   * @param {Name} operation
   * @param {import("../../types.js").Given<Name>} given
   * @returns {Promise<boolean>} whether it was done
   */
  async step(operation, given) {
    if (!this.canEdit) return false;
    const isDone = await this.act("steps", { operation, ...given, reason: this.reason, seen: this.opened.steps });
    if (isDone) this.tell("stepped", null);
    return Boolean(isDone);
  }

  // Imports the edits of a file.
  bring(file) {
    const given = new FormData();
    given.append("draft_id", String(this.opened.draft_id));
    given.append("file", file);
    return this.run(async () => this.take(await write("POST", "/boundaries/imports", given)));
  }

  discard() {
    return this.run(async () => {
      await write("DELETE", this.address);
      this.take(null);
    });
  }
}
