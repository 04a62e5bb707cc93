// AWS::Events::Rule. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html
import { type Call, defineKind, goneTags, type Place, type Subject, unless } from "./kind.ts";
import { listOf, mapOf, record, type Value } from "./shape.ts";

const target = record(
  {
    Id: "text",
    Arn: "text",
    Input: "text",
    InputPath: "text",
    InputTransformer: record({ InputPathsMap: mapOf("text"), InputTemplate: "text" }, ["InputTemplate"]),
    RoleArn: "text",
    DeadLetterConfig: record({ Arn: "text" }),
    RetryPolicy: record({ MaximumRetryAttempts: "number", MaximumEventAgeInSeconds: "number" }),
  },
  ["Id", "Arn"],
);
const shape = record({
  Name: "text",
  Description: "text",
  ScheduleExpression: "text",
  EventPattern: "json",
  State: "text",
  RoleArn: "text",
  Targets: listOf(target),
  Tags: listOf(record({ Key: "text", Value: "text" }, ["Key", "Value"])),
});
type Rule = Subject<Value<typeof shape>>;

/** On the default bus. */
export const rule = defineKind<typeof shape>({
  shape,
  named: "Name",
  longestName: 64,
  fixed: [],
  identify: (name, place) => ({ ref: name, attributes: { Arn: arnOf(name, place) } }),
  exists: async (call, { name }) =>
    (await unless(call("events", "DescribeRule", { Name: name }), "ResourceNotFoundException")) !== undefined,
  async create(call, subject) {
    await putRule(call, subject, subject.properties.Tags);
    await putTargets(call, subject, undefined);
  },
  async update(call, subject, place, before) {
    await putRule(call, subject, undefined);
    await putTargets(call, subject, before);
    const ResourceARN = arnOf(subject.name, place);
    const { Tags } = subject.properties;
    const gone = goneTags(before?.properties.Tags, Tags);
    if (gone.length > 0) await call("events", "UntagResource", { ResourceARN, TagKeys: gone });
    if (Tags?.length) await call("events", "TagResource", { ResourceARN, Tags });
  },
  async remove(call, { name }) {
    const { Targets = [] } = await call("events", "ListTargetsByRule", { Rule: name });
    if (Targets.length > 0) await call("events", "RemoveTargets", { Rule: name, Ids: Targets.map(({ Id }) => Id!) });
    await call("events", "DeleteRule", { Name: name });
    return true;
  },
});

const arnOf = (name: string, { account, region }: Place): string => `arn:aws:events:${region}:${account}:rule/${name}`;

async function putRule(call: Call, { name, properties }: Rule, Tags: Rule["properties"]["Tags"]): Promise<void> {
  const { Description, ScheduleExpression, EventPattern, RoleArn } = properties;
  await call("events", "PutRule", {
    Name: name,
    State: (properties.State ?? "ENABLED") as "ENABLED",
    ...(Description !== undefined && { Description }),
    ...(ScheduleExpression !== undefined && { ScheduleExpression }),
    ...(EventPattern !== undefined && { EventPattern: JSON.stringify(EventPattern) }),
    ...(RoleArn !== undefined && { RoleArn }),
    ...(Tags?.length && { Tags }),
  });
}

async function putTargets(call: Call, { name, properties }: Rule, before: Rule | undefined): Promise<void> {
  const targets = properties.Targets ?? [];
  const gone = (before?.properties.Targets ?? [])
    .map(({ Id }) => Id)
    .filter((id) => !targets.some(({ Id }) => Id === id));
  if (gone.length > 0) await call("events", "RemoveTargets", { Rule: name, Ids: gone });
  if (targets.length === 0) return;
  const { FailedEntries = [] } = await call("events", "PutTargets", { Rule: name, Targets: targets });
  if (FailedEntries.length > 0)
    throw new Error(`target ${FailedEntries[0]!.TargetId}: ${FailedEntries[0]!.ErrorMessage}`);
}
