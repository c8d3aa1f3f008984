// Questions that a step asks first.
import { write } from "../server.js";
import { e, field, form, page, say, table } from "../office.js";

// A dialog that `fill` fills, given what ends it with an answer; null when it was given up.
const dialog = (title, fill) => new Promise(found => {
  const box = e("dialog", { className: "panel" });
  const end = answer => {
    found(answer);
    box.close();
  };
  box.append(e("h2", { textContent: title }), ...fill(end),
    e("button", { className: "plain", type: "button", textContent: say("取消", "Cancel"), onclick: () => box.close() }));
  box.onclose = () => {
    found(null);
    box.remove();
  };
  document.body.append(box);
  box.showModal();
});

// A few values.
export const ask = (title, fields) => dialog(title, end => [form(fields, say("确定", "Go on"), async given => end(given))]);

const MEASURES = { households: say("户数", "Households"), incidents: say("近 12 个月警情", "Incidents of 12 months"), visiting_time: say("走访时间（分钟）", "Visiting time (minutes)") };
const AIMS = { present: say("现状", "Present"), balanced: say("最均衡", "Most even"), compact: say("最紧凑", "Most compact"), least_moved: say("变动最小", "Least moved") };
const number = value => value.toLocaleString(page.lang === "zh" ? "zh-CN" : "en-GB", { maximumFractionDigits: 1 });

// What the chosen cells contain is shared out evenly: several ways to choose from, beside the present.
export async function balance(bench, codes) {
  const wish = await ask(say(`均衡 ${codes.length} 个网格所含的下级网格`, `Balance what ${codes.length} cells contain`), [
    e("label", {}, say("按", "By"), e("select", { name: "measure" }, ...Object.entries(MEASURES).map(([value, textContent]) => e("option", { value, textContent })))),
    field(say("分成几组", "How many groups"), "count", { type: "number", min: 2, max: 200, value: codes.length, required: true }),
    e("label", { className: "check" }, e("input", { type: "checkbox", name: "along_roads", value: "yes" }), say("尽量沿主要道路", "Borders along main roads where possible")),
  ]);
  const answer = wish && await bench.run(() => write("POST", `${bench.address}/proposals`, {
    parents: codes, measure: wish.measure, count: Number(wish.count), along_roads: wish.along_roads === "yes",
  }));
  if (!answer) return null;
  const rows = [answer.present, ...answer.proposals];
  return dialog(say("方案比较", "Compared on the same measures"), end => [
    wish.along_roads && !answer.along_roads ? e("p", { className: "quiet", textContent: say("此处没有可依的主要道路", "No main roads divide these cells") }) : "",
    table([say("方案", "Proposal"), say("最大偏差", "Deviation"), say("紧凑度", "Compactness"), say("切边", "Cut edges"), `${MEASURES[wish.measure]} ${say("变动", "moved")}`, say("各组", "Groups"), ""],
      rows.map(({ aim, groups, measures }) => [AIMS[aim], `${number(measures.deviation * 100)} %`, number(measures.compactness * 100), measures.cut_edges, number(measures.moved),
        Object.values(measures.loads).map(number).join(" · "),
        aim === "present" ? "" : e("button", { className: "action", textContent: say("采用", "Use"), onclick: () => end({ groups }) })])),
  ]);
}

// Who answers for cells from then on; whoever did until then ends.
export async function duties(codes) {
  const given = await ask(say(`${codes.join("、")} 的负责人（生效后替换原有）`, `Who answers for ${codes.join(", ")} (replaces those there are)`), [
    field(say("网格长", "Grid lead"), "lead", { maxLength: 200 }), field(say("网格长电话", "Grid lead's phone"), "phone", { maxLength: 32 }),
    field(say("网格管理员（逗号分隔）", "Grid managers (separated by commas)"), "managers", { maxLength: 2000 }),
    field(say("网格协管员（逗号分隔）", "Grid assistants (separated by commas)"), "assistants", { maxLength: 2000 }),
  ]);
  if (!given) return null;
  const several = (text, role) => text.split(/[,，、]/).map(name => name.trim()).filter(Boolean).map(name => ({ duty_role: role, person_name: name }));
  const lead = several(given.lead, "grid_lead").map(one => ({ ...one, phone: given.phone }));
  return { codes, duties: [...lead, ...several(given.managers, "grid_manager"), ...several(given.assistants, "grid_assistant")] };
}

// One more place where patrols of a zone must stop; or it alone.
export async function stops(codes, zone, place) {
  const had = zone.stops ?? [];
  const given = place && await ask(say(`${zone.name} 的必巡点`, `A stop of ${zone.name}`), [
    field(say("名称", "Name"), "name", { required: true, maxLength: 200 }),
    field(say("最早", "From"), "from", { type: "time" }), field(say("最晚", "Until"), "to", { type: "time" }),
    e("label", { className: "check", hidden: !had.length }, e("input", { type: "checkbox", name: "alone", value: "yes" }), say(`取消原有 ${had.length} 处`, `Drop the ${had.length} there are`)),
  ]);
  if (!given) return null;
  const stop = { name: given.name, point: place.coordinates, ...(given.from ? { window_from: given.from } : {}), ...(given.to ? { window_to: given.to } : {}) };
  const kept = (given.alone ? [] : had).map(one => Object.fromEntries(Object.entries(one).filter(([, value]) => value !== null)));
  return { codes, stops: [...kept, stop] };
}
