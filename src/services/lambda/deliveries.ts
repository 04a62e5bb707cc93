// Asynchronous invocations: due work that runs a function, again after a failure, and tells a destination or a dead-letter queue in the end.
import {
  type Arn,
  AwsError,
  type Context,
  type Parcel,
  type Principal,
  parcelOf,
  sendTo,
  type Tx,
  type Work,
} from "../../kernel/mod.ts";
import { limitsOf } from "./concurrency.ts";
import { configurationOf, type FunctionRow } from "./configuration.ts";
import { bring, type Destined } from "./destinations.ts";
import { errors } from "./errors.ts";
import { findConfig } from "./event-invoke-configs.ts";
import { routeFunction, sessionOf } from "./functions.ts";
import { type FunctionRef, functionArn, parseFunctionName } from "./names.ts";
import { readError, readJson } from "./outcomes.ts";
import { followed } from "./recursion.ts";
import { lambdaPrincipal } from "./roles.ts";
import { type Outcome, runtimeOf } from "./runtime.ts";
import { type Settling, settle } from "./states.ts";

/** Work of our own: one accepted asynchronous invocation. Anything else that comes to a function's ARN is another service's event. */
interface Asynchronous {
  readonly kind: "invoke";
  /** The id that the caller of Invoke was answered, and that all attempts carry. */
  readonly requestId: string;
  /** JSON text. */
  readonly event: string;
  /** Of what asked for it. */
  readonly trace?: string | undefined;
}

/** Work of our own: what became of an invocation, on its way to a destination or a dead-letter queue. */
type Telling =
  | (Sent & { readonly kind: "tell"; readonly destined: Destined })
  | (Sent & { readonly kind: "bury"; readonly to: Arn; readonly parcel: Parcel });

interface Sent {
  readonly as?: Principal | undefined;
  readonly trace?: string | undefined;
}

/** `session`: as whom the function ran, where it ran. */
type Told = Omit<Outcome, "session" | "trace"> & Partial<Pick<Outcome, "session" | "trace">>;

// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html: "one minute ... two minutes", six hours.
const WAITS_MS = [60_000, 120_000];
const RETRIES = 2;
const MAX_AGE_S = 21_600;

/** Accepts an invocation, in the transaction that is answered with 202. */
export async function putInvocation(
  ctx: Context,
  tx: Tx,
  { ref, event }: { ref: FunctionRef; event: Uint8Array },
): Promise<void> {
  const config = await findConfig(tx, ref);
  const payload: Asynchronous = {
    kind: "invoke",
    requestId: ctx.requestId,
    event: Buffer.from(event).toString("utf8"),
    trace: followed(ctx),
  };
  await ctx.put(tx, {
    to: functionArn(ref),
    as: lambdaPrincipal(ref),
    payload,
    retry: {
      waitsMs: WAITS_MS,
      attempts: 1 + (config?.maximum_retry_attempts ?? RETRIES),
      maxAgeMs: (config?.maximum_event_age_s ?? MAX_AGE_S) * 1000,
    },
  });
}

/** A function that failed, in a form that can be thrown: the post tries again, and what it answered goes to the destination. */
class FailedInvocation extends Error {
  readonly outcome: Outcome;

  constructor(name: string, outcome: Outcome) {
    const { errorType, errorMessage } = readError(outcome.payload);
    super(`${name} failed with ${errorType}: ${errorMessage}`);
    this.name = "FailedInvocation";
    this.outcome = outcome;
  }
}

export async function deliver(ctx: Context, work: Work): Promise<void> {
  const ref = parseFunctionName(work.to, ctx)!;
  const telling = own<Telling>(work, "tell", "bury");
  if (telling) {
    // A function that could not be run had not assumed its role.
    const { trace, as = await sessionOf(ctx, ref) } = telling;
    const { account, region, requestId: cause } = ctx;
    const there = ctx.fork({ principal: as, account, region, cause, ...(trace !== undefined && { trace }) });
    return telling.kind === "tell" ? bring(there, as, telling.destined) : sendTo(there, { ...telling, as });
  }
  if (own<Settling>(work, "settle")) return settle(ctx, ref, work);
  const invocation = own<Asynchronous>(work, "invoke");
  // Another service's event: taken as if that service had called Invoke, so that IAM asks the function's policy whether it may.
  if (!invocation) return sendTo(ctx, { to: work.to, as: work.as, parcel: parcelOf(work.payload) });
  const { row, config } = await ctx.read((tx) => find(tx, ref));
  if (!row) {
    ctx.log.warn(`${ref.name} is gone: its invocation ${invocation.requestId} is dropped`);
    return;
  }
  // "Lambda sends any new events to the dead-letter queue or the on-failure destination, without any retries": invocation-async-error-handling.
  if ((await limitsOf(ctx, row)).reserved.get(row.function_name) === 0) throw errors.zeroConcurrency();
  const outcome = await runtimeOf(ctx).runInTurn(ctx, row, {
    requestId: invocation.requestId,
    event: Buffer.from(invocation.event),
    invokedArn: work.to,
    trace: invocation.trace,
  });
  if (outcome.error) throw new FailedInvocation(ref.name, outcome);
  const { on_success } = config ?? {};
  if (on_success) await ctx.write((tx) => tell(ctx, tx, work, { outcome, condition: "Success", to: on_success }));
}

/** After the last attempt: OnFailure's destination gets the record, the dead-letter queue the event. Not having either is said loudly. */
export async function giveUp(ctx: Context, tx: Tx, work: Work, error: unknown): Promise<void> {
  const telling = own<Telling>(work, "tell", "bury");
  if (telling) {
    const to = telling.kind === "tell" ? telling.destined.to : telling.to;
    ctx.log.error(`what became of an invocation is lost: ${to} says ${error}`, { subject: work.to });
  }
  const invocation = own<Asynchronous>(work, "invoke");
  if (!invocation) return;
  const ref = parseFunctionName(work.to, ctx)!;
  const { row, config } = await find(tx, ref);
  if (!row) return;
  const outcome = error instanceof FailedInvocation ? error.outcome : failureOf(row, error);
  // A refusal ends the attempts as well as their number does.
  const refused = error instanceof AwsError && error.status !== 429;
  const zero = error instanceof AwsError && error.code === "ZeroReservedConcurrency";
  const ended = refused || work.attempt >= work.retry.attempts ? "RetriesExhausted" : "EventAgeExceeded";
  const condition = zero ? "ZeroReservedConcurrency" : ended;
  if (config?.on_failure) await tell(ctx, tx, work, { outcome, condition, to: config.on_failure });
  const { DeadLetterConfig } = configurationOf(row);
  if (DeadLetterConfig)
    await ctx.put(tx, { to: work.to, as: work.as, payload: bury(invocation, outcome, DeadLetterConfig.TargetArn) });
  const targets = [config?.on_failure, DeadLetterConfig?.TargetArn].filter((target) => target);
  ctx.log.error(
    targets.length > 0
      ? `${ref.name}: the event of ${invocation.requestId} goes to ${targets.join(" and ")}`
      : `${ref.name}: the event of ${invocation.requestId} is lost: no OnFailure destination, no dead-letter queue`,
  );
}

const find = async (tx: Tx, ref: FunctionRef) => ({
  row: await routeFunction(tx, ref),
  config: await findConfig(tx, ref),
});

/** Only Lambda itself puts such work: an event of that form from anyone else is an event. */
function own<T extends Asynchronous | Telling | Settling>(work: Work, ...kinds: T["kind"][]): T | undefined {
  if (work.as.kind !== "service" || work.as.name !== "lambda.amazonaws.com") return undefined;
  const payload = work.payload as { readonly kind?: unknown } | null;
  return kinds.some((kind) => payload?.kind === kind) ? (work.payload as T) : undefined;
}

type Condition = "Success" | "RetriesExhausted" | "EventAgeExceeded" | "ZeroReservedConcurrency";

/** The record of an invocation, version 1.0: recorded answers of AWS. */
function tell(
  ctx: Context,
  tx: Tx,
  work: Work,
  { outcome, condition, to }: { outcome: Told; condition: Condition; to: Arn },
): Promise<void> {
  const { requestId, event } = own<Asynchronous>(work, "invoke")!;
  const ref = parseFunctionName(work.to, ctx)!;
  const qualified = functionArn({ ...ref, qualifier: ref.qualifier ?? "$LATEST" });
  const record = {
    version: "1.0",
    timestamp: new Date(ctx.clock.now()).toISOString(),
    requestContext: { requestId, functionArn: qualified, condition, approximateInvokeCount: work.attempt },
    requestPayload: JSON.parse(event),
    responseContext: {
      statusCode: 200,
      executedVersion: outcome.version,
      ...(outcome.error && { functionError: "Unhandled" }),
    },
    responsePayload: readJson(outcome.payload),
  };
  const destined: Destined = {
    to,
    record,
    bucket: { folder: `aws/lambda/async/${ref.name}` },
    about: { functionArn: qualified, succeeded: condition === "Success" },
  };
  const payload: Telling = { kind: "tell", as: outcome.session, trace: outcome.trace, destined };
  return ctx.put(tx, { to: work.to, as: work.as, payload });
}

// "ErrorMessage (String) - The first 1 KB of the error message."
const MAX_ERROR_MESSAGE = 1024;

/** https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq */
function bury({ requestId, event }: Asynchronous, outcome: Told, to: Arn): Telling {
  const { errorMessage } = readError(outcome.payload);
  return {
    kind: "bury",
    to,
    as: outcome.session,
    trace: outcome.trace,
    parcel: {
      kind: "message",
      body: event,
      attributes: {
        RequestID: { DataType: "String", StringValue: requestId },
        ErrorCode: { DataType: "Number", StringValue: "200" },
        ErrorMessage: { DataType: "String", StringValue: errorMessage.slice(0, MAX_ERROR_MESSAGE) },
      },
    },
  };
}

/** What could not be run at all (no such role, no interpreter) has no answer: its error stands in for one. */
function failureOf(row: FunctionRow, error: unknown): Told {
  const errorType = error instanceof AwsError ? error.code : "InternalError";
  const errorMessage = error instanceof Error ? error.message : "The invocation was not run in time.";
  return {
    payload: Buffer.from(JSON.stringify({ errorType, errorMessage })),
    error: { type: errorType, kind: "runtime" },
    logTail: "",
    version: row.version,
  };
}
