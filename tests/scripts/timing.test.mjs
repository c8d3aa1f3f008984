// When things are done again: clocks are turned by hand, so nothing here waits.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { every, pause, resume, sleep, together } from "../../static/js/timing.js";
import { turnedByHand } from "./clock.mjs";

let pass = async () => {};
beforeEach(() => {
  ({ pass } = turnedByHand());
});

test("a steady stream is answered at the latest after the longest wait", async () => {
  const done = [];
  const soon = together(() => done.push(Date.now()), 300, 2000);
  for (let event = 0; event < 100; event += 1) {
    soon(); // every 100 ms for ten seconds: never quiet for 300 ms
    await pass(100);
  }
  assert.deepEqual(done, [2000, 4000, 6000, 8000, 10000]);
});

test("many events at once are answered once, when it is quiet", async () => {
  const done = [];
  const soon = together(() => done.push(Date.now()), 300, 2000);
  for (let event = 0; event < 5; event += 1) soon();
  await pass(250);
  assert.equal(done.length, 0);
  await pass(5000);
  assert.deepEqual(done, [300]);
});

test("an event during the work is answered after it, and work that fails ends nothing", async () => {
  let runs = 0;
  let finish = () => {};
  const soon = together(
    () => {
      runs += 1;
      return new Promise((done, fail) => {
        finish = () => fail(new Error("told where it shows"));
      });
    },
    300,
    2000,
  );
  soon();
  await pass(300);
  soon();
  await pass(5000);
  assert.equal(runs, 1, "two at a time");
  finish();
  await pass(400);
  assert.equal(runs, 2);
  finish();
  await pass(5000);
  assert.equal(runs, 2);
});

test("what is cancelled is not done, and later events wait from their own beginning", async () => {
  const done = [];
  const soon = together(() => done.push(Date.now()), 300, 2000);
  soon();
  await pass(100);
  soon.cancel();
  await pass(5000);
  assert.equal(done.length, 0);
  soon();
  await pass(250);
  assert.equal(done.length, 0);
  await pass(50);
  assert.equal(done.length, 1);
});

test("a failure is waited for longer each time, as long as the server says, and not for ever", () => {
  for (let tries = 0; tries < 20; tries += 1) {
    const ms = pause(tries);
    const least = Math.min(1000 * 2 ** tries, 30000);
    assert.ok(ms >= least && ms <= least * 1.25, `${tries}: ${ms}`);
  }
  assert.ok(pause(0, 60000) >= 60000);
});

test("looking goes on: at its own pace, as the look says, later after failures", async () => {
  const looks = [];
  const answers = [undefined, 500, undefined, new Error("away"), undefined];
  const end = every(1000, async () => {
    looks.push(Date.now());
    const answer = answers[looks.length - 1];
    if (answer instanceof Error) throw answer;
    return answer;
  });
  await pass(7000);
  assert.deepEqual(looks.slice(0, 4), [1000, 2000, 2500, 3500]);
  assert.ok(looks[4] - looks[3] >= 2000 && looks[4] - looks[3] <= 2550, "longer after a failure");
  assert.ok(looks[5] - looks[4] <= 1050, "as before when it works again");
  end();
  const { length } = looks;
  await pass(5000);
  assert.equal(looks.length, length);
});

test("nobody goes on looking when the session is over, until somebody has logged in in place", async () => {
  const looks = [];
  let status = 401;
  const look = async () => {
    looks.push(Date.now());
    if (status) throw Object.assign(new Error("log in"), { status });
  };
  const end = every(1000, look, 0);
  const left = every(1000, look, 0);
  await pass(60000);
  assert.equal(looks.length, 2);
  left(); // what was stopped meanwhile stays so
  status = 0;
  resume();
  await pass(2500);
  assert.deepEqual(looks.slice(2), [60000, 61000, 62000]);
  end();
});

test("a wait ends when it is given up", async () => {
  const asked = new AbortController();
  const waiting = sleep(10000, asked.signal);
  asked.abort(new Error("another question"));
  await assert.rejects(waiting, /another question/);
});
