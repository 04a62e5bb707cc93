// kill -9 while a function works off a queue and a stream: each message and each change comes at least once, and a shard's in order.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { IAM } from "@aws-sdk/client-iam";
import { Lambda } from "@aws-sdk/client-lambda";
import { SQS } from "@aws-sdk/client-sqs";
import { temporary, up } from "./bin.ts";
import { bash } from "./lambda.ts";
import { allow, LAMBDA, policy } from "./principals.ts";

const LIMIT = { timeout: 150_000 };
const EACH = 60;
const VISIBILITY_S = 30;
const numbers = Array.from({ length: EACH }, (_, i) => i);

test("no message and no change is skipped, whatever moment the process is killed at", LIMIT, async () => {
  await using workspace = await temporary();
  const said = (name: string) => linesOf(workspace.dir, name);
  for (let round = 0; round < 2; round++) {
    await using cloud = await up(workspace.dir);
    if (round === 0) await prepare(cloud.endpoint);
    const before = said("stream").length;
    const end = performance.now() + 30_000;
    while (said("stream").length < before + 10 && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 7));
    await cloud.stop("SIGKILL");
  }
  const atDeath = new Set(said("stream"));
  assert.ok(atDeath.size < EACH, "it was killed in the middle");

  await using cloud = await up(workspace.dir);
  const post = (path: string, body?: object) =>
    fetch(`${cloud.endpoint}/_aws-like/${path}`, {
      method: "POST",
      ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
  await post("settle");
  // What was in flight when the process died shows again.
  for (let i = 0; i < 3; i++) {
    await post("clock", { advance: (VISIBILITY_S + 1) * 1000 });
    await post("settle");
  }
  const stream = said("stream");
  assert.deepEqual(
    numbers.filter((n) => !stream.includes(n)),
    [],
    "all changes came",
  );
  let furthest = -1;
  for (const n of stream) {
    assert.ok(n <= furthest + 1, `${n} came before ${furthest + 1}`);
    furthest = Math.max(furthest, n);
  }
  const queue = new Set(said("queue"));
  assert.deepEqual(
    numbers.filter((n) => !queue.has(n)),
    [],
    "all messages came",
  );
});

async function prepare(endpoint: string): Promise<void> {
  const client = { endpoint, region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" } };
  const [sqs, db, lambda, iam] = [new SQS(client), new DynamoDB(client), new Lambda(client), new IAM(client)];
  await iam.createRole({ RoleName: "r", AssumeRolePolicyDocument: LAMBDA });
  await iam.putRolePolicy({ RoleName: "r", PolicyName: "p", PolicyDocument: policy(allow("*")) });
  const { QueueUrl } = await sqs.createQueue({
    QueueName: "q",
    Attributes: { VisibilityTimeout: String(VISIBILITY_S) },
  });
  const { TableDescription } = await db.createTable({
    TableName: "table",
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "N" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" },
  });
  for (let at = 0; at < EACH; at += 10) {
    const some = numbers.slice(at, at + 10);
    await sqs.sendMessageBatch({ QueueUrl, Entries: some.map((n) => ({ Id: String(n), MessageBody: String(n) })) });
    for (const n of some) await db.putItem({ TableName: "table", Item: { id: { N: String(n) } } });
  }
  const sources = {
    stream: { arn: TableDescription!.LatestStreamArn!, id: ".dynamodb.Keys.id.N", StartingPosition: "TRIM_HORIZON" },
    queue: { arn: "arn:aws:sqs:us-east-1:000000000000:q", id: ".body", StartingPosition: undefined },
  } as const;
  for (const [FunctionName, { arn, id, StartingPosition }] of Object.entries(sources)) {
    await lambda.createFunction({
      FunctionName,
      Runtime: "provided.al2023",
      Handler: "lambda.handler",
      Role: "arn:aws:iam::000000000000:role/r",
      Code: { ZipFile: bash(`jq -r '.Records[] | "got " + ${id}' <<<"$1" >&2; sleep 0.02; echo null`) },
    });
    const of = { FunctionName, EventSourceArn: arn, ...(StartingPosition && { StartingPosition }), BatchSize: 2 };
    await lambda.createEventSourceMapping(of);
  }
  for (const one of [sqs, db, lambda, iam]) one.destroy();
}

/** The numbers that a function has logged, in their order. */
function linesOf(dir: string, name: string): number[] {
  const folder = join(dir, "logs/lambda", name);
  try {
    const text = readdirSync(folder)
      .sort()
      .map((day) => readFileSync(join(folder, day), "utf8"))
      .join("");
    return [...text.matchAll(/ got (\d+)\n/g)].map(([, n]) => Number(n));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
