// AWS::Pipes::Pipe. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-pipes-pipe.html
import { defineKind, type Place, type Subject, unless } from "./kind.ts";
import { listOf, mapOf, record, type Value } from "./shape.ts";

const MISSING = "NotFoundException";

const http = record({
  PathParameterValues: listOf("text"),
  HeaderParameters: mapOf("text"),
  QueryStringParameters: mapOf("text"),
});
const pipeShape = record(
  {
    Name: "text",
    Description: "text",
    DesiredState: "text",
    Source: "text",
    SourceParameters: record({
      FilterCriteria: record({ Filters: listOf(record({ Pattern: "text" })) }),
      SqsQueueParameters: record({ BatchSize: "number", MaximumBatchingWindowInSeconds: "number" }),
      DynamoDBStreamParameters: record(
        {
          StartingPosition: "text",
          BatchSize: "number",
          MaximumBatchingWindowInSeconds: "number",
          MaximumRecordAgeInSeconds: "number",
          MaximumRetryAttempts: "number",
          ParallelizationFactor: "number",
          OnPartialBatchItemFailure: "text",
          DeadLetterConfig: record({ Arn: "text" }),
        },
        ["StartingPosition"],
      ),
    }),
    Enrichment: "text",
    EnrichmentParameters: record({ InputTemplate: "text", HttpParameters: http }),
    Target: "text",
    TargetParameters: record({
      InputTemplate: "text",
      LambdaFunctionParameters: record({ InvocationType: "text" }),
      SqsQueueParameters: record({ MessageGroupId: "text", MessageDeduplicationId: "text" }),
      EventBridgeEventBusParameters: record({
        DetailType: "text",
        Source: "text",
        Resources: listOf("text"),
        Time: "text",
      }),
      HttpParameters: http,
      CloudWatchLogsParameters: record({ LogStreamName: "text", Timestamp: "text" }),
    }),
    RoleArn: "text",
    Tags: mapOf("text"),
  },
  ["Source", "Target", "RoleArn"],
);
type Pipe = Subject<Value<typeof pipeShape>>;

const pipeArn = (name: string, { account, region }: Place): string => `arn:aws:pipes:${region}:${account}:pipe/${name}`;

export const pipe = defineKind<typeof pipeShape>({
  shape: pipeShape,
  named: "Name",
  longestName: 64,
  fixed: ["Source"],
  identify: (name, place) => ({ ref: name, attributes: { Arn: pipeArn(name, place) } }),
  exists: async (call, { name }) =>
    (await unless(call("pipes", "DescribePipe", { Name: name }), MISSING)) !== undefined,
  async create(call, subject) {
    await call("pipes", "CreatePipe", inputOf(subject));
  },
  async update(call, subject, place, before) {
    const { Tags, Source: _, ...input } = inputOf(subject);
    await call("pipes", "UpdatePipe", input);
    const resourceArn = pipeArn(subject.name, place);
    const gone = Object.keys(before?.properties.Tags ?? {}).filter((key) => !Object.hasOwn(Tags ?? {}, key));
    if (gone.length > 0) await call("pipes", "UntagResource", { resourceArn, tagKeys: gone });
    if (Tags) await call("pipes", "TagResource", { resourceArn, tags: Tags });
  },
  async remove(call, { name }) {
    await unless(call("pipes", "DeletePipe", { Name: name }), MISSING);
    return true;
  },
});

// biome-ignore lint/suspicious/noExplicitAny: the enumerations of a template are texts until the API has seen them
const inputOf = ({ name, properties: { Name: _, ...given } }: Pipe): any => ({ ...given, Name: name });
