// The work of an import: objects one after the other, in the order of their keys, some hundred records in a transaction that also remembers how
// far it came, so that it goes on where it was.
import { pipeline, Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { AwsError, type Context, type Tx, type Work } from "../../kernel/mod.ts";
import { putOf } from "./actions.ts";
import { csvRecords } from "./csv.ts";
import type { ImportJob, ImportProgress, ImportRequest } from "./imports.ts";
import { endJob, type Failure, findJob, givenUp, s3Failure, setProgress } from "./jobs.ts";
import { dropTable } from "./removal.ts";
import { changeItem, needsBefore, readItem, writing } from "./rows.ts";
import { findTable, redefine, type Table } from "./schema.ts";
import { type AttributeValue, type Item, itemOf, soundItem } from "./value.ts";

/** Of a Work to an import. */
export interface RunImport {
  readonly kind: "import";
}

/** Of one transaction. */
const MOST_RECORDS = 250;
/** An item of 400 KB, with all that JSON and quotes make of it. */
const LONGEST_RECORD = 4 * 1024 * 1024;

const SOME_FAILED: Failure = {
  code: "ItemValidationError",
  message:
    "Some of the items failed validation checks and were not imported. Please check CloudWatch error logs for more details.",
};

export async function runImport(ctx: Context, work: Work): Promise<void> {
  const job = await findJob<ImportRequest, ImportProgress>(ctx.singly, work.to);
  if (job?.status !== "IN_PROGRESS") return;
  try {
    const progress = await importAll(ctx, job);
    await end(ctx, job, progress.failed > 0 ? SOME_FAILED : undefined);
    ctx.log.info(`import ${job.id}: ${progress.imported} items, ${progress.failed} errors`, { subject: job.arn });
  } catch (error) {
    const failure = s3Failure(ctx, error);
    if (!failure) throw error;
    ctx.log.warn(`import ${job.id} failed: ${failure.message}`, { subject: job.arn });
    await end(ctx, job, failure);
  }
}

/** The last delivery failed. */
export async function giveUpImport(
  ctx: Context,
  tx: Tx,
  { work, error }: { work: Work; error: unknown },
): Promise<void> {
  await endIn(tx, ctx, { arn: work.to, failure: givenUp(error) });
}

const end = (ctx: Context, { arn }: ImportJob, failure: Failure | undefined) =>
  ctx.write((tx) => endIn(tx, ctx, { arn, failure }));

/** A table that nothing came into for S3's sake goes; any other is ACTIVE, whatever failed (seen on AWS). */
async function endIn(
  tx: Tx,
  ctx: Context,
  { arn, failure }: { arn: string; failure: Failure | undefined },
): Promise<void> {
  const job = await findJob<ImportRequest, ImportProgress>(tx, arn);
  if (job?.status !== "IN_PROGRESS") return;
  await endJob(tx, job, { progress: job.progress, failure, now: ctx.now });
  const table = await tableOf(tx, job);
  if (!table) return;
  if (failure && failure !== SOME_FAILED && job.progress.processed === 0) await dropTable(tx, ctx, table);
  else await redefine(tx, table, { status: undefined });
}

async function tableOf(tx: Tx, job: ImportJob): Promise<Table | undefined> {
  const { account, region, tableName: name, tableArn: arn } = job;
  const table = await findTable(tx, { account, region, name, arn });
  return table?.id === job.tableId ? table : undefined;
}

async function importAll(ctx: Context, job: ImportJob): Promise<ImportProgress> {
  const { S3BucketSource: source } = job.request;
  let { progress } = job;
  let token: string | undefined;
  do {
    const page = await ctx.call("s3", "ListObjectsV2", {
      Bucket: source!.S3Bucket,
      Prefix: source!.S3KeyPrefix,
      ...(source!.S3BucketOwner !== undefined && { ExpectedBucketOwner: source!.S3BucketOwner }),
      ContinuationToken: token,
    });
    for (const { Key = "", Size } of page.Contents ?? []) {
      if (progress.key !== undefined && Buffer.compare(Buffer.from(Key), Buffer.from(progress.key)) < 0) continue;
      if (Key !== progress.key) progress = { ...progress, key: Key, records: 0 };
      if (Size !== 0) progress = await importObject(ctx, job, progress);
    }
    token = page.NextContinuationToken;
  } while (token !== undefined);
  return progress;
}

/** An item, or what is wrong with the record. The last one of an object that cannot be read further is an error. */
type Parsed = Item | Error;

async function importObject(ctx: Context, job: ImportJob, begun: ImportProgress): Promise<ImportProgress> {
  const { S3BucketSource: source } = job.request;
  const { Body } = await ctx.call("s3", "GetObject", {
    Bucket: source!.S3Bucket,
    Key: begun.key,
    ...(source!.S3BucketOwner !== undefined && { ExpectedBucketOwner: source!.S3BucketOwner }),
  });
  const count = { bytes: 0 };
  let progress = begun;
  let batch: Parsed[] = [];
  let skip = begun.records;
  for await (const record of recordsOf(job.request, Body as Readable | Uint8Array, count)) {
    if (skip-- > 0) continue;
    batch.push(record);
    if (batch.length < MOST_RECORDS) continue;
    progress = await write(ctx, job, { batch, progress });
    batch = [];
  }
  return write(ctx, job, { batch, progress: { ...progress, bytes: progress.bytes + count.bytes }, done: true });
}

interface Batch {
  readonly batch: readonly Parsed[];
  readonly progress: ImportProgress;
  /** Of an object that is read to its end. */
  readonly done?: boolean;
}

async function write(ctx: Context, job: ImportJob, { batch, progress, done = false }: Batch): Promise<ImportProgress> {
  ctx.signal.throwIfAborted();
  const { after, failures } = await writing(ctx, async (within) => {
    const table = await tableOf(within.tx, job);
    const failures: { record: number; message: string }[] = [];
    for (const [i, record] of batch.entries()) {
      try {
        if (record instanceof Error) throw record;
        // A table that is being deleted would not be here: its items are nowhere to be put.
        if (!table) throw new AwsError("ResourceNotFoundException", 400, "Requested resource not found");
        const action = putOf(soundItem(record), {});
        const key = action.key(table);
        const before = needsBefore(table) ? await readItem(within.tx, table, key) : undefined;
        await changeItem(within, table, { key, before, after: action.after(table, before) });
      } catch (error) {
        if (!(error instanceof AwsError || error === record)) throw error;
        failures.push({ record: progress.records + i, message: (error as Error).message });
      }
    }
    const after: ImportProgress = {
      ...progress,
      // What is next comes after it.
      ...(done ? { key: `${progress.key}\0`, records: 0 } : { records: progress.records + batch.length }),
      processed: progress.processed + batch.length,
      imported: progress.imported + batch.length - failures.length,
      failed: progress.failed + failures.length,
    };
    await setProgress(within.tx, job, after);
    return { after, failures };
  });
  for (const { record, message } of failures)
    ctx.log.warn(`import ${job.id}: ${progress.key}, item ${record}: ${message}`, { subject: job.arn });
  return after;
}

async function* recordsOf(
  request: ImportRequest,
  body: Readable | Uint8Array,
  count: { bytes: number },
): AsyncGenerator<Parsed> {
  const pieces = textOf(request, body instanceof Readable ? body : Readable.from([body]), count);
  try {
    if (request.InputFormat === "CSV") yield* csvItems(request, pieces);
    else yield* jsonItems(pieces);
  } catch (error) {
    // S3's refusals, and the end of this process, are no faults of the data.
    if (error instanceof AwsError || (error as { name?: string }).name === "AbortError") throw error;
    yield error as Error;
  }
}

async function* textOf(
  { InputCompressionType: compression = "NONE" }: ImportRequest,
  body: Readable,
  count: { bytes: number },
): AsyncGenerator<string> {
  const unpack = compression === "GZIP" ? createGunzip() : compression === "ZSTD" ? createZstdDecompress() : undefined;
  // Who reads `unpacked` is told of what went wrong in either.
  const unpacked: Readable = unpack ? pipeline(body, unpack, () => undefined) : body;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for await (const chunk of unpacked as AsyncIterable<Uint8Array>) {
    count.bytes += chunk.length;
    yield decoder.decode(chunk, { stream: true });
  }
  yield decoder.decode();
}

/** A line that is no JSON ends the object (seen on AWS); one that is no item does not. */
async function* jsonItems(pieces: AsyncIterable<string>): AsyncGenerator<Parsed> {
  for await (const line of linesOf(pieces)) {
    if (line.trim() === "") continue;
    const parsed = JSON.parse(line) as { Item?: unknown };
    const item = parsed?.Item;
    yield isItem(item) ? itemOf(JSON.stringify(item)) : new SyntaxError("The line holds no Item");
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value);
const isItem = (value: unknown): value is Item => isObject(value) && Object.values(value).every(isValue);

const STRINGS = new Set(["S", "N", "B"]);
const SETS = new Set(["SS", "NS", "BS"]);

/** Of the types that DynamoDB JSON has; what they hold is looked at later. */
function isValue(value: unknown): value is AttributeValue {
  if (!isObject(value)) return false;
  return Object.entries(value).every(([type, held]) => {
    if (STRINGS.has(type)) return typeof held === "string";
    if (SETS.has(type)) return Array.isArray(held) && held.every((member) => typeof member === "string");
    if (type === "L") return Array.isArray(held) && held.every(isValue);
    if (type === "M") return isItem(held);
    return (type === "NULL" || type === "BOOL") && typeof held === "boolean";
  });
}

async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of pieces) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop()!;
    if (rest.length > LONGEST_RECORD) throw new RangeError(`a line is longer than ${LONGEST_RECORD} characters`);
    yield* lines;
  }
  yield rest;
}

/** Keys, of the table and of its indexes, have their types; all else are strings. */
async function* csvItems(request: ImportRequest, pieces: AsyncIterable<string>): AsyncGenerator<Parsed> {
  const { Delimiter: delimiter = ",", HeaderList } = request.InputFormatOptions?.Csv ?? {};
  const { AttributeDefinitions = [] } = request.TableCreationParameters!;
  const types = new Map(AttributeDefinitions.map(({ AttributeName, AttributeType }) => [AttributeName, AttributeType]));
  let names = HeaderList;
  for await (const cells of csvRecords(pieces, { delimiter, longest: LONGEST_RECORD })) {
    if (!names) names = [...cells];
    else if (cells.length !== names.length)
      yield new SyntaxError(`The line has ${cells.length} columns, the header ${names.length}`);
    else yield Object.fromEntries(cells.map((cell, i) => [names![i]!, typed(cell, types.get(names![i]!))]));
  }
}

function typed(cell: string, type: string | undefined): AttributeValue {
  if (type === "N") return { N: cell };
  return type === "B" ? { B: Buffer.from(cell, "base64") } : { S: cell };
}
