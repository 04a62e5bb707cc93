import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  AddPermissionCommand,
  DeleteFunctionCommand,
  InvokeCommand,
  PutFunctionEventInvokeConfigCommand,
  RemovePermissionCommand,
} from "@aws-sdk/client-lambda";
import {
  CreateBucketCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { ACCOUNT, arnOf, type LambdaCloud, startCloudWithRole } from "../../../test/lambda.ts";

const MINUTE = 60_000;

async function invokeEvent(cloud: LambdaCloud, name: string, payload: unknown): Promise<string> {
  const answer = await cloud.lambda.send(
    new InvokeCommand({ FunctionName: name, InvocationType: "Event", Payload: JSON.stringify(payload) }),
  );
  assert.deepEqual([answer.StatusCode, answer.Payload?.length ?? 0, answer.FunctionError], [202, 0, undefined]);
  return answer.$metadata.requestId!;
}

/** What was accepted has had its first attempt, and then time goes by. */
async function later(cloud: LambdaCloud, ms: number): Promise<void> {
  await cloud.settle();
  await cloud.advance(ms);
}

/** The lines of a function's log that match. */
async function lines(cloud: LambdaCloud, name: string, pattern: RegExp): Promise<string[]> {
  const dir = join(cloud.aws.config.dir, "logs/lambda", name);
  const files = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return [];
  });
  const text = (await Promise.all(files.map((file) => readFile(join(dir, file), "utf8")))).join("");
  return text.split("\n").filter((line) => pattern.test(line));
}

// biome-ignore lint/suspicious/noExplicitAny: whatever a record holds
type Record = { [key: string]: any };

/** A function that logs what it gets; and what it got so far. */
async function createSink(cloud: LambdaCloud, name: string): Promise<() => Promise<Record[]>> {
  await cloud.createBash(name, 'echo "got $(jq -c . <<<"$1")" >&2; echo null');
  return async () =>
    (await lines(cloud, name, / got /)).map((line) => JSON.parse(line.slice(line.indexOf(" got ") + 5)));
}

test("An Event is accepted with 202 and run once, under the request id of the answer", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", 'echo "$1" >&2; echo 1');
  const id = await invokeEvent(cloud, "f", { n: 1 });
  await cloud.settle();
  assert.equal((await lines(cloud, "f", new RegExp(`START RequestId: ${id} `))).length, 1);
  assert.equal((await lines(cloud, "f", /\{"n":1\}/)).length, 1);
  await later(cloud, 10 * MINUTE);
  assert.equal((await lines(cloud, "f", / START /)).length, 1);
});

test("A failing Event is run again after one minute and after two more, then its record goes to OnFailure", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", "echo 'no disk' >&2; exit 1");
  const sunk = await createSink(cloud, "sink");
  await cloud.lambda.send(
    new PutFunctionEventInvokeConfigCommand({
      FunctionName: "f",
      DestinationConfig: { OnFailure: { Destination: arnOf("sink") } },
    }),
  );
  await cloud.aws.clock({ freeze: true });
  const id = await invokeEvent(cloud, "f", { n: 1 });
  await cloud.settle();
  const runs = async () => (await lines(cloud, "f", new RegExp(`START RequestId: ${id} `))).length;
  assert.equal(await runs(), 1);
  await later(cloud, MINUTE - 1);
  assert.equal(await runs(), 1);
  await later(cloud, 1);
  assert.equal(await runs(), 2);
  await later(cloud, 2 * MINUTE - 1);
  assert.equal(await runs(), 2);
  assert.deepEqual(await sunk(), []);
  await later(cloud, 1);
  assert.equal(await runs(), 3);
  const [record, ...more] = await sunk();
  assert.equal(more.length, 0);
  const { timestamp, responsePayload, ...rest } = record!;
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(rest, {
    version: "1.0",
    requestContext: {
      requestId: id,
      functionArn: arnOf("f:$LATEST"),
      condition: "RetriesExhausted",
      approximateInvokeCount: 3,
    },
    requestPayload: { n: 1 },
    responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
  });
  assert.ok(responsePayload.errorType);
  await later(cloud, 60 * MINUTE);
  assert.equal(await runs(), 3);
});

test("A run that succeeds ends the retries, and its record goes to OnSuccess", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", '[[ -e /tmp/tried ]] || { touch /tmp/tried; return 1; }; echo "{\\"ok\\":$1}"');
  const sunk = await createSink(cloud, "sink");
  await cloud.lambda.send(
    new PutFunctionEventInvokeConfigCommand({
      FunctionName: "f",
      DestinationConfig: { OnSuccess: { Destination: arnOf("sink") } },
    }),
  );
  // A day's first minute: no worker is renewed between the two attempts, so that /tmp is still there.
  await cloud.aws.clock({ freeze: Date.UTC(2030, 0, 1, 0, 1) });
  const id = await invokeEvent(cloud, "f", [7]);
  await later(cloud, 60 * MINUTE);
  const [{ timestamp, ...record }] = (await sunk()) as [Record];
  assert.ok(timestamp);
  assert.deepEqual(record, {
    version: "1.0",
    requestContext: { requestId: id, functionArn: arnOf("f:$LATEST"), condition: "Success", approximateInvokeCount: 2 },
    requestPayload: [7],
    responseContext: { statusCode: 200, executedVersion: "$LATEST" },
    responsePayload: { ok: [7] },
  });
});

test("MaximumRetryAttempts and MaximumEventAgeInSeconds limit the retries", async () => {
  await using cloud = await startCloudWithRole();
  const sunk = await createSink(cloud, "sink");
  for (const [name, config, condition, count] of [
    ["none", { MaximumRetryAttempts: 0 }, "RetriesExhausted", 1],
    ["one", { MaximumRetryAttempts: 1 }, "RetriesExhausted", 2],
    ["young", { MaximumEventAgeInSeconds: 120 }, "EventAgeExceeded", 2],
  ] as const) {
    await cloud.createBash(name, "exit 1");
    await cloud.lambda.send(
      new PutFunctionEventInvokeConfigCommand({
        FunctionName: name,
        DestinationConfig: { OnFailure: { Destination: arnOf("sink") } },
        ...config,
      }),
    );
    await invokeEvent(cloud, name, {});
    await later(cloud, 60 * MINUTE);
    const { requestContext } = (await sunk()).at(-1) as Record;
    assert.deepEqual([requestContext.condition, requestContext.approximateInvokeCount], [condition, count], name);
    assert.equal((await lines(cloud, name, / START /)).length, count);
  }
});

test("What fails for good is sent to the dead-letter queue: the event, with what went wrong as attributes", async () => {
  await using cloud = await startCloudWithRole();
  const sqs = cloud.client(SQSClient);
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "dead" }));
  await cloud.createBash("f", "echo 'disk full' >&2; return 1", {
    DeadLetterConfig: { TargetArn: `arn:aws:sqs:us-east-1:${ACCOUNT}:dead` },
  });
  await cloud.aws.clock({ freeze: true });
  const id = await invokeEvent(cloud, "f", { n: 1 });
  await later(cloud, 3 * MINUTE);
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: 10,
      MessageAttributeNames: ["All"],
      MessageSystemAttributeNames: ["SenderId"],
    }),
  );
  assert.deepEqual(
    Messages.map(({ Body }) => JSON.parse(Body!)),
    [{ n: 1 }],
  );
  const { RequestID, ErrorCode, ErrorMessage } = Messages[0]!.MessageAttributes!;
  assert.deepEqual([RequestID!.DataType, RequestID!.StringValue], ["String", id]);
  assert.deepEqual([ErrorCode!.DataType, ErrorCode!.StringValue], ["Number", "200"]);
  assert.equal(ErrorMessage!.DataType, "String");
  assert.match(ErrorMessage!.StringValue!, /disk full/);
  // Its role sends it.
  assert.match(Messages[0]!.Attributes!.SenderId!, /^AROA\w+:f_?$/);
});

test("An accepted Event survives a restart, and so does its next attempt", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", "exit 1");
  await invokeEvent(cloud, "f", {});
  await cloud.settle();
  await cloud.aws.closedFor(async () => undefined);
  await later(cloud, MINUTE);
  assert.equal((await lines(cloud, "f", / START /)).length, 2);
});

test("An Event for a function that is gone by then is dropped", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", "exit 1");
  await invokeEvent(cloud, "f", {});
  await cloud.settle();
  await cloud.lambda.send(new DeleteFunctionCommand({ FunctionName: "f" }));
  await later(cloud, 60 * MINUTE);
  assert.equal((await lines(cloud, "f", / START /)).length, 1);
});

test("A burst of Events is worked off: each is run, once", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", "echo 1");
  await Promise.all(Array.from({ length: 60 }, (_, n) => invokeEvent(cloud, "f", { n })));
  await cloud.settle();
  const starts = await lines(cloud, "f", / START /);
  assert.equal(starts.length, 60);
  assert.equal(new Set(starts.map((line) => line.split(" ")[3])).size, 60);
});

test("An S3 notification runs the function whose policy permits it, once an object", async () => {
  await using cloud = await startCloudWithRole();
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: "input" }));
  const got = await createSink(cloud, "sink");
  const permission = { FunctionName: "sink", Action: "lambda:InvokeFunction", Principal: "s3.amazonaws.com" };
  await cloud.lambda.send(
    new AddPermissionCommand({ ...permission, StatementId: "s3", SourceArn: "arn:aws:s3:::input" }),
  );
  await s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: "input",
      NotificationConfiguration: {
        LambdaFunctionConfigurations: [{ LambdaFunctionArn: arnOf("sink"), Events: ["s3:ObjectCreated:*"] }],
      },
    }),
  );
  await s3.send(new PutObjectCommand({ Bucket: "input", Key: "a b.txt", Body: "hello" }));
  await cloud.settle();
  const [event, ...more] = await got();
  assert.equal(more.length, 0);
  const { eventName, s3: about } = event!.Records[0];
  assert.deepEqual([eventName, about.bucket.name, about.object.key], ["ObjectCreated:Put", "input", "a+b.txt"]);

  await cloud.lambda.send(new RemovePermissionCommand({ FunctionName: "sink", StatementId: "s3" }));
  await cloud.lambda.send(
    new AddPermissionCommand({ ...permission, StatementId: "other", SourceArn: "arn:aws:s3:::other" }),
  );
  await s3.send(new PutObjectCommand({ Bucket: "input", Key: "b.txt", Body: "hello" }));
  await cloud.settle();
  assert.equal((await got()).length, 1, "the policy permits another bucket only");
});
