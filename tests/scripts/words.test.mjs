// The catalogue: both languages say the same things, and the pages use all of it and nothing else.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { speaker } from "../../static/js/speaking.js";
import { CODES, WORDS } from "../../static/js/words.js";

const FOLDER = new URL("../../static/js", import.meta.url).pathname;
const HAN = /[\u4e00-\u9fff]/;
const scripts = readdirSync(FOLDER, { recursive: true })
  .filter(name => name.endsWith(".js") && !["words.js", "speaking.js"].includes(name))
  .map(name => readFileSync(join(FOLDER, name), "utf8"))
  .join("\n");

const values = sentence => [...sentence.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
const used = pattern => new Set([...scripts.matchAll(pattern)].map(([, key]) => key));
const sorted = names => [...names].sort();
const texts = [
  ...Object.entries(WORDS),
  ...Object.entries(CODES).flatMap(([group, codes]) =>
    Object.entries(codes).map(([code, said]) => [`${group}.${code}`, said]),
  ),
];

test("every text is there in Chinese and in English", () => {
  for (const [key, said] of texts) {
    assert.equal(said.length, 2, key);
    const [zh, en] = said;
    assert.ok(zh.trim() && en.trim(), `${key} is empty in one language`);
    if (key !== "otherLanguage") assert.ok(!HAN.test(en), `${key} says Chinese to English readers`);
  }
});

test("both languages ask for the same values", () => {
  for (const [key, [zh, en]] of texts) assert.deepEqual(values(zh), values(en), key);
});

test("the pages use every sentence and every group of codes, and no other", () => {
  assert.deepEqual(sorted(used(/\bsay\(\s*"(\w+)"/g)), sorted(Object.keys(WORDS)));
  assert.deepEqual(sorted(used(/\bnamed\(\s*"(\w+)"/g)), sorted(Object.keys(CODES)));
  const unread = [...scripts.matchAll(/\b(say|named)\((?!\s*")[^)]*\)/g)].map(([call]) => call);
  assert.deepEqual(unread, [], "keys are written out, so that this test can see them");
});

test("a sentence is said with its values, in the language of the reader", () => {
  const [zh, en] = [speaker("zh"), speaker("en")];
  assert.equal(en.say("rowsOfFile", { rows: 12, importable: "0" }), "12 rows, 0 can be imported");
  assert.equal(zh.say("rowsOfFile", { rows: 12, importable: "0" }), "12 行，可导入 0 行");
  assert.equal(en.say("oneTimePassword", { name: "{name} $& $1" }), "One-time password of {name} $& $1");
});

test("a code has its name, and one that is not known is shown as it is", () => {
  const { named } = speaker("zh");
  assert.equal(named("steps", "handled"), "处置");
  assert.equal(named("steps", "sleeping"), "sleeping");
  assert.equal(named("steps", "constructor"), "constructor");
});
