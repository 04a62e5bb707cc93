import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSchedule } from "./schedule.ts";

const ms = (iso: string): number => Date.parse(`${iso}Z`);
const iso = (at: number | undefined): string | undefined =>
  at === undefined ? undefined : new Date(at).toISOString().slice(0, 16);

/** 2026-11-22 is a Sunday. */
const CRON: [expression: string, after: string, ...due: string[]][] = [
  ["cron(0 10 * * ? *)", "2026-11-22T10:00:00", "2026-11-23T10:00", "2026-11-24T10:00"],
  ["cron(0 10 * * ? *)", "2026-11-22T09:59:59.999", "2026-11-22T10:00"],
  ["cron(*/15 * * * ? *)", "2026-11-22T23:31:00", "2026-11-22T23:45", "2026-11-23T00:00"],
  ["cron(1/10 * * * ? *)", "2026-11-22T10:00:00", "2026-11-22T10:01", "2026-11-22T10:11"],
  ["cron(0/5 8-17 ? * MON-FRI *)", "2026-11-20T17:55:00", "2026-11-23T08:00", "2026-11-23T08:05"],
  ["cron(0 18 ? * MON-FRI *)", "2026-11-22T00:00:00", "2026-11-23T18:00"],
  ["cron(0 18 ? * 2-6 *)", "2026-11-22T00:00:00", "2026-11-23T18:00"],
  ["cron(0 9 ? * sun *)", "2026-11-22T09:00:00", "2026-11-29T09:00"],
  ["cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)", "2026-11-22T08:00:00", "2026-11-23T08:00", "2026-11-23T08:01"],
  ["cron(1-31/30 1-1 ? * 1,7 *)", "2026-11-22T01:01:00", "2026-11-22T01:31", "2026-11-28T01:01"],
  ["cron(0 0 L * ? *)", "2028-02-01T00:00:00", "2028-02-29T00:00", "2028-03-31T00:00"],
  ["cron(0 0 31 * ? *)", "2026-11-01T00:00:00", "2026-12-31T00:00", "2027-01-31T00:00", "2027-03-31T00:00"],
  ["cron(0 0 29 2 ? *)", "2026-01-01T00:00:00", "2028-02-29T00:00", "2032-02-29T00:00"],
  ["cron(0 0 22W * ? *)", "2026-11-01T00:00:00", "2026-11-23T00:00"], // the 22nd is a Sunday
  ["cron(0 0 1W * ? *)", "2026-08-01T00:00:00", "2026-08-03T00:00"], // a Saturday: not back into July
  ["cron(0 0 31W * ? *)", "2026-05-01T00:00:00", "2026-05-29T00:00"], // a Sunday: not on into June
  ["cron(0 0 ? * 3#2 *)", "2026-11-01T00:00:00", "2026-11-10T00:00", "2026-12-08T00:00"],
  ["cron(0 0 ? * MON#5 *)", "2026-11-01T00:00:00", "2026-11-30T00:00", "2027-03-29T00:00"],
  ["cron(0 10 ? * 6L 2022-2027)", "2026-11-01T00:00:00", "2026-11-27T10:00", "2026-12-25T10:00"],
  ["cron(0 0 ? * L *)", "2026-11-22T00:00:00", "2026-11-28T00:00"],
  ["cron(0 0 1 JAN,JUL ? *)", "2026-11-22T00:00:00", "2027-01-01T00:00", "2027-07-01T00:00"],
  ["cron(30 12 1 1 ? 2030/2)", "2026-11-22T00:00:00", "2030-01-01T12:30", "2032-01-01T12:30"],
];
for (const [expression, after, ...due] of CRON)
  test(`${expression} after ${after} is due ${due.join(", then ")}`, () => {
    const schedule = parseSchedule(expression)!;
    let at = schedule.first(ms(after));
    for (const expected of due) {
      assert.equal(iso(at), expected);
      at = schedule.next(at!, at!);
    }
  });

test("A cron whose years are over, or whose day never comes, is never due", () => {
  for (const expression of ["cron(0 0 1 1 ? 2020)", "cron(0 0 30 2 ? *)"])
    assert.equal(parseSchedule(expression)!.first(ms("2026-11-22T00:00:00")), undefined);
});

test("A rate is due a period after its beginning, then in step, however long nobody looked", () => {
  const schedule = parseSchedule("rate(5 minutes)")!;
  const first = schedule.first(ms("2026-11-22T10:00:30"))!;
  assert.equal(iso(first), "2026-11-22T10:05");
  assert.equal(schedule.next(first, first), ms("2026-11-22T10:10:30"));
  assert.equal(schedule.next(first, ms("2026-11-22T12:00:00")), ms("2026-11-22T12:00:30"));
  assert.equal(iso(parseSchedule("rate(1 day)")!.first(ms("2026-11-22T10:00:00"))), "2026-11-23T10:00");
});

const WRONG = [
  "",
  "at(2026-01-01T00:00:00)",
  "cron()",
  "cron(INVALID)",
  "cron(0 1 * * * *)",
  "cron(0 1 ? * ? *)",
  "cron(7 20 * * NOT *)",
  "cron(0 dummy ? * MON-FRI *)",
  "cron(71 8 1 * ? *)",
  "cron(0 24 * * ? *)",
  "cron(0 0 0 * ? *)",
  "cron(0 0 32W * ? *)",
  "cron(0 0 ? * 8 *)",
  "cron(0 0 ? * 3#6 *)",
  "cron(0 0 ? * 3#1,6#3 *)",
  "cron(0 0 ? 13 MON *)",
  "cron(0 0 ? FOO MON *)",
  "cron(0 0 1 ? * *)",
  "cron(0 0 1 1 ? 2200)",
  "cron(10-5 * * * ? *)",
  "cron(*/0 * * * ? *)",
  "cron(0 10 * * ?)",
  "cron(0 10 * * ? * *)",
  "rate()",
  "rate(10)",
  "rate(0 minutes)",
  "rate(-10 minutes)",
  "rate(1 minutes)",
  "rate(10 minute)",
  "rate(10 seconds)",
  "rate(10 years)",
  "rate(10 minutess)",
  "rate( 10 minutes )",
  " rate(10 minutes)",
  "rate(foo minutes)",
];
for (const expression of WRONG)
  test(`'${expression}' is no schedule`, () => assert.equal(parseSchedule(expression), undefined));
