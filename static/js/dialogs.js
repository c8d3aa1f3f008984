// Dialogs: they ask for values or for a word, and go away without an answer when Escape is pressed.
import { element } from "./element.js";
import { form } from "./office.js";
import { say } from "./text.js";

/**
 * Opens a dialog; resolves to null when it is cancelled, and gives the focus back.
 * @param {string} title
 * @param {(end: (answer: any) => void) => (Node | string)[]} fill gets a function that closes it with an answer
 * @returns {Promise<any>}
 */
export const dialog = (title, fill) =>
  new Promise(found => {
    const heading = element("h2", { textContent: title, id: "title-of-dialog" });
    const box = element("dialog", { className: "panel" });
    box.setAttribute("aria-labelledby", heading.id);
    const from = document.activeElement;
    const end = answer => {
      found(answer);
      box.close();
    };
    box.append(
      heading,
      ...fill(end),
      element("button", { className: "plain", type: "button", textContent: say("cancel"), onclick: () => box.close() }),
    );
    box.onclose = () => {
      found(null);
      box.remove();
      if (from instanceof HTMLElement) from.focus();
    };
    document.body.append(box);
    box.showModal();
  });

/**
 * Asks for values in a form.
 * @param {string} title
 * @param {HTMLElement[]} fields
 * @param {{ button?: string, send?: (given: any, form: HTMLFormElement) => unknown }} [then] what is written on the
 *   button; `send` is called with the values, its errors are shown in the dialog, and what it resolves to is the answer
 * @returns {Promise<any>} values by name, or what `send` made of them; null when it was cancelled
 */
export const askFor = (title, fields, { button = say("goOn"), send = given => given } = {}) =>
  dialog(title, end => [form(fields, button, async (given, made) => end(await send(given, made)))]);

/**
 * Asks whether something is to be done that cannot be taken for granted.
 * @param {string} question
 * @param {string} button what is done
 * @returns {Promise<boolean>}
 */
export const confirmed = async (question, button) =>
  Boolean(
    await dialog(question, end => [
      element("button", { className: "action", textContent: button, autofocus: true, onclick: () => end(true) }),
      " ",
    ]),
  );
