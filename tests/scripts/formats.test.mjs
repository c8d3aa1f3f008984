// Numbers, lengths, times and places as people read and type them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { formats } from "../../static/js/formats.js";

const zh = formats("zh", "Asia/Shanghai");
const en = formats("en", "Asia/Shanghai");

test("numbers and shares", () => {
  assert.equal(en.number(1234567), "1,234,567");
  assert.equal(en.number(1.26, 1), "1.3");
  assert.equal(en.number(0), "0");
  assert.equal(en.number(null), "–");
  assert.equal(en.number(undefined), "–");
  assert.equal(en.percent(0.1234), "12 %");
  assert.equal(en.percent(0.1234, 1), "12.3 %");
  assert.equal(en.percent(0), "0 %");
  assert.equal(en.percent(null), "–");
});

test("lengths change their unit at a kilometre", () => {
  assert.deepEqual([0, 9.94, 10, 999, 1000, 12345].map(en.metres), [
    "0.0 m",
    "9.9 m",
    "10 m",
    "999 m",
    "1.0 km",
    "12.3 km",
  ]);
});

test("durations never have sixty seconds", () => {
  assert.deepEqual([0, 59.4, 59.6, 60, 119.7, 300].map(en.duration), [
    "0 s",
    "59 s",
    "1 min 0 s",
    "1 min 0 s",
    "2 min 0 s",
    "5 min 0 s",
  ]);
  assert.equal(zh.duration(200), "3 分 20 秒");
  assert.deepEqual([7199, 7200, 47.99 * 3600, 48 * 3600, 100 * 3600].map(en.duration), [
    "119 min 59 s",
    "2 h 0 min",
    "47 h 59 min",
    "2 d 0 h",
    "4 d 4 h",
  ]);
});

test("how long ago, up to days", () => {
  const now = new Date("2026-03-01T12:00:00Z");
  const said = minutes => en.ago(new Date(now.getTime() - minutes * 60000), now);
  assert.deepEqual([-5, 0, 1, 59, 60, 2879, 2880].map(said), [
    "just now",
    "just now",
    "1 min ago",
    "59 min ago",
    "1 h ago",
    "48 h ago",
    "2 d ago",
  ]);
  assert.equal(zh.ago("2026-03-01T11:30:00Z", now), "30分钟前");
});

test("moments are those of the city, whatever the screen's own zone", () => {
  const night = "2026-02-28T16:05:09Z"; // five past midnight in Shanghai
  assert.match(en.moment(night), /01\/03\/2026.*(24|00):05:09/);
  assert.match(zh.when(night), /2026\/3\/1.*(24|00):05/);
  assert.match(en.timeOfDay(night), /(24|00):05:09/);
  assert.match(en.clock(night), /00:05/);
  assert.equal(en.day(night), "01/03/2026");
  assert.equal(zh.listed(["甲", "乙"]), "甲、乙");
});


test("a moment of the city's clocks is the same one everywhere, whatever the clock of the computer", () => {
  const city = formats("zh", "Asia/Shanghai");
  assert.equal(city.momentOf("2026-11-25T08:00"), "2026-11-25T00:00:00.000Z");
  assert.equal(city.dayOf("2026-11-25T16:30:00Z"), "2026-11-26");
  assert.equal(city.minuteOf("2026-11-25T16:30:59Z"), "2026-11-26T00:30");
  assert.equal(city.momentOf(city.minuteOf("2026-11-25T16:30:00Z")), "2026-11-25T16:30:00.000Z");
  const other = formats("en", "America/New_York"); // which puts its clocks back on 1 November 2026 at 2
  assert.equal(other.momentOf("2026-11-01T00:30"), "2026-11-01T04:30:00.000Z");
  assert.equal(other.momentOf("2026-11-01T03:30"), "2026-11-01T08:30:00.000Z");
});
