import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  DeleteFunctionCommand,
  GetAccountSettingsCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  ListFunctionsCommand,
  ListTagsCommand,
  paginateListFunctions,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from "@aws-sdk/client-lambda";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { ACCOUNT, arnOf, bash, createRole, ROLE, startCloudWithRole } from "../../../test/lambda.ts";
import { zipOf } from "../../../test/zip.ts";
import { MAX_ZIPPED_BYTES } from "./code.ts";

const creation = (more: Partial<CreateFunctionCommandInput> = {}): CreateFunctionCommandInput => ({
  FunctionName: "f",
  Runtime: "provided.al2023",
  Handler: "lambda.handler",
  Role: ROLE,
  Code: { ZipFile: bash("echo 1") },
  ...more,
});
const create = (more: Partial<CreateFunctionCommandInput> = {}) => new CreateFunctionCommand(creation(more));

test("CreateFunction answers AWS's defaults, and GetFunction the same with code and tags", async () => {
  await using cloud = await startCloudWithRole();
  const { $metadata, ...created } = await cloud.lambda.send(create({ Tags: { team: "a" } }));
  assert.equal($metadata.httpStatusCode, 201);
  const { CodeSha256, CodeSize, LastModified, RevisionId, RuntimeVersionConfig, ...rest } = created;
  assert.deepEqual(rest, {
    Architectures: ["x86_64"],
    Description: "",
    EphemeralStorage: { Size: 512 },
    FunctionArn: arnOf("f"),
    FunctionName: "f",
    Handler: "lambda.handler",
    LastUpdateStatus: "Successful",
    LoggingConfig: { LogFormat: "Text", LogGroup: "/aws/lambda/f" },
    MemorySize: 128,
    PackageType: "Zip",
    Role: ROLE,
    Runtime: "provided.al2023",
    SnapStart: { ApplyOn: "None", OptimizationStatus: "Off" },
    State: "Active",
    Timeout: 3,
    TracingConfig: { Mode: "PassThrough" },
    Version: "$LATEST",
  });
  assert.match(CodeSha256!, /^[A-Za-z0-9+/]{43}=$/);
  assert.equal(CodeSize, bash("echo 1").length);
  assert.match(LastModified!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/);
  assert.match(RevisionId!, /^[0-9a-f-]{36}$/);
  assert.match(RuntimeVersionConfig!.RuntimeVersionArn!, /^arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}$/);

  const got = await cloud.lambda.send(new GetFunctionCommand({ FunctionName: "f" }));
  assert.deepEqual(got.Configuration, created);
  assert.deepEqual(got.Tags, { team: "a" });
  assert.equal(got.Code?.RepositoryType, "S3");
  const configuration = await cloud.lambda.send(new GetFunctionConfigurationCommand({ FunctionName: arnOf("f") }));
  assert.equal(configuration.RevisionId, RevisionId);
});

test("GetFunction's Location gives the archive as it was uploaded, to whoever has the whole link, for ten minutes", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.lambda.send(create());
  const { Code } = await cloud.lambda.send(new GetFunctionCommand({ FunctionName: "f" }));
  const answer = await fetch(Code!.Location!);
  assert.equal(answer.headers.get("content-type"), "application/zip");
  assert.deepEqual(Buffer.from(await answer.arrayBuffer()), Buffer.from(bash("echo 1")));
  assert.equal((await fetch(Code!.Location!.replace(/.$/, "x"))).status, 403);
  await cloud.advance(601_000);
  assert.equal((await fetch(Code!.Location!)).status, 403);
});

test("FunctionName is a name, a partial ARN or an ARN, with the qualifier in it or beside it", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.lambda.send(create());
  const ask = (FunctionName: string, Qualifier?: string) =>
    cloud.lambda.send(new GetFunctionCommand({ FunctionName, Qualifier }));
  for (const name of ["f", `${ACCOUNT}:f`, `${ACCOUNT}:function:f`, "function:f", arnOf("f")])
    assert.equal((await ask(name)).Configuration?.FunctionArn, arnOf("f"), name);
  for (const [name, qualifier] of [
    ["f:$LATEST", undefined],
    ["f", "$LATEST"],
    [arnOf("f:$LATEST"), "$LATEST"],
  ] as const)
    assert.equal((await ask(name, qualifier)).Configuration?.FunctionArn, arnOf("f:$LATEST"));

  await assert.rejects(ask("f:1", "$LATEST"), {
    name: "InvalidParameterValueException",
    message: "The derived qualifier from the function name does not match the specified qualifier.",
    Type: "User",
  });
  await assert.rejects(ask(arnOf("f").replace("us-east-1", "eu-west-1")), {
    name: "ResourceNotFoundException",
    message: "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
    Type: "User",
  });
  await assert.rejects(ask("g"), {
    name: "ResourceNotFoundException",
    message: `Function not found: ${arnOf("g")}`,
  });
  await assert.rejects(ask("f", "7"), { message: `Function not found: ${arnOf("f:7")}` });
  await assert.rejects(ask("f", "nobody"), { message: `Function not found: ${arnOf("f:nobody")}` });
  await assert.rejects(ask("f!"), { name: "ValidationException" });
});

const environment = (bytes: number) => ({ Environment: { Variables: { LARGE: "x".repeat(bytes - 12) } } });

const REFUSED: Record<string, { input: Partial<CreateFunctionCommandInput>; error: object }> = {
  "a runtime that AWS does not have": {
    input: { Runtime: "non-existent-runtime" as never },
    error: {
      name: "InvalidParameterValueException",
      message:
        /^Value non-existent-runtime at 'runtime' failed .* enum value set: \[nodejs20\.x, .*\] or be a valid ARN$/,
    },
  },
  "a runtime that AWS has ended": {
    input: { Runtime: "nodejs14.x" },
    error: {
      name: "InvalidParameterValueException",
      message:
        /^The runtime parameter of nodejs14\.x is no longer supported for creating or updating AWS Lambda functions\./,
    },
  },
  "a runtime that it cannot run": {
    input: { Runtime: "java21" },
    error: { name: "NotImplemented", message: /java21/ },
  },
  "a function without runtime": {
    input: { Runtime: undefined },
    error: { name: "InvalidParameterValueException", message: /^Runtime and Handler are mandatory parameters/ },
  },
  "a name of 65 characters": {
    input: { FunctionName: "a".repeat(65) },
    error: {
      name: "InvalidParameterValueException",
      message: `1 validation error detected: Value '${"a".repeat(65)}' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64`,
    },
  },
  "a timeout beyond 900 s": {
    input: { Timeout: 901 },
    error: { name: "ValidationException", message: /at 'timeout'.* 900$/ },
  },
  "memory beyond 10240 MB": {
    input: { MemorySize: 10_241 },
    error: { name: "InvalidParameterValueException", message: /^'MemorySize' value failed .* 10240$/ },
  },
  "memory below 128 MB": {
    input: { MemorySize: 127 },
    error: { name: "ValidationException", message: /'memorySize'/ },
  },
  "more than 4 KB of variables": {
    input: environment(4097),
    error: {
      name: "InvalidParameterValueException",
      message: /exceeded the 4KB limit\. String measured: \{"LARGE":"x+"\}$/,
    },
  },
  "reserved variables": {
    input: { Environment: { Variables: { AWS_REGION: "x", A1: "y", AWS_SESSION_TOKEN: "z" } } },
    error: {
      name: "InvalidParameterValueException",
      message: /Reserved keys used in this request: AWS_REGION, AWS_SESSION_TOKEN$/,
    },
  },
  "51 tags": {
    input: { Tags: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, ""])) },
    error: { name: "InvalidParameterValueException", message: "Number of tags exceeds resource tag limit." },
  },
  "a role that is not there": {
    input: { Role: `${ROLE}-unknown` },
    error: {
      name: "InvalidParameterValueException",
      message: "The role defined for the function cannot be assumed by Lambda.",
    },
  },
  "what is no zip": {
    input: { Code: { ZipFile: Buffer.from("no zip") } },
    error: {
      name: "InvalidParameterValueException",
      message: "Could not unzip uploaded file. Please check your file, then try to upload again.",
    },
  },
  "a zip that wants out": {
    input: { Code: { ZipFile: zipOf({ "../evil": "x" }) } },
    error: { message: /^Could not unzip/ },
  },
  "a zip that writes through its own symlink": {
    input: { Code: { ZipFile: zipOf({ a: { data: "/tmp", mode: 0o120777 }, "a/evil": "x" }) } },
    error: { message: /^Could not unzip/ },
  },
  "an empty zip": {
    input: { Code: { ZipFile: zipOf({}) } },
    error: { message: "Uploaded file must be a non-empty zip" },
  },
  "no code": { input: { Code: {} }, error: { message: "Please provide a source for function code." } },
  "two codes": {
    input: { Code: { ZipFile: bash(""), S3Bucket: "bucket", S3Key: "key" } },
    error: { message: "Please do not provide other FunctionCode parameters when providing a ZipFile." },
  },
  "a zip of more than 50 MB": {
    input: { Code: { ZipFile: new Uint8Array(MAX_ZIPPED_BYTES + 1) } },
    error: { name: "RequestEntityTooLargeException", message: "Zipped size must be smaller than 52428800 bytes" },
  },
  "a zip of more than 250 MB unzipped": {
    input: { Code: { ZipFile: zipOf({ big: { data: "x", size: 262_144_001 } }) } },
    error: { name: "InvalidParameterValueException", message: "Unzipped size must be smaller than 262144000 bytes" },
  },
  "a container image": {
    input: { PackageType: "Image" },
    error: { name: "NotImplemented", message: /PackageType Image/ },
  },
  "a VPC": {
    input: { VpcConfig: { SubnetIds: ["subnet-1"] } },
    error: { name: "NotImplemented", message: /VpcConfig/ },
  },
  "active tracing": { input: { TracingConfig: { Mode: "Active" } }, error: { name: "NotImplemented" } },
};

test("CreateFunction refuses, in AWS's words where AWS has them", async (t) => {
  await using cloud = await startCloudWithRole();
  for (const [what, { input, error }] of Object.entries(REFUSED))
    await t.test(what, () => assert.rejects(cloud.lambda.send(create(input)), error));
  assert.deepEqual((await cloud.lambda.send(new ListFunctionsCommand())).Functions, []);
});

test("CreateFunction takes the empty forms of what it does not have, and the largest environment", async () => {
  await using cloud = await startCloudWithRole();
  const created = await cloud.lambda.send(
    create({
      ...environment(4096),
      Layers: [],
      FileSystemConfigs: [],
      VpcConfig: { SubnetIds: [], SecurityGroupIds: [] },
      TracingConfig: { Mode: "PassThrough" },
      SnapStart: { ApplyOn: "None" },
      DeadLetterConfig: { TargetArn: "" },
    }),
  );
  assert.equal(created.DeadLetterConfig, undefined);
});

test("CreateFunction refuses a second function of one name, and a role that does not trust Lambda", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.lambda.send(create());
  await assert.rejects(cloud.lambda.send(create()), {
    name: "ResourceConflictException",
    message: "Function already exist: f",
  });
  await createRole(cloud, "other", "ec2.amazonaws.com");
  await assert.rejects(cloud.lambda.send(create({ FunctionName: "g", Role: `arn:aws:iam::${ACCOUNT}:role/other` })), {
    message: "The role defined for the function cannot be assumed by Lambda.",
  });
});

test("Code comes from S3 too, and what S3 says of a missing bucket or key is passed on", async () => {
  await using cloud = await startCloudWithRole();
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: "code" }));
  await s3.send(new PutObjectCommand({ Bucket: "code", Key: "a.zip", Body: bash("echo 2") }));
  const { CodeSize } = await cloud.lambda.send(create({ Code: { S3Bucket: "code", S3Key: "a.zip" } }));
  assert.equal(CodeSize, bash("echo 2").length);
  assert.equal((await cloud.invoke("f")).payload, 2);
  for (const [S3Bucket, S3Key, reason] of [
    ["nowhere-at-all", "a.zip", "NoSuchBucket. S3 Error Message: The specified bucket does not exist"],
    ["code", "b.zip", "NoSuchKey. S3 Error Message: The specified key does not exist."],
  ] as const)
    await assert.rejects(cloud.lambda.send(new UpdateFunctionCodeCommand({ FunctionName: "f", S3Bucket, S3Key })), {
      name: "InvalidParameterValueException",
      message: `Error occurred while GetObject. S3 Error Code: ${reason}`,
    });
});

test("UpdateFunctionCode and UpdateFunctionConfiguration change what they are given, and the revision", async () => {
  await using cloud = await startCloudWithRole();
  const created = await cloud.lambda.send(create({ Environment: { Variables: { A1: "1" } }, Description: "first" }));
  const code = await cloud.lambda.send(
    new UpdateFunctionCodeCommand({ FunctionName: "f", ZipFile: bash("echo 2"), RevisionId: created.RevisionId }),
  );
  assert.notEqual(code.CodeSha256, created.CodeSha256);
  assert.notEqual(code.RevisionId, created.RevisionId);
  const changed = await cloud.lambda.send(
    new UpdateFunctionConfigurationCommand({
      FunctionName: "f",
      Timeout: 7,
      MemorySize: 256,
      LoggingConfig: { LogGroup: "/my/group" },
      RevisionId: code.RevisionId,
    }),
  );
  assert.deepEqual(
    [changed.Timeout, changed.MemorySize, changed.LoggingConfig?.LogGroup, changed.Description, changed.CodeSha256],
    [7, 256, "/my/group", "first", code.CodeSha256],
  );
  assert.deepEqual(changed.Environment, { Variables: { A1: "1" } });
  const emptied = await cloud.lambda.send(
    new UpdateFunctionConfigurationCommand({ FunctionName: "f", Environment: { Variables: {} }, Description: "" }),
  );
  assert.deepEqual([emptied.Environment, emptied.Description], [{ Variables: {} }, ""]);

  const mismatch = {
    name: "PreconditionFailedException",
    message:
      "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
  };
  const RevisionId = created.RevisionId;
  await assert.rejects(
    cloud.lambda.send(new UpdateFunctionCodeCommand({ FunctionName: "f", ZipFile: bash("echo 3"), RevisionId })),
    mismatch,
  );
  await assert.rejects(
    cloud.lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: "f", Timeout: 9, RevisionId })),
    mismatch,
  );
  await assert.rejects(
    cloud.lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: "f", Role: `${ROLE}-unknown` })),
    { message: "The role defined for the function cannot be assumed by Lambda." },
  );
  await assert.rejects(cloud.lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: "g", Timeout: 9 })), {
    message: `Function not found: ${arnOf("g")}`,
  });
});

test("UpdateFunctionCode with DryRun says what would be, and changes nothing", async () => {
  await using cloud = await startCloudWithRole();
  const before = await cloud.lambda.send(create());
  const dry = await cloud.lambda.send(
    new UpdateFunctionCodeCommand({ FunctionName: "f", ZipFile: bash("echo 2"), DryRun: true }),
  );
  assert.notEqual(dry.CodeSha256, before.CodeSha256);
  const after = await cloud.lambda.send(new GetFunctionConfigurationCommand({ FunctionName: "f" }));
  assert.deepEqual([after.CodeSha256, after.RevisionId], [before.CodeSha256, before.RevisionId]);
});

test("ListFunctions pages in the order of names, without state", async () => {
  await using cloud = await startCloudWithRole();
  const names = ["a", "b", "c", "d", "e"];
  for (const FunctionName of names.toReversed()) await cloud.lambda.send(create({ FunctionName }));
  const seen: string[] = [];
  for await (const page of paginateListFunctions({ client: cloud.lambda, pageSize: 2 }, {})) {
    assert.ok(page.Functions!.length <= 2);
    seen.push(...page.Functions!.map((f) => f.FunctionName!));
    assert.deepEqual(
      page.Functions!.map((f) => [f.State, f.LastUpdateStatus, f.RuntimeVersionConfig]),
      page.Functions!.map(() => [undefined, undefined, undefined]),
    );
  }
  assert.deepEqual(seen, names);
  const all = await cloud.lambda.send(new ListFunctionsCommand({ FunctionVersion: "ALL" }));
  assert.equal(all.Functions?.[0]?.FunctionArn, arnOf("a:$LATEST"));
  await assert.rejects(cloud.lambda.send(new ListFunctionsCommand({ Marker: "garbage" })), {
    name: "InvalidParameterValueException",
  });
});

test("DeleteFunction removes all of a function, and what it refuses it refuses as AWS", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.lambda.send(create());
  const remove = (FunctionName: string, Qualifier?: string) =>
    cloud.lambda.send(new DeleteFunctionCommand({ FunctionName, Qualifier }));
  await assert.rejects(remove("f", "$LATEST"), {
    message: "$LATEST version cannot be deleted without deleting the function.",
  });
  await assert.rejects(remove("f", "live"), { message: "Deletion of aliases is not currently supported." });
  const { $metadata, StatusCode } = await remove("f");
  assert.deepEqual([$metadata.httpStatusCode, StatusCode], [204, 204]);
  await assert.rejects(remove("f"), {
    name: "ResourceNotFoundException",
    message: `Function not found: ${arnOf("f")}`,
  });
  assert.equal((await cloud.lambda.send(new GetAccountSettingsCommand())).AccountUsage?.FunctionCount, 0);
});

test("GetAccountSettings counts functions and bytes", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.lambda.send(create());
  const { AccountLimit, AccountUsage } = await cloud.lambda.send(new GetAccountSettingsCommand());
  assert.deepEqual(AccountUsage, { FunctionCount: 1, TotalCodeSize: bash("echo 1").length });
  assert.equal(AccountLimit?.ConcurrentExecutions, 1000);
});

test("Tags of a function are added, changed, removed and limited to 50", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.lambda.send(create());
  const Resource = arnOf("f");
  const tags = async () => (await cloud.lambda.send(new ListTagsCommand({ Resource }))).Tags;
  assert.deepEqual(await tags(), {});
  const { $metadata } = await cloud.lambda.send(new TagResourceCommand({ Resource, Tags: { A: "a", B: "b" } }));
  assert.equal($metadata.httpStatusCode, 204);
  await cloud.lambda.send(new TagResourceCommand({ Resource, Tags: { B: "b2", C: "c" } }));
  await cloud.lambda.send(new UntagResourceCommand({ Resource, TagKeys: ["A", "none"] }));
  assert.deepEqual(await tags(), { B: "b2", C: "c" });
  const many = Object.fromEntries(Array.from({ length: 49 }, (_, i) => [`k${i}`, ""]));
  await assert.rejects(cloud.lambda.send(new TagResourceCommand({ Resource, Tags: many })), {
    message: "Number of tags exceeds resource tag limit.",
  });
  await assert.rejects(cloud.lambda.send(new TagResourceCommand({ Resource, Tags: {} })), {
    message: "An error occurred and the request cannot be processed.",
  });
  await assert.rejects(cloud.lambda.send(new ListTagsCommand({ Resource: arnOf("g") })), {
    message: `Function not found: ${arnOf("g")}`,
  });
  await assert.rejects(cloud.lambda.send(new TagResourceCommand({ Resource: arnOf("f:1"), Tags: { a: "b" } })), {
    message: "Tags on function aliases and versions are not supported. Please specify a function ARN.",
  });
});
