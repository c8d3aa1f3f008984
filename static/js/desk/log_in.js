// The log-in in place, on a page where work would be lost by leaving it.
import { element } from "../element.js";
import { page } from "../page.js";
import { ask, session, write } from "../server.js";
import { say } from "../text.js";
import { resume } from "../timing.js";

/**
 * Asks for the password when the session has ended, above the page, which stays as it is.
 * @param {boolean} [mayWait] whether one may go on without
 */
export function logInHere(mayWait = false) {
  /** @type {HTMLDialogElement | null} */
  let shown = null;
  session.ended = () => {
    if (shown) return;
    const name = element("input", { name: "name", autocomplete: "username", required: true, autofocus: true });
    const password = element("input", {
      name: "password",
      type: "password",
      autocomplete: "current-password",
      required: true,
    });
    const code = element("input", { name: "code", inputMode: "numeric", autocomplete: "one-time-code", maxLength: 8 });
    const problem = element("p", { className: "bad" });
    problem.setAttribute("role", "alert");
    const form = element(
      "form",
      {
        onsubmit: async event => {
          event.preventDefault();
          try {
            await write("POST", "/session", { name: name.value, password: password.value, code: code.value || null });
            const { csrf_token: csrf } = await ask("/session");
            if (page.person) page.person.csrf = csrf;
            dialog.close();
            resume();
          } catch (error) {
            problem.textContent = error.message;
          }
        },
      },
      element("p", { textContent: say("sessionEnded") }),
      element("label", {}, say("userName"), name),
      element("label", {}, say("password"), password),
      element("label", {}, say("codeOfAuthenticator"), code),
      problem,
      element("button", { className: "action", type: "submit", textContent: say("logIn") }),
      mayWait
        ? element("button", {
            className: "plain",
            type: "button",
            textContent: say("later"),
            onclick: () => dialog.close(),
          })
        : null,
    );
    const dialog = element(
      "dialog",
      {
        className: "panel",
        oncancel: event => event.preventDefault(),
        onclose: () => {
          dialog.remove();
          shown = null;
        },
      },
      form,
    );
    shown = dialog;
    document.body.append(dialog);
    dialog.showModal();
  };
}
