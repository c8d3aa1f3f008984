// The log-in: name and password, the second factor when it is asked for, the provider, or a screen's token.
import { go } from "./address.js";
import { demoPeople } from "./demo_people.js";
import { element } from "./element.js";
import { field, form, head, panel } from "./office.js";
import { page, ready } from "./page.js";
import { write } from "./server.js";
import { say } from "./text.js";

const main = head();
main.className = "narrow";
const people = demoPeople(page.next);
const code = field(say("codeOfAuthenticator"), "code", {
  inputMode: "numeric",
  autocomplete: "one-time-code",
  maxLength: 8,
});
code.hidden = true;

const logIn = form(
  [
    field(say("userName"), "name", { autocomplete: "username", required: true, autofocus: !people }),
    field(say("password"), "password", { type: "password", autocomplete: "current-password", required: true }),
    code,
  ],
  say("logIn"),
  async given => {
    try {
      const { must } = await write("POST", "/session", {
        name: given.name,
        password: given.password,
        code: given.code || null,
      });
      go(must ? `/account?lang=${page.lang}` : page.next);
    } catch (error) {
      if (/SecondFactorNeeded|TooMany/.test(error.type)) {
        // with a code the owner can log in although the name is locked
        code.hidden = false;
        code.querySelector("input")?.focus();
      }
      throw error;
    }
  },
);
if (people) main.append(people, panel(say("whatThisIs"), element("p", { textContent: say("whatThisIsTold") })));
main.append(
  panel(
    page.city[page.lang],
    logIn,
    page.provider
      ? element(
          "p",
          {},
          element("a", {
            className: "action",
            href: `/session/oidc?next=${encodeURIComponent(page.next)}`,
            textContent: page.provider,
          }),
        )
      : null,
  ),
);

const screen = form(
  [field(say("tokenOfAScreen"), "token", { autocomplete: "off", required: true })],
  say("openAsAScreen"),
  async given => {
    await write("POST", "/session/kiosk", { token: given.token.trim() });
    go("/maps/wall");
  },
);
main.append(element("details", {}, element("summary", { textContent: say("screenWithoutPerson") }), screen));
ready();
