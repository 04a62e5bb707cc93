// Schedule expressions of rules: rate(...) and cron(...).
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
import { parseCron } from "./cron.ts";

export interface Schedule {
  /** The first time it is due, for a rule that was made, or enabled, at `ms`; undefined: never. */
  first(ms: number): number | undefined;
  /** The next time after `now` of one that was due at `due`: what was missed in between was missed. */
  next(due: number, now: number): number | undefined;
}

const UNIT_MS: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** Undefined where it is none of AWS's. */
export function parseSchedule(expression: string): Schedule | undefined {
  const cron = /^cron\((.*)\)$/.exec(expression);
  if (cron) {
    const parsed = parseCron(cron[1]!);
    return parsed && { first: (ms) => parsed.next(ms), next: (due, now) => parsed.next(Math.max(due, now)) };
  }
  // "A value of 1 must be singular, any other plural"; so AWS refuses `rate(1 minutes)` and `rate(5 minute)`.
  const rate = /^rate\(([1-9]\d{0,8}) (minute|hour|day)(s?)\)$/.exec(expression);
  if (!rate) return undefined;
  const [, value, unit, plural] = rate;
  if ((value === "1") !== (plural === "")) return undefined;
  const period = Number(value) * UNIT_MS[unit!]!;
  return {
    first: (ms) => ms + period,
    next: (due, now) => due + period * Math.max(1, Math.floor((now - due) / period) + 1),
  };
}
