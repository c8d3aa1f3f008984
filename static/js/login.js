// The log-in: name and password, the second factor when it is asked for, the provider, or a screen's token.
import { go } from "./address.js";
import { e, field, form, head, page, panel, ready, say, write } from "./office.js";

const main = head();
main.className = "narrow";
const code = field(say("验证码", "Code of the authenticator app"), "code", { inputMode: "numeric", autocomplete: "one-time-code", maxLength: 8 });
code.hidden = true;

const logIn = form([
  field(say("用户名", "Name"), "name", { autocomplete: "username", required: true, autofocus: true }),
  field(say("密码", "Password"), "password", { type: "password", autocomplete: "current-password", required: true }),
  code,
], say("登录", "Log in"), async given => {
  try {
    const { must } = await write("POST", "/session", { name: given.name, password: given.password, code: given.code || null });
    go(must ? `/account?lang=${page.lang}` : page.next);
  } catch (error) {
    if (/SecondFactorNeeded|TooMany/.test(error.type)) { // the code also tells a name's owner from strangers who guess
      code.hidden = false;
      code.querySelector("input").focus();
    }
    throw error;
  }
});
main.append(panel(page.city[page.lang], logIn, page.provider
  ? e("p", {}, e("a", { className: "action", href: `/session/oidc?next=${encodeURIComponent(page.next)}`, textContent: page.provider })) : null));

const screen = form([field(say("大屏令牌", "Token of a screen"), "token", { autocomplete: "off", required: true })],
  say("作为大屏打开", "Open as a screen"), async given => {
    await write("POST", "/session/kiosk", { token: given.token.trim() });
    go("/maps/wall");
  });
main.append(e("details", {}, e("summary", { textContent: say("这是一块无人值守的大屏", "This is a screen without a person") }), screen));
ready();
