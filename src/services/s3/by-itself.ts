// What S3 does by itself: Work that it put to its own buckets' ARNs. Nobody else's counts.
import type { Context, Tx, Work } from "../../kernel/mod.ts";
import { lifecycleTask } from "./lifecycle-run.ts";
import { continueRestore } from "./restore.ts";
import { runTask, skipTask, type Task } from "./tasks.ts";

const TASKS: Readonly<Record<string, Task>> = {
  lifecycle: lifecycleTask,
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
  }
}

export async function giveUp(ctx: Context, tx: Tx, work: Work): Promise<void> {
  if (isOurs(work) && (work.payload as { kind?: string }).kind === "task") await skipTask(ctx, tx, work, taskOf);
}
