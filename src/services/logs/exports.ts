// CreateExportTask, DescribeExportTasks, CancelExportTask.
import { Readable } from "node:stream";
import { AwsError, type Context, defineOperations, newRequestId, type Output } from "../../kernel/mod.ts";
import { onAll, onNamed } from "./access.ts";
import { errors } from "./errors.ts";
import { type Definition, type Export, finish } from "./export-run.ts";
import { cut, readCursor } from "./pages.ts";
import { itself } from "./retention.ts";
import { groupArn, openGroup, refOf } from "./rows.ts";

interface ExportRow {
  readonly id: string;
  readonly status: "PENDING" | "COMPLETED" | "FAILED" | "CANCELLED";
  readonly message: string;
  readonly definition: string;
  readonly created_ms: number;
  readonly completed_ms: number | null;
}

const PAGE = 50;
const RETRY = { waitsMs: [1_000, 10_000], attempts: 3 };

export const exportTasks = defineOperations("logs", {
  CreateExportTask: {
    access: (ctx, input) => onNamed(ctx, "CreateExportTask", input),
    async handle(ctx, input) {
      const { from = 0, to = 0, destination = "", destinationPrefix = "exportedlogs", logGroupName = "" } = input;
      if (from >= to) throw errors.parameter("Start time must be less than end time.");
      const ref = refOf(ctx, logGroupName);
      await openGroup(ctx.singly, ref);
      const arn = groupArn(ref);
      const as = itself(arn, ref.account);
      const id = newRequestId();
      await mayWrite(ctx, { Bucket: destination, prefix: destinationPrefix, as });
      const definition: Definition = {
        taskName: input.taskName,
        logGroupName,
        logStreamNamePrefix: input.logStreamNamePrefix,
        from,
        to,
        destination,
        destinationPrefix,
      };
      const { account, region } = ctx;
      await ctx.write(async (tx) => {
        const busy = await tx.one(
          "SELECT id FROM logs_export WHERE account = :account AND region = :region AND status = 'PENDING'",
          { account, region },
        );
        if (busy) throw errors.limit();
        await tx.run(
          `INSERT INTO logs_export (account, region, id, status, message, definition, created_ms)
           VALUES (:account, :region, :id, 'PENDING', '', :definition, :created_ms)`,
          { account, region, id, definition: JSON.stringify(definition), created_ms: ctx.now },
        );
        const payload: Export = { kind: "export", id };
        await ctx.put(tx, { to: arn, as, payload, retry: RETRY });
      });
      return { taskId: id };
    },
  },

  DescribeExportTasks: {
    access: (ctx) => onAll(ctx, "DescribeExportTasks"),
    async handle(ctx, input) {
      const { account, region } = ctx;
      const all = await ctx.singly.all<ExportRow>(
        "SELECT * FROM logs_export WHERE account = :account AND region = :region ORDER BY created_ms DESC, id",
        { account, region },
      );
      const [after] = readCursor(input.nextToken);
      const matching = all.filter(
        ({ id, status }) =>
          (input.taskId === undefined || id === input.taskId) &&
          (input.statusCode === undefined || status === input.statusCode),
      );
      if (input.taskId !== undefined && matching.length === 0) throw errors.noExportTask();
      const rest = matching.slice(after === "" ? 0 : matching.findIndex(({ id }) => id === after) + 1);
      const { items, nextToken } = cut(rest, input.limit ?? PAGE, ({ id }) => [id]);
      return { exportTasks: items.map(described), ...(nextToken !== undefined && { nextToken }) };
    },
  },

  CancelExportTask: {
    access: (ctx) => onAll(ctx, "CancelExportTask"),
    async handle(ctx, input) {
      const { account, region } = ctx;
      const id = input.taskId!;
      await ctx.write(async (tx) => {
        const of = { account, region, id, status: "CANCELLED", message: "Cancelled by user", at: ctx.now };
        if ((await finish(tx, of)) > 0) return;
        const known = await tx.one(
          "SELECT id FROM logs_export WHERE account = :account AND region = :region AND id = :id",
          { account, region, id },
        );
        if (!known) throw errors.noExportTask();
        throw new AwsError("InvalidOperationException", 400, "The specified export task has already finished");
      });
      return {};
    },
  },
});

/** AWS writes a file of this name, and takes none where it may not. */
async function mayWrite(
  ctx: Context,
  { Bucket, prefix, as }: { Bucket: string; prefix: string; as: ReturnType<typeof itself> },
): Promise<void> {
  try {
    await ctx.call("s3", "GetBucketAcl", { Bucket }, as);
    await ctx.call(
      "s3",
      "PutObject",
      { Bucket, Key: `${prefix}/aws-logs-write-test`, Body: Readable.from([WRITE_TEST]) },
      as,
    );
  } catch (error) {
    if (!(error instanceof AwsError) || error.status >= 500) throw error;
    if (error.code === "NoSuchBucket")
      throw errors.parameter("The given bucket does not exist. Please check the bucket name and try again.");
    const call = error.message.includes("GetBucketAcl") ? "GetBucketAcl" : "PutObject";
    throw errors.parameter(
      `${call} call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to perform this operation.`,
    );
  }
}

const WRITE_TEST = Buffer.from("Permission Check Successful");

type Described = NonNullable<Output<"logs", "DescribeExportTasks">["exportTasks"]>[number];

function described(row: ExportRow): Described {
  const { logStreamNamePrefix: _, ...definition } = JSON.parse(row.definition) as Definition;
  return {
    taskId: row.id,
    ...definition,
    status: { code: row.status, ...(row.message !== "" && { message: row.message }) },
    executionInfo: {
      creationTime: row.created_ms,
      ...(row.completed_ms !== null && { completionTime: row.completed_ms }),
    },
  };
}
