// The attributes of a subscription. https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html
import { parseArn } from "../../kernel/mod.ts";
import { isFifo } from "./arns.ts";
import { effectivePolicy, subscriptionPolicy } from "./delivery-policy.ts";
import { errors, Fault } from "./errors.ts";
import { checkFilter } from "./filters.ts";
import { jsonObject } from "./json.ts";
import type { Subscription } from "./subscription-row.ts";
import { type Attributes, boolean } from "./topic-attributes.ts";

/** Of what the subscription leads from and to. */
type About = Pick<Subscription, "topic" | "protocol" | "endpoint">;

const rawDelivery = boolean("RawMessageDelivery");

/** What is kept of a value; undefined takes the attribute away. Throws a Fault. */
const RULES: Readonly<Record<string, (value: string, about: About) => string | undefined>> = {
  RawMessageDelivery(value, { protocol }) {
    const kept = rawDelivery(value);
    if (kept === "true" && !TAKE_RAW.includes(protocol))
      throw new Fault(`RawMessageDelivery: Delivery protocol [${protocol}] does not support raw message delivery.`);
    return kept;
  },
  // AWS's page takes a filter away with an empty object.
  FilterPolicy: (value) => (/^\s*(\{\s*\})?\s*$/.test(value) ? undefined : value),
  FilterPolicyScope(value) {
    if (value !== "MessageAttributes" && value !== "MessageBody")
      throw new Fault(
        `FilterPolicyScope: Invalid value [${value}]. Please use either MessageBody or MessageAttributes`,
      );
    return value;
  },
  DeliveryPolicy(value, { protocol }) {
    const policy = subscriptionPolicy(value);
    if (policy !== undefined && protocol !== "http" && protocol !== "https")
      throw new Fault(`DeliveryPolicy: protocol ${protocol} does not support delivery policies`);
    return policy;
  },
  RedrivePolicy: redrivePolicy,
};
const TAKE_RAW = ["sqs", "http", "https"];
const REFUSED = ["ReplayPolicy", "SubscriptionRoleArn"];

/** What `given` makes of `before`; in an order that lets the filter be judged in its scope. Throws a Fault. */
export function withAttributes(before: Attributes, given: Attributes, about: About): Attributes {
  const after: Record<string, string> = { ...before };
  for (const [name, value] of Object.entries(given)) {
    if (REFUSED.includes(name)) throw errors.notImplemented(`${name} of a subscription`);
    const kept = RULES[name]!(value, about);
    if (kept === undefined) delete after[name];
    else after[name] = kept;
  }
  if ("FilterPolicy" in given || "FilterPolicyScope" in given) checkFilter(after);
  return after;
}

export const isAttribute = (name: string): boolean => Object.hasOwn(RULES, name) || REFUSED.includes(name);

function redrivePolicy(value: string, { topic, endpoint }: About): string | undefined {
  if (value === "") return undefined;
  const policy = jsonObject("RedrivePolicy", value);
  const unknown = Object.keys(policy).find((name) => name !== "deadLetterTargetArn");
  if (unknown !== undefined) throw new Fault(`RedrivePolicy: invalid JSON. Attribute ${unknown} is unknown.`);
  const { deadLetterTargetArn: target } = policy;
  const arn = typeof target === "string" ? parseArn(target) : undefined;
  if (arn?.service !== "sqs" || !arn.region || !/^\d{12}$/.test(arn.account) || !arn.resource)
    throw new Fault("RedrivePolicy: deadLetterTargetArn is an invalid arn");
  if (isFifo(topic) && isFifo(endpoint) && !isFifo(target as string))
    throw new Fault("RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.");
  return JSON.stringify({ deadLetterTargetArn: target });
}

export const deadLettersOf = ({ attributes }: Subscription): string | undefined =>
  attributes.RedrivePolicy === undefined
    ? undefined
    : (JSON.parse(attributes.RedrivePolicy) as { deadLetterTargetArn: string }).deadLetterTargetArn;

/** As GetSubscriptionAttributes answers them. */
export function effective(one: Subscription, topicPolicy: string | undefined): Attributes {
  const { FilterPolicy, FilterPolicyScope, DeliveryPolicy } = one.attributes;
  const http = one.protocol === "http" || one.protocol === "https";
  return {
    RawMessageDelivery: "false",
    ...one.attributes,
    ...((FilterPolicy ?? FilterPolicyScope) !== undefined && {
      FilterPolicyScope: FilterPolicyScope ?? "MessageAttributes",
    }),
    ...(http && { EffectiveDeliveryPolicy: JSON.stringify(effectivePolicy(topicPolicy, DeliveryPolicy)) }),
    ConfirmationWasAuthenticated: String(one.wasAuthenticated),
    Endpoint: one.endpoint,
    Owner: one.owner,
    PendingConfirmation: String(one.state === "pending"),
    Protocol: one.protocol,
    SubscriptionArn: one.arn,
    SubscriptionPrincipal: one.principal,
    TopicArn: one.topic,
  };
}
