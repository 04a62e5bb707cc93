// AWS::DynamoDB::Table. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
import { type Call, defineKind, goneTags, type Place, type Subject, unless } from "./kind.ts";
import { listOf, record, type Value } from "./shape.ts";

const keySchema = listOf(record({ AttributeName: "text", KeyType: "text" }, ["AttributeName", "KeyType"]));
const projection = record({ ProjectionType: "text", NonKeyAttributes: listOf("text") });
const throughput = record({ ReadCapacityUnits: "number", WriteCapacityUnits: "number" }, [
  "ReadCapacityUnits",
  "WriteCapacityUnits",
]);
const localIndex = record({ IndexName: "text", KeySchema: keySchema, Projection: projection }, ["IndexName"]);
const globalIndex = record({ ...localIndex.record, ProvisionedThroughput: throughput }, ["IndexName"]);
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
  exists: async (call, { name }) =>
    (await unless(call("dynamodb", "DescribeTable", { TableName: name }), "ResourceNotFoundException")) !== undefined,
  async create(call, subject) {
    const { TimeToLiveSpecification: ttl, StreamSpecification: stream, ...given } = subject.properties;
    await call("dynamodb", "CreateTable", {
      ...(given as object),
      TableName: subject.name,
      ...(stream && {
        StreamSpecification: { StreamEnabled: true, StreamViewType: stream.StreamViewType as "KEYS_ONLY" },
      }),
    } as Parameters<typeof call<"dynamodb", "CreateTable">>[2]);
    if (ttl?.Enabled) await putTimeToLive(call, subject);
  },
  async update(call, subject, place, before) {
    const is = subject.properties;
    const was = before?.properties;
    await updateTable(call, subject, before);
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

async function updateTable(call: Call, { name, properties: is }: Table, before: Table | undefined): Promise<void> {
  const was = before?.properties;
  const changed = (["BillingMode", "ProvisionedThroughput", "DeletionProtectionEnabled", "TableClass"] as const).filter(
    (property) => differ(is[property], was?.[property]),
  );
  if (changed.length === 0) return;
  await call("dynamodb", "UpdateTable", {
    TableName: name,
    BillingMode: (is.BillingMode ?? "PROVISIONED") as "PROVISIONED",
    ...(is.ProvisionedThroughput && { ProvisionedThroughput: is.ProvisionedThroughput as never }),
    ...(changed.includes("DeletionProtectionEnabled") && {
      DeletionProtectionEnabled: is.DeletionProtectionEnabled ?? false,
    }),
    ...(changed.includes("TableClass") && { TableClass: (is.TableClass ?? "STANDARD") as "STANDARD" }),
  });
}

/** One index comes or goes with each UpdateTable, as AWS has it. An index that changed goes and comes. */
async function updateIndexes(call: Call, { name, properties: is }: Table, was: Properties | undefined): Promise<void> {
  const present = (await call("dynamodb", "DescribeTable", { TableName: name })).Table?.GlobalSecondaryIndexes ?? [];
  const wanted = is.GlobalSecondaryIndexes ?? [];
  const old = was?.GlobalSecondaryIndexes ?? [];
  const same = (index: string) =>
    !differ(
      wanted.find(({ IndexName }) => IndexName === index),
      old.find(({ IndexName }) => IndexName === index),
    );
  const names = new Set(present.map(({ IndexName }) => IndexName!));
  for (const index of [...names]) {
    if (same(index)) continue;
    const update = { Delete: { IndexName: index } };
    await call("dynamodb", "UpdateTable", { TableName: name, GlobalSecondaryIndexUpdates: [update] });
    names.delete(index);
  }
  for (const index of wanted)
    if (!names.has(index.IndexName))
      await call("dynamodb", "UpdateTable", {
        TableName: name,
        AttributeDefinitions: is.AttributeDefinitions as never,
        GlobalSecondaryIndexUpdates: [{ Create: index as never }],
      });
}

/** A stream's view never changes: another stream takes its place. */
async function updateStream(call: Call, { name, properties: is }: Table, was: Properties | undefined): Promise<void> {
  const change = (StreamSpecification: { StreamEnabled: boolean; StreamViewType?: "KEYS_ONLY" }) =>
    call("dynamodb", "UpdateTable", { TableName: name, StreamSpecification });
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
