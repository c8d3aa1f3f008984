// Rows of a small list that is shown anew while somebody may be in it.
import { element } from "../element.js";

/**
 * Shows rows anew. The focus stays on the button of the same `data-at`; where that is gone, it moves to the first one,
 * or to the heading.
 * @param {HTMLElement} list
 * @param {Node[]} rows
 * @param {string} ifNone what is said instead of no rows
 */
export function put(list, rows, ifNone) {
  const { activeElement: active } = document;
  const at = list.contains(active) ? /** @type {HTMLElement} */ (active).dataset.at : undefined;
  list.replaceChildren(...(rows.length ? rows : [element("li", { className: "quiet", textContent: ifNone })]));
  if (!at) return;
  const next =
    list.querySelector(`[data-at="${CSS.escape(at)}"]`) ??
    list.querySelector("button") ??
    list.closest("details")?.querySelector("summary");
  /** @type {HTMLElement | null | undefined} */ (next)?.focus();
}

/**
 * A button that sends something once, and stays where the focus is meanwhile.
 * @param {string} textContent
 * @param {string} about what it is done to, for those who hear the page
 * @param {string} at where it is, see `put`
 * @param {() => Promise<unknown>} send
 */
export function sender(textContent, about, at, send) {
  const ariaLabel = `${textContent} ${about}`;
  const made = element("button", { className: "tool", type: "button", data: { at }, textContent, ariaLabel });
  made.onclick = async () => {
    if (made.ariaDisabled) return;
    made.ariaDisabled = "true"; // disabled itself, it would lose the focus
    await send();
    made.ariaDisabled = null;
  };
  return made;
}
