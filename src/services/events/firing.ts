// A rule's schedule as due work: one row a rule says when it is due next. When it is, the event goes to each target as a work of its own,
// with the target's retries and its dead-letter queue, and the next time is planned: all in one transaction.
import {
  type Arn,
  AwsError,
  type Context,
  newRequestId,
  type Principal,
  parseArn,
  parseSchedule,
  type Retry,
  sendTo,
  type Tx,
  type Work,
} from "../../kernel/mod.ts";
import { findRule, findTarget, listTargets, type Rule, type RuleRef, ruleArn, saveRule } from "./rows.ts";
import type { Target } from "./targets.ts";

/** Due at `at`: the rule is due. Ignored where the rule's own `next_ms` says otherwise by now. */
interface Fire {
  readonly kind: "fire";
  readonly at: number;
}

/** One event for one target. */
interface Send {
  readonly kind: "send";
  readonly targetId: string;
  readonly target: Target;
  /** JSON: what the target gets. */
  readonly event: string;
}

/** The rule with its next time, and the work for it. Disabled, or never due again, it has neither. */
export async function plan(ctx: Context, tx: Tx, rule: Rule, previous?: number): Promise<Rule> {
  const schedule = parseSchedule(rule.schedule)!;
  const due = previous === undefined ? schedule.first(ctx.now) : schedule.next(previous, ctx.now);
  if (rule.state !== "ENABLED" || due === undefined) return { ...rule, next_ms: null };
  const payload: Fire = { kind: "fire", at: due };
  // Each time begins a chain of its own: what happens is not caused by all the times before.
  await ctx.put(tx, { to: ruleArn(rule), as: eventBridge(rule), due, payload, cause: newRequestId() });
  return { ...rule, next_ms: due };
}

export async function deliver(ctx: Context, work: Work): Promise<void> {
  const ref = refOfArn(work.to);
  const payload = work.payload as Partial<Fire> | Partial<Send> | null;
  // Only EventBridge itself puts work to a rule.
  if (!ref || work.as.kind !== "service" || work.as.name !== "events.amazonaws.com")
    throw new AwsError("NotImplemented", 501, `nothing here takes a delivery to ${work.to}`);
  if (payload?.kind === "fire") await fire(ctx, ref, payload as Fire);
  else await send(ctx, work, payload as Send);
}

async function fire(ctx: Context, ref: RuleRef, { at }: Fire): Promise<void> {
  const count = await ctx.write(async (tx) => {
    const rule = await findRule(tx, ref);
    // Changed, disabled or deleted since; or this work was delivered before, and its process died.
    if (!rule || rule.next_ms !== at) return undefined;
    const targets = await listTargets(tx, ref);
    const event = JSON.stringify(scheduledEvent(rule, at));
    for (const { target_id, definition } of targets) {
      const target = JSON.parse(definition) as Target;
      const payload: Send = { kind: "send", targetId: target_id, target, event: target.Input ?? event };
      await ctx.put(tx, { to: ruleArn(rule), as: eventBridge(rule), payload, retry: retryOf(target) });
    }
    await saveRule(tx, await plan(ctx, tx, rule, at));
    return targets.length;
  });
  if (count !== undefined)
    ctx.log.info(`rule ${ref.name} is due: ${count} target${count === 1 ? "" : "s"}`, { subject: ruleArn(ref) });
}

/** https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-events.html: the time is the scheduled one, in whole seconds. */
const scheduledEvent = (rule: Rule, at: number) => ({
  version: "0",
  id: newRequestId(),
  "detail-type": "Scheduled Event",
  source: "aws.events",
  account: rule.account,
  time: new Date(at).toISOString().replace(/\.\d{3}Z$/, "Z"),
  region: rule.region,
  resources: [ruleArn(rule)],
  detail: {},
});

// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html: 24 hours, 185 times, backing off with jitter.
const MAX_RETRIES = 185;
const MAX_AGE_S = 86_400;
const WAITS_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 120_000, 300_000, 600_000];

const retryOf = ({ RetryPolicy }: Target): Retry => ({
  waitsMs: WAITS_MS,
  attempts: 1 + (RetryPolicy?.MaximumRetryAttempts ?? MAX_RETRIES),
  maxAgeMs: (RetryPolicy?.MaximumEventAgeInSeconds ?? MAX_AGE_S) * 1000,
});

/** As EventBridge, for this rule: the target's policy decides. A function is invoked asynchronously, a queue is sent a message. */
function send(ctx: Context, { as }: Work, { target, event }: Send): Promise<void> {
  const groupId = target.SqsParameters?.MessageGroupId;
  const parcel = { kind: "message", body: event, ...(groupId !== undefined && { groupId }) } as const;
  return sendTo(ctx, { to: target.Arn!, as, parcel });
}

/** After the last attempt, or at once after a refusal: the target's dead-letter queue, as the target has it now, gets what it was sent. */
export async function giveUp(ctx: Context, tx: Tx, work: Work, error: unknown): Promise<void> {
  const { kind, targetId, target, event } = work.payload as Partial<Send>;
  const ref = refOfArn(work.to);
  if (kind !== "send" || !ref) return;
  const row = await findTarget(tx, ref, targetId!);
  const present = row ? (JSON.parse(row.definition) as Target) : target!;
  const queue = present.DeadLetterConfig?.Arn;
  if (queue === undefined) {
    ctx.log.error(`rule ${ref.name}: an event for ${target!.Arn} is lost: it has no dead-letter queue`);
    return;
  }
  await ctx.put(tx, {
    to: queue,
    as: work.as,
    payload: { kind: "message", body: event, attributes: deadLetterAttributes(work, target!.Arn!, error) },
  });
}

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html */
function deadLetterAttributes(work: Work, targetArn: Arn, error: unknown) {
  const refused = error instanceof AwsError && error.status < 500 && error.status !== 429;
  const exhausted = work.attempt >= work.retry.attempts ? "MaximumRetryAttempts" : "MaximumEventAgeInSeconds";
  const text = (StringValue: string) => ({ DataType: "String", StringValue });
  return {
    RULE_ARN: text(work.to),
    TARGET_ARN: text(targetArn),
    ERROR_CODE: text(errorCode(error, refused)),
    ERROR_MESSAGE: text((error instanceof Error && error.message) || "The event was not delivered in time."),
    RETRY_ATTEMPTS: { DataType: "Number", StringValue: String(work.attempt - 1) },
    ...(!refused && { EXHAUSTED_RETRY_CONDITION: text(exhausted) }),
  };
}

function errorCode(error: unknown, refused: boolean): string {
  if (!refused) return "SDK_CLIENT_ERROR";
  const { code } = error as AwsError;
  if (code.startsWith("AccessDenied")) return "NO_PERMISSIONS";
  return code === "ResourceNotFoundException" || code === "QueueDoesNotExist" ? "NO_RESOURCE" : "INVALID_PARAMETER";
}

const eventBridge = (rule: RuleRef): Principal => ({
  kind: "service",
  name: "events.amazonaws.com",
  account: rule.account,
  sourceArn: ruleArn(rule),
});

function refOfArn(arn: Arn): RuleRef | undefined {
  const parts = parseArn(arn);
  const name = /^rule\/(.+)$/.exec(parts?.resource ?? "")?.[1];
  return parts && name ? { account: parts.account, region: parts.region, name } : undefined;
}
