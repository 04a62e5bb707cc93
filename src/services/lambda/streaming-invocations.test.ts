import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { InvokeWithResponseStreamCommand, type InvokeWithResponseStreamCommandInput } from "@aws-sdk/client-lambda";
import { arnOf, type LambdaCloud, startCloudWithRole } from "../../../test/lambda.ts";

async function stream(cloud: LambdaCloud, name: string, more: Partial<InvokeWithResponseStreamCommandInput> = {}) {
  const answer = await cloud.lambda.send(new InvokeWithResponseStreamCommand({ FunctionName: name, ...more }));
  const chunks: Uint8Array[] = [];
  let complete: { ErrorCode?: string; ErrorDetails?: string; LogResult?: string } | undefined;
  for await (const event of answer.EventStream!) {
    if (event.PayloadChunk) chunks.push(event.PayloadChunk.Payload!);
    if (event.InvokeComplete) complete = event.InvokeComplete;
  }
  return { answer, chunks, text: Buffer.concat(chunks).toString("utf8"), complete };
}

test("InvokeWithResponseStream brings each part when it is written, and says at the end how it went", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createNode(
    "parts",
    `export const handler = awslambda.streamifyResponse(async (event, out, context) => {
       out.setContentType("text/plain");
       for (const part of event.parts) { out.write(part); await new Promise((r) => setTimeout(r, 20)); }
       out.write({ id: context.awsRequestId.length });
       console.log("done");
       out.end();
     });`,
  );
  const { answer, chunks, text, complete } = await stream(cloud, "parts", {
    Payload: JSON.stringify({ parts: ["a", "b", "é"] }),
    LogType: "Tail",
  });
  assert.equal(answer.StatusCode, 200);
  assert.equal(answer.ExecutedVersion, "$LATEST");
  assert.equal(text, 'abé{"id":36}');
  assert.ok(chunks.length >= 3, `${chunks.length} chunks: they come one by one`);
  assert.equal(complete?.ErrorCode, undefined);
  assert.match(Buffer.from(complete!.LogResult!, "base64").toString(), /INFO\tdone[\s\S]*REPORT RequestId/);

  const whole = await cloud.lambda.send(
    new InvokeWithResponseStreamCommand({ FunctionName: "parts", Payload: '{"parts":[]}', InvocationType: "DryRun" }),
  );
  assert.equal(whole.StatusCode, 204);
  await assert.rejects(stream(cloud, "nobody"), {
    name: "ResourceNotFoundException",
    message: `Function not found: ${arnOf("nobody")}:$LATEST`,
  });
  await assert.rejects(stream(cloud, "parts", { Payload: "{" }), { name: "InvalidRequestContentException" });
});

test("what streams and what does not may be asked for either way", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createNode("plain", "export const handler = async (event) => ({ got: event });");
  await cloud.createNode(
    "unended",
    `import { Readable } from "node:stream";
     export const handler = awslambda.streamifyResponse(async (event, out) => {
       Readable.from([JSON.stringify(event), "\\n"]).pipe(awslambda.HttpResponseStream.from(out, { statusCode: 201 }), { end: false });
     });`,
    { Runtime: "nodejs22.x" },
  );
  await cloud.createBash("shell", 'echo "$1"');
  assert.equal((await stream(cloud, "plain", { Payload: '{"a":1}' })).text, '{"got":{"a":1}}');
  assert.equal((await stream(cloud, "shell", { Payload: '{"a":1}' })).text.trim(), '{"a":1}');
  const http = `{"statusCode":201}${"\0".repeat(8)}{"a":1}\n`;
  assert.equal(
    (await stream(cloud, "unended", { Payload: '{"a":1}' })).text,
    http,
    "a stream that nobody ends is ended",
  );
  assert.equal((await stream(cloud, "unended", { Payload: '{"a":1}' })).text, http, "and the runtime goes on");
});

test("a stream that fails says so at its end", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createNode(
    "fails",
    `export const handler = awslambda.streamifyResponse(async ({ how }, out) => {
       if (how === "before") throw new TypeError("no");
       out.write("half");
       if (how === "after") throw new RangeError("too far");
       if (how === "uncaught") { setTimeout(() => { throw new Error("later"); }); await new Promise((r) => setTimeout(r, 5000)); }
       if (how === "exit") process.exit(3);
       if (how === "hang") await new Promise((r) => setTimeout(r, 60_000));
       out.end(" more");
     });`,
  );
  const cases = [
    ["before", "", /^\{"errorType":"TypeError","errorMessage":"no","trace":\[/],
    ["after", "half", /^\{"errorType":"RangeError","errorMessage":"too far","trace":\[/],
    ["uncaught", "half", /"errorMessage":"later"/],
    [
      "exit",
      "half",
      /"errorType":"Runtime.ExitError","errorMessage":"RequestId: \S+ Error: Runtime exited with error: exit status 3"/,
    ],
  ] as const;
  for (const [how, text, details] of cases) {
    const got = await stream(cloud, "fails", { Payload: JSON.stringify({ how }) });
    assert.equal(got.text, text, how);
    assert.equal(got.complete?.ErrorCode, "Unhandled", how);
    assert.match(got.complete!.ErrorDetails!, details);
  }
  assert.equal((await stream(cloud, "fails", { Payload: '{"how":"well"}' })).text, "half more", "it recovers");
  const collected = await cloud.invoke("fails", { how: "after" });
  assert.equal(collected.error, "Unhandled");
  assert.equal(collected.payload.errorType, "RangeError");
});

test("what a bash handler writes is streamed as it writes it", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("lines", 'for i in 1 2 3; do echo "$i"; sleep 0.02; done; echo heard >&2; sleep 30 &');
  await cloud.createBash("fails", "echo half; sleep 0.01; echo why >&2; return 3");
  await cloud.createBash("silent", ":");
  await cloud.createBash("large", "head -c 20000000 /dev/zero");
  await cloud.createBash("late", "echo half; sleep 30", { Timeout: 1 });
  const { text, chunks, complete } = await stream(cloud, "lines", { LogType: "Tail" });
  assert.equal(text, "1\n2\n3\n");
  assert.ok(chunks.length >= 2, `${chunks.length} chunks: they come one by one`);
  assert.match(Buffer.from(complete!.LogResult!, "base64").toString(), /heard/);
  assert.equal(
    (await stream(cloud, "lines")).text,
    "1\n2\n3\n",
    "a job that was left behind does not disturb the next",
  );
  assert.equal((await cloud.invoke("silent")).error, undefined);
  assert.deepEqual((await stream(cloud, "silent")).complete, {});
  assert.equal((await stream(cloud, "large")).text.length, 20_000_000);
  const fails = await stream(cloud, "fails");
  assert.deepEqual(
    [fails.text, fails.complete],
    ["half\n", { ErrorCode: "Unhandled", ErrorDetails: '{"errorType":"Runtime.ExitError","errorMessage":"why"}' }],
  );
  const late = await stream(cloud, "late");
  assert.equal(late.text, "half\n");
  assert.match(late.complete!.ErrorDetails!, /Sandbox\.Timedout.*Task timed out after 1\.00 seconds/);
});

test("a large stream passes with little memory; a client who leaves does not stop the function", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createNode(
    "large",
    `export const handler = awslambda.streamifyResponse(async ({ mb }, out) => {
       const part = Buffer.alloc(1024 * 1024, 120);
       for (let i = 0; i < mb; i++) { out.write(part); await new Promise(setImmediate); }
       console.log("all written");
       out.end();
     });`,
  );
  const before = process.memoryUsage().rss;
  const answer = await cloud.lambda.send(
    new InvokeWithResponseStreamCommand({ FunctionName: "large", Payload: '{"mb":40}' }),
  );
  let bytes = 0;
  for await (const { PayloadChunk } of answer.EventStream!) bytes += PayloadChunk?.Payload?.length ?? 0;
  assert.equal(bytes, 40 * 1024 * 1024);
  assert.ok(process.memoryUsage().rss - before < 150 * 1024 * 1024, "not all of it at once");

  const left = await cloud.lambda.send(
    new InvokeWithResponseStreamCommand({ FunctionName: "large", Payload: '{"mb":20}' }),
  );
  for await (const _ of left.EventStream!) break;
  cloud.lambda.destroy();
  await cloud.settle();
  const dir = join(cloud.aws.config.dir, "logs/lambda/large");
  const log = (await Promise.all((await readdir(dir)).map((name) => readFile(join(dir, name), "utf8")))).join("");
  assert.equal(log.match(/all written/g)?.length, 2);
});
