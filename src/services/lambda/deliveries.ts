// Asynchronous invocations: due work that runs a function, again after a failure, and tells a destination or a dead-letter queue in the end.
import {
  type Arn,
  AwsError,
  type Context,
  type NewWork,
  type Principal,
  parcelOf,
  sendTo,
  type Tx,
  type Work,
} from "../../kernel/mod.ts";
import { limitsOf } from "./concurrency.ts";
import { configurationOf, type FunctionRow, refOf } from "./configuration.ts";
import { errors } from "./errors.ts";
import { findConfig } from "./event-invoke-configs.ts";
import { routeFunction } from "./functions.ts";
import { type FunctionRef, functionArn, parseFunctionName } from "./names.ts";
import { assumeRole, lambdaPrincipal } from "./roles.ts";
import { type Outcome, runtimeOf } from "./runtime.ts";

/** Work of our own: one accepted asynchronous invocation. Anything else that comes to a function's ARN is another service's event. */
interface Asynchronous {
  readonly kind: "invoke";
  /** The id that the caller of Invoke was answered, and that all attempts carry. */
  readonly requestId: string;
  /** JSON text. */
  readonly event: string;
}

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
  const invocation = asynchronousOf(work);
  // Another service's event: taken as if that service had called Invoke, so that IAM asks the function's policy whether it may.
  if (!invocation) return sendTo(ctx, { to: work.to, as: work.as, parcel: parcelOf(work.payload) });
  const { row, config } = await ctx.read((tx) => find(tx, ref));
  if (!row) {
    ctx.log.warn(`${ref.name} is gone: its invocation ${invocation.requestId} is dropped`);
    return;
  }
  const outcome = await run(ctx, row, { work, invocation }).catch(async (error) => {
    if (!isThrottled(error)) await rememberSession(ctx, row, error);
    throw error;
  });
  if (outcome.error) throw new FailedInvocation(ref.name, outcome);
  const { on_success } = config ?? {};
  if (on_success)
    await ctx.write((tx) => put(ctx, tx, record(ctx, work, { outcome, condition: "Success" }), on_success));
}

async function run(
  ctx: Context,
  row: FunctionRow,
  { work, invocation }: { work: Work; invocation: Asynchronous },
): Promise<Outcome> {
  // "Lambda sends any new events to the dead-letter queue or the on-failure destination, without any retries": invocation-async-error-handling.
  if ((await limitsOf(ctx, row)).reserved.get(row.function_name) === 0) throw errors.zeroConcurrency();
  return runtimeOf(ctx).runInTurn(ctx, row, {
    requestId: invocation.requestId,
    event: Buffer.from(invocation.event),
    invokedArn: work.to,
  });
}

const isThrottled = (error: unknown): boolean => error instanceof AwsError && error.status === 429;

/** What could not be run had no session of its own: the destination is told of it in one that is made for that. */
const sessions = new WeakMap<object, Principal>();

async function rememberSession(ctx: Context, row: FunctionRow, error: object): Promise<void> {
  try {
    const { session } = await assumeRole(ctx, refOf(row), configurationOf(row).Role, errors.roleGone);
    sessions.set(error, session);
  } catch (refusal) {
    // Without the role nobody can be told in its name: giveUp says so in the log.
    ctx.log.debug(`${row.function_name}: ${refusal}`);
  }
}

/** After the last attempt: OnFailure's destination gets the record, the dead-letter queue the event. Not having either is said loudly. */
export async function giveUp(ctx: Context, tx: Tx, work: Work, error: unknown): Promise<void> {
  const invocation = asynchronousOf(work);
  if (!invocation) return;
  const ref = parseFunctionName(work.to, ctx)!;
  const { row, config } = await find(tx, ref);
  if (!row) return;
  const outcome = error instanceof FailedInvocation ? error.outcome : failureOf(row, error);
  // A refusal ends the attempts as well as their number does.
  const refused = error instanceof AwsError && !isThrottled(error);
  const zero = error instanceof AwsError && error.code === "ZeroReservedConcurrency";
  const ended = refused || work.attempt >= work.retry.attempts ? "RetriesExhausted" : "EventAgeExceeded";
  const condition = zero ? "ZeroReservedConcurrency" : ended;
  if (config?.on_failure) await put(ctx, tx, record(ctx, work, { outcome, condition }), config.on_failure);
  const { DeadLetterConfig } = configurationOf(row);
  if (DeadLetterConfig) await ctx.put(tx, deadLetter(invocation, outcome, DeadLetterConfig.TargetArn));
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
function asynchronousOf(work: Work): Asynchronous | undefined {
  if (work.as.kind !== "service" || work.as.name !== "lambda.amazonaws.com") return undefined;
  const payload = work.payload as Partial<Asynchronous> | null;
  return payload?.kind === "invoke" ? (payload as Asynchronous) : undefined;
}

/** The record of an invocation for a destination, version 1.0: recorded answers of AWS. */
function record(
  ctx: Context,
  work: Work,
  {
    outcome,
    condition,
  }: { outcome: Outcome; condition: "Success" | "RetriesExhausted" | "EventAgeExceeded" | "ZeroReservedConcurrency" },
) {
  const { requestId, event } = asynchronousOf(work)!;
  const ref = parseFunctionName(work.to, ctx)!;
  return {
    as: outcome.session,
    body: {
      version: "1.0",
      timestamp: new Date(ctx.clock.now()).toISOString(),
      requestContext: {
        requestId,
        functionArn: functionArn({ ...ref, qualifier: ref.qualifier ?? "$LATEST" }),
        condition,
        approximateInvokeCount: work.attempt,
      },
      requestPayload: JSON.parse(event),
      responseContext: {
        statusCode: 200,
        executedVersion: outcome.version,
        ...(outcome.error && { functionError: "Unhandled" }),
      },
      responsePayload: readJson(outcome.payload),
    },
  };
}

/** A queue gets a message, a function an event; each is sent as the function's role, which must be allowed to. */
const put = (ctx: Context, tx: Tx, { as, body }: ReturnType<typeof record>, to: Arn): Promise<void> =>
  ctx.put(tx, {
    to,
    as,
    payload:
      to.split(":")[2] === "lambda" ? { kind: "event", event: body } : { kind: "message", body: JSON.stringify(body) },
  });

// "ErrorMessage (String) - The first 1 KB of the error message."
const MAX_ERROR_MESSAGE = 1024;

/** https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq */
function deadLetter({ requestId, event }: Asynchronous, outcome: Outcome, to: Arn): NewWork {
  const { errorMessage } = readError(outcome.payload);
  return {
    to,
    as: outcome.session,
    payload: {
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
function failureOf(row: FunctionRow, error: unknown): Outcome {
  const errorType = error instanceof AwsError ? error.code : "InternalError";
  const errorMessage = error instanceof Error ? error.message : "The invocation was not run in time.";
  return {
    payload: Buffer.from(JSON.stringify({ errorType, errorMessage })),
    error: { type: errorType, kind: "runtime" },
    logTail: "",
    version: row.version,
    session: sessions.get(error as object) ?? roleSession(row),
  };
}

// Nobody could assume the role for this: the name that a session of it would have.
function roleSession(row: FunctionRow): Principal {
  const { Role } = configurationOf(row);
  const account = Role.split(":")[4]!;
  const name = Role.slice(Role.lastIndexOf("/") + 1);
  return {
    kind: "session",
    account,
    arn: `arn:aws:sts::${account}:assumed-role/${name}/${row.function_name}`,
    id: `:${row.function_name}`,
    roleArn: Role,
  };
}

function readError(payload: Uint8Array): { errorType: string; errorMessage: string } {
  const error = readJson(payload) as { errorType?: unknown; errorMessage?: unknown } | null;
  return {
    errorType: typeof error?.errorType === "string" ? error.errorType : "Error",
    errorMessage: typeof error?.errorMessage === "string" ? error.errorMessage : JSON.stringify(error),
  };
}

/** A function may answer what is no JSON: then its text. */
function readJson(payload: Uint8Array): unknown {
  const text = Buffer.from(payload).toString("utf8");
  try {
    return text === "" ? null : JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return text;
  }
}
