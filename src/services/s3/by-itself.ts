// What S3 does by itself: Work that it put to its own buckets' ARNs. Nobody else's counts.
import type { Context, Tx, Work } from "../../kernel/mod.ts";
import { accessLogTask } from "./access-logs.ts";
import { inventoryTask } from "./inventory-run.ts";
import { lifecycleTask } from "./lifecycle-run.ts";
import { deliverReplica, failReplica } from "./replication-run.ts";
import { continueRestore } from "./restore.ts";
import { runTask, skipTask, type Task } from "./tasks.ts";

const TASKS: Readonly<Record<string, Task>> = {
  inventory: inventoryTask,
  lifecycle: lifecycleTask,
  "access-logs": accessLogTask,
};

/** By the part of its name before the slash. */
const taskOf = (name: string): Task => TASKS[name.split("/", 1)[0]!]!;

const isOurs = ({ as }: Work): boolean => as.kind === "service" && as.name === "s3.amazonaws.com";

export async function deliver(ctx: Context, work: Work): Promise<void> {
  if (!isOurs(work)) return;
  switch ((work.payload as { kind?: string }).kind) {
    case "task":
      return await runTask(ctx, work, taskOf);
    case "restore":
      return await continueRestore(ctx, work);
    case "replicate":
      return await deliverReplica(ctx, work);
  }
}

export async function giveUp(ctx: Context, tx: Tx, work: Work, error: unknown): Promise<void> {
  if (!isOurs(work)) return;
  const { kind } = work.payload as { kind?: string };
  if (kind === "task") await skipTask(ctx, tx, work, taskOf);
  if (kind === "replicate") await failReplica(ctx, tx, work, error);
}
