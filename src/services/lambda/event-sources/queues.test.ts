// A queue as an event source.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DeleteEventSourceMappingCommand,
  type EventSourceMappingConfiguration,
  UpdateEventSourceMappingCommand,
} from "@aws-sdk/client-lambda";
import { ACCOUNT, arnOf } from "../../../../test/lambda.ts";
import { bodies, queueArn, SAY, startMappingsCloud } from "../../../../test/mappings.ts";

test("A function gets a queue's messages as AWS brings them, and they are deleted; what no filter lets through is gone", async () => {
  await using cloud = await startMappingsCloud();
  await cloud.queue("in");
  await cloud.createBash("f", `${SAY}; echo null`);
  const { $metadata, UUID, LastModified, ...created } = await cloud.map("f", queueArn("in"), {
    FilterCriteria: { Filters: [{ Pattern: '{"body":{"kind":["order"]}}' }, { Pattern: '{"body":["plain"]}' }] },
  });
  assert.equal($metadata.httpStatusCode, 202);
  assert.ok(LastModified instanceof Date);
  const expected: EventSourceMappingConfiguration = {
    BatchSize: 10,
    EventSourceArn: queueArn("in"),
    EventSourceMappingArn: `arn:aws:lambda:us-east-1:${ACCOUNT}:event-source-mapping:${UUID}`,
    FilterCriteria: { Filters: [{ Pattern: '{"body":{"kind":["order"]}}' }, { Pattern: '{"body":["plain"]}' }] },
    FunctionArn: arnOf("f"),
    FunctionResponseTypes: [],
    MaximumBatchingWindowInSeconds: 0,
    State: "Creating",
    StateTransitionReason: "USER_INITIATED",
  };
  assert.deepEqual(created, expected);
  assert.equal((await cloud.mapping(UUID)).State, "Enabled");
  await cloud.send("in", ['{"kind":"order","n":1}', '{"kind":"other"}', "plain", "other"], {
    MessageAttributes: { Author: { DataType: "String", StringValue: "me" } },
  });
  await cloud.settle();
  const records = (await cloud.got("f")).flatMap((event) => event.Records);
  assert.deepEqual(records.map(({ body }) => body).sort(), ["plain", '{"kind":"order","n":1}']);
  const { messageId, receiptHandle, attributes, md5OfBody, md5OfMessageAttributes, ...rest } = records[0];
  assert.ok(messageId && receiptHandle && md5OfBody && md5OfMessageAttributes);
  assert.deepEqual(Object.keys(attributes).sort(), [
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "SenderId",
    "SentTimestamp",
  ]);
  assert.deepEqual(
    { ...rest, body: 0 },
    {
      body: 0,
      messageAttributes: {
        Author: { stringValue: "me", stringListValues: [], binaryListValues: [], dataType: "String" },
      },
      eventSource: "aws:sqs",
      eventSourceARN: queueArn("in"),
      awsRegion: "us-east-1",
    },
  );
  assert.equal(await cloud.depth("in"), "0 + 0");
});

test("A batch is full, or its window is over; a mapping that is off or gone polls no more", async () => {
  await using cloud = await startMappingsCloud();
  await cloud.queue("in");
  await cloud.createBash("f", `${SAY}; echo null`);
  const { UUID } = await cloud.map("f", queueArn("in"), { BatchSize: 15, MaximumBatchingWindowInSeconds: 20 });
  const sizes = async () => (await cloud.got("f")).map((event) => event.Records.length);
  await cloud.send(
    "in",
    Array.from({ length: 17 }, (_, i) => String(i)),
  );
  await cloud.settle();
  assert.deepEqual(await sizes(), [15]);
  await cloud.advance(21_000);
  assert.deepEqual(await sizes(), [15, 2]);

  const update = (more: object) => cloud.lambda.send(new UpdateEventSourceMappingCommand({ UUID, ...more }));
  assert.equal((await update({ Enabled: false })).State, "Disabling");
  await cloud.settle();
  assert.equal((await cloud.mapping(UUID)).State, "Disabled");
  await cloud.send("in", ["off"]);
  await cloud.advance(60_000);
  assert.equal(await cloud.depth("in"), "1 + 0");
  const on = await update({ Enabled: true, BatchSize: 1, MaximumBatchingWindowInSeconds: 0 });
  assert.deepEqual([on.State, on.BatchSize], ["Enabling", 1]);
  await cloud.settle();
  assert.deepEqual(await sizes(), [15, 2, 1]);
  assert.equal((await update({ BatchSize: 2 })).State, "Updating");

  const gone = await cloud.lambda.send(new DeleteEventSourceMappingCommand({ UUID }));
  assert.deepEqual([gone.$metadata.httpStatusCode, gone.State], [202, "Deleting"]);
  await assert.rejects(cloud.mapping(UUID), {
    name: "ResourceNotFoundException",
    message: "The resource you requested does not exist.",
  });
  await cloud.send("in", ["gone"]);
  await cloud.settle();
  assert.equal(await cloud.depth("in"), "1 + 0");
});

test("What a function reports as failed shows again, until it goes to the dead-letter queue", async () => {
  await using cloud = await startMappingsCloud();
  await cloud.queue("dead");
  const redrive = JSON.stringify({ deadLetterTargetArn: queueArn("dead"), maxReceiveCount: 2 });
  await cloud.queue("in", { VisibilityTimeout: "30", RedrivePolicy: redrive });
  await cloud.createBash(
    "f",
    `${SAY}; jq -c '{batchItemFailures: [.Records[] | select(.body == "[0]") | {itemIdentifier: .messageId}]}' <<<"$1"`,
  );
  await cloud.map("f", queueArn("in"), {
    FunctionResponseTypes: ["ReportBatchItemFailures"],
    BatchSize: 10,
    MaximumBatchingWindowInSeconds: 1,
  });
  await cloud.send("in", ["[0]", "[1]", "[2]"]);
  await cloud.advance(2_000);
  assert.equal(await cloud.depth("in"), "0 + 1");
  await cloud.advance(120_000);
  assert.deepEqual(
    (await cloud.got("f")).map((event) => bodies(event).length),
    [3, 1],
  );
  assert.deepEqual(await cloud.received("dead"), [[0]]);
  assert.equal(await cloud.depth("in"), "0 + 0");
});

/** What the guide lists, and how many messages are left in flight. */
const answers = new Map([
  ["null", 0],
  ["{}", 0],
  ['{"batchItemFailures":null}', 0],
  ['{"batchItemFailures":[]}', 0],
  ['{"batchItemFailures":[{"itemIdentifier":""}]}', 2],
  ['{"batchItemFailures":[{"itemIdentifier":null}]}', 2],
  ['{"batchItemFailures":[{"foo":"notvalid"}]}', 2],
  ['{"batchItemFailures":[{"itemIdentifier":"nobody"}]}', 2],
  ['{"batchItemFailures":7}', 2],
  ['"text"', 2],
]);

test("An empty answer is a success; one that cannot be read, or a function that fails, fails the whole batch", async () => {
  await using cloud = await startMappingsCloud();
  await cloud.createBash("f", `jq -r '.Records[0].body' <<<"$1"`);
  await cloud.createBash("fails", "exit 1");
  const queues = [...answers.keys()].map((answer, i) => ({ answer, name: `q${i}` }));
  for (const { answer, name } of queues) {
    await cloud.queue(name);
    await cloud.send(name, [answer, answer]);
    await cloud.map("f", queueArn(name), { FunctionResponseTypes: ["ReportBatchItemFailures"] });
  }
  await cloud.queue("fails");
  await cloud.send("fails", ["1"]);
  await cloud.map("fails", queueArn("fails"));
  await cloud.settle();
  for (const { answer, name } of queues) assert.equal(await cloud.depth(name), `0 + ${answers.get(answer)}`, answer);
  assert.equal(await cloud.depth("fails"), "0 + 1");
});

test("A group of a FIFO queue is worked off in its order, also after a failure, and groups side by side", async () => {
  await using cloud = await startMappingsCloud();
  await cloud.queue("in.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true", VisibilityTimeout: "30" });
  await cloud.createBash(
    "f",
    `${SAY}; [[ $(jq -r '.Records[0] | .body + .attributes.ApproximateReceiveCount' <<<"$1") != a11 ]] && echo null`,
  );
  await cloud.map("f", queueArn("in.fifo"), { BatchSize: 1, ScalingConfig: { MaximumConcurrency: 2 } });
  for (const id of ["a", "b"]) await cloud.send("in.fifo", [`${id}1`, `${id}2`, `${id}3`], { MessageGroupId: id });
  await cloud.settle();
  const of = async (group: string) => (await cloud.got("f")).flatMap(bodies).filter((body) => body.startsWith(group));
  assert.deepEqual([await of("a"), await of("b")], [["a1"], ["b1", "b2", "b3"]]);
  await cloud.advance(31_000);
  assert.deepEqual(await of("a"), ["a1", "a1", "a2", "a3"]);
});

test("MaximumConcurrency is how many batches are under way at once; without one there are more", async () => {
  await using cloud = await startMappingsCloud();
  const overlap = async (name: string, more: object) => {
    await cloud.queue(name);
    await cloud.createBash(name, `echo "at $(date +%s%N) +" >&2; sleep 0.3; echo "at $(date +%s%N) -" >&2; echo null`);
    await cloud.send(
      name,
      Array.from({ length: 8 }, (_, i) => String(i)),
    );
    await cloud.map(name, queueArn(name), { BatchSize: 1, ...more });
    await cloud.settle();
    let [now, most] = [0, 0];
    for (const line of (await cloud.log(name)).map((text) => text.slice(text.indexOf(" at ") + 4)).sort()) {
      now += line.endsWith("+") ? 1 : -1;
      most = Math.max(most, now);
    }
    return most;
  };
  assert.equal(await overlap("limited", { ScalingConfig: { MaximumConcurrency: 2 } }), 2);
  assert.ok((await overlap("free", {})) > 2);
});
