// Events of the server: what the browser does after a break, and what is renewed.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { turnedByHand } from "./clock.mjs";

const sources = [];
class Source extends EventTarget {
  static CLOSED = 2;
  readyState = 0;
  constructor(address) {
    super();
    this.address = address;
    sources.push(this);
  }
  close() {
    this.readyState = Source.CLOSED;
  }
  opens() {
    this.readyState = 1;
    this.onopen();
  }
  breaks(readyState) {
    this.readyState = readyState;
    this.onerror();
  }
  tells(kind, data) {
    this.dispatchEvent(new MessageEvent(kind, { data }));
  }
}
globalThis.EventSource = Source;
globalThis.document = { documentElement: { dataset: { base: "/city" } } };
const { follow, listen } = await import("../../static/js/events.js");

let pass = async () => {};
beforeEach(() => {
  sources.length = 0;
  ({ pass } = turnedByHand());
});

test("events are heard by kind, at the address behind the proxy", async () => {
  const heard = [];
  listen(["layer", "edition"], (kind, data) => heard.push([kind, data]), assert.fail);
  assert.equal(sources[0].address, "/city/events");
  sources[0].opens();
  sources[0].tells("layer", "cameras");
  sources[0].tells("incident", "7");
  sources[0].tells("edition", "2");
  assert.deepEqual(heard, [
    ["layer", "cameras"],
    ["edition", "2"],
  ]);
});

test("a break that the browser mends itself loses nothing, so nothing is asked for again", async () => {
  listen(["layer"], () => {}, assert.fail);
  sources[0].opens();
  sources[0].breaks(0); // CONNECTING: it sends Last-Event-ID
  sources[0].opens();
  await pass(120000);
  assert.equal(sources.length, 1);
});

test("a refusal is asked again later each time, and what was missed is told once", async () => {
  let missed = 0;
  listen(
    ["layer"],
    () => {},
    () => {
      missed += 1;
    },
  );
  sources[0].breaks(Source.CLOSED); // 429, 502, 503
  await pass(900);
  assert.equal(sources.length, 1);
  await pass(400);
  assert.equal(sources.length, 2);
  sources[1].breaks(Source.CLOSED);
  await pass(1900);
  assert.equal(sources.length, 2);
  await pass(700);
  assert.equal(sources.length, 3);
  assert.equal(missed, 0);
  sources[2].opens();
  assert.equal(missed, 1);
  sources[2].breaks(0);
  sources[2].opens();
  assert.equal(missed, 1, "only a new source has missed something");
});

test("a server that does not know what happened either says so", async () => {
  let missed = 0;
  listen(["layer"], assert.fail, () => {
    missed += 1;
  });
  sources[0].opens();
  sources[0].tells("reset", "");
  assert.equal(missed, 1);
});

test("an end is an end, also while a new source is waited for", async () => {
  const end = listen(
    ["layer"],
    () => {},
    () => {},
  );
  sources[0].breaks(Source.CLOSED);
  end();
  await pass(120000);
  assert.equal(sources.length, 1);
  assert.equal(sources[0].readyState, Source.CLOSED);
});

test("the parts that events make old are renewed together, each once, all after something was missed", async () => {
  const renewed = [];
  const end = follow(
    ["layer"],
    (_, name) => [name],
    () => ["all"],
    old => renewed.push([...old]),
  );
  sources[0].opens();
  for (const name of ["cameras", "posts", "cameras"]) sources[0].tells("layer", name);
  await pass(300);
  assert.deepEqual(renewed, [["cameras", "posts"]]);
  sources[0].breaks(Source.CLOSED);
  await pass(1300);
  sources[1].opens();
  await pass(300);
  assert.deepEqual(renewed[1], ["all"]);
  sources[1].tells("layer", "cameras");
  end();
  await pass(5000);
  assert.equal(renewed.length, 2);
});
