// Reality knobs: what a user turns on to go wrong goes wrong, is told, and survives a restart.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, test } from "node:test";
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { IAMClient, ListUsersCommand } from "@aws-sdk/client-iam";
import {
  CreateBucketCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { SNS } from "@aws-sdk/client-sns";
import { SQS } from "@aws-sdk/client-sqs";
import { startCloud } from "./cloud.ts";
import { policy, refusal } from "./principals.ts";

const dir = await mkdtemp(join(tmpdir(), "aws-like-chaos-"));
const cloud = await startCloud({ dir });
after(async () => {
  await cloud[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});
afterEach(() => cloud.aws.chaos({ clear: {}, seed: 1 }));
const sqs = cloud.client(SQS);
const ARN = "arn:aws:sqs:us-east-1:000000000000:";

test("A throttled call is refused with its service's own error, after a policy's", async () => {
  const calls: readonly (readonly [string, () => Promise<unknown>, string])[] = [
    [
      "sqs:ListQueues",
      () => sqs.listQueues(),
      "RequestThrottled 403 The request was denied due to request throttling.",
    ],
    [
      "dynamodb:*",
      () => cloud.client(DynamoDBClient).send(new ListTablesCommand()),
      "ProvisionedThroughputExceededException 400 The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API.",
    ],
    ["sns:*", () => cloud.client(SNS).listTopics(), "Throttled 429 Rate exceeded"],
    ["iam:List*", () => cloud.client(IAMClient).send(new ListUsersCommand()), "Throttling 400 Rate exceeded"],
    [
      "s3:CreateBucket",
      () => cloud.client(S3Client).send(new CreateBucketCommand({ Bucket: "slow" })),
      "SlowDown 503 Please reduce your request rate.",
    ],
  ];
  for (const [what, call, refused] of calls) {
    await cloud.aws.chaos({ set: { kind: "throttle", what, percent: 100 } });
    assert.equal(await refusal(call()), refused, what);
  }
  const stranger = cloud.client(SQS, { accessKeyId: "222222222222", secretAccessKey: "test" });
  await cloud.aws.chaos({ set: { kind: "throttle", what: "sqs:*", percent: 100 } });
  await assert.rejects(stranger.sendMessage({ QueueUrl: "/000000000000/q", MessageBody: "x" }), {
    name: "AccessDenied",
  });
  await cloud.aws.chaos({ clear: { kind: "throttle", what: "sqs:*" } });
  await sqs.createQueue({ QueueName: "left-alone" });
});

test("It is told with its seed, by why too", async () => {
  await cloud.aws.chaos({ seed: 7, set: { kind: "throttle", what: "sqs:ListQueues", percent: 100 } });
  const error = (await sqs.listQueues().catch((error) => error)) as { $metadata: { requestId: string } };
  const { entries, explanations } = await cloud.aws.why({ names: [error.$metadata.requestId] });
  assert.deepEqual(explanations[0]!.notes, ["chaos: throttled sqs:ListQueues, seed 7"]);
  // It was no denial.
  assert.equal(
    (await cloud.aws.why({ denied: true })).entries.some(({ id }) => id === error.$metadata.requestId),
    false,
  );
  const told = entries.filter(({ text }) => text.startsWith("chaos: "));
  assert.deepEqual(
    told.map(({ level, text }) => [level, text]),
    [["info", "chaos: throttled sqs:ListQueues, seed 7"]],
  );
});

test("A percentage strikes as often, and the same calls with the same seed", async () => {
  const struck = async (seed: number): Promise<string> => {
    await cloud.aws.chaos({ seed, set: { kind: "throttle", what: "sqs:ListQueues", percent: 30 } });
    let told = "";
    for (let i = 0; i < 40; i++)
      told += await sqs.listQueues().then(
        () => ".",
        () => "x",
      );
    return told;
  };
  const first = await struck(7);
  const times = first.replaceAll(".", "").length;
  assert.ok(times > 4 && times < 22, first);
  assert.equal(await struck(7), first);
  assert.notEqual(await struck(8), first);
});

test("A delayed call waits on the clock", async () => {
  await cloud.aws.clock({ freeze: true });
  await cloud.aws.chaos({ set: { kind: "delay", what: "sqs:ListQueues", percent: 100, ms: 60_000 } });
  let answered = false;
  const call = sqs.listQueues().then(() => (answered = true));
  await sqs.createQueue({ QueueName: "at-once" });
  assert.equal(answered, false);
  while (!answered) {
    await cloud.advance(60_000);
    await Promise.race([call, new Promise(setImmediate)]);
  }
  await cloud.aws.clock({ resume: true });
});

test("A target that fails is tried again until it takes what is delivered, and so is one that throttles", async () => {
  await sqs.createQueue({
    QueueName: "uploads",
    Attributes: {
      Policy: policy({
        Effect: "Allow",
        Principal: { Service: "s3.amazonaws.com" },
        Action: "sqs:SendMessage",
        Resource: `${ARN}uploads`,
      }),
    },
  });
  const { QueueUrl } = await sqs.getQueueUrl({ QueueName: "uploads" });
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: "photos" }));
  await s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: "photos",
      NotificationConfiguration: {
        QueueConfigurations: [{ QueueArn: `${ARN}uploads`, Events: ["s3:ObjectCreated:*"] }],
      },
      SkipDestinationValidation: true,
    }),
  );
  const waiting = async () =>
    (await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["ApproximateNumberOfMessages"] })).Attributes!
      .ApproximateNumberOfMessages;
  for (const [at, knob] of [
    { kind: "fail", what: `${ARN}uploads`, percent: 100 },
    { kind: "throttle", what: "sqs:SendMessage", percent: 100 },
  ].entries()) {
    await cloud.aws.chaos({ set: knob });
    await s3.send(new PutObjectCommand({ Bucket: "photos", Key: `${at}.jpg`, Body: "x" }));
    await cloud.settle();
    assert.equal(await waiting(), String(at), knob.kind);
    if (knob.kind === "fail") await sqs.sendMessage({ QueueUrl, MessageBody: "a client's call is no delivery" });
    await cloud.aws.chaos({ clear: {} });
    await cloud.advance(10_000);
    if (knob.kind === "fail") {
      assert.equal(await waiting(), "2");
      await sqs.receiveMessage({ QueueUrl, VisibilityTimeout: 43_200 });
    } else assert.equal(await waiting(), "2");
  }
});

test("What is on survives a restart, and a reset ends it", async () => {
  const knobs = [{ kind: "fail", what: "arn:aws:lambda:*", percent: 5 }];
  await cloud.aws.chaos({ seed: 7, set: knobs[0] });
  await cloud.aws.closedFor(() => Promise.resolve());
  assert.deepEqual(await cloud.aws.chaos(), { seed: 7, knobs });
  await cloud.aws.reset();
  assert.deepEqual(await cloud.aws.chaos(), { seed: 1, knobs: [] });
});

const unsound: readonly (readonly [object, RegExp])[] = [
  [{ set: { kind: "drop", what: "*", percent: 1 } }, /there is no chaos drop: duplicate, reorder/],
  [{ set: { kind: "duplicate", what: "", percent: 1 } }, /say what it is about/],
  [{ set: { kind: "duplicate", what: "*", percent: 0 } }, /percent is a whole number from 1 to 100/],
  [{ set: { kind: "throttle", what: "SendMessage", percent: 1 } }, /SendMessage is no operation/],
  [{ set: { kind: "delay", what: "s3:*", percent: 1 } }, /a delay is a whole number of milliseconds/],
  [{ set: { kind: "fail", what: "queue", percent: 1 } }, /queue is no ARN/],
  [{ clear: { kind: "fail", what: "arn:none" } }, /there is no fail of arn:none/],
  [{ seed: -1 }, /a seed is a whole number/],
];

test("What cannot be is said in one sentence", async () => {
  for (const [change, message] of unsound)
    await assert.rejects(cloud.aws.chaos(change as Record<string, unknown>), { message });
});
