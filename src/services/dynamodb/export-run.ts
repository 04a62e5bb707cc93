// The work of an export: data files one after the other, each remembered when it is written, so that it goes on where it was; then what tells of
// them. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Context, Singly, Tx, Work } from "../../kernel/mod.ts";
import { nextSpan, rowsSql, type Source, type Span, spanParams, within } from "./copies.ts";
import type { Changes, ExportJob, ExportProgress, ExportRequest } from "./exports.ts";
import { keyItem } from "./item-key.ts";
import { endJob, findJob, givenUp, s3Failure, setProgress } from "./jobs.ts";
import { EMPTY } from "./keys.ts";
import { findTable, type Table } from "./schema.ts";
import { itemOf, itemText } from "./value.ts";

export const MIGRATION = `
  CREATE TABLE dynamodb_export_file (
    number BIGINT NOT NULL, ordinal BIGINT NOT NULL, key TEXT NOT NULL, items BIGINT NOT NULL, md5 TEXT NOT NULL,
    etag TEXT NOT NULL,
    PRIMARY KEY (number, ordinal)
  )`;

/** Of a data file before it is compressed, or somewhat more. */
const FILE_BYTES = 16 * 1024 * 1024;
const MOST_READ = 1000;
const compress = promisify(gzip);

/** Of a Work to an export. */
export interface RunExport {
  readonly kind: "export";
}

interface DataFile {
  readonly key: string;
  readonly items: number;
  readonly md5: string;
  readonly etag: string;
}

export async function runExport(ctx: Context, work: Work): Promise<void> {
  for (;;) {
    const job = await findJob<ExportRequest, ExportProgress>(ctx.singly, work.to);
    if (job?.status !== "IN_PROGRESS") return;
    ctx.signal.throwIfAborted();
    try {
      await step(ctx, job);
    } catch (error) {
      const failure = error instanceof Gone ? { code: "TableNotFound", message: error.message } : s3Failure(ctx, error);
      if (!failure) throw error;
      ctx.log.warn(`export ${job.id} failed: ${failure.message}`, { subject: job.arn });
      await ctx.write((tx) => endJob(tx, job, { progress: job.progress, failure, now: ctx.now }));
    }
  }
}

/** The last delivery failed. */
export async function giveUpExport(
  ctx: Context,
  tx: Tx,
  { work, error }: { work: Work; error: unknown },
): Promise<void> {
  const job = await findJob<ExportRequest, ExportProgress>(tx, work.to);
  if (job) await endJob(tx, job, { progress: job.progress, failure: givenUp(error), now: ctx.now });
}

/** Its table, or what was recorded of it, went while it was being read. */
class Gone extends Error {}

async function step(ctx: Context, job: ExportJob): Promise<void> {
  const { progress } = job;
  if (progress.files === undefined) {
    await put(ctx, job, { key: `${homeOf(job)}/_started`, body: Buffer.alloc(0) });
    await ctx.write((tx) => setProgress(tx, job, { ...progress, files: 0 }));
  } else if (progress.position !== END) await writeFile(ctx, job);
  else await finish(ctx, job);
}

/** No hash's base64. */
const END = "end";

async function writeFile(ctx: Context, job: ExportJob): Promise<void> {
  const { files = 0, items, bytes } = job.progress;
  const { lines, position, weight } = await readFile(ctx.singly, job);
  const body = await compress(Buffer.from(lines.map((line) => `${line}\n`).join("")));
  // What a crash left unremembered is written again, under the same name.
  const name = base32(createHash("sha256").update(`${job.arn} ${files}`).digest().subarray(0, 16));
  const home = "atMs" in job.request.what ? `${homeOf(job)}/data` : `${prefixOf(job)}AWSDynamoDB/data`;
  const key = `${home}/${name}.json.gz`;
  const etag = await put(ctx, job, { key, body });
  await ctx.write(async (tx) => {
    await tx.run(
      `INSERT INTO dynamodb_export_file (number, ordinal, key, items, md5, etag)
       VALUES (:number, :ordinal, :key, :items, :md5, :etag) ON CONFLICT (number, ordinal) DO NOTHING`,
      { number: job.number, ordinal: files, key, items: lines.length, md5: md5(body), etag },
    );
    await setProgress(tx, job, { position, files: files + 1, items: items + lines.length, bytes: bytes + weight });
  });
}

/** Lines of one data file, from where the last one ended. */
async function readFile(tx: Singly, job: ExportJob) {
  const { what } = job.request;
  let after: Uint8Array = job.progress.position === undefined ? EMPTY : Buffer.from(job.progress.position, "base64");
  const lines: string[] = [];
  let length = 0;
  let weight = 0;
  for (;;) {
    const table = await sourceOf(tx, job);
    const history = table.pitr!.history;
    const full: Source = { number: table.number, asOf: { history, ms: "atMs" in what ? what.atMs : 0 } };
    const span = await nextSpan(tx, "atMs" in what ? full : { asOf: full.asOf }, { after, most: MOST_READ });
    const rows = "atMs" in what ? await fullRows(tx, full, span) : await changedRows(tx, table, { what, span });
    for (const { line, size } of rows) {
      lines.push(line);
      length += line.length;
      weight += size;
    }
    if (span.upto === undefined) return { lines, weight, position: END };
    after = span.upto;
    if (length >= FILE_BYTES) return { lines, weight, position: Buffer.from(after).toString("base64") };
  }
}

async function sourceOf(tx: Singly, job: ExportJob): Promise<Table> {
  const { account, region, tableName: name, tableArn: arn } = job;
  const table = await findTable(tx, { account, region, name, arn });
  if (table?.id !== job.tableId || !table.pitr || table.pitr.sinceMs > job.createdMs)
    throw new Gone("The table was deleted, or its point in time recovery was switched off, while it was exported");
  return table;
}

interface Line {
  readonly line: string;
  readonly size: number;
}

async function fullRows(tx: Singly, source: Source, span: Span): Promise<Line[]> {
  const { sql, params } = rowsSql(source, span);
  const rows = await tx.all<{ item: string; size: number }>(sql, params);
  return rows.map(({ item, size }) => ({ line: `{"Item":${item}}`, size }));
}

interface ChangedRow {
  readonly first_item: string | null;
  readonly last_ms: number;
  /** Of the change that was the first after the window. */
  readonly next_ms: number | null;
  readonly next_item: string | null;
  readonly item: string | null;
  readonly some_item: string | null;
}

/** Each item that changed, once: as it was before the window, and as it was at its end. */
async function changedRows(tx: Singly, table: Table, { what, span }: { what: Changes; span: Span }): Promise<Line[]> {
  const same = (one: string, other: string) =>
    `${one}.hash = ${other}.hash AND ${one}.pk = ${other}.pk AND ${one}.sk = ${other}.sk`;
  const rows = await tx.all<ChangedRow>(
    `SELECT f.item AS first_item, k.last_ms, n.until_ms AS next_ms, n.item AS next_item, i.item,
       (SELECT MAX(s.item) FROM dynamodb_history s WHERE s.number = :history AND ${same("s", "k")}
         AND s.until_ms >= :from AND s.until_ms < :to) AS some_item
     FROM (SELECT h.hash, h.pk, h.sk, MIN(h.until_ms) AS first_ms, MAX(h.until_ms) AS last_ms FROM dynamodb_history h
       WHERE h.number = :history ${within("h", span)} AND h.until_ms >= :from AND h.until_ms < :to
       GROUP BY h.hash, h.pk, h.sk) k
     JOIN dynamodb_history f ON f.number = :history AND ${same("f", "k")} AND f.until_ms = k.first_ms
     LEFT JOIN dynamodb_history n ON n.number = :history AND ${same("n", "k")} AND n.until_ms =
       (SELECT MIN(m.until_ms) FROM dynamodb_history m WHERE m.number = :history AND ${same("m", "k")} AND m.until_ms >= :to)
     LEFT JOIN dynamodb_item i ON i.number = :number AND ${same("i", "k")}`,
    { history: table.pitr!.history, number: table.number, from: what.fromMs, to: what.toMs, ...spanParams(span) },
  );
  return rows.flatMap((row) => changedLine(table, row, what.view));
}

function changedLine(table: Table, row: ChangedRow, view: Changes["view"]): Line[] {
  const before = row.first_item;
  const after = row.next_ms === null ? row.item : row.next_item;
  // Of one that came and went within a millisecond nothing is recorded but that it was not there.
  const any = before ?? after ?? row.some_item;
  if (any === null) return [];
  const keys = itemText(keyItem(table.key, itemOf(any)));
  const parts = [
    `"Metadata":{"WriteTimestampMicros":{"N":"${row.last_ms}000"}}`,
    `"Keys":${keys}`,
    ...(before !== null && view === "NEW_AND_OLD_IMAGES" ? [`"OldImage":${before}`] : []),
    ...(after === null ? [] : [`"NewImage":${after}`]),
  ];
  const line = `{${parts.join(",")}}`;
  return [{ line, size: Buffer.byteLength(line) }];
}

async function finish(ctx: Context, job: ExportJob): Promise<void> {
  const { bucket, prefix, algorithm, kmsKey, what } = job.request;
  const { items, bytes } = job.progress;
  const files = await ctx.singly.all<DataFile>(
    "SELECT key, items, md5, etag FROM dynamodb_export_file WHERE number = :number ORDER BY ordinal",
    { number: job.number },
  );
  const endedMs = ctx.now;
  const listKey = `${homeOf(job)}/manifest-files.json`;
  const list = files.map(({ key, items, md5, etag }) =>
    JSON.stringify({ itemCount: items, md5Checksum: md5, etag, dataFileS3Key: key }),
  );
  const summary = {
    version: "atMs" in what ? "2020-06-30" : "2023-08-01",
    exportArn: job.arn,
    startTime: iso(job.createdMs),
    endTime: iso(endedMs),
    tableArn: job.tableArn,
    tableId: job.tableId,
    ...("atMs" in what
      ? { exportTime: iso(what.atMs) }
      : { exportFromTime: iso(what.fromMs), exportToTime: iso(what.toMs) }),
    s3Bucket: bucket,
    s3Prefix: prefix ?? null,
    s3SseAlgorithm: algorithm,
    s3SseKmsKeyId: kmsKey ?? null,
    manifestFilesS3Key: listKey,
    billedSizeBytes: bytes,
    itemCount: items,
    outputFormat: "DYNAMODB_JSON",
    ...("atMs" in what
      ? { outputView: null, exportType: "FULL_EXPORT" }
      : { outputView: what.view, exportType: "INCREMENTAL_EXPORT" }),
  };
  const manifest = `${homeOf(job)}/manifest-summary.json`;
  for (const [key, text] of [
    [listKey, list.map((line) => `${line}\n`).join("")],
    [manifest, JSON.stringify(summary)],
  ] as const) {
    const body = Buffer.from(text);
    await put(ctx, job, { key, body });
    await put(ctx, job, { key: key.replace(/json$/, "md5"), body: Buffer.from(md5(body)) });
  }
  await ctx.write((tx) => endJob(tx, job, { progress: { ...job.progress, manifest }, now: endedMs }));
  ctx.log.info(`export ${job.id}: ${items} items`, { subject: job.arn });
}

/** The ETag, without its quotes. */
async function put(
  ctx: Context,
  { request: { bucket, bucketOwner, algorithm, kmsKey } }: ExportJob,
  { key, body }: { key: string; body: Uint8Array },
): Promise<string> {
  const { ETag } = await ctx.call("s3", "PutObject", {
    Bucket: bucket,
    Key: key,
    Body: Readable.from([body]),
    ...(bucketOwner !== undefined && { ExpectedBucketOwner: bucketOwner }),
    ServerSideEncryption: algorithm === "KMS" ? "aws:kms" : "AES256",
    ...(kmsKey !== undefined && { SSEKMSKeyId: kmsKey }),
  });
  return ETag!.replaceAll('"', "");
}

const prefixOf = ({ request: { prefix } }: ExportJob): string => (prefix ? `${prefix.replace(/\/$/, "")}/` : "");
const homeOf = (job: ExportJob): string => `${prefixOf(job)}AWSDynamoDB/${job.id}`;
const md5 = (body: Uint8Array): string => createHash("md5").update(body).digest("base64");
const iso = (ms: number): string => new Date(ms).toISOString();

const DIGITS = "abcdefghijklmnopqrstuvwxyz234567";

/** 26 digits of 16 bytes, as the data files of AWS are called. */
function base32(bytes: Uint8Array): string {
  let left = bytes.reduce((all, byte) => (all << 8n) | BigInt(byte), 0n);
  let text = "";
  for (; text.length < 26; left >>= 5n) text += DIGITS[Number(left & 31n)];
  return text;
}
