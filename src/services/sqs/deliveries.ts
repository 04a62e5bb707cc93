// Due work to a queue's ARN is a message, or a step of a move task. A message is sent as whoever put it, so that IAM asks the queue's policy.
import { type Context, parcelOf, sendTo, type Tx, type Work } from "../../kernel/mod.ts";
import { failTask, type Step, step } from "./move-tasks.ts";

export function deliver(ctx: Context, work: Work): Promise<void> {
  const { to, as, payload } = work;
  if (isStep(payload)) return step(ctx, work);
  return sendTo(ctx, { to, as, parcel: parcelOf(payload) });
}

/** A message that could not be sent is told by the post. */
export async function giveUp(_ctx: Context, tx: Tx, { payload }: Work): Promise<void> {
  if (isStep(payload)) await failTask(tx, payload);
}

const isStep = (payload: unknown): payload is Step => (payload as { kind?: unknown } | null)?.kind === "move";
