// Places as callers and colleagues write them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readPlace } from "../../static/js/places.js";

const near = (found, lon, lat) => {
  assert.ok(found);
  assert.ok(Math.abs(found.lon - lon) < 1e-9 && Math.abs(found.lat - lat) < 1e-9, JSON.stringify(found));
};

test("the usual ways of writing one place", () => {
  for (const typed of [
    "114.5043, 37.0682",
    "114.5043 37.0682",
    "114.5043，37.0682",
    "37.0682, 114.5043", // only this order is possible
    "经度114.5043 纬度37.0682",
    "纬度：37.0682，经度：114.5043",
    "北纬37.0682 东经114.5043",
    "lat=37.0682 lon=114.5043",
    "N37.0682 E114.5043",
    "37.0682N 114.5043E",
    "(114.5043, 37.0682)",
    "１１４．５０４３，３７．０６８２", // full width
  ])
    near(readPlace(typed), 114.5043, 37.0682);
});

test("degrees, minutes and seconds", () => {
  for (const typed of [
    `114°30'15.5"E 37°4'6"N`,
    "37°4′6″N, 114°30′15.5″E",
    "东经114度30分15.5秒 北纬37度4分6秒",
    "114°30'15.5'' 37°4'6''",
  ])
    near(readPlace(typed), 114 + 30 / 60 + 15.5 / 3600, 37 + 4 / 60 + 6 / 3600);
  near(readPlace("114°30' 37°4'"), 114.5, 37 + 4 / 60);
});

test("west and south are below zero", () => {
  near(readPlace("W71.5 S33.25"), -71.5, -33.25);
  near(readPlace("-71.5 -33.25"), -71.5, -33.25);
});

test("what is no place", () => {
  const wrong = ["", "114.5", "1 2 3", "人民路 37", "200, 37", "经度114 经度115", "abc", "2026-11-27", "#17"];
  for (const typed of [...wrong, "13912345678", "114,5,37", "181 0", "91 91", "NaN 1", "1 Infinity"])
    assert.equal(readPlace(typed), null, typed);
});
