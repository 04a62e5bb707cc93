// A table's stream as an event source.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DeleteEventSourceMappingCommand, UpdateEventSourceMappingCommand } from "@aws-sdk/client-lambda";
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { CreateTopicCommand, SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import { arnOf } from "../../../../test/lambda.ts";
import { bodies, type Event, keys, queueArn, SAY, startMappingsCloud } from "../../../../test/mappings.ts";
import { policy } from "../../../../test/principals.ts";

test("A function gets a table's changes in order, from the beginning or from now on, and none twice after a pause", async () => {
  await using cloud = await startMappingsCloud();
  const table = await cloud.table("table");
  await table.put("1");
  await cloud.createBash("all", `${SAY}; echo null`);
  await cloud.createBash("late", `${SAY}; echo null`);
  await cloud.advance(2_000);
  const { UUID, EventSourceMappingArn, LastModified, $metadata, ...created } = await cloud.map("all", table.arn, {
    StartingPosition: "TRIM_HORIZON",
  });
  assert.deepEqual(created, {
    BatchSize: 100,
    BisectBatchOnFunctionError: false,
    DestinationConfig: { OnFailure: {} },
    EventSourceArn: table.arn,
    FunctionArn: arnOf("all"),
    FunctionResponseTypes: [],
    LastProcessingResult: "No records processed",
    MaximumBatchingWindowInSeconds: 0,
    MaximumRecordAgeInSeconds: -1,
    MaximumRetryAttempts: -1,
    ParallelizationFactor: 1,
    StartingPosition: "TRIM_HORIZON",
    State: "Creating",
    StateTransitionReason: "User action",
    TumblingWindowInSeconds: 0,
  });
  await cloud.map("late", table.arn, { StartingPosition: "LATEST" });
  await cloud.settle();
  for (const id of ["2", "3"]) await table.put(id);
  await cloud.settle();
  const ids = async (name: string) => (await cloud.got(name)).flatMap(keys);
  assert.deepEqual(
    [await ids("all"), await ids("late")],
    [
      ["1", "2", "3"],
      ["2", "3"],
    ],
  );
  assert.equal((await cloud.mapping(UUID)).LastProcessingResult, "OK");
  const [record] = (await cloud.got("all"))[0].Records;
  const { eventID, dynamodb, ...rest } = record;
  assert.ok(eventID && Number.isInteger(dynamodb.ApproximateCreationDateTime));
  assert.deepEqual(rest, {
    eventName: "INSERT",
    eventVersion: "1.1",
    eventSource: "aws:dynamodb",
    awsRegion: "us-east-1",
    eventSourceARN: table.arn,
  });

  const update = (more: object) => cloud.lambda.send(new UpdateEventSourceMappingCommand({ UUID, ...more }));
  await update({ Enabled: false });
  await table.put("4");
  await cloud.settle();
  await update({ Enabled: true, FilterCriteria: { Filters: [{ Pattern: '{"eventName":["MODIFY"]}' }] } });
  await table.put("1", 7);
  await cloud.settle();
  assert.deepEqual(await ids("all"), ["1", "2", "3", "1"]);
  await cloud.lambda.send(new DeleteEventSourceMappingCommand({ UUID }));
  await cloud.map("all", table.arn, { StartingPosition: "TRIM_HORIZON", BatchSize: 10 });
  await cloud.settle();
  assert.deepEqual(await ids("all"), ["1", "2", "3", "1", "1", "2", "3", "4", "1"]); // a new mapping begins anew
});

test("A batching window gathers what comes while it lasts", async () => {
  await using cloud = await startMappingsCloud();
  const table = await cloud.table("table");
  await cloud.createBash("f", `${SAY}; echo null`);
  await cloud.map("f", table.arn, {
    StartingPosition: "TRIM_HORIZON",
    BatchSize: 3,
    MaximumBatchingWindowInSeconds: 60,
  });
  const seen = async () => (await cloud.got("f")).map((event) => keys(event).join(""));
  await table.put("1");
  await cloud.advance(30_000);
  await table.put("2");
  await cloud.advance(29_000);
  assert.deepEqual(await seen(), []);
  await cloud.advance(2_000);
  assert.deepEqual(await seen(), ["12"]);
  for (const id of "3456") await table.put(id);
  await cloud.settle();
  assert.deepEqual(await seen(), ["12", "345"]);
});

test("A batch that keeps failing is halved, tried again, and given up: its metadata to a queue or a topic, all of it to a bucket", async () => {
  await using cloud = await startMappingsCloud();
  const table = await cloud.table("table");
  await cloud.queue("dead");
  await cloud.queue("told", {
    Policy: policy({ Effect: "Allow", Principal: "*", Action: "sqs:SendMessage", Resource: "*" }),
  });
  const sns = cloud.client(SNSClient);
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: "lost" }));
  await sns.send(
    new SubscribeCommand({
      TopicArn,
      Protocol: "sqs",
      Endpoint: queueArn("told"),
      Attributes: { RawMessageDelivery: "true" },
    }),
  );
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: "lost" }));
  const body = `${SAY}; jq -e 'any(.Records[]; .dynamodb.Keys.id.S == "bad") | not' <<<"$1"`;
  const destinations = { q: queueArn("dead"), t: TopicArn!, b: "arn:aws:s3:::lost" };
  for (const [name, Destination] of Object.entries(destinations)) {
    await cloud.createBash(name, body);
    await cloud.map(name, table.arn, {
      StartingPosition: "TRIM_HORIZON",
      MaximumRetryAttempts: 1,
      BisectBatchOnFunctionError: true,
      MaximumBatchingWindowInSeconds: 1,
      DestinationConfig: { OnFailure: { Destination } },
    });
  }
  for (const id of ["1", "2", "bad", "4"]) await table.put(id);
  await cloud.advance(2_000);
  await cloud.advance(60_000);
  const batches = (await cloud.got("q")).map((event) => keys(event).join(" "));
  assert.deepEqual(batches, ["1 2 bad 4", "1 2", "bad 4", "bad", "bad", "4"]);
  const [record, ...more] = await cloud.received("dead");
  assert.equal(more.length, 0);
  const { timestamp, requestContext, DDBStreamBatchInfo: info, ...rest } = record;
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const { requestId, ...context } = requestContext;
  assert.match(requestId, /^[0-9a-f-]{36}$/);
  assert.deepEqual(context, {
    functionArn: arnOf("q"),
    condition: "RetryAttemptsExhausted",
    approximateInvokeCount: 2,
  });
  assert.deepEqual(rest, {
    version: "1.0",
    responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
  });
  const [bad] = (await cloud.got("q"))[3].Records;
  const { shardId, approximateArrivalOfFirstRecord, ...place } = info;
  assert.match(shardId, /^shardId-/);
  assert.match(approximateArrivalOfFirstRecord, /T\d\d:\d\d:\d\dZ$/);
  assert.deepEqual(place, {
    startSequenceNumber: bad.dynamodb.SequenceNumber,
    endSequenceNumber: bad.dynamodb.SequenceNumber,
    approximateArrivalOfLastRecord: approximateArrivalOfFirstRecord,
    batchSize: 1,
    streamArn: table.arn,
  });
  assert.equal((await cloud.received("told"))[0].requestContext.functionArn, arnOf("t"));
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: "lost" }));
  assert.match(
    Contents[0]!.Key!,
    /^aws\/lambda\/[0-9a-f-]{36}\/shardId-[^/]+\/\d{4}\/\d\d\/\d\d\/[\d-]{10}T[\d.]{8}-[0-9a-f-]{36}$/,
  );
  const object = await s3.send(new GetObjectCommand({ Bucket: "lost", Key: Contents[0]!.Key! }));
  const whole = JSON.parse(await object.Body!.transformToString());
  assert.deepEqual(JSON.parse(whole.payload).Records[0].dynamodb, bad.dynamodb);
  assert.equal(whole.DDBStreamBatchInfo.batchSize, 1);
});

test("The lowest sequence number that is reported is where a batch goes on; too old records are given up", async () => {
  await using cloud = await startMappingsCloud();
  const table = await cloud.table("table");
  await cloud.queue("dead");
  await cloud.createBash(
    "f",
    `${SAY}; jq -c '{batchItemFailures: [.Records[] | select(.dynamodb.Keys.id.S == "2") | {itemIdentifier: .dynamodb.SequenceNumber}]}' <<<"$1"`,
  );
  const { UUID } = await cloud.map("f", table.arn, {
    StartingPosition: "TRIM_HORIZON",
    FunctionResponseTypes: ["ReportBatchItemFailures"],
    MaximumBatchingWindowInSeconds: 1,
    MaximumRecordAgeInSeconds: 60,
    DestinationConfig: { OnFailure: { Destination: queueArn("dead") } },
  });
  for (const id of ["1", "2", "3"]) await table.put(id);
  await cloud.advance(2_000);
  await cloud.advance(120_000);
  const batches = (await cloud.got("f")).map((event) => keys(event).join(" "));
  assert.deepEqual(batches.slice(0, 2), ["1 2 3", "2 3"]);
  assert.ok(
    batches.slice(2).every((batch) => batch === "2 3"),
    batches.join(),
  );
  const [record] = await cloud.received("dead");
  assert.deepEqual([record.requestContext.condition, record.DDBStreamBatchInfo.batchSize], ["RecordAgeExceeded", 2]);
  await table.put("4");
  await cloud.advance(2_000);
  assert.deepEqual((await cloud.got("f")).flatMap(keys).at(-1), "4");
  assert.equal((await cloud.mapping(UUID)).LastProcessingResult, "OK");
});

test("Lanes run side by side, and the changes of one item keep their order", async () => {
  await using cloud = await startMappingsCloud();
  const table = await cloud.table("table");
  await cloud.createBash("f", `${SAY}; echo null`);
  for (let n = 0; n < 5; n++) for (const id of "abcd") await table.put(id, n);
  await cloud.map("f", table.arn, { StartingPosition: "TRIM_HORIZON", BatchSize: 5, ParallelizationFactor: 4 });
  await cloud.settle();
  const records = (await cloud.got("f")).flatMap((event) => event.Records);
  assert.equal(records.length, 20);
  for (const id of "abcd") {
    const mine = records.filter(({ dynamodb }: Event) => dynamodb.Keys.id.S === id);
    assert.deepEqual(
      mine.map(({ dynamodb }: Event) => dynamodb.NewImage.n.N),
      ["0", "1", "2", "3", "4"],
      id,
    );
  }
  const lanes = (await cloud.got("f")).map((event) => new Set(keys(event)).size);
  assert.ok(
    lanes.every((size) => size < 4),
    "no batch has all keys",
  );
});

test("A tumbling window hands its state on, and ends with an invocation of its own; another poller goes on with it", async () => {
  await using cloud = await startMappingsCloud();
  const table = await cloud.table("table");
  await cloud.aws.clock({ freeze: true });
  await cloud.createBash("sum", `${SAY}; jq -c '{state: {n: ((.state.n // 0) + (.Records | length))}}' <<<"$1"`);
  const { UUID } = await cloud.map("sum", table.arn, { StartingPosition: "TRIM_HORIZON", TumblingWindowInSeconds: 60 });
  await table.put("1");
  await cloud.settle();
  await cloud.lambda.send(new UpdateEventSourceMappingCommand({ UUID, BatchSize: 7 })); // another poller takes over
  await table.put("2");
  await cloud.settle();
  await cloud.advance(61_000);
  const seen = (await cloud.got("sum")).map(({ Records, state, isFinalInvokeForWindow }) => [
    Records.length,
    state,
    isFinalInvokeForWindow,
  ]);
  assert.deepEqual(seen, [
    [1, {}, false],
    [1, { n: 1 }, false],
    [0, { n: 2 }, true],
  ]);
  const [first] = await cloud.got("sum");
  assert.equal(Date.parse(first.window.end) - Date.parse(first.window.start), 60_000);
  assert.deepEqual([first.eventSourceARN, first.isWindowTerminatedEarly], [table.arn, false]);
  assert.match(first.shardId, /^shardId-/);
  await table.put("3");
  await cloud.settle();
  assert.deepEqual((await cloud.got("sum")).at(-1).state, {});
});

test("Reading goes from shard to shard as they roll, and on after records that were trimmed unread", async () => {
  await using cloud = await startMappingsCloud();
  const table = await cloud.table("table");
  await cloud.createBash("f", `${SAY}; echo null`);
  const { UUID } = await cloud.map("f", table.arn, { StartingPosition: "TRIM_HORIZON" });
  const seen = async () => (await cloud.got("f")).flatMap(keys).join("");
  const HOUR = 3_600_000;
  for (const id of "abc") {
    await table.put(id);
    await cloud.advance(5 * HOUR); // a shard lasts four
  }
  assert.equal(await seen(), "abc");
  const update = (Enabled: boolean) => cloud.lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled }));
  await update(false);
  await cloud.settle();
  await table.put("d");
  await cloud.advance(30 * HOUR);
  await table.put("e");
  await update(true);
  await cloud.advance(HOUR);
  assert.equal(await seen(), "abce");
  const shards = new Set((await cloud.got("f")).flatMap((event) => event.Records.map(({ eventID }: Event) => eventID)));
  assert.equal(shards.size, 4);
});

test("A source that refuses is asked again, later and later, and read on when it answers", async () => {
  await using cloud = await startMappingsCloud();
  const table = await cloud.table("table");
  await cloud.queue("in");
  for (const name of ["s", "q"]) await cloud.createBash(name, `${SAY}; echo null`);
  await cloud.map("s", table.arn, { StartingPosition: "TRIM_HORIZON", BatchSize: 1 });
  await cloud.map("q", queueArn("in"));
  const seen = async () => [(await cloud.got("s")).flatMap(keys), (await cloud.got("q")).flatMap(bodies)];
  await table.put("1");
  await cloud.send("in", ["1"]);
  await cloud.settle();
  assert.deepEqual(await seen(), [["1"], ["1"]]);
  const away = ["dynamodbstreams:GetRecords", "sqs:ReceiveMessage"];
  for (const what of away) await cloud.aws.chaos({ set: { kind: "throttle", what, percent: 100 } });
  await table.put("2");
  await cloud.send("in", ["2"]);
  await cloud.advance(30_000);
  assert.deepEqual(await seen(), [["1"], ["1"]]);
  await cloud.aws.chaos({ clear: {} });
  await cloud.advance(60_000);
  assert.deepEqual(await seen(), [
    ["1", "2"],
    ["1", "2"],
  ]);
});
