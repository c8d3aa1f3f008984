// Import: choose a file, see what it would bring, then confirm.
import { e, field, form, head, page, panel, ready, say, table, write } from "./office.js";

const main = head();
const CRS = [["", say("文件自己说明（仅 GeoJSON）", "as the file says (GeoJSON only)")], ["EPSG:4490", "CGCS2000 (EPSG:4490)"], ["EPSG:4326", "WGS 84 (EPSG:4326)"],
  ["GCJ-02", say("GCJ-02（高德、腾讯）", "GCJ-02 (Amap, Tencent)")], ["BD-09", say("BD-09（百度）", "BD-09 (Baidu)")], ["EPSG:4547", "CGCS2000 / 3° GK 114E (EPSG:4547)"], ["EPSG:3857", "Web Mercator (EPSG:3857)"]];
const layerOf = name => page.layers.find(layer => layer.name === name);
const option = ([value, textContent]) => e("option", { value, textContent });
const layers = e("select", { name: "layer", onchange: () => { mapping.replaceChildren(); } }, ...page.layers.map(one => option([one.name, page.lang === "zh" ? one.title_zh : one.title_en])));
const file = e("input", { name: "file", type: "file", required: true, accept: page.formats.join(",") });
const mapping = e("div", { className: "mapping" });
const bar = e("progress", { max: 1, value: 0, hidden: true });
const state = e("p", { className: "quiet", hidden: true });
state.setAttribute("role", "status");
const result = e("div", { className: "wide" });

const ask = form([
  e("label", {}, say("图层", "Layer"), layers), e("label", {}, say("文件（可拖放到此页）", "File (or drop it on this page)"), file),
  e("label", {}, say("坐标系", "Coordinates"), e("select", { name: "source_crs" }, ...CRS.map(option))),
  e("details", {}, e("summary", { textContent: say("列对应", "Columns") }), mapping,
    field(say("经度列", "Longitude column"), "lon_column"), field(say("纬度列", "Latitude column"), "lat_column"),
    e("label", { className: "check" }, e("input", { type: "checkbox", name: "received_now", value: "true" }), say("没有时间的行从现在算起", "rows without a time count from now"))),
  e("details", {}, e("summary", { textContent: say("写法", "How it is written") }),
    field(say("编码（如 GB18030、Big5、EUC-KR）", "Encoding (GB18030, Big5, EUC-KR …)"), "encoding"),
    field(say("时间格式（如 %d/%m/%Y %H:%M）", "Form of times (%d/%m/%Y %H:%M …)"), "datetime_format"),
    field(say("分隔符", "Separator"), "separator"), field(say("小数点", "Decimal sign"), "decimal")), bar, state,
], say("检查", "Check"), async () => {
  result.replaceChildren();
  show(await send(new FormData(ask)));
});
main.append(panel(say("导入文件", "Import a file"), e("p", { className: "quiet", textContent: say(
  "先检查，不改动任何数据；看过报告再确认。", "A file is checked first and changes nothing; you confirm when you have seen the report.") }), ask), result);
main.querySelector(".panel").classList.add("wide");

for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, event => {
    event.preventDefault();
    if (kind === "drop" && event.dataTransfer.files.length) file.files = event.dataTransfer.files;
  });
}

// As XMLHttpRequest, which alone tells how much was sent.
function send(given) {
  const columns = {};
  for (const select of mapping.querySelectorAll("select")) {
    given.delete(select.name);
    if (select.value) columns[select.dataset.field] = select.value;
  }
  given.set("columns", JSON.stringify(columns));
  return new Promise((resolve, reject) => {
    const sent = new XMLHttpRequest();
    const done = () => { bar.hidden = state.hidden = true; };
    bar.hidden = state.hidden = false;
    state.textContent = say("上传中…", "Sending…");
    sent.upload.onprogress = ({ loaded, total }) => { bar.value = loaded / total; };
    sent.upload.onload = () => { bar.removeAttribute("value"); state.textContent = say("检查中…", "Checking…"); };
    sent.onload = () => {
      done();
      let body = {};
      try { body = JSON.parse(sent.responseText); } catch { /* the status says it */ }
      if (sent.status < 300) return resolve(body);
      const rows = body.errors?.filter(one => one.row).slice(0, 200) ?? [];
      if (rows.length) result.replaceChildren(bad(rows, rows.length));
      return reject(new Error(body.detail ?? `HTTP ${sent.status}`));
    };
    sent.onerror = () => { done(); reject(new Error(say("服务器无法连接", "The server cannot be reached"))); };
    sent.open("POST", "/imports");
    if (page.person.csrf) sent.setRequestHeader("X-CSRF-Token", page.person.csrf);
    sent.send(given);
  });
}

const number = value => value.toLocaleString(page.lang === "zh" ? "zh-CN" : "en-GB");
const bad = (rows, count) => panel(say(`${number(count)} 行有问题`, `${number(count)} rows are bad`),
  table([say("行", "Row"), say("原因", "Reason")], rows.map(({ row, reason }) => [row ?? "", reason])));

function show(report) {
  map(report);
  const { importable, rows, bad_row_count: wrong, duplicates, unassigned, notes } = report;
  const problem = e("p", { className: "bad", hidden: true });
  problem.setAttribute("role", "alert");
  const skip = e("input", { type: "checkbox", name: "skip_invalid" });
  const confirm = e("button", { className: "action", textContent: say(`导入 ${number(importable)} 行`, `Import ${number(importable)} rows`), disabled: wrong > 0 || !importable });
  skip.onchange = () => { confirm.disabled = !importable || (wrong > 0 && !skip.checked); };
  const act = work => async () => {
    confirm.disabled = true;
    try { await work(); } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      confirm.disabled = false;
    }
  };
  confirm.onclick = act(async () => {
    const done = await write("POST", `/imports/${report.import_id}/confirmation`, { skip_invalid: skip.checked });
    result.replaceChildren(panel(say("已导入", "Imported"), e("p", { className: "good", textContent: say(`${number(done.importable)} 行已存入“${layerOf(done.layer).title_zh}”`, `${number(done.importable)} rows are in ${layerOf(done.layer).title_en}`) }),
      e("a", { className: "action", href: `/collections/${done.layer}/items?f=html`, textContent: say("查看", "Look") })));
    ask.reset();
  });
  const drop = e("button", { className: "plain", textContent: say("放弃", "Discard"), onclick: act(async () => {
    await write("DELETE", `/imports/${report.import_id}`);
    result.replaceChildren();
  }) });
  result.replaceChildren(panel(report.file_name,
    e("p", {}, say(`${number(rows)} 行，可导入 ${number(importable)} 行`, `${number(rows)} rows, ${number(importable)} can be imported`),
      duplicates ? say(`；重复 ${number(duplicates)} 行`, `; ${number(duplicates)} are there already`) : "",
      unassigned ? say(`；${number(unassigned)} 行不在任何网格内`, `; ${number(unassigned)} lie outside every grid cell`) : ""),
    ...notes.map(textContent => e("p", { className: "note", textContent: `⚠ ${textContent}` })),
    wrong ? e("label", { className: "check" }, skip, say("略去有问题的行", "leave the bad rows out")) : null,
    problem, e("p", {}, confirm, " ", drop)), ...(wrong ? [bad(report.bad_rows, wrong)] : []));
  confirm.focus();
}

// After a look at the file its columns can be chosen by hand.
function map({ layer, columns, fields }) {
  mapping.replaceChildren(...layerOf(layer).fields.map(name => {
    const select = e("select", { name: `column-${name}`, data: { field: name } }, option(["", "—"]), ...columns.map(column => option([column, column])));
    select.value = fields[name] ?? "";
    return e("label", {}, name, select);
  }));
}
ready();
