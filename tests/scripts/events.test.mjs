// Events of the server: what the browser does after a break, and what is renewed.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

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

beforeEach(() => {
  sources.length = 0;
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
});

test("events are heard by kind, at the address behind the proxy", () => {
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

test("a break that the browser mends itself loses nothing, so nothing is asked for again", () => {
  listen(["layer"], () => {}, assert.fail);
  sources[0].opens();
  sources[0].breaks(0); // CONNECTING: it sends Last-Event-ID
  sources[0].opens();
  mock.timers.tick(120000);
  assert.equal(sources.length, 1);
});

test("a refusal is asked again later each time, and what was missed is told once", () => {
  let missed = 0;
  listen(
    ["layer"],
    () => {},
    () => {
      missed += 1;
    },
  );
  sources[0].breaks(Source.CLOSED); // 429, 502, 503
  mock.timers.tick(900);
  assert.equal(sources.length, 1);
  mock.timers.tick(400);
  assert.equal(sources.length, 2);
  sources[1].breaks(Source.CLOSED);
  mock.timers.tick(1900);
  assert.equal(sources.length, 2);
  mock.timers.tick(700);
  assert.equal(sources.length, 3);
  assert.equal(missed, 0);
  sources[2].opens();
  assert.equal(missed, 1);
  sources[2].breaks(0);
  sources[2].opens();
  assert.equal(missed, 1, "only a new source has missed something");
});

test("an end is an end, also while a new source is waited for", () => {
  const end = listen(
    ["layer"],
    () => {},
    () => {},
  );
  sources[0].breaks(Source.CLOSED);
  end();
  mock.timers.tick(120000);
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
  mock.timers.tick(300);
  assert.deepEqual(renewed, [["cameras", "posts"]]);
  await Promise.resolve();
  sources[0].breaks(Source.CLOSED);
  mock.timers.tick(1300);
  sources[1].opens();
  mock.timers.tick(300);
  assert.deepEqual(renewed[1], ["all"]);
  await Promise.resolve();
  sources[1].tells("layer", "cameras");
  end();
  mock.timers.tick(5000);
  assert.equal(renewed.length, 2);
});
