import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  type CreateBucketConfiguration,
  CreateMultipartUploadCommand,
  CreateSessionCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetBucketPolicyCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListDirectoryBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, newBucket, s3 } = await startCloudWithBuckets();

const ZONE = "use1-az4";
const zoned = (Name = ZONE, more: Partial<CreateBucketConfiguration> = {}): CreateBucketConfiguration => ({
  Location: { Type: "AvailabilityZone", Name },
  Bucket: { Type: "Directory", DataRedundancy: "SingleAvailabilityZone" },
  ...more,
});

let made = 0;
async function newDirectoryBucket(): Promise<string> {
  const Bucket = `dir-${++made}--${ZONE}--x-s3`;
  await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: zoned() }));
  return Bucket;
}

const arnOf = (name: string) => `arn:aws:s3express:us-east-1:000000000000:bucket/${name}`;

test("a directory bucket says its zone, and is not among the general ones", async () => {
  const Bucket = await newDirectoryBucket();
  const head = await s3.send(new HeadBucketCommand({ Bucket }));
  assert.deepEqual(
    [head.BucketLocationType, head.BucketLocationName, head.BucketRegion, head.BucketArn],
    ["AvailabilityZone", ZONE, "us-east-1", arnOf(Bucket)],
  );
  const general = await s3.send(new ListBucketsCommand({}));
  assert.ok(!general.Buckets?.some(({ Name }) => Name === Bucket));
  const again = await failure(s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: zoned() })));
  assert.deepEqual([again.name, again.status], ["BucketAlreadyOwnedByYou", 409]);
  await s3.send(new DeleteBucketCommand({ Bucket }));
  assert.equal((await failure(s3.send(new HeadBucketCommand({ Bucket })))).status, 404);
});

test("ListDirectoryBuckets pages", async () => {
  const names = [await newDirectoryBucket(), await newDirectoryBucket()].sort();
  const seen: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await s3.send(new ListDirectoryBucketsCommand({ MaxDirectoryBuckets: 1, ContinuationToken }));
    seen.push(...page.Buckets!.map(({ Name }) => Name!));
    ContinuationToken = page.ContinuationToken;
  } while (ContinuationToken);
  assert.deepEqual(
    seen.filter((name) => names.includes(name)),
    names,
  );
});

for (const [name, configuration, expected] of [
  [`x--${ZONE}--x-s3`, undefined, "MalformedXML"],
  [`x--${ZONE}--x-s3`, { LocationConstraint: "us-west-2" }, "MalformedXML"],
  [`x--${ZONE}--x-s3`, zoned("use1-az5"), "InvalidBucketName"],
  ["x--usw2-az1--x-s3", zoned("usw2-az1"), "InvalidLocationConstraint"],
  [`x.y--${ZONE}--x-s3`, zoned(), "InvalidBucketName"],
  [`-x--${ZONE}--x-s3`, zoned(), "InvalidBucketName"],
  ["x--x-s3", zoned(), "InvalidBucketName"],
  ["general", zoned(), "InvalidBucketName"],
  [`x--${ZONE}--x-s3`, zoned(ZONE, { Location: { Type: "LocalZone", Name: ZONE } }), "AccessDenied"],
  [`x--${ZONE}--x-s3`, zoned(ZONE, { Bucket: { Type: "Directory" } }), "MalformedXML"],
] as const)
  test(`${name} of ${JSON.stringify(configuration)} is ${expected}`, async () => {
    const create = new CreateBucketCommand({ Bucket: name, CreateBucketConfiguration: configuration });
    assert.equal((await failure(s3.send(create))).name, expected);
  });

test("objects are plain files of the one class that there is", async () => {
  const Bucket = await newDirectoryBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "a/b.txt", Body: "hello" }));
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "a/b.txt" }));
  assert.equal(head.StorageClass, "EXPRESS_ONEZONE");
  assert.equal(readFileSync(`${cloud.aws.config.dir}/buckets/${Bucket}/a/b.txt`, "utf8"), "hello");
  const { StorageClass } = await s3.send(
    new GetObjectAttributesCommand({ Bucket, Key: "a/b.txt", ObjectAttributes: ["StorageClass"] }),
  );
  assert.equal(StorageClass, "EXPRESS_ONEZONE");
  const copy = { Bucket, Key: "a/c.txt", CopySource: `${Bucket}/a/b.txt` };
  await s3.send(new CopyObjectCommand(copy));
  const listed = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "a/", Delimiter: "/" }));
  assert.deepEqual(
    listed.Contents?.map(({ Key, StorageClass }) => [Key, StorageClass]),
    [
      ["a/b.txt", "EXPRESS_ONEZONE"],
      ["a/c.txt", "EXPRESS_ONEZONE"],
    ],
  );
  const { Bucket: general } = await newBucket();
  await s3.send(new CopyObjectCommand({ ...copy, Bucket: general }));
  const copied = await s3.send(new HeadObjectCommand({ Bucket: general, Key: "a/c.txt" }));
  assert.equal(copied.StorageClass, undefined);
  const { Deleted } = await s3.send(
    new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "a/b.txt" }, { Key: "a/c.txt" }] } }),
  );
  assert.equal(Deleted?.length, 2);
  assert.ok(!existsSync(`${cloud.aws.config.dir}/buckets/${Bucket}/a/b.txt`));
});

test("parts become an object there, too", async () => {
  const of = { Bucket: await newDirectoryBucket(), Key: "parts" };
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(of));
  assert.equal((await s3.send(new ListMultipartUploadsCommand({ Bucket: of.Bucket }))).Uploads?.length, 1);
  const { ETag } = await s3.send(new UploadPartCommand({ ...of, UploadId, PartNumber: 1, Body: "part" }));
  await s3.send(
    new CompleteMultipartUploadCommand({ ...of, UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } }),
  );
  const get = await s3.send(new GetObjectCommand(of));
  assert.equal(await get.Body!.transformToString(), "part");
});

test("a presigned URL is signed with the session", async () => {
  const of = { Bucket: await newDirectoryBucket(), Key: "signed" };
  await s3.send(new PutObjectCommand({ ...of, Body: "seen" }));
  const url = await getSignedUrl(s3, new GetObjectCommand(of));
  assert.match(url, /X-Amz-S3session-Token=/i);
  const answer = await fetch(url);
  assert.deepEqual([answer.status, await answer.text()], [200, "seen"]);
});

for (const [what, more, expected] of [
  ["an ACL", { ACL: "public-read" }, "NotImplemented 501"],
  ["tags", { Tagging: "a=b" }, "NotImplemented 501"],
  ["a lock", { ObjectLockLegalHoldStatus: "ON" }, "NotImplemented 501"],
  ["a redirect", { WebsiteRedirectLocation: "/x" }, "NotImplemented 501"],
  ["another class", { StorageClass: "STANDARD_IA" }, "InvalidStorageClass 400"],
  ["a Content-MD5", { ContentMD5: "XUFAKrxLKna5cZ2REBfFkg==" }, "InvalidRequest 400"],
] as const)
  test(`PutObject with ${what} is ${expected}`, async () => {
    const Bucket = await newDirectoryBucket();
    const put = new PutObjectCommand({ Bucket, Key: "k", Body: "hello", ...more } as PutObjectCommandInput);
    const error = await failure(s3.send(put));
    assert.equal(`${error.name} ${error.status}`, expected);
  });

test("what directory buckets do not have is refused", async () => {
  const Bucket = await newDirectoryBucket();
  const of = { Bucket, Key: "k" };
  const words = "The specified method is not allowed against this resource.";
  for (const refused of [
    s3.send(new GetObjectTaggingCommand(of)),
    s3.send(new PutObjectAclCommand({ ...of, ACL: "private" })),
    s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } })),
  ])
    assert.equal(await refusal(refused), `MethodNotAllowed 405 ${words}`);
  assert.match(await refusal(s3.send(new ListObjectsCommand({ Bucket }))), /^NotSupported 400 /);
  assert.equal(
    await refusal(s3.send(new ListObjectsV2Command({ Bucket, Prefix: "a" }))),
    "InvalidRequest 400 This bucket does not support a prefix that does not end in a delimiter. Specify a prefix path ending with a delimiter and try again.",
  );
  assert.match(await refusal(s3.send(new ListObjectsV2Command({ Bucket, Delimiter: "-" }))), /^InvalidRequest 400/);
  assert.match(await refusal(s3.send(new ListObjectsV2Command({ Bucket, StartAfter: "a" }))), /^NotImplemented 501/);
  assert.match(
    await refusal(s3.send(new GetObjectCommand({ ...of, VersionId: "x".repeat(32) }))),
    /^NotImplemented 501/,
  );
});

test("lifecycle expires there, but moves nothing", async () => {
  const Bucket = await newDirectoryBucket();
  const put = (Rule: object) =>
    s3.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket,
        LifecycleConfiguration: { Rules: [{ ID: "r", Status: "Enabled", Filter: {}, ...Rule }] },
      }),
    );
  await put({ Expiration: { Days: 1 }, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } });
  assert.match(await refusal(put({ Transitions: [{ Days: 30, StorageClass: "GLACIER" }] })), /^InvalidRequest 400/);
  const tagged = put({ Expiration: { Days: 1 }, Filter: { Tag: { Key: "a", Value: "b" } } });
  assert.match(await refusal(tagged), /^InvalidRequest 400/);
});

/** A client that signs all with one session, which it was given. */
async function withSession(Bucket: string, SessionMode?: "ReadOnly" | "ReadWrite", by = s3): Promise<S3Client> {
  const { Credentials } = await by.send(new CreateSessionCommand({ Bucket, SessionMode }));
  const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials!;
  const client = cloud.client(S3Client, { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey! });
  client.config.disableS3ExpressSessionAuth = async () => true;
  client.middlewareStack.add(
    (next) => (args) => {
      (args.request as { headers: Record<string, string> }).headers["x-amz-s3session-token"] = SessionToken!;
      return next(args);
    },
    { step: "build" },
  );
  return client;
}

test("a session may what its mode says, in its bucket alone, for five minutes", async () => {
  const [Bucket, other] = [await newDirectoryBucket(), await newDirectoryBucket()];
  const [reads, writes] = [await withSession(Bucket, "ReadOnly"), await withSession(Bucket)];
  await writes.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
  await reads.send(new GetObjectCommand({ Bucket, Key: "k" }));
  const denied = "AccessDenied 403 Access Denied";
  assert.equal(await refusal(reads.send(new PutObjectCommand({ Bucket, Key: "k", Body: "y" }))), denied);
  assert.equal(await refusal(reads.send(new DeleteBucketCommand({ Bucket }))), denied);
  assert.equal(
    await refusal(writes.send(new CopyObjectCommand({ Bucket, Key: "c", CopySource: `${Bucket}/k` }))),
    denied,
  );
  assert.equal(await refusal(writes.send(new PutObjectCommand({ Bucket: other, Key: "k", Body: "y" }))), denied);
  await cloud.advance(6 * 60_000);
  assert.match(await refusal(writes.send(new GetObjectCommand({ Bucket, Key: "k" }))), /^ExpiredToken 400/);
});

test("a session's credentials are nobody's elsewhere", async () => {
  const Bucket = await newDirectoryBucket();
  const { Credentials } = await s3.send(new CreateSessionCommand({ Bucket }));
  const as = {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: Credentials!.SecretAccessKey!,
    sessionToken: Credentials!.SessionToken!,
  };
  const general = cloud.client(S3Client, as);
  assert.match(await refusal(general.send(new ListBucketsCommand({}))), /^InvalidAccessKeyId 403/);
  // Neither is its token, sent as that of a role's session.
  general.config.disableS3ExpressSessionAuth = async () => true;
  assert.match(await refusal(general.send(new GetObjectCommand({ Bucket, Key: "k" }))), /^InvalidAccessKeyId 403/);
});

test("a presigned URL is a session's however its parameters are written", async () => {
  const Bucket = await newDirectoryBucket();
  const { Bucket: general } = await newBucket();
  const { Credentials } = await s3.send(new CreateSessionCommand({ Bucket, SessionMode: "ReadOnly" }));
  const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials!;
  const client = cloud.client(S3Client, { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey! });
  client.config.disableS3ExpressSessionAuth = async () => true;
  client.middlewareStack.add(
    (next) => (args) => {
      (args.request as { query: Record<string, string> }).query["X-Amz-S3session-Token"] = SessionToken!;
      return next(args);
    },
    { step: "build" },
  );
  for (const [to, signingService] of [
    [Bucket, "s3express"],
    [general, "s3"],
    [general, "s3express"],
  ] as const) {
    const url = await getSignedUrl(client, new PutObjectCommand({ Bucket: to, Key: "k" }), { signingService });
    for (const written of [
      url,
      url.replace("X-Amz-S3session-Token=", "X-Amz-S3session%2DToken="),
      url.replace("X-Amz-S3session-Token=", "X-Amz-S3session%2DToken=").replace("Amz-Credential=", "Amz%2DCredential="),
    ]) {
      const answer = await fetch(written, { method: "PUT", body: "x" });
      assert.match(
        await answer.text(),
        to === general && signingService === "s3express" ? /incorrect service/ : /<Code>AccessDenied</,
      );
    }
  }
});

test("a bucket that another account makes has none of the sessions that were begun before", async () => {
  const Bucket = `dir-${++made}--${ZONE}--x-s3`;
  const them = { accessKeyId: "222222222222", secretAccessKey: "test" };
  const early = await withSession(Bucket, "ReadWrite", cloud.client(S3Client, them));
  await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: zoned() }));
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
  const denied = "AccessDenied 403 Access Denied";
  assert.equal(await refusal(early.send(new GetObjectCommand({ Bucket, Key: "k" }))), denied);
  assert.equal(await refusal(early.send(new PutObjectCommand({ Bucket, Key: "k", Body: "y" }))), denied);
});

const session = (name: string, more: object = {}): string =>
  policy(allow("s3express:CreateSession", { Resource: arnOf(name), ...more }));

test("a user needs s3express:CreateSession, in the mode that is allowed", async () => {
  const Bucket = await newDirectoryBucket();
  const readOnly = { Condition: { StringEquals: { "s3express:SessionMode": "ReadOnly" } } };
  const reader = cloud.client(S3Client, await userWith(cloud, "reader", { may: session(Bucket, readOnly) }));
  const writer = cloud.client(S3Client, await userWith(cloud, "writer", { may: session(Bucket) }));
  const nobody = cloud.client(S3Client, await userWith(cloud, "nobody", { may: policy(allow("s3:*")) }));
  await writer.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
  await reader.send(new GetObjectCommand({ Bucket, Key: "k" }));
  await reader.send(new HeadBucketCommand({ Bucket }));
  assert.match(await refusal(reader.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x" }))), /^AccessDenied 403/);
  assert.equal(
    await refusal(nobody.send(new GetObjectCommand({ Bucket, Key: "k" }))),
    `AccessDenied 403 User: arn:aws:iam::000000000000:user/nobody is not authorized to perform: s3express:CreateSession on resource: "${arnOf(Bucket)}" because no identity-based policy allows the s3express:CreateSession action`,
  );
  // Without a session, each request is asked the same.
  for (const client of [reader, writer]) client.config.disableS3ExpressSessionAuth = async () => true;
  await reader.send(new GetObjectCommand({ Bucket, Key: "k" }));
  await writer.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
  const put = reader.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
  assert.match(await refusal(put), /^AccessDenied 403 .*s3express:CreateSession/);
});

test("another account is let in by the bucket's policy", async () => {
  const Bucket = await newDirectoryBucket();
  const Policy = policy({
    Effect: "Allow",
    Principal: { AWS: "111111111111" },
    Action: "s3express:CreateSession",
    Resource: arnOf(Bucket),
  });
  const asThem = () => cloud.client(S3Client, { accessKeyId: "111111111111", secretAccessKey: "test" });
  assert.match(await refusal(asThem().send(new ListObjectsV2Command({ Bucket }))), /^AccessDenied 403/);
  await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }));
  assert.equal((await s3.send(new GetBucketPolicyCommand({ Bucket }))).Policy, Policy);
  await asThem().send(new PutObjectCommand({ Bucket, Key: "k", Body: "theirs" }));
  const ofGeneral = policy({ ...allow("s3:GetObject"), Principal: "*", Resource: `arn:aws:s3:::${Bucket}/*` });
  const error = await failure(s3.send(new PutBucketPolicyCommand({ Bucket, Policy: ofGeneral })));
  assert.deepEqual([error.name, error.message], ["MalformedPolicy", "Policy has invalid action"]);
});

test("what is signed for the other kind of bucket is told so", async () => {
  const client = cloud.client(S3Client);
  client.config.disableS3ExpressSessionAuth = async () => true;
  const { Bucket: general } = await newBucket();
  for (const [Bucket, signingService, right] of [
    [await newDirectoryBucket(), "s3", "s3express"],
    [general, "s3express", "s3"],
  ] as const) {
    const url = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: "k" }), { signingService });
    const answer = await fetch(url);
    const text = await answer.text();
    assert.match(
      text,
      new RegExp(`incorrect service &quot;${signingService}&quot;. This endpoint belongs to &quot;${right}&quot;`),
    );
  }
});
