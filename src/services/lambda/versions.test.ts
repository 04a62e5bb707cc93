import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  CreateAliasCommand,
  DeleteAliasCommand,
  DeleteFunctionCommand,
  GetAliasCommand,
  GetFunctionCommand,
  ListAliasesCommand,
  ListVersionsByFunctionCommand,
  PublishVersionCommand,
  UpdateAliasCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from "@aws-sdk/client-lambda";
import { arnOf, bash, type LambdaCloud, startCloudWithRole } from "../../../test/lambda.ts";
import { readZip } from "./zip.ts";

/** `f` with version 1 that answers 1, and version 2 that answers 2; $LATEST answers 3. */
async function startWithVersions(): Promise<LambdaCloud> {
  const cloud = await startCloudWithRole();
  await cloud.createBash("f", "echo 1", { Publish: true });
  const update = (n: number, Publish: boolean) =>
    cloud.lambda.send(new UpdateFunctionCodeCommand({ FunctionName: "f", ZipFile: bash(`echo ${n}`), Publish }));
  assert.equal((await update(2, true)).Version, "2");
  await update(3, false);
  return cloud;
}

test("PublishVersion copies $LATEST, and what is published never changes", async () => {
  await using cloud = await startWithVersions();
  assert.equal((await cloud.invoke("f", {})).payload, 3);
  for (const [qualifier, payload] of [
    ["1", 1],
    ["2", 2],
    ["$LATEST", 3],
  ] as const) {
    const answer = await cloud.invoke("f", {}, { Qualifier: qualifier });
    assert.deepEqual([answer.payload, answer.version], [payload, qualifier]);
    assert.equal((await cloud.invoke(`f:${qualifier}`, {})).payload, payload);
  }
  const { Configuration } = await cloud.lambda.send(new GetFunctionCommand({ FunctionName: "f", Qualifier: "1" }));
  assert.deepEqual([Configuration?.FunctionArn, Configuration?.Version], [arnOf("f:1"), "1"]);
  await assert.rejects(cloud.lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: "f:1", Timeout: 5 })), {
    name: "InvalidParameterValueException",
  });
});

test("PublishVersion without a change answers the last version, and checks hash and revision", async () => {
  await using cloud = await startWithVersions();
  const publish = (more: object = {}) => cloud.lambda.send(new PublishVersionCommand({ FunctionName: "f", ...more }));
  const third = await publish({ Description: "third" });
  assert.deepEqual([third.Version, third.Description], ["3", "third"]);
  assert.deepEqual([(await publish()).Version, (await publish()).RevisionId], ["3", third.RevisionId]);
  await assert.rejects(publish({ CodeSha256: "wrong" }), {
    name: "InvalidParameterValueException",
    message: `CodeSHA256 (wrong) is different from current CodeSHA256 in $LATEST (${third.CodeSha256}). Please try again with the CodeSHA256 in $LATEST.`,
  });
  await assert.rejects(publish({ RevisionId: "wrong" }), { name: "PreconditionFailedException" });
  await assert.rejects(publish({ FunctionName: "g" }), { message: `Function not found: ${arnOf("g")}` });
});

test("ListVersionsByFunction lists $LATEST and then by number", async () => {
  await using cloud = await startWithVersions();
  const list = (more: object = {}) =>
    cloud.lambda.send(new ListVersionsByFunctionCommand({ FunctionName: "f", ...more }));
  assert.deepEqual(
    (await list()).Versions!.map((v) => v.FunctionArn),
    [arnOf("f:$LATEST"), arnOf("f:1"), arnOf("f:2")],
  );
  const page = await list({ MaxItems: 2 });
  assert.equal(page.Versions!.length, 2);
  assert.equal((await list({ Marker: page.NextMarker })).Versions![0]!.Version, "2");
  await cloud.lambda.send(new DeleteFunctionCommand({ FunctionName: "f", Qualifier: "1" }));
  assert.deepEqual(
    (await list()).Versions!.map((v) => v.Version),
    ["$LATEST", "2"],
  );
});

test("An alias points at a version, moves, and is invoked by its name", async () => {
  await using cloud = await startWithVersions();
  const alias = { FunctionName: "f", Name: "live" };
  const created = await cloud.lambda.send(new CreateAliasCommand({ ...alias, FunctionVersion: "1", Description: "x" }));
  assert.equal(created.$metadata.httpStatusCode, 201);
  const { $metadata, RevisionId, ...rest } = created;
  assert.deepEqual(rest, { AliasArn: arnOf("f:live"), Name: "live", FunctionVersion: "1", Description: "x" });
  const run = async () => {
    const { payload, version } = await cloud.invoke("f", {}, { Qualifier: "live" });
    return [payload, version];
  };
  assert.deepEqual(await run(), [1, "1"]);
  await assert.rejects(cloud.lambda.send(new UpdateAliasCommand({ ...alias, RevisionId: "wrong" })), {
    name: "PreconditionFailedException",
  });
  await cloud.lambda.send(new UpdateAliasCommand({ ...alias, FunctionVersion: "2", RevisionId }));
  assert.deepEqual(await run(), [2, "2"]);
  await assert.rejects(cloud.lambda.send(new DeleteFunctionCommand({ FunctionName: "f", Qualifier: "2" })), {
    name: "ResourceConflictException",
  });
  const { Aliases } = await cloud.lambda.send(new ListAliasesCommand({ FunctionName: "f", FunctionVersion: "2" }));
  assert.deepEqual(
    Aliases?.map(({ Name }) => Name),
    ["live"],
  );
  const { Configuration } = await cloud.lambda.send(new GetFunctionCommand({ FunctionName: "f", Qualifier: "live" }));
  assert.deepEqual([Configuration?.FunctionArn, Configuration?.Version], [arnOf("f:live"), "2"]);
  for (let i = 0; i < 2; i++)
    assert.equal((await cloud.lambda.send(new DeleteAliasCommand(alias))).$metadata.httpStatusCode, 204);
  await assert.rejects(run(), { message: `Function not found: ${arnOf("f:live")}` });
});

test("An alias with weights sends invocations to both versions, and gives its weights back", async () => {
  await using cloud = await startWithVersions();
  const { lambda } = cloud;
  const alias = { FunctionName: "f", Name: "live" };
  const RoutingConfig = { AdditionalVersionWeights: { 2: 0.5 } };
  const made = await lambda.send(new CreateAliasCommand({ ...alias, FunctionVersion: "1", RoutingConfig }));
  assert.deepEqual(made.RoutingConfig, RoutingConfig);
  const listed = await lambda.send(new ListAliasesCommand({ FunctionName: "f", FunctionVersion: "2" }));
  assert.deepEqual(listed.Aliases![0]!.RoutingConfig, RoutingConfig);
  await assert.rejects(lambda.send(new DeleteFunctionCommand({ FunctionName: "f", Qualifier: "2" })), {
    name: "ResourceConflictException",
  });
  const versions = async (times: number) => {
    const answers = [];
    for (let i = 0; i < times; i++) answers.push(await cloud.invoke("f:live"));
    assert.ok(answers.every(({ version, payload }) => version === String(payload)));
    return answers.map(({ version }) => version);
  };
  // Of 40 fair throws, one side alone comes up once in half a million million.
  assert.deepEqual([...new Set(await versions(40))].sort(), ["1", "2"]);
  const update = (more: object) => lambda.send(new UpdateAliasCommand({ ...alias, ...more }));
  assert.deepEqual((await update({ Description: "d" })).RoutingConfig, RoutingConfig);
  await update({ RoutingConfig: { AdditionalVersionWeights: { 2: 1 } } });
  assert.deepEqual(await versions(5), ["2", "2", "2", "2", "2"]);
  assert.equal((await update({ RoutingConfig: {} })).RoutingConfig, undefined);
  assert.deepEqual(await versions(3), ["1", "1", "1"]);
});

test("Aliases are refused as AWS refuses them", async () => {
  await using cloud = await startWithVersions();
  const create = (more: object = {}) =>
    cloud.lambda.send(new CreateAliasCommand({ FunctionName: "f", Name: "live", FunctionVersion: "1", ...more }));
  await create();
  await assert.rejects(create(), {
    name: "ResourceConflictException",
    message: `Alias already exists: ${arnOf("f:live")}`,
  });
  await assert.rejects(create({ FunctionVersion: "10" }), { message: `Function not found: ${arnOf("f:10")}` });
  await assert.rejects(create({ FunctionName: "g" }), { message: `Function not found: ${arnOf("g:1")}` });
  const weights = (AdditionalVersionWeights: object) => ({ Name: "b", RoutingConfig: { AdditionalVersionWeights } });
  await assert.rejects(create(weights({ 2: 0.1, 1: 0.1 })), {
    message: "Number of items in AdditionalVersionWeights cannot be greater than 1",
  });
  await assert.rejects(create(weights({ 1: 0.1 })), {
    message: "Invalid function version 1. Function version 1 is already included in routing configuration.",
  });
  await assert.rejects(create(weights({ 10: 0.1 })), { message: `Function not found: ${arnOf("f:10")}` });
  await assert.rejects(create({ ...weights({ 1: 0.1 }), FunctionVersion: "$LATEST" }), {
    message: "$LATEST is not supported for an alias pointing to more than 1 version",
  });
  await assert.rejects(create(weights({ 2: 1.5 })), { name: "ValidationException" });
  await assert.rejects(cloud.lambda.send(new GetAliasCommand({ FunctionName: "f", Name: "none" })), {
    message: `Cannot find alias arn: ${arnOf("f:none")}`,
  });
  await assert.rejects(cloud.lambda.send(new UpdateAliasCommand({ FunctionName: "f", Name: "none" })), {
    message: `Alias not found: ${arnOf("f:none")}`,
  });
});

test("A version of live code is what the code was: the directory changes on, the version does not", async () => {
  await using cloud = await startCloudWithRole();
  const dir = join(cloud.aws.config.dir, "f");
  await mkdir(join(dir, "bin"), { recursive: true });
  const edit = (n: number) => writeFile(join(dir, "lambda.sh"), `handler() { "$LAMBDA_TASK_ROOT/bin/say" ${n}; }\n`);
  await edit(1);
  await writeFile(join(dir, "bin/say"), '#!/bin/sh\necho "$1"\n', { mode: 0o755 });
  await symlink("bin/say", join(dir, "link"));
  await cloud.createBash("f", "", { Code: { S3Bucket: "hot-reload", S3Key: dir }, Publish: true });
  const publish = () => cloud.lambda.send(new PublishVersionCommand({ FunctionName: "f" }));
  assert.equal((await publish()).Version, "1");
  await edit(2);
  const second = await publish();
  assert.equal(second.Version, "2");
  await edit(3);
  for (const [name, payload] of [
    ["f:1", 1],
    ["f:2", 2],
    ["f", 3],
  ] as const)
    assert.equal((await cloud.invoke(name)).payload, payload, name);
  const { Code, Configuration } = await cloud.lambda.send(new GetFunctionCommand({ FunctionName: "f:2" }));
  assert.equal(Configuration!.CodeSha256, second.CodeSha256);
  const archive = readZip(new Uint8Array(await (await fetch(Code!.Location!)).arrayBuffer()));
  assert.deepEqual(
    archive.map(({ path, kind, mode }) => [path, kind, mode & 0o111]),
    [
      ["bin/say", "file", 0o111],
      ["lambda.sh", "file", 0],
      ["link", "symlink", 0o111],
    ],
  );
});
