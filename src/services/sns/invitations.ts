// What an endpoint is asked before it gets anything, and told when it gets nothing any more.
import { type Context, newRequestId, type Tx } from "../../kernel/mod.ts";
import { asSns } from "./arns.ts";
import { effectivePolicy, MANAGED_RETRY, retryOf } from "./delivery-policy.ts";
import type { QuestionType } from "./notification.ts";
import { farewell, invitation, post } from "./outbox.ts";
import type { Subscription } from "./subscription-row.ts";
import { openTopic } from "./topic-row.ts";

/** Due work to a subscription: the message of this type is brought to its endpoint. */
export interface Ask {
  readonly kind: "ask";
  readonly type: QuestionType;
  readonly id: string;
  readonly at: number;
}

export const invite = (ctx: Context, tx: Tx, one: Subscription): Promise<void> =>
  ask(ctx, tx, one, "SubscriptionConfirmation");

/** With a link that brings the subscription back. */
export const takeLeave = (ctx: Context, tx: Tx, one: Subscription): Promise<void> =>
  ask(ctx, tx, one, "UnsubscribeConfirmation");

/** Who can follow a link. */
export const isTold = ({ protocol }: Subscription): boolean => /^(http|email)/.test(protocol);

async function ask(ctx: Context, tx: Tx, one: Subscription, type: QuestionType): Promise<void> {
  const topic = await openTopic(tx, one.topic);
  const id = newRequestId();
  if (one.protocol.startsWith("email")) {
    const write = type === "SubscriptionConfirmation" ? invitation : farewell;
    await post(ctx, tx, write(ctx, topic, one, id));
    return;
  }
  const retry = one.protocol.startsWith("http")
    ? retryOf(effectivePolicy(topic.attributes.DeliveryPolicy, one.attributes.DeliveryPolicy))
    : MANAGED_RETRY;
  const payload: Ask = { kind: "ask", type, id, at: ctx.now };
  await ctx.put(tx, { to: one.arn, as: asSns(one.topic), payload, retry });
}
