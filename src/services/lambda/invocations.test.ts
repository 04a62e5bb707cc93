import assert from "node:assert/strict";
import { appendFile, mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { DeleteRoleCommand, DeleteRolePolicyCommand, IAMClient } from "@aws-sdk/client-iam";
import {
  DeleteFunctionCommand,
  InvokeAsyncCommand,
  InvokeCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from "@aws-sdk/client-lambda";
import { arnOf, bash, type LambdaCloud, startCloudWithRole } from "../../../test/lambda.ts";
import { zipOf } from "../../../test/zip.ts";

const logOf = async (cloud: LambdaCloud, name: string): Promise<string> => {
  await cloud.settle();
  const dir = join(cloud.aws.config.dir, "logs/lambda", name);
  return (await Promise.all((await readdir(dir)).map((file) => readFile(join(dir, file), "utf8")))).join("");
};

test("Invoke answers what the function answers, with the version that ran", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("echo", 'echo "$1"');
  const answer = await cloud.lambda.send(new InvokeCommand({ FunctionName: "echo", Payload: '{"ü":[1,2]}' }));
  assert.equal(answer.StatusCode, 200);
  assert.equal(answer.ExecutedVersion, "$LATEST");
  assert.equal(answer.FunctionError, undefined);
  assert.equal(answer.LogResult, undefined);
  assert.equal(answer.Payload!.transformToString().trim(), '{"ü":[1,2]}');
  assert.deepEqual((await cloud.invoke("echo")).payload, {}, "no payload is an empty object");
  const raw = await fetch(`${cloud.endpoint}/2015-03-31/functions/echo/invocations`, { method: "POST" });
  assert.equal(raw.status, 403, "not without a signature");
});

test("A function sees the environment that AWS gives, its own variables, and where this cloud answers", async () => {
  await using cloud = await startCloudWithRole();
  const variables = { TEST_KEY: "a b", TZ: "Europe/Berlin" };
  await cloud.createBash("env", "env -0 | base64 -w0 | jq -R .", { Environment: { Variables: variables } });
  const { payload } = await cloud.invoke("env");
  const env = Object.fromEntries(
    Buffer.from(payload, "base64")
      .toString()
      .split("\0")
      .filter((line) => line.includes("="))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  for (const [name, value] of Object.entries({
    ...variables,
    AWS_REGION: "us-east-1",
    AWS_DEFAULT_REGION: "us-east-1",
    AWS_ENDPOINT_URL: cloud.endpoint,
    AWS_LAMBDA_FUNCTION_NAME: "env",
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128",
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/env",
    AWS_XRAY_CONTEXT_MISSING: "LOG_ERROR",
    LANG: "en_US.UTF-8",
    _HANDLER: "lambda.handler",
  }))
    assert.equal(env[name], value, name);
  assert.match(env.AWS_LAMBDA_LOG_STREAM_NAME!, /^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/);
  assert.match(env.AWS_ACCESS_KEY_ID!, /^ASIA/);
  assert.ok(env.AWS_SECRET_ACCESS_KEY && env.AWS_SESSION_TOKEN);
  assert.match(
    env._X_AMZN_TRACE_ID!,
    /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=[0-9a-f]{8}:1$/,
  );
  assert.equal(env.AWS_EXECUTION_ENV, undefined);
});

test("The log is a file with START, the function's lines, END and REPORT, and LogType Tail answers its end", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("talk", "echo hello >&2; echo 1");
  const answer = await cloud.lambda.send(new InvokeCommand({ FunctionName: "talk", LogType: "Tail" }));
  const id = answer.$metadata.requestId!;
  const tail = Buffer.from(answer.LogResult!, "base64").toString();
  const expected = [
    "INIT_START Runtime Version: provided:al2023\\.v1\\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}",
    `START RequestId: ${id} Version: \\$LATEST`,
    "hello",
    `END RequestId: ${id}`,
    `REPORT RequestId: ${id}\\tDuration: [\\d.]+ ms\\tBilled Duration: \\d+ ms\\tMemory Size: 128 MB\\tMax Memory Used: \\d+ MB\\tInit Duration: [\\d.]+ ms\\t`,
  ];
  assert.match(tail, new RegExp(`^${expected.join("\\n")}\\n$`));
  const at = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z ";
  assert.match(await logOf(cloud, "talk"), new RegExp(`^${expected.map((line) => at + line).join("\\n")}\\n$`));
  assert.doesNotMatch((await cloud.invoke("talk", {}, { LogType: "Tail" })).log, /INIT_START|Init Duration/);
});

test("DryRun answers 204 and runs nothing", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("echo", "echo 1");
  const answer = await cloud.lambda.send(new InvokeCommand({ FunctionName: "echo", InvocationType: "DryRun" }));
  assert.deepEqual([answer.StatusCode, answer.$metadata.httpStatusCode], [204, 204]);
  await cloud.settle();
  assert.ok(!(await readdir(join(cloud.aws.config.dir, "logs"))).includes("lambda"));
});

test("A function that exits, and one that takes too long, end in AWS's own error documents", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("exits", "exit 3");
  await cloud.createBash("sleeps", "sleep 5; echo 1", { Timeout: 1 });
  await cloud.createBash("fails", "echo 'no such file' >&2; return 2");
  await cloud.createBash("broken", "if", {});
  const exits = await cloud.lambda.send(new InvokeCommand({ FunctionName: "sleeps", LogType: "Tail" }));
  assert.equal(exits.$metadata.httpStatusCode, 200);
  assert.equal(exits.FunctionError, "Unhandled");
  const id = exits.$metadata.requestId;
  assert.deepEqual(JSON.parse(exits.Payload!.transformToString()), {
    errorType: "Sandbox.Timedout",
    errorMessage: `RequestId: ${id} Error: Task timed out after 1.00 seconds`,
  });
  const tail = Buffer.from(exits.LogResult!, "base64").toString();
  assert.match(tail, new RegExp(`Z ${id} Task timed out after 1.00 seconds`));
  assert.match(tail, /REPORT .*\tStatus: timeout\t\n$/);

  const fails = await cloud.invoke("fails");
  assert.equal(fails.error, "Unhandled");
  assert.match(JSON.stringify(fails.payload), /no such file/);
  const broken = await cloud.invoke("broken");
  assert.equal(broken.error, "Unhandled");
  const exit = await cloud.invoke("exits", {}, { LogType: "Tail" });
  assert.equal(exit.error, "Unhandled");
  for (const name of ["exits", "sleeps", "fails", "broken"])
    assert.match(await logOf(cloud, name), /\n\S+Z END RequestId: .*\n\S+Z REPORT/);
});

test("Ten megabytes of answer are an error, ten of log are in the file, and the function goes on", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", "n=$(jq .n <<<\"$1\"); head -c $n /dev/zero | tr '\\0' a; echo $n", { Timeout: 30 });
  await cloud.createBash("logs", 'yes "$(printf %099d 0)" | head -n 100000 >&2; echo 1', { Timeout: 30 });
  const big = await cloud.invoke("f", { n: 10_000_000 });
  assert.deepEqual(
    [big.error, big.payload],
    [
      "Unhandled",
      {
        errorType: "Function.ResponseSizeTooLarge",
        errorMessage: "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
      },
    ],
  );
  assert.equal((await cloud.invoke("f", { n: 0 })).payload, 0);
  const answer = await cloud.invoke("logs", {}, { LogType: "Tail" });
  assert.equal(answer.payload, 1);
  assert.match(answer.log, /^0+\n.*END RequestId.*REPORT/s);
  assert.equal(answer.log.length, 4096);
  assert.equal((await logOf(cloud, "logs")).split("\n").filter((line) => / 0{99}$/.test(line)).length, 100_000);
});

test("Invoke refuses what AWS refuses", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("echo", "echo 1");
  const invoke = (more: object) => cloud.lambda.send(new InvokeCommand({ FunctionName: "echo", ...more }));
  await assert.rejects(invoke({ FunctionName: "nobody" }), {
    name: "ResourceNotFoundException",
    message: `Function not found: ${arnOf("nobody:$LATEST")}`,
  });
  await assert.rejects(invoke({ Payload: "{" }), {
    name: "InvalidRequestContentException",
    message: /^Could not parse request body into json: Could not parse payload into json: /,
  });
  await assert.rejects(invoke({ Payload: Buffer.from([0x22, 0xff, 0x22]) }), {
    name: "InvalidRequestContentException",
  });
  await assert.rejects(invoke({ Payload: JSON.stringify("x".repeat(6_291_455)) }), {
    name: "RequestEntityTooLargeException",
    message: "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)",
  });
  await assert.rejects(invoke({ Payload: JSON.stringify("x".repeat(1_048_575)), InvocationType: "Event" }), {
    message: "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
  });
  await assert.rejects(invoke({ ClientContext: "!!" }), {
    name: "InvalidRequestContentException",
    message: "Client context must be a valid Base64-encoded JSON object.",
  });
  await assert.rejects(invoke({ TenantId: "t" }), { name: "NotImplemented", message: /TenantId/ });
});

test("New code and a new configuration are what the next invocation runs", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", 'echo "[1,\\"$V\\",$(cat /tmp/n 2>/dev/null || echo 0)]"; echo 5 >/tmp/n');
  assert.deepEqual((await cloud.invoke("f")).payload, [1, "", 0]);
  assert.deepEqual((await cloud.invoke("f")).payload, [1, "", 5], "the same environment, with its /tmp");
  await cloud.lambda.send(
    new UpdateFunctionConfigurationCommand({ FunctionName: "f", Environment: { Variables: { V1: "x" } } }),
  );
  assert.deepEqual((await cloud.invoke("f")).payload, [1, "", 0], "a new environment");
  await cloud.lambda.send(new UpdateFunctionCodeCommand({ FunctionName: "f", ZipFile: bash('echo "\\"$V1\\""') }));
  assert.equal((await cloud.invoke("f")).payload, "x");
});

test("An edit of live code, a file or a directory, is what the next invocation runs", async () => {
  await using cloud = await startCloudWithRole();
  const { dir } = cloud.aws.config;
  await mkdir(join(dir, "code"));
  for (const path of ["lambda.sh", "code/lambda.sh"]) {
    const file = join(dir, path);
    const S3Key = path === "lambda.sh" ? file : join(dir, "code");
    await writeFile(file, "handler() { ls -A /var/task | tr '\\n' ' ' | jq -R .; }\n");
    await cloud.createBash("live", "", {
      FunctionName: path.replace(/\W/g, "_"),
      Code: { S3Bucket: "hot-reload", S3Key },
    });
    const name = path.replace(/\W/g, "_");
    assert.equal((await cloud.invoke(name)).payload, "lambda.sh ");
    await appendFile(file, "handler() { echo 2; }\n");
    assert.equal((await cloud.invoke(name)).payload, 2);
    await writeFile(file, "handler() { echo 3; }\n");
    assert.equal((await cloud.invoke(name)).payload, 3);
  }
});

test("A function whose role is gone cannot be run, and says so as AWS does", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", "echo 1");
  const iam = cloud.client(IAMClient);
  await iam.send(new DeleteRolePolicyCommand({ RoleName: "function", PolicyName: "all" }));
  await iam.send(new DeleteRoleCommand({ RoleName: "function" }));
  await assert.rejects(cloud.invoke("f"), {
    name: "AccessDeniedException",
    message: "The role defined for the function cannot be assumed by Lambda.",
  });
});

test("Code that no function has any more is removed at the next start; the code of one that is there is not", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("f", "echo 1");
  await cloud.createBash("g", "echo 2");
  await cloud.lambda.send(new DeleteFunctionCommand({ FunctionName: "g" }));
  const home = join(cloud.aws.config.dir, ".aws-like/lambda/code");
  assert.equal((await readdir(home)).length, 4);
  const longAgo = new Date(0);
  await cloud.aws.closedFor(async () => {
    for (const name of await readdir(home)) await utimes(join(home, name), longAgo, longAgo);
  });
  assert.equal((await readdir(home)).length, 2);
  assert.equal((await cloud.invoke("f")).payload, 1);
});

test("Node and Python functions run too", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("js", "", {
    Runtime: "nodejs22.x",
    Handler: "index.handler",
    Code: {
      ZipFile: zipOf({
        "index.mjs":
          "export const handler = async (event, context) => ({ event, name: context.functionName, client: context.clientContext });",
      }),
    },
  });
  await cloud.createBash("py", "", {
    Runtime: "python3.13",
    Handler: "app.handler",
    Code: { ZipFile: zipOf({ "app.py": "def handler(event, context):\n    raise ValueError('no')\n" }) },
  });
  const ClientContext = Buffer.from('{"custom":{"a":"b"}}').toString("base64");
  const js = await cloud.invoke("js", { a: 1 }, { ClientContext });
  assert.deepEqual(js.payload, { event: { a: 1 }, name: "js", client: { custom: { a: "b" } } });
  const py = await cloud.invoke("py");
  assert.deepEqual([py.error, py.payload.errorType, py.payload.errorMessage], ["Unhandled", "ValueError", "no"]);
});

test("What a function calls is caused by its invocation", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash(
    "calls",
    `curl -sS --aws-sigv4 "aws:amz:$AWS_REGION:lambda" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \\
       -H "x-amz-security-token: $AWS_SESSION_TOKEN" "$AWS_ENDPOINT_URL/2016-08-19/account-settings/" | jq .AccountUsage`,
  );
  const answer = await cloud.lambda.send(new InvokeCommand({ FunctionName: "calls" }));
  assert.equal(JSON.parse(answer.Payload!.transformToString()).FunctionCount, 1);
  const { entries: chain } = await cloud.aws.why({ names: [answer.$metadata.requestId!] });
  const call = chain.find((entry) => entry.text.startsWith("GetAccountSettings"));
  assert.equal(call?.cause, answer.$metadata.requestId);
  assert.match(String(call?.fields?.principal), /assumed-role\/function\/calls$/);
});

test("InvokeAsync accepts an event of up to 256 KB for later", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("old", 'echo "got $1" >&2');
  const send = (InvokeArgs: string, FunctionName = "old") =>
    cloud.lambda.send(new InvokeAsyncCommand({ FunctionName, InvokeArgs }));
  const answer = await send('{"by":"post"}');
  assert.deepEqual([answer.Status, answer.$metadata.httpStatusCode], [202, 202]);
  assert.match(await logOf(cloud, "old"), /got \{"by":"post"\}/);
  await assert.rejects(send("{"), { name: "InvalidRequestContentException" });
  await assert.rejects(send(JSON.stringify("x".repeat(262_144))), { name: "RequestEntityTooLargeException" });
  await assert.rejects(send("{}", "nobody"), { name: "ResourceNotFoundException" });
});
