import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CreateAliasCommand,
  DeleteAliasCommand,
  DeleteFunctionCommand,
  DeleteProvisionedConcurrencyConfigCommand,
  GetAccountSettingsCommand,
  GetProvisionedConcurrencyConfigCommand,
  ListProvisionedConcurrencyConfigsCommand,
  PutFunctionConcurrencyCommand,
  PutProvisionedConcurrencyConfigCommand,
  UpdateAliasCommand,
  UpdateFunctionCodeCommand,
} from "@aws-sdk/client-lambda";
import { arnOf, bash, type LambdaCloud, startCloudWithRole } from "../../../test/lambda.ts";
import { refusal } from "../../../test/principals.ts";
import { zipOf } from "../../../test/zip.ts";

const put = (cloud: LambdaCloud, Qualifier: string, ProvisionedConcurrentExecutions = 1, FunctionName = "f") =>
  cloud.lambda.send(
    new PutProvisionedConcurrencyConfigCommand({ FunctionName, Qualifier, ProvisionedConcurrentExecutions }),
  );
const get = (cloud: LambdaCloud, Qualifier: string, FunctionName = "f") =>
  cloud.lambda.send(new GetProvisionedConcurrencyConfigCommand({ FunctionName, Qualifier }));
const remove = (cloud: LambdaCloud, Qualifier: string, FunctionName = "f") =>
  cloud.lambda.send(new DeleteProvisionedConcurrencyConfigCommand({ FunctionName, Qualifier }));
const TYPE = 'echo "\\"$AWS_LAMBDA_INITIALIZATION_TYPE\\""';

test("Environments are initialised before the first call, and the calls beyond them are on demand", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", `sleep 0.2; ${TYPE}`, { Publish: true });
  const answer = await put(cloud, "1", 2);
  assert.deepEqual(
    [answer.$metadata.httpStatusCode, answer.Status, answer.AllocatedProvisionedConcurrentExecutions],
    [202, "IN_PROGRESS", 0],
  );
  assert.match(answer.LastModified!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/);
  await cloud.settle();
  const { $metadata: _, LastModified, ...ready } = await get(cloud, "1");
  assert.equal(LastModified, answer.LastModified);
  assert.deepEqual(ready, {
    RequestedProvisionedConcurrentExecutions: 2,
    AvailableProvisionedConcurrentExecutions: 2,
    AllocatedProvisionedConcurrentExecutions: 2,
    Status: "READY",
  });
  const listed = await cloud.lambda.send(new ListProvisionedConcurrencyConfigsCommand({ FunctionName: "f" }));
  assert.deepEqual(
    listed.ProvisionedConcurrencyConfigs!.map(({ FunctionArn, Status }) => [FunctionArn, Status]),
    [[arnOf("f:1"), "READY"]],
  );
  const { AccountLimit } = await cloud.lambda.send(new GetAccountSettingsCommand({}));
  assert.equal(AccountLimit!.UnreservedConcurrentExecutions, 998);

  const types = await Promise.all([1, 2, 3].map(async () => (await cloud.invoke("f:1")).payload));
  assert.deepEqual(types.sort(), ["on-demand", "provisioned-concurrency", "provisioned-concurrency"]);
  assert.equal((await cloud.invoke("f")).payload, "on-demand");
  // A new $LATEST does not touch what is kept for version 1.
  await cloud.lambda.send(new UpdateFunctionCodeCommand({ FunctionName: "f", ZipFile: bash(TYPE) }));
  assert.equal((await cloud.invoke("f:1")).payload, "provisioned-concurrency");

  await remove(cloud, "1");
  await cloud.settle();
  assert.match(await refusal(get(cloud, "1")), /^ProvisionedConcurrencyConfigNotFoundException 404 /);
  assert.equal((await remove(cloud, "1")).$metadata.httpStatusCode, 204);
});

test("An alias takes its environments along to another version, and a deleted function ends them", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", TYPE, { Publish: true });
  const second = { FunctionName: "f", ZipFile: bash(`: 2; ${TYPE}`), Publish: true };
  await cloud.lambda.send(new UpdateFunctionCodeCommand(second));
  const alias = { FunctionName: "f", Name: "live" };
  await cloud.lambda.send(new CreateAliasCommand({ ...alias, FunctionVersion: "1" }));
  await put(cloud, "live");
  await cloud.settle();
  assert.equal((await cloud.invoke("f:live")).payload, "provisioned-concurrency");
  await cloud.lambda.send(new UpdateAliasCommand({ ...alias, FunctionVersion: "2" }));
  await cloud.settle();
  assert.equal((await get(cloud, "live")).Status, "READY");
  assert.equal((await cloud.invoke("f:live")).payload, "provisioned-concurrency");
  assert.equal((await cloud.invoke("f:1")).payload, "on-demand");
  await cloud.lambda.send(new DeleteAliasCommand(alias));
  assert.equal(
    await refusal(get(cloud, "live")),
    `ResourceNotFoundException 404 Cannot find alias arn: ${arnOf("f:live")}`,
  );
  const listed = await cloud.lambda.send(new ListProvisionedConcurrencyConfigsCommand({ FunctionName: "f" }));
  assert.deepEqual(listed.ProvisionedConcurrencyConfigs, []);
  await cloud.lambda.send(new DeleteFunctionCommand({ FunctionName: "f" }));
});

test("An init that fails is FAILED with AWS's reason", async () => {
  await using cloud = await startCloudWithRole();
  const Code = { ZipFile: zipOf({ "index.js": "throw new Error('no')" }) };
  await cloud.createBash("f", "", { Runtime: "nodejs22.x", Handler: "index.handler", Code, Publish: true });
  await put(cloud, "1");
  await cloud.settle();
  const { Status, StatusReason, AvailableProvisionedConcurrentExecutions } = await get(cloud, "1");
  assert.deepEqual(
    [Status, StatusReason, AvailableProvisionedConcurrentExecutions],
    ["FAILED", "FUNCTION_ERROR_INIT_FAILURE", 0],
  );
});

test("Provisioned concurrency is refused as AWS refuses it", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", "echo 1", { Publish: true });
  await cloud.createBash("g", "echo 1", { Publish: true });
  await cloud.lambda.send(new CreateAliasCommand({ FunctionName: "f", Name: "live", FunctionVersion: "1" }));
  await cloud.lambda.send(new PutFunctionConcurrencyCommand({ FunctionName: "g", ReservedConcurrentExecutions: 5 }));
  await put(cloud, "1");
  const NOT_FOUND = "ResourceNotFoundException 404";
  const BAD = "InvalidParameterValueException 400";
  const CONFLICT = "ResourceConflictException 409";
  for (const [sent, expected] of [
    [
      () => put(cloud, "$LATEST"),
      `${BAD} Provisioned Concurrency Configs cannot be applied to unpublished function versions.`,
    ],
    [() => get(cloud, "$LATEST"), `${BAD} The function resource provided must be an alias or a published version.`],
    [() => put(cloud, "none"), `${NOT_FOUND} Cannot find alias arn: ${arnOf("f:none")}`],
    [() => put(cloud, "10"), `${NOT_FOUND} Function not found: ${arnOf("f:10")}`],
    [() => put(cloud, "1", 1, "none"), `${NOT_FOUND} Function not found: ${arnOf("none:1")}`],
    [() => remove(cloud, "10"), `${NOT_FOUND} Function not found: ${arnOf("f:10")}`],
    [
      () => put(cloud, "live"),
      `${CONFLICT} Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version`,
    ],
    [
      () => put(cloud, "1", 996),
      `${BAD} Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [995].`,
    ],
    [
      () => put(cloud, "1", 900),
      `${BAD} Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].`,
    ],
    [
      () => put(cloud, "1", 6, "g"),
      `${BAD} Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function`,
    ],
  ] as const)
    assert.equal(await refusal(sent()), expected);
  await remove(cloud, "1");
  await put(cloud, "live");
  assert.equal(await refusal(put(cloud, "1")), `${CONFLICT} Version is pointed by a Provisioned Concurrency alias`);
});
