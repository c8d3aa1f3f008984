// What a search box offers while somebody types: whatever has a name, the nearest of the best matches first.
import { element } from "./element.js";
import { ask } from "./server.js";
import { metres, named, say } from "./text.js";

const WAIT_MS = 120;

export class Finding {
  /**
   * @param {HTMLInputElement} box
   * @param {() => { lon: number, lat: number }} near
   * @param {(found: import("../types.js").Api["Found"]) => unknown} choose
   */
  constructor(box, near, choose) {
    this.input = box;
    this.near = near;
    this.onChoose = choose;
    this.at = -1;
    /** @type {import("../types.js").Api["Found"][]} */
    this.found = [];
    this.list = element("ul", { className: "offers", id: "offers", hidden: true, ariaLabel: say("offers") });
    this.list.setAttribute("role", "listbox");
    for (const [name, value] of Object.entries({
      role: "combobox",
      "aria-controls": "offers",
      "aria-expanded": "false",
      "aria-autocomplete": "list",
    }))
      box.setAttribute(name, value);
    box.addEventListener("input", () => this.later());
    box.addEventListener("keydown", event => this.press(event));
    box.addEventListener("blur", () => setTimeout(() => this.close(), 200)); // a click on an offer comes first
  }

  close() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.list.hidden = true;
    this.at = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.offer(), WAIT_MS);
  }

  /**
   * The best matches of what is typed now.
   * @param {AbortSignal} [signal]
   */
  async look(signal) {
    const { lon, lat } = this.near();
    const wanted = encodeURIComponent(this.input.value.trim());
    const { found } = await ask(`/search?q=${wanted}&lon=${lon.toFixed(6)}&lat=${lat.toFixed(6)}`, { signal });
    return found;
  }

  async offer() {
    if (!this.input.value.trim()) return this.close();
    this.asked?.abort();
    const { signal } = (this.asked = new AbortController());
    try {
      this.found = await this.look(signal);
    } catch {
      return; // Enter asks again, and says what is wrong
    }
    if (signal.aborted || document.activeElement !== this.input) return;
    this.at = -1;
    this.list.replaceChildren(
      ...this.found.map((one, at) => {
        const shown = element(
          "li",
          { id: `offer-${at}`, onmousedown: () => this.choose(at) },
          element("span", { className: "kind", textContent: named("found_kinds", one.kind) }),
          element("b", { textContent: one.name }),
          element("span", { className: "quiet", textContent: one.about }),
          element("span", {
            className: "quiet",
            textContent: one.distance_m === null ? "" : metres(one.distance_m),
          }),
        );
        shown.setAttribute("role", "option");
        return shown;
      }),
    );
    this.list.hidden = !this.found.length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (this.list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.at = (this.at + step + this.found.length) % this.found.length;
      [...this.list.children].forEach((one, number) => one.setAttribute("aria-selected", String(number === this.at)));
      this.input.setAttribute("aria-activedescendant", `offer-${this.at}`);
      this.list.children[this.at].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && this.at >= 0) {
      event.preventDefault();
      this.choose(this.at);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      this.close();
    }
  }

  /** @param {number} at */
  choose(at) {
    const chosen = this.found[at];
    this.input.value = chosen.name;
    this.close();
    this.input.blur();
    this.onChoose(chosen);
  }
}
