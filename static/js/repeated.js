// A part of a form that is filled in several times, such as the resolutions of a meeting.
import { element } from "./element.js";
import { button } from "./office.js";
import { say } from "./text.js";

/**
 * Rows of fields, to which more can be added.
 * @param {string} title
 * @param {string} add what is written on the button that adds a row
 * @param {() => (Node | string)[]} fields of a new row
 * @param {number} [first] how many rows there are at first
 */
export function repeated(title, add, fields, first = 0) {
  const rows = element("div", { className: "repeated" });
  const more = () => {
    const row = element("div", { className: "repeat" }, ...fields());
    row.append(
      button(say("remove"), () => {
        row.remove();
        adding.focus();
      }),
    );
    rows.append(row);
    return row;
  };
  const adding = button(add, () => /** @type {HTMLElement | null} */ (more().querySelector("input, select"))?.focus());
  for (let count = 0; count < first; count += 1) more();
  const box = element("fieldset", {}, element("legend", { textContent: title }), rows, adding);
  /** What stands in the rows, by the names of their fields. @returns {Record<string, string>[]} */
  const values = () =>
    [...rows.children].map(row =>
      Object.fromEntries(
        [...row.querySelectorAll("[name]")].map(one => {
          const { name, value } = /** @type {HTMLInputElement} */ (one);
          return [name, value.trim()];
        }),
      ),
    );
  return { box, values };
}
