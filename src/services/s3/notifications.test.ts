import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { AddPermissionCommand } from "@aws-sdk/client-lambda";
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  type Event,
  GetBucketNotificationConfigurationCommand,
  type LambdaFunctionConfiguration,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { arnOf, startCloudWithRole } from "../../../test/lambda.ts";
import { failure } from "../../../test/s3.ts";
import { formEncoded } from "./events.ts";

const cloud = await startCloudWithRole();
after(() => cloud[Symbol.asyncDispose]());
const s3 = cloud.client(S3Client);
await cloud.createBash("sink", 'echo "got $(jq -c . <<<"$1")" >&2; echo null');

let buckets = 0;

/** A bucket that the function may be told of. */
async function newBucket(): Promise<{ Bucket: string; directory: string }> {
  const Bucket = `told-${++buckets}`;
  await s3.send(new CreateBucketCommand({ Bucket }));
  await cloud.lambda.send(
    new AddPermissionCommand({
      FunctionName: "sink",
      StatementId: Bucket,
      Action: "lambda:InvokeFunction",
      Principal: "s3.amazonaws.com",
      SourceArn: `arn:aws:s3:::${Bucket}`,
    }),
  );
  return { Bucket, directory: `${cloud.aws.config.dir}/buckets/${Bucket}` };
}

const put = (Bucket: string, ...rules: Partial<LambdaFunctionConfiguration>[]) =>
  s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket,
      NotificationConfiguration: {
        LambdaFunctionConfigurations: rules.map((rule) => ({
          LambdaFunctionArn: arnOf("sink"),
          Events: ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
          ...rule,
        })),
      },
    }),
  );

const filtered = (prefix?: string, suffix?: string) => ({
  Filter: {
    Key: {
      FilterRules: [
        ...(prefix === undefined ? [] : [{ Name: "prefix" as const, Value: prefix }]),
        ...(suffix === undefined ? [] : [{ Name: "suffix" as const, Value: suffix }]),
      ],
    },
  },
});

// biome-ignore lint/suspicious/noExplicitAny: a record as AWS writes it
type Record = any;

/** What the function was told of a bucket, in order of the events. */
async function told(bucket: string): Promise<Record[]> {
  await cloud.settle();
  const dir = `${cloud.aws.config.dir}/logs/lambda/sink`;
  const text = readdirSync(dir).map((file) => readFileSync(`${dir}/${file}`, "utf8"));
  return text
    .join("")
    .split("\n")
    .filter((line) => line.includes(" got {"))
    .flatMap((line) => JSON.parse(line.slice(line.indexOf(" got ") + 5)).Records as Record[])
    .filter((record) => record.s3.bucket.name === bucket)
    .sort((a, b) => (a.s3.object.sequencer < b.s3.object.sequencer ? -1 : 1));
}

test("a put through the API tells the function once, with AWS's record", async () => {
  const { Bucket } = await newBucket();
  await put(Bucket, { Id: "mine" });
  const { ETag, $metadata } = await s3.send(new PutObjectCommand({ Bucket, Key: "a b/ü+~.txt", Body: "hello" }));
  const records = await told(Bucket);
  assert.equal(records.length, 1);
  const [{ eventTime, responseElements, userIdentity, s3: about, ...rest }] = records;
  assert.deepEqual(rest, {
    eventVersion: "2.5",
    eventSource: "aws:s3",
    awsRegion: "us-east-1",
    eventName: "ObjectCreated:Put",
    requestParameters: { sourceIPAddress: "127.0.0.1" },
  });
  assert.match(eventTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(responseElements["x-amz-request-id"], $metadata.requestId);
  assert.equal(responseElements["x-amz-id-2"], $metadata.extendedRequestId);
  assert.ok(userIdentity.principalId);
  const { ownerIdentity, ...bucket } = about.bucket;
  assert.ok(ownerIdentity.principalId);
  assert.deepEqual(bucket, { name: Bucket, arn: `arn:aws:s3:::${Bucket}` });
  assert.deepEqual([about.s3SchemaVersion, about.configurationId], ["1.0", "mine"]);
  const { sequencer, ...object } = about.object;
  assert.match(sequencer, /^[0-9A-F]{18}$/);
  assert.deepEqual(object, { key: "a+b/%C3%BC%2B%7E.txt", size: 5, eTag: ETag!.replaceAll('"', "") });
});

test("a file that is dropped, changed and removed tells the function as the API would", async () => {
  const { Bucket, directory } = await newBucket();
  await put(Bucket, {});
  writeFileSync(`${directory}/cat.jpg`, "one");
  await cloud.settle();
  writeFileSync(`${directory}/cat.jpg`, "three");
  await cloud.settle();
  rmSync(`${directory}/cat.jpg`);
  const records = await told(Bucket);
  assert.deepEqual(
    records.map(({ eventName, s3: { object } }) => [eventName, object.key, object.size]),
    [
      ["ObjectCreated:Put", "cat.jpg", 3],
      ["ObjectCreated:Put", "cat.jpg", 5],
      ["ObjectRemoved:Delete", "cat.jpg", undefined],
    ],
  );
});

test("copies, uploads in parts, deletions and markers have events of their own", async () => {
  const { Bucket } = await newBucket();
  await put(Bucket, {});
  await s3.send(new PutObjectCommand({ Bucket, Key: "a", Body: "x" }));
  await s3.send(new CopyObjectCommand({ Bucket, Key: "b", CopySource: `${Bucket}/a` }));
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: "c" }));
  const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key: "c", UploadId, PartNumber: 1, Body: "x" }));
  await s3.send(
    new CompleteMultipartUploadCommand({
      Bucket,
      Key: "c",
      UploadId,
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] },
    }),
  );
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "a" }));
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "never" }));
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
  const marker = await s3.send(new DeleteObjectCommand({ Bucket, Key: "b" }));
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "b", VersionId: "null" }));
  assert.deepEqual(
    (await told(Bucket)).map(({ eventName, s3: { object } }) => [
      eventName,
      object.key,
      object.versionId,
      object.eTag?.slice(0, 4),
    ]),
    [
      ["ObjectCreated:Put", "a", undefined, "9dd4"],
      ["ObjectCreated:Copy", "b", undefined, "9dd4"],
      ["ObjectCreated:CompleteMultipartUpload", "c", undefined, "9aff"],
      ["ObjectRemoved:Delete", "a", undefined, undefined],
      // A marker's ETag is that of nothing.
      ["ObjectRemoved:DeleteMarkerCreated", "b", marker.VersionId, "d41d"],
      ["ObjectRemoved:Delete", "b", "null", undefined],
    ],
  );
});

test("prefix, suffix and event choose what is told", async () => {
  const { Bucket } = await newBucket();
  await put(
    Bucket,
    { ...filtered("in/", ".jpg"), Events: ["s3:ObjectCreated:Put"] },
    { ...filtered("in/", ".png"), Events: ["s3:ObjectRemoved:Delete"] },
  );
  for (const Key of ["in/a.jpg", "in/b.png", "out/c.jpg"]) {
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: "x" }));
    await s3.send(new DeleteObjectCommand({ Bucket, Key }));
  }
  const names = (await told(Bucket)).map(({ eventName, s3: { object } }) => `${eventName} ${object.key}`);
  assert.deepEqual(names, ["ObjectCreated:Put in/a.jpg", "ObjectRemoved:Delete in/b.png"]);
});

test("a configuration is given back as it was put, an id where there was none, and is taken away by an empty one", async () => {
  const { Bucket } = await newBucket();
  await put(Bucket, filtered("in/", ".jpg"));
  const get = () => s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
  const [rule] = (await get()).LambdaFunctionConfigurations!;
  assert.deepEqual(
    [rule?.LambdaFunctionArn, rule?.Filter, rule?.Events?.length],
    [arnOf("sink"), filtered("in/", ".jpg").Filter, 2],
  );
  assert.ok(rule?.Id);
  await s3.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration: {} }));
  assert.equal((await get()).LambdaFunctionConfigurations, undefined);
});

test("a function that is not there, or does not let this bucket invoke it, is refused, unless that is skipped", async () => {
  const { Bucket } = await newBucket();
  const Nobody = `nobody-${Bucket}`;
  await s3.send(new CreateBucketCommand({ Bucket: Nobody }));
  const missing = await failure(put(Bucket, { LambdaFunctionArn: arnOf("missing") }));
  assert.deepEqual(
    [missing.name, missing.message],
    ["InvalidArgument", "Unable to validate the following destination configurations"],
  );
  assert.deepEqual(
    [missing.ArgumentName1, missing.ArgumentValue1],
    [`${arnOf("missing")}, null`, `Not authorized to invoke function [${arnOf("missing")}]`],
  );
  assert.equal((await failure(put(Nobody, {}))).message, missing.message);
  await s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: Nobody,
      SkipDestinationValidation: true,
      NotificationConfiguration: {
        LambdaFunctionConfigurations: [{ LambdaFunctionArn: arnOf("missing"), Events: ["s3:ObjectCreated:*"] }],
      },
    }),
  );
});

const OVERLAP = /^Configuration is ambiguously defined\. Cannot have overlapping suffixes in two rules/;

for (const [what, rules, expected] of [
  ["an ARN that is none", [{ LambdaFunctionArn: "invalid" }], /^The ARN could not be parsed$/],
  ["an event that is none", [{ Events: ["s3:Nonsense" as Event] }], /^The event is not supported for notifications$/],
  ["an event that is not here", [{ Events: ["s3:ObjectAnnotation:*" as Event] }], /ObjectAnnotation/],
  ["two rules for all", [{}, {}], OVERLAP],
  ["a prefix within a prefix", [filtered("a/"), filtered("a/b")], OVERLAP],
  ["a suffix within a suffix", [filtered(undefined, ".jpg"), filtered(undefined, "x.jpg")], OVERLAP],
  [
    "one id twice",
    [
      { Id: "x", ...filtered("a") },
      { Id: "x", ...filtered("b") },
    ],
    /^Same ID used for multiple configurations/,
  ],
] as const)
  test(`a configuration with ${what} is refused`, async () => {
    const { Bucket } = await newBucket();
    assert.match(
      (await failure(put(Bucket, ...(rules as unknown as Partial<LambdaFunctionConfiguration>[])))).message,
      expected,
    );
  });

for (const [what, rules] of [
  ["prefixes apart", [filtered("a/"), filtered("b/")]],
  ["suffixes apart", [filtered(undefined, ".jpg"), filtered(undefined, ".png")]],
  ["events apart", [{ Events: ["s3:ObjectCreated:*"] }, { Events: ["s3:ObjectRemoved:*"] }]],
] as const)
  test(`a configuration with ${what} is taken`, async () => {
    const { Bucket } = await newBucket();
    await put(Bucket, ...(rules as unknown as Partial<LambdaFunctionConfiguration>[]));
  });

test("a key in a record is encoded as java.net.URLEncoder does, but for the slash", () => {
  assert.equal(formEncoded("a b/c+d*e-f_g.h~i!'()"), "a+b/c%2Bd*e-f_g.h%7Ei%21%27%28%29");
});
