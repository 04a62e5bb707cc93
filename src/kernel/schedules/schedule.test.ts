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

/** New York: clocks go from 2:00 to 3:00 on 2026-03-08, and from 2:00 back to 1:00 on 2026-11-01. */
const ZONED: [expression: string, zone: string, after: string, ...due: string[]][] = [
  ["cron(0 10 * * ? *)", "Europe/Berlin", "2026-03-28T00:00:00", "2026-03-28T09:00", "2026-03-29T08:00"],
  ["cron(0 10 * * ? *)", "Europe/Berlin", "2026-10-24T00:00:00", "2026-10-24T08:00", "2026-10-25T09:00"],
  // No 2:30 on the 8th: it is skipped.
  ["cron(30 2 * * ? *)", "America/New_York", "2026-03-07T00:00:00", "2026-03-07T07:30", "2026-03-09T06:30"],
  // 1:30 twice on the 1st: it is due once, at the first.
  ["cron(30 1 * * ? *)", "America/New_York", "2026-10-31T12:00:00", "2026-11-01T05:30", "2026-11-02T06:30"],
  ["cron(0/30 * * * ? *)", "America/New_York", "2026-11-01T05:00:00", "2026-11-01T05:30", "2026-11-01T07:00"],
  ["cron(0/30 * * * ? *)", "America/New_York", "2026-03-08T06:30:00", "2026-03-08T07:00", "2026-03-08T07:30"],
  // Asked in the second of the two hours.
  ["cron(30 1 * * ? *)", "America/New_York", "2026-11-01T06:10:00", "2026-11-02T06:30"],
  ["cron(0 0 1 1 ? *)", "Asia/Kathmandu", "2026-06-01T00:00:00", "2026-12-31T18:15"],
  ["cron(0 0 ? * SUN *)", "Pacific/Kiritimati", "2026-11-22T00:00:00", "2026-11-28T10:00"],
  ["cron(45 2 * * ? *)", "Australia/Lord_Howe", "2026-10-03T00:00:00", "2026-10-03T15:45", "2026-10-04T15:45"],
];
for (const [expression, zone, after, ...due] of ZONED)
  test(`${expression} in ${zone} after ${after} is due ${due.join(", then ")}`, () => {
    const schedule = parseSchedule(expression, { zone })!;
    let at = schedule.first(ms(after));
    for (const expected of due) {
      assert.equal(iso(at), expected);
      at = schedule.next(at!, at!);
    }
  });

test("at is due once, in its zone, if it is not over", () => {
  const at = (text: string, zone = "UTC") => parseSchedule(`at(${text})`, { zone, of: "scheduler" });
  const now = ms("2026-01-01T00:00:00");
  assert.equal(iso(at("2026-11-20T13:00:00")!.first(now)), "2026-11-20T13:00");
  assert.equal(iso(at("2026-11-20T13:00:00", "America/New_York")!.first(now)), "2026-11-20T18:00");
  assert.equal(at("2026-11-20T13:00:00")!.next(now, now), undefined);
  assert.equal(at("2025-11-20T13:00:00")!.first(now), undefined);
  assert.equal(at("2026-03-08T02:30:00", "America/New_York")!.first(now), undefined, "a time that does not come");
  for (const wrong of ["2026-11-20", "2026-11-20T13:00:00Z", "2026-02-31T00:00:00", "2026-11-20T24:00:00", ""])
    assert.equal(at(wrong), undefined, wrong);
});

test("Scheduler's rates begin at once, and take each unit with each number", () => {
  const schedule = parseSchedule("rate(1 minutes)", { of: "scheduler" })!;
  assert.equal(schedule.first(5), 5);
  assert.equal(schedule.next(5, 5), 60_005);
});

test("An unknown zone makes no schedule", () => {
  for (const zone of ["Mars/Olympus", "", "+05:00", "UTC+1"])
    assert.equal(parseSchedule("cron(0 10 * * ? *)", { zone }), undefined, zone);
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
