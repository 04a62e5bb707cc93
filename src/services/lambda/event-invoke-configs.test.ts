import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DeleteFunctionEventInvokeConfigCommand,
  GetFunctionEventInvokeConfigCommand,
  ListFunctionEventInvokeConfigsCommand,
  PublishVersionCommand,
  PutFunctionEventInvokeConfigCommand,
  UpdateFunctionEventInvokeConfigCommand,
} from "@aws-sdk/client-lambda";
import { ACCOUNT, arnOf, type LambdaCloud, startCloudWithRole } from "../../../test/lambda.ts";

async function startWithFunctions(): Promise<LambdaCloud> {
  const cloud = await startCloudWithRole();
  for (const name of ["f", "other"]) await cloud.createBash(name, "echo 1");
  return cloud;
}
const QUEUE = `arn:aws:sqs:us-east-1:${ACCOUNT}:q`;
const put = (cloud: LambdaCloud, more: object) =>
  cloud.lambda.send(new PutFunctionEventInvokeConfigCommand({ FunctionName: "f", ...more }));
const to = (OnSuccess?: string, OnFailure?: string) => ({
  DestinationConfig: {
    ...(OnSuccess !== undefined && { OnSuccess: { Destination: OnSuccess } }),
    ...(OnFailure !== undefined && { OnFailure: { Destination: OnFailure } }),
  },
});

test("Put replaces, Update adds, Get and List show, Delete removes", async () => {
  await using cloud = await startWithFunctions();
  const { LastModified, $metadata, ...first } = await put(cloud, { MaximumEventAgeInSeconds: 60, ...to(QUEUE) });
  assert.ok(LastModified instanceof Date);
  assert.deepEqual(first, {
    FunctionArn: arnOf("f:$LATEST"),
    MaximumEventAgeInSeconds: 60,
    DestinationConfig: { OnSuccess: { Destination: QUEUE }, OnFailure: {} },
  });
  const updated = await cloud.lambda.send(
    new UpdateFunctionEventInvokeConfigCommand({
      FunctionName: "f",
      MaximumRetryAttempts: 1,
      ...to(undefined, arnOf("other")),
    }),
  );
  assert.deepEqual(
    [updated.MaximumEventAgeInSeconds, updated.MaximumRetryAttempts, updated.DestinationConfig],
    [60, 1, { OnSuccess: { Destination: QUEUE }, OnFailure: { Destination: arnOf("other") } }],
  );
  await put(cloud, { MaximumRetryAttempts: 0 });
  const got = await cloud.lambda.send(new GetFunctionEventInvokeConfigCommand({ FunctionName: "f" }));
  assert.deepEqual(
    [got.MaximumEventAgeInSeconds, got.MaximumRetryAttempts, got.DestinationConfig],
    [undefined, 0, { OnSuccess: {}, OnFailure: {} }],
  );
  await cloud.lambda.send(new PublishVersionCommand({ FunctionName: "f" }));
  await put(cloud, { Qualifier: "1", MaximumRetryAttempts: 2 });
  const list = await cloud.lambda.send(new ListFunctionEventInvokeConfigsCommand({ FunctionName: "f" }));
  assert.deepEqual(
    list.FunctionEventInvokeConfigs?.map(({ FunctionArn }) => FunctionArn),
    [arnOf("f:$LATEST"), arnOf("f:1")],
  );
  const remove = () => cloud.lambda.send(new DeleteFunctionEventInvokeConfigCommand({ FunctionName: "f" }));
  assert.equal((await remove()).$metadata.httpStatusCode, 204);
  await assert.rejects(remove(), {
    name: "ResourceNotFoundException",
    message: `The function ${arnOf("f:$LATEST")} doesn't have an EventInvokeConfig`,
  });
});

test("What AWS refuses is refused in its words", async () => {
  await using cloud = await startWithFunctions();
  const cases: [object, object][] = [
    [{ FunctionName: "nobody", MaximumRetryAttempts: 1 }, { message: "The function doesn't exist." }],
    [{ Qualifier: "7", MaximumRetryAttempts: 1 }, { message: "The function doesn't exist." }],
    [{}, { message: "You must specify at least one of error handling or destination setting." }],
    [to(arnOf("nobody")), { message: `The destination ARN ${arnOf("nobody")} is invalid.` }],
    [to(arnOf("f")), { message: "You can't specify the function as a destination for itself." }],
    [
      to(`arn:aws:iam:us-east-1:${ACCOUNT}:role/x`),
      {
        name: "InvalidParameterValueException",
        message: `The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=arn:aws:iam:us-east-1:${ACCOUNT}:role/x), onFailure=null) is invalid.`,
      },
    ],
    [
      to("arn:aws:s3:::bucket"),
      {
        message:
          "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=arn:aws:s3:::bucket), onFailure=null) is invalid.",
      },
    ],
  ];
  for (const [input, error] of cases) await assert.rejects(put(cloud, input), error, JSON.stringify(input));
  const get = (FunctionName: string) => cloud.lambda.send(new GetFunctionEventInvokeConfigCommand({ FunctionName }));
  for (const name of ["f", "nobody"])
    await assert.rejects(get(name), {
      message: `The function ${arnOf(name)}:$LATEST doesn't have an EventInvokeConfig`,
    });
  await assert.rejects(
    cloud.lambda.send(new UpdateFunctionEventInvokeConfigCommand({ FunctionName: "f", MaximumRetryAttempts: 1 })),
    { message: `The function ${arnOf("f:$LATEST")} doesn't have an EventInvokeConfig` },
  );
  await assert.rejects(cloud.lambda.send(new ListFunctionEventInvokeConfigsCommand({ FunctionName: "nobody" })), {
    message: "The function doesn't exist.",
  });
});
