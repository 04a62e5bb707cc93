// What a bucket does by itself, on the clock: one Work for each of its tasks, which puts the next one when it is done. Where a task fails for good,
// the next time comes all the same.
import { type Context, newToken, type Tx, type Work } from "../../kernel/mod.ts";
import { bucketArn, readBucket } from "./buckets.ts";
import type { BucketRow } from "./tables.ts";

const DAY = 86_400_000;

export interface Task {
  /** `id`: what follows the slash in its name. */
  run(ctx: Context, bucket: BucketRow, id: string): Promise<void>;
  /** ms since the epoch; undefined: not again. In the transaction that says so. */
  next(now: number, bucket: BucketRow, id: string, tx: Tx): number | undefined | Promise<number | undefined>;
}

interface Payload {
  readonly kind: "task";
  readonly task: string;
  readonly token: string;
}

/** S3, for a bucket. */
export const asS3 = ({ account, name }: Pick<BucketRow, "account" | "name">) =>
  ({ kind: "service", name: "s3.amazonaws.com", account, sourceArn: bucketArn(name) }) as const;

/** The first UTC midnight after `at`: when AWS counts the end of a day. */
export const midnightAfter = (at: number): number => Math.floor(at / DAY) * DAY + DAY;

/** In the transaction that makes it necessary. What is scheduled already stays as it is. */
export async function schedule(
  ctx: Context,
  tx: Tx,
  { bucket, task, due }: { bucket: BucketRow; task: string; due: number },
): Promise<void> {
  const token = newToken(20);
  const made = await tx.run(
    "INSERT INTO s3_task (bucket, name, token) VALUES (:bucket, :task, :token) ON CONFLICT DO NOTHING",
    { bucket: bucket.name, task, token },
  );
  if (made > 0) await put(ctx, tx, { bucket, due, payload: { kind: "task", task, token } });
}

export const unschedule = (tx: Tx, { name }: BucketRow, task: string): Promise<number> =>
  tx.run("DELETE FROM s3_task WHERE bucket = :name AND name = :task", { name, task });

const put = (
  ctx: Context,
  tx: Tx,
  { bucket, due, payload }: { bucket: BucketRow; due: number; payload: Payload },
): Promise<void> => ctx.put(tx, { to: bucketArn(bucket.name), as: asS3(bucket), due, payload });

/** A Work whose token is not the task's any more (the bucket was configured anew, or this was done before a crash) is dropped. */
export async function runTask(ctx: Context, { payload, to }: Work, of: (name: string) => Task): Promise<void> {
  const { task: name, token } = payload as Payload;
  const bucket = await ctx.read(async (tx) => {
    const known = { bucket: to.split(":").at(-1)!, name, token };
    const still = await tx.one(
      "SELECT token FROM s3_task WHERE bucket = :bucket AND name = :name AND token = :token",
      known,
    );
    return still && (await readBucket(tx, known.bucket));
  });
  if (!bucket) return;
  const task = of(name);
  await task.run(ctx, bucket, idOf(name));
  await ctx.write((tx) => again(ctx, tx, { bucket, name, token, task }));
}

/** In the transaction that forgets the Work that failed. */
export async function skipTask(ctx: Context, tx: Tx, { payload, to }: Work, of: (name: string) => Task): Promise<void> {
  const { task: name, token } = payload as Payload;
  const bucket = await readBucket(tx, to.split(":").at(-1)!);
  if (bucket) await again(ctx, tx, { bucket, name, token, task: of(name) });
}

async function again(
  ctx: Context,
  tx: Tx,
  { bucket, name, token, task }: { bucket: BucketRow; name: string; token: string; task: Task },
): Promise<void> {
  const next = newToken(20);
  const known = { bucket: bucket.name, name, token };
  const due = await task.next(ctx.clock.now(), bucket, idOf(name), tx);
  if (due === undefined) {
    await tx.run("DELETE FROM s3_task WHERE bucket = :bucket AND name = :name AND token = :token", known);
    return;
  }
  const still = await tx.run(
    "UPDATE s3_task SET token = :next WHERE bucket = :bucket AND name = :name AND token = :token",
    { ...known, next },
  );
  if (still > 0) await put(ctx, tx, { bucket, due, payload: { kind: "task", task: name, token: next } });
}

const idOf = (name: string): string => name.slice(name.indexOf("/") + 1);
