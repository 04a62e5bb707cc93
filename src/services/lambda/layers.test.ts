import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AddLayerVersionPermissionCommand,
  CreateFunctionCommand,
  DeleteLayerVersionCommand,
  GetAccountSettingsCommand,
  GetFunctionConfigurationCommand,
  GetLayerVersionByArnCommand,
  GetLayerVersionCommand,
  GetLayerVersionPolicyCommand,
  LambdaClient,
  ListLayersCommand,
  ListLayerVersionsCommand,
  PublishLayerVersionCommand,
  type PublishLayerVersionCommandInput,
  RemoveLayerVersionPermissionCommand,
  UpdateFunctionConfigurationCommand,
} from "@aws-sdk/client-lambda";
import { ACCOUNT, bash, type LambdaCloud, ROLE, startCloudWithRole } from "../../../test/lambda.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";
import { type Packed, zipOf } from "../../../test/zip.ts";

const layerOf = (name: string): string => `arn:aws:lambda:us-east-1:${ACCOUNT}:layer:${name}`;

async function publish(
  cloud: LambdaCloud,
  LayerName: string,
  files: Record<string, Packed | string>,
  more: Partial<PublishLayerVersionCommandInput> = {},
) {
  const answer = await cloud.lambda.send(
    new PublishLayerVersionCommand({ LayerName, Content: { ZipFile: zipOf(files) }, ...more }),
  );
  return answer;
}

test("A layer's versions are published, found, listed newest first, and deleted without giving a number again", async () => {
  await using cloud = await startCloudWithRole();
  const { lambda } = cloud;
  const more: Partial<PublishLayerVersionCommandInput> = {
    Description: "tools",
    LicenseInfo: "MIT",
    CompatibleRuntimes: ["python3.12"],
    CompatibleArchitectures: ["x86_64"],
  };
  const { $metadata, ...first } = await publish(cloud, "l", { a: "1" }, more);
  assert.equal($metadata.httpStatusCode, 201);
  const { Content, CreatedDate, ...rest } = first;
  assert.deepEqual(rest, {
    LayerArn: layerOf("l"),
    LayerVersionArn: layerOf("l:1"),
    Version: 1,
    ...more,
  });
  assert.match(CreatedDate!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/);
  assert.deepEqual(Buffer.from(await (await fetch(Content!.Location!)).arrayBuffer()), zipOf({ a: "1" }));
  await publish(cloud, "l", { a: "2" }, { CompatibleRuntimes: [] });
  await publish(cloud, "other", { a: "3" });

  const get = { LayerName: "l", VersionNumber: 1 };
  const { $metadata: _, Content: again, ...got } = await lambda.send(new GetLayerVersionCommand(get));
  assert.deepEqual({ ...got, sha: again!.CodeSha256 }, { ...rest, CreatedDate, sha: Content!.CodeSha256 });
  assert.equal((await lambda.send(new GetLayerVersionByArnCommand({ Arn: layerOf("l:2") }))).Version, 2);
  const versions = await lambda.send(new ListLayerVersionsCommand({ LayerName: "l" }));
  assert.deepEqual(
    versions.LayerVersions!.map(({ Version, CompatibleRuntimes }) => [Version, CompatibleRuntimes]),
    [
      [2, []],
      [1, ["python3.12"]],
    ],
  );
  const page = await lambda.send(new ListLayerVersionsCommand({ LayerName: "l", MaxItems: 1 }));
  const next = await lambda.send(new ListLayerVersionsCommand({ LayerName: "l", Marker: page.NextMarker! }));
  assert.deepEqual([page.LayerVersions!.length, next.LayerVersions![0]!.Version, next.NextMarker], [1, 1, undefined]);

  const list = async (more: object = {}) =>
    (await lambda.send(new ListLayersCommand(more))).Layers!.map(
      ({ LayerName, LatestMatchingVersion }) => `${LayerName}:${LatestMatchingVersion!.Version}`,
    );
  assert.deepEqual(await list(), ["l:2", "other:1"]);
  assert.deepEqual(await list({ CompatibleRuntime: "python3.12", CompatibleArchitecture: "x86_64" }), ["l:1"]);
  const usage = async () => (await lambda.send(new GetAccountSettingsCommand({}))).AccountUsage!.TotalCodeSize!;
  const before = await usage();
  for (let i = 0; i < 2; i++) await lambda.send(new DeleteLayerVersionCommand({ LayerName: "l", VersionNumber: 2 }));
  assert.equal(before - (await usage()), zipOf({ a: "2" }).length);
  assert.deepEqual(await list(), ["l:1", "other:1"]);
  assert.equal((await publish(cloud, "l", { a: "4" })).Version, 3);
});

test("Layers are refused as AWS refuses them", async () => {
  await using cloud = await startCloudWithRole();
  const { lambda } = cloud;
  for (let i = 0; i < 2; i++) await publish(cloud, "l", { a: "1" });
  const get = (LayerName: string, VersionNumber: number) =>
    lambda.send(new GetLayerVersionCommand({ LayerName, VersionNumber }));
  const create = (Layers: string[]) =>
    lambda.send(
      new CreateFunctionCommand({
        FunctionName: "f",
        Runtime: "provided.al2023",
        Handler: "lambda.handler",
        Role: ROLE,
        Code: { ZipFile: bash("echo 1") },
        Layers,
      }),
    );
  const NONE = "ResourceNotFoundException 404 The resource you requested does not exist.";
  const BAD = "InvalidParameterValueException 400";
  for (const [sent, expected] of [
    [() => get("none", 1), NONE],
    [() => get("l", 9), NONE],
    [() => get("l", 0), `${BAD} Layer Version Cannot be less than 1`],
    [() => create([layerOf("none:1")]), `${BAD} Layer version ${layerOf("none:1")} does not exist.`],
    [
      () => create([layerOf("l:1"), layerOf("l:2")]),
      `${BAD} Two different versions of the same layer are not allowed to be referenced in the same function. ${layerOf("l:1")} and ${layerOf("l:2")} are versions of the same layer.`,
    ],
    [
      () => create(["a", "b", "c", "d", "e", "f"].map((l) => layerOf(`${l}:1`))),
      `${BAD} Cannot reference more than 5 layers.`,
    ],
    [
      () => create([layerOf("l:1").replace("us-east-1", "eu-west-1")]),
      `${BAD} Layers are not in the same region as the function. Layers are expected to be in region us-east-1.`,
    ],
    [
      () => publish(cloud, "l", {}, { Content: { S3Bucket: "hot-reload", S3Key: `${cloud.aws.config.dir}/none` } }),
      /Error occurred while GetObject/,
    ],
  ] as const)
    if (typeof expected === "string") assert.equal(await refusal(sent()), expected);
    else assert.match(await refusal(sent()), expected);
});

test("A function sees its layers merged at /opt, a later one over an earlier one, and keeps a version that is deleted", async () => {
  await using cloud = await startCloudWithRole();
  const { lambda } = cloud;
  const tool = (text: string) => ({ data: `#!/bin/sh\necho ${text}\n`, mode: 0o100755 });
  await publish(cloud, "one", { "bin/tool": tool("one"), "bin/first": tool("first"), "etc/a": "a" });
  await publish(cloud, "two", { "bin/tool": tool("two"), "etc/b": "b", link: { data: "etc/b", mode: 0o120777 } });
  await cloud.createBash("f", `echo "\\"$(tool) $(first) $(cat /opt/etc/a /opt/link) $(echo x 2>&1 >/opt/etc/a)\\""`, {
    Layers: [layerOf("one:1"), layerOf("two:1")],
  });
  const { Layers } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: "f" }));
  assert.deepEqual(
    Layers!.map(({ Arn }) => Arn),
    [layerOf("one:1"), layerOf("two:1")],
  );
  assert.ok(Layers![0]!.CodeSize! > 0);
  assert.match((await cloud.invoke("f")).payload, /^two first ab .*Read-only file system/);

  await lambda.send(new DeleteLayerVersionCommand({ LayerName: "one", VersionNumber: 1 }));
  const update = (Layers: string[]) =>
    lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: "f", Layers }));
  await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: "f", Timeout: 5 }));
  assert.match((await cloud.invoke("f")).payload, /^two first ab /);
  await assert.rejects(update([layerOf("one:1")]), { message: `Layer version ${layerOf("one:1")} does not exist.` });
  assert.equal((await update([layerOf("two:1")])).Layers!.length, 1);
  assert.match((await cloud.invoke("f")).payload, /^two {2}b/);
  assert.equal((await update([])).Layers, undefined);
});

test("Node, Python and a layer's own bootstrap find what layers bring", async () => {
  await using cloud = await startCloudWithRole();
  await publish(cloud, "l", {
    "nodejs/node_modules/m/index.js": "module.exports = 'node module'",
    "python/m.py": "said = 'python module'",
  });
  const Layers = [layerOf("l:1")];
  await cloud.createBash("node", "", {
    Runtime: "nodejs22.x",
    Handler: "index.handler",
    Code: { ZipFile: zipOf({ "index.js": "exports.handler = async () => require('m')" }) },
    Layers,
  });
  await cloud.createBash("python", "", {
    Runtime: "python3.13",
    Handler: "app.handler",
    Code: { ZipFile: zipOf({ "app.py": "import m\ndef handler(event, context):\n  return m.said\n" }) },
    Layers,
  });
  const NEXT = 'curl -sD /tmp/head "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next" >/dev/null';
  const ID = "$(tr -d '\\r' </tmp/head | sed -n 's/^lambda-runtime-aws-request-id: //Ip')";
  await publish(cloud, "runtime", {
    bootstrap: {
      data: `#!/bin/bash\nwhile :; do ${NEXT}; curl -sd '"own runtime"' "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/${ID}/response" >/dev/null; done\n`,
      mode: 0o100755,
    },
  });
  await cloud.createBash("own", "", { Code: { ZipFile: zipOf({ data: "x" }) }, Layers: [layerOf("runtime:1")] });
  for (const [name, said] of [
    ["node", "node module"],
    ["python", "python module"],
    ["own", "own runtime"],
  ] as const)
    assert.equal((await cloud.invoke(name)).payload, said, name);
});

test("A layer's policy lets another account use it, and only while it stands", async () => {
  await using cloud = await startCloudWithRole();
  const { lambda } = cloud;
  await publish(cloud, "l", { a: "1" });
  const named = { LayerName: "l", VersionNumber: 1 };
  const add = (more: object = {}) =>
    lambda.send(
      new AddLayerVersionPermissionCommand({
        ...named,
        StatementId: "s1",
        Action: "lambda:GetLayerVersion",
        Principal: "111111111111",
        ...more,
      }),
    );
  const getPolicy = () => lambda.send(new GetLayerVersionPolicyCommand(named));
  const other = cloud.client(LambdaClient, { accessKeyId: "111111111111", secretAccessKey: "test" });
  const get = () => other.send(new GetLayerVersionCommand({ LayerName: layerOf("l"), VersionNumber: 1 }));

  await assert.rejects(getPolicy(), { message: "No policy is associated with the given resource." });
  assert.match(await refusal(get()), /^AccessDeniedException 403/);
  const { Statement, RevisionId } = await add();
  assert.deepEqual(JSON.parse(Statement!), {
    Sid: "s1",
    Effect: "Allow",
    Principal: { AWS: "arn:aws:iam::111111111111:root" },
    Action: "lambda:GetLayerVersion",
    Resource: layerOf("l:1"),
  });
  assert.equal((await get()).LayerVersionArn, layerOf("l:1"));
  const { Policy, ...got } = await getPolicy();
  assert.deepEqual([JSON.parse(Policy!).Statement.length, got.RevisionId], [1, RevisionId]);
  await assert.rejects(add(), { name: "ResourceConflictException" });
  await assert.rejects(add({ StatementId: "s2", RevisionId: "wrong" }), {
    name: "PreconditionFailedException",
    message:
      "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest Revision Id",
  });
  await assert.rejects(add({ VersionNumber: 2 }), { message: `Layer version ${layerOf("l:2")} does not exist.` });

  const remove = (StatementId: string) =>
    lambda.send(new RemoveLayerVersionPermissionCommand({ ...named, StatementId }));
  await assert.rejects(remove("none"), { message: "Statement none is not found in resource policy." });
  await remove("s1");
  assert.match(await refusal(get()), /^AccessDeniedException 403/);
});

test("CreateFunction with a layer wants lambda:GetLayerVersion on it", async () => {
  await using cloud = await startCloudWithRole();
  await publish(cloud, "l", { a: "1" });
  const may = policy(allow(["lambda:CreateFunction", "iam:PassRole"]));
  const client = cloud.client(LambdaClient, await userWith(cloud, "u", { may }));
  const sent = client.send(
    new CreateFunctionCommand({
      FunctionName: "f",
      Runtime: "provided.al2023",
      Handler: "lambda.handler",
      Role: ROLE,
      Code: { ZipFile: bash("echo 1") },
      Layers: [layerOf("l:1")],
    }),
  );
  assert.match(await refusal(sent), /^AccessDeniedException 403 .*lambda:GetLayerVersion on resource: .*:layer:l:1/);
});
