// What the door answers by itself, before any service is asked.
import assert from "node:assert/strict";
import { test } from "node:test";
import { APIGatewayClient, GetRestApisCommand } from "@aws-sdk/client-api-gateway";
import { CloudWatchClient, DescribeAlarmsCommand } from "@aws-sdk/client-cloudwatch";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListBucketMetricsConfigurationsCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { ListPlatformApplicationsCommand, SNSClient } from "@aws-sdk/client-sns";
import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { start } from "../src/aws.ts";
import { startCloud } from "./cloud.ts";
import { exchange, parseAnswer } from "./raw.ts";

const error = async (sent: Promise<unknown>): Promise<{ name: string; message: string; status: number }> => {
  try {
    await sent;
  } catch (thrown) {
    const { name, message, $metadata } = thrown as {
      name: string;
      message: string;
      $metadata: { httpStatusCode: number };
    };
    return { name, message, status: $metadata?.httpStatusCode };
  }
  throw new Error("it was answered with success");
};

test("an operation that is not built is refused by name, in every protocol", async () => {
  await using cloud = await startCloud();
  const refused: [sent: () => Promise<unknown>, name: string][] = [
    [() => cloud.client(SSMClient).send(new GetParameterCommand({ Name: "a" })), "ssm GetParameter"],
    [() => cloud.client(SNSClient).send(new ListPlatformApplicationsCommand({})), "sns ListPlatformApplications"],
    [() => cloud.client(APIGatewayClient).send(new GetRestApisCommand({})), "apigateway GetRestApis"],
    [() => cloud.client(CloudWatchClient).send(new DescribeAlarmsCommand({})), "cloudwatch DescribeAlarms"],
    [
      () => cloud.client(S3Client).send(new ListBucketMetricsConfigurationsCommand({ Bucket: "b" })),
      "s3 ListBucketMetricsConfigurations",
    ],
  ];
  for (const [send, name] of refused) {
    const { status, message } = await error(send());
    assert.equal(status, 501, name);
    assert.equal(message, `aws-like does not implement ${name} yet.`);
  }
});

test("bytes that are no HTTP are answered with a 400, and the next request is served", async () => {
  await using cloud = await startCloud();
  for (const garbage of [
    "\0\0\0\0\r\n\r\n",
    "GET\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "\x16\x03\x01\x02\0",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  ]) {
    const answer = parseAnswer(await exchange(cloud.endpoint, garbage));
    assert.ok(answer === undefined || answer.status === 400, JSON.stringify(garbage));
  }
  assert.equal((await fetch(`${cloud.endpoint}/_aws-like/health`)).status, 200);
});

test("headers beyond the limit are refused", async () => {
  await using cloud = await startCloud();
  const big = `GET / HTTP/1.1\r\nHost: localhost\r\nX-Big: ${"a".repeat(100_000)}\r\n\r\n`;
  const answer = parseAnswer(await exchange(cloud.endpoint, big));
  assert.equal(answer?.status, 400);
  assert.match(answer!.body, /<Code>RequestHeaderSectionTooLarge<\/Code>/);
});

test("a body that announces more than it sends leaves the server well", async () => {
  await using cloud = await startCloud();
  await exchange(
    cloud.endpoint,
    "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\nContent-Length: 100\r\n\r\n{",
    50,
  );
  assert.equal((await fetch(`${cloud.endpoint}/_aws-like/health`)).status, 200);
});

test("a body too large to hold is refused, not held", async () => {
  await using cloud = await startCloud();
  const target = { "x-amz-target": "DynamoDB_20120810.ListTables", "content-type": "application/x-amz-json-1.0" };
  const body = Buffer.alloc(80 * 1024 * 1024, 32);
  const response = await fetch(cloud.endpoint, { method: "POST", headers: target, body }).catch((e: Error) => e);
  if (response instanceof Response) assert.equal(response.status, 413);
});

test("Expect: 100-continue is answered with the refusal, without asking for the body", async () => {
  await using cloud = await startCloud();
  const head = "PUT /bucket/key HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n";
  const answer = parseAnswer(await exchange(cloud.endpoint, head));
  assert.ok(answer && answer.status >= 400, JSON.stringify(answer));
});

test("who is refused for what he asks is not asked for a body that is checked as it streams", async () => {
  await using cloud = await startCloud({ relaxed: true });
  const head = [
    "PUT /no-such-bucket/key HTTP/1.1",
    "Host: localhost",
    "Content-Length: 100000000",
    "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "x-amz-decoded-content-length: 99999900",
    "x-amz-trailer: x-amz-checksum-crc32",
    "Expect: 100-continue",
  ];
  const answer = await exchange(cloud.endpoint, `${head.join("\r\n")}\r\n\r\n`);
  assert.match(answer, /^HTTP\/1\.1 404 /);
  assert.match(answer, /\r\nConnection: close\r\n/i);
});

test("an unknown operation is refused in the caller's protocol", async () => {
  await using cloud = await startCloud();
  const json = await fetch(cloud.endpoint, {
    method: "POST",
    headers: { "x-amz-target": "DynamoDB_20120810.Nonsense" },
    body: "{}",
  });
  assert.equal(json.status, 400);
  assert.match(await json.text(), /UnknownOperationException/);
  const query = await fetch(cloud.endpoint, {
    method: "POST",
    body: new URLSearchParams({ Action: "Nonsense", Version: "2011-06-15" }),
  });
  assert.equal(query.status, 400);
  assert.match(await query.text(), /<Code>InvalidAction<\/Code>/);
});

test("the control API takes nothing from a web page of another origin", async () => {
  await using cloud = await startCloud();
  const reset = await fetch(`${cloud.endpoint}/_aws-like/reset`, {
    method: "POST",
    headers: { origin: "https://evil.example" },
  });
  assert.equal(reset.status, 403);
});

test("with a root secret of one's own the control API demands it", async () => {
  await using cloud = await startCloud({ rootAccessKeyId: "root", rootSecretAccessKey: "secret" });
  const post = (headers: Record<string, string>) =>
    fetch(`${cloud.endpoint}/_aws-like/settle`, { method: "POST", headers });
  assert.equal((await post({})).status, 403);
  assert.equal((await post({ authorization: `Basic ${btoa("root:secret")}` })).status, 200);
  const get = async (path: string) => (await fetch(`${cloud.endpoint}/_aws-like/${path}`)).status;
  assert.deepEqual([await get("health"), await get("why?id=x"), await get("snapshots")], [200, 403, 403]);
});

test("a cloud that others can reach does not start with the secret that everybody knows", async () => {
  for (const host of ["0.0.0.0", "::", "127.evil.example"])
    await assert.rejects(start({ ephemeral: true, host }), /open to others: set AWS_LIKE_ROOT_SECRET/, host);
});

test("the clock stays moved over a restart of the cloud", async () => {
  await using cloud = await startCloud();
  await cloud.aws.clock({ freeze: Date.UTC(2030, 0, 1) });
  await cloud.advance(86_400_000);
  await cloud.aws.closedFor(async () => undefined);
  assert.equal(new Date(cloud.aws.now()).toISOString(), "2030-01-02T00:00:00.000Z");
});

test("a second cloud does not start in a workspace that one runs in", async () => {
  await using cloud = await startCloud();
  const second = start({ dir: cloud.aws.config.dir, port: 0 });
  await assert.rejects(second, /another aws-like runs in .*; stop it first/);
});

test("a header of any text is answered, and ends no process", async () => {
  await using cloud = await startCloud();
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: "texts" }));
  const put = await getSignedUrl(s3, new PutObjectCommand({ Bucket: "texts", Key: "k" }));
  await fetch(put, { method: "PUT", body: "x", headers: { "content-disposition": 'filename="caf\xe9"' } });
  const own = await fetch(await getSignedUrl(s3, new GetObjectCommand({ Bucket: "texts", Key: "k" })));
  assert.equal(own.headers.get("content-disposition"), 'filename="caf\xe9"');
  for (const ResponseContentDisposition of ["caf\xe9", "\u6f22.txt", "a\r\nb: c"]) {
    const asked = new GetObjectCommand({ Bucket: "texts", Key: "k", ResponseContentDisposition });
    const answer = await fetch(await getSignedUrl(s3, asked), { signal: AbortSignal.timeout(5_000) });
    assert.equal(answer.status, 200, ResponseContentDisposition);
    assert.equal(answer.headers.get("b"), null);
  }
});
