// AWS::Lambda::EventSourceMapping. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html
import { type Call, defineKind, goneTags, type Subject, unless } from "./kind.ts";
import { listOf, record, type Value } from "./shape.ts";

const mappingShape = record(
  {
    FunctionName: "text",
    EventSourceArn: "text",
    BatchSize: "number",
    BisectBatchOnFunctionError: "boolean",
    DestinationConfig: record({ OnFailure: record({ Destination: "text" }) }),
    Enabled: "boolean",
    FilterCriteria: record({ Filters: listOf(record({ Pattern: "text" })) }),
    FunctionResponseTypes: listOf("text"),
    MaximumBatchingWindowInSeconds: "number",
    MaximumRecordAgeInSeconds: "number",
    MaximumRetryAttempts: "number",
    ParallelizationFactor: "number",
    ScalingConfig: record({ MaximumConcurrency: "number" }),
    StartingPosition: "text",
    TumblingWindowInSeconds: "number",
    Tags: listOf(record({ Key: "text", Value: "text" }, ["Key", "Value"])),
  },
  ["FunctionName", "EventSourceArn"],
);
type Properties = Value<typeof mappingShape>;
type Mapping = Subject<Properties>;

/** It is known by its function and its source: its UUID is a dice's. */
export const eventSourceMapping = defineKind<typeof mappingShape>({
  shape: mappingShape,
  longestName: 100,
  fixed: ["EventSourceArn", "StartingPosition"],
  identify: (name) => ({ ref: name, attributes: {} }),
  exists: async (call, subject) => (await find(call, subject)) !== undefined,
  async create(call, { properties: { Tags, ...given } }) {
    // biome-ignore lint/suspicious/noExplicitAny: the enumerations of a template are texts until the API has seen them
    const input = given as any;
    const tags = Tags?.length ? { Tags: Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value])) } : {};
    await call("lambda", "CreateEventSourceMapping", { ...input, ...tags });
  },
  async update(call, subject, _place, before) {
    const found = (await find(call, before ?? subject))!;
    const { EventSourceArn, StartingPosition: _, Tags, ...is } = subject.properties;
    const unsaid = EventSourceArn.split(":")[2] === "sqs" ? OF_QUEUES : OF_STREAMS;
    // biome-ignore lint/suspicious/noExplicitAny: see above
    const input = { ...unsaid, ...is } as any;
    await call("lambda", "UpdateEventSourceMapping", { UUID: found.UUID, ...input });
    const Resource = found.EventSourceMappingArn!;
    const gone = goneTags(before?.properties.Tags, Tags);
    if (gone.length > 0) await call("lambda", "UntagResource", { Resource, TagKeys: gone });
    if (Tags?.length)
      await call("lambda", "TagResource", {
        Resource,
        Tags: Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value])),
      });
  },
  async remove(call, subject) {
    const found = await find(call, subject);
    if (found) await call("lambda", "DeleteEventSourceMapping", { UUID: found.UUID });
    return true;
  },
});

/** What the template no longer says is as if it had never said it. */
const COMMON = {
  Enabled: true,
  MaximumBatchingWindowInSeconds: 0,
  FunctionResponseTypes: [],
  FilterCriteria: { Filters: [] },
};
const OF_QUEUES = { ...COMMON, BatchSize: 10, ScalingConfig: {} };
const OF_STREAMS = {
  ...COMMON,
  BatchSize: 100,
  BisectBatchOnFunctionError: false,
  DestinationConfig: { OnFailure: {} },
  MaximumRecordAgeInSeconds: -1,
  MaximumRetryAttempts: -1,
  ParallelizationFactor: 1,
  TumblingWindowInSeconds: 0,
};

async function find(call: Call, { properties: { FunctionName, EventSourceArn } }: Mapping) {
  const answer = call("lambda", "ListEventSourceMappings", { FunctionName, EventSourceArn });
  return (await unless(answer, "ResourceNotFoundException"))?.EventSourceMappings?.[0];
}
