import assert from "node:assert/strict";
import { after, test } from "node:test";
import { DynamoDB, type ReplicationGroupUpdate } from "@aws-sdk/client-dynamodb";
import { DynamoDBStreams } from "@aws-sdk/client-dynamodb-streams";
import { ROOT, startCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
await cloud.aws.clock({ freeze: true });
const DAY = 24 * 60 * 60 * 1000;

const inRegion = (region: string, credentials = ROOT) =>
  new DynamoDB({ endpoint: cloud.endpoint, region, credentials, maxAttempts: 1 });
const home = inRegion("us-east-1");
const west = inRegion("us-west-2");
const ireland = inRegion("eu-west-1");
after(() => {
  for (const client of [home, west, ireland]) client.destroy();
});

const SCHEMA = {
  AttributeDefinitions: [
    { AttributeName: "id", AttributeType: "S" as const },
    { AttributeName: "kind", AttributeType: "S" as const },
  ],
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" as const }],
  GlobalSecondaryIndexes: [
    {
      IndexName: "by-kind",
      KeySchema: [{ AttributeName: "kind", KeyType: "HASH" as const }],
      Projection: { ProjectionType: "ALL" as const },
    },
  ],
  BillingMode: "PAY_PER_REQUEST" as const,
};

async function makeTable(TableName: string, regions: readonly string[] = []): Promise<void> {
  await home.createTable({ TableName, ...SCHEMA });
  for (const RegionName of regions) await change(TableName, { Create: { RegionName } });
}

async function change(TableName: string, update: ReplicationGroupUpdate, client = home) {
  const answer = await client.updateTable({ TableName, ReplicaUpdates: [update] });
  await cloud.settle();
  return answer.TableDescription!;
}

const put = (client: DynamoDB, TableName: string, id: string, kind: string, more = {}) =>
  client.putItem({ TableName, Item: { id: { S: id }, kind: { S: kind }, ...more } });

async function contents(client: DynamoDB, TableName: string, IndexName?: string): Promise<Record<string, string>> {
  const { Items } = await client.scan({ TableName, IndexName });
  return Object.fromEntries(Items!.map(({ id, kind }) => [id!.S!, kind!.S!]).toSorted());
}

async function same(TableName: string, expected: Record<string, string>, clients = [home, west, ireland]) {
  await cloud.settle();
  for (const client of clients) {
    assert.deepEqual(await contents(client, TableName), expected, await client.config.region());
    assert.deepEqual(await contents(client, TableName, "by-kind"), expected);
  }
}

const described = async (client: DynamoDB, TableName: string) => (await client.describeTable({ TableName })).Table!;

test("a replica has the table's items, those before it and those after, and tells of the others", async () => {
  const TableName = "shared";
  await makeTable(TableName);
  await put(home, TableName, "a", "before");
  const answer = await change(TableName, { Create: { RegionName: "us-west-2" } });
  assert.deepEqual([answer.TableStatus, answer.Replicas, answer.GlobalTableVersion], ["UPDATING", [], "2019.11.21"]);
  await change(TableName, { Create: { RegionName: "eu-west-1" } }, west);
  const GlobalSecondaryIndexes = [{ IndexName: "by-kind" }];
  const active = (RegionName: string) => ({ RegionName, ReplicaStatus: "ACTIVE", GlobalSecondaryIndexes });
  const first = await described(home, TableName);
  assert.deepEqual(first.Replicas, [active("us-west-2"), active("eu-west-1")]);
  assert.deepEqual(first.StreamSpecification, { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" });
  const third = await described(ireland, TableName);
  assert.deepEqual(third.Replicas!.map(({ RegionName }) => RegionName).toSorted(), ["us-east-1", "us-west-2"]);
  assert.deepEqual([third.TableStatus, third.TableArn!.split(":")[3]], ["ACTIVE", "eu-west-1"]);
  assert.notEqual(third.TableId, first.TableId);
  await same(TableName, { a: "before" });

  await put(west, TableName, "b", "west");
  await put(ireland, TableName, "c", "ireland");
  await home.updateItem({
    TableName,
    Key: { id: { S: "a" } },
    UpdateExpression: "SET kind = :kind",
    ExpressionAttributeValues: { ":kind": { S: "home" } },
  });
  await same(TableName, { a: "home", b: "west", c: "ireland" });
  await home.deleteItem({ TableName, Key: { id: { S: "b" } } });
  await west.transactWriteItems({
    TransactItems: [
      { Delete: { TableName, Key: { id: { S: "c" } } } },
      { Put: { TableName, Item: { id: { S: "d" }, kind: { S: "together" } } } },
    ],
  });
  await same(TableName, { a: "home", d: "together" });
});

test("what is written while a replica is made comes to it too, from every region", async () => {
  const TableName = "busy";
  await makeTable(TableName, ["us-west-2"]);
  for (const id of ["a", "b", "c"]) await put(home, TableName, id, "before");
  await cloud.settle();
  await Promise.all([
    home.updateTable({ TableName, ReplicaUpdates: [{ Create: { RegionName: "eu-west-1" } }] }),
    put(west, TableName, "a", "during"),
    put(west, TableName, "d", "during"),
    home.deleteItem({ TableName, Key: { id: { S: "b" } } }),
  ]);
  await cloud.advance(1000);
  await same(TableName, { a: "during", c: "before", d: "during" });
});

test("the last writer wins in every region, whoever is told first", async () => {
  const TableName = "contended";
  await makeTable(TableName, ["us-west-2", "eu-west-1"]);
  for (let round = 0; round < 5; round++) {
    await Promise.all(
      [home, west, ireland].flatMap((client, i) => [
        put(client, TableName, "a", `x${round}${i}`),
        put(client, TableName, "a", `y${round}${i}`),
      ]),
    );
    await cloud.settle();
    const [one, ...others] = await Promise.all([home, west, ireland].map((client) => contents(client, TableName)));
    for (const other of others) assert.deepEqual(other, one);
  }
  await put(west, TableName, "a", "early");
  await cloud.advance(1000);
  await put(home, TableName, "a", "late");
  await same(TableName, { a: "late" });
});

test("what is replicated is in the replica's stream, as a change of its own", async () => {
  const TableName = "streamed";
  await makeTable(TableName, ["us-west-2"]);
  await put(home, TableName, "a", "1");
  await cloud.settle();
  const streams = new DynamoDBStreams({ endpoint: cloud.endpoint, region: "us-west-2", credentials: ROOT });
  const StreamArn = (await described(west, TableName)).LatestStreamArn!;
  const { StreamDescription } = await streams.describeStream({ StreamArn });
  const { ShardId } = StreamDescription!.Shards![0]!;
  const { ShardIterator } = await streams.getShardIterator({ StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" });
  const { Records } = await streams.getRecords({ ShardIterator });
  streams.destroy();
  assert.deepEqual(
    Records!.map(({ eventName, awsRegion }) => [eventName, awsRegion]),
    [["INSERT", "us-west-2"]],
  );
  assert.deepEqual(Records![0]!.dynamodb!.NewImage, { id: { S: "a" }, kind: { S: "1" } });
});

test("time to live is the same in all regions, and what it takes is gone in all", async () => {
  const TableName = "mortal";
  await makeTable(TableName, ["us-west-2"]);
  await west.updateTimeToLive({ TableName, TimeToLiveSpecification: { Enabled: true, AttributeName: "until" } });
  await cloud.settle();
  await change(TableName, { Create: { RegionName: "eu-west-1" } });
  for (const client of [home, ireland]) {
    const { TimeToLiveDescription } = await client.describeTimeToLive({ TableName });
    assert.deepEqual(TimeToLiveDescription, { TimeToLiveStatus: "ENABLED", AttributeName: "until" });
  }
  const until = { until: { N: String(Math.floor(cloud.aws.now() / 1000) + 60) } };
  await put(ireland, TableName, "a", "k", until);
  await put(ireland, TableName, "b", "k");
  await same(TableName, { a: "k", b: "k" });
  await cloud.advance(120_000);
  await same(TableName, { b: "k" });
});

test("time to live that is switched while a replica is made holds there, too", async () => {
  const TableName = "switched";
  await makeTable(TableName);
  await Promise.all([
    home.updateTable({ TableName, ReplicaUpdates: [{ Create: { RegionName: "us-west-2" } }] }),
    home.updateTimeToLive({ TableName, TimeToLiveSpecification: { Enabled: true, AttributeName: "until" } }),
  ]);
  await cloud.settle();
  const { TimeToLiveDescription } = await west.describeTimeToLive({ TableName });
  assert.deepEqual(TimeToLiveDescription, { TimeToLiveStatus: "ENABLED", AttributeName: "until" });
});

test("a replica that is deleted is a table no more, and the last one leaves a table like any other", async () => {
  const TableName = "shrinking";
  await makeTable(TableName, ["us-west-2"]);
  await put(home, TableName, "a", "k");
  await cloud.settle();
  const acted =
    "ValidationException 400 Replica cannot be deleted because it has acted as a source region for new replica(s) being added to the table in the last 24 hours.";
  assert.equal(await refusal(home.deleteTable({ TableName })), acted);
  assert.equal(await refusal(change(TableName, { Delete: { RegionName: "us-east-1" } }, west)), acted);
  await change(TableName, { Delete: { RegionName: "us-west-2" } });
  assert.match(await refusal(west.describeTable({ TableName })), /^ResourceNotFoundException/);
  const left = await described(home, TableName);
  assert.deepEqual([left.Replicas, left.GlobalTableVersion, left.TableStatus], [undefined, undefined, "ACTIVE"]);
  await put(home, TableName, "b", "k");
  await change(TableName, { Create: { RegionName: "us-west-2" } });
  await same(TableName, { a: "k", b: "k" }, [home, west]);
  await cloud.advance(DAY);
  await home.deleteTable({ TableName });
  await cloud.settle();
  assert.equal((await described(west, TableName)).Replicas, undefined);
  await same(TableName, { a: "k", b: "k" }, [west]);
});

test("replica updates are refused in AWS's words, and by name what would concern all regions", async () => {
  const TableName = "refusing";
  await makeTable(TableName, ["us-west-2"]);
  await ireland.createTable({ TableName, ...SCHEMA });
  await home.createTable({
    TableName: "provisioned",
    AttributeDefinitions: SCHEMA.AttributeDefinitions.slice(0, 1),
    KeySchema: SCHEMA.KeySchema,
    ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 1 },
  });
  const create = (RegionName: string, more = {}) => ({ ReplicaUpdates: [{ Create: { RegionName, ...more } }] });
  const none = /There are no actions specified in the Replica Update Action of the request\.$/;
  const cases: [object, RegExp][] = [
    [
      create("us-west-2"),
      /^ValidationException 400 Failed to create a the new replica of table with name: ‘refusing’ because one or more replicas already existed as tables\.$/,
    ],
    [create("eu-west-1"), /already existed as tables\.$/],
    [
      create("us-east-1"),
      /^ValidationException 400 Cannot add or delete the local region through ReplicaUpdates\. Use CreateTable, DeleteTable, or UpdateTable as required\.$/,
    ],
    [
      create("moon-1"),
      /^ValidationException 400 Region moon-1 is not supported\. The latest version of global tables are only supported in the following regions: \[us-east-1, /,
    ],
    [
      { TableName: "provisioned", ...create("us-west-2") },
      /^ValidationException 400 Table write capacity should either be Pay-Per-Request or AutoScaled\.$/,
    ],
    [
      { ReplicaUpdates: [{ Delete: { RegionName: "eu-west-1" } }] },
      /one or more replicas were not part of the global table\. Please retry the request without these replicas: \[eu-west-1\]\.$/,
    ],
    [{ ReplicaUpdates: [{ Update: { RegionName: "us-west-2" } }] }, none],
    [{ ReplicaUpdates: [{}] }, none],
    [
      { ReplicaUpdates: [{ Create: { RegionName: "sa-east-1" }, Delete: { RegionName: "us-west-2" } }] },
      /^ValidationException 400 Update table operation with more than one type of replica actions not allowed\.$/,
    ],
    [
      { ReplicaUpdates: [{ Create: { RegionName: "sa-east-1" } }, { Create: { RegionName: "eu-west-2" } }] },
      /more than one create or delete replica actions not allowed$/,
    ],
    [
      { ...create("sa-east-1"), DeletionProtectionEnabled: true },
      /: Replica modification must be the only operation in the request$/,
    ],
    [
      { StreamSpecification: { StreamEnabled: false } },
      /: Disabling Stream is not allowed for a Global Table replica\.$/,
    ],
    [
      { ...create("sa-east-1"), MultiRegionConsistency: "STRONG" },
      /^NotImplemented 501 MultiRegionConsistency STRONG /,
    ],
    [create("sa-east-1", { KMSMasterKeyId: "k" }), /^NotImplemented 501 ReplicaUpdates' KMSMasterKeyId /],
    [
      { GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: "by-kind" } }] },
      /^NotImplemented 501 UpdateTable's GlobalSecondaryIndexUpdates of a table with replicas /,
    ],
  ];
  for (const [more, expected] of cases) assert.match(await refusal(home.updateTable({ TableName, ...more })), expected);
  await west.updateTable({ TableName, DeletionProtectionEnabled: true });
  assert.match(
    await refusal(home.updateTable({ TableName, ReplicaUpdates: [{ Delete: { RegionName: "us-west-2" } }] })),
    /^ValidationException 400 Cannot delete table refusing in region us-west-2 because it has deletion protection enabled\. Disable deletion protection first\.$/,
  );
  assert.match(await refusal(home.describeTableReplicaAutoScaling({ TableName })), /^NotImplemented 501/);
  assert.match(
    await refusal(home.createGlobalTable({ GlobalTableName: TableName, ReplicationGroup: [] })),
    /^NotImplemented 501/,
  );
});

test("a replica's own capacity and class are told in every region, and hold in its own", async () => {
  const TableName = "overridden";
  await makeTable(TableName);
  const OnDemandThroughputOverride = { MaxReadRequestUnits: 7 };
  await change(TableName, { Create: { RegionName: "us-west-2", TableClassOverride: "STANDARD_INFREQUENT_ACCESS" } });
  await change(TableName, { Update: { RegionName: "us-west-2", OnDemandThroughputOverride } });
  const [told] = (await described(home, TableName)).Replicas!;
  assert.deepEqual(told!.OnDemandThroughputOverride, OnDemandThroughputOverride);
  assert.equal(told!.ReplicaTableClassSummary!.TableClass, "STANDARD_INFREQUENT_ACCESS");
  const there = await described(west, TableName);
  assert.equal(there.OnDemandThroughput!.MaxReadRequestUnits, 7);
  assert.equal(there.TableClassSummary!.TableClass, "STANDARD_INFREQUENT_ACCESS");
  assert.equal((await described(home, TableName)).TableClassSummary, undefined);
});

test("a replica demands more than the update of a table", async () => {
  await makeTable("guarded");
  const may = policy(allow(["dynamodb:UpdateTable", "dynamodb:CreateTableReplica"]));
  const half = inRegion("us-east-1", await userWith(cloud, "half", { may }));
  assert.match(
    await refusal(
      half.updateTable({ TableName: "guarded", ReplicaUpdates: [{ Create: { RegionName: "us-west-2" } }] }),
    ),
    /^AccessDeniedException 400 User: .* is not authorized to perform: dynamodb:CreateTable on resource: arn:aws:dynamodb:us-west-2:/,
  );
  half.destroy();
});
