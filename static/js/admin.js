// Accounts, roles, keys and screens.
import { ask, choice, e, field, form, head, named, page, panel, ready, say, shownOnce, table, write } from "./office.js";

const main = head();
const news = e("div", { className: "wide" });
const people = panel(say("账户", "Accounts"));
const keys = panel(say("密钥与大屏令牌", "Keys and screens"));
const roles = panel(say("角色", "Roles"));
people.classList.add("wide");
keys.classList.add("wide");
roles.classList.add("wide");
main.append(news, people, keys, roles);

const words = text => text.split(/[\s,，]+/).filter(Boolean);
const act = (name, work) => e("button", { className: "plain", textContent: name, onclick: async () => {
  try { await work(); await load(); } catch (error) { news.replaceChildren(e("p", { className: "bad", textContent: error.message })); }
} });
const tell = (title, secret) => news.replaceChildren(shownOnce(title, secret));

const isCity = cells => ["全市", "city"].includes(cells.trim().toLowerCase());
const add = form([
  choice(say("种类", "Kind"), "kind", ["user", "machine", "kiosk"]), field(say("登录名", "Name"), "name", { required: true }),
  field(say("姓名", "Display name"), "display_name"), choice(say("角色", "Role"), "role", ["dispatcher", "planner", "supervisor", "wall", "administrator"]),
  field(say("网格编码，或：全市", "Grid codes, or: city"), "cells", { required: true }), field(say("工号", "Staff number"), "staff_number"),
], say("新建账户", "Add account"), async ({ cells, ...given }) => {
  const content = { ...given, staff_number: given.staff_number || null, grid_codes: isCity(cells) ? [] : words(cells), city_wide: isCity(cells) };
  const { password } = await write("POST", "/accounts", content);
  if (password) tell(say(`${given.name} 的一次性密码`, `One-time password of ${given.name}`), password);
  await load();
});
add.className = "row";
const issue = form([
  choice(say("种类", "Kind"), "kind", ["key", "kiosk"]), field(say("账户", "Account"), "name", { required: true }), field(say("用途", "Label"), "label"),
  field(say("大屏所在网段", "Screen's network"), "network", { placeholder: "10.1.2.0/24" }), field(say("天数", "Days"), "days", { type: "number", value: 90, min: 1 }),
], say("签发", "Issue"), async given => {
  const kiosk = given.kind === "kiosk";
  const content = { ...given, days: Number(given.days), network: kiosk ? given.network : null, page: kiosk ? page.kioskPages[0] : null };
  tell(given.name, (await write("POST", "/credentials", content)).secret);
  await load();
});
issue.className = "row";

async function load() {
  const [{ accounts }, { credentials }, { roles: known }] = await Promise.all([ask("/accounts"), ask("/credentials"), ask("/roles")]);
  people.replaceChildren(e("h2", { textContent: say("账户", "Accounts") }), add, table(
    [say("登录名", "Name"), say("姓名", "Display name"), say("种类", "Kind"), say("角色", "Role"), say("负责", "Answers for"), say("状态", "State"), ""],
    accounts.map(one => {
      const path = `/accounts/${encodeURIComponent(one.login_name)}`;
      return [one.login_name, one.display_name, named(one.principal_kind), named(one.role), one.city_wide ? say("全市", "the whole city") : one.grid_codes.join(", "),
        [one.disabled_at && say("停用", "disabled"), one.has_second_factor && "2FA", one.is_demo && say("演示", "demo")].filter(Boolean).join(" · "),
        e("span", {}, act(one.disabled_at ? say("启用", "Enable") : say("停用", "Disable"), () => write("PATCH", path, { disabled: !one.disabled_at })),
          one.principal_kind === "user" ? act(say("重置密码", "Reset password"), async () => tell(one.login_name, (await write("POST", `${path}/password`)).password)) : null,
          one.has_second_factor ? act(say("解除双因素", "Remove 2FA"), () => write("DELETE", `${path}/factor`)) : null)];
    })));
  keys.replaceChildren(e("h2", { textContent: say("密钥与大屏令牌", "Keys and screens") }), issue, table(
    ["#", say("种类", "Kind"), say("账户", "Account"), say("用途", "Label"), say("限制", "Limits"), say("到期", "Ends"), ""],
    credentials.map(one => [one.credential_id, named(one.credential_kind), one.login_name, one.label,
      [one.page, one.network, ...(one.only_rights ?? [])].filter(Boolean).join(", "), one.expires_at.slice(0, 10),
      one.revoked_at ? say("已吊销", "revoked") : act(say("吊销", "Revoke"), () => write("DELETE", `/credentials/${one.credential_id}`))])));
  roles.replaceChildren(e("h2", { textContent: say("角色", "Roles") }), table(
    [say("角色", "Role"), say("权限", "Rights"), say("双因素", "Second factor")],
    known.map(one => [named(one.role), one.rights.join(", "), one.role === "wall" ? "" : act(one.second_factor_required ? say("必须", "required") : say("不要求", "not required"),
      () => write("PATCH", `/roles/${one.role}`, { second_factor_required: !one.second_factor_required }))])));
}
load().then(ready);
