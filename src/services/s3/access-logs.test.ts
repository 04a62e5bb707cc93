import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CreateBucketCommand,
  GetBucketLoggingCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  type LoggingEnabled,
  PutBucketAclCommand,
  PutBucketLoggingCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";
import { startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, s3, newBucket } = await startCloudWithBuckets();
const MINUTE = 60_000;

const configure = (Bucket: string, LoggingEnabled?: LoggingEnabled) =>
  s3.send(new PutBucketLoggingCommand({ Bucket, BucketLoggingStatus: { ...(LoggingEnabled && { LoggingEnabled }) } }));

/** A bucket that the log service may write to. */
async function newTarget(): Promise<string> {
  const { Bucket } = await newBucket();
  const Policy = policy(
    allow("s3:PutObject", { Principal: { Service: "logging.s3.amazonaws.com" }, Resource: `arn:aws:s3:::${Bucket}/*` }),
  );
  await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }));
  return Bucket;
}

async function logs(Bucket: string): Promise<{ keys: string[]; lines: string[] }> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
  const texts = Contents.map(async ({ Key }) =>
    (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString(),
  );
  const lines = (await Promise.all(texts)).flatMap((text) => text.trimEnd().split("\n"));
  return { keys: Contents.map(({ Key }) => Key!), lines };
}

/** Fields between spaces; brackets and quotes hold together. */
const fieldsOf = (line: string): string[] => line.match(/\[[^\]]*\]|"[^"]*"|\S+/g)!;

test("each request to a bucket is a line in the target bucket, five minutes later", async () => {
  const { Bucket } = await newBucket();
  const target = await newTarget();
  await configure(Bucket, { TargetBucket: target, TargetPrefix: "logs/" });
  const user = await userWith(cloud, "reader", { may: policy(allow("s3:ListBucket")) });
  await s3.send(new PutObjectCommand({ Bucket, Key: "a b", Body: "hello" }));
  await s3.send(new GetObjectCommand({ Bucket, Key: "a b", Range: "bytes=1-2" }));
  await refusal(cloud.client(S3Client, user).send(new GetObjectCommand({ Bucket, Key: "a b" })));
  await fetch(`${cloud.endpoint}/${Bucket}/a%20b?x=%22`, { headers: { "user-agent": 'quo"te', referer: "http://x/" } });
  await cloud.settle();
  assert.deepEqual((await logs(target)).lines, []);
  await cloud.advance(6 * MINUTE);
  const { keys, lines } = await logs(target);
  assert.equal(keys.length, 1);
  assert.match(keys[0]!, /^logs\/\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9A-F]{16}$/);
  const [logged, put, get, denied, anonymous] = lines.map(fieldsOf) as string[][];
  assert.equal(logged![6], "REST.PUT.LOGGING_STATUS");
  for (const fields of [put!, get!, denied!, anonymous!]) assert.equal(fields.length, 27);
  const root = "000000000000".padStart(64, "0");
  assert.deepEqual([put![0], put![1], put![3], put![4]], [root, Bucket, "127.0.0.1", root]);
  assert.match(put![2]!, /^\[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\]$/);
  assert.match(put![5]!, /^[A-Z0-9]{16}$/);
  assert.deepEqual(put!.slice(6, 11), [
    "REST.PUT.OBJECT",
    "a%20b",
    `"PUT /${Bucket}/a%20b?x-id=PutObject HTTP/1.1"`,
    "200",
    "-",
  ]);
  assert.deepEqual([put![12], put![19], put![21]], ["5", "SigV4", "AuthHeader"]);
  assert.deepEqual([get![6], get![9], get![11], get![12]], ["REST.GET.OBJECT", "206", "2", "5"]);
  assert.deepEqual(
    [denied![4], denied![9], denied![10]],
    ["arn:aws:iam::000000000000:user/reader", "403", "AccessDenied"],
  );
  assert.deepEqual(
    [anonymous![4], anonymous![9], anonymous![15], anonymous![16], anonymous![19]],
    ["-", "403", '"http://x/"', '"quo%22te"', "-"],
  );
  await configure(Bucket);
  await cloud.advance(20 * MINUTE);
  assert.equal((await logs(target)).lines.length, 5, "nothing after it is turned off");
});

test("a target with ACLs may let the log service write by them", async () => {
  const { Bucket } = await newBucket();
  const target = "acl-target";
  await s3.send(new CreateBucketCommand({ Bucket: target, ObjectOwnership: "ObjectWriter" }));
  await configure(Bucket, { TargetBucket: target, TargetPrefix: "" });
  await cloud.advance(6 * MINUTE);
  assert.deepEqual((await logs(target)).lines, []);
  await s3.send(new PutBucketAclCommand({ Bucket: target, ACL: "log-delivery-write" as "private" }));
  await Promise.all(["a", "b", "c"].map((Key) => s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }))));
  await cloud.advance(6 * MINUTE);
  assert.deepEqual((await logs(target)).lines.map((line) => fieldsOf(line)[7]).sort(), ["a", "b", "c"]);
});

test("a target that does not let the log service write gets nothing, and the source goes on", async () => {
  const { Bucket } = await newBucket();
  const { Bucket: closed } = await newBucket();
  await configure(Bucket, { TargetBucket: closed, TargetPrefix: "" });
  await s3.send(new PutObjectCommand({ Bucket, Key: "a", Body: "a" }));
  await cloud.advance(6 * MINUTE);
  assert.deepEqual((await logs(closed)).lines, []);
});

test("partitioned keys name account, region, bucket and day", async () => {
  const { Bucket } = await newBucket();
  const target = await newTarget();
  for (const [PartitionDateSource, time] of [
    ["DeliveryTime", "\\d\\d-\\d\\d-\\d\\d"],
    ["EventTime", "00-00-00"],
  ] as const) {
    const TargetPrefix = `${PartitionDateSource}/`;
    await configure(Bucket, {
      TargetBucket: target,
      TargetPrefix,
      TargetObjectKeyFormat: { PartitionedPrefix: { PartitionDateSource } },
    });
    await cloud.advance(6 * MINUTE);
    const key = (await logs(target)).keys.find((one) => one.startsWith(TargetPrefix));
    const day = "(\\d{4})/(\\d\\d)/(\\d\\d)/\\1-\\2-\\3";
    assert.match(
      key ?? "",
      new RegExp(`^${TargetPrefix}000000000000/us-east-1/${Bucket}/${day}-${time}-[0-9A-F]{16}$`),
    );
  }
});

test("a logging configuration is given back, and wrong targets are refused in AWS's words", async () => {
  const { Bucket } = await newBucket();
  const get = async () => (await s3.send(new GetBucketLoggingCommand({ Bucket }))).LoggingEnabled;
  assert.equal(await get(), undefined);
  const wanted = { TargetBucket: Bucket, TargetPrefix: "log", TargetObjectKeyFormat: { SimplePrefix: {} } };
  await configure(Bucket, wanted);
  assert.deepEqual(await get(), wanted);
  assert.equal(
    await refusal(configure(Bucket, { TargetBucket: "nowhere-at-all", TargetPrefix: "" })),
    "InvalidTargetBucketForLogging 400 The target bucket for logging does not exist",
  );
  await s3.send(
    new CreateBucketCommand({ Bucket: "far-away", CreateBucketConfiguration: { LocationConstraint: "eu-west-1" } }),
  );
  assert.equal(
    await refusal(configure(Bucket, { TargetBucket: "far-away", TargetPrefix: "" })),
    "CrossLocationLoggingProhibitted 403 Cross S3 location logging not allowed. ",
  );
});
