// ExportTableToPointInTime, DescribeExport, ListExports: a table's items, or what changed of them, into a bucket.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.HowItWorks.html
import { AwsError, type Context, defineOperations, type Input, type Output, parseArn } from "../../kernel/mod.ts";
import { onAll } from "./access.ts";
import { errors } from "./errors.ts";
import type { RunExport } from "./export-run.ts";
import { earliest } from "./history.ts";
import { insertJob, type Job, jobOfToken, listJobs, onJob, openJob } from "./jobs.ts";
import { findTable, nextNumber, type Table, tableRef } from "./schema.ts";

const SHORTEST_MS = 15 * 60 * 1000;
const LONGEST_MS = 24 * 60 * 60 * 1000;

type ExportInput = Input<"dynamodb", "ExportTableToPointInTime">;
type Description = NonNullable<Output<"dynamodb", "DescribeExport">["ExportDescription"]>;

/** What was asked for, with the times that were meant. */
export interface ExportRequest {
  readonly bucket: string;
  readonly bucketOwner?: string | undefined;
  readonly prefix?: string | undefined;
  readonly algorithm: "AES256" | "KMS";
  readonly kmsKey?: string | undefined;
  readonly what: { readonly atMs: number } | Changes;
}

/** What was changed from a time on, and before another. */
export interface Changes {
  readonly fromMs: number;
  readonly toMs: number;
  readonly view: "NEW_IMAGE" | "NEW_AND_OLD_IMAGES";
}

export interface ExportProgress {
  /** base64 of the last hash that is written; undefined: none yet. */
  readonly position?: string | undefined;
  /** undefined: it is begun. */
  readonly files?: number;
  readonly items: number;
  readonly bytes: number;
  /** Key of the summary. */
  readonly manifest?: string;
}

export type ExportJob = Job<ExportRequest, ExportProgress>;

export const exportOperations = defineOperations("dynamodb", {
  ExportTableToPointInTime: {
    access: (ctx, input) => ({
      action: "dynamodb:ExportTableToPointInTime",
      resource: parseArn(input.TableArn ?? "") ? input.TableArn! : tableRef(ctx, "none").arn,
    }),
    async handle(ctx, input) {
      const { ClientToken: token, ...asked } = input;
      const name = exportedName(ctx, input.TableArn!);
      couplings(input);
      const job = await ctx.write(async (tx) => {
        const known = await jobOfToken<ExportRequest, ExportProgress>(tx, ctx, { kind: "export", token, asked });
        if (known) return known;
        const table = name === undefined ? undefined : await findTable(tx, tableRef(ctx, name));
        if (!table || table.status) throw errors.sourceNotFound(input.TableArn!);
        const arn = await insertJob(tx, ctx, {
          kind: "export",
          table,
          number: await nextNumber(tx),
          token,
          asked,
          request: requestOf(ctx, table, input),
          progress: { items: 0, bytes: 0 } satisfies ExportProgress,
        });
        // As who asked: it is theirs to write to the bucket.
        await ctx.put(tx, { to: arn, payload: { kind: "export" } satisfies RunExport });
        return openJob<ExportRequest, ExportProgress>(tx, ctx, arn, "export");
      });
      ctx.log.info(`export of table ${job.tableName} to ${input.S3Bucket}`, { subject: job.arn });
      return { ExportDescription: description(job) };
    },
  },

  DescribeExport: {
    access: (ctx, input) => onJob(ctx, "DescribeExport", input.ExportArn, "export"),
    async handle(ctx, input) {
      return { ExportDescription: description(await openJob(ctx.singly, ctx, input.ExportArn, "export")) };
    },
  },

  ListExports: {
    access: (ctx) => onAll(ctx, "ListExports"),
    async handle(ctx, { TableArn, NextToken: token, MaxResults: most }) {
      const ref = TableArn === undefined ? undefined : tableRef(ctx, TableArn);
      // Of a table that is gone, or is another by now, nothing is listed (seen on AWS).
      const table = ref && (await findTable(ctx.singly, ref));
      if (ref && !table) return { ExportSummaries: [] };
      const { jobs, ...next } = await listJobs<ExportRequest, ExportProgress>(ctx.singly, ctx, {
        kind: "export",
        table: ref,
        tableId: table?.id,
        token,
        most,
      });
      return {
        ExportSummaries: jobs.map(({ arn, status, request }) => ({
          ExportArn: arn,
          ExportStatus: status,
          ExportType: "atMs" in request.what ? ("FULL_EXPORT" as const) : ("INCREMENTAL_EXPORT" as const),
        })),
        ...next,
      };
    },
  },
});

/** undefined: of another region, where it is not found (seen on AWS). */
function exportedName(ctx: Context, arn: string): string | undefined {
  const parts = parseArn(arn);
  if (!parts) throw errors.invalid("tableArn is not a valid ARN");
  const [, name] = /^table\/([^/]+)$/.exec(parts.resource) ?? [];
  if (parts.service !== "dynamodb" || name === undefined) throw errors.invalidRequest("Table ARN is invalid.");
  return parts.region === ctx.region ? name : undefined;
}

/** In the order in which AWS was seen to refuse. */
function couplings(input: ExportInput): void {
  const { ExportType: type, IncrementalExportSpecification: changes, S3SseAlgorithm, S3SseKmsKeyId } = input;
  if (changes && type === undefined)
    throw errors.invalidRequest(
      "Export Type expected to be Incremental Export when incremental export specification is provided",
    );
  if (changes && type === "FULL_EXPORT")
    throw errors.invalidRequest(
      "When Export Type is Full Export , Incremental Export Specification should not be provided",
    );
  if (type === "INCREMENTAL_EXPORT" && !changes)
    throw errors.invalidRequest(
      "Incremental Export Specification expected when export type is set as Incremental Export",
    );
  if (changes && !changes.ExportFromTime)
    throw errors.invalidRequest("ExportFromTime must be provided in IncrementalExportSpecification");
  if (S3SseKmsKeyId !== undefined && S3SseAlgorithm !== "KMS")
    throw errors.invalidRequest("KMS Key Id is not supported for this encryption type");
  if (input.ExportFormat === "ION") throw errors.notImplemented("ExportFormat ION");
}

function requestOf(ctx: Context, table: Table, input: ExportInput): ExportRequest {
  return {
    bucket: input.S3Bucket!,
    bucketOwner: input.S3BucketOwner,
    prefix: input.S3Prefix,
    algorithm: input.S3SseAlgorithm ?? "AES256",
    kmsKey: input.S3SseKmsKeyId,
    what: input.IncrementalExportSpecification ? changesOf(ctx, table, input) : { atMs: timeOf(ctx, table, input) },
  };
}

const exportTime = (message: string) => new AwsError("InvalidExportTimeException", 400, message);
const iso = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

function timeOf({ now }: Context, { pitr, name }: Table, { ExportTime }: ExportInput): number {
  if (!pitr) throw errors.recoveryUnavailable(name);
  const atMs = ExportTime?.getTime() ?? now;
  const from = earliest(pitr, now);
  if (atMs > now || atMs < toSecond(from)) throw exportTime("Export Time is invalid");
  return Math.max(atMs, from);
}

/** The window is looked at before recovery is, as AWS was seen to. */
function changesOf({ now }: Context, table: Table, input: ExportInput): Changes {
  const { ExportFromTime, ExportToTime, ExportViewType } = input.IncrementalExportSpecification!;
  const fromMs = ExportFromTime!.getTime();
  const toMs = ExportToTime?.getTime() ?? now;
  if (fromMs < toSecond(table.createdMs))
    throw exportTime(
      `Incremental export period from time cannot be less than the table creation time : ${iso(fromMs)}`,
    );
  if (toMs > now)
    throw exportTime(`Incremental export period to time cannot be greater than the current time : ${iso(toMs)}`);
  const period = "Difference between export period from time and export period to time is";
  if (toMs - fromMs < SHORTEST_MS) throw exportTime(`${period} less than 15 minutes`);
  if (toMs - fromMs > LONGEST_MS) throw exportTime(`${period} greater than 24 hours`);
  if (!table.pitr) throw errors.recoveryUnavailable(table.name);
  if (fromMs < toSecond(earliest(table.pitr, now)))
    throw exportTime("Point in Time Recovery is not available for specified export time");
  return { fromMs, toMs, view: ExportViewType ?? "NEW_AND_OLD_IMAGES" };
}

/** What is told is told in seconds: the first one is good, whatever its milliseconds. */
const toSecond = (ms: number): number => Math.floor(ms / 1000) * 1000;

/** Counts and times come with the end; the type of a full export is never told (seen on AWS). */
function description(job: ExportJob): Description {
  const { bucket, bucketOwner, prefix, algorithm, kmsKey, what } = job.request;
  return {
    ExportArn: job.arn,
    ExportStatus: job.status,
    StartTime: new Date(job.createdMs),
    ...(job.endedMs !== undefined && { EndTime: new Date(job.endedMs) }),
    TableArn: job.tableArn,
    TableId: job.tableId,
    ClientToken: job.token,
    S3Bucket: bucket,
    ...(bucketOwner !== undefined && { S3BucketOwner: bucketOwner }),
    ...(prefix !== undefined && { S3Prefix: prefix }),
    S3SseAlgorithm: algorithm,
    ...(kmsKey !== undefined && { S3SseKmsKeyId: kmsKey }),
    ExportFormat: "DYNAMODB_JSON",
    ...("atMs" in what
      ? { ExportTime: new Date(what.atMs) }
      : {
          ExportType: "INCREMENTAL_EXPORT",
          IncrementalExportSpecification: {
            ExportFromTime: new Date(what.fromMs),
            ExportToTime: new Date(what.toMs),
            ExportViewType: what.view,
          },
        }),
    ...(job.status === "COMPLETED" && {
      ExportManifest: job.progress.manifest,
      ItemCount: job.progress.items,
      BilledSizeBytes: job.progress.bytes,
    }),
    ...(job.failure && { FailureCode: job.failure.code, FailureMessage: job.failure.message }),
  };
}
