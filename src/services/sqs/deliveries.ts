// Due work to a queue's ARN is a message, or a step of a move task. A message is sent as whoever put it, so that IAM asks the queue's policy.
import { type Context, parcelOf, sendTo, type Work } from "../../kernel/mod.ts";
import { step } from "./move-tasks.ts";

export function deliver(ctx: Context, work: Work): Promise<void> {
  const { to, as, payload } = work;
  if ((payload as { kind?: unknown } | null)?.kind === "move") return step(ctx, work);
  return sendTo(ctx, { to, as, parcel: parcelOf(payload) });
}
