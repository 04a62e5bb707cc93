// When a schedule is due. One row for each that is planned: a work to its group (there are few groups, and many schedules), at the time that its flexible
// window gives. Then one transaction writes the invocation, as a work of its own with the target's retries, and the next time.
import { createHash } from "node:crypto";
import {
  type Arn,
  AwsError,
  assumeRole,
  type Context,
  isRefusal,
  newRequestId,
  type Principal,
  parseSchedule,
  type Retry,
  sendTo,
  type Tx,
  type Work,
} from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import {
  type Definition,
  findSchedule,
  type GroupRef,
  groupArn,
  groupOfArn,
  refOf,
  removeSchedule,
  type ScheduleRef,
  type ScheduleRow,
  saveSchedule,
  scheduleArn,
  scheduleOfArn,
} from "./rows.ts";
import { invoke, isoSeconds, payloadOf, type Target } from "./target.ts";

/** To the group. Ignored where the schedule's own `next_ms` says otherwise by now. */
interface Fire {
  readonly kind: "fire";
  readonly name: string;
  readonly at: number;
}

/** To the schedule. It carries the target as it was when it was due: the schedule may be gone by now. */
interface Send {
  readonly kind: "send";
  readonly at: number;
  readonly target: Target;
}

/** To the schedule: what could not be sent, for its dead-letter queue. */
interface Dead {
  readonly kind: "dead";
  readonly target: Target;
  readonly body: string;
  readonly attributes: Attributes;
}

const MINUTE_MS = 60_000;

export const definitionOf = (row: ScheduleRow): Definition => JSON.parse(row.definition) as Definition;

/** The schedule with its next time, and the work for it. `previous`: it was due then. Disabled, or never due again, it has neither. */
export async function plan(ctx: Context, tx: Tx, row: ScheduleRow, previous?: number): Promise<ScheduleRow> {
  const definition = definitionOf(row);
  const at = row.state === "ENABLED" ? nextOf(definition, ctx.now, previous) : undefined;
  if (at === undefined) return { ...row, next_ms: null };
  const payload: Fire = { kind: "fire", name: row.name, at };
  const ref = refOf(row);
  const due = at + offsetOf(definition, scheduleArn(ref), at);
  // Each time begins a chain of its own: what happens is not caused by all the times before.
  await ctx.put(tx, { to: groupArn(ref), as: scheduler(ref), due, payload, cause: newRequestId() });
  return { ...row, next_ms: at };
}

function nextOf(definition: Definition, now: number, previous: number | undefined): number | undefined {
  const { ScheduleExpression: expression, ScheduleExpressionTimezone: zone, startMs, endMs } = definition;
  const schedule = parseSchedule(expression!, { of: "scheduler", ...(zone !== undefined && { zone }) })!;
  // "EventBridge Scheduler ignores StartDate and EndDate for one-time schedules."
  if (schedule.once) return previous === undefined ? schedule.first(now) : undefined;
  const first = () => {
    // A cron may be due at its start itself.
    const from = startMs ?? now;
    const found = schedule.first(expression!.startsWith("cron") ? Math.max(now, from - 1) : from);
    return found !== undefined && found < now ? schedule.next(found, now) : found;
  };
  // Windows may lie over one another: what is missed is what has its own window behind it.
  const at = previous === undefined ? first() : schedule.next(previous, now - windowMs(definition));
  return at !== undefined && (endMs === undefined || at <= endMs) ? at : undefined;
}

const windowMs = ({ FlexibleTimeWindow: window }: Definition): number =>
  window?.Mode === "FLEXIBLE" ? window.MaximumWindowInMinutes! * MINUTE_MS : 0;

/** Somewhere within the window, always at the same place for the same time: a test sees what it saw before. ms. */
function offsetOf(definition: Definition, arn: Arn, at: number): number {
  const share = createHash("sha256").update(`${arn} ${at}`).digest().readUInt32BE() / 2 ** 32;
  return Math.floor(share * windowMs(definition));
}

export async function deliver(ctx: Context, work: Work): Promise<void> {
  const payload = work.payload as Fire | Send | Dead | null;
  const group = groupOfArn(work.to);
  // Only Scheduler itself puts work to its resources.
  const mine = work.as.kind === "service" && work.as.name === SERVICE;
  if (mine && group && payload?.kind === "fire") await fire(ctx, group, payload);
  else if (mine && payload?.kind === "send") await send(ctx, work, payload);
  else if (mine && payload?.kind === "dead") await bury(ctx, work, payload);
  else throw errors.notImplemented(`A delivery to ${work.to}`);
}

async function fire(ctx: Context, group: GroupRef, { name, at }: Fire): Promise<void> {
  const ref = { ...group, name };
  const fired = await ctx.write(async (tx) => {
    const row = await findSchedule(tx, ref);
    // Changed, disabled or deleted since; or this work was delivered before, and its process died.
    if (!row || row.next_ms !== at) return false;
    const { Target: target, ActionAfterCompletion: after } = definitionOf(row);
    const payload: Send = { kind: "send", at, target: target! };
    await ctx.put(tx, { to: scheduleArn(ref), as: scheduler(ref), payload, retry: retryOf(target!) });
    const next = await plan(ctx, tx, row, at);
    if (next.next_ms === null && after === "DELETE") await removeSchedule(tx, ref);
    else await saveSchedule(tx, next);
    return true;
  });
  if (fired) ctx.log.info(`schedule ${name} is due`, { subject: scheduleArn(ref) });
}

// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html: 24 hours, 185 times, backing off.
export const MAX_RETRIES = 185;
export const MAX_AGE_S = 86_400;
const WAITS_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 120_000, 300_000, 600_000];

const retryOf = ({ RetryPolicy }: Target): Retry => ({
  waitsMs: WAITS_MS,
  attempts: 1 + (RetryPolicy?.MaximumRetryAttempts ?? MAX_RETRIES),
  maxAgeMs: (RetryPolicy?.MaximumEventAgeInSeconds ?? MAX_AGE_S) * 1000,
});

async function send(ctx: Context, work: Work, { target, at }: Send): Promise<void> {
  const payload = payloadOf(target, invocationOf(work, at));
  const { session } = await assumeRole(ctx, { role: target.RoleArn!, name: executionIdOf(work), by: work.as });
  await invoke(ctx, { target, as: session, payload, schedule: work.to });
}

const invocationOf = (work: Work, at: number) => ({
  schedule: work.to,
  at,
  executionId: executionIdOf(work),
  attempt: work.attempt,
});

/** "The unique ID that EventBridge Scheduler assigns for each attempted invocation": 16 hexadecimal digits, the same when it is asked again. */
const executionIdOf = ({ id, attempt }: Work): string =>
  createHash("sha256").update(`${id} ${attempt}`).digest("hex").slice(0, 16);

/** After the last attempt, or at once after a refusal: the dead-letter queue gets what the target was to get. */
export async function giveUp(ctx: Context, tx: Tx, work: Work, error: unknown): Promise<void> {
  const payload = work.payload as Fire | Send | Dead;
  if (payload.kind === "fire") return skip(ctx, tx, { ...groupOfArn(work.to)!, name: payload.name }, payload);
  const { name } = scheduleOfArn(work.to)!;
  const lost = (why: string) =>
    ctx.log.error(`schedule ${name}: an invocation of ${payload.target.Arn} is lost: ${why}`);
  if (payload.kind === "dead") return lost("its dead-letter queue did not take it");
  const { target, at } = payload;
  if (target.DeadLetterConfig?.Arn === undefined) return lost("it has no dead-letter queue");
  const body = payloadOf(target, invocationOf(work, at));
  const dead: Dead = { kind: "dead", target, body, attributes: attributesOf(work, payload, error) };
  await ctx.put(tx, { to: work.to, as: work.as, payload: dead });
}

/** Its transaction failed again and again: this time is lost, not the schedule. */
async function skip(ctx: Context, tx: Tx, ref: ScheduleRef, { at }: Fire): Promise<void> {
  const row = await findSchedule(tx, ref);
  if (row?.next_ms === at) await saveSchedule(tx, await plan(ctx, tx, row, at));
}

type Attributes = Record<string, { DataType: string; StringValue: string }>;

/** https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html */
function attributesOf(work: Work, { target, at }: Send, error: unknown): Attributes {
  const exhausted = work.attempt >= work.retry.attempts ? "MaximumRetryAttempts" : "MaximumEventAgeInSeconds";
  const texts: Record<string, string> = {
    ERROR_CODE: error instanceof AwsError ? error.code : "InternalError",
    ERROR_MESSAGE: (error instanceof Error && error.message) || "The target was not invoked in time.",
    EXECUTION_ID: executionIdOf(work),
    ...(!isRefusal(error) && { EXHAUSTED_RETRY_CONDITION: exhausted }),
    IS_PAYLOAD_TRUNCATED: "false",
    RETRY_ATTEMPTS: String(work.attempt - 1),
    SCHEDULED_TIME: isoSeconds(at),
    SCHEDULE_ARN: work.to,
    TARGET_ARN: target.Arn!,
  };
  return Object.fromEntries(
    Object.entries(texts).map(([name, StringValue]) => [name, { DataType: "String", StringValue }]),
  );
}

/** By the schedule's role, as the target is invoked: AWS asks no policy of the queue for it. */
async function bury(ctx: Context, work: Work, { target, body, attributes }: Dead): Promise<void> {
  const { session } = await assumeRole(ctx, { role: target.RoleArn!, name: executionIdOf(work), by: work.as });
  const parcel = { kind: "message", body, attributes } as const;
  await sendTo(ctx, { to: target.DeadLetterConfig!.Arn!, as: session, parcel });
}

const SERVICE = "scheduler.amazonaws.com";

/** For roles, it acts for the schedule's group: that is the aws:SourceArn which AWS tells trust policies to ask for. */
export const scheduler = (ref: GroupRef): Principal => ({
  kind: "service",
  name: SERVICE,
  account: ref.account,
  sourceArn: groupArn(ref),
});
