import assert from "node:assert/strict";
import { test } from "node:test";
import {
  GetFunctionConfigurationCommand,
  GetRuntimeManagementConfigCommand,
  PutRuntimeManagementConfigCommand,
  type UpdateRuntimeOn,
} from "@aws-sdk/client-lambda";
import { arnOf, startCloudWithRole } from "../../../test/lambda.ts";
import { refusal } from "../../../test/principals.ts";

test("The runtime management of a version is Auto until it is chosen, and Manual needs the version's own runtime", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", "echo 1", { Publish: true });
  const get = async (Qualifier?: string) => {
    const command = new GetRuntimeManagementConfigCommand({ FunctionName: "f", Qualifier });
    const { $metadata: _, ...config } = await cloud.lambda.send(command);
    return config;
  };
  const put = (UpdateRuntimeOn: UpdateRuntimeOn, more: object = {}) =>
    cloud.lambda.send(new PutRuntimeManagementConfigCommand({ FunctionName: "f", UpdateRuntimeOn, ...more }));
  assert.deepEqual(await get(), { UpdateRuntimeOn: "Auto", FunctionArn: arnOf("f") });
  await put("FunctionUpdate", { Qualifier: "1" });
  assert.deepEqual(await get("1"), { UpdateRuntimeOn: "FunctionUpdate", FunctionArn: arnOf("f:1") });
  const { RuntimeVersionConfig } = await cloud.lambda.send(new GetFunctionConfigurationCommand({ FunctionName: "f" }));
  const { RuntimeVersionArn } = RuntimeVersionConfig!;
  await put("Manual", { RuntimeVersionArn });
  assert.deepEqual(await get(), { UpdateRuntimeOn: "Manual", RuntimeVersionArn, FunctionArn: arnOf("f") });
  assert.match(await refusal(put("Manual")), /^InvalidParameterValueException 400 /);
  assert.match(await refusal(put("Auto", { RuntimeVersionArn })), /^InvalidParameterValueException 400 /);
  assert.equal(
    await refusal(put("Auto", { Qualifier: "9" })),
    `ResourceNotFoundException 404 Function not found: ${arnOf("f:9")}`,
  );
});
