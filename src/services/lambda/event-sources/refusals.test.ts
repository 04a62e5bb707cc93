// What CreateEventSourceMapping and its like refuse, and in which words; lists, tags, states.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DeleteRolePolicyCommand, IAMClient, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import {
  DeleteFunctionCommand,
  ListEventSourceMappingsCommand,
  ListTagsCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateEventSourceMappingCommand,
} from "@aws-sdk/client-lambda";
import { ACCOUNT, arnOf, createRole } from "../../../../test/lambda.ts";
import { queueArn, startMappingsCloud } from "../../../../test/mappings.ts";
import { allow, policy, refusal, userWith } from "../../../../test/principals.ts";

test("What does not fit its source is refused in AWS's words, what we do not have by its name", async () => {
  await using cloud = await startMappingsCloud();
  await cloud.queue("in");
  await cloud.queue("quick", { VisibilityTimeout: "2" });
  await cloud.queue("in.fifo", { FifoQueue: "true" });
  const { arn: stream } = await cloud.table("table");
  await cloud.createBash("f", "echo null");
  const queue = queueArn("in");
  const nowhere = stream.replace("table/table", "table/gone");
  const invalid = (message: string) => `InvalidParameterValueException 400 ${message}`;
  const from = { StartingPosition: "LATEST" } as const;
  const pattern = (Pattern: string) => ({ FilterCriteria: { Filters: [{ Pattern }] } });
  const cases: [string, string | undefined, object, string][] = [
    ["f", undefined, {}, invalid("Unrecognized event source.")],
    ["f", `arn:aws:iam::${ACCOUNT}:role/r`, {}, invalid("Unrecognized event source.")],
    ["nobody", queue, {}, invalid("Function does not exist")],
    ["f", queue, from, invalid("StartingPosition is not valid for SQS event sources.")],
    ["f", queue, { DestinationConfig: { OnFailure: { Destination: queue } } }, unsupported("DestinationConfig")],
    ["f", queue, { ParallelizationFactor: 2 }, unsupported("ParallelizationFactor")],
    ["f", stream, { ...from, ScalingConfig: { MaximumConcurrency: 2 } }, unsupported("ScalingConfig")],
    [
      "f",
      queue,
      { BatchSize: 11 },
      invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"),
    ],
    [
      "f",
      queueArn("in.fifo"),
      { MaximumBatchingWindowInSeconds: 1 },
      invalid("Batching window is not supported for FIFO queues"),
    ],
    [
      "f",
      queueArn("gone"),
      {},
      invalid(
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.",
      ),
    ],
    [
      "f",
      queueArn("quick"),
      {},
      invalid("Queue visibility timeout: 2 seconds is less than Function timeout: 3 seconds"),
    ],
    [
      "f",
      stream,
      {},
      invalid(
        "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.",
      ),
    ],
    [
      "f",
      stream,
      { StartingPosition: "AT_TIMESTAMP", StartingPositionTimestamp: new Date() },
      invalid(`Unsupported starting position for arn type: ${stream}`),
    ],
    ["f", nowhere, from, invalid(`Stream not found: ${nowhere}`)],
    ["f", queue, pattern("text"), invalid("Invalid filter pattern definition.")],
    ["f", queue, pattern('{"body":"text"}'), invalid("Invalid filter pattern definition.")],
    ["f", queue, { MetricsConfig: { Metrics: ["EventCount"] } }, "NotImplemented 501"],
    ["f", queue, { ProvisionedPollerConfig: { MinimumPollers: 2 } }, "NotImplemented 501"],
    ["f", queue, { KMSKeyArn: `arn:aws:kms:us-east-1:${ACCOUNT}:key/k` }, "NotImplemented 501"],
    ["f", `arn:aws:kinesis:us-east-1:${ACCOUNT}:stream/s`, from, "NotImplemented 501"],
    [
      "f",
      undefined,
      { SelfManagedEventSource: { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ["kafka:1"] } }, Topics: ["topic"] },
      "NotImplemented 501",
    ],
    ["f", queue, { ScalingConfig: { MaximumConcurrency: 1 } }, "ValidationException 400"],
  ];
  for (const [name, source, more, words] of cases) {
    const said = await refusal(cloud.map(name, source as string, more));
    assert.ok(said.startsWith(words), `${JSON.stringify([source, more])}: ${said}`);
  }
  assert.deepEqual((await cloud.lambda.send(new ListEventSourceMappingsCommand({}))).EventSourceMappings, []);
});

const unsupported = (parameter: string) =>
  `InvalidParameterValueException 400 Unsupported ${parameter} parameter for given event source mapping type.`;

test("A role that may not poll is told so, a mapping that is there already is named", async () => {
  await using cloud = await startMappingsCloud();
  await createRole(cloud, "bare", "lambda.amazonaws.com");
  const iam = cloud.client(IAMClient);
  const may = (...actions: string[]) =>
    iam.send(
      new PutRolePolicyCommand({ RoleName: "bare", PolicyName: "some", PolicyDocument: policy(allow(actions)) }),
    );
  await iam.send(new DeleteRolePolicyCommand({ RoleName: "bare", PolicyName: "all" }));
  await cloud.queue("in");
  const { arn: stream } = await cloud.table("table");
  await cloud.createBash("bare", "echo null", { Role: `arn:aws:iam::${ACCOUNT}:role/bare` });
  const lacks = (operation: string) =>
    `InvalidParameterValueException 400 The function execution role does not have permissions to call ${operation} on SQS`;
  const map = () => cloud.map("bare", queueArn("in"));
  assert.equal(await refusal(map()), lacks("ReceiveMessage"));
  await may("sqs:ReceiveMessage");
  assert.equal(await refusal(map()), lacks("DeleteMessage"));
  await may("sqs:ReceiveMessage", "sqs:DeleteMessage");
  assert.equal(await refusal(map()), lacks("GetQueueAttributes"));
  assert.match(
    await refusal(cloud.map("bare", stream, { StartingPosition: "LATEST" })),
    /^InvalidParameterValueException 400 Cannot access stream .*\. Please ensure the role can perform the GetRecords, GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM\.$/,
  );
  await may("sqs:*", "dynamodb:*");
  const { UUID } = await map();
  assert.equal(
    await refusal(map()),
    `ResourceConflictException 409 An event source mapping with SQS arn (" ${queueArn("in")} ") and function (" bare ") already exists. Please update or delete the existing mapping with UUID ${UUID}`,
  );
  // The role loses what it may: the mapping says so in the log, and goes on when it may again.
  await may("sqs:DeleteMessage");
  await cloud.settle();
  await cloud.send("in", ["1"]);
  await cloud.advance(10_000);
  assert.equal(await cloud.depth("in"), "1 + 0");
  await may("sqs:*");
  await cloud.advance(61_000);
  assert.equal(await cloud.depth("in"), "0 + 0");
});

test("Mappings are listed by function and source, tagged, and outlive their function; who may change one is asked by its ARN", async () => {
  await using cloud = await startMappingsCloud();
  for (const name of ["a", "b"]) await cloud.queue(name);
  for (const name of ["f", "g"]) await cloud.createBash(name, "echo null");
  const one = await cloud.map("f", queueArn("a"), { Tags: { team: "blue" }, Enabled: false });
  await cloud.map("f", queueArn("b"));
  await cloud.map("g", queueArn("a"));
  await cloud.settle();
  const list = async (input: object) => {
    const answer = await cloud.lambda.send(new ListEventSourceMappingsCommand(input));
    const shown = (answer.EventSourceMappings ?? []).map(
      ({ FunctionArn, EventSourceArn }) => `${FunctionArn!.split(":").at(-1)}${EventSourceArn!.split(":").at(-1)}`,
    );
    return { shown: shown.sort(), next: answer.NextMarker };
  };
  assert.deepEqual((await list({})).shown, ["fa", "fb", "ga"]);
  assert.deepEqual((await list({ FunctionName: "f" })).shown, ["fa", "fb"]);
  assert.deepEqual((await list({ EventSourceArn: queueArn("a") })).shown, ["fa", "ga"]);
  const first = await list({ MaxItems: 2 });
  const rest = await list({ MaxItems: 2, Marker: first.next });
  assert.deepEqual([...first.shown, ...rest.shown].sort(), ["fa", "fb", "ga"]);
  assert.equal(rest.next, undefined);
  assert.match(await refusal(list({ FunctionName: "nobody" })), /^ResourceNotFoundException 404 Function not found: /);

  const Resource = one.EventSourceMappingArn;
  await cloud.lambda.send(new TagResourceCommand({ Resource, Tags: { a: "1" } }));
  await cloud.lambda.send(new UntagResourceCommand({ Resource, TagKeys: ["team", "none"] }));
  assert.deepEqual((await cloud.lambda.send(new ListTagsCommand({ Resource }))).Tags, { a: "1" });
  const gone = Resource!.replace(one.UUID!, "00000000-0000-4000-8000-000000000000");
  assert.equal(
    await refusal(cloud.lambda.send(new ListTagsCommand({ Resource: gone }))),
    `ResourceNotFoundException 404 Event source mapping not found: ${gone}`,
  );

  const key = await userWith(cloud, "u", {
    may: policy(allow("lambda:*"), {
      Effect: "Deny",
      Action: "lambda:UpdateEventSourceMapping",
      Resource: Resource!,
      Condition: { ArnEquals: { "lambda:FunctionArn": arnOf("f") } },
    }),
  });
  const { LambdaClient } = await import("@aws-sdk/client-lambda");
  const update = new UpdateEventSourceMappingCommand({ UUID: one.UUID, Enabled: true });
  assert.match(
    await refusal(cloud.client(LambdaClient, key).send(update)),
    /^AccessDeniedException 403 .*explicit deny/,
  );
  assert.equal((await cloud.mapping(one.UUID)).State, "Disabled");
  await cloud.lambda.send(new DeleteFunctionCommand({ FunctionName: "f" }));
  assert.equal((await cloud.mapping(one.UUID)).FunctionArn, arnOf("f"));
  assert.equal(await refusal(cloud.lambda.send(update)), "InvalidParameterValueException 400 Function does not exist");
});

test("With --delays real a mapping is Creating for a while, and cannot be changed meanwhile", async () => {
  await using cloud = await startMappingsCloud({ delays: "real" });
  await cloud.queue("in");
  await cloud.createBash("f", "echo null");
  await cloud.send("in", ["1"]);
  await cloud.advance(60_000);
  await cloud.aws.clock({ freeze: true });
  const { UUID } = await cloud.map("f", queueArn("in"));
  await cloud.settle();
  assert.equal((await cloud.mapping(UUID)).State, "Creating");
  assert.equal(await cloud.depth("in"), "1 + 0");
  assert.equal(
    await refusal(cloud.lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: false }))),
    "ResourceInUseException 400 Cannot update the event source mapping because it is in use.",
  );
  await cloud.advance(20_000);
  assert.equal((await cloud.mapping(UUID)).State, "Enabled");
  assert.equal(await cloud.depth("in"), "0 + 0");
});
