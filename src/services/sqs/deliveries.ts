// Due work to a queue's ARN is a message: sent as whoever put it, so that IAM asks the queue's policy.
import { type Context, parcelOf, sendTo, type Work } from "../../kernel/mod.ts";

export const deliver = (ctx: Context, { to, as, payload }: Work): Promise<void> =>
  sendTo(ctx, { to, as, parcel: parcelOf(payload) });
