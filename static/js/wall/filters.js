// Which categories the wall shows; the address has them (?category=fire,traffic), so that a wall begins as it was set.
import { element } from "../element.js";
import { page } from "../page.js";
import { categoryName, number, say } from "../text.js";

export class Filters {
  /** @param {() => void} onChange */
  constructor(onChange) {
    const asked = new URL(location.href).searchParams.get("category");
    /** @type {Set<string>} of categories; none: all */
    this.chosen = new Set(asked ? asked.split(",") : []);
    this.onChange = onChange;
    this.box = element("div", { className: "filters" });
    this.box.setAttribute("role", "group");
    this.box.setAttribute("aria-label", say("categoriesShown"));
    this.show([]);
  }

  /** @param {{ category: string }} one */
  lets(one) {
    return !this.chosen.size || this.chosen.has(one.category);
  }

  /** @param {string} code */
  toggle(code) {
    if (!this.chosen.delete(code)) this.chosen.add(code);
    const address = new URL(location.href);
    if (this.chosen.size) address.searchParams.set("category", [...this.chosen].join(","));
    else address.searchParams.delete("category");
    history.replaceState(null, "", address);
    this.onChange();
  }

  /** @param {{ category: string }[]} matters that are open: each button has how many are of its category */
  show(matters) {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.category;
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const { category } of matters) counts.set(category, (counts.get(category) ?? 0) + 1);
    const most = Math.max(1, ...counts.values());
    this.box.replaceChildren(
      ...page.categories.map(({ category_code: code }) => {
        const count = counts.get(code) ?? 0;
        const made = element(
          "button",
          { type: "button", className: "filter", data: { category: code }, onclick: () => this.toggle(code) },
          element("span", { textContent: categoryName(code) }),
          element("b", { textContent: number(count) }),
          element("i", { className: "share" }),
        );
        made.style.setProperty("--share", String(count / most));
        made.setAttribute("aria-pressed", String(this.chosen.has(code)));
        return made;
      }),
    );
    if (focused) /** @type {HTMLElement | null} */ (this.box.querySelector(`[data-category="${focused}"]`))?.focus();
  }
}
