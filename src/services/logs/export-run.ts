// An export task at work: a group's events of a range of time, as gzipped files in a bucket, a file a stream.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/S3Export.html
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import type { Context, Tx, Work } from "../../kernel/mod.ts";
import { eventsOfGroup } from "./events.ts";
import { findGroup, refOfArn } from "./rows.ts";

export interface Export {
  readonly kind: "export";
  readonly id: string;
}

export interface Definition {
  readonly taskName?: string | undefined;
  readonly logGroupName: string;
  readonly logStreamNamePrefix?: string | undefined;
  readonly from: number;
  readonly to: number;
  readonly destination: string;
  readonly destinationPrefix: string;
}

/** A file begins anew beyond that much text. */
const FILE_BYTES = 64 * 1024 * 1024;

export async function exportTo(ctx: Context, { to, as }: Work, { id }: Export): Promise<void> {
  const { account, region } = ctx;
  const task = await ctx.singly.one<{ definition: string; status: string }>(
    "SELECT definition, status FROM logs_export WHERE account = :account AND region = :region AND id = :id",
    { account, region, id },
  );
  const group = await findGroup(ctx.singly, refOfArn(to)!);
  if (task?.status !== "PENDING") return; // cancelled
  if (!group) throw new Error("the log group was deleted");
  const definition = JSON.parse(task.definition) as Definition;
  const { destination: Bucket, destinationPrefix, logStreamNamePrefix: prefix } = definition;
  const put = (name: string, text: string) =>
    ctx.call(
      "s3",
      "PutObject",
      { Bucket, Key: `${destinationPrefix}/${id}/${name}.gz`, Body: Readable.from([gzipSync(text)]) },
      as,
    );
  const open = new Map<string, { parts: string[]; bytes: number; files: number }>();
  const close = async (stream: string, of: { parts: string[]; bytes: number; files: number }): Promise<void> => {
    await put(`${stream.replaceAll("/", "-")}/${String(of.files++).padStart(6, "0")}`, of.parts.join(""));
    of.parts = [];
    of.bytes = 0;
  };
  for await (const event of eventsOfGroup(ctx, { group, prefix, from: definition.from, to: definition.to })) {
    const file = open.get(event.stream) ?? { parts: [], bytes: 0, files: 0 };
    open.set(event.stream, file);
    const line = `${new Date(event.timestamp).toISOString()} ${event.message.replace(/\n$/, "")}\n`;
    file.parts.push(line);
    file.bytes += Buffer.byteLength(line);
    if (file.bytes > FILE_BYTES) await close(event.stream, file);
  }
  for (const [stream, file] of open) if (file.parts.length > 0) await close(stream, file);
  await ctx.write((tx) =>
    finish(tx, { account, region, id, status: "COMPLETED", message: "Completed successfully", at: ctx.now }),
  );
}

/** After the last attempt. */
export const failExport = (ctx: Context, tx: Tx, { id }: Export, message: string): Promise<unknown> =>
  finish(tx, { account: ctx.account, region: ctx.region, id, status: "FAILED", message, at: ctx.now });

/** Only what is not over yet. */
export const finish = (
  tx: Tx,
  of: { account: string; region: string; id: string; status: string; message: string; at: number },
): Promise<number> =>
  tx.run(
    `UPDATE logs_export SET status = :status, message = :message, completed_ms = :at
     WHERE account = :account AND region = :region AND id = :id AND status = 'PENDING'`,
    { ...of },
  );
