// Mutated requests against a whole cloud: every answer is an answer of AWS's kind, nothing is a defect (500), nothing is written elsewhere.
// Relaxed, so that a changed request is not stopped at its signature. `FUZZ_SEED=n FUZZ_ROUNDS=n` look further than the test does.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startCloud } from "./cloud.ts";
import { exchange, parseAnswer } from "./raw.ts";

const SEED = Number(process.env.FUZZ_SEED ?? 4566);
const ROUNDS = Number(process.env.FUZZ_ROUNDS ?? 2_000);

const SCOPE = (service: string) =>
  `Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`;

const request = (head: string, service: string, body = ""): string =>
  `${head} HTTP/1.1\r\nHost: localhost\r\n${SCOPE(service)}\r\nConnection: close\r\n${body && `Content-Length: ${Buffer.byteLength(body)}\r\n`}\r\n${body}`;

const json = (target: string, service: string, body: unknown): string =>
  request("POST /", service, JSON.stringify(body)).replace(
    "\r\nConnection",
    `\r\nX-Amz-Target: ${target}\r\nContent-Type: application/x-amz-json-1.0\r\nConnection`,
  );

const form = (service: string, parameters: Record<string, string>): string =>
  request("POST /", service, String(new URLSearchParams(parameters))).replace(
    "\r\nConnection",
    "\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection",
  );

const TAGS = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
const DELETE =
  "<Delete><Object><Key>a/b.txt</Key></Object><Object><Key>c</Key><VersionId>null</VersionId></Object><Quiet>true</Quiet></Delete>";
const DYNAMODB = "DynamoDB_20120810";
const ITEM = {
  name: { S: "a" },
  n: { N: "1.5e3" },
  l: { L: [{ BOOL: true }, { M: { x: { B: "AA==" } } }] },
  s: { NS: ["1", "2"] },
};

/** Requests under way at once: most of a broken one's time is waiting for what does not come. */
const TOGETHER = 20;

/** Sound requests to begin with: each reaches a handler as it stands. */
const SEEDS: readonly string[] = [
  request("PUT /fuzz/a/b.txt", "s3", "hello"),
  request("GET /fuzz/a/b.txt?partNumber=1", "s3"),
  request("GET /fuzz?list-type=2&prefix=a&delimiter=%2F&max-keys=10&encoding-type=url&start-after=a", "s3"),
  request("GET /fuzz?versions&key-marker=a&version-id-marker=null&max-keys=5", "s3"),
  request("POST /fuzz?delete", "s3", DELETE),
  request("PUT /fuzz/a/b.txt?tagging", "s3", TAGS),
  request("POST /fuzz/multi?uploads", "s3"),
  request("PUT /fuzz/multi?partNumber=1&uploadId=abc", "s3", "part"),
  request("HEAD /fuzz/a/b.txt", "s3"),
  request("DELETE /fuzz/a/b.txt?versionId=null", "s3"),
  request("PUT /fuzz?versioning", "s3", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
  request("GET /fuzz/a/b.txt", "s3").replace(
    "\r\nConnection",
    '\r\nRange: bytes=0-3\r\nIf-None-Match: "x"\r\nConnection',
  ),
  request("PUT /fuzz/copy", "s3").replace(
    "\r\nConnection",
    "\r\nx-amz-copy-source: /fuzz/a/b.txt?versionId=null\r\nConnection",
  ),
  request("PUT /fuzz/chunked", "s3", "5;chunk-signature=0\r\nhello\r\n0;chunk-signature=0\r\n\r\n").replace(
    "\r\nConnection",
    "\r\nx-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\nx-amz-decoded-content-length: 5\r\nContent-Encoding: aws-chunked\r\nConnection",
  ),
  json(`${DYNAMODB}.PutItem`, "dynamodb", {
    TableName: "fuzz",
    Item: ITEM,
    ConditionExpression: "attribute_not_exists(#n) OR size(l) > :v",
    ExpressionAttributeNames: { "#n": "name" },
    ExpressionAttributeValues: { ":v": { N: "1" } },
  }),
  json(`${DYNAMODB}.UpdateItem`, "dynamodb", {
    TableName: "fuzz",
    Key: { name: { S: "a" } },
    UpdateExpression: "SET x = if_not_exists(x, :v) + :v, l[0] = :v REMOVE y ADD s :s",
    ExpressionAttributeValues: { ":v": { N: "1" }, ":s": { NS: ["3"] } },
    ReturnValues: "ALL_NEW",
  }),
  json(`${DYNAMODB}.Query`, "dynamodb", {
    TableName: "fuzz",
    KeyConditionExpression: "#n = :v",
    FilterExpression: "n BETWEEN :a AND :b",
    ProjectionExpression: "l[1].x, n",
    ExpressionAttributeNames: { "#n": "name" },
    ExpressionAttributeValues: { ":v": { S: "a" }, ":a": { N: "0" }, ":b": { N: "9" } },
    Limit: 3,
  }),
  json(`${DYNAMODB}.Scan`, "dynamodb", {
    TableName: "fuzz",
    Segment: 0,
    TotalSegments: 2,
    ExclusiveStartKey: { name: { S: "a" } },
  }),
  json(`${DYNAMODB}.BatchWriteItem`, "dynamodb", {
    RequestItems: { fuzz: [{ PutRequest: { Item: ITEM } }, { DeleteRequest: { Key: { name: { S: "b" } } } }] },
  }),
  json(`${DYNAMODB}.CreateTable`, "dynamodb", {
    TableName: "other",
    KeySchema: [{ AttributeName: "p", KeyType: "HASH" }],
    AttributeDefinitions: [{ AttributeName: "p", AttributeType: "S" }],
    BillingMode: "PAY_PER_REQUEST",
  }),
  request("GET /2015-03-31/functions/?MaxItems=10&Marker=a", "lambda"),
  request(
    "POST /2015-03-31/functions",
    "lambda",
    JSON.stringify({
      FunctionName: "f",
      Role: "arn:aws:iam::000000000000:role/r",
      Code: { ZipFile: "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==" },
      Runtime: "python3.13",
      Handler: "a.b",
      Timeout: 3,
    }),
  ),
  request(
    "POST /2015-03-31/functions/f/policy",
    "lambda",
    JSON.stringify({ StatementId: "s", Action: "lambda:InvokeFunction", Principal: "s3.amazonaws.com" }),
  ),
  form("iam", {
    Action: "CreateRole",
    Version: "2010-05-08",
    RoleName: "r",
    AssumeRolePolicyDocument: '{"Version":"2012-10-17","Statement":[]}',
  }),
  form("iam", {
    Action: "PutRolePolicy",
    Version: "2010-05-08",
    RoleName: "r",
    PolicyName: "p",
    PolicyDocument: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}',
  }),
  form("sts", {
    Action: "AssumeRole",
    Version: "2011-06-15",
    RoleArn: "arn:aws:iam::000000000000:role/r",
    RoleSessionName: "s",
    "Tags.member.1.Key": "a",
  }),
  json("AmazonSQS.SendMessage", "sqs", { QueueUrl: "http://localhost/000000000000/q", MessageBody: "x" }),
];

/** What breaks parsers: inserted anywhere. */
const NASTY: readonly string[] = [
  "../",
  "..%2f..%2f..%2fetc%2fpasswd",
  "%00",
  "%",
  "%zz",
  "\0",
  "\u00ff\u00fe",
  "%F0%9F%98%80",
  "\u00f0\u009f\u0098\u0080",
  "-1",
  "99999999999999999999",
  "1e400",
  "NaN",
  "null",
  '"',
  "{".repeat(300),
  "[".repeat(5_000),
  "<a>".repeat(300),
  "&lol;",
  '<!DOCTYPE a [<!ENTITY lol "lol">]>',
  "<![CDATA[",
  "a".repeat(1_100),
  "//",
  "\r\n",
  "\r\nTransfer-Encoding: chunked",
  "?",
  "&",
  ";",
  "(",
  ":v",
  "#n",
  "size(",
  "\\u0000",
  "\\ud800",
];

function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** One to four changes; a body's length is made right again most of the time, so that what is in it is read. */
function mutate(text: string, random: (below: number) => number): string {
  let changed = text;
  for (let changes = 1 + random(4); changes > 0; changes--) {
    const at = random(changed.length);
    const length = 1 + random(random(4) === 0 ? 40 : 4);
    const kinds = [
      () => changed.slice(0, at) + NASTY[random(NASTY.length)] + changed.slice(at),
      () => changed.slice(0, at) + NASTY[random(NASTY.length)] + changed.slice(at + length),
      () => changed.slice(0, at) + changed.slice(at + length),
      () => changed.slice(0, at) + String.fromCharCode(random(256)) + changed.slice(at + 1),
      () => changed.slice(0, at + length) + changed.slice(at),
    ];
    changed = kinds[random(kinds.length)]!();
  }
  const split = changed.indexOf("\r\n\r\n");
  if (split < 0 || random(8) === 0) return changed;
  return changed.replace(/Content-Length: \d+/, `Content-Length: ${changed.length - split - 4}`);
}

test(`${ROUNDS} mutated requests (seed ${SEED}) are answered or refused, none with a defect, none outside the workspace`, async () => {
  const parent = mkdtempSync(join(tmpdir(), "aws-like-fuzz-"));
  const dir = join(parent, "workspace");
  await mkdir(dir);
  const defects: string[] = [];
  try {
    await using cloud = await startCloud({
      dir,
      relaxed: true,
      show: ({ level, text }) => void (level === "error" && defects.push(text)),
    });
    await exchange(cloud.endpoint, request("PUT /fuzz", "s3"));
    const table = {
      TableName: "fuzz",
      KeySchema: [{ AttributeName: "name", KeyType: "HASH" }],
      AttributeDefinitions: [{ AttributeName: "name", AttributeType: "S" }],
      BillingMode: "PAY_PER_REQUEST",
    };
    await exchange(cloud.endpoint, json(`${DYNAMODB}.CreateTable`, "dynamodb", table));
    const random = randomOf(SEED);
    for (let round = 0; round < ROUNDS; round += TOGETHER)
      await Promise.all(
        Array.from({ length: TOGETHER }, async () => {
          const sent = mutate(SEEDS[random(SEEDS.length)]!, random);
          const answer = parseAnswer(await exchange(cloud.endpoint, Buffer.from(sent, "latin1"), 2_000));
          // No answer at all is right for bytes that are no request.
          if (answer?.status === 500) defects.push(`answered 500 to:\n${sent.slice(0, 1_500)}`);
        }),
      );
    assert.deepEqual(defects.slice(0, 5), []);
    assert.equal((await fetch(`${cloud.endpoint}/_aws-like/health`)).status, 200);
    assert.deepEqual(readdirSync(parent), ["workspace"]);
    const known = [".aws-like", "buckets", "db.sqlite", "db.sqlite-shm", "db.sqlite-wal", "logs"];
    assert.deepEqual(
      readdirSync(dir).filter((name) => !known.includes(name)),
      [],
    );
    assert.deepEqual(
      readdirSync(join(dir, "buckets")).filter((name) => !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name)),
      [],
    );
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
});
