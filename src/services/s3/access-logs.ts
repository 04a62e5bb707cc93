// Server access logs: a line for each request to a bucket that has logging, put into the target bucket some minutes later, on the clock.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
import { Readable } from "node:stream";
import { type Answered, AwsError, type Context, newHex, type Running, type Tx } from "../../kernel/mod.ts";
import { bucketFacts, ownerOf } from "./buckets.ts";
import { extendedIdOf } from "./events.ts";
import { type Logging, loggingOf } from "./logging.ts";
import { nextSequence, stateOf } from "./state.ts";
import type { BucketRow } from "./tables.ts";
import { asS3, schedule, type Task } from "./tasks.ts";

/** AWS: "most log records are delivered within a few hours"; here nobody wants to wait for them. */
const DELIVERED_AFTER_MS = 5 * 60_000;
/** Rows of one log object: each has the lines of one moment. */
const MAX_ROWS = 1000;
/** Lines that wait for a store that does not answer. Beyond it, requests have none. */
const MAX_WAITING = 100_000;
const TASK = "access-logs";
const DAY = 86_400_000;

interface Line {
  readonly bucket: BucketRow;
  readonly sequence: number;
  readonly line: string;
}

/** Gathers what was answered, and writes many lines in one transaction. A crash loses at most those: AWS promises no more. */
export class AccessLogs implements Running {
  readonly #ctx: Context;
  #lines: Line[] = [];
  #looking = 0;
  #running: Promise<void> | undefined;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  take(ctx: Context, of: Answered): void {
    const name = of.labels.Bucket;
    if (name === undefined) return;
    // In the order of the answers, however long it takes to look the bucket up.
    const sequence = nextSequence(ctx);
    const facts = bucketFacts(ctx, decoded(name));
    if (!(facts instanceof Promise)) this.#add(ctx, facts, { ...of, sequence });
    else {
      this.#looking++;
      facts
        .then((bucket) => this.#add(ctx, bucket, { ...of, sequence }))
        .catch((error: unknown) =>
          ctx.log.warn(`a request is not logged: ${error instanceof Error ? error.message : error}`),
        )
        .finally(() => this.#looking--);
    }
  }

  async settled(): Promise<void> {
    while (this.#looking > 0) await new Promise(setImmediate);
    await this.#running;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.settled();
  }

  #add(ctx: Context, bucket: BucketRow | undefined, { sequence, ...of }: Answered & { sequence: number }): void {
    if (!bucket || bucket.logging === null || this.#lines.length >= MAX_WAITING) return;
    this.#lines.push({ bucket, sequence, line: lineOf(ctx, bucket, of) });
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    try {
      while (this.#lines.length > 0) {
        // What is answered in this turn goes together.
        await new Promise(setImmediate);
        const lines = this.#lines.splice(0).sort((a, b) => a.sequence - b.sequence);
        await this.#ctx.write((tx) => keep(this.#ctx, tx, lines));
      }
    } catch (error) {
      this.#ctx.log.warn(`requests are not logged: ${error instanceof Error ? error.message : error}`);
    } finally {
      this.#running = undefined;
    }
  }
}

async function keep(ctx: Context, tx: Tx, lines: readonly Line[]): Promise<void> {
  for (const [name, of] of Map.groupBy(lines, ({ bucket }) => bucket.name)) {
    const { bucket, sequence } = of[0]!;
    await tx.run("INSERT INTO s3_access_log (bucket, sequence, line) VALUES (:name, :sequence, :line)", {
      name,
      sequence,
      line: of.map(({ line }) => line).join("\n"),
    });
    await schedule(ctx, tx, { bucket, task: TASK, due: ctx.clock.now() + DELIVERED_AFTER_MS });
  }
}

/** For `Service.answered`. */
export const logAnswered = (ctx: Context, of: Answered): void => stateOf(ctx).accessLogs?.take(ctx, of);

export const accessLogTask: Task = {
  async next(now, { name }, _, tx) {
    const left = await tx.one("SELECT sequence FROM s3_access_log WHERE bucket = :name LIMIT 1", { name });
    return left && now + DELIVERED_AFTER_MS;
  },
  async run(ctx, bucket) {
    for (let more = true; more; ) more = await deliverLines(ctx, bucket);
  },
};

/** One log object, or one of each day. Lines that cannot be delivered are dropped, and it is said why. */
async function deliverLines(ctx: Context, bucket: BucketRow): Promise<boolean> {
  const rows = await ctx.read((tx) =>
    tx.all<{ sequence: number; line: string }>(
      `SELECT sequence, line FROM s3_access_log WHERE bucket = :name ORDER BY sequence LIMIT ${MAX_ROWS}`,
      { name: bucket.name },
    ),
  );
  if (rows.length === 0) return false;
  const logging = loggingOf(bucket);
  if (logging) {
    const days = Map.groupBy(rows, ({ sequence }) => dayOf(ctx, logging, sequence));
    for (const [day, lines] of days)
      await deliverDay(ctx, bucket, { logging, day, lines: lines.map(({ line }) => line) });
  }
  await ctx.write((tx) =>
    tx.run("DELETE FROM s3_access_log WHERE bucket = :name AND sequence <= :last", {
      name: bucket.name,
      last: rows.at(-1)!.sequence,
    }),
  );
  return rows.length === MAX_ROWS;
}

/** Where keys are partitioned by the time of the event, each day is an object of its own. */
function dayOf(ctx: Context, { TargetObjectKeyFormat: format }: Logging, sequence: number): number {
  if (format?.PartitionedPrefix?.PartitionDateSource !== "EventTime") return ctx.clock.now();
  return Math.floor(sequence / 1024 / DAY) * DAY;
}

async function deliverDay(
  ctx: Context,
  bucket: BucketRow,
  { logging, day, lines }: { logging: Logging; day: number; lines: readonly string[] },
): Promise<void> {
  const Key = keyOf(bucket, logging, day);
  const as = { ...asS3(bucket), name: "logging.s3.amazonaws.com" };
  try {
    const Body = Readable.from([Buffer.from(`${lines.join("\n")}\n`)]);
    await ctx.call("s3", "PutObject", { Bucket: logging.TargetBucket, Key, Body, ContentType: "text/plain" }, as);
  } catch (error) {
    if (!(error instanceof AwsError) || error.status >= 500) throw error;
    ctx.log.warn(`lines about ${bucket.name} are lost: ${logging.TargetBucket} says ${error.message}`);
  }
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html: `PREFIXYYYY-MM-DD-hh-mm-ss-UNIQUE`, or below account, region, bucket and day. */
function keyOf(bucket: BucketRow, { TargetPrefix = "", TargetObjectKeyFormat: format }: Logging, at: number): string {
  const [date, time] = new Date(at).toISOString().slice(0, 19).split("T") as [string, string];
  const name = `${date}-${time.replaceAll(":", "-")}-${newHex(16).toUpperCase()}`;
  if (!format?.PartitionedPrefix) return `${TargetPrefix}${name}`;
  return `${TargetPrefix}${bucket.account}/${bucket.region}/${bucket.name}/${date.replaceAll("-", "/")}/${name}`;
}

function lineOf(ctx: Context, bucket: BucketRow, of: Answered): string {
  const { request, answer, operation, labels, tookMs } = of;
  const { headers } = request;
  const query = request.query === "" ? "" : `?${request.query}`;
  const took = String(Math.round(tookMs));
  const requestId = answer.headers["x-amz-request-id"] ?? ctx.requestId;
  return [
    ownerOf(ctx, bucket.account).ID,
    bucket.name,
    timeOf(ctx.clock.now()),
    request.from,
    requesterOf(ctx),
    requestId,
    nameOf(operation, request.method),
    labels.Key ?? "-",
    `"${quotable(`${request.method} ${request.path}${query} HTTP/1.1`)}"`,
    String(answer.status),
    of.code ?? "-",
    answer.headers["content-length"] && request.method !== "HEAD" ? zeroless(answer.headers["content-length"]) : "-",
    sizeOf(operation, of),
    took,
    took,
    `"${quotable(headers.referer ?? "-")}"`,
    `"${quotable(headers["user-agent"] ?? "-")}"`,
    new URLSearchParams(request.query).get("versionId") ?? "-",
    extendedIdOf(requestId),
    ...signatureOf(request),
    headers.host ?? "-",
    "-",
    "-",
    "-",
    "-",
  ].join(" ");
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `[06/Feb/2019:00:00:38 +0000]` */
function timeOf(at: number): string {
  const [date, time] = new Date(at).toISOString().split("T") as [string, string];
  const [year, month, day] = date.split("-");
  return `[${day}/${MONTHS[Number(month) - 1]}/${year}:${time.slice(0, 8)} +0000]`;
}

function requesterOf(ctx: Context): string {
  const { principal } = ctx;
  if (principal.kind === "anonymous") return "-";
  if (principal.kind === "service") return `svc:${principal.name}`;
  return principal.kind === "root" ? ownerOf(ctx, principal.account).ID : principal.arn;
}

/** An object's, in bytes: what it was read of, or what was put. */
function sizeOf(operation: string | undefined, { request, answer }: Answered): string {
  if (operation === "GetObject" || operation === "HeadObject") {
    if (answer.status >= 300) return "-";
    return answer.headers["content-range"]?.split("/")[1] ?? answer.headers["content-length"] ?? "-";
  }
  if (operation !== "PutObject" && operation !== "UploadPart") return "-";
  return request.headers["x-amz-decoded-content-length"] ?? request.headers["content-length"] ?? "-";
}

/** Signature version, cipher suite (there is no TLS here) and how it was signed. */
function signatureOf({ headers, query }: Answered["request"]): [string, string, string] {
  const { authorization } = headers;
  if (authorization !== undefined) return [authorization.startsWith("AWS4") ? "SigV4" : "SigV2", "-", "AuthHeader"];
  if (query.includes("X-Amz-Signature=")) return ["SigV4", "-", "QueryString"];
  return query.includes("AWSAccessKeyId=") ? ["SigV2", "-", "QueryString"] : ["-", "-", "-"];
}

/** Operations whose resource is not simply what they are called. */
const RESOURCES: Readonly<Record<string, string>> = {
  GetObject: "OBJECT",
  ListObjects: "BUCKET",
  ListObjectsV2: "BUCKET",
  ListObjectVersions: "BUCKETVERSIONS",
  CreateBucket: "BUCKET",
  DeleteBucket: "BUCKET",
  HeadBucket: "BUCKET",
  GetBucketPolicy: "BUCKETPOLICY",
  PutBucketPolicy: "BUCKETPOLICY",
  DeleteBucketPolicy: "BUCKETPOLICY",
  GetBucketLogging: "LOGGING_STATUS",
  PutBucketLogging: "LOGGING_STATUS",
  GetBucketLifecycleConfiguration: "LIFECYCLE",
  PutBucketLifecycleConfiguration: "LIFECYCLE",
  GetBucketNotificationConfiguration: "NOTIFICATION",
  PutBucketNotificationConfiguration: "NOTIFICATION",
  GetObjectAcl: "ACL",
  PutObjectAcl: "ACL",
  DeleteObjects: "MULTI_OBJECT_DELETE",
  CreateMultipartUpload: "UPLOADS",
  ListMultipartUploads: "UPLOADS",
  CompleteMultipartUpload: "UPLOAD",
  AbortMultipartUpload: "UPLOAD",
  ListParts: "UPLOAD",
  UploadPart: "PART",
  UploadPartCopy: "PART",
  CopyObject: "OBJECT",
  RestoreObject: "RESTORE",
};

/** `REST.GET.OBJECT`. Of an operation that AWS's examples do not show, the name says what it is about: `PutObjectTagging` is OBJECT_TAGGING. */
function nameOf(operation: string | undefined, method: string): string {
  const verb = operation?.endsWith("Copy") || operation === "CopyObject" ? "COPY" : method;
  const noun = operation?.replace(/^(Get|Put|Delete|List|Head|Create)/, "").replace(/^Bucket(?=.)/, "");
  const named = noun?.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
  return `REST.${verb}.${RESOURCES[operation ?? ""] ?? named ?? "UNKNOWN"}`;
}

const zeroless = (length: string): string => (length === "0" ? "-" : length);

/** What a client says stands between quotes, on one line. */
const quotable = (text: string): string =>
  text.replace(/["\\\n\r]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);

function decoded(label: string): string {
  try {
    return decodeURIComponent(label);
  } catch {
    return label; // no bucket's name
  }
}
