// Topics and subscriptions as callers name them, and what they must be allowed to do with them.
import { type Access, type Arn, type Conditions, type Context, type Principal, parseArn } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

export interface TopicRef {
  readonly account: string;
  readonly region: string;
  readonly name: string;
}

export const topicArn = ({ account, region, name }: TopicRef): Arn => `arn:aws:sns:${region}:${account}:${name}`;

/** Undefined where it is no topic's. */
export function topicOfArn(arn: Arn): TopicRef | undefined {
  const parts = parseArn(arn);
  if (parts?.service !== "sns" || !/^[^:/]+$/.test(parts.resource)) return undefined;
  return { account: parts.account, region: parts.region, name: parts.resource };
}

/** The topic of a subscription's ARN; undefined where it is none. */
export function topicOfSubscription(arn: Arn): Arn | undefined {
  const parts = parseArn(arn);
  if (parts?.service !== "sns" || !/^[^:/]+:[^:/]+$/.test(parts.resource)) return undefined;
  return arn.slice(0, arn.lastIndexOf(":"));
}

export const isFifo = (arn: Arn): boolean => arn.endsWith(".fifo");

/** A parameter that names a topic of the request's region. Throws what AWS says of it, before it asks whether the caller may. */
export function soundTopicArn(ctx: Context, arn: string | undefined, parameter = "TopicArn"): Arn {
  if (arn === undefined || arn.split(":").length < 6) throw errors.arn(parameter, arn ?? "");
  const ref = topicOfArn(arn);
  if (!ref || ref.region !== ctx.region || !/^\d{12}$/.test(ref.account)) throw errors.parameter(parameter);
  return arn;
}

export function soundSubscriptionArn(ctx: Context, arn: string | undefined): Arn {
  if (!arn) throw errors.because("SubscriptionArn", "no value for required parameter");
  if (arn.split(":").length < 6) throw errors.arn("SubscriptionArn", arn);
  const parts = parseArn(arn);
  if (parts?.service !== "sns" || !/^[^:/]+(:[^:/]+)?$/.test(parts.resource)) throw errors.parameter("SubscriptionArn");
  const [, id] = parts.resource.split(":");
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(id ?? ""))
    throw errors.parameter("SubscriptionId");
  // A link is followed without a signature, and so without a region.
  if (parts.region !== ctx.region && ctx.principal.kind !== "anonymous") throw errors.parameter("SubscriptionArn");
  return arn;
}

export const onTopic = (
  ctx: Context,
  action: string,
  { TopicArn }: { readonly TopicArn?: string | undefined },
  conditions?: Conditions,
): Access => ({
  action: `sns:${action}`,
  resource: soundTopicArn(ctx, TopicArn),
  ...(conditions && { conditions }),
});

/** As SNS, for a topic: who delivers, and whom a queue's policy lets in. */
export function asSns(topic: Arn): Principal {
  const { account } = parseArn(topic)!;
  return { kind: "service", name: "sns.amazonaws.com", account, sourceArn: topic };
}
