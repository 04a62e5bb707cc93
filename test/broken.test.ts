// Functions that break, fed by dropped files: AWS's own error to who waits for it, a loud line, two retries, the dead-letter queue; the next file is served.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { AddPermissionCommand, CreateFunctionCommand, InvokeCommand } from "@aws-sdk/client-lambda";
import { CreateBucketCommand, PutBucketNotificationConfigurationCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateQueueCommand, DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { ACCOUNT, arnOf, bash, ROLE, startCloudWithRole } from "./lambda.ts";

const LIMIT = { timeout: 120_000 };
const MINUTE = 60_000;

interface Shown {
  readonly level: string;
  readonly text: string;
}
const shown: Shown[] = [];
const cloud = await startCloudWithRole({ show: (entry) => shown.push(entry) });
after(() => cloud[Symbol.asyncDispose]());
await cloud.aws.clock({ freeze: true });
const dead = await deadLetterQueue();

const SLEEPER = "sleeps-past-its-timeout";

/** What breaks when a file named bad comes, and what AWS says of it. */
const broken = [
  {
    name: "exits-with-3",
    body: "exit 3",
    error: {
      errorType: "Runtime.ExitError",
      errorMessage: /^RequestId: \S{36} Error: Runtime exited with error: exit status 3$/,
    },
  },
  {
    name: SLEEPER,
    body: "sleep 30",
    error: {
      errorType: "Sandbox.Timedout",
      errorMessage: /^RequestId: \S{36} Error: Task timed out after 2\.00 seconds$/,
    },
  },
  {
    name: "writes-10-mb-to-stdout",
    body: "head -c 10485760 /dev/zero | tr '\\0' x; return",
    error: {
      errorType: "Function.ResponseSizeTooLarge",
      errorMessage: /^Response payload size exceeded maximum allowed payload size \(6291556 bytes\)\.$/,
    },
  },
  {
    name: "takes-more-memory-than-it-has",
    body: "local all=$(head -c 400000000 /dev/zero | tr '\\0' x)",
    error: {
      errorType: "Runtime.ExitError",
      errorMessage: /^RequestId: \S{36} Error: Runtime exited with error: signal: killed$/,
    },
  },
  {
    name: "fails-with-its-last-words",
    body: "echo 'no such customer' >&2; return 1",
    error: { errorType: "Runtime.ExitError", errorMessage: /^no such customer$/ },
  },
] as const;

for (const { name, body, error } of broken)
  test(
    `a function that ${name.replaceAll("-", " ")} fails as on AWS, three times, and the next file is served`,
    LIMIT,
    async () => {
      const source = `if [[ $1 == *bad* ]]; then ${body}; fi\necho "served" >&2\necho '"ok"'`;
      const directory = await fedByFiles(name, bash(source));
      await failsWhenInvoked(name, error);
      await failsWhenFed(name, directory);
      writeFileSync(`${directory}/good`, "1");
      await cloud.settle();
      assert.equal(count(name, / served$/), 1);
      assert.equal((await cloud.invoke(name, { key: "good" })).payload, "ok");
    },
  );

test(
  "a function with a syntax error fails as on AWS, three times; once it is mended the next file is served",
  LIMIT,
  async () => {
    const name = "syntax-error";
    const file = `${cloud.aws.config.dir}/lambda.sh`;
    writeFileSync(file, "handler() {\n  if then\n}\n");
    const directory = await fedByFiles(name, { S3Bucket: "hot-reload", S3Key: file });
    await failsWhenInvoked(name, {
      errorType: "Runtime.UserCodeSyntaxError",
      errorMessage: /lambda\.sh: line 2: syntax error/,
    });
    assert.ok(count(name, /syntax error/) > 0, "bash's own words are in the log");
    await failsWhenFed(name, directory);
    writeFileSync(file, "handler() {\n  echo served >&2\n  echo null\n}\n");
    writeFileSync(`${directory}/good`, "1");
    await cloud.settle();
    assert.equal(count(name, / served$/), 1);
  },
);

/** A function that a bucket's directory feeds. */
async function fedByFiles(name: string, code: Uint8Array | { S3Bucket: string; S3Key: string }): Promise<string> {
  await cloud.lambda.send(
    new CreateFunctionCommand({
      FunctionName: name,
      Runtime: "provided.al2023",
      Handler: "lambda.handler",
      Role: ROLE,
      Code: code instanceof Uint8Array ? { ZipFile: code } : code,
      MemorySize: 128,
      // A busy machine is slow, but what sleeps is waited for four times.
      Timeout: name === SLEEPER ? 2 : 20,
      DeadLetterConfig: { TargetArn: dead.arn },
    }),
  );
  await cloud.lambda.send(
    new AddPermissionCommand({
      FunctionName: name,
      StatementId: "s3",
      Action: "lambda:InvokeFunction",
      Principal: "s3.amazonaws.com",
      SourceAccount: ACCOUNT,
    }),
  );
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: name }));
  await s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: name,
      NotificationConfiguration: {
        LambdaFunctionConfigurations: [{ LambdaFunctionArn: arnOf(name), Events: ["s3:ObjectCreated:*"] }],
      },
    }),
  );
  return `${cloud.aws.config.dir}/buckets/${name}`;
}

async function failsWhenInvoked(
  name: string,
  { errorType, errorMessage }: { errorType: string; errorMessage: RegExp },
) {
  const answer = await cloud.lambda.send(new InvokeCommand({ FunctionName: name, Payload: '{"key":"bad"}' }));
  assert.deepEqual([answer.StatusCode, answer.FunctionError, answer.ExecutedVersion], [200, "Unhandled", "$LATEST"]);
  const payload = JSON.parse(answer.Payload!.transformToString());
  assert.deepEqual(Object.keys(payload).sort(), ["errorMessage", "errorType"]);
  assert.equal(payload.errorType, errorType);
  assert.match(payload.errorMessage, errorMessage);
}

async function failsWhenFed(name: string, directory: string): Promise<void> {
  const before = count(name, / START /);
  const runs = () => count(name, / START /) - before;
  shown.length = 0;
  writeFileSync(`${directory}/bad`, "1");
  await cloud.settle();
  assert.equal(runs(), 1);
  for (const [wait, after] of [
    [MINUTE - 1, 1],
    [1, 2],
    [2 * MINUTE - 1, 2],
    [1, 3],
  ] as const) {
    await cloud.advance(wait);
    assert.equal(runs(), after);
  }
  const loud = shown.filter(({ level, text }) => level === "error" && text.includes(name)).map(({ text }) => text);
  assert.match(loud[0]!, /delivery 1 to .* failed: .*trying again at /s);
  assert.match(loud[1]!, /delivery 2 to .* failed: .*trying again at /s);
  assert.match(loud[2]!, /delivery 3 to .* failed: .*giving up/s);
  assert.ok(
    loud.some((text) => text.includes(dead.arn)),
    loud.join("\n"),
  );
  assert.deepEqual(await dead.keys(), [`${name}/bad`]);
  await cloud.advance(30 * MINUTE);
  assert.equal(runs(), 3);
}

/** `keys` empties it: `bucket/key` of each event that ended there. */
async function deadLetterQueue(): Promise<{ arn: string; keys(): Promise<string[]> }> {
  const arn = `arn:aws:sqs:us-east-1:${ACCOUNT}:dead`;
  const keysOf = (event: { Records: { s3: { bucket: { name: string }; object: { key: string } } }[] }) =>
    event.Records.map(({ s3 }) => `${s3.bucket.name}/${s3.object.key}`);
  const sqs = cloud.client(SQSClient);
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "dead" }));
  return {
    arn,
    async keys() {
      const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
      for (const { ReceiptHandle } of Messages ?? [])
        await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
      return (Messages ?? []).flatMap(({ Body }) => keysOf(JSON.parse(Body!)));
    },
  };
}

function count(name: string, pattern: RegExp): number {
  const folder = `${cloud.aws.config.dir}/logs/lambda/${name}`;
  if (!existsSync(folder)) return 0;
  const lines = readdirSync(folder).flatMap((day) => readFileSync(`${folder}/${day}`, "utf8").split("\n"));
  return lines.filter((line) => pattern.test(line)).length;
}
