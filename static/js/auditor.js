// The audit: search, check, export.
import { ask, choice, e, field, form, head, named, page, panel, ready, say, table, zh } from "./office.js";

const main = head();
const found = panel(say("记录", "Records"));
const check = panel(say("链校验", "Check of the chain"));
const search = form([
  field(say("从", "Since"), "since", { type: "datetime-local" }), field(say("到", "Until"), "until", { type: "datetime-local" }),
  field(say("谁", "Who"), "actor"), field(say("动作", "What"), "action", { placeholder: "session. / layer.export" }),
  field(say("对象", "Object"), "object_id"), choice(say("结果", "Result"), "result", ["", "done", "failed", "refused"]),
], say("查找", "Search"), async given => load(given));
search.className = "row";
const wanted = panel(say("查找", "Search"), search, e("p", {}, e("a", { href: "/audit/export", textContent: say("导出全部（JSON 行）", "Export everything (JSON lines)") })));
for (const part of [wanted, found]) part.classList.add("wide");
main.append(wanted, check, found);

const moment = text => new Date(text).toLocaleString(zh ? "zh-CN" : "en-GB", { hour12: false, timeZone: page.timezone });
let rows = [];

async function load(given, before) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(given)) {
    if (value) query.set(name, name === "since" || name === "until" ? new Date(value).toISOString() : value);
  }
  if (before) query.set("before", before);
  const { entries, next } = await ask(`/audit?${query}`);
  rows = before ? [...rows, ...entries] : entries;
  found.replaceChildren(e("h2", { textContent: say("记录", "Records") }), table(
    ["#", say("时间", "When"), say("谁", "Who"), say("来自", "From"), say("动作", "What"), say("对象", "Object"), say("结果", "Result"), say("详情", "Detail")],
    rows.map(one => [one.audit_id, moment(one.occurred_at), `${one.actor_name} ${named(one.actor_role)}`, one.address, one.action,
      `${one.object_type} ${one.object_id}`, named(one.result), JSON.stringify(one.detail)])),
    ...(next ? [e("button", { className: "plain", textContent: say("更早", "Older"), onclick: () => load(given, next) })] : []));
}

check.append(form([], say("校验整条链", "Check the whole chain"), async () => {
  const { rows: count, last_hash: hash, faults } = await ask("/audit/verification");
  check.append(e("p", { className: faults.length ? "bad" : "", textContent: faults.length ? faults.join("; ")
    : say(`${count} 条记录完好，末尾 ${hash}`, `${count} rows are what they were; last hash ${hash}`) }));
}));
load({}).then(ready);
