import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import {
  DeleteBucketInventoryConfigurationCommand,
  DeleteObjectCommand,
  GetBucketInventoryConfigurationCommand,
  GetObjectCommand,
  type InventoryConfiguration,
  ListBucketInventoryConfigurationsCommand,
  ListObjectsV2Command,
  PutBucketInventoryConfigurationCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { allow, policy, refusal } from "../../../test/principals.ts";
import { startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, s3, newBucket } = await startCloudWithBuckets();
const DAY = 86_400_000;
// From noon: no midnight passes unasked.
await cloud.advance(1.5 * DAY - (cloud.aws.now() % DAY));
const XML =
  "MalformedXML 400 The XML you provided was not well-formed or did not validate against our published schema";

const configure = (
  Bucket: string,
  target: string,
  more: Partial<InventoryConfiguration> = {},
  Id = more.Id ?? "list",
) =>
  s3.send(
    new PutBucketInventoryConfigurationCommand({
      Bucket,
      Id,
      InventoryConfiguration: {
        Id,
        IsEnabled: true,
        IncludedObjectVersions: "Current",
        Schedule: { Frequency: "Daily" },
        Destination: { S3BucketDestination: { Bucket: `arn:aws:s3:::${target}`, Format: "CSV", Prefix: "inv" } },
        ...more,
      },
    }),
  );

async function newTarget(): Promise<string> {
  const { Bucket } = await newBucket();
  const Policy = policy(
    allow("s3:PutObject", { Principal: { Service: "s3.amazonaws.com" }, Resource: `arn:aws:s3:::${Bucket}/*` }),
  );
  await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }));
  return Bucket;
}

const bytes = async (Bucket: string, Key: string): Promise<Buffer> =>
  Buffer.from(await (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToByteArray());
const keys = async (Bucket: string): Promise<string[]> =>
  ((await s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key }) => Key!);

test("at midnight the target has the list, a manifest, its checksum and the symlink file", async () => {
  const { Bucket } = await newBucket({ versioned: true });
  const target = await newTarget();
  await configure(Bucket, target, {
    IncludedObjectVersions: "All",
    OptionalFields: ["StorageClass", "Size", "ETag", "ChecksumAlgorithm", "LastModifiedDate"],
    Filter: { Prefix: "in/" },
  });
  const { VersionId, ETag } = await s3.send(new PutObjectCommand({ Bucket, Key: 'in/a "b"+', Body: "hello" }));
  await s3.send(new PutObjectCommand({ Bucket, Key: "out", Body: "x" }));
  const { VersionId: marker } = await s3.send(new DeleteObjectCommand({ Bucket, Key: "in/gone" }));
  await cloud.advance(DAY);
  const found = await keys(target);
  const home = `inv/${Bucket}/list`;
  const [data, checksumKey, manifestKey, symlink] = [
    /\.csv\.gz$/,
    /manifest\.checksum$/,
    /manifest\.json$/,
    /symlink\.txt$/,
  ].map((pattern) => found.find((key) => pattern.test(key))!) as [string, string, string, string];
  assert.equal(found.length, 4);
  assert.match(data, new RegExp(`^${home}/data/[0-9a-f-]{36}\\.csv\\.gz$`));
  assert.match(manifestKey, new RegExp(`^${home}/\\d{4}-\\d\\d-\\d\\dT00-00Z/manifest\\.json$`));
  assert.match(symlink, new RegExp(`^${home}/hive/dt=\\d{4}-\\d\\d-\\d\\d-00-00/symlink\\.txt$`));
  assert.equal(String(await bytes(target, symlink)), `s3://${target}/${data}`);
  const [manifestText, list] = [await bytes(target, manifestKey), await bytes(target, data)];
  assert.equal(String(await bytes(target, checksumKey)), createHash("md5").update(manifestText).digest("hex"));
  const { creationTimestamp, ...manifest } = JSON.parse(String(manifestText));
  assert.match(creationTimestamp, /^\d{13}$/);
  assert.deepEqual(manifest, {
    sourceBucket: Bucket,
    destinationBucket: `arn:aws:s3:::${target}`,
    version: "2016-11-30",
    fileFormat: "CSV",
    fileSchema:
      "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, ChecksumAlgorithm",
    files: [{ key: data, size: list.length, MD5checksum: createHash("md5").update(list).digest("hex") }],
  });
  const lines = String(gunzipSync(list)).trimEnd().split("\n");
  assert.equal(lines.length, 2);
  const date = '"\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.000Z"';
  assert.match(
    lines[0]!,
    new RegExp(
      `^"${Bucket}","in/a%20%22b%22%2B","${VersionId}","true","false","5",${date},${ETag!},"STANDARD","CRC32"$`,
    ),
  );
  assert.match(lines[1]!, new RegExp(`^"${Bucket}","in/gone","${marker}","true","true","",${date},"","",""$`));
  await cloud.advance(DAY);
  assert.equal((await keys(target)).length, 8, "one a day");
});

test("a weekly list comes on Sunday, an empty bucket's is empty, and one that is off never", async () => {
  const { Bucket } = await newBucket();
  const [weekly, off, closed] = [await newTarget(), await newTarget(), (await newBucket()).Bucket];
  await configure(Bucket, weekly, { Schedule: { Frequency: "Weekly" } });
  await configure(Bucket, off, { Id: "off", IsEnabled: false });
  await configure(Bucket, closed, { Id: "closed" });
  await cloud.advance(7 * DAY);
  const found = await keys(weekly);
  const day = found.find((key) => key.endsWith("manifest.json"))!.match(/\d{4}-\d\d-\d\d/)![0];
  assert.equal(new Date(day).getUTCDay(), 0);
  assert.equal(gunzipSync(await bytes(weekly, found.find((key) => key.endsWith(".gz"))!)).length, 0);
  assert.deepEqual([found.length, await keys(off), await keys(closed)], [4, [], []]);
});

test("configurations are given back, listed in order and deleted; wrong ones are refused in AWS's words", async () => {
  const { Bucket } = await newBucket();
  const get = (Id: string) => s3.send(new GetBucketInventoryConfigurationCommand({ Bucket, Id }));
  const list = () => s3.send(new ListBucketInventoryConfigurationsCommand({ Bucket }));
  const remove = (Id: string) => s3.send(new DeleteBucketInventoryConfigurationCommand({ Bucket, Id }));
  const NONE = "NoSuchConfiguration 404 The specified configuration does not exist.";
  assert.deepEqual([await refusal(get("none")), await refusal(remove("none"))], [NONE, NONE]);
  for (const Id of ["z", "a"]) await configure(Bucket, Bucket, { Id });
  const { InventoryConfigurationList, IsTruncated } = await list();
  assert.deepEqual([InventoryConfigurationList?.map(({ Id }) => Id), IsTruncated], [["a", "z"], false]);
  assert.deepEqual((await get("a")).InventoryConfiguration, InventoryConfigurationList![0]);
  await remove("a");
  assert.equal((await list()).InventoryConfigurationList?.length, 1);
  const destination = (Bucket: string, Format: string) => ({
    Destination: { S3BucketDestination: { Bucket, Format: Format as "CSV" } },
  });
  for (const [more, words] of [
    [destination("bucket", "CSV"), "InvalidS3DestinationBucket 400 Invalid bucket ARN."],
    [destination("arn:aws:s3:::bucket", "XML"), XML],
    [{ Schedule: { Frequency: "Hourly" } }, XML],
    [{ IncludedObjectVersions: "Some" }, XML],
    [{ OptionalFields: ["Colour"] }, XML],
    [{ Id: "other" }, "IdMismatch 400 Document ID does not match the specified configuration ID."],
  ] as [Partial<InventoryConfiguration>, string][])
    assert.equal(await refusal(configure(Bucket, Bucket, more, "list")), words);
  for (const more of [destination("arn:aws:s3:::bucket", "ORC"), { OptionalFields: ["ObjectOwner" as const] }])
    assert.match(await refusal(configure(Bucket, Bucket, more)), /^NotImplemented 501 .*(ORC|ObjectOwner)/);
});
