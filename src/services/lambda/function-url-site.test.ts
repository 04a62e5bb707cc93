// Function URLs as their visitors see them.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AddPermissionCommandInput,
  type CreateFunctionUrlConfigCommandInput,
  Lambda,
} from "@aws-sdk/client-lambda";
import { ROOT } from "../../../test/cloud.ts";
import { type LambdaCloud, startCloudWithRole } from "../../../test/lambda.ts";
import { allow, policy, userWith } from "../../../test/principals.ts";
import { visit } from "../../../test/url.ts";

type Permission = Partial<AddPermissionCommandInput>;

/** What SAM gives to a URL that is everybody's. */
async function open(cloud: LambdaCloud, FunctionName: string, more: Permission = {}): Promise<void> {
  const lambda = cloud.client(Lambda);
  const given = { FunctionName, Principal: "*", ...more };
  await lambda.addPermission({
    ...given,
    StatementId: "url",
    Action: "lambda:InvokeFunctionUrl",
    FunctionUrlAuthType: "NONE",
  });
  await lambda.addPermission({
    ...given,
    StatementId: "function",
    Action: "lambda:InvokeFunction",
    InvokedViaFunctionUrl: true,
  });
}

async function urlFor(
  cloud: LambdaCloud,
  FunctionName: string,
  more: Partial<CreateFunctionUrlConfigCommandInput> = {},
): Promise<string> {
  if (more.AuthType !== "AWS_IAM") await open(cloud, FunctionName);
  const lambda = cloud.client(Lambda);
  const { FunctionUrl } = await lambda.createFunctionUrlConfig({ FunctionName, AuthType: "NONE", ...more });
  return FunctionUrl!;
}

test("a request becomes an event of payload format 2.0", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("echo", 'echo "$1"');
  const url = await urlFor(cloud, "echo");
  const { host } = new URL(url);
  const id = host.split(".")[0]!;
  const seen = await visit(`${url}a%20b/c?x=1&y=2&x=%C3%BC`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Cookie: "a=1; b=2", "X-Two": "one,two", "User-Agent": "tester" },
    body: '{"ü":1}',
  });
  assert.equal(seen.status, 200);
  assert.equal(seen.headers["content-type"], "application/json");
  const event = JSON.parse(seen.text);
  const { requestId, time, timeEpoch } = event.requestContext;
  assert.equal(seen.headers["x-amzn-requestid"], requestId);
  assert.match(time, /^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/);
  assert.deepEqual(event, {
    version: "2.0",
    routeKey: "$default",
    rawPath: "/a%20b/c",
    rawQueryString: "x=1&y=2&x=%C3%BC",
    cookies: ["a=1", "b=2"],
    headers: {
      "content-type": "application/json",
      "content-length": "8",
      connection: "keep-alive",
      host,
      "user-agent": "tester",
      "x-two": "one,two",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-port": new URL(cloud.endpoint).port,
      "x-forwarded-proto": "http",
    },
    queryStringParameters: { x: "1,ü", y: "2" },
    requestContext: {
      accountId: "anonymous",
      apiId: id,
      domainName: host.replace(/:\d+$/, ""),
      domainPrefix: id,
      http: { method: "POST", path: "/a%20b/c", protocol: "HTTP/1.1", sourceIp: "127.0.0.1", userAgent: "tester" },
      requestId,
      routeKey: "$default",
      stage: "$default",
      time,
      timeEpoch,
    },
    body: '{"ü":1}',
    isBase64Encoded: false,
  });
  const bodies = [
    ["text/plain", "hi", false],
    ["application/vnd.api+json", "{}", false],
    ["application/x-www-form-urlencoded", "YT0x", true],
    ["application/octet-stream", "AAE=", true],
  ] as const;
  for (const [type, said, isBase64Encoded] of bodies) {
    const body = isBase64Encoded ? Buffer.from(said, "base64") : said;
    const answer = JSON.parse((await visit(url, { method: "PUT", headers: { "content-type": type }, body })).text);
    assert.deepEqual([answer.body, answer.isBase64Encoded], [said, isBase64Encoded], type);
  }
  const bare = JSON.parse((await visit(url)).text);
  assert.ok(!("body" in bare) && !("cookies" in bare) && !("queryStringParameters" in bare));
  const large = await visit(url, { method: "POST", body: Buffer.alloc(6_300_000) });
  assert.equal(large.status, 413);
  assert.equal(large.text, '{"message":"Request must be smaller than 6291456 bytes for the InvokeFunction operation"}');
});

test("what a function answers becomes an HTTP answer", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("says", "jq -r '.body' <<<\"$1\"");
  const url = await urlFor(cloud, "says");
  const say = (body: string) => visit(url, { method: "POST", headers: { "content-type": "text/plain" }, body });
  const plain = [
    ['{"hello":"world"}', '{"hello":"world"}'],
    ['"hello"', '"hello"'],
    ["3.1", "3.1"],
    ["null", "null"],
    ['{"statusCode":200,"body":"body123"}', "body123"],
    ['{"statusCode":"418","body":"teapot"}', "teapot"],
    ['{"statusCode":200,"body":{"a":1}}', '{"a":1}'],
    ['{"statusCode":204}', ""],
  ] as const;
  for (const [said, text] of plain) {
    const seen = await say(said);
    assert.equal(seen.text, text, said);
    assert.equal(seen.headers["content-type"], "application/json", said);
  }
  assert.equal((await say('{"statusCode":"418"}')).status, 418);
  const full = await say(
    JSON.stringify({
      statusCode: 201,
      headers: { "Content-Type": "image/png", "X-Number": 5, "Content-Length": "999" },
      cookies: ["a=1; Secure", "b=2"],
      body: "AAEC",
      isBase64Encoded: true,
    }),
  );
  assert.equal(full.status, 201);
  assert.equal(full.text, "\0\x01\x02");
  assert.equal(full.headers["content-type"], "image/png");
  assert.equal(full.headers["x-number"], "5");
  assert.equal(full.headers["content-length"], "3");
  assert.equal(full.headers["x-amzn-remapped-content-length"], "999");
  assert.deepEqual(full.headers["set-cookie"], ["a=1; Secure", "b=2"]);
  const bad = ["no json", '{"statusCode":"x"}', '{"statusCode":99}', '{"statusCode":200,"headers":{"a b":"c"}}'];
  for (const said of bad) {
    const seen = await say(said);
    assert.deepEqual([seen.status, seen.text], [502, "Internal Server Error"], said);
  }
});

test("a function that fails is a 502, a URL that is not there a 403", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash("fails", "echo why >&2; return 3");
  const url = await urlFor(cloud, "fails");
  const failed = await visit(url);
  assert.deepEqual([failed.status, failed.text], [502, "Internal Server Error"]);
  const nowhere = await visit(url.replace(/\/\/[0-9a-f]+/, "//0123456789abcdefghijklmnopqrstuv"));
  assert.deepEqual([nowhere.status, nowhere.text], [403, '{"Message":null}']);
  assert.equal(nowhere.headers["x-amzn-errortype"], "AccessDeniedException");
  const elsewhere = await visit(url.replace("us-east-1", "eu-west-1"));
  assert.equal(elsewhere.text, '{"Message":null}', "an id is good in its region");
  await cloud.client(Lambda).deleteFunction({ FunctionName: "fails" });
  assert.equal((await visit(url)).text, '{"Message":null}');
});

test("who may: the function's policy for everybody, IAM for who signs, both permissions of both", async () => {
  await using cloud = await startCloudWithRole();
  const lambda = cloud.client(Lambda);
  await cloud.createBash("guarded", 'echo "$1"');
  const FunctionName = "guarded";
  const { FunctionUrl } = await lambda.createFunctionUrlConfig({ FunctionName, AuthType: "NONE" });
  const url = FunctionUrl!;
  const forbidden = async (seen: ReturnType<typeof visit>) => {
    const { status, text, headers } = await seen;
    assert.equal(status, 403);
    assert.equal(headers["x-amzn-errortype"], "AccessDeniedException");
    assert.equal(
      JSON.parse(text).Message,
      "Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html",
    );
  };
  await forbidden(visit(url));
  await forbidden(visit(url, { as: ROOT }));
  await open(cloud, FunctionName);
  assert.equal((await visit(url)).status, 200);
  const raw = await fetch(`${cloud.endpoint}/2015-03-31/functions/guarded/invocations`, { method: "POST" });
  assert.equal(raw.status, 403, "by its URL alone");
  await lambda.removePermission({ FunctionName, StatementId: "function" });
  await forbidden(visit(url));

  await lambda.updateFunctionUrlConfig({ FunctionName, AuthType: "AWS_IAM" });
  await forbidden(visit(url));
  const root = JSON.parse((await visit(url, { as: ROOT, method: "POST", body: "x" })).text);
  assert.equal(root.requestContext.accountId, "000000000000");
  const may = policy(allow(["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"]));
  const key = await userWith(cloud, "visitor", { may });
  const { iam } = JSON.parse((await visit(`${url}x?a=b`, { as: key })).text).requestContext.authorizer;
  assert.match(iam.userId, /^AIDA/);
  assert.deepEqual(iam, {
    accessKey: key.accessKeyId,
    accountId: "000000000000",
    callerId: iam.userId,
    cognitoIdentity: null,
    principalOrgId: null,
    userArn: "arn:aws:iam::000000000000:user/visitor",
    userId: iam.userId,
  });
  const half = await userWith(cloud, "half", { may: policy(allow("lambda:InvokeFunctionUrl")) });
  const denied = await visit(url, { as: half });
  await forbidden(Promise.resolve(denied));
  const { explanations } = await cloud.aws.why({ names: [String(denied.headers["x-amzn-requestid"])] });
  const [{ call, outcome, principal, decisions }] = explanations as [(typeof explanations)[0]];
  assert.deepEqual(
    [call, outcome, principal, decisions.map(({ action, allowed }) => `${action} ${allowed}`)],
    [
      "lambda FunctionUrl",
      "AccessDeniedException 403",
      "arn:aws:iam::000000000000:user/half",
      ["lambda:InvokeFunctionUrl true", "lambda:InvokeFunction false"],
    ],
  );
  const wrong = await visit(url, { as: { ...key, secretAccessKey: "wrong" } });
  assert.equal(wrong.status, 403);
  assert.equal(wrong.headers["x-amzn-errortype"], "InvalidSignatureException");
  assert.match(JSON.parse(wrong.text).message, /^The request signature we calculated does not match/);
});

test("an alias has its own URL and policy, and the function sees by which it was called", async () => {
  await using cloud = await startCloudWithRole();
  const lambda = cloud.client(Lambda);
  const FunctionName = "versioned";
  await cloud.createNode(
    FunctionName,
    "export const handler = async (e, { functionVersion, invokedFunctionArn }) => [functionVersion, invokedFunctionArn];",
  );
  await lambda.publishVersion({ FunctionName });
  await lambda.createAlias({ FunctionName, Name: "live", FunctionVersion: "1" });
  const { FunctionUrl } = await lambda.createFunctionUrlConfig({ FunctionName, Qualifier: "live", AuthType: "NONE" });
  await open(cloud, FunctionName);
  assert.equal((await visit(FunctionUrl!)).status, 403, "the function's policy is not the alias's");
  await open(cloud, FunctionName, { Qualifier: "live" });
  assert.deepEqual(JSON.parse((await visit(FunctionUrl!)).text), [
    "1",
    `arn:aws:lambda:us-east-1:000000000000:function:${FunctionName}:live`,
  ]);
});

test("a URL's CORS answers preflights, and overrides what the function says", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createBash(
    "cors",
    `echo '{"statusCode":200,"headers":{"Access-Control-Allow-Origin":"https://other.example"},"body":"ran"}'`,
  );
  const origin = "https://a.example";
  const url = await urlFor(cloud, "cors", {
    Cors: {
      AllowOrigins: [origin],
      AllowMethods: ["GET", "PUT"],
      AllowHeaders: ["x-custom"],
      ExposeHeaders: ["x-seen"],
      AllowCredentials: true,
      MaxAge: 60,
    },
  });
  const ask = (from: string) =>
    visit(url, { method: "OPTIONS", headers: { origin: from, "access-control-request-method": "PUT" } });
  const preflight = await ask(origin);
  assert.deepEqual([preflight.status, preflight.text], [200, ""]);
  const corsOf = (headers: object) =>
    Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith("access-control-")));
  assert.deepEqual(corsOf(preflight.headers), {
    "access-control-allow-origin": origin,
    "access-control-allow-methods": "GET,PUT",
    "access-control-allow-headers": "x-custom",
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "x-seen",
    "access-control-max-age": "60",
  });
  assert.deepEqual(corsOf((await ask("https://evil.example")).headers), {});
  const seen = await visit(url, { headers: { origin } });
  assert.equal(seen.text, "ran");
  assert.equal(seen.headers["access-control-allow-origin"], origin);
  assert.equal((await visit(url, { method: "OPTIONS" })).text, "ran", "no preflight without its headers");
  await cloud.client(Lambda).updateFunctionUrlConfig({ FunctionName: "cors", Cors: { AllowOrigins: ["*"] } });
  assert.equal((await ask("https://any.example")).headers["access-control-allow-origin"], "*");
  await cloud.client(Lambda).updateFunctionUrlConfig({ FunctionName: "cors", Cors: {} });
  assert.equal((await ask(origin)).text, "ran", "without CORS it is the function's to answer");
});

test("a streaming URL answers while the function runs", async () => {
  await using cloud = await startCloudWithRole();
  await cloud.createNode(
    "streams",
    `export const handler = awslambda.streamifyResponse(async ({ rawPath }, out) => {
       if (rawPath === "/early") throw new Error("early");
       if (rawPath === "/http") {
         out = awslambda.HttpResponseStream.from(out, {
           statusCode: 201, headers: { "Content-Type": "text/event-stream", "x-a": "b" }, cookies: ["c=1", "d=2"],
         });
       }
       out.write("data: 1\\n\\n");
       await new Promise((r) => setTimeout(r, 20));
       if (rawPath === "/late") throw new Error("late");
       out.write("data: 2\\n\\n");
       out.end();
     });`,
  );
  await cloud.createNode("whole", "export const handler = async () => ({ statusCode: 201 });");
  await cloud.createBash(
    "shell",
    `printf '%s\\0\\0\\0\\0\\0\\0\\0\\0' '{"statusCode":202}'; sleep 0.01; echo "$1" | jq .rawPath`,
  );
  const url = await urlFor(cloud, "streams", { InvokeMode: "RESPONSE_STREAM" });
  const text = "data: 1\n\ndata: 2\n\n";
  const plain = await visit(url);
  assert.deepEqual([plain.status, plain.text, plain.cut], [200, text, false]);
  assert.equal(plain.headers["content-type"], "application/octet-stream");
  assert.equal(plain.headers["transfer-encoding"], "chunked");
  const http = await visit(`${url}http`);
  assert.deepEqual([http.status, http.text], [201, text]);
  assert.equal(http.headers["content-type"], "text/event-stream");
  assert.equal(http.headers["x-a"], "b");
  assert.deepEqual(http.headers["set-cookie"], ["c=1", "d=2"]);
  const early = await visit(`${url}early`);
  assert.deepEqual([early.status, early.text], [502, "Internal Server Error"]);
  const late = await visit(`${url}late`);
  assert.deepEqual([late.status, late.text, late.cut], [200, "data: 1\n\n", true]);
  const whole = await visit(await urlFor(cloud, "whole", { InvokeMode: "RESPONSE_STREAM" }));
  assert.deepEqual([whole.status, whole.text], [200, '{"statusCode":201}'], "what does not stream is passed as it is");
  const shell = await visit(await urlFor(cloud, "shell", { InvokeMode: "RESPONSE_STREAM" }));
  assert.deepEqual([shell.status, shell.text], [202, '"/"\n'], "bash may give status and headers too");
});
