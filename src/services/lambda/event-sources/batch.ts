// One batch of a mapping: the function is invoked with it, and says which records have failed.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html, .../services-ddb-batchfailurereporting.html
import {
  AwsError,
  type Consumed,
  type Consumer,
  type Context,
  type Discarded,
  newRequestId,
  type Principal,
  type SourceRecord,
  Throttled,
  type WindowPart,
} from "../../../kernel/mod.ts";
import { bring } from "../destinations.ts";
import { findFunction } from "../functions.ts";
import { functionArn } from "../names.ts";
import { readJson } from "../outcomes.ts";
import { furthest, isLoop, refuseLoop } from "../recursion.ts";
import { type Outcome, runtimeOf } from "../runtime.ts";
import { definitionOf, functionOf, isQueue, type MappingRow, mappingArn, saveResult, stillThere } from "./rows.ts";
import { mappingsOf } from "./running.ts";

/** The function ran, and failed. */
class FailedBatch extends Error {
  readonly outcome: Outcome;
  readonly requestId: string;

  constructor(text: string, outcome: Outcome, requestId: string) {
    super(text);
    this.outcome = outcome;
    this.requestId = requestId;
  }
}

export function consumerOf(row: MappingRow, role: () => Promise<Principal>): Consumer {
  let result = row.last_result;
  /** Only what a stream's mapping tells; written where it is news. */
  const remember = async (ctx: Context, now: string) => {
    if (now === result || isQueue(row.source)) return;
    result = now;
    await ctx.write((tx) => saveResult(tx, row.uuid, now));
  };
  return {
    async consume(ctx, records, _attempt, window) {
      await upToDate(ctx, row);
      const looping = await loopsIn(ctx, row, records);
      const rest = records.filter((record) => !looping.has(record));
      if (looping.size > 0 && rest.length === 0) return { failed: records.map((record) => idOf(record)!) };
      try {
        const consumed = await invoke(ctx, row, rest, window);
        await remember(ctx, "OK");
        return { ...consumed, failed: [...consumed.failed, ...[...looping].map((record) => idOf(record)!)] };
      } catch (error) {
        await remember(ctx, error instanceof Throttled ? `PROBLEM: ${error.message}` : "PROBLEM: Function call failed");
        throw error;
      }
    },

    discard: async (ctx, lost) => discard(ctx, { row, as: await role(), lost }),

    trouble(ctx, error) {
      if (!error) {
        ctx.log.info(`${mappingArn(row)} can ask ${row.source} again`);
        return;
      }
      ctx.log.error(`${mappingArn(row)} cannot ask ${row.source}: ${(error as Error).message}`);
    },
  };
}

/** Another process may have changed or deleted the mapping since: then this poller is no longer the one. */
async function upToDate(ctx: Context, row: MappingRow): Promise<void> {
  const now = await stillThere(ctx, row);
  if (now?.revision === row.revision) return;
  mappingsOf(ctx).follow(now ?? { ...row, enabled: 0 }, "");
  throw new Throttled("The mapping has changed");
}

/** The trace header of a message's sender. */
const traceOf = (record: SourceRecord): string | undefined =>
  (record.attributes as { AWSTraceHeader?: string } | undefined)?.AWSTraceHeader;

/** Messages that have gone through this function too often: they are left to the queue, which has a dead-letter queue for such. */
async function loopsIn(
  ctx: Context,
  row: MappingRow,
  records: readonly SourceRecord[],
): Promise<ReadonlySet<SourceRecord>> {
  const arn = functionArn({ ...functionOf(row), qualifier: undefined });
  const looping = records.filter((record) => isLoop(traceOf(record), arn));
  if (looping.length === 0) return NONE;
  const fn = await ctx.read((tx) => findFunction(tx, functionOf(row)));
  try {
    if (fn) await refuseLoop(ctx, fn, traceOf(looping[0]!));
    return NONE;
  } catch (error) {
    if (error instanceof AwsError && error.code === "RecursiveInvocationException") return new Set(looping);
    throw error;
  }
}

const NONE: ReadonlySet<SourceRecord> = new Set();

async function invoke(
  ctx: Context,
  row: MappingRow,
  records: readonly SourceRecord[],
  window: WindowPart | undefined,
): Promise<Consumed> {
  const ref = functionOf(row);
  const fn = await ctx.read((tx) => findFunction(tx, ref));
  if (!fn) throw new Throttled(`There is no function ${functionArn(ref)}`);
  const event = { Records: records, ...(window && eventOfWindow(window, row)) };
  const outcome = await runtimeOf(ctx)
    .run(ctx, fn, {
      requestId: ctx.requestId,
      event: Buffer.from(JSON.stringify(event)),
      invokedArn: functionArn(ref),
      trace: furthest(records.map(traceOf), functionArn({ ...ref, qualifier: undefined })),
    })
    .catch((error) => {
      // What could not be run was not tried: no concurrency left, the role gone, no interpreter.
      if (error instanceof AwsError && error.status < 500) throw new Throttled(error.message);
      throw error;
    });
  const answer = readJson(outcome.payload);
  if (outcome.error)
    throw new FailedBatch(`${row.function_name} failed: ${JSON.stringify(answer)}`, outcome, ctx.requestId);
  return {
    failed: definitionOf(row).FunctionResponseTypes.includes("ReportBatchItemFailures")
      ? reported(answer, records, outcome, ctx.requestId)
      : [],
    ...(window && { state: (answer as { state?: unknown } | null)?.state }),
  };
}

/** https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html */
const eventOfWindow = (window: WindowPart, { source }: MappingRow) => ({
  window: { start: isoSeconds(window.startMs), end: isoSeconds(window.endMs) },
  state: window.state ?? {},
  shardId: window.shardId,
  eventSourceARN: source,
  isFinalInvokeForWindow: window.isFinal,
  isWindowTerminatedEarly: window.isTerminatedEarly,
});

const isoSeconds = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");

/**
 * Nothing, null, an empty answer, an empty or null list: all went well. An answer that is no object, an identifier that is missing, empty or
 * not of this batch: all of it failed.
 */
function reported(answer: unknown, records: readonly SourceRecord[], outcome: Outcome, requestId: string): string[] {
  const refuse = (why: string) => new FailedBatch(`the batch's answer ${why}`, outcome, requestId);
  if (answer === null || answer === undefined) return [];
  if (typeof answer !== "object" || Array.isArray(answer)) throw refuse("is no object");
  const failures = (answer as { batchItemFailures?: unknown }).batchItemFailures;
  if (failures === undefined || failures === null) return [];
  if (!Array.isArray(failures)) throw refuse("has batchItemFailures that are no list");
  const ids = new Set(records.map(idOf));
  return failures.map((failure) => {
    const id = (failure as { itemIdentifier?: unknown } | null)?.itemIdentifier;
    if (typeof id !== "string" || !ids.has(id))
      throw refuse(`names an item that is not in the batch: ${JSON.stringify(id)}`);
    return id;
  });
}

const dynamodbOf = (record: SourceRecord) =>
  record.dynamodb as { SequenceNumber?: string; ApproximateCreationDateTime?: number } | undefined;

const idOf = (record: SourceRecord): string | undefined =>
  typeof record.messageId === "string" ? record.messageId : dynamodbOf(record)?.SequenceNumber;

/** https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html: metadata to a queue or a topic, all of it to a bucket. */
async function discard(
  ctx: Context,
  { row, as, lost }: { row: MappingRow; as: Principal; lost: Discarded },
): Promise<void> {
  const to = definitionOf(row).DestinationConfig?.OnFailure.Destination;
  if (to === undefined) return;
  const { error, records } = lost;
  const failed = error instanceof FailedBatch ? error : undefined;
  const now = new Date(ctx.clock.now());
  const record = {
    requestContext: {
      requestId: failed?.requestId ?? newRequestId(),
      functionArn: functionArn(functionOf(row)),
      condition: lost.reason === "RetryAttemptsExhausted" ? "RetryAttemptsExhausted" : "RecordAgeExceeded",
      approximateInvokeCount: lost.attempts,
    },
    ...(failed && {
      responseContext: {
        statusCode: 200,
        executedVersion: failed.outcome.version,
        functionError: "Unhandled",
      },
    }),
    version: "1.0",
    timestamp: now.toISOString(),
    DDBStreamBatchInfo: {
      shardId: lost.shardId,
      startSequenceNumber: idOf(records[0]!),
      endSequenceNumber: idOf(records.at(-1)!),
      approximateArrivalOfFirstRecord: arrivalOf(records[0]!),
      approximateArrivalOfLastRecord: arrivalOf(records.at(-1)!),
      batchSize: records.length,
      streamArn: lost.streamArn,
    },
  };
  await bring(ctx, as, {
    to,
    record,
    bucket: {
      folder: `aws/lambda/${row.uuid}/${lost.shardId}`,
      more: { payload: JSON.stringify({ Records: records }) },
    },
  });
}

const arrivalOf = (record: SourceRecord): string =>
  isoSeconds((dynamodbOf(record)?.ApproximateCreationDateTime ?? 0) * 1000);
