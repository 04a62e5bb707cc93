// Schedule expressions: rate(...) and cron(...) of rules and schedules, at(...) of schedules. What is wrong is said by who asks.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
import { parseCron } from "./cron.ts";
import { findZone, type Instants } from "./zones.ts";

export interface Schedule {
  /** The first time it is due, for one that was made, or enabled, at `ms`; undefined: never. */
  first(ms: number): number | undefined;
  /** The next time after `now` of one that was due at `due`: what was missed in between was missed. */
  next(due: number, now: number): number | undefined;
  /** at(...): it is due once. */
  readonly once?: true;
}

export interface ScheduleOptions {
  /** IANA's name, of cron and at. Default: UTC. */
  readonly zone?: string;
  /** Default: EventBridge's rules, which know no at(...), begin a period after they were made, and want `1 minute` and `2 minutes` said so. */
  readonly of?: "rules" | "scheduler";
}

const UNIT_MS: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** Undefined where it is none of AWS's, or the zone is unknown. */
export function parseSchedule(
  expression: string,
  { zone = "UTC", of = "rules" }: ScheduleOptions = {},
): Schedule | undefined {
  const instants = findZone(zone);
  const [, kind, inner] = /^(cron|rate|at)\((.*)\)$/.exec(expression) ?? [];
  if (!instants || kind === undefined) return undefined;
  if (kind === "cron") return parseRecurring(inner!, instants);
  if (kind === "rate") return parseRate(inner!, of);
  return of === "scheduler" ? parseOnce(inner!, instants) : undefined;
}

function parseRecurring(fields: string, zone: Instants): Schedule | undefined {
  const cron = parseCron(fields, zone);
  return cron && { first: (ms) => cron.next(ms), next: (due, now) => cron.next(Math.max(due, now)) };
}

function parseRate(text: string, of: "rules" | "scheduler"): Schedule | undefined {
  const [, value, unit, plural] = /^([1-9]\d{0,8}) (minute|hour|day)(s?)$/.exec(text) ?? [];
  if (value === undefined) return undefined;
  // "A value of 1 must be singular, any other plural": rules refuse `rate(1 minutes)` and `rate(5 minute)`.
  if (of === "rules" && (value === "1") !== (plural === "")) return undefined;
  const period = Number(value) * UNIT_MS[unit!]!;
  return {
    first: (ms) => (of === "rules" ? ms + period : ms),
    next: (due, now) => due + period * Math.max(1, Math.floor((now - due) / period) + 1),
  };
}

/** A time that is over is never due. */
function parseOnce(text: string, zone: Instants): Schedule | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(text)) return undefined;
  const wall = Date.parse(`${text}Z`);
  // Date.parse takes the 31st of February for the 3rd of March.
  if (Number.isNaN(wall) || new Date(wall).toISOString().slice(0, 19) !== text) return undefined;
  const at = zone.instantOf(wall);
  return { first: (ms) => (at !== undefined && at >= ms ? at : undefined), next: () => undefined, once: true };
}
