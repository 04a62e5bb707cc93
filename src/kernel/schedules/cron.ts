// AWS's six-field cron: when an expression is due next, in a time zone. Pure.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html
import { type Instants, UTC } from "./zones.ts";

export interface Cron {
  /** Due at the first of these after `ms` (since the epoch), to the minute; undefined: never again. */
  next(ms: number): number | undefined;
}

interface Field {
  readonly least: number;
  readonly most: number;
  readonly names?: readonly string[];
}

const MINUTES: Field = { least: 0, most: 59 };
const HOURS: Field = { least: 0, most: 23 };
const DAYS: Field = { least: 1, most: 31 };
const MONTHS: Field = {
  least: 1,
  most: 12,
  names: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
/** Sunday is 1. */
const WEEKDAYS: Field = { least: 1, most: 7, names: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] };
const YEARS: Field = { least: 1970, most: 2199 };

/** The days of one month that are meant, in order. `month` is 1-12. */
type Days = (year: number, month: number) => readonly number[];

/** `fields` is what stands between the parentheses; undefined where it is no cron expression of AWS's. */
export function parseCron(fields: string, zone: Instants = UTC): Cron | undefined {
  const [minute, hour, day, month, weekday, year, ...more] = fields.trim().split(/\s+/);
  if (year === undefined || more.length > 0) return undefined;
  const minutes = parseField(minute!, MINUTES);
  const hours = parseField(hour!, HOURS);
  const months = parseField(month!, MONTHS);
  const years = parseField(year, YEARS);
  // One of the two, and only one, is "?".
  const days = weekday === "?" ? daysOfMonth(day!) : day === "?" ? daysOfWeek(weekday!) : undefined;
  if (!minutes || !hours || !months || !years || !days) return undefined;
  return { next: (ms) => nextOf({ minutes, hours, days, months, years }, zone, ms) };
}

interface Parsed {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly days: Days;
  readonly months: readonly number[];
  readonly years: readonly number[];
}

const MINUTE_MS = 60_000;

/** What the fields say is the time on a wall in the zone; a time that the wall does not show is skipped, one that it shows twice is due once. */
function nextOf(cron: Parsed, zone: Instants, after: number): number | undefined {
  const from = Math.floor(after / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
  for (const wall of walls(cron, zone.wallOf(from))) {
    const at = zone.instantOf(wall);
    if (at !== undefined && at >= from) return at;
  }
  return undefined;
}

/** Written as if they were UTC, in order. */
function* walls({ minutes, hours, days, months, years }: Parsed, from: number): Generator<number> {
  const firstYear = new Date(from).getUTCFullYear();
  for (const year of years) {
    if (year < firstYear) continue;
    for (const month of months) {
      if (Date.UTC(year, month) <= from) continue; // this month is over before `from`
      for (const day of days(year, month)) {
        if (Date.UTC(year, month - 1, day + 1) <= from) continue;
        for (const hour of hours)
          for (const minute of minutes) {
            const wall = Date.UTC(year, month - 1, day, hour, minute);
            if (wall >= from) yield wall;
          }
      }
    }
  }
}

/** Lists of values, ranges and steps, in order and without repetition; undefined where something is wrong. */
function parseField(text: string, field: Field): readonly number[] | undefined {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const found = /^(?:(\*)|([0-9]+|[A-Z]{3})(?:-([0-9]+|[A-Z]{3}))?)(?:\/([0-9]+))?$/i.exec(part);
    if (!found) return undefined;
    const [, all, low, high, step] = found;
    const first = all ? field.least : numberIn(low!, field);
    // A value with a step goes on to the end; alone it is itself.
    const last = high ? numberIn(high, field) : all || step ? field.most : first;
    const by = step === undefined ? 1 : Number(step);
    if (first === undefined || last === undefined || first > last || by < 1 || by > field.most) return undefined;
    for (let value = first; value <= last; value += by) values.add(value);
  }
  return [...values].sort((a, b) => a - b);
}

function numberIn(text: string, { least, most, names = [] }: Field): number | undefined {
  const named = names.indexOf(text.toUpperCase());
  const value = named >= 0 ? named + least : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
}

/** `L` is the last day, `3W` the weekday nearest to the third, in the same month. */
function daysOfMonth(text: string): Days | undefined {
  if (/^L$/i.test(text)) return (year, month) => [lastDay(year, month)];
  const nearest = /^(\d{1,2})W$/i.exec(text);
  if (nearest) {
    const day = numberIn(nearest[1]!, DAYS);
    return day === undefined ? undefined : (year, month) => nearestWeekday(year, month, day);
  }
  const days = parseField(text, DAYS);
  return days && ((year, month) => days.filter((day) => day <= lastDay(year, month)));
}

/** `3#2` is the second Tuesday, `6L` the last Friday; `L` alone the last day of the week. */
function daysOfWeek(text: string): Days | undefined {
  const nth = /^([0-9]|[A-Z]{3})#([1-5])$/i.exec(text);
  if (nth) {
    const weekday = numberIn(nth[1]!, WEEKDAYS);
    const count = Number(nth[2]);
    return weekday === undefined
      ? undefined
      : (year, month) => daysWhere(year, month, [weekday]).slice(count - 1, count);
  }
  const last = /^([0-9]|[A-Z]{3})L$/i.exec(text);
  if (last) {
    const weekday = numberIn(last[1]!, WEEKDAYS);
    return weekday === undefined ? undefined : (year, month) => daysWhere(year, month, [weekday]).slice(-1);
  }
  const weekdays = /^L$/i.test(text) ? [WEEKDAYS.most] : parseField(text, WEEKDAYS);
  return weekdays && ((year, month) => daysWhere(year, month, weekdays));
}

const lastDay = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

/** 1 is Sunday. */
const weekdayOf = (year: number, month: number, day: number): number =>
  new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 1;

function daysWhere(year: number, month: number, weekdays: readonly number[]): number[] {
  const days: number[] = [];
  for (let day = 1; day <= lastDay(year, month); day++)
    if (weekdays.includes(weekdayOf(year, month, day))) days.push(day);
  return days;
}

const SUNDAY = 1;
const SATURDAY = 7;

function nearestWeekday(year: number, month: number, day: number): readonly number[] {
  const last = lastDay(year, month);
  if (day > last) return [];
  const weekday = weekdayOf(year, month, day);
  if (weekday === SATURDAY) return [day > 1 ? day - 1 : day + 2];
  if (weekday === SUNDAY) return [day < last ? day + 1 : day - 2];
  return [day];
}
