import assert from "node:assert/strict";
import { test } from "node:test";
import {
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  PublishVersionCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from "@aws-sdk/client-lambda";
import { arnOf, bash, startCloudWithRole } from "../../../test/lambda.ts";
import { refusal } from "../../../test/principals.ts";

test("With --delays real a function is Pending, then Active; an update is InProgress, and the only one", async () => {
  await using cloud = await startCloudWithRole({ delays: "real" });
  const { lambda } = cloud;
  const get = async (FunctionName = "f") =>
    (await lambda.send(new GetFunctionCommand({ FunctionName }))).Configuration!;
  await cloud.createBash("f", "echo 1", { Publish: true });
  const created = await get();
  assert.deepEqual(
    [created.State, created.StateReason, created.StateReasonCode, created.LastUpdateStatus],
    ["Pending", "The function is being created.", "Creating", undefined],
  );
  assert.equal((await get("f:1")).State, "Pending");
  const PENDING =
    "ResourceConflictException 409 The operation cannot be performed at this time. The function is currently in the following state: Pending";
  const update = (Description: string) =>
    lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: "f", Description }));
  assert.equal(await refusal(lambda.send(new InvokeCommand({ FunctionName: "f" }))), PENDING);
  assert.equal(await refusal(update("too early")), PENDING);

  await cloud.advance(5_000);
  const active = await get();
  assert.deepEqual([active.State, active.StateReason, active.LastUpdateStatus], ["Active", undefined, "Successful"]);
  assert.notEqual(active.RevisionId, created.RevisionId);
  assert.equal((await get("f:1")).State, "Active");
  assert.equal((await cloud.invoke("f")).payload, 1);

  const updated = await update("first");
  assert.deepEqual(
    [updated.State, updated.LastUpdateStatus, updated.LastUpdateStatusReason, updated.LastUpdateStatusReasonCode],
    ["Active", "InProgress", "The function is being created.", "Creating"],
  );
  const UPDATING = `ResourceConflictException 409 The operation cannot be performed at this time. An update is in progress for resource: ${arnOf("f")}`;
  assert.equal(await refusal(update("second")), UPDATING);
  assert.equal(
    await refusal(lambda.send(new UpdateFunctionCodeCommand({ FunctionName: "f", ZipFile: bash("echo 2") }))),
    UPDATING,
  );
  assert.equal(await refusal(lambda.send(new PublishVersionCommand({ FunctionName: "f" }))), UPDATING);
  assert.equal((await cloud.invoke("f")).payload, 1);
  await cloud.advance(3_000);
  const done = await get();
  assert.deepEqual([done.LastUpdateStatus, done.Description], ["Successful", "first"]);
  assert.notEqual(done.RevisionId, updated.RevisionId);
  await update("second");
});

test("PublishVersion gives $LATEST a new revision, and its warm environments stay", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", 'echo "$PPID"');
  const revision = async () =>
    (await cloud.lambda.send(new GetFunctionConfigurationCommand({ FunctionName: "f" }))).RevisionId;
  const [before, cold] = [await revision(), await cloud.invoke("f", undefined, { LogType: "Tail" })];
  assert.match(cold.log, /Init Duration/);
  const published = await cloud.lambda.send(new PublishVersionCommand({ FunctionName: "f" }));
  assert.equal(new Set([before, published.RevisionId, await revision()]).size, 3);
  assert.doesNotMatch((await cloud.invoke("f", undefined, { LogType: "Tail" })).log, /Init Duration/);
  // Nothing changed: the same version again, and no new revision.
  const after = await revision();
  assert.equal(
    (await cloud.lambda.send(new PublishVersionCommand({ FunctionName: "f" }))).RevisionId,
    published.RevisionId,
  );
  assert.equal(await revision(), after);
});
