import { at } from "./address.js";

/**
 * Makes an element. Texts become text nodes, never HTML, since names come from files and callers.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [properties] of the element; `data` are its data attributes
 * @param {(Node | string | null | undefined)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, properties = {}, ...children) {
  const { data, ...rest } = properties;
  for (const name of ["href", "src"]) {
    if (typeof rest[name] === "string") rest[name] = at(rest[name]);
  }
  const made = Object.assign(document.createElement(tag), rest);
  Object.assign(made.dataset, data);
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

/**
 * Whether a key event belongs to an input field, and so is no keyboard shortcut.
 * @param {KeyboardEvent} event
 */
export const isTyping = ({ target }) =>
  target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
