import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectLegalHoldCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, s3, newBucket } = await startCloudWithBuckets();
const DAY = 86_400_000;
const XML = "The XML you provided was not well-formed or did not validate against our published schema";
const LOCKED = "AccessDenied 403 Access Denied because object protected by object lock.";

let buckets = 0;

async function lockedBucket(): Promise<string> {
  const Bucket = `locked-${++buckets}`;
  await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
  return Bucket;
}

const put = (Bucket: string, Key: string, more: Partial<PutObjectCommandInput> = {}) =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body: "body", ...more }));
const inDays = (days: number): Date => new Date(Math.floor((cloud.aws.now() + days * DAY) / 1000) * 1000);
const erase = (Bucket: string, Key: string, VersionId: string, bypass?: true) =>
  s3.send(new DeleteObjectCommand({ Bucket, Key, VersionId, ...(bypass && { BypassGovernanceRetention: bypass }) }));

test("a bucket is made with Object Lock, or gets it once it is versioned; then its versioning stays", async () => {
  const Bucket = await lockedBucket();
  const get = () => s3.send(new GetObjectLockConfigurationCommand({ Bucket }));
  assert.deepEqual((await get()).ObjectLockConfiguration, { ObjectLockEnabled: "Enabled" });
  const suspend = new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Suspended" } });
  assert.equal(
    await refusal(s3.send(suspend)),
    "InvalidBucketState 409 An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
  );
  const { Bucket: plain } = await newBucket();
  const enable = new PutObjectLockConfigurationCommand({
    Bucket: plain,
    ObjectLockConfiguration: { ObjectLockEnabled: "Enabled" },
  });
  assert.equal(
    await refusal(s3.send(enable)),
    "InvalidBucketState 409 Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
  );
  assert.equal(
    await refusal(s3.send(new GetObjectLockConfigurationCommand({ Bucket: plain }))),
    "ObjectLockConfigurationNotFoundError 404 Object Lock configuration does not exist for this bucket",
  );
  await s3.send(new PutBucketVersioningCommand({ Bucket: plain, VersioningConfiguration: { Status: "Enabled" } }));
  await s3.send(enable);
});

test("a default retention is judged in AWS's words", async () => {
  const Bucket = await lockedBucket();
  const refused = (ObjectLockEnabled: string, DefaultRetention: object) =>
    refusal(
      s3.send(
        new PutObjectLockConfigurationCommand({
          Bucket,
          ObjectLockConfiguration: { ObjectLockEnabled: ObjectLockEnabled as "Enabled", Rule: { DefaultRetention } },
        }),
      ),
    );
  for (const [status, retention, words] of [
    ["Disabled", { Mode: "GOVERNANCE", Days: 1 }, `MalformedXML 400 ${XML}`],
    ["Enabled", { Mode: "governance", Days: 1 }, `MalformedXML 400 ${XML}`],
    ["Enabled", { Mode: "GOVERNANCE", Days: 1, Years: 1 }, `MalformedXML 400 ${XML}`],
    ["Enabled", { Mode: "GOVERNANCE" }, `MalformedXML 400 ${XML}`],
    [
      "Enabled",
      { Mode: "GOVERNANCE", Days: 0 },
      "InvalidRetentionPeriod 400 Default retention period must be a positive integer value.",
    ],
    ["Enabled", { Mode: "GOVERNANCE", Years: 101 }, "InvalidRetentionPeriod 400 Default retention period too large"],
  ] as const)
    assert.equal(await refused(status, retention), words);
});

test("what is put under a default retention cannot be deleted until it ends, however it came", async () => {
  const Bucket = await lockedBucket();
  await s3.send(
    new PutObjectLockConfigurationCommand({
      Bucket,
      ObjectLockConfiguration: {
        ObjectLockEnabled: "Enabled",
        Rule: { DefaultRetention: { Mode: "COMPLIANCE", Days: 2 } },
      },
    }),
  );
  const { VersionId: first } = await put(Bucket, "a");
  const { VersionId: copy } = await s3.send(new CopyObjectCommand({ Bucket, Key: "b", CopySource: `${Bucket}/a` }));
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: "c" }));
  const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key: "c", UploadId, PartNumber: 1, Body: "part" }));
  const { VersionId: parts } = await s3.send(
    new CompleteMultipartUploadCommand({
      Bucket,
      Key: "c",
      UploadId,
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] },
    }),
  );
  const { writeFileSync } = await import("node:fs");
  writeFileSync(`${cloud.aws.config.dir}/buckets/${Bucket}/d`, "from outside");
  await cloud.settle();
  const { VersionId: outside } = await s3.send(new HeadObjectCommand({ Bucket, Key: "d" }));
  const all = [
    ["a", first],
    ["b", copy],
    ["c", parts],
    ["d", outside],
  ] as [string, string][];
  for (const [key, version] of all) assert.equal(await refusal(erase(Bucket, key, version, true)), LOCKED, key);
  const { DeleteMarker } = await s3.send(new DeleteObjectCommand({ Bucket, Key: "a" }));
  assert.equal(DeleteMarker, true);
  await cloud.advance(2 * DAY + 1000);
  for (const [key, version] of all) await erase(Bucket, key, version);
});

test("retention is set, lengthened, and shortened by nobody but who may bypass governance", async () => {
  const Bucket = await lockedBucket();
  const Key = "doc";
  const until = inDays(10);
  const { VersionId } = await put(Bucket, Key, { ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate: until });
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key }));
  assert.equal(head.ObjectLockMode, "GOVERNANCE");
  assert.equal(head.ObjectLockRetainUntilDate?.getTime(), until.getTime());
  const retain = (Mode: string, days: number, bypass = false, by = s3) =>
    by.send(
      new PutObjectRetentionCommand({
        Bucket,
        Key,
        Retention: { Mode: Mode as "GOVERNANCE", RetainUntilDate: inDays(days) },
        ...(bypass && { BypassGovernanceRetention: true }),
      }),
    );
  assert.equal(await refusal(retain("GOVERNANCE", 5)), LOCKED);
  assert.equal(await refusal(retain("COMPLIANCE", 20)), LOCKED);
  await retain("GOVERNANCE", 20);
  const user = await userWith(cloud, "keeper", {
    may: policy(allow(["s3:*"]), { Effect: "Deny", Action: "s3:BypassGovernanceRetention", Resource: "*" }),
  });
  assert.match(
    await refusal(retain("GOVERNANCE", 1, true, cloud.client(S3Client, user))),
    /^AccessDenied 403 .*BypassGovernanceRetention/,
  );
  await retain("GOVERNANCE", 1, true);
  const deleted = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key, VersionId }] } }));
  assert.deepEqual(deleted.Errors, [
    { Key, VersionId, Code: "AccessDenied", Message: "Access Denied because object protected by object lock." },
  ]);
  await retain("COMPLIANCE", 2, true);
  assert.equal(await refusal(retain("COMPLIANCE", 1, true)), LOCKED);
  assert.equal(await refusal(erase(Bucket, Key, VersionId!, true)), LOCKED);
  const { VersionId: other } = await put(Bucket, "other", {
    ObjectLockMode: "GOVERNANCE",
    ObjectLockRetainUntilDate: inDays(1),
  });
  assert.equal(await refusal(erase(Bucket, "other", other!)), LOCKED);
  await erase(Bucket, "other", other!, true);
  const past = await failure(
    s3.send(
      new PutObjectRetentionCommand({ Bucket, Key, Retention: { Mode: "COMPLIANCE", RetainUntilDate: new Date(0) } }),
    ),
  );
  assert.deepEqual(
    [past.name, past.message, past.ArgumentName],
    ["InvalidArgument", "The retain until date must be in the future!", "RetainUntilDate"],
  );
});

test("a legal hold holds until it is taken off, whatever the retention", async () => {
  const Bucket = await lockedBucket();
  const { VersionId } = await put(Bucket, "held");
  const hold = (Status?: string) =>
    s3.send(
      new PutObjectLegalHoldCommand({ Bucket, Key: "held", LegalHold: { ...(Status && { Status: Status as "ON" }) } }),
    );
  const NOTHING = "NoSuchObjectLockConfiguration 404 The specified object does not have a ObjectLock configuration";
  assert.equal(await refusal(s3.send(new GetObjectLegalHoldCommand({ Bucket, Key: "held" }))), NOTHING);
  assert.equal(await refusal(s3.send(new GetObjectRetentionCommand({ Bucket, Key: "held" }))), NOTHING);
  assert.equal(await refusal(hold("MAYBE")), `MalformedXML 400 ${XML}`);
  await hold("ON");
  assert.equal((await s3.send(new HeadObjectCommand({ Bucket, Key: "held" }))).ObjectLockLegalHoldStatus, "ON");
  await cloud.advance(400 * DAY);
  assert.equal(await refusal(erase(Bucket, "held", VersionId!, true)), LOCKED);
  await hold("OFF");
  await erase(Bucket, "held", VersionId!);
  assert.equal((await s3.send(new ListObjectVersionsCommand({ Bucket }))).Versions, undefined);
});

test("lock headers that do not fit are refused before anything is stored", async () => {
  const Bucket = await lockedBucket();
  const { Bucket: plain } = await newBucket({ versioned: true });
  const BOTH = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied";
  for (const [bucket, headers, words] of [
    [Bucket, { ObjectLockMode: "GOVERNANCE" }, `InvalidArgument 400 ${BOTH}`],
    [Bucket, { ObjectLockRetainUntilDate: inDays(1) }, `InvalidArgument 400 ${BOTH}`],
    [
      Bucket,
      { ObjectLockMode: "BAD", ObjectLockRetainUntilDate: inDays(1) },
      "InvalidArgument 400 Unknown wormMode directive.",
    ],
    [
      Bucket,
      { ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate: inDays(-1) },
      "InvalidArgument 400 The retain until date must be in the future!",
    ],
    [plain, { ObjectLockLegalHoldStatus: "ON" }, "InvalidRequest 400 Bucket is missing Object Lock Configuration"],
  ] as [string, Partial<PutObjectCommandInput>, string][])
    assert.equal(await refusal(put(bucket, "refused", headers)), words);
  assert.equal((await failure(s3.send(new HeadObjectCommand({ Bucket, Key: "refused" })))).status, 404);
  assert.equal(
    await refusal(
      s3.send(
        new PutObjectRetentionCommand({
          Bucket,
          Key: "none",
          Retention: { Mode: "GOVERNANCE", RetainUntilDate: inDays(1) },
        }),
      ),
    ),
    "NoSuchKey 404 The specified key does not exist.",
  );
});
