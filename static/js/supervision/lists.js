// What the lists of this page have in common: filters that take effect at once, and pages of answers.
import { element } from "../element.js";
import { button, chooser } from "../office.js";
import { ask } from "../server.js";
import { say, translated } from "../text.js";

/**
 * A choice among values, which takes effect at once.
 * @param {string} label
 * @param {(readonly [value: string, text: string])[]} options
 * @param {string} value
 * @param {(value: string) => unknown} changed
 */
export function filter(label, options, value, changed) {
  const chosen = chooser(
    label,
    options.map(one => [...one]),
    () => changed(chosen.value),
  );
  chosen.value = value;
  return element("label", {}, label, chosen);
}

/**
 * A list that goes on: a button asks for the next page, and adds its rows.
 * @param {any} first page of the answer, with `next`
 * @param {string} name of its rows
 * @param {(rows: any[]) => Node} draw makes all rows anew
 */
export function goingOn(first, name, draw) {
  let rows = first[name];
  let { next } = first;
  const box = element("div");
  const more = button(say("more"), async () => {
    const { pathname, search } = new URL(next, location.href);
    try {
      const answer = await ask(`${pathname}${search}`);
      rows = [...rows, ...answer[name]];
      ({ next } = answer);
      show();
    } catch (error) {
      more.textContent = `${error.message} · ${say("tryAgain")}`;
    }
  });
  function show() {
    box.replaceChildren(draw(rows), ...(next ? [more] : []));
  }
  show();
  return box;
}

/**
 * What the columns of a table of figures mean, to be opened.
 * @param {import("../../types.js").Api["Defined"][]} definitions
 */
export const definitionsOf = definitions =>
  element(
    "details",
    { className: "quiet" },
    element("summary", { textContent: say("definitions") }),
    element(
      "dl",
      {},
      ...definitions.flatMap(one => [
        element("dt", { textContent: translated(one, "name") }),
        element("dd", { textContent: translated(one, "definition") }),
      ]),
    ),
  );

/** What is asked: names with values, without those that are empty. @param {Record<string, string>} given */
export const query = given => String(new URLSearchParams(Object.entries(given).filter(([, value]) => value)));
