// AWS::Events::Rule, EventBus, EventBusPolicy and Archive.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Events.html
import { type Call, defineKind, goneTags, type Place, type Subject, unless } from "./kind.ts";
import { listOf, mapOf, record, type Value } from "./shape.ts";

const MISSING = "ResourceNotFoundException";
const tags = listOf(record({ Key: "text", Value: "text" }, ["Key", "Value"]));
const deadLetter = record({ Arn: "text" });

const target = record(
  {
    Id: "text",
    Arn: "text",
    Input: "text",
    InputPath: "text",
    InputTransformer: record({ InputPathsMap: mapOf("text"), InputTemplate: "text" }, ["InputTemplate"]),
    RoleArn: "text",
    SqsParameters: record({ MessageGroupId: "text" }),
    HttpParameters: record({
      PathParameterValues: listOf("text"),
      HeaderParameters: mapOf("text"),
      QueryStringParameters: mapOf("text"),
    }),
    DeadLetterConfig: deadLetter,
    RetryPolicy: record({ MaximumRetryAttempts: "number", MaximumEventAgeInSeconds: "number" }),
  },
  ["Id", "Arn"],
);
const ruleShape = record({
  Name: "text",
  Description: "text",
  EventBusName: "text",
  ScheduleExpression: "text",
  EventPattern: "json",
  State: "text",
  RoleArn: "text",
  Targets: listOf(target),
  Tags: tags,
});
type Rule = Subject<Value<typeof ruleShape>>;

export const rule = defineKind<typeof ruleShape>({
  shape: ruleShape,
  named: "Name",
  longestName: 64,
  fixed: ["EventBusName"],
  identify(name, place, property) {
    const bus = busNameOf(property("EventBusName"));
    return { ref: bus === DEFAULT ? name : `${bus}|${name}`, attributes: { Arn: ruleArn(name, bus, place) } };
  },
  exists: async (call, { name, properties }) =>
    (await unless(call("events", "DescribeRule", { Name: name, ...onBus(properties) }), MISSING)) !== undefined,
  async create(call, subject) {
    await putRule(call, subject, subject.properties.Tags);
    await putTargets(call, subject, undefined);
  },
  async update(call, subject, place, before) {
    await putRule(call, subject, undefined);
    await putTargets(call, subject, before);
    const bus = busNameOf(subject.properties.EventBusName);
    await retag(call, ruleArn(subject.name, bus, place), before?.properties.Tags, subject.properties.Tags);
  },
  async remove(call, { name, properties }) {
    const bus = onBus(properties);
    const found = await unless(call("events", "ListTargetsByRule", { Rule: name, ...bus }), MISSING);
    const Ids = found?.Targets?.map(({ Id }) => Id!) ?? [];
    if (Ids.length > 0) await call("events", "RemoveTargets", { Rule: name, ...bus, Ids });
    await unless(call("events", "DeleteRule", { Name: name, ...bus }), MISSING);
    return true;
  },
});

const DEFAULT = "default";
/** By name or ARN. */
const busNameOf = (given = DEFAULT): string => given.slice(given.indexOf(":event-bus/") + 1).replace("event-bus/", "");
const onBus = ({ EventBusName }: { EventBusName?: string | undefined }) =>
  EventBusName === undefined ? {} : { EventBusName };
const ruleArn = (name: string, bus: string, { account, region }: Place): string =>
  `arn:aws:events:${region}:${account}:rule/${bus === DEFAULT ? "" : `${bus}/`}${name}`;

type Tags = Value<typeof tags> | undefined;

async function retag(call: Call, ResourceARN: string, before: Tags, Tags: Tags): Promise<void> {
  const gone = goneTags(before, Tags);
  if (gone.length > 0) await call("events", "UntagResource", { ResourceARN, TagKeys: gone });
  if (Tags?.length) await call("events", "TagResource", { ResourceARN, Tags });
}

async function putRule(call: Call, { name, properties }: Rule, Tags: Tags): Promise<void> {
  const { Description, ScheduleExpression, EventPattern, RoleArn } = properties;
  await call("events", "PutRule", {
    Name: name,
    ...onBus(properties),
    State: (properties.State ?? "ENABLED") as "ENABLED",
    ...(Description !== undefined && { Description }),
    ...(ScheduleExpression !== undefined && { ScheduleExpression }),
    ...(EventPattern !== undefined && { EventPattern: JSON.stringify(EventPattern) }),
    ...(RoleArn !== undefined && { RoleArn }),
    ...(Tags?.length && { Tags }),
  });
}

async function putTargets(call: Call, { name, properties }: Rule, before: Rule | undefined): Promise<void> {
  const bus = onBus(properties);
  const targets = properties.Targets ?? [];
  const gone = (before?.properties.Targets ?? [])
    .map(({ Id }) => Id)
    .filter((id) => !targets.some(({ Id }) => Id === id));
  if (gone.length > 0) await call("events", "RemoveTargets", { Rule: name, ...bus, Ids: gone });
  if (targets.length === 0) return;
  const { FailedEntries = [] } = await call("events", "PutTargets", { Rule: name, ...bus, Targets: targets });
  if (FailedEntries.length > 0)
    throw new Error(`target ${FailedEntries[0]!.TargetId}: ${FailedEntries[0]!.ErrorMessage}`);
}

const busShape = record(
  {
    Name: "text",
    Description: "text",
    KmsKeyIdentifier: "text",
    DeadLetterConfig: deadLetter,
    Policy: "json",
    Tags: tags,
  },
  ["Name"],
);

const busArn = (name: string, { account, region }: Place): string =>
  `arn:aws:events:${region}:${account}:event-bus/${name}`;

export const eventBus = defineKind<typeof busShape>({
  shape: busShape,
  named: "Name",
  longestName: 256,
  fixed: [],
  identify: (name, place) => ({ ref: name, attributes: { Arn: busArn(name, place), Name: name } }),
  exists: async (call, { name }) =>
    (await unless(call("events", "DescribeEventBus", { Name: name }), MISSING)) !== undefined,
  async create(call, { name, properties: { Name: _, Policy, ...given } }) {
    await call("events", "CreateEventBus", { Name: name, ...given });
    if (Policy !== undefined) await putPolicy(call, name, Policy);
  },
  async update(call, { name, properties }, place, before) {
    const { Name: _, Policy, Tags, ...given } = properties;
    await call("events", "UpdateEventBus", { Name: name, ...given });
    if (Policy !== undefined) await putPolicy(call, name, Policy);
    else if (before?.properties.Policy !== undefined)
      await call("events", "RemovePermission", { EventBusName: name, RemoveAllPermissions: true });
    await retag(call, busArn(name, place), before?.properties.Tags, Tags);
  },
  async remove(call, { name }) {
    await unless(call("events", "DeleteEventBus", { Name: name }), MISSING);
    return true;
  },
});

const putPolicy = (call: Call, EventBusName: string, policy: unknown) =>
  call("events", "PutPermission", { EventBusName, Policy: JSON.stringify(policy) });

const busPolicyShape = record(
  {
    EventBusName: "text",
    StatementId: "text",
    Statement: "json",
    Action: "text",
    Principal: "text",
    Condition: record({ Type: "text", Key: "text", Value: "text" }, ["Type", "Key", "Value"]),
  },
  ["StatementId"],
);
type BusPolicy = Subject<Value<typeof busPolicyShape>>;

/** One statement of a bus's policy. */
export const eventBusPolicy = defineKind<typeof busPolicyShape>({
  shape: busPolicyShape,
  longestName: 64,
  fixed: ["EventBusName", "StatementId"],
  identify: (name) => ({ ref: name, attributes: { Id: name } }),
  exists: async (call, { properties }) =>
    (await statementsOf(call, properties)).some(({ Sid }) => Sid === properties.StatementId),
  create: (call, subject) => putStatement(call, subject),
  update: (call, subject) => putStatement(call, subject),
  async remove(call, { properties }) {
    const { StatementId } = properties;
    await unless(call("events", "RemovePermission", { ...onBus(properties), StatementId }), MISSING);
    return true;
  },
});

type Statement = Readonly<Record<string, unknown>>;

async function statementsOf(call: Call, properties: BusPolicy["properties"]): Promise<Statement[]> {
  const { EventBusName } = properties;
  const named = EventBusName === undefined ? {} : { Name: EventBusName };
  const found = await unless(call("events", "DescribeEventBus", named), MISSING);
  const { Statement = [] } = JSON.parse(found?.Policy ?? "{}") as { Statement?: Statement[] };
  return Statement;
}

async function putStatement(call: Call, { properties }: BusPolicy): Promise<void> {
  const { StatementId, Statement: given, Action, Principal, Condition } = properties;
  if (given === undefined) {
    const said = { Action, Principal, ...(Condition && { Condition }) };
    await call("events", "PutPermission", { ...onBus(properties), StatementId, ...said });
    return;
  }
  const others = (await statementsOf(call, properties)).filter(({ Sid }) => Sid !== StatementId);
  const Statement = [...others, { ...(given as Statement), Sid: StatementId }];
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
  await call("events", "PutPermission", { ...onBus(properties), Policy });
}

const archiveShape = record(
  { ArchiveName: "text", SourceArn: "text", Description: "text", EventPattern: "json", RetentionDays: "number" },
  ["SourceArn"],
);

/** As on AWS, it goes with its events. */
export const archive = defineKind<typeof archiveShape>({
  shape: archiveShape,
  named: "ArchiveName",
  longestName: 48,
  fixed: ["SourceArn"],
  identify: (name, { account, region }) => ({
    ref: name,
    attributes: { Arn: `arn:aws:events:${region}:${account}:archive/${name}`, ArchiveName: name },
  }),
  exists: async (call, { name }) =>
    (await unless(call("events", "DescribeArchive", { ArchiveName: name }), MISSING)) !== undefined,
  async create(call, { name, properties }) {
    await call("events", "CreateArchive", {
      ArchiveName: name,
      EventSourceArn: properties.SourceArn,
      ...archiveSettings(properties),
    });
  },
  async update(call, { name, properties }) {
    await call("events", "UpdateArchive", { ArchiveName: name, ...archiveSettings(properties) });
  },
  async remove(call, { name }) {
    await unless(call("events", "DeleteArchive", { ArchiveName: name }), MISSING);
    return true;
  },
});

const archiveSettings = ({ Description, EventPattern, RetentionDays }: Value<typeof archiveShape>) => ({
  Description: Description ?? "",
  EventPattern: EventPattern === undefined ? "" : JSON.stringify(EventPattern),
  RetentionDays: RetentionDays ?? 0,
});
