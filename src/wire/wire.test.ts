// What the echo test cannot show: input that no SDK sends, and the exact form of answers.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { AwsError } from "../kernel/error.ts";
import type { HttpAnswer, HttpRequest } from "../model/http.ts";
import { loadModel } from "../model/load.ts";
import type { Model } from "../model/model.ts";
import { decodeCbor, encodeCbor } from "./cbor.ts";
import * as wire from "./wire.ts";

const modelOf = (name: string): Model => loadModel(new URL(`../services/${name}/service.ts`, import.meta.url).href)();

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly headers?: Record<string, string>;
}

function request({ method = "POST", path = "/", query = "", headers = {} }: Sent): HttpRequest {
  return { method, path, query, headers, body: Readable.from([]), from: "127.0.0.1" };
}

/** The input that the service makes of it. */
function read(service: string, sent: Sent, body: string | Uint8Array = ""): unknown {
  const model = modelOf(service);
  const bytes = typeof body === "string" ? new Uint8Array(Buffer.from(body)) : body;
  const form = model.protocols[0] === "query" ? new URLSearchParams(Buffer.from(bytes).toString()) : undefined;
  const route = wire.route(model, undefined, request(sent), form);
  assert.ok(route, "no operation");
  return wire.input(model, route, request(sent), bytes);
}

const target = (name: string): Sent => ({ headers: { "x-amz-target": `X.${name}` } });
const operation = (service: string, sent: Sent) => wire.route(modelOf(service), undefined, request(sent))?.operation;
const text = (answer: HttpAnswer): string => String(answer.body);

test("a wrong type in JSON is refused in Coral's words", () => {
  const cases: [service: string, operation: string, body: string, message: string][] = [
    ["sqs", "ReceiveMessage", '{"MaxNumberOfMessages":"1"}', "STRING_VALUE can not be converted to an Integer"],
    ["sqs", "SendMessage", '{"MessageBody":1}', "NUMBER_VALUE can not be converted to a String"],
    ["sqs", "SendMessage", '{"MessageBody":true}', "TRUE_VALUE can not be converted to a String"],
    ["sqs", "SendMessage", '{"MessageBody":{}}', "Start of structure or map found where not expected"],
    ["sqs", "SendMessage", '{"MessageBody":[]}', "Start of list found where not expected"],
    ["sqs", "SendMessage", '{"MessageAttributes":"x"}', "Expected map or null"],
    ["dynamodb", "PutItem", '{"Item":{"a":{"SS":"x"}}}', "Expected list or null"],
    ["dynamodb", "PutItem", '{"Item":{"a":"x"}}', "Expected null"],
    [
      "dynamodb",
      "PutItem",
      '{"Item":{"a":{"B":"12345"}}}',
      "'12345' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 5",
    ],
    ["dynamodb", "PutItem", '{"Item":{"a":{"N":1}}}', "NUMBER_VALUE cannot be converted to String"],
    ["dynamodb", "PutItem", '{"TableName":', ""],
    ["dynamodb", "PutItem", '{"TableName":"a","TableName":"b"}', ""],
    ["dynamodb", "PutItem", '{"Item":{"a":{"S":"x:"},"\\u0061" : {"S":"\\":"}}}', ""],
    ["dynamodb", "PutItem", '{"TableName":"\\ud83d"}', ""],
  ];
  for (const [service, name, body, message] of cases)
    assert.throws(
      () => read(service, target(name), body),
      { code: "SerializationException", status: 400, message },
      body,
    );
});

test("JSON that is not UTF-8 is refused, null and unknown members are as if not there", () => {
  assert.throws(() => read("sqs", target("SendMessage"), Uint8Array.of(0x22, 0xff, 0x22)), {
    code: "SerializationException",
  });
  assert.deepEqual(read("sqs", target("SendMessage"), '{"QueueUrl":null,"Nonsense":1,"MessageBody":"m"}'), {
    MessageBody: "m",
  });
  assert.deepEqual(read("sqs", target("ListQueues"), ""), {});
  const text = 'a":\u{1f600}\\';
  const escaped = JSON.stringify({ MessageBody: text }).replace("\u{1f600}", "\\ud83d\\ude00");
  assert.deepEqual(read("sqs", target("SendMessage"), escaped), { MessageBody: text });
});

test("deep JSON is refused, not a crash; an attribute may be called __proto__", () => {
  const deep = `${'{"L":['.repeat(5000)}{"N":"1"}${"]}".repeat(5000)}`;
  assert.throws(() => read("dynamodb", target("PutItem"), `{"Item":{"a":${deep}}}`), {
    code: "SerializationException",
  });
  const input = read("dynamodb", target("PutItem"), '{"Item":{"__proto__":{"S":"x"}}}') as { Item: object };
  assert.deepEqual(Object.entries(input.Item), [["__proto__", { S: "x" }]]);
});

test("a gzip body is read, one that is not gzip is refused", () => {
  const headers = { ...target("PutMetricData").headers, "content-encoding": "gzip" };
  assert.deepEqual(read("cloudwatch", { headers }, gzipSync('{"Namespace":"n"}')), { Namespace: "n" });
  assert.throws(() => read("cloudwatch", { headers }, "plain"), { code: "SerializationException" });
});

test("XML that is broken, too deep, has a DTD or another root is MalformedXML", () => {
  const put = { method: "PUT", path: "/b", query: "tagging" };
  const broken = [
    "<Tagging><TagSet></Tagging>",
    "<Tagging>",
    "text",
    '<!DOCTYPE x [<!ENTITY a "b">]><Tagging/>',
    "<Tagging>&a;</Tagging>",
    "<Tagging>&toString;</Tagging>",
    "<Tagging>&#0;</Tagging>",
    "<Tagging/><Tagging/>",
    "<Tagging a='1' a='2'/>",
    "<Other/>",
    `<Tagging>${"<a>".repeat(200)}${"</a>".repeat(200)}</Tagging>`,
  ];
  for (const xml of broken) assert.throws(() => read("s3", put, xml), { code: "MalformedXML", status: 400 }, xml);
  assert.throws(() => read("s3", put, Uint8Array.of(0x3c, 0xff)), { code: "MalformedXML" });
});

test("XML with comments, CDATA, prefixes, references and an unknown element is read", () => {
  const xml = `<?xml version="1.0"?><!-- c --><s:Tagging xmlns:s="x"><s:TagSet><s:Tag><s:Key>a&#x41;&#10;&amp;<![CDATA[<b>]]></s:Key>
    <s:Value/><s:New/></s:Tag></s:TagSet></s:Tagging>`;
  assert.deepEqual(read("s3", { method: "PUT", path: "/b", query: "tagging" }, xml), {
    Bucket: "b",
    Tagging: { TagSet: [{ Key: "aA\n&<b>", Value: "" }] },
  });
});

test("an attribute is read under any prefix", () => {
  const xml = `<AccessControlPolicy><AccessControlList><Grant><Grantee xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:type="Group"/>
    </Grant></AccessControlList></AccessControlPolicy>`;
  const input = read("s3", { method: "PUT", path: "/b", query: "acl" }, xml);
  assert.deepEqual(input, { Bucket: "b", AccessControlPolicy: { Grants: [{ Grantee: { Type: "Group" } }] } });
});

test("S3's operations are told apart by subresource, required parameters and headers", () => {
  const cases: [Sent, string | undefined][] = [
    [{ method: "GET", path: "/" }, "ListBuckets"],
    [{ method: "GET", path: "/b" }, "ListObjects"],
    [{ method: "GET", path: "/b/" }, "ListObjects"],
    [{ method: "GET", path: "/b", query: "list-type=2" }, "ListObjectsV2"],
    [{ method: "GET", path: "/b", query: "list-type=1" }, "ListObjects"],
    [{ method: "GET", path: "/b", query: "analytics" }, "ListBucketAnalyticsConfigurations"],
    [{ method: "GET", path: "/b", query: "analytics&id=x" }, "GetBucketAnalyticsConfiguration"],
    [{ method: "GET", path: "/b/k/with/slashes" }, "GetObject"],
    [{ method: "GET", path: "/b/k", query: "uploadId=u" }, "ListParts"],
    [{ method: "PUT", path: "/b/k" }, "PutObject"],
    [{ method: "PUT", path: "/b/k", headers: { "x-amz-copy-source": "b/k" } }, "CopyObject"],
    [{ method: "PUT", path: "/b/k", query: "partNumber=1&uploadId=u" }, "UploadPart"],
    [
      { method: "PUT", path: "/b/k", query: "partNumber=1&uploadId=u", headers: { "x-amz-copy-source": "b/k" } },
      "UploadPartCopy",
    ],
    [{ method: "POST", path: "/b/k", query: "uploads" }, "CreateMultipartUpload"],
    [{ method: "POST", path: "/b/k", query: "uploadId=u" }, "CompleteMultipartUpload"],
    [{ method: "POST", path: "/b", query: "delete" }, "DeleteObjects"],
    [{ method: "HEAD", path: "/b/k" }, "HeadObject"],
    [{ method: "PATCH", path: "/b/k" }, undefined],
  ];
  for (const [sent, name] of cases) assert.equal(operation("s3", sent), name, JSON.stringify(sent));
});

test("a key keeps its slashes, dots and encoded characters", () => {
  const key = (path: string) => (read("s3", { method: "GET", path }) as { Key: string }).Key;
  assert.equal(key("/b//a"), "/a");
  assert.equal(key("/b//"), "/");
  assert.equal(key("/b/a/"), "a/");
  assert.equal(key("/b/a/../c"), "a/../c");
  assert.equal(key("/b/a%2Fb+c%20d%C3%A9"), "a/b+c dé");
  assert.throws(() => key("/b/%ff"), { code: "InvalidURI", status: 400 });
  assert.throws(() => key("/b/%zz"), { code: "InvalidURI", status: 400 });
});

test("a number that is none is InvalidArgument for S3, and absent where it is empty", () => {
  const list = (query: string) => read("s3", { method: "GET", path: "/b", query: `list-type=2&${query}` });
  assert.throws(() => list("max-keys=blah"), {
    code: "InvalidArgument",
    message: "Provided max-keys not an integer or within integer range",
    fields: { ArgumentName: "max-keys", ArgumentValue: "blah" },
  });
  assert.deepEqual(list("max-keys=&prefix="), { Bucket: "b", Prefix: "" });
});

test("a date that is none is passed over in a conditional header", () => {
  const get = (since: string) =>
    read("s3", { method: "GET", path: "/b/k", headers: { "if-modified-since": since } }) as { IfModifiedSince?: Date };
  assert.equal(get("soon").IfModifiedSince, undefined);
  assert.equal(get("Sun, 06 Nov 1994 08:49:37 GMT").IfModifiedSince?.toISOString(), "1994-11-06T08:49:37.000Z");
  assert.equal(get("Sunday, 06-Nov-94 08:49:37 GMT").IfModifiedSince?.toISOString(), "1994-11-06T08:49:37.000Z");
  assert.equal(get("Sun Nov  6 08:49:37 1994").IfModifiedSince?.toISOString(), "1994-11-06T08:49:37.000Z");
});

test("the query protocol reads lists in the order of their numbers, flattened or not, and empty ones", () => {
  const form = "Action=TagRole&RoleName=r&Tags.member.10.Key=c&Tags.member.2.Key=b&Tags.member.1.Key=a";
  assert.deepEqual(read("iam", {}, form), { RoleName: "r", Tags: [{ Key: "a" }, { Key: "b" }, { Key: "c" }] });
  assert.deepEqual(read("iam", {}, "Action=TagRole&Tags="), { Tags: [] });
  assert.throws(() => read("iam", {}, "Action=ListRoles&MaxItems=x"), { code: "MalformedInput" });
});

test("a GET with its Action in the URL is the query protocol too", () => {
  const sent = { method: "GET", query: "Action=GetCallerIdentity&Version=2011-06-15" };
  const route = wire.route(modelOf("sts"), "query", request(sent));
  assert.equal(route?.operation, "GetCallerIdentity");
});

test("names that every object has are no operations", () => {
  for (const name of ["constructor", "toString", "__proto__", ""]) {
    assert.equal(operation("dynamodb", target(name)), undefined);
    assert.equal(wire.route(modelOf("sts"), "query", request({}), new URLSearchParams({ Action: name })), undefined);
  }
});

test("errors have each protocol's own form", () => {
  const error = (service: string, code: string, fields = {}, name?: string) => {
    const model = modelOf(service);
    return wire.error(model, model.protocols[0]!, name, new AwsError(code, 400, "no <b>", fields), "r-1");
  };
  const missing = error("sqs", "QueueDoesNotExist");
  assert.equal(text(missing), '{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no <b>"}');
  assert.equal(missing.headers["x-amzn-query-error"], "AWS.SimpleQueueService.NonExistentQueue;Sender");
  assert.equal(
    text(error("dynamodb", "ResourceNotFoundException")),
    '{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no <b>"}',
  );
  assert.equal(
    text(error("dynamodb", "ValidationException")),
    '{"__type":"com.amazon.coral.validate#ValidationException","message":"no <b>"}',
  );
  assert.equal(
    text(error("dynamodb", "SerializationException")),
    '{"__type":"com.amazon.coral.service#SerializationException","Message":"no <b>"}',
  );
  assert.equal(
    text(error("logs", "ResourceNotFoundException")),
    '{"__type":"ResourceNotFoundException","message":"no <b>"}',
  );
  const lambda = error("lambda", "ResourceNotFoundException");
  assert.equal(lambda.headers["x-amzn-errortype"], "ResourceNotFoundException");
  assert.equal(text(lambda), '{"Message":"no <b>","Type":"User"}');
  assert.equal(error("lambda", "TooManyRequestsException", { retryAfterSeconds: "3" }).headers["retry-after"], "3");
  assert.match(
    text(error("iam", "NoSuchEntityException")),
    /^<ErrorResponse xmlns="https:\/\/iam[^>]*><Error><Type>Sender<\/Type><Code>NoSuchEntity<\/Code><Message>no &lt;b&gt;<\/Message>/,
  );
  assert.match(text(error("iam", "NoSuchEntity")), /<Code>NoSuchEntity<\/Code>/);
  assert.match(
    text(error("s3", "NoSuchKey", { Key: "a&b" }, "GetObject")),
    /^<\?xml[^>]*>\n<Error><Code>NoSuchKey<\/Code><Message>[^<]*<\/Message><Key>a&amp;b<\/Key><RequestId>r-1<\/RequestId><HostId>/,
  );
  assert.equal(error("s3", "NotFound", {}, "HeadObject").body, undefined);
});

test("a query-compatible service answers errors in the query protocol and CBOR too", () => {
  const model = modelOf("sqs");
  const gone = new AwsError("QueueDoesNotExist", 400, "gone");
  assert.match(
    text(wire.error(model, "query", "SendMessage", gone, "r")),
    /<Code>AWS\.SimpleQueueService\.NonExistentQueue</,
  );
  const cbor = wire.error(modelOf("cloudwatch"), "rpcv2Cbor", undefined, new AwsError("X", 500, "m"), "r");
  assert.deepEqual(decodeCbor(cbor.body as Uint8Array), { __type: "X", message: "m" });
  assert.equal(cbor.headers["x-amzn-query-error"], "X;Receiver");
});

test("S3's answers carry its namespace, its root, times with milliseconds, and keys with control characters", () => {
  const model = modelOf("s3");
  const answer = (operation: string, value: unknown) =>
    wire.output(model, { operation, protocol: "restXml", labels: {} }, value, "r");
  const at = new Date("2026-01-02T03:04:05Z");
  assert.equal(
    text(answer("ListObjectsV2", { Name: "b", Contents: [{ Key: "a\u0001<\r", LastModified: at }, { Key: "c" }] })),
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
      "<Contents><Key>a&#x1;&lt;&#xd;</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>" +
      "<Contents><Key>c</Key></Contents><Name>b</Name></ListBucketResult>",
  );
  assert.match(
    text(answer("GetBucketLocation", { LocationConstraint: "eu-west-1" })),
    /<LocationConstraint xmlns="[^"]*">eu-west-1</,
  );
  assert.match(text(answer("GetBucketLocation", {})), /<LocationConstraint xmlns="[^"]*"\/>$/);
  const grants = { Grants: [{ Grantee: { Type: "CanonicalUser", ID: "x" }, Permission: "READ" }] };
  assert.match(
    text(answer("GetBucketAcl", grants)),
    /<Grantee xmlns:xsi="http:\/\/www.w3.org\/2001\/XMLSchema-instance" xsi:type="CanonicalUser"><ID>x<\/ID><\/Grantee>/,
  );
  const { headers } = answer("GetObject", { ContentType: "text/x\r\nSet-Cookie: a", Metadata: { k: "v€" } });
  assert.equal(headers["content-type"], "text/x  Set-Cookie: a");
  assert.equal(Buffer.from(headers["x-amz-meta-k"]!, "latin1").toString(), "v€");
});

test("what the model does not know is not written", () => {
  const model = modelOf("sqs");
  const route = { operation: "GetQueueUrl", protocol: "awsJson1_0", labels: {} } as const;
  assert.equal(text(wire.output(model, route, { QueueUrl: "u", secret: 1 }, "r")), '{"QueueUrl":"u"}');
  const value = { QueueUrl: "u", secret: 1 };
  wire.output(model, route, value, "r");
  assert.deepEqual(value, { QueueUrl: "u", secret: 1 }, "the handler's own value is left alone");
});

test("a stream that fails ends with the error's frame", async () => {
  const model = modelOf("lambda");
  const route = { operation: "InvokeWithResponseStream", protocol: "restJson", labels: {} } as const;
  const events = (async function* () {
    yield { PayloadChunk: { Payload: Buffer.from("hello") } };
    throw new AwsError("Boom", 500, "it broke");
  })();
  const answer = wire.output(model, route, { EventStream: events }, "r");
  const bytes = Buffer.concat(await (answer.body as Readable).toArray());
  assert.equal(answer.headers["content-type"], "application/vnd.amazon.eventstream");
  assert.match(bytes.toString("latin1"), /:event-type...PayloadChunk.*hello.*:error-code...Boom/s);
});

test("CBOR is read in every form that RFC 8949 allows, and broken CBOR is refused", () => {
  const hex = (text: string) => decodeCbor(new Uint8Array(Buffer.from(text, "hex")));
  assert.deepEqual(hex("bf61610161629f0203ffff"), { a: 1, b: [2, 3] });
  assert.deepEqual(hex("7f657374726561646d696e67ff"), "streaming");
  assert.deepEqual(hex("83f93c00fa47c35000fb3ff199999999999a"), [1, 100000, 1.1]);
  assert.deepEqual(hex("c11a514b67b0"), new Date("2013-03-21T20:04:00Z"));
  assert.deepEqual(hex("1b0000000100000000"), 2 ** 32);
  assert.deepEqual(hex("3903e7"), -1000);
  const value = {
    s: "ä€",
    n: -1.5,
    i: 70000,
    big: 2 ** 40,
    neg: -7,
    b: Uint8Array.of(1, 2),
    t: new Date(1500),
    l: [true, null],
    m: {},
  };
  assert.deepEqual(decodeCbor(encodeCbor(value)), value);
  for (const broken of [
    "",
    "61",
    "9b00ffffffffffffff",
    "ff",
    "a1f5f5",
    "f8",
    `${"81".repeat(500)}00`,
    "0000",
    "62c328",
  ])
    assert.throws(() => hex(broken), { code: "SerializationException" }, broken);
});
