// Common parts of the pages without a map: head, forms, tables.
import { element } from "./element.js";
import { header } from "./header.js";
import { page } from "./page.js";
import { named, say } from "./text.js";

/**
 * Puts the head on the page, and gives the part below it.
 * @param {Node[]} between what the page has of its own in its head
 */
export function head(...between) {
  const main = element("main");
  document.body.append(header(page.title, ...between), main);
  return main;
}

/**
 * A form whose button is disabled until the answer comes; an error is shown at the field that it names, else above the
 * button.
 * @param {(Node | string)[]} fields
 * @param {string} button
 * @param {(given: any, form: HTMLFormElement) => unknown} send called with the values by name; may reject
 */
export function form(fields, button, send) {
  const problem = element("p", { className: "bad", hidden: true });
  problem.setAttribute("role", "alert");
  const submit = element("button", { className: "action", type: "submit", textContent: button });
  const made = element("form", {}, ...fields, problem, submit);
  made.onsubmit = async event => {
    event.preventDefault();
    submit.disabled = true;
    problem.hidden = true;
    made.querySelectorAll(".fault").forEach(one => one.remove());
    made.querySelectorAll("[aria-invalid]").forEach(one => one.removeAttribute("aria-invalid"));
    try {
      await send(Object.fromEntries(new FormData(made)), made);
    } catch (error) {
      const others = faultsAt(made, error);
      problem.textContent = others;
      problem.hidden = !others;
    }
    submit.disabled = false;
  };
  return made;
}

/**
 * Shows what is wrong at the fields that an error names, and moves to the first; returns what it says of no field.
 * @param {HTMLFormElement} made
 * @param {Error & { errors?: { pointer?: string, detail: string }[] }} error
 */
function faultsAt(made, { message, errors = [] }) {
  const found = errors.flatMap(({ pointer, detail }) => {
    const at = made.elements.namedItem(pointer?.split("/")[1] ?? "");
    return at instanceof HTMLElement ? [{ at, detail }] : [];
  });
  if (!found.length || found.length < errors.length) return message;
  for (const [number, { at, detail }] of found.entries()) {
    const fault = element("small", { className: "bad fault", id: `fault-${number}`, textContent: detail });
    at.setAttribute("aria-invalid", "true");
    at.setAttribute("aria-describedby", fault.id);
    at.after(fault);
  }
  found[0].at.focus();
  return "";
}

/**
 * An input with its label.
 * @param {string} label
 * @param {string} name
 * @param {Record<string, any>} [properties] of the input
 */
export const field = (label, name, properties = {}) =>
  element("label", {}, label, element("input", { name, ...properties }));
/**
 * A field of several lines.
 * @param {string} label
 * @param {string} name
 * @param {Record<string, any>} [properties] of the text area
 */
export const lines = (label, name, properties = {}) =>
  element("label", { className: "long" }, label, element("textarea", { name, rows: 3, ...properties }));
/**
 * A box to be ticked; unticked it is missing among the values.
 * @param {string} label
 * @param {string} name
 * @param {boolean} checked
 */
export const check = (label, name, checked) =>
  element("label", { className: "check" }, element("input", { type: "checkbox", name, value: "yes", checked }), label);
/**
 * A choice among values with words, as a field of a form.
 * @param {string} label
 * @param {string} name
 * @param {(readonly [value: string | number, text: string])[]} options
 * @param {string | number | null} [value] the chosen one
 * @param {Record<string, any>} [properties] of the select
 */
export function select(label, name, options, value, properties = {}) {
  const chosen = element(
    "select",
    { name, ...properties },
    ...options.map(([one, textContent]) => element("option", { value: one, textContent })),
  );
  if (value !== undefined) chosen.value = String(value ?? "");
  return element("label", {}, label, chosen);
}
/**
 * A button that does something at once.
 * @param {string} name
 * @param {() => unknown} onclick
 * @param {string} [about] what it is done to, for those who hear the page
 */
export const button = (name, onclick, about) =>
  element("button", {
    className: "plain",
    type: "button",
    textContent: name,
    ariaLabel: about ? `${name} ${about}` : null,
    onclick,
  });
/**
 * A choice, as a field of a form.
 * @param {string} label
 * @param {string} name
 * @param {Record<string, string>} options what each value is called
 */
export const choose = (label, name, options) =>
  element(
    "label",
    {},
    label,
    element(
      "select",
      { name },
      ...Object.entries(options).map(([value, textContent]) => element("option", { value, textContent })),
    ),
  );
/**
 * A choice among codes of accounts and credentials.
 * @param {string} label
 * @param {string} name
 * @param {string[]} options
 */
export const choice = (label, name, options) =>
  choose(label, name, Object.fromEntries(options.map(value => [value, named("access", value)])));
/**
 * A selection outside of a form, which takes effect at once.
 * @param {string} label
 * @param {(string | number)[][]} options each with its value and what is shown
 * @param {() => void} changed
 */
export const chooser = (label, options, changed) =>
  element(
    "select",
    { ariaLabel: label, onchange: changed },
    ...options.map(([value, textContent]) => element("option", { value, textContent })),
  );
/**
 * A part of a page with a title.
 * @param {string} title
 * @param {(Node | string | null)[]} parts
 */
export const panel = (title, ...parts) =>
  element("section", { className: "panel" }, element("h2", { textContent: title }), ...parts);

/**
 * A box that scrolls what does not fit, also by keys.
 * @param {Node[]} parts
 */
export function scroller(...parts) {
  const box = element("div", { className: "scroll" }, ...parts);
  new ResizeObserver(() => {
    const isLarger = box.scrollHeight > box.clientHeight || box.scrollWidth > box.clientWidth;
    if (isLarger) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }).observe(box);
  return box;
}

/**
 * A table, or a note that it would be empty.
 * @param {string[]} columns
 * @param {any[][]} rows of texts or elements
 */
export function table(columns, rows) {
  if (!rows.length) return element("p", { className: "quiet", textContent: say("none") });
  const cell = value => element("td", {}, value instanceof Node ? value : String(value ?? ""));
  return scroller(
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...columns.map(textContent => element("th", { textContent })))),
      element("tbody", {}, ...rows.map(row => element("tr", {}, ...row.map(cell)))),
    ),
  );
}

/**
 * Shows a secret that is not stored and cannot be shown again.
 * @param {string} title
 * @param {string} secret
 */
export function shownOnce(title, secret) {
  return element(
    "p",
    { className: "once" },
    element("b", { textContent: `${title} ` }),
    element("code", { textContent: secret }),
    element("button", {
      className: "plain",
      textContent: say("copy"),
      onclick: () => navigator.clipboard.writeText(secret),
    }),
    element("span", { className: "quiet", textContent: say("shownOnlyNow") }),
  );
}
