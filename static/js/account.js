// One's own account: password and second factor.
import { go } from "./address.js";
import { element } from "./element.js";
import { field, form, head, panel } from "./office.js";
import { page, ready } from "./page.js";
import { ask, write } from "./server.js";
import { say } from "./text.js";

const main = head();
const must = page.person?.must;
const again = () => go(`/login?lang=${page.lang}`);
if (must) {
  main.append(
    element("p", {
      className: "notice",
      textContent: must === "change_password" ? say("mustChangePassword") : say("mustEnrol"),
    }),
  );
}

main.append(
  panel(
    say("changeThePassword"),
    element("p", { className: "quiet", textContent: say("passwordRules", { shortest: page.shortest }) }),
    form(
      [
        field(say("passwordNow"), "old", { type: "password", autocomplete: "current-password", required: true }),
        field(say("newPassword"), "new", { type: "password", autocomplete: "new-password", required: true }),
        field(say("onceMore"), "again", { type: "password", autocomplete: "new-password", required: true }),
      ],
      say("change"),
      async given => {
        if (given.new !== given.again) throw new Error(say("passwordsDiffer"));
        await write("PUT", "/session/password", { old: given.old, new: given.new });
        again();
      },
    ),
  ),
);

const factor = panel(say("secondFactor"));
factor.append(
  form([], say("enrolAnAuthenticatorApp"), async () => {
    const offer = await write("POST", "/session/factor");
    const drawing = offer.picture.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ');
    const picture = element("img", {
      className: "qr",
      alt: "QR",
      src: `data:image/svg+xml;utf8,${encodeURIComponent(drawing)}`,
    });
    factor.replaceChildren(
      element("h2", { textContent: say("secondFactor") }),
      element("p", { textContent: say("scanThenEnterCode") }),
      picture,
      element("p", { className: "quiet", textContent: offer.secret }),
      form(
        [field(say("code"), "code", { inputMode: "numeric", autocomplete: "one-time-code", required: true })],
        say("confirm"),
        async given => {
          await write("PUT", "/session/factor", { code: given.code });
          again();
        },
      ),
    );
  }),
);
main.append(factor);
ask("/session").then(ready);
