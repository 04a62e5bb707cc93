// AWS::SNS::Topic, ::Subscription and ::TopicPolicy. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SNS.html
import { type Call, defineKind, goneTags, type Place, unless } from "./kind.ts";
import { listOf, record, type Value } from "./shape.ts";

const topicShape = record({
  TopicName: "text",
  DisplayName: "text",
  KmsMasterKeyId: "text",
  FifoTopic: "boolean",
  ContentBasedDeduplication: "boolean",
  FifoThroughputScope: "text",
  SignatureVersion: "text",
  TracingConfig: "text",
  Subscription: listOf(record({ Protocol: "text", Endpoint: "text" }, ["Protocol", "Endpoint"])),
  Tags: listOf(record({ Key: "text", Value: "text" }, ["Key", "Value"])),
});
type Topic = Value<typeof topicShape>;

/** What a template stops saying goes back to this. */
const DEFAULTS: Readonly<Record<string, string>> = {
  DisplayName: "",
  KmsMasterKeyId: "",
  ContentBasedDeduplication: "false",
  FifoThroughputScope: "Topic",
  SignatureVersion: "1",
  TracingConfig: "PassThrough",
};

export const topic = defineKind<typeof topicShape>({
  shape: topicShape,
  named: "TopicName",
  longestName: 256,
  fixed: ["FifoTopic"],
  suffix: (property) => (property("FifoTopic") === "true" ? ".fifo" : ""),
  identify: (name, place) => ({
    ref: arnOf(name, place),
    attributes: { TopicArn: arnOf(name, place), TopicName: name },
  }),
  exists: async (call, { name }, place) =>
    (await unless(call("sns", "GetTopicAttributes", { TopicArn: arnOf(name, place) }), "NotFound")) !== undefined,
  async create(call, { name, properties }, place) {
    const { Tags, Subscription = [] } = properties;
    await call("sns", "CreateTopic", {
      Name: name,
      Attributes: attributesOf(properties),
      ...(Tags?.length && { Tags }),
    });
    for (const one of Subscription) await call("sns", "Subscribe", { TopicArn: arnOf(name, place), ...one });
  },
  async update(call, { name, properties }, place, before) {
    const TopicArn = arnOf(name, place);
    const was = attributesOf(before?.properties ?? {});
    const { FifoTopic: _, ...is } = attributesOf(properties);
    const gone = Object.keys(was).filter((key) => key in DEFAULTS && !(key in is));
    for (const [AttributeName, AttributeValue] of [...gone.map((key) => [key, DEFAULTS[key]]), ...Object.entries(is)])
      await call("sns", "SetTopicAttributes", { TopicArn, AttributeName, AttributeValue });
    await updateSubscriptions(call, TopicArn, {
      before: before?.properties.Subscription,
      after: properties.Subscription,
    });
    const goneKeys = goneTags(before?.properties.Tags, properties.Tags);
    if (goneKeys.length > 0) await call("sns", "UntagResource", { ResourceArn: TopicArn, TagKeys: goneKeys });
    if (properties.Tags?.length) await call("sns", "TagResource", { ResourceArn: TopicArn, Tags: properties.Tags });
  },
  async remove(call, { name }, place) {
    await call("sns", "DeleteTopic", { TopicArn: arnOf(name, place) });
    return true;
  },
});

const arnOf = (name: string, { account, region }: Place): string => `arn:aws:sns:${region}:${account}:${name}`;

function attributesOf({ TopicName: _, Tags: __, Subscription: ___, ...given }: Topic): Record<string, string> {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]));
}

interface Endpoint {
  readonly Protocol: string;
  readonly Endpoint: string;
}

async function updateSubscriptions(
  call: Call,
  TopicArn: string,
  { before = [], after = [] }: { before?: readonly Endpoint[] | undefined; after?: readonly Endpoint[] | undefined },
): Promise<void> {
  const isSame = (a: Endpoint) => (b: Endpoint) => a.Protocol === b.Protocol && a.Endpoint === b.Endpoint;
  for (const one of before) if (!after.some(isSame(one))) await unsubscribe(call, { TopicArn, ...one });
  for (const one of after) await call("sns", "Subscribe", { TopicArn, ...one });
}

const subscriptionShape = record(
  {
    TopicArn: "text",
    Protocol: "text",
    Endpoint: "text",
    FilterPolicy: "json",
    FilterPolicyScope: "text",
    RawMessageDelivery: "boolean",
    RedrivePolicy: "json",
    DeliveryPolicy: "json",
  },
  ["TopicArn", "Protocol", "Endpoint"],
);
type Subscription = Value<typeof subscriptionShape>;

/** In this order a filter is judged in its scope. "" takes the others away. */
const UNSET: Readonly<Record<string, string>> = {
  FilterPolicy: "",
  FilterPolicyScope: "MessageAttributes",
  RawMessageDelivery: "false",
  RedrivePolicy: "",
  DeliveryPolicy: "",
};

export const subscription = defineKind<typeof subscriptionShape>({
  shape: subscriptionShape,
  longestName: 100,
  fixed: ["TopicArn", "Protocol", "Endpoint"],
  identify: (name) => ({ ref: name, attributes: {} }),
  exists: async (call, { properties }) => (await find(call, properties)) !== undefined,
  async create(call, { properties }) {
    const { TopicArn, Protocol, Endpoint } = properties;
    await call("sns", "Subscribe", { TopicArn, Protocol, Endpoint, Attributes: settingsOf(properties) });
  },
  async update(call, { properties }, _place, before) {
    const SubscriptionArn = await find(call, properties);
    // Not yet confirmed, it has no ARN to be changed by.
    if (!SubscriptionArn?.startsWith("arn:")) return;
    const was = settingsOf(before?.properties ?? properties);
    const is = settingsOf(properties);
    const set = (AttributeName: string, AttributeValue: string) =>
      call("sns", "SetSubscriptionAttributes", { SubscriptionArn, AttributeName, AttributeValue });
    for (const name of Object.keys(UNSET)) if (name in was && !(name in is)) await set(name, UNSET[name]!);
    // A filter of another scope is set when the old one is gone.
    if ("FilterPolicyScope" in is && was.FilterPolicyScope !== is.FilterPolicyScope) await set("FilterPolicy", "");
    for (const name of ["FilterPolicyScope", "FilterPolicy", "RawMessageDelivery", "RedrivePolicy", "DeliveryPolicy"])
      if (name in is) await set(name, is[name]!);
  },
  async remove(call, { properties }) {
    await unsubscribe(call, properties);
    return true;
  },
});

function settingsOf({
  TopicArn: _,
  Protocol: __,
  Endpoint: ___,
  ...given
}: Partial<Subscription>): Record<string, string> {
  const text = (value: unknown) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, text(value)]));
}

/** Its ARN, or `PendingConfirmation`. */
async function find(
  call: Call,
  { TopicArn, Protocol, Endpoint }: Endpoint & { TopicArn: string },
): Promise<string | undefined> {
  for (let NextToken: string | undefined; ; ) {
    const input = { TopicArn, ...(NextToken !== undefined && { NextToken }) };
    const page = await unless(call("sns", "ListSubscriptionsByTopic", input), "NotFound");
    const found = page?.Subscriptions?.find((one) => one.Protocol === Protocol && one.Endpoint === Endpoint);
    if (found || page?.NextToken === undefined) return found?.SubscriptionArn;
    NextToken = page.NextToken;
  }
}

/** One that is pending ends by itself. */
async function unsubscribe(call: Call, of: Endpoint & { TopicArn: string }): Promise<void> {
  const SubscriptionArn = await find(call, of);
  if (SubscriptionArn?.startsWith("arn:")) await call("sns", "Unsubscribe", { SubscriptionArn });
}

const policyShape = record({ Topics: listOf("text"), PolicyDocument: "json" }, ["Topics", "PolicyDocument"]);

export const topicPolicy = defineKind<typeof policyShape>({
  shape: policyShape,
  longestName: 100,
  fixed: [],
  identify: (name) => ({ ref: name, attributes: { Id: name } }),
  async exists(call, { properties }) {
    const wanted = JSON.stringify(properties.PolicyDocument);
    for (const TopicArn of properties.Topics) {
      const found = await unless(call("sns", "GetTopicAttributes", { TopicArn }), "NotFound");
      if (found?.Attributes?.Policy !== wanted) return false;
    }
    return true;
  },
  create: (call, { properties }) => putPolicy(call, properties.Topics, properties.PolicyDocument),
  async update(call, { properties }, _place, before) {
    const gone = (before?.properties.Topics ?? []).filter((arn) => !properties.Topics.includes(arn));
    await putPolicy(call, gone, undefined);
    await putPolicy(call, properties.Topics, properties.PolicyDocument);
  },
  async remove(call, { properties }) {
    await putPolicy(call, properties.Topics, undefined);
    return true;
  },
});

/** Without a document: the policy that every topic is born with. */
async function putPolicy(call: Call, topics: readonly string[], document: unknown): Promise<void> {
  const AttributeValue = document === undefined ? "" : JSON.stringify(document);
  for (const TopicArn of topics)
    await unless(call("sns", "SetTopicAttributes", { TopicArn, AttributeName: "Policy", AttributeValue }), "NotFound");
}
