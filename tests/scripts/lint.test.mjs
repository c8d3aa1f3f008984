// The rules find what they are for: a string that is read as HTML, words outside the catalogue.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ESLint } from "eslint";

const root = new URL("../..", import.meta.url).pathname;
const eslint = new ESLint({ cwd: root });

async function faults(code, filePath = "static/js/planted.js") {
  const [{ messages }] = await eslint.lintText(code, { filePath });
  return messages.map(({ ruleId }) => ruleId).filter(rule => rule !== "no-undef" && rule !== "no-unused-vars");
}

const READS_HTML = [
  "dot.bindTooltip(name);",
  "shape.bindPopup(`${name}`);",
  "tip.setContent(name);",
  "box.innerHTML = name;",
  "box.insertAdjacentHTML('beforeend', name);",
  "L.divIcon({ html: name });",
  "layer.setTooltipContent(name);",
  "L.tileLayer(url, { attribution: name });",
  "setTimeout('alert(1)');",
  "map.openPopup(name, at);",
  "element('div', { innerHTML: name });",
  "frame.srcdoc = name;",
  "new DOMParser();",
  "eval(name);",
  "new Function(name);",
  "document.write(name);",
  "document.createElement('script');",
  "element('iframe');",
  "location.href = 'javascript:alert(1)';",
  "L.popup(at, { content: name });",
  "const { innerHTML } = box;",
];

test("a string goes to nothing that reads HTML", async () => {
  for (const code of READS_HTML) assert.notDeepEqual(await faults(code), [], code);
});

test("only marks.js makes icons and tips, and nothing else", async () => {
  assert.deepEqual(await faults("L.divIcon({}); ", "static/js/marks.js"), []);
  assert.notDeepEqual(await faults("shape.bindPopup(name);", "static/js/marks.js"), []);
});

test("words stand in the catalogue", async () => {
  assert.deepEqual(await faults('panel("审计");'), ["no-restricted-syntax"]);
  assert.deepEqual(await faults("panel(`第 ${number} 版`);"), ["no-restricted-syntax", "no-restricted-syntax"]);
  assert.deepEqual(await faults('const name = text.replace(/居委会$/, "");'), []);
});

test("lines are for people", async () => {
  assert.deepEqual(await faults("one(); two();"), ["max-statements-per-line"]);
  assert.deepEqual(await faults(`one(${"a, ".repeat(50)});`), ["max-len"]);
});

test("what crosses modules and takes something says of what type", () => {
  const folder = join(root, "static/js");
  for (const name of readdirSync(folder, { recursive: true }).filter(file => file.endsWith(".js"))) {
    const script = readFileSync(join(folder, name), "utf8");
    const taken =
      /^export (?:async )?(?:function|const) (\w+)(?: = (?:async )?)?\(?(?=\w|\{|\[)[^()]*\)?(?: =>| \{$)/gm;
    for (const { index, 1: exported } of script.matchAll(taken)) {
      assert.match(script.slice(0, index), /\*\/\n$/, `${name}: ${exported}`);
    }
  }
});
