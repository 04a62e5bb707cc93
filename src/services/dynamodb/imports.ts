// ImportTable, DescribeImport, ListImports: a new table of what lies in a bucket.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.HowItWorks.html
import { defineOperations, type Input, type Output } from "../../kernel/mod.ts";
import { onAll, onTable } from "./access.ts";
import { wantedKey } from "./encryption.ts";
import { errors } from "./errors.ts";
import type { RunImport } from "./import-run.ts";
import { insertJob, type Job, jobOfToken, listJobs, onJob, openJob } from "./jobs.ts";
import { findTable, insertTable, nextNumber, ofNewTable, type Table, tableRef } from "./schema.ts";
import { newDefinition } from "./table-rules.ts";
import { numbered } from "./tables.ts";
import { createView } from "./views.ts";

type ImportInput = Input<"dynamodb", "ImportTable">;
type Description = NonNullable<Output<"dynamodb", "DescribeImport">["ImportTableDescription"]>;

/** As it was asked for. */
export type ImportRequest = Omit<ImportInput, "ClientToken">;

export interface ImportProgress {
  /** The object that was begun, and how many of its records are done. */
  readonly key?: string | undefined;
  readonly records: number;
  readonly processed: number;
  readonly imported: number;
  readonly failed: number;
  /** Of objects that are done, not compressed. */
  readonly bytes: number;
}

export type ImportJob = Job<ImportRequest, ImportProgress>;

export const importOperations = defineOperations("dynamodb", {
  ImportTable: {
    access: (ctx, input) => onTable(ctx, "ImportTable", input.TableCreationParameters?.TableName),
    async handle(ctx, input) {
      const { ClientToken: token, ...asked } = input;
      const wanted = input.TableCreationParameters!;
      const ref = tableRef(ctx, wanted.TableName);
      couplings(input);
      const { indexes, ...definition } = newDefinition(ctx, wanted);
      const encryptionKey = wanted.SSESpecification && wantedKey(ctx, wanted.SSESpecification);
      const job = await ctx.write(async (tx) => {
        const there = await findTable(tx, ref);
        // A token is good as long as its import goes on, or its table is gone (seen on AWS).
        if (there && there.status !== "CREATING") throw errors.tableExists(ref.name);
        const known = await jobOfToken<ImportRequest, ImportProgress>(tx, ctx, { kind: "import", token, asked });
        if (known) return known;
        if (there) throw errors.tableExists(ref.name);
        const table: Table = {
          ...ref,
          ...definition,
          indexes: await numbered(tx, indexes),
          ...(encryptionKey && { encryptionKey }),
          status: "CREATING",
          ...(await ofNewTable(tx, ctx)),
        };
        await insertTable(tx, table);
        await createView(tx, table);
        const arn = await insertJob(tx, ctx, {
          kind: "import",
          table,
          number: await nextNumber(tx),
          token,
          asked,
          request: asked satisfies ImportRequest,
          progress: { records: 0, processed: 0, imported: 0, failed: 0, bytes: 0 } satisfies ImportProgress,
        });
        // As who asked: the bucket must let them read.
        await ctx.put(tx, { to: arn, payload: { kind: "import" } satisfies RunImport });
        return openJob<ImportRequest, ImportProgress>(tx, ctx, arn, "import");
      });
      ctx.log.info(`import of table ${job.tableName} from ${input.S3BucketSource!.S3Bucket}`, { subject: job.arn });
      return { ImportTableDescription: description(job) };
    },
  },

  DescribeImport: {
    access: (ctx, input) => onJob(ctx, "DescribeImport", input.ImportArn, "import"),
    async handle(ctx, input) {
      return { ImportTableDescription: description(await openJob(ctx.singly, ctx, input.ImportArn, "import")) };
    },
  },

  ListImports: {
    access: (ctx) => onAll(ctx, "ListImports"),
    async handle(ctx, { TableArn, NextToken: token, PageSize: most }) {
      const { jobs, ...next } = await listJobs<ImportRequest, ImportProgress>(ctx.singly, ctx, {
        kind: "import",
        table: TableArn === undefined ? undefined : tableRef(ctx, TableArn),
        token,
        most,
      });
      return {
        ImportSummaryList: jobs.map((job) => {
          const { ImportArn, ImportStatus, TableArn, S3BucketSource, InputFormat, StartTime, EndTime } =
            description(job);
          return {
            ImportArn,
            ImportStatus,
            TableArn,
            S3BucketSource,
            InputFormat,
            StartTime,
            ...(EndTime && { EndTime }),
          };
        }),
        ...next,
      };
    },
  },
});

function couplings(input: ImportInput): void {
  const { InputFormat: format, InputFormatOptions: options } = input;
  if (options?.Csv && format !== "CSV")
    throw errors.invalidRequest(`Unsupported InputFormatOptions for the given input format: ${format}.`);
  if (format === "ION") throw errors.notImplemented("InputFormat ION");
}

function description(job: ImportJob): Description {
  const { S3BucketSource: source, InputFormat, InputFormatOptions, InputCompressionType = "NONE" } = job.request;
  const { processed, imported, failed, bytes } = job.progress;
  return {
    ImportArn: job.arn,
    ImportStatus: job.status,
    TableArn: job.tableArn,
    TableId: job.tableId,
    ClientToken: job.token,
    S3BucketSource: { S3BucketOwner: job.account, ...source! },
    ErrorCount: failed,
    InputFormat,
    ...(InputFormatOptions && { InputFormatOptions }),
    InputCompressionType,
    TableCreationParameters: job.request.TableCreationParameters,
    StartTime: new Date(job.createdMs),
    ...(job.endedMs !== undefined && { EndTime: new Date(job.endedMs) }),
    ProcessedSizeBytes: bytes,
    ProcessedItemCount: processed,
    ImportedItemCount: imported,
    ...(job.failure && { FailureCode: job.failure.code, FailureMessage: job.failure.message }),
  };
}
