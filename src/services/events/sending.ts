// One event for one target: a work of the rule's, with the target's retries and its dead-letter queue.
import {
  type Arn,
  type AwsError,
  assumeRole,
  type Context,
  type HttpParts,
  httpParts,
  invokeApi,
  isRefusal,
  type NewWork,
  type Principal,
  type Retry,
  sendTo,
  TooEarly,
  type Tx,
  type Work,
} from "../../kernel/mod.ts";
import { type Event, parseExact } from "./event.ts";
import { forward } from "./forwarding.ts";
import { inputFor } from "./input.ts";
import { findTarget, type RuleRef, refOfArn, ruleArn } from "./rows.ts";
import { kindOf, type Target } from "./target-checks.ts";

export interface Send {
  readonly kind: "send";
  readonly targetId: string;
  readonly target: Target;
  /** What the target gets: mostly JSON. */
  readonly event: string;
  /** For an API destination: what of the request depends on the event. */
  readonly http?: HttpParts;
  /** Attempts that were made before this work was put anew, to wait as long as an endpoint asked. */
  readonly earlier?: number;
}

export const eventBridge = (rule: RuleRef): Principal => ({
  kind: "service",
  name: "events.amazonaws.com",
  account: rule.account,
  sourceArn: ruleArn(rule),
});

export function sendingOf(
  rule: RuleRef,
  target: Target,
  { event, text, receivedMs }: { event: Event; text: string; receivedMs: number },
): NewWork {
  const arn = ruleArn(rule);
  const input = inputFor(target, { event, text }, { ruleArn: arn, ruleName: rule.name, receivedMs });
  const http = kindOf(target.Arn!) === "api-destination" ? httpParts(target.HttpParameters, event) : undefined;
  const payload: Send = { kind: "send", targetId: target.Id!, target, event: input, ...(http && { http }) };
  return { to: arn, as: eventBridge(rule), payload, retry: retryOf(target) };
}

// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html: 24 hours, 185 times, backing off with jitter.
const MAX_RETRIES = 185;
const MAX_AGE_S = 86_400;
const WAITS_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 120_000, 300_000, 600_000];

const retryOf = ({ RetryPolicy }: Target): Retry => ({
  waitsMs: WAITS_MS,
  attempts: 1 + (RetryPolicy?.MaximumRetryAttempts ?? MAX_RETRIES),
  maxAgeMs: (RetryPolicy?.MaximumEventAgeInSeconds ?? MAX_AGE_S) * 1000,
});

/** As EventBridge, for this rule: the target's policy decides; or as the target's role, and what the role may. */
export async function send(asked: Context, work: Work, payload: Send): Promise<void> {
  const rule = refOfArn(work.to)!;
  const ctx = atHome(asked, rule, work.as);
  const { target, event } = payload;
  const to = target.Arn!;
  const role = target.RoleArn;
  const as = role ? (await assumeRole(ctx, { role, name: rule.name, by: work.as })).session : work.as;
  const kind = kindOf(to);
  if (kind === "bus") return forward(ctx, { to, as, event: (parseExact(event) ?? JSON.parse(event)) as Event });
  if (kind === "api-destination") return invoke(ctx, { work, payload, as });
  const groupId = target.SqsParameters?.MessageGroupId;
  await sendTo(ctx, { to, as, parcel: { kind: "message", body: event, ...(groupId !== undefined && { groupId }) } });
}

async function invoke(
  ctx: Context,
  { work, payload, as }: { work: Work; payload: Send; as: Principal },
): Promise<void> {
  const { target, event, http = { path: [], headers: {}, query: {} } } = payload;
  try {
    await invokeApi(ctx, { to: target.Arn!, as, call: { ...http, body: event, anew: work.attempt > 1 } });
  } catch (error) {
    if (!(error instanceof TooEarly)) throw error;
    await waitAsAsked(ctx, { work, payload, error });
  }
}

/** A work of its own, due when the endpoint said, with what is left of the attempts and of the event's age. */
async function waitAsAsked(
  ctx: Context,
  { work, payload, error }: { work: Work; payload: Send; error: TooEarly },
): Promise<void> {
  const { attempts, maxAgeMs = Number.POSITIVE_INFINITY } = work.retry;
  const { waitMs, message } = error;
  const left = attempts - work.attempt;
  const age = ctx.now + waitMs - work.createdAt;
  if (left <= 0 || age > maxAgeMs) throw error;
  const later: Send = { ...payload, earlier: (payload.earlier ?? 0) + work.attempt };
  const retry = { ...work.retry, attempts: left, maxAgeMs: maxAgeMs - age + waitMs };
  ctx.log.warn(`${message}, and asks to wait ${waitMs} ms`, { subject: payload.target.Arn });
  await ctx.write((tx) => ctx.put(tx, { to: work.to, as: work.as, due: ctx.now + waitMs, payload: later, retry }));
}

/** In the rule's account and region, wherever the event came from. */
const atHome = (ctx: Context, { account, region }: RuleRef, principal: Principal): Context =>
  ctx.account === account && ctx.region === region
    ? ctx
    : ctx.fork({ principal, account, region, cause: ctx.requestId });

/** After the last attempt, or at once after a refusal: the target's dead-letter queue, as the target has it now, gets what it was sent. */
export async function giveUpSend(ctx: Context, tx: Tx, work: Work, error: unknown): Promise<void> {
  const { targetId, target, event, earlier = 0 } = work.payload as Send;
  const ref = refOfArn(work.to)!;
  const row = await findTarget(tx, ref, targetId);
  const present = row ? (JSON.parse(row.definition) as Target) : target;
  const queue = present.DeadLetterConfig?.Arn;
  if (queue === undefined) {
    ctx.log.error(`rule ${ref.name}: an event for ${target.Arn} is lost: it has no dead-letter queue`, {
      subject: work.to,
    });
    return;
  }
  const attributes = deadLetterAttributes(work, { target: target.Arn!, earlier, error });
  await ctx.put(tx, { to: queue, as: work.as, payload: { kind: "message", body: event, attributes } });
}

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html */
function deadLetterAttributes(
  work: Work,
  { target, earlier, error }: { target: Arn; earlier: number; error: unknown },
) {
  const refused = isRefusal(error);
  const exhausted = work.attempt >= work.retry.attempts ? "MaximumRetryAttempts" : "MaximumEventAgeInSeconds";
  const text = (StringValue: string) => ({ DataType: "String", StringValue });
  return {
    RULE_ARN: text(work.to),
    TARGET_ARN: text(target),
    ERROR_CODE: text(errorCode(error, refused)),
    ERROR_MESSAGE: text((error instanceof Error && error.message) || "The event was not delivered in time."),
    RETRY_ATTEMPTS: { DataType: "Number", StringValue: String(earlier + work.attempt - 1) },
    ...(!refused && { EXHAUSTED_RETRY_CONDITION: text(exhausted) }),
  };
}

function errorCode(error: unknown, refused: boolean): string {
  if (!refused) return "SDK_CLIENT_ERROR";
  const { code } = error as AwsError;
  if (code.startsWith("AccessDenied") || code === "AuthorizationError") return "NO_PERMISSIONS";
  const missing = ["ResourceNotFoundException", "QueueDoesNotExist", "NotFound"].includes(code);
  return missing ? "NO_RESOURCE" : "INVALID_PARAMETER";
}
