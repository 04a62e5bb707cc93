import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { CreateRoleCommand, IAMClient, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteBucketReplicationCommand,
  DeleteObjectCommand,
  GetBucketReplicationCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketReplicationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type ReplicationRule,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { allow, policy, refusal, trust, userWith } from "../../../test/principals.ts";
import { startCloudWithBuckets } from "../../../test/s3.ts";
import { told } from "../../../test/s3-told.ts";

const { cloud, s3, newBucket } = await startCloudWithBuckets();
const iam = cloud.client(IAMClient);
const XML =
  "MalformedXML 400 The XML you provided was not well-formed or did not validate against our published schema";
const REPLICATES = ["s3:GetObjectVersion*", "s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"];

let roles = 0;

async function newRole(may: readonly string[] = REPLICATES): Promise<string> {
  const RoleName = `replication-${++roles}`;
  const AssumeRolePolicyDocument = trust({ Service: "s3.amazonaws.com" });
  const { Role } = await iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }));
  const PolicyDocument = policy(allow([...may]));
  await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: "p", PolicyDocument }));
  return Role!.Arn!;
}

const ruleTo = (bucket: string, more: Partial<ReplicationRule> = {}): ReplicationRule => ({
  ID: bucket,
  Status: "Enabled",
  Priority: 1,
  Filter: {},
  DeleteMarkerReplication: { Status: "Enabled" },
  Destination: { Bucket: `arn:aws:s3:::${bucket}` },
  ...more,
});
const configure = (Bucket: string, Role: string, ...Rules: ReplicationRule[]) =>
  s3.send(new PutBucketReplicationCommand({ Bucket, ReplicationConfiguration: { Role, Rules } }));
const newPair = async () => {
  const [source, target] = [await newBucket({ versioned: true }), await newBucket({ versioned: true })];
  return { from: source.Bucket, to: target.Bucket, source, target };
};
const head = (Bucket: string, Key: string) => s3.send(new HeadObjectCommand({ Bucket, Key }));
const versionsOf = async (Bucket: string) => {
  const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
  return [...Versions, ...DeleteMarkers]
    .map(({ Key, VersionId, IsLatest }) => `${Key} ${VersionId} ${IsLatest}`)
    .sort();
};

test("a version is made again in the destination, with its id, its headers, tags and ETag, in order; and so is what comes from outside", async () => {
  const { from, to, source, target } = await newPair();
  await s3.send(new PutObjectCommand({ Bucket: from, Key: "before", Body: "not replicated" }));
  await configure(
    from,
    await newRole(),
    ruleTo(to, { Destination: { Bucket: `arn:aws:s3:::${to}`, StorageClass: "STANDARD_IA" } }),
  );
  const queue = await told(cloud, to, ["s3:ObjectCreated:*"]);
  for (const Body of ["1", "2", "3"])
    await s3.send(
      new PutObjectCommand({
        Bucket: from,
        Key: "a",
        Body,
        Metadata: { n: Body },
        Tagging: "x=y",
        ContentType: "text/x",
      }),
    );
  await cloud.settle();
  const [original, replica] = [await head(from, "a"), await head(to, "a")];
  assert.deepEqual([original.ReplicationStatus, replica.ReplicationStatus], ["COMPLETED", "REPLICA"]);
  for (const name of ["ETag", "VersionId", "ContentType", "TagCount"] as const)
    assert.equal(replica[name], original[name]);
  assert.deepEqual([replica.Metadata, replica.StorageClass], [{ n: "3" }, "STANDARD_IA"]);
  assert.equal(replica.LastModified?.getTime(), original.LastModified?.getTime());
  assert.equal(readFileSync(`${target.directory}/a`, "utf8"), "3");
  assert.deepEqual(
    await versionsOf(to),
    (await versionsOf(from)).filter((one) => one.startsWith("a ")),
  );
  const [record] = await queue.next();
  assert.deepEqual([record.eventName, record.s3.object.key], ["ObjectCreated:Put", "a"]);
  writeFileSync(`${source.directory}/dropped.txt`, "from outside");
  await cloud.settle();
  assert.equal((await head(to, "dropped.txt")).ReplicationStatus, "REPLICA");
});

test("delete markers and tags follow; deleted versions do not", async () => {
  const { from, to } = await newPair();
  await configure(from, await newRole(), ruleTo(to));
  const { VersionId } = await s3.send(new PutObjectCommand({ Bucket: from, Key: "a", Body: "a" }));
  await cloud.settle();
  await s3.send(
    new PutObjectTaggingCommand({ Bucket: from, Key: "a", Tagging: { TagSet: [{ Key: "k", Value: "v" }] } }),
  );
  await cloud.settle();
  const { TagSet } = await s3.send(new GetObjectTaggingCommand({ Bucket: to, Key: "a" }));
  assert.deepEqual(TagSet, [{ Key: "k", Value: "v" }]);
  await s3.send(new DeleteObjectCommand({ Bucket: from, Key: "a" }));
  await cloud.settle();
  assert.deepEqual(await versionsOf(to), await versionsOf(from));
  await s3.send(new DeleteObjectCommand({ Bucket: from, Key: "a", VersionId }));
  await cloud.settle();
  assert.equal((await versionsOf(to)).length, 2);
});

test("rules choose by prefix, tag and priority; an upload in parts keeps its ETag; a second bucket has its own", async () => {
  const { from, to } = await newPair();
  const { Bucket: second } = await newBucket({ versioned: true });
  await configure(
    from,
    await newRole(),
    ruleTo(to, { ID: "low", Priority: 1, Filter: { Prefix: "p/" } }),
    ruleTo(to, {
      ID: "high",
      Priority: 2,
      Filter: { Prefix: "p/high" },
      DeleteMarkerReplication: { Status: "Disabled" },
      Destination: { Bucket: `arn:aws:s3:::${to}`, StorageClass: "GLACIER_IR" },
    }),
    ruleTo(second, {
      ID: "tagged",
      Priority: 3,
      Filter: { And: { Prefix: "p/", Tags: [{ Key: "a", Value: "b" }] } },
      DeleteMarkerReplication: { Status: "Disabled" },
    }),
  );
  await s3.send(new PutObjectCommand({ Bucket: from, Key: "other", Body: "x" }));
  await s3.send(new PutObjectCommand({ Bucket: from, Key: "p/high", Body: "x", Tagging: "a=b" }));
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: from, Key: "p/parts" }));
  const part = await s3.send(
    new UploadPartCommand({ Bucket: from, Key: "p/parts", UploadId, PartNumber: 1, Body: "x" }),
  );
  await s3.send(
    new CompleteMultipartUploadCommand({
      Bucket: from,
      Key: "p/parts",
      UploadId,
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag: part.ETag }] },
    }),
  );
  await cloud.settle();
  await s3.send(new DeleteObjectCommand({ Bucket: from, Key: "p/high" }));
  await cloud.settle();
  assert.equal((await head(from, "other")).ReplicationStatus, undefined);
  assert.equal((await head(to, "p/high")).StorageClass, "GLACIER_IR");
  assert.equal((await head(second, "p/high")).ReplicationStatus, "REPLICA");
  assert.match((await head(to, "p/parts")).ETag!, /-1"$/);
  assert.equal(
    await (await s3.send(new GetObjectCommand({ Bucket: to, Key: "p/parts" }))).Body!.transformToString(),
    "x",
  );
  assert.equal((await versionsOf(second)).length, 1);
});

test("what a customer's key encrypts is replicated as it lies; what KMS encrypts is not, unless that is asked for", async () => {
  const { from, to } = await newPair();
  await configure(from, await newRole(), ruleTo(to));
  const key = { SSECustomerAlgorithm: "AES256", SSECustomerKey: "k".repeat(32) };
  await s3.send(new PutObjectCommand({ Bucket: from, Key: "sealed", Body: "secret", ...key }));
  await s3.send(new PutObjectCommand({ Bucket: from, Key: "kms", Body: "x", ServerSideEncryption: "aws:kms" }));
  await cloud.settle();
  const { Body, ReplicationStatus } = await s3.send(new GetObjectCommand({ Bucket: to, Key: "sealed", ...key }));
  assert.deepEqual([await Body!.transformToString(), ReplicationStatus], ["secret", "REPLICA"]);
  assert.equal((await head(from, "kms")).ReplicationStatus, undefined);
  assert.equal((await versionsOf(to)).length, 1);
});

test("what the role may not do fails, says so, and is told of", async () => {
  for (const [may, reason] of [
    [["s3:ReplicateObject"], "SrcGetObjectNotPermitted"],
    [["s3:GetObjectVersion*"], "DstPutObjectNotPermitted"],
    [undefined, "AssumeRoleNotPermitted"],
  ] as const) {
    const { from, to } = await newPair();
    const role = may ? await newRole(may) : "arn:aws:iam::000000000000:role/nobody";
    await configure(from, role, ruleTo(to, { ID: "rule" }));
    const queue = await told(cloud, from, ["s3:Replication:*"]);
    await s3.send(new PutObjectCommand({ Bucket: from, Key: "a", Body: "a" }));
    const [record] = await queue.next();
    assert.equal((await head(from, "a")).ReplicationStatus, "FAILED", reason);
    assert.deepEqual(await versionsOf(to), []);
    const { requestTime, ...data } = record.replicationEventData;
    assert.deepEqual(
      [record.eventVersion, record.eventName, data],
      [
        "2.5",
        "Replication:OperationFailedReplication",
        {
          replicationRuleId: "rule",
          destinationBucket: `arn:aws:s3:::${to}`,
          s3Operation: "OBJECT_PUT",
          failureReason: reason,
        },
      ],
    );
    assert.match(requestTime, /^\d{4}-/);
  }
});

test("a configuration is kept and removed, and a wrong one refused in AWS's words", async () => {
  const { from, to } = await newPair();
  const { Bucket: plain } = await newBucket();
  const role = await newRole();
  const get = () => s3.send(new GetBucketReplicationCommand({ Bucket: from }));
  assert.equal(
    await refusal(get()),
    "ReplicationConfigurationNotFoundError 404 The replication configuration was not found",
  );
  const SCHEMA =
    "must be specified for this version of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more information.";
  const { DeleteMarkerReplication: _, ...unmarked } = ruleTo(to);
  const { Priority: __, ...unordered } = ruleTo(to);
  for (const [bucket, rules, words] of [
    [from, [], XML],
    [from, [ruleTo(to, { Status: "On" as "Enabled" })], XML],
    [
      plain,
      [ruleTo(to)],
      "InvalidRequest 400 Versioning must be 'Enabled' on the bucket to apply a replication configuration",
    ],
    [from, [ruleTo(plain)], "InvalidRequest 400 Destination bucket must have versioning enabled."],
    [from, [ruleTo("not-there-at-all")], "InvalidRequest 400 Destination bucket must have versioning enabled."],
    [from, [ruleTo(from)], "InvalidRequest 400 Destination bucket cannot be the same as the source bucket."],
    [from, [unmarked], `InvalidRequest 400 DeleteMarkerReplication ${SCHEMA}`],
    [from, [unordered], `InvalidRequest 400 Priority ${SCHEMA}`],
    [
      from,
      [ruleTo(to, { Filter: { Tag: { Key: "a", Value: "b" } } })],
      "InvalidRequest 400 Delete marker replication is not supported if any Tag filter is specified. Please refer to S3 Developer Guide for more information.",
    ],
  ] as [string, ReplicationRule[], string][])
    assert.equal(await refusal(configure(bucket, role, ...rules)), words);
  assert.match(
    await refusal(configure(from, role, ruleTo(to, { ExistingObjectReplication: { Status: "Enabled" } }))),
    /^NotImplemented 501 .*ExistingObjectReplication/,
  );
  const user = await userWith(cloud, "half", { may: policy(allow("s3:*")) });
  const asUser = cloud
    .client(S3Client, user)
    .send(
      new PutBucketReplicationCommand({ Bucket: from, ReplicationConfiguration: { Role: role, Rules: [ruleTo(to)] } }),
    );
  assert.match(await refusal(asUser), /^AccessDenied 403 .*iam:PassRole/);
  await configure(from, role, ruleTo(to));
  assert.deepEqual((await get()).ReplicationConfiguration, { Role: role, Rules: [ruleTo(to)] });
  const suspend = new PutBucketVersioningCommand({ Bucket: from, VersioningConfiguration: { Status: "Suspended" } });
  assert.match(await refusal(s3.send(suspend)), /^InvalidBucketState 409 A replication configuration is present/);
  await s3.send(new DeleteBucketReplicationCommand({ Bucket: from }));
  assert.match(await refusal(get()), /^ReplicationConfigurationNotFoundError/);
});
