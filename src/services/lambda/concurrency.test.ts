import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DeleteFunctionConcurrencyCommand,
  GetAccountSettingsCommand,
  GetFunctionCommand,
  GetFunctionConcurrencyCommand,
  InvokeCommand,
  PutFunctionConcurrencyCommand,
  PutFunctionEventInvokeConfigCommand,
  type TooManyRequestsException,
} from "@aws-sdk/client-lambda";
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { ACCOUNT, arnOf, type LambdaCloud, startCloudWithRole } from "../../../test/lambda.ts";
import { refusal } from "../../../test/principals.ts";

const put = (cloud: LambdaCloud, FunctionName: string, ReservedConcurrentExecutions: number) =>
  cloud.lambda.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions }));

test("Reserved concurrency is put, shown, counted in the account's settings, and deleted", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", "echo 1");
  await cloud.createBash("g", "echo 1");
  const get = async () =>
    (await cloud.lambda.send(new GetFunctionConcurrencyCommand({ FunctionName: "f" }))).ReservedConcurrentExecutions;
  const left = async () =>
    (await cloud.lambda.send(new GetAccountSettingsCommand({}))).AccountLimit!.UnreservedConcurrentExecutions;
  assert.deepEqual([await get(), await left()], [undefined, 1000]);
  for (const n of [0, 600]) assert.equal((await put(cloud, "f", n)).ReservedConcurrentExecutions, n);
  assert.deepEqual([await get(), await left()], [600, 400]);
  const { Concurrency } = await cloud.lambda.send(new GetFunctionCommand({ FunctionName: "f" }));
  assert.deepEqual(Concurrency, { ReservedConcurrentExecutions: 600 });
  await put(cloud, "f", 900);
  const BELOW =
    "InvalidParameterValueException 400 Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].";
  assert.equal(await refusal(put(cloud, "f", 901)), BELOW);
  assert.equal(await refusal(put(cloud, "g", 1)), BELOW);
  assert.match(
    await refusal(put(cloud, "f:1", 1)),
    /^InvalidParameterValueException 400 This operation is permitted on/,
  );
  assert.equal(
    await refusal(put(cloud, "none", 1)),
    `ResourceNotFoundException 404 Function not found: ${arnOf("none:$LATEST")}`,
  );
  const gone = await cloud.lambda.send(new DeleteFunctionConcurrencyCommand({ FunctionName: "f" }));
  assert.equal(gone.$metadata.httpStatusCode, 204);
  assert.deepEqual([await get(), await left()], [undefined, 1000]);
});

test("An invocation over what is reserved is a 429 with its reason; others of the account go on", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", "sleep 0.$1; echo 1");
  await cloud.createBash("g", "echo 2");
  await put(cloud, "f", 1);
  const invoke = (FunctionName: string, Payload: string) =>
    cloud.lambda.send(new InvokeCommand({ FunctionName, Payload }));
  await invoke("f", "0");
  const answers = await Promise.allSettled([invoke("f", "4"), invoke("f", "4"), invoke("f", "4")]);
  const refused = answers.flatMap((answer) => (answer.status === "rejected" ? [answer.reason] : []));
  assert.equal(refused.length, 2);
  const error = refused[0] as TooManyRequestsException;
  assert.deepEqual(
    [error.name, error.$metadata.httpStatusCode, error.message, error.Reason, error.Type, error.retryAfterSeconds],
    [
      "TooManyRequestsException",
      429,
      "Rate Exceeded.",
      "ReservedFunctionConcurrentInvocationLimitExceeded",
      "User",
      "1",
    ],
  );
  assert.equal((await cloud.invoke("g")).payload, 2);
  assert.equal((await cloud.invoke("f", 0)).payload, 1);
});

test("Events wait while a function is throttled, and none is lost", async () => {
  await using cloud = await startCloudWithRole();
  const sqs = cloud.client(SQSClient);
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "done" }));
  await cloud.createBash("f", "sleep 0.05; echo 1");
  await put(cloud, "f", 1);
  await cloud.lambda.send(
    new PutFunctionEventInvokeConfigCommand({
      FunctionName: "f",
      MaximumRetryAttempts: 0,
      DestinationConfig: { OnSuccess: { Destination: `arn:aws:sqs:us-east-1:${ACCOUNT}:done` } },
    }),
  );
  const accepted = Array.from({ length: 4 }, () =>
    cloud.lambda.send(new InvokeCommand({ FunctionName: "f", InvocationType: "Event" })),
  );
  assert.deepEqual(
    (await Promise.all(accepted)).map(({ StatusCode }) => StatusCode),
    [202, 202, 202, 202],
  );
  await cloud.settle();
  for (let i = 0; i < 6; i++) await cloud.advance(60_000);
  const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
  assert.equal(Messages?.length, 4);
});

test("With zero reserved nothing runs: calls are throttled, events go to the failure destination without a retry", async () => {
  await using cloud = await startCloudWithRole();
  const sqs = cloud.client(SQSClient);
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "failed" }));
  await cloud.createBash("f", "echo 1");
  await put(cloud, "f", 0);
  await cloud.lambda.send(
    new PutFunctionEventInvokeConfigCommand({
      FunctionName: "f",
      DestinationConfig: { OnFailure: { Destination: `arn:aws:sqs:us-east-1:${ACCOUNT}:failed` } },
    }),
  );
  assert.match(
    await refusal(cloud.lambda.send(new InvokeCommand({ FunctionName: "f" }))),
    /^TooManyRequestsException 429 Rate Exceeded\./,
  );
  await cloud.lambda.send(new InvokeCommand({ FunctionName: "f", InvocationType: "Event", Payload: '{"n":1}' }));
  await cloud.settle();
  const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl }));
  const { requestContext, requestPayload } = JSON.parse(Messages![0]!.Body!);
  assert.deepEqual([requestContext.condition, requestPayload], ["ZeroReservedConcurrency", { n: 1 }]);
});
