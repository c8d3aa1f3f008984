// What an action needs to know is asked for in place, in one small form.
import { element } from "../element.js";
import { say } from "../text.js";

/**
 * @typedef {{ name: string, label: string, type?: "text" | "number", value?: string | number, max?: number,
 *   isOptional?: boolean, choices?: { value: string, text: string }[] }} Field
 */

/** @param {Field} field */
function inputOf({ name, label, type = "text", value = "", max, isOptional = false, choices }) {
  const input = choices
    ? element(
        "select",
        { name },
        ...choices.map(one => element("option", { value: one.value, textContent: one.text })),
      )
    : element("input", {
        name,
        type,
        min: "1",
        max: max === undefined ? "" : String(max),
        maxLength: 4000,
        required: !isOptional,
        autocomplete: "off",
      });
  if (value !== "") input.value = String(value);
  return element("label", {}, label, input);
}

/**
 * The form; its first field, or its button, is focused once it is on the page.
 * @param {string} title
 * @param {Field[]} fields
 * @param {(answers: Record<string, string | number>) => unknown} send with 0 for a number that may be, and is, left out
 * @param {() => void} cancel
 */
export function askingForm(title, fields, send, cancel) {
  const form = element(
    "form",
    {
      onsubmit: event => {
        event.preventDefault();
        const answers = new FormData(form);
        send(
          Object.fromEntries(
            fields.map(({ name, type }) => {
              const given = String(answers.get(name) ?? "");
              return [name, type === "number" ? Number(given) : given];
            }),
          ),
        );
      },
    },
    element("b", { textContent: title }),
    ...fields.map(inputOf),
    element("button", { className: "action", type: "submit", textContent: say("doIt") }),
    element("button", { className: "plain", type: "button", textContent: say("cancel"), onclick: cancel }),
  );
  const focus = () => /** @type {HTMLElement} */ (form.querySelector("input, select, button")).focus();
  return { form, focus };
}
