import assert from "node:assert/strict";
import { test } from "node:test";
import { MovableClock } from "./clock.ts";

test("a frozen clock stands still, and moves only by advance", async () => {
  const clock = new MovableClock();
  clock.freeze(1_000);
  assert.equal(clock.now(), 1_000);
  clock.advance(500);
  assert.equal(clock.now(), 1_500);
});

test("advance wakes sleepers in the order of their time", async () => {
  const clock = new MovableClock();
  clock.freeze(0);
  const woken: string[] = [];
  const late = clock.sleep(2_000).then(() => woken.push("late"));
  const early = clock.sleep(1_000).then(() => woken.push("early"));
  const never = new AbortController();
  const asleep = clock.sleep(9_000, never.signal).catch(() => woken.push("aborted"));
  clock.advance(2_000);
  await Promise.all([late, early]);
  assert.deepEqual(woken, ["early", "late"]);
  never.abort();
  await asleep;
  assert.deepEqual(woken, ["early", "late", "aborted"]);
});

test("a resumed clock runs on from where it stood", () => {
  const clock = new MovableClock();
  clock.freeze(5_000);
  clock.resume();
  assert.ok(clock.now() >= 5_000 && clock.now() < 60_000);
});

test("a clock restored from its state stands where it stood", () => {
  const clock = new MovableClock();
  clock.freeze(7_000);
  assert.equal(new MovableClock(clock.state).now(), 7_000);
});

test("a clock does not move backward", () => {
  assert.throws(() => new MovableClock().advance(-1), RangeError);
  assert.throws(() => new MovableClock().advance(Number.NaN), RangeError);
});
