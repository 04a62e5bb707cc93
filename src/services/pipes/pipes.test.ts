import assert from "node:assert/strict";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CreateTableCommand, DynamoDBClient, PutItemCommand, type StreamViewType } from "@aws-sdk/client-dynamodb";
import { IAM } from "@aws-sdk/client-iam";
import {
  CreatePipeCommand,
  type CreatePipeCommandInput,
  DeletePipeCommand,
  DescribePipeCommand,
  ListPipesCommand,
  PipesClient,
  StartPipeCommand,
  StopPipeCommand,
  TagResourceCommand,
  UpdatePipeCommand,
} from "@aws-sdk/client-pipes";
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { startCloud, type TestCloud } from "../../../test/cloud.ts";
import { ACCOUNT, arnOf, createRole, startCloudWithRole } from "../../../test/lambda.ts";
import { withLogs } from "../../../test/logs.ts";
import { refusal } from "../../../test/principals.ts";
import type { StartOptions } from "../../aws.ts";

const ROLE = `arn:aws:iam::${ACCOUNT}:role/pipe`;
const queueArn = (name: string) => `arn:aws:sqs:us-east-1:${ACCOUNT}:${name}`;

async function startPipesCloud(options: StartOptions = {}) {
  const cloud = await startCloudWithRole(options);
  await createRole(cloud, "pipe", "pipes.amazonaws.com");
  return pipesOf(cloud);
}

function pipesOf<C extends TestCloud>(cloud: C) {
  const sqs = cloud.client(SQSClient);
  const pipes = cloud.client(PipesClient);
  const url = (name: string) => `${cloud.endpoint}/${ACCOUNT}/${name}`;
  return {
    ...cloud,
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
    sqs,
    pipes,
    url,
    queue: (name: string, Attributes: Record<string, string> = {}) =>
      sqs.send(new CreateQueueCommand({ QueueName: name, Attributes })),
    send: (name: string, body: string) => sqs.send(new SendMessageCommand({ QueueUrl: url(name), MessageBody: body })),
    async received(name: string): Promise<unknown[]> {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({ QueueUrl: url(name), MaxNumberOfMessages: 10, VisibilityTimeout: 0 }),
      );
      return Messages.map(({ Body }) => JSON.parse(Body!));
    },
    async waiting(name: string): Promise<string> {
      const { Attributes } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: url(name), AttributeNames: ["All"] }),
      );
      return `${Attributes!.ApproximateNumberOfMessages} + ${Attributes!.ApproximateNumberOfMessagesNotVisible}`;
    },
    create: (Name: string, of: Partial<CreatePipeCommandInput>) =>
      pipes.send(
        new CreatePipeCommand({ Name, RoleArn: ROLE, Source: queueArn("in"), Target: queueArn("out"), ...of }),
      ),
    state: async (Name: string) => {
      const { CurrentState, StateReason } = await pipes.send(new DescribePipeCommand({ Name }));
      return [CurrentState, StateReason];
    },
  };
}

async function streamOf(cloud: { client: Awaited<ReturnType<typeof startPipesCloud>>["client"] }, TableName: string) {
  const db = cloud.client(DynamoDBClient);
  const { TableDescription } = await db.send(
    new CreateTableCommand({
      TableName,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
      StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" as StreamViewType },
    }),
  );
  const put = (id: string) =>
    db.send(new PutItemCommand({ TableName, Item: { id: { S: id }, b: { B: Buffer.from(id) } } }));
  return { arn: TableDescription!.LatestStreamArn!, put };
}

test("A queue's messages go through filter and template to another queue; what no filter lets through is gone", async () => {
  await using cloud = await startPipesCloud();
  await cloud.queue("in");
  await cloud.queue("out");
  const created = await cloud.create("p", {
    SourceParameters: { FilterCriteria: { Filters: [{ Pattern: '{"body":{"kind":["order"]}}' }] } },
    TargetParameters: { InputTemplate: '{"n": <$.body.n>, "from": "<aws.pipes.pipe-name>", "id": <$.messageId>}' },
  });
  assert.equal(created.CurrentState, "CREATING");
  assert.deepEqual(await cloud.state("p"), ["RUNNING", undefined]);
  await cloud.send("in", '{"kind":"order","n":7}');
  const { MessageId } = await cloud.send("in", '{"kind":"order","n":8}');
  await cloud.send("in", '{"kind":"other","n":9}');
  await cloud.send("in", "no JSON");
  await cloud.settle();
  const out = (await cloud.received("out")) as { n: number; from: string; id: string }[];
  assert.deepEqual(out.map(({ n, from }) => [n, from]).sort(), [
    [7, "p"],
    [8, "p"],
  ]);
  assert.ok(out.some(({ id }) => id === MessageId));
  assert.equal(await cloud.waiting("in"), "0 + 0");
});

test("A log group gets an event a record, in the stream and at the time that the record says", async () => {
  await using cloud = withLogs(await startPipesCloud());
  await cloud.queue("in");
  await cloud.createGroup("/pipe");
  const Target = `arn:aws:logs:us-east-1:${ACCOUNT}:log-group:/pipe:*`;
  const CloudWatchLogsParameters = { LogStreamName: "$.body.stream", Timestamp: "$.body.at" };
  await cloud.create("p", { Target, TargetParameters: { InputTemplate: "<$.body.text>", CloudWatchLogsParameters } });
  await cloud.send("in", JSON.stringify({ stream: "s", at: cloud.now() - 5000, text: "hello" }));
  await cloud.settle();
  assert.deepEqual(await cloud.filter("/pipe", { logStreamNames: ["s"], endTime: cloud.now() - 4000 }), ["hello"]);
  assert.match(
    await refusal(cloud.create("r", { TargetParameters: { CloudWatchLogsParameters } })),
    /TargetParameters.CloudWatchLogsParameters/,
  );
});

test("A function gets an array, answers which of it has failed, and gets those again when they show again", async () => {
  await using cloud = await startPipesCloud();
  await cloud.queue("in", { VisibilityTimeout: "30" });
  await cloud.createBash(
    "f",
    `ids=$(jq -c '[.[] | select(.body == "bad") | {itemIdentifier: .messageId}]' <<<"$1"); echo "got $(jq -c '[.[].body]' <<<"$1")" >&2
     [ -e /tmp/tried ] && ids='[]'; touch /tmp/tried; echo "{\\"batchItemFailures\\": $ids}"`,
  );
  await cloud.create("p", {
    Target: arnOf("f"),
    SourceParameters: { SqsQueueParameters: { BatchSize: 10, MaximumBatchingWindowInSeconds: 5 } },
  });
  const Entries = ["good", "bad"].map((MessageBody, i) => ({ Id: String(i), MessageBody }));
  await cloud.sqs.send(new SendMessageBatchCommand({ QueueUrl: cloud.url("in"), Entries }));
  await cloud.settle();
  assert.equal(await cloud.waiting("in"), "0 + 2"); // its window is not over
  await cloud.advance(6_000);
  assert.equal(await cloud.waiting("in"), "0 + 1");
  await cloud.advance(60_000);
  assert.equal(await cloud.waiting("in"), "0 + 0");
});

test("An enrichment's answer is what the target gets; an empty one ends there", async () => {
  await using cloud = await startPipesCloud();
  await cloud.queue("in");
  await cloud.queue("out");
  await cloud.createBash("e", `jq -c '[.[] | .body | fromjson | select(.ok) | {seen: .n}]' <<<"$1"`);
  await cloud.create("p", { Enrichment: arnOf("e") });
  await cloud.send("in", '{"ok":true,"n":1}');
  await cloud.send("in", '{"ok":false,"n":2}');
  await cloud.settle();
  assert.deepEqual(await cloud.received("out"), [{ seen: 1 }]);
  assert.equal(await cloud.waiting("in"), "0 + 0");
});

test("A stream's records come in order, from its beginning or from now on, and none twice after a stop", async () => {
  await using cloud = await startPipesCloud();
  await cloud.queue("all");
  await cloud.queue("late");
  const stream = await streamOf(cloud, "table");
  await stream.put("1");
  const of = (StartingPosition: "TRIM_HORIZON" | "LATEST", out: string): Partial<CreatePipeCommandInput> => ({
    Source: stream.arn,
    Target: queueArn(out),
    SourceParameters: { DynamoDBStreamParameters: { StartingPosition, BatchSize: 10 } },
    TargetParameters: { InputTemplate: '{"id": <$.dynamodb.Keys.id.S>, "b": <$.dynamodb.NewImage.b.B>}' },
  });
  await cloud.create("all", of("TRIM_HORIZON", "all"));
  await cloud.create("late", of("LATEST", "late"));
  await cloud.settle();
  await stream.put("2");
  await cloud.settle();
  await cloud.pipes.send(new StopPipeCommand({ Name: "all" }));
  assert.deepEqual(await cloud.state("all"), ["STOPPED", undefined]);
  await stream.put("3");
  await cloud.settle();
  assert.equal(await cloud.waiting("all"), "2 + 0");
  await cloud.pipes.send(new StartPipeCommand({ Name: "all" }));
  await cloud.settle();
  const ids = async (name: string) => (await cloud.received(name)).map((one) => (one as { id: string }).id).sort();
  assert.deepEqual(await ids("all"), ["1", "2", "3"]);
  assert.deepEqual(await ids("late"), ["2", "3"]);
  assert.deepEqual((await cloud.received("late"))[0], { id: "2", b: Buffer.from("2").toString("base64") });
});

test("A batch that keeps failing is halved, tried again, and given up to the dead-letter queue with its place in the stream", async () => {
  await using cloud = await startPipesCloud();
  await cloud.queue("dead");
  const stream = await streamOf(cloud, "table");
  await cloud.createBash(
    "f",
    `if jq -e 'any(.[]; .dynamodb.Keys.id.S == "bad")' <<<"$1" >/dev/null; then exit 1; fi; echo null`,
  );
  for (const id of ["1", "bad", "2"]) await stream.put(id);
  await cloud.create("p", {
    Source: stream.arn,
    Target: arnOf("f"),
    SourceParameters: {
      DynamoDBStreamParameters: {
        StartingPosition: "TRIM_HORIZON",
        BatchSize: 10,
        MaximumRetryAttempts: 2,
        OnPartialBatchItemFailure: "AUTOMATIC_BISECT",
        DeadLetterConfig: { Arn: queueArn("dead") },
      },
    },
  });
  await cloud.settle();
  await cloud.advance(60_000);
  const [dead, ...more] = (await cloud.received("dead")) as {
    context: { condition: string; approximateInvokeCount: number };
    DDBStreamBatchInfo: { batchSize: number; streamArn: string };
  }[];
  assert.equal(more.length, 0);
  assert.equal(dead!.context.condition, "RetryAttemptsExhausted");
  assert.deepEqual([dead!.DDBStreamBatchInfo.batchSize, dead!.DDBStreamBatchInfo.streamArn], [1, stream.arn]);
});

test("What is sent to a pipe that is stopped waits until it is started", async () => {
  await using cloud = await startPipesCloud();
  await cloud.queue("in");
  await cloud.queue("out");
  await cloud.create("p", { DesiredState: "STOPPED" });
  await cloud.send("in", '{"n":1}');
  await cloud.settle();
  assert.equal(await cloud.waiting("in"), "1 + 0");
  await cloud.pipes.send(new StartPipeCommand({ Name: "p" }));
  await cloud.settle();
  assert.equal((await cloud.received("out")).length, 1);
});

test("After a restart pipes go on, those that were beginning too; one whose role is gone holds up nobody, and says why", async () => {
  await using workspace = await mkdtempDisposable(join(tmpdir(), "aws-like-pipes-"));
  {
    await using cloud = await startPipesCloud({ dir: workspace.path });
    for (const name of ["in", "begun", "orphaned", "out"]) await cloud.queue(name);
    await createRole(cloud, "lost", "pipes.amazonaws.com");
    await cloud.create("goes-on", {});
    await cloud.create("begun", { Source: queueArn("begun") });
    const lost = `arn:aws:iam::${ACCOUNT}:role/lost`;
    await cloud.create("orphaned", { Source: queueArn("orphaned"), RoleArn: lost });
    const iam = cloud.client(IAM);
    for (const PolicyName of (await iam.listRolePolicies({ RoleName: "lost" })).PolicyNames!)
      await iam.deleteRolePolicy({ RoleName: "lost", PolicyName });
    await iam.deleteRole({ RoleName: "lost" });
    // As a kill leaves it between the row that is written and the poller that begins.
    await cloud.aws.write((tx) => tx.run("UPDATE pipes_pipe SET state = 'STOPPED' WHERE name = 'begun'", {}));
  }
  await using cloud = pipesOf(await startCloud({ dir: workspace.path }));
  for (const name of ["in", "begun", "orphaned"]) await cloud.send(name, `"${name}"`);
  await cloud.settle();
  const bodies = (await cloud.received("out")).map((one) => (one as { body: string }).body);
  assert.deepEqual(bodies.sort(), ['"begun"', '"in"']);
  for (const name of ["goes-on", "begun"]) assert.deepEqual(await cloud.state(name), ["RUNNING", undefined]);
  const [state, reason] = await cloud.state("orphaned");
  assert.equal(state, "START_FAILED");
  assert.match(reason!, /does not have permissions to be assumed by EventBridge Pipes$/);
});

test("A store that fails for a moment ends no pipe", async () => {
  await using cloud = await startPipesCloud();
  await cloud.queue("in", { DelaySeconds: "10" });
  await cloud.queue("out");
  await cloud.create("p", {});
  await cloud.send("in", '{"n":1}');
  await cloud.settle();
  await cloud.aws.write((tx) => tx.run("ALTER TABLE sqs_queue RENAME TO sqs_queue_away", {}));
  await cloud.advance(11_000);
  await cloud.aws.write((tx) => tx.run("ALTER TABLE sqs_queue_away RENAME TO sqs_queue", {}));
  await cloud.advance(60_000);
  assert.equal((await cloud.received("out")).length, 1);
});

test("Messages that are more together than one invocation can carry come in several", async () => {
  await using cloud = await startPipesCloud();
  await cloud.queue("in");
  await cloud.createBash("f", `echo "got $(jq length <<<"$1")" >&2; echo null`);
  await cloud.create("p", {
    Target: arnOf("f"),
    DesiredState: "STOPPED",
    SourceParameters: { SqsQueueParameters: { BatchSize: 10 } },
  });
  for (let n = 0; n < 8; n++) await cloud.send("in", "x".repeat(1_000_000));
  await cloud.pipes.send(new StartPipeCommand({ Name: "p" }));
  await cloud.settle();
  assert.equal(await cloud.waiting("in"), "0 + 0");
});

test("A role that may not read the source, or does not trust Pipes, is a failed pipe that says why", async () => {
  await using cloud = await startPipesCloud();
  await cloud.queue("in");
  await cloud.queue("out");
  await cloud.create("p", { RoleArn: `arn:aws:iam::${ACCOUNT}:role/function` });
  const [state, reason] = await cloud.state("p");
  assert.equal(state, "CREATE_FAILED");
  assert.match(
    reason!,
    /^Input parameter is invalid from the request due to : The provided customer role does not have permissions to be assumed/,
  );
  await cloud.pipes.send(new UpdatePipeCommand({ Name: "p", RoleArn: ROLE }));
  assert.deepEqual(await cloud.state("p"), ["RUNNING", undefined]);
});

test("Pipes are listed, tagged, and gone when they are deleted", async () => {
  await using cloud = await startPipesCloud();
  await cloud.queue("in");
  await cloud.queue("out");
  for (const name of ["a1", "a2", "b1"]) await cloud.create(name, { DesiredState: "STOPPED" });
  const names = async (of: object) => (await cloud.pipes.send(new ListPipesCommand(of))).Pipes!.map(({ Name }) => Name);
  assert.deepEqual(await names({}), ["a1", "a2", "b1"]);
  assert.deepEqual(await names({ NamePrefix: "a", DesiredState: "STOPPED" }), ["a1", "a2"]);
  const first = await cloud.pipes.send(new ListPipesCommand({ Limit: 2 }));
  assert.equal(first.Pipes!.length, 2);
  assert.deepEqual(await names({ NextToken: first.NextToken }), ["b1"]);
  const resourceArn = `arn:aws:pipes:us-east-1:${ACCOUNT}:pipe/a1`;
  await cloud.pipes.send(new TagResourceCommand({ resourceArn, tags: { k: "v" } }));
  assert.deepEqual((await cloud.pipes.send(new DescribePipeCommand({ Name: "a1" }))).Tags, { k: "v" });
  assert.equal((await cloud.pipes.send(new DeletePipeCommand({ Name: "a1" }))).CurrentState, "DELETING");
  assert.equal(
    await refusal(cloud.pipes.send(new DescribePipeCommand({ Name: "a1" }))),
    "NotFoundException 404 Pipe a1 does not exist.",
  );
  assert.equal(await refusal(cloud.create("a2", {})), "ConflictException 409 Pipe a2 already exists.");
});

test("What would have no effect is refused by name, what is wrong by field", async () => {
  await using cloud = await startPipesCloud();
  await cloud.queue("in");
  const refused: [Partial<CreatePipeCommandInput>, RegExp][] = [
    [{ Source: `arn:aws:kinesis:us-east-1:${ACCOUNT}:stream/s` }, /^NotImplemented 501 A source of kinesis/],
    [{ Target: `arn:aws:states:us-east-1:${ACCOUNT}:stateMachine:s` }, /^NotImplemented 501 A target of states/],
    [{ LogConfiguration: { Level: "INFO" } }, /^NotImplemented 501 LogConfiguration/],
    [
      { SourceParameters: { SqsQueueParameters: { BatchSize: 11 } } },
      /^ValidationException 400 .*SourceParameters.SqsQueueParameters.BatchSize/,
    ],
    [
      { SourceParameters: { FilterCriteria: { Filters: [{ Pattern: "{" }] } } },
      /^ValidationException 400 .*Filters\[0\].Pattern.*Event pattern is not valid/,
    ],
    [
      { TargetParameters: { InputTemplate: "<aws.pipes.nothing>" } },
      /^ValidationException 400 .*TargetParameters.InputTemplate/,
    ],
  ];
  for (const [of, expected] of refused) assert.match(await refusal(cloud.create("p", of)), expected);
});
