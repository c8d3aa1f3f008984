// What the pages without a map have in common: head, forms, tables, words.
import { go } from "./address.js";
import { element as e } from "./element.js";
import { ask, write } from "./server.js";

export { ask, e, write };
export const page = JSON.parse(document.getElementById("geo-grid-page").textContent);
export const zh = page.lang === "zh";
const ZH = {
  wall: "大屏", dispatcher: "接警员", planner: "规划员", supervisor: "督导员", administrator: "管理员", auditor: "审计员", service: "服务", owner: "数据库所有者",
  user: "人员", machine: "机器", kiosk: "大屏", key: "密钥", done: "成功", refused: "拒绝", failed: "失败",
};
export const named = code => (zh && ZH[code]) || code; // codes of roles, kinds and results, as people read them
export const say = (chinese, english) => (zh ? chinese : english);

const HOME = [["map", "/maps/wall", say("大屏", "Wall")], ["boundaries.draft", "/maps/planner", say("规划", "Planning")], ["map", "/maps/response", say("响应", "Response")], ["map", "/collections", say("数据", "Data")], ["layers.write", "/imports", say("导入", "Import")], ["accounts", "/admin", say("账户管理", "Accounts")],
  ["audit", "/auditor", say("审计", "Audit")], ["account", "/account", say("我的账户", "My account")], ["account", "/docs", "API"]];

export function head() {
  const other = new URL(location.href);
  other.searchParams.set("lang", zh ? "en" : "zh");
  const { person } = page;
  const links = HOME.filter(([right]) => person?.rights.includes(right) && !person.must)
    .map(([, href, name]) => e("a", { href, textContent: name }));
  const out = person ? e("button", { className: "plain", textContent: say("退出", "Log out"), onclick: logOut }) : null;
  document.body.append(e("header", { className: "bar" }, e("img", { src: "/static/icon.svg", alt: "" }),
    e("h1", { textContent: page.title }), e("nav", {}, ...links), person ? e("span", { className: "quiet", textContent: person.name }) : null,
    page.isFixed ? null : e("a", { href: other.href, textContent: zh ? "English" : "中文" }), out));
  const main = e("main");
  document.body.append(main);
  return main;
}

async function logOut() {
  await write("DELETE", "/session");
  go("/login");
}

// A form whose button waits for the answer; what went wrong is said above it.
export function form(fields, button, send) {
  const problem = e("p", { className: "bad", hidden: true });
  problem.setAttribute("role", "alert");
  const submit = e("button", { className: "action", type: "submit", textContent: button });
  const made = e("form", {}, ...fields, problem, submit);
  made.onsubmit = async event => {
    event.preventDefault();
    submit.disabled = true;
    problem.hidden = true;
    try {
      await send(Object.fromEntries(new FormData(made)));
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
    submit.disabled = false;
  };
  return made;
}

export const field = (label, name, properties = {}) => e("label", {}, label, e("input", { name, ...properties }));
export const choice = (label, name, options) =>
  e("label", {}, label, e("select", { name }, ...options.map(value => e("option", { value, textContent: named(value) }))));
// A choice among values that stands by itself and is acted on at once.
export const chooser = (label, options, changed) => e("select", { ariaLabel: label, onchange: changed },
  ...options.map(([value, textContent]) => e("option", { value, textContent })));
export const panel = (title, ...parts) => e("section", { className: "panel" }, e("h2", { textContent: title }), ...parts);

export function table(columns, rows) {
  if (!rows.length) return e("p", { className: "quiet", textContent: say("没有", "None") });
  const cell = value => e("td", {}, value instanceof Node ? value : String(value ?? ""));
  return e("div", { className: "scroll" }, e("table", {}, e("thead", {}, e("tr", {}, ...columns.map(textContent => e("th", { textContent })))),
    e("tbody", {}, ...rows.map(row => e("tr", {}, ...row.map(cell))))));
}

// A secret that nobody can be shown again.
export function shownOnce(title, secret) {
  return e("p", { className: "once" }, e("b", { textContent: `${title} ` }), e("code", { textContent: secret }),
    e("button", { className: "plain", textContent: say("复制", "Copy"), onclick: () => navigator.clipboard.writeText(secret) }),
    e("span", { className: "quiet", textContent: say(" 只显示这一次", " shown only now") }));
}

export const ready = () => { document.body.dataset.ready = "yes"; };
