// The users of the demo, to choose from with one click: the server offers them to a browser on its own machine alone.
import { go } from "./address.js";
import { element } from "./element.js";
import { panel } from "./office.js";
import { page } from "./page.js";
import { write } from "./server.js";
import { named, say } from "./text.js";

/**
 * A panel with a button for each; null where none are offered.
 * @param {string} then where to go as one of them
 */
export function demoPeople(then) {
  if (!page.demo?.length) return null;
  const problem = element("p", { className: "bad", hidden: true });
  problem.setAttribute("role", "alert");
  const buttons = page.demo.map(one =>
    element(
      "button",
      {
        className: "plain person",
        onclick: async () => {
          problem.hidden = true;
          try {
            await write("POST", "/session/demo", { name: one.login_name });
            go(then);
          } catch (error) {
            problem.textContent = error.message;
            problem.hidden = false;
          }
        },
      },
      element("b", { textContent: named("access", one.role) }),
      element("span", { className: "quiet", textContent: named("demoPeople", one.role) }),
    ),
  );
  return panel(
    say("demoPeople"),
    element("p", { className: "quiet", textContent: say("demoPeopleTold") }),
    element("div", { className: "people" }, ...buttons),
    problem,
  );
}
