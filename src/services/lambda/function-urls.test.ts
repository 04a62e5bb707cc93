// Function URLs as they are configured; function-url-site.test.ts asks them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Lambda } from "@aws-sdk/client-lambda";
import { arnOf, startCloudWithRole } from "../../../test/lambda.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";

test("a function and its aliases have a URL each: made, read, changed, listed, deleted", async () => {
  await using cloud = await startCloudWithRole();
  const lambda = cloud.client(Lambda);
  const FunctionName = "site";
  await cloud.createBash(FunctionName, "echo 1");
  await lambda.publishVersion({ FunctionName });
  await lambda.createAlias({ FunctionName, Name: "live", FunctionVersion: "1" });

  const { $metadata, ...made } = await lambda.createFunctionUrlConfig({ FunctionName, AuthType: "NONE" });
  assert.equal($metadata.httpStatusCode, 201);
  assert.match(
    made.FunctionUrl!,
    new RegExp(`^http://[0-9a-f]{32}\\.lambda-url\\.us-east-1\\.localhost:${new URL(cloud.endpoint).port}/$`),
  );
  const { FunctionUrl, CreationTime } = made;
  assert.deepEqual(made, { FunctionUrl, FunctionArn: arnOf(FunctionName), AuthType: "NONE", CreationTime });
  assert.equal(new Date(CreationTime!).toISOString(), CreationTime);

  const Cors = { AllowOrigins: ["https://a.example"], MaxAge: 5 };
  const alias = await lambda.createFunctionUrlConfig({
    FunctionName,
    Qualifier: "live",
    AuthType: "AWS_IAM",
    InvokeMode: "RESPONSE_STREAM",
    Cors,
  });
  assert.equal(alias.FunctionArn, `${arnOf(FunctionName)}:live`);
  assert.equal(alias.InvokeMode, "RESPONSE_STREAM");
  assert.deepEqual(alias.Cors, Cors);

  const { $metadata: _, ...read } = await lambda.getFunctionUrlConfig({ FunctionName });
  assert.deepEqual(read, { ...made, LastModifiedTime: CreationTime, InvokeMode: "BUFFERED" });

  await cloud.advance(1000);
  const changed = await lambda.updateFunctionUrlConfig({
    FunctionName: `${FunctionName}:live`,
    AuthType: "NONE",
    Cors: {},
  });
  assert.equal(changed.FunctionUrl, alias.FunctionUrl);
  assert.equal(changed.AuthType, "NONE");
  assert.equal(changed.Cors, undefined);
  assert.equal(changed.InvokeMode, undefined, "said only where it was given");
  assert.notEqual(changed.LastModifiedTime, changed.CreationTime);

  const first = await lambda.listFunctionUrlConfigs({ FunctionName, MaxItems: 1 });
  assert.deepEqual(
    first.FunctionUrlConfigs!.map((url) => url.FunctionArn),
    [arnOf(FunctionName)],
  );
  const second = await lambda.listFunctionUrlConfigs({ FunctionName, Marker: first.NextMarker! });
  assert.deepEqual(
    second.FunctionUrlConfigs!.map((url) => url.InvokeMode),
    ["RESPONSE_STREAM"],
  );
  assert.equal(second.NextMarker, undefined);

  assert.equal((await lambda.deleteFunctionUrlConfig({ FunctionName })).$metadata.httpStatusCode, 204);
  const gone = "ResourceNotFoundException 404 The resource you requested does not exist.";
  assert.equal(await refusal(lambda.getFunctionUrlConfig({ FunctionName })), gone);
  await lambda.deleteAlias({ FunctionName, Name: "live" });
  assert.deepEqual((await lambda.listFunctionUrlConfigs({ FunctionName })).FunctionUrlConfigs, []);
});

test("what is wrong with a URL's configuration is said as AWS says it", async () => {
  await using cloud = await startCloudWithRole();
  const lambda = cloud.client(Lambda);
  const FunctionName = "site";
  const AuthType = "NONE";
  await cloud.createBash(FunctionName, "echo 1");
  await lambda.createFunctionUrlConfig({ FunctionName, AuthType });
  const create = (more: object) => lambda.createFunctionUrlConfig({ FunctionName, AuthType, ...more });
  const NOT_THERE = "ResourceNotFoundException 404 The resource you requested does not exist.";
  const NO_FUNCTION = "ResourceNotFoundException 404 Function does not exist";
  const notQualifier = (value: string) =>
    `ValidationException 400 1 validation error detected: Value '${value}' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)`;
  const cases: [() => Promise<unknown>, string][] = [
    [
      () => create({}),
      `ResourceConflictException 409 Failed to create function url config for [functionArn = ${arnOf(FunctionName)}]. Error message:  FunctionUrlConfig exists for this Lambda function`,
    ],
    [() => create({ FunctionName: "nobody" }), NO_FUNCTION],
    [() => create({ Qualifier: "nowhere" }), NO_FUNCTION],
    [() => create({ Qualifier: "1" }), notQualifier("1")],
    [() => create({ FunctionName: `${FunctionName}:1` }), notQualifier("1")],
    [() => create({ Qualifier: "$LATEST" }), notQualifier("$LATEST")],
    [
      () => create({ FunctionName: `${FunctionName}:a`, Qualifier: "b" }),
      "InvalidParameterValueException 400 The derived qualifier from the function name does not match the specified qualifier.",
    ],
    [() => lambda.getFunctionUrlConfig({ FunctionName: "nobody" }), NOT_THERE],
    [() => lambda.deleteFunctionUrlConfig({ FunctionName, Qualifier: "nowhere" }), NOT_THERE],
    [() => lambda.updateFunctionUrlConfig({ FunctionName: "nobody" }), NO_FUNCTION],
    [() => lambda.listFunctionUrlConfigs({ FunctionName: "nobody" }), NO_FUNCTION],
  ];
  for (const [sent, said] of cases) assert.equal(await refusal(sent()), said);
});

test("a policy may demand that URLs ask for a signature", async () => {
  await using cloud = await startCloudWithRole();
  const may = policy(allow("lambda:*"), {
    Effect: "Deny",
    Action: ["lambda:CreateFunctionUrlConfig", "lambda:UpdateFunctionUrlConfig", "lambda:DeleteFunctionUrlConfig"],
    Resource: "*",
    Condition: { StringEquals: { "lambda:FunctionUrlAuthType": "NONE" } },
  });
  const lambda = cloud.client(Lambda, await userWith(cloud, "careful", { may }));
  const FunctionName = "site";
  await cloud.createBash(FunctionName, "echo 1");
  assert.match(await refusal(lambda.createFunctionUrlConfig({ FunctionName, AuthType: "NONE" })), /^AccessDenied/);
  await lambda.createFunctionUrlConfig({ FunctionName, AuthType: "AWS_IAM" });
  assert.match(await refusal(lambda.updateFunctionUrlConfig({ FunctionName, AuthType: "NONE" })), /^AccessDenied/);
  await cloud.client(Lambda).updateFunctionUrlConfig({ FunctionName, AuthType: "NONE" });
  assert.match(await refusal(lambda.deleteFunctionUrlConfig({ FunctionName })), /^AccessDenied/);
});
