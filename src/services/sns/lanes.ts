// A FIFO topic's messages of one group go to one subscription in order: they wait in a row, and one work at a time takes the first.
// Whether there is such a work is never asked: there is one as long as something waits, and both change in one transaction.
import type { Arn, Context, Tx } from "../../kernel/mod.ts";
import { asSns, topicOfSubscription } from "./arns.ts";
import { MANAGED_RETRY } from "./delivery-policy.ts";
import type { Message } from "./notification.ts";

/** Due work to a subscription: what waits in this group. */
export interface Lane {
  readonly kind: "lane";
  readonly group: string;
}

/** Puts a message behind those that wait. */
export async function queueUp(
  ctx: Context,
  tx: Tx,
  { topic, to, message, sequence }: { topic: Arn; to: readonly Arn[]; message: Message; sequence: number },
): Promise<void> {
  const group = message.groupId!;
  const rows = await tx.all<{ subscription: string }>(
    // Of each subscription one row is looked at, however many wait.
    `SELECT arn AS subscription FROM sns_subscription WHERE topic = :topic AND EXISTS (
       SELECT 1 FROM sns_waiting WHERE sns_waiting.subscription = sns_subscription.arn AND message_group = :group)`,
    { topic, group },
  );
  const busy = new Set(rows.map(({ subscription }) => subscription));
  const text = JSON.stringify(message);
  for (const subscription of to) {
    await tx.run(
      `INSERT INTO sns_waiting (subscription, message_group, sequence, message)
       VALUES (:subscription, :group, :sequence, :text)`,
      { subscription, group, sequence, text },
    );
    if (!busy.has(subscription)) await putLane(ctx, tx, subscription, group);
  }
}

/** One after the other. A throw means: the first again, later; those behind it wait. */
export async function deliverLane(
  ctx: Context,
  subscription: Arn,
  { group }: Lane,
  bring: (message: Message) => Promise<void>,
): Promise<void> {
  for (let more = true; more; ) {
    ctx.signal.throwIfAborted();
    const first = await ctx.read((tx) => head(tx, subscription, group));
    if (!first) return; // the subscription was deleted
    await bring(JSON.parse(first.message) as Message);
    more = await ctx.write(async (tx) => {
      await remove(tx, subscription, group, first.sequence);
      return (await head(tx, subscription, group)) !== undefined;
    });
  }
}

/** The first cannot be brought: it is taken out and answered, and those behind it go on. */
export async function giveUpLane(
  ctx: Context,
  tx: Tx,
  subscription: Arn,
  { group }: Lane,
): Promise<Message | undefined> {
  const first = await head(tx, subscription, group);
  if (!first) return undefined;
  await remove(tx, subscription, group, first.sequence);
  if (await head(tx, subscription, group)) await putLane(ctx, tx, subscription, group);
  return JSON.parse(first.message) as Message;
}

const head = (tx: Tx, subscription: Arn, group: string) =>
  tx.one<{ sequence: number; message: string }>(
    `SELECT sequence, message FROM sns_waiting WHERE subscription = :subscription AND message_group = :group
     ORDER BY sequence LIMIT 1`,
    { subscription, group },
  );

const remove = (tx: Tx, subscription: Arn, group: string, sequence: number) =>
  tx.run(
    "DELETE FROM sns_waiting WHERE subscription = :subscription AND message_group = :group AND sequence = :sequence",
    { subscription, group, sequence },
  );

async function putLane(ctx: Context, tx: Tx, subscription: Arn, group: string): Promise<void> {
  const payload: Lane = { kind: "lane", group };
  await ctx.put(tx, { to: subscription, as: asSns(topicOfSubscription(subscription)!), payload, retry: MANAGED_RETRY });
}
