import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import {
  CreateBucketCommand,
  type CreateBucketCommandInput,
  DeleteBucketCommand,
  DeleteBucketPolicyCommand,
  DeleteBucketTaggingCommand,
  GetBucketLocationCommand,
  GetBucketPolicyCommand,
  GetBucketTaggingCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListBucketAnalyticsConfigurationsCommand,
  ListBucketsCommand,
  PutBucketPolicyCommand,
  PutBucketTaggingCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { userWith } from "../../../test/principals.ts";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, newBucket, s3 } = await startCloudWithBuckets({ bucketDefaults: "classic" });

const other = cloud.client(S3Client, { accessKeyId: "111122223333", secretAccessKey: "test" });
const create = (Bucket: string, more: Partial<CreateBucketCommandInput> = {}, client = s3) =>
  client.send(new CreateBucketCommand({ Bucket, ...more }));
const inRegion = (region: string) => {
  const client = cloud.client(S3Client);
  client.config.region = async () => region;
  return client;
};

test("CreateBucket makes a directory, and HeadBucket and ListBuckets tell of it", async () => {
  const made = await create("first-bucket");
  assert.deepEqual([made.Location, made.BucketArn], ["/first-bucket", "arn:aws:s3:::first-bucket"]);
  assert.ok(existsSync(`${cloud.aws.config.dir}/buckets/first-bucket`));
  const head = await s3.send(new HeadBucketCommand({ Bucket: "first-bucket" }));
  assert.deepEqual([head.BucketRegion, head.BucketArn, head.AccessPointAlias], ["us-east-1", made.BucketArn, false]);
  const { Buckets, Owner } = await s3.send(new ListBucketsCommand({}));
  assert.ok(Buckets?.some(({ Name }) => Name === "first-bucket"));
  assert.match(Owner!.ID!, /^[0-9a-f]{64}$/);
});

for (const name of [
  "ab",
  "UPPER",
  "under_score",
  "-dash",
  "dash-",
  "two..dots",
  "192.168.5.4",
  "xn--x",
  "x-s3alias",
  "a".repeat(64),
])
  test(`CreateBucket refuses the name ${name}`, async () => {
    const error = await failure(create(name));
    assert.deepEqual([error.name, error.status, error.BucketName], ["InvalidBucketName", 400, name]);
  });

test("a bucket of one's own is made again in us-east-1 only, another account's nowhere", async () => {
  await create("twice");
  await create("twice");
  assert.equal((await failure(create("twice", {}, other))).name, "BucketAlreadyExists");
  const oregon = inRegion("us-west-2");
  const there = { CreateBucketConfiguration: { LocationConstraint: "us-west-2" } } as const;
  await create("twice-west", there, oregon);
  assert.equal((await failure(create("twice-west", there, oregon))).name, "BucketAlreadyOwnedByYou");
});

test("a location constraint is that of the endpoint, or any at us-east-1's", async () => {
  const location = async (Bucket: string) =>
    (await s3.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint;
  const constrained = (LocationConstraint: string) =>
    ({ CreateBucketConfiguration: { LocationConstraint } }) as Partial<CreateBucketCommandInput>;
  await create("loc-none");
  assert.equal(await location("loc-none"), undefined);
  await create("loc-eu", constrained("EU"));
  assert.equal(await location("loc-eu"), "EU");
  assert.equal(
    (await inRegion("eu-west-1").send(new HeadBucketCommand({ Bucket: "loc-eu" }))).BucketRegion,
    "eu-west-1",
  );
  await create("loc-west", constrained("us-west-1"));
  assert.equal(await location("loc-west"), "us-west-1");
  for (const bad of ["us-east-1", "foo"])
    assert.equal((await failure(create("loc-bad", constrained(bad)))).name, "InvalidLocationConstraint");
  const ohio = inRegion("us-east-2");
  const illegal = await failure(create("loc-bad", constrained("us-west-1"), ohio));
  assert.equal(illegal.name, "IllegalLocationConstraintException");
});

test("ListBuckets pages, and filters by prefix and region", async () => {
  for (const name of ["page-a", "page-b", "page-c"]) await create(name);
  const first = await s3.send(new ListBucketsCommand({ MaxBuckets: 2, Prefix: "page-" }));
  assert.deepEqual(
    first.Buckets!.map(({ Name }) => Name),
    ["page-a", "page-b"],
  );
  assert.equal(first.Buckets![0]!.BucketRegion, "us-east-1");
  const rest = await s3.send(
    new ListBucketsCommand({ MaxBuckets: 2, Prefix: "page-", ContinuationToken: first.ContinuationToken }),
  );
  assert.deepEqual([rest.Buckets!.map(({ Name }) => Name), rest.ContinuationToken], [["page-c"], undefined]);
  const { Buckets } = await s3.send(new ListBucketsCommand({ BucketRegion: "eu-north-1" }));
  assert.equal(Buckets?.length ?? 0, 0);
});

test("a continuation token of no list is refused", async () => {
  const error = await failure(s3.send(new ListBucketsCommand({ ContinuationToken: "!" })));
  assert.deepEqual([error.name, error.message], ["InvalidArgument", "The continuation token provided is incorrect"]);
});

test("a host that names a region is that region's endpoint: another's bucket is elsewhere, and where is said", async () => {
  await create("at-home");
  await create("abroad", { CreateBucketConfiguration: { LocationConstraint: "eu-west-1" } });
  const lookup = (_: string, __: object, done: (error: null, found: { address: string; family: number }[]) => void) =>
    done(null, [{ address: "127.0.0.1", family: 4 }]);
  const client = new S3Client({
    endpoint: cloud.endpoint.replace("127.0.0.1", "s3.eu-west-1.amazonaws.com"),
    region: "eu-west-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    maxAttempts: 1,
    requestHandler: { httpAgent: { keepAlive: false, lookup } as object },
  });
  await client.send(new HeadBucketCommand({ Bucket: "abroad" }));
  await client.send(new PutObjectCommand({ Bucket: "abroad", Key: "k", Body: "x" }));
  const error = await failure(client.send(new GetObjectCommand({ Bucket: "at-home", Key: "k" })));
  assert.deepEqual(
    [error.name, error.status, error.Endpoint, error.Bucket],
    ["PermanentRedirect", 301, "at-home.s3.us-east-1.amazonaws.com", "at-home"],
  );
  const { LocationConstraint } = await client.send(new GetBucketLocationCommand({ Bucket: "at-home" }));
  assert.equal(LocationConstraint, undefined);
  // What is signed for one region is no other's endpoint's business.
  client.config.region = async () => "us-east-1";
  const malformed = await failure(client.send(new GetObjectCommand({ Bucket: "abroad", Key: "k" })));
  assert.deepEqual(
    [malformed.name, malformed.status, malformed.message, malformed.Region],
    [
      "AuthorizationHeaderMalformed",
      400,
      "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'",
      "eu-west-1",
    ],
  );
  client.destroy();
});

test("a host that names none is the endpoint of the region that is signed for, and SDKs follow to another's", async () => {
  await create("in-ireland", { CreateBucketConfiguration: { LocationConstraint: "eu-west-1" } });
  const error = await failure(s3.send(new PutObjectCommand({ Bucket: "in-ireland", Key: "k", Body: "x" })));
  assert.deepEqual([error.name, error.status], ["PermanentRedirect", 301]);
  const nobody = cloud.client(S3Client, await userWith(cloud, "nobody"));
  assert.equal((await failure(nobody.send(new HeadBucketCommand({ Bucket: "in-ireland" })))).status, 301);
  const following = cloud.client(S3Client);
  following.config.followRegionRedirects = true;
  await following.send(new PutObjectCommand({ Bucket: "in-ireland", Key: "k", Body: "followed" }));
  const get = await inRegion("eu-west-1").send(new GetObjectCommand({ Bucket: "in-ireland", Key: "k" }));
  assert.equal(await get.Body!.transformToString(), "followed");
  // "aws-global" is us-east-1 to the SDK itself.
  for (const region of ["auto", "garage"]) {
    const wrong = await failure(inRegion(region).send(new HeadBucketCommand({ Bucket: "in-ireland" })));
    assert.equal(wrong.status, 400);
    const listing = await failure(inRegion(region).send(new ListBucketsCommand({})));
    assert.deepEqual(
      [listing.message, listing.Region],
      [`The authorization header is malformed; the region '${region}' is wrong; expecting 'us-east-1'`, "us-east-1"],
    );
  }
  const url = await getSignedUrl(inRegion("auto"), new GetObjectCommand({ Bucket: "in-ireland", Key: "k" }));
  assert.match(await (await fetch(url)).text(), /<Code>AuthorizationQueryParametersError<\/Code>.*<Region>eu-west-1</);
});

test("buckets are listed to their own account", async () => {
  await create("theirs", {}, other);
  const { Buckets } = await other.send(new ListBucketsCommand({}));
  assert.deepEqual(
    Buckets?.map(({ Name }) => Name),
    ["theirs"],
  );
});

test("DeleteBucket wants it empty, also of files that came a moment ago, and takes the directory away", async () => {
  const { Bucket, directory } = await newBucket();
  mkdirSync(`${directory}/empty/deep`, { recursive: true });
  writeFileSync(`${directory}/file`, "x");
  const error = await failure(s3.send(new DeleteBucketCommand({ Bucket })));
  assert.deepEqual([error.name, error.status, error.BucketName], ["BucketNotEmpty", 409, Bucket]);
  rmSync(`${directory}/file`);
  await s3.send(new DeleteBucketCommand({ Bucket }));
  assert.ok(!existsSync(directory));
  assert.equal((await failure(s3.send(new DeleteBucketCommand({ Bucket })))).name, "NoSuchBucket");
  await create(Bucket);
});

test("DeleteBucket leaves what is no object", async () => {
  const { Bucket, directory } = await newBucket();
  symlinkSync("/etc/hostname", `${directory}/link`);
  await s3.send(new DeleteBucketCommand({ Bucket }));
  assert.ok(existsSync(directory));
});

test("a request that expects another owner is denied", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new HeadBucketCommand({ Bucket, ExpectedBucketOwner: "000000000000" }));
  const denied = await failure(s3.send(new GetBucketLocationCommand({ Bucket, ExpectedBucketOwner: "111111111111" })));
  assert.deepEqual([denied.name, denied.status], ["AccessDenied", 403]);
  const invalid = await failure(s3.send(new GetBucketLocationCommand({ Bucket, ExpectedBucketOwner: "abcd" })));
  assert.equal(invalid.name, "InvalidBucketOwnerAWSAccountID");
});

test("tags of a bucket are put, got and deleted; sound ones only", async () => {
  const { Bucket } = await newBucket();
  const put = (TagSet: { Key: string; Value: string }[]) =>
    s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
  assert.equal((await failure(s3.send(new GetBucketTaggingCommand({ Bucket })))).name, "NoSuchTagSet");
  await put([{ Key: "a", Value: "1" }]);
  assert.deepEqual((await s3.send(new GetBucketTaggingCommand({ Bucket }))).TagSet, [{ Key: "a", Value: "1" }]);
  for (const bad of ["aws:x", "", "x".repeat(129), "a&b"])
    assert.equal((await failure(put([{ Key: bad, Value: "" }]))).name, "InvalidTag");
  assert.equal(
    (
      await failure(
        put([
          { Key: "a", Value: "" },
          { Key: "a", Value: "" },
        ]),
      )
    ).name,
    "InvalidTag",
  );
  assert.equal((await failure(put([{ Key: "aws-like:directory", Value: "../elsewhere" }]))).name, "InvalidArgument");
  await s3.send(new DeleteBucketTaggingCommand({ Bucket }));
  assert.equal((await failure(s3.send(new GetBucketTaggingCommand({ Bucket })))).name, "NoSuchTagSet");
});

const policyOf = (Bucket: string, more: object = {}) =>
  JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Principal: "*", Action: "s3:GetObject", Resource: `arn:aws:s3:::${Bucket}/*`, ...more },
    ],
  });

test("a bucket's policy is kept as it was put, and opens the bucket to another account", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
  const get = () =>
    other.send(new GetObjectCommand({ Bucket, Key: "k" })).then(({ Body }) => Body!.transformToString());
  assert.equal((await failure(get())).status, 403);
  assert.equal((await failure(s3.send(new GetBucketPolicyCommand({ Bucket })))).name, "NoSuchBucketPolicy");
  await s3.send(new PutBucketPolicyCommand({ Bucket, Policy: policyOf(Bucket) }));
  assert.equal((await s3.send(new GetBucketPolicyCommand({ Bucket }))).Policy, policyOf(Bucket));
  assert.equal(await get(), "x");
  await s3.send(new DeleteBucketPolicyCommand({ Bucket }));
  assert.equal((await failure(get())).status, 403);
});

test("whoever may not list a bucket is not told whether a key is missing", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new PutBucketPolicyCommand({ Bucket, Policy: policyOf(Bucket) }));
  const get = () => other.send(new GetObjectCommand({ Bucket, Key: "missing" }));
  assert.equal((await failure(get())).name, "AccessDenied");
  const listing = policyOf(Bucket, {
    Action: ["s3:GetObject", "s3:ListBucket"],
    Resource: [`arn:aws:s3:::${Bucket}`, `arn:aws:s3:::${Bucket}/*`],
  });
  await s3.send(new PutBucketPolicyCommand({ Bucket, Policy: listing }));
  assert.equal((await failure(get())).name, "NoSuchKey");
});

test("a policy's Deny comes before a wrong parameter", async () => {
  const { Bucket } = await newBucket();
  const deny = policyOf(Bucket, { Effect: "Deny", Action: "s3:PutObject" });
  await s3.send(new PutBucketPolicyCommand({ Bucket, Policy: deny }));
  const put = s3.send(new PutObjectCommand({ Bucket, Key: "k", ServerSideEncryption: "ROT13" as "AES256" }));
  assert.equal((await failure(put)).name, "AccessDenied");
});

for (const [what, more, message] of [
  ["another bucket's objects", { Resource: "arn:aws:s3:::other/*" }, "Policy has invalid resource"],
  ["another service's action", { Action: "sqs:SendMessage" }, "Policy has invalid action"],
  ["nobody", { Principal: undefined }, "Missing required field Principal"],
  ["an unknown effect", { Effect: "Maybe" }, "Invalid effect: Maybe"],
] as const)
  test(`PutBucketPolicy refuses a policy for ${what}`, async () => {
    const { Bucket } = await newBucket();
    const error = await failure(s3.send(new PutBucketPolicyCommand({ Bucket, Policy: policyOf(Bucket, more) })));
    assert.deepEqual([error.name, error.message], ["MalformedPolicy", message]);
  });

test("an operation that is not there yet is NotImplemented, by name", async () => {
  const { Bucket } = await newBucket();
  const error = await failure(s3.send(new ListBucketAnalyticsConfigurationsCommand({ Bucket })));
  assert.equal(error.status, 501);
  assert.match(error.message, /ListBucketAnalyticsConfigurations/);
});

const mapped = (Value: string) => ({
  CreateBucketConfiguration: { Tags: [{ Key: "aws-like:directory", Value }] },
});

test("of two buckets that are made at once in one directory, one is made", async () => {
  const made = await Promise.allSettled([
    create("one-of-two", mapped("shared")),
    create("two-of-two", mapped("shared/in")),
  ]);
  assert.deepEqual(made.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
});

test("a directory that leads out of the workspace through a link is refused before it is made there", async () => {
  const outside = mkdtempSync(`${tmpdir()}/aws-like-outside-`);
  symlinkSync(outside, `${cloud.aws.config.dir}/link`);
  assert.equal((await failure(create("led-out", mapped("link/deep")))).name, "InvalidArgument");
  assert.ok(!existsSync(`${outside}/deep`));
  rmSync(outside, { recursive: true });
});
