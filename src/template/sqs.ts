// AWS::SQS::Queue and AWS::SQS::QueuePolicy. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SQS.html
import { type Call, defineKind, goneTags, type Place, type Subject, unless } from "./kind.ts";
import { listOf, record, type Value } from "./shape.ts";

const queueShape = record({
  QueueName: "text",
  DelaySeconds: "number",
  MaximumMessageSize: "number",
  MessageRetentionPeriod: "number",
  ReceiveMessageWaitTimeSeconds: "number",
  VisibilityTimeout: "number",
  RedrivePolicy: "json",
  RedriveAllowPolicy: "json",
  FifoQueue: "boolean",
  ContentBasedDeduplication: "boolean",
  Tags: listOf(record({ Key: "text", Value: "text" }, ["Key", "Value"])),
});
type Properties = Value<typeof queueShape>;

/** What a queue has when nothing is said: what a template stops saying goes back to this. */
const DEFAULTS: Readonly<Record<string, string>> = {
  DelaySeconds: "0",
  MaximumMessageSize: "1048576",
  MessageRetentionPeriod: "345600",
  ReceiveMessageWaitTimeSeconds: "0",
  VisibilityTimeout: "30",
  RedrivePolicy: "",
  RedriveAllowPolicy: "",
  ContentBasedDeduplication: "false",
};

const MISSING = ["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"];

export const queue = defineKind<typeof queueShape>({
  shape: queueShape,
  named: "QueueName",
  longestName: 80,
  fixed: ["FifoQueue"],
  suffix: (property) => (property("FifoQueue") === "true" ? ".fifo" : ""),
  identify: (name, place) => ({
    ref: urlOf(name, place),
    attributes: {
      Arn: `arn:aws:sqs:${place.region}:${place.account}:${name}`,
      QueueName: name,
      QueueUrl: urlOf(name, place),
    },
  }),
  exists: async (call, { name }) =>
    (await unless(call("sqs", "GetQueueUrl", { QueueName: name }), ...MISSING)) !== undefined,
  async create(call, { name, properties }) {
    const tags = tagMap(properties);
    await call("sqs", "CreateQueue", {
      QueueName: name,
      Attributes: attributesOf(properties),
      ...(Object.keys(tags).length > 0 && { tags }),
    });
  },
  async update(call, { name, properties }, place, before) {
    const QueueUrl = urlOf(name, place);
    const was = attributesOf(before?.properties ?? {});
    const is = attributesOf(properties);
    const gone = Object.keys(was).filter((key) => !(key in is));
    const Attributes = { ...Object.fromEntries(gone.map((key) => [key, DEFAULTS[key]!])), ...is };
    if (Object.keys(Attributes).length > 0) await call("sqs", "SetQueueAttributes", { QueueUrl, Attributes });
    const goneKeys = goneTags(before?.properties.Tags, properties.Tags);
    if (goneKeys.length > 0) await call("sqs", "UntagQueue", { QueueUrl, TagKeys: goneKeys });
    if (properties.Tags?.length) await call("sqs", "TagQueue", { QueueUrl, Tags: tagMap(properties) });
  },
  /** As on AWS, a queue goes with its messages. */
  async remove(call, { name }, place) {
    await unless(call("sqs", "DeleteQueue", { QueueUrl: urlOf(name, place) }), ...MISSING);
    return true;
  },
});

const urlOf = (name: string, { endpoint, account }: Place): string => `${endpoint}/${account}/${name}`;

function attributesOf({ QueueName: _, Tags: __, ...given }: Properties): Record<string, string> {
  const text = (value: unknown) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, text(value)]));
}

const tagMap = ({ Tags = [] }: Properties): Record<string, string> =>
  Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value]));

const policyShape = record({ Queues: listOf("text"), PolicyDocument: "json" }, ["Queues", "PolicyDocument"]);

export const queuePolicy = defineKind<typeof policyShape>({
  shape: policyShape,
  longestName: 100,
  fixed: [],
  identify: (name) => ({ ref: name, attributes: { Id: name } }),
  async exists(call, { properties }) {
    for (const QueueUrl of properties.Queues) {
      const { Attributes } = await call("sqs", "GetQueueAttributes", { QueueUrl, AttributeNames: ["Policy"] });
      if (!Attributes?.Policy) return false;
    }
    return true;
  },
  create: (call, subject) => putPolicy(call, subject.properties.Queues, subject),
  async update(call, subject, _place, before) {
    const gone = (before?.properties.Queues ?? []).filter((url) => !subject.properties.Queues.includes(url));
    await putPolicy(call, gone, undefined);
    await putPolicy(call, subject.properties.Queues, subject);
  },
  async remove(call, { properties }) {
    await putPolicy(call, properties.Queues, undefined);
    return true;
  },
});

async function putPolicy(
  call: Call,
  urls: readonly string[],
  subject: Subject<Value<typeof policyShape>> | undefined,
): Promise<void> {
  const Policy = subject ? JSON.stringify(subject.properties.PolicyDocument) : "";
  for (const QueueUrl of urls)
    await unless(call("sqs", "SetQueueAttributes", { QueueUrl, Attributes: { Policy } }), ...MISSING);
}
