// AWS::DynamoDB::Table. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
import { setTimeout as sleep } from "node:timers/promises";
import type { Input } from "../kernel/types.ts";
import { type Call, defineKind, goneTags, type Place, type Subject, unless } from "./kind.ts";
import { listOf, record, type Value } from "./shape.ts";

const keySchema = listOf(record({ AttributeName: "text", KeyType: "text" }, ["AttributeName", "KeyType"]));
const projection = record({ ProjectionType: "text", NonKeyAttributes: listOf("text") });
const throughput = record({ ReadCapacityUnits: "number", WriteCapacityUnits: "number" }, [
  "ReadCapacityUnits",
  "WriteCapacityUnits",
]);
const localIndex = record({ IndexName: "text", KeySchema: keySchema, Projection: projection }, ["IndexName"]);
const onDemand = record({ MaxReadRequestUnits: "number", MaxWriteRequestUnits: "number" });
const warm = record({ ReadUnitsPerSecond: "number", WriteUnitsPerSecond: "number" });
const globalIndex = record(
  { ...localIndex.record, ProvisionedThroughput: throughput, OnDemandThroughput: onDemand, WarmThroughput: warm },
  ["IndexName"],
);
const shape = record(
  {
    TableName: "text",
    AttributeDefinitions: listOf(
      record({ AttributeName: "text", AttributeType: "text" }, ["AttributeName", "AttributeType"]),
    ),
    KeySchema: keySchema,
    BillingMode: "text",
    ProvisionedThroughput: throughput,
    GlobalSecondaryIndexes: listOf(globalIndex),
    LocalSecondaryIndexes: listOf(localIndex),
    StreamSpecification: record({ StreamViewType: "text" }, ["StreamViewType"]),
    TimeToLiveSpecification: record({ AttributeName: "text", Enabled: "boolean" }, ["Enabled"]),
    DeletionProtectionEnabled: "boolean",
    TableClass: "text",
    SSESpecification: record({ SSEEnabled: "boolean", SSEType: "text", KMSMasterKeyId: "text" }, ["SSEEnabled"]),
    OnDemandThroughput: onDemand,
    WarmThroughput: warm,
    Tags: listOf(record({ Key: "text", Value: "text" }, ["Key", "Value"])),
  },
  ["KeySchema"],
);
type Properties = Value<typeof shape>;
type Table = Subject<Properties>;

export const table = defineKind<typeof shape>({
  shape,
  named: "TableName",
  longestName: 255,
  fixed: ["KeySchema", "LocalSecondaryIndexes"],
  identify: (name, place) => ({ ref: name, attributes: { Arn: arnOf(name, place) } }),
  later: {
    async StreamArn(call, name) {
      const { StreamSpecification, LatestStreamArn } = await describe(call, name);
      return StreamSpecification?.StreamEnabled ? LatestStreamArn : undefined;
    },
  },
  exists: async (call, { name }) =>
    (await unless(call("dynamodb", "DescribeTable", { TableName: name }), "ResourceNotFoundException")) !== undefined,
  async create(call, subject) {
    const {
      TimeToLiveSpecification: ttl,
      StreamSpecification: stream,
      SSESpecification: sse,
      ...given
    } = subject.properties;
    await call("dynamodb", "CreateTable", {
      ...(given as object),
      TableName: subject.name,
      ...(sse && { SSESpecification: encryption(sse) }),
      ...(stream && {
        StreamSpecification: { StreamEnabled: true, StreamViewType: stream.StreamViewType as "KEYS_ONLY" },
      }),
    } as Parameters<typeof call<"dynamodb", "CreateTable">>[2]);
    await settled(call, subject.name);
    if (ttl?.Enabled) await putTimeToLive(call, subject);
  },
  async update(call, subject, place, before) {
    const is = subject.properties;
    const was = before?.properties;
    await updateTable(call, subject, was);
    await updateIndexes(call, subject, was);
    if (differ(is.StreamSpecification, was?.StreamSpecification)) await updateStream(call, subject, was);
    if (differ(is.TimeToLiveSpecification, was?.TimeToLiveSpecification)) await putTimeToLive(call, subject, was);
    const arn = arnOf(subject.name, place);
    const gone = goneTags(was?.Tags, is.Tags);
    if (gone.length > 0) await call("dynamodb", "UntagResource", { ResourceArn: arn, TagKeys: gone });
    if (is.Tags?.length) await call("dynamodb", "TagResource", { ResourceArn: arn, Tags: is.Tags });
  },
  async remove(call, { name }) {
    const items = await call("dynamodb", "Scan", { TableName: name, Limit: 1 });
    if (items.Count) return false;
    await call("dynamodb", "DeleteTable", { TableName: name });
    return true;
  },
});

const arnOf = (name: string, { account, region }: Place): string =>
  `arn:aws:dynamodb:${region}:${account}:table/${name}`;
const differ = (one: unknown, other: unknown): boolean => JSON.stringify(one) !== JSON.stringify(other);

type Update = Omit<Input<"dynamodb", "UpdateTable">, "TableName">;
type Described = NonNullable<Awaited<ReturnType<typeof describe>>>;

const describe = async (call: Call, name: string) =>
  (await call("dynamodb", "DescribeTable", { TableName: name })).Table!;

/** AWS takes one change at a time, and refuses those that change nothing: what is there now says which are needed. */
async function updateTable(call: Call, { name, properties: is }: Table, was: Properties | undefined): Promise<void> {
  const table = await describe(call, name);
  const deletionProtection = is.DeletionProtectionEnabled ?? false;
  const tableClass = (is.TableClass ?? "STANDARD") as "STANDARD";
  const limits = is.OnDemandThroughput ?? {};
  const changes: (Update | undefined)[] = [
    billingChange(is, table),
    table.BillingModeSummary?.BillingMode === "PAY_PER_REQUEST" && differ(limits, table.OnDemandThroughput ?? {})
      ? { OnDemandThroughput: { MaxReadRequestUnits: -1, MaxWriteRequestUnits: -1, ...limits } }
      : undefined,
    is.WarmThroughput && { WarmThroughput: is.WarmThroughput },
    differ(is.SSESpecification, was?.SSESpecification)
      ? { SSESpecification: encryption(is.SSESpecification ?? { SSEEnabled: false }) }
      : undefined,
    deletionProtection === table.DeletionProtectionEnabled
      ? undefined
      : { DeletionProtectionEnabled: deletionProtection },
    tableClass === (table.TableClassSummary?.TableClass ?? "STANDARD") ? undefined : { TableClass: tableClass },
  ];
  for (const change of changes) if (change) await update(call, name, change);
}

/** CloudFormation's first word of it is another. */
const encryption = ({ SSEEnabled: Enabled, ...more }: NonNullable<Properties["SSESpecification"]>) =>
  ({ Enabled, ...more }) as NonNullable<Update["SSESpecification"]>;

/** A table becomes PROVISIONED together with all its indexes. */
function billingChange(is: Properties, table: Described): Update | undefined {
  const mode = (is.BillingMode ?? "PROVISIONED") as "PROVISIONED" | "PAY_PER_REQUEST";
  const ProvisionedThroughput = is.ProvisionedThroughput as never;
  if (mode === (table.BillingModeSummary?.BillingMode ?? "PROVISIONED"))
    return mode === "PROVISIONED" && !sameThroughput(is.ProvisionedThroughput, table.ProvisionedThroughput)
      ? { ProvisionedThroughput }
      : undefined;
  if (mode === "PAY_PER_REQUEST") return { BillingMode: mode };
  const indexes = (table.GlobalSecondaryIndexes ?? []).map(({ IndexName }) => {
    const wanted = is.GlobalSecondaryIndexes?.find((index) => index.IndexName === IndexName);
    return {
      Update: { IndexName, ProvisionedThroughput: (wanted?.ProvisionedThroughput as never) ?? ProvisionedThroughput },
    };
  });
  return {
    BillingMode: mode,
    ProvisionedThroughput,
    ...(indexes.length > 0 && { GlobalSecondaryIndexUpdates: indexes }),
  };
}

interface Throughput {
  readonly ReadCapacityUnits?: number | undefined;
  readonly WriteCapacityUnits?: number | undefined;
}

const sameThroughput = (one: Throughput | undefined, other: Throughput | undefined): boolean =>
  one?.ReadCapacityUnits === other?.ReadCapacityUnits && one?.WriteCapacityUnits === other?.WriteCapacityUnits;

async function update(call: Call, TableName: string, change: Update): Promise<void> {
  await call("dynamodb", "UpdateTable", { TableName, ...change });
  await settled(call, TableName);
}

/** With `--delays real` a table takes its time, and its indexes too: what comes next would be refused. */
async function settled(call: Call, name: string): Promise<void> {
  for (;;) {
    const { TableStatus, GlobalSecondaryIndexes = [] } = await describe(call, name);
    if (TableStatus === "ACTIVE" && GlobalSecondaryIndexes.every(({ IndexStatus }) => IndexStatus === "ACTIVE")) return;
    await sleep(LOOK_AGAIN_MS);
  }
}
const LOOK_AGAIN_MS = 100;

/** One index comes or goes with each UpdateTable, as AWS has it. One whose keys or projection changed goes and comes. */
async function updateIndexes(call: Call, { name, properties: is }: Table, was: Properties | undefined): Promise<void> {
  const present = (await describe(call, name)).GlobalSecondaryIndexes ?? [];
  const wanted = is.GlobalSecondaryIndexes ?? [];
  const shapeOf = (indexes: Properties["GlobalSecondaryIndexes"], index: string) => {
    const found = indexes?.find(({ IndexName }) => IndexName === index);
    return found && { ...found, ProvisionedThroughput: undefined };
  };
  const names = new Set(present.map(({ IndexName }) => IndexName!));
  const change = (one: NonNullable<Update["GlobalSecondaryIndexUpdates"]>[number], more: Update = {}) =>
    update(call, name, { ...more, GlobalSecondaryIndexUpdates: [one] });
  for (const index of [...names]) {
    if (!differ(shapeOf(wanted, index), shapeOf(was?.GlobalSecondaryIndexes, index))) continue;
    await change({ Delete: { IndexName: index } });
    names.delete(index);
  }
  for (const index of wanted) {
    const { IndexName, ProvisionedThroughput } = index;
    const now = present.find((other) => other.IndexName === IndexName)?.ProvisionedThroughput;
    if (!names.has(IndexName))
      await change({ Create: index as never }, { AttributeDefinitions: is.AttributeDefinitions as never });
    else if (ProvisionedThroughput && !sameThroughput(ProvisionedThroughput, now) && !is.BillingMode?.startsWith("PAY"))
      await change({ Update: { IndexName, ProvisionedThroughput: ProvisionedThroughput as never } });
  }
}

/** A stream's view never changes: another stream takes its place. */
async function updateStream(call: Call, { name, properties: is }: Table, was: Properties | undefined): Promise<void> {
  const change = (StreamSpecification: { StreamEnabled: boolean; StreamViewType?: "KEYS_ONLY" }) =>
    update(call, name, { StreamSpecification });
  const viewType = is.StreamSpecification?.StreamViewType as "KEYS_ONLY" | undefined;
  if (was?.StreamSpecification) await change({ StreamEnabled: false });
  if (viewType) await change({ StreamEnabled: true, StreamViewType: viewType });
}

async function putTimeToLive(call: Call, { name, properties }: Table, was?: Properties): Promise<void> {
  const ttl = properties.TimeToLiveSpecification;
  const old = was?.TimeToLiveSpecification;
  if (!ttl?.Enabled && !old?.Enabled) return;
  const specification = { Enabled: ttl?.Enabled ?? false, AttributeName: ttl?.AttributeName ?? old?.AttributeName };
  await call("dynamodb", "UpdateTimeToLive", { TableName: name, TimeToLiveSpecification: specification });
}
