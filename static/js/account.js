// One's own account: password and second factor.
import { go } from "./address.js";
import { ask, e, field, form, head, page, panel, ready, say, write } from "./office.js";

const main = head();
const { must } = page.person;
const again = () => go(`/login?lang=${page.lang}`);
if (must) {
  main.append(e("p", { className: "notice", textContent: must === "change_password"
    ? say("请先修改密码，然后重新登录。", "Change your password first, then log in again.")
    : say("您的角色需要双因素认证：请先绑定验证器，然后重新登录。", "Your role needs a second factor: enrol it, then log in again.") }));
}

main.append(panel(say("修改密码", "Change the password"),
  e("p", { className: "quiet", textContent: say(`至少 ${page.shortest} 个字符，小写、大写、数字、符号至少三种；不能与最近用过的相同。修改后所有登录都会结束。`,
    `At least ${page.shortest} characters; three of small letters, capitals, digits, signs; none of your last ones. All your sessions end.`) }),
  form([
    field(say("现在的密码", "Password now"), "old", { type: "password", autocomplete: "current-password", required: true }),
    field(say("新密码", "New password"), "new", { type: "password", autocomplete: "new-password", required: true }),
    field(say("再输一次", "Once more"), "again", { type: "password", autocomplete: "new-password", required: true }),
  ], say("修改", "Change"), async given => {
    if (given.new !== given.again) throw new Error(say("两次输入不一样", "The two are not the same"));
    await write("PUT", "/session/password", { old: given.old, new: given.new });
    again();
  })));

const factor = panel(say("双因素认证", "Second factor"));
factor.append(form([], say("绑定验证器", "Enrol an authenticator app"), async () => {
  const offer = await write("POST", "/session/factor");
  const picture = e("img", { className: "qr", alt: "QR", src: `data:image/svg+xml;utf8,${encodeURIComponent(offer.picture.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '))}` });
  factor.replaceChildren(e("h2", { textContent: say("双因素认证", "Second factor") }),
    e("p", { textContent: say("用验证器扫描，然后输入它显示的验证码：", "Scan it with the app, then enter the code it shows:") }), picture,
    e("p", { className: "quiet", textContent: offer.secret }),
    form([field(say("验证码", "Code"), "code", { inputMode: "numeric", autocomplete: "one-time-code", required: true })],
      say("确认", "Confirm"), async given => { await write("PUT", "/session/factor", { code: given.code }); again(); }));
}));
main.append(factor);
ask("/session").then(ready);
