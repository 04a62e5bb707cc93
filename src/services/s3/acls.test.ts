// ACLs, who owns what is written, and what of the public is kept out: asked as root of two accounts, as a user, and as nobody.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { S3 } from "@aws-sdk/client-s3";
import { policy, refusal, userWith } from "../../../test/principals.ts";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";

const accounts = [
  { id: "111111111111", accessKeyId: "alice", secretAccessKey: "a", email: "alice@example.com", name: "Alice" },
];
const { cloud, newBucket } = await startCloudWithBuckets({ bucketDefaults: "classic", accounts });
const s3 = cloud.client(S3);
const alice = cloud.client(S3, { accessKeyId: "alice", secretAccessKey: "a" });
const OWN = "0".repeat(64);
const ALICE = "111111111111".padStart(64, "0");
const ALL = "http://acs.amazonaws.com/groups/global/AllUsers";
const ANY = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";

const url = (bucket: string, key = "") => `${cloud.endpoint}/${bucket}/${key}`;
const anonymously = async (bucket: string, key = "", init: RequestInit = {}) =>
  (await fetch(url(bucket, key), init)).status;

type Told = { Grants?: { Grantee?: { ID?: string; URI?: string }; Permission?: string }[] };
const said = ({ Grants = [] }: Told) =>
  Grants.map(({ Grantee, Permission }) => `${Grantee?.ID ?? Grantee?.URI?.split("/").at(-1)} ${Permission}`);
const ownersOnly = [`${OWN} FULL_CONTROL`];

test("a bucket's ACL is canned, or a list of grants, or a document, and is told as grants", async () => {
  const { Bucket } = await newBucket();
  const get = async () => said(await s3.getBucketAcl({ Bucket }));
  assert.deepEqual(await get(), ownersOnly);
  for (const [ACL, more] of Object.entries({
    private: [],
    "public-read": ["AllUsers READ"],
    "public-read-write": ["AllUsers READ", "AllUsers WRITE"],
    "authenticated-read": ["AuthenticatedUsers READ"],
    "log-delivery-write": ["LogDelivery WRITE", "LogDelivery READ_ACP"],
  })) {
    await s3.putBucketAcl({ Bucket, ACL: ACL as "private" });
    assert.deepEqual(await get(), [...ownersOnly, ...more], ACL);
  }
  await s3.putBucketAcl({
    Bucket,
    GrantRead: `emailAddress="alice@example.com", uri="${ANY}"`,
    GrantWriteACP: `id=${ALICE}`,
  });
  assert.deepEqual(await get(), [`${ALICE} READ`, "AuthenticatedUsers READ", `${ALICE} WRITE_ACP`]);
  const { Owner, Grants } = await s3.getBucketAcl({ Bucket });
  assert.deepEqual(Owner, { ID: OWN });
  assert.deepEqual(Grants![0]!.Grantee, { ID: ALICE, DisplayName: "Alice", Type: "CanonicalUser" });
  const Grantee = { Type: "Group" as const, URI: ALL };
  await s3.putBucketAcl({ Bucket, AccessControlPolicy: { Owner: Owner!, Grants: [{ Grantee, Permission: "READ" }] } });
  assert.deepEqual(await get(), ["AllUsers READ"]);
});

test("what is wrong with an ACL is told in AWS's words", async () => {
  const { Bucket } = await newBucket();
  const Owner = { ID: OWN };
  const grantee = (of: object, Permission = "READ") => [{ Grantee: of, Permission }];
  const document = (Grants: object[], owner: object | undefined = Owner) => ({
    AccessControlPolicy: { Owner: owner, Grants },
  });
  const MALFORMED =
    "MalformedACLError 400 The XML you provided was not well-formed or did not validate against our published schema";
  const cases: [object, string][] = [
    [{ ACL: "fake" }, "InvalidArgument 400 UnknownError"],
    [
      { ACL: "private", GrantRead: `uri=${ALL}` },
      "InvalidRequest 400 Specifying both Canned ACLs and Header Grants is not allowed",
    ],
    [
      { ACL: "private", ...document(grantee({ Type: "Group", URI: ALL })) },
      "UnexpectedContent 400 This request does not support content",
    ],
    [{}, "MissingSecurityHeader 400 Your request was missing a required header"],
    [{ GrantRead: 'fakekey="1234"' }, "InvalidArgument 400 Argument format not recognized"],
    [{ GrantRead: 'uri="http://acs.amazonaws.com/groups/s3/Fake"' }, "InvalidArgument 400 Invalid group uri"],
    [{ GrantRead: "id=wrong" }, "InvalidArgument 400 Invalid id"],
    [
      { GrantRead: "emailAddress=nobody@example.com" },
      "UnresolvableGrantByEmailAddress 400 The e-mail address you provided does not match any account on record.",
    ],
    [document(grantee({ Type: "Group", URI: ALL }), {}), MALFORMED],
    [document(grantee({ Type: "Fake", URI: ALL })), MALFORMED],
    [document(grantee({ Type: "Group", URI: ALL }, "EAT")), MALFORMED],
    [document(grantee({ Type: "CanonicalUser", ID: "wrong" })), "InvalidArgument 400 Invalid id"],
    [document([], { ID: ALICE }), "AccessDenied 403 Access Denied"],
    [document(Array(101).fill(grantee({ Type: "Group", URI: ALL })[0])), MALFORMED],
  ];
  for (const [input, wanted] of cases)
    assert.equal(
      await refusal(s3.putBucketAcl({ Bucket, ...input } as never)),
      wanted,
      JSON.stringify(input).slice(0, 200),
    );
});

test("what a bucket's ACL grants is allowed, and nothing else", async () => {
  const { Bucket } = await newBucket();
  await s3.putObject({ Bucket, Key: "mine", Body: "x" });
  assert.equal(await anonymously(Bucket), 403);
  await s3.putBucketAcl({ Bucket, ACL: "public-read" });
  assert.equal(await anonymously(Bucket), 200);
  assert.equal(await anonymously(Bucket, "mine"), 403, "to list is not to read");
  assert.equal(await anonymously(Bucket, "missing"), 404, "who may list is told what is missing");
  assert.equal(await anonymously(Bucket, "new", { method: "PUT", body: "x" }), 403);
  assert.equal(await anonymously(Bucket, "?acl"), 403);
  await s3.putBucketAcl({ Bucket, ACL: "public-read-write" });
  assert.equal(await anonymously(Bucket, "new", { method: "PUT", body: "x" }), 200);
  await s3.putBucketAcl({ Bucket, ACL: "authenticated-read" });
  assert.equal(await anonymously(Bucket), 403);
  await alice.listObjectsV2({ Bucket });
  await s3.putBucketAcl({ Bucket, GrantReadACP: `id=${ALICE}` });
  assert.match(
    await refusal(alice.listObjectsV2({ Bucket })),
    /because no resource-based policy allows the s3:ListBucket action$/,
  );
  await alice.getBucketAcl({ Bucket });
  // Who is granted an account's permission is the account: its users need a policy of their own besides.
  const bob = cloud.client(S3, await userWith(cloud, "acl-bob"));
  await s3.putBucketAcl({ Bucket, GrantRead: `id=${OWN}` });
  assert.match(await refusal(bob.listObjectsV2({ Bucket })), /no identity-based policy allows/);
  await s3.putBucketPolicy({
    Bucket,
    Policy: policy({ Effect: "Deny", Principal: "*", Action: "s3:ListBucket", Resource: `arn:aws:s3:::${Bucket}` }),
  });
  await s3.putBucketAcl({ Bucket, ACL: "public-read" });
  assert.equal(await anonymously(Bucket), 403, "a Deny outweighs the ACL");
});

test("nobody in particular deletes many where anybody may", async () => {
  const { Bucket } = await newBucket();
  await s3.putObject({ Bucket, Key: "k" });
  const body = "<Delete><Object><Key>k</Key></Object></Delete>";
  const headers = { "content-md5": createHash("md5").update(body).digest("base64") };
  const remove = () => anonymously(Bucket, "?delete", { method: "POST", body, headers });
  assert.equal(await remove(), 403);
  await s3.putBucketAcl({ Bucket, ACL: "public-read-write" });
  assert.equal(await remove(), 200);
  assert.equal((await s3.listObjectsV2({ Bucket })).KeyCount, 0);
});

test("an object belongs to who wrote it, and its ACL says who else may", async () => {
  const { Bucket } = await newBucket();
  await s3.putBucketAcl({ Bucket, ACL: "public-read-write" });
  await alice.putObject({ Bucket, Key: "hers", Body: "x" });
  assert.deepEqual(said(await alice.getObjectAcl({ Bucket, Key: "hers" })), [`${ALICE} FULL_CONTROL`]);
  const { Contents } = await s3.listObjects({ Bucket });
  assert.deepEqual(Contents![0]!.Owner, { ID: ALICE, DisplayName: "Alice" });
  const Policy = policy({
    Effect: "Allow",
    Principal: { AWS: "222222222222" },
    Action: "s3:GetObject",
    Resource: `arn:aws:s3:::${Bucket}/*`,
  });
  await s3.putBucketPolicy({ Bucket, Policy });
  const other = cloud.client(S3, { accessKeyId: "222222222222", secretAccessKey: "test" });
  for (const client of [s3, other])
    assert.match(
      await refusal(client.getObject({ Bucket, Key: "hers" })),
      /^AccessDenied 403/,
      "the bucket cannot give it away",
    );
  await alice.putObject({ Bucket, Key: "hers", Body: "x", ACL: "bucket-owner-read" });
  assert.equal((await s3.getObject({ Bucket, Key: "hers" })).ContentLength, 1);
  assert.match(await refusal(s3.getObjectAcl({ Bucket, Key: "hers" })), /^AccessDenied 403/);
  await alice.putObjectAcl({ Bucket, Key: "hers", ACL: "public-read" });
  assert.equal(await anonymously(Bucket, "hers"), 200);
  assert.equal(await anonymously(Bucket, "hers?acl"), 403);
  await alice.putObjectAcl({ Bucket, Key: "hers", GrantFullControl: `id=${OWN}` });
  assert.deepEqual(said(await s3.getObjectAcl({ Bucket, Key: "hers" })), [`${OWN} FULL_CONTROL`]);
  assert.deepEqual(
    said(await alice.getObjectAcl({ Bucket, Key: "hers" })),
    [`${OWN} FULL_CONTROL`],
    "its owner may always look",
  );
  await s3.deleteObject({ Bucket, Key: "hers" });
  // As the bucket prefers: it is the bucket's where the writer gives it full control.
  await s3.putBucketOwnershipControls({
    Bucket,
    OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerPreferred" }] },
  });
  await alice.putObject({ Bucket, Key: "given", ACL: "bucket-owner-full-control" });
  assert.deepEqual(said(await s3.getObjectAcl({ Bucket, Key: "given" })), ownersOnly);
  const { UploadId } = await alice.createMultipartUpload({ Bucket, Key: "parts", ACL: "public-read" });
  const { ETag } = await alice.uploadPart({ Bucket, Key: "parts", UploadId, PartNumber: 1, Body: "x" });
  await alice.completeMultipartUpload({
    Bucket,
    Key: "parts",
    UploadId,
    MultipartUpload: { Parts: [{ ETag, PartNumber: 1 }] },
  });
  assert.deepEqual(said(await alice.getObjectAcl({ Bucket, Key: "parts" })), [
    `${ALICE} FULL_CONTROL`,
    "AllUsers READ",
  ]);
  await alice.copyObject({ Bucket, Key: "copy", CopySource: `${Bucket}/parts` });
  assert.deepEqual(
    said(await alice.getObjectAcl({ Bucket, Key: "copy" })),
    [`${ALICE} FULL_CONTROL`],
    "an ACL is not copied",
  );
  // With ownership enforced all of it is the bucket's.
  await s3.putBucketAcl({ Bucket, ACL: "private" });
  await s3.putBucketOwnershipControls({
    Bucket,
    OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
  });
  assert.equal((await s3.getObject({ Bucket, Key: "parts" })).ContentLength, 1);
  assert.deepEqual(said(await s3.getObjectAcl({ Bucket, Key: "parts" })), ownersOnly);
  assert.equal(await anonymously(Bucket, "parts"), 403);
});

test("each version has an ACL of its own; a delete marker has none", async () => {
  const { Bucket } = await newBucket({ versioned: true });
  const { VersionId } = await s3.putObject({ Bucket, Key: "k", Body: "1" });
  await s3.putObject({ Bucket, Key: "k", Body: "2" });
  await s3.putObjectAcl({ Bucket, Key: "k", VersionId, ACL: "public-read" });
  assert.equal(await anonymously(Bucket, `k?versionId=${VersionId}`), 200);
  assert.equal(await anonymously(Bucket, "k"), 403);
  const marker = await s3.deleteObject({ Bucket, Key: "k" });
  assert.match(await refusal(s3.putObjectAcl({ Bucket, Key: "k", ACL: "private" })), /^MethodNotAllowed 405/);
  assert.match(await refusal(s3.getObjectAcl({ Bucket, Key: "k" })), /^NoSuchKey 404/);
  assert.match(
    await refusal(s3.getObjectAcl({ Bucket, Key: "k", VersionId: marker.VersionId })),
    /^MethodNotAllowed 405/,
  );
});

test("an ACL beside an object wants s3:PutObjectAcl", async () => {
  const { Bucket } = await newBucket();
  const may = policy({ Effect: "Allow", Action: "s3:PutObject", Resource: "*" });
  const putter = cloud.client(S3, await userWith(cloud, "acl-putter", { may }));
  await putter.putObject({ Bucket, Key: "k" });
  for (const more of [{ ACL: "public-read" as const }, { GrantRead: `uri=${ALL}` }])
    assert.match(await refusal(putter.putObject({ Bucket, Key: "k", ...more })), /s3:PutObjectAcl/);
});

test("where ownership is enforced there are no ACLs but the owner's full control", async () => {
  const { Bucket } = await newBucket();
  const enforce = () =>
    s3.putBucketOwnershipControls({
      Bucket,
      OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
    });
  await s3.putBucketAcl({ Bucket, ACL: "public-read" });
  assert.match(await refusal(enforce()), /^InvalidBucketAclWithObjectOwnership 400 Bucket cannot have ACLs set with/);
  await s3.putBucketAcl({ Bucket, ACL: "private" });
  await enforce();
  const DISABLED = "AccessControlListNotSupported 400 The bucket does not allow ACLs";
  assert.equal(await refusal(s3.putBucketAcl({ Bucket, ACL: "private" })), DISABLED);
  await s3.putBucketAcl({ Bucket, ACL: "bucket-owner-full-control" as "private" });
  await s3.putObject({ Bucket, Key: "k", ACL: "bucket-owner-full-control" });
  for (const more of [{ ACL: "private" as const }, { GrantRead: `id=${ALICE}` }])
    assert.equal(await refusal(s3.putObject({ Bucket, Key: "k", ...more })), DISABLED);
  assert.equal(await refusal(s3.putObjectAcl({ Bucket, Key: "k", ACL: "public-read" })), DISABLED);
  await s3.deleteBucketOwnershipControls({ Bucket });
  assert.equal((await failure(s3.getBucketOwnershipControls({ Bucket }))).name, "OwnershipControlsNotFoundError");
  await s3.putObject({ Bucket, Key: "k", ACL: "public-read" });
  assert.equal(await anonymously(Bucket, "k"), 200);
});

test("the four flags of block public access do what they say", async () => {
  const { Bucket } = await newBucket();
  const block = (flags: object) => s3.putPublicAccessBlock({ Bucket, PublicAccessBlockConfiguration: flags });
  assert.equal((await failure(s3.getPublicAccessBlock({ Bucket }))).name, "NoSuchPublicAccessBlockConfiguration");
  const everyone = (Action: string, more = {}) =>
    policy({
      Effect: "Allow",
      Principal: "*",
      Action,
      Resource: [`arn:aws:s3:::${Bucket}`, `arn:aws:s3:::${Bucket}/*`],
      ...more,
    });
  await s3.putObject({ Bucket, Key: "by-acl", Body: "x", ACL: "public-read" });
  assert.equal(await anonymously(Bucket, "by-acl"), 200);
  await block({ IgnorePublicAcls: true });
  assert.deepEqual((await s3.getPublicAccessBlock({ Bucket })).PublicAccessBlockConfiguration, {
    BlockPublicAcls: false,
    IgnorePublicAcls: true,
    BlockPublicPolicy: false,
    RestrictPublicBuckets: false,
  });
  assert.equal(await anonymously(Bucket, "by-acl"), 403);
  await block({ BlockPublicAcls: true });
  assert.equal(await anonymously(Bucket, "by-acl"), 200, "what is there stays");
  for (const call of [
    s3.putBucketAcl({ Bucket, ACL: "public-read" }),
    s3.putObjectAcl({ Bucket, Key: "by-acl", GrantRead: `uri=${ANY}` }),
    s3.putObject({ Bucket, Key: "new", ACL: "public-read" }),
  ])
    assert.match(
      await refusal(call),
      /^AccessDenied 403 .* because public ACLs are prevented by the BlockPublicAcls setting/,
    );
  await s3.putObject({ Bucket, Key: "by-policy", Body: "x" });
  await s3.putBucketPolicy({ Bucket, Policy: everyone("s3:GetObject") });
  assert.equal(await anonymously(Bucket, "by-policy"), 200);
  await block({ BlockPublicPolicy: true });
  assert.match(
    await refusal(s3.putBucketPolicy({ Bucket, Policy: everyone("s3:*") })),
    /because public policies are prevented by the BlockPublicPolicy/,
  );
  await s3.putBucketPolicy({
    Bucket,
    Policy: everyone("s3:GetObject", { Condition: { IpAddress: { "aws:SourceIp": "127.0.0.0/8" } } }),
  });
  assert.equal(await anonymously(Bucket, "by-policy"), 200, "a fixed address is not public");
  await block({ RestrictPublicBuckets: true });
  assert.equal(await anonymously(Bucket, "by-policy"), 200);
  await s3.putBucketPolicy({ Bucket, Policy: everyone("s3:GetObject") });
  assert.equal(await anonymously(Bucket, "by-policy"), 403);
  assert.match(await refusal(alice.getObject({ Bucket, Key: "by-policy" })), /^AccessDenied 403/);
  await s3.getObject({ Bucket, Key: "by-policy" });
  await s3.deletePublicAccessBlock({ Bucket });
  assert.equal(await anonymously(Bucket, "by-policy"), 200);
});

test("a policy is public where it gives something to everyone and no condition holds it", async () => {
  const { Bucket } = await newBucket();
  assert.equal((await failure(s3.getBucketPolicyStatus({ Bucket }))).name, "NoSuchBucketPolicy");
  await s3.putBucketAcl({ Bucket, ACL: "public-read" });
  assert.equal((await s3.getBucketPolicyStatus({ Bucket })).PolicyStatus!.IsPublic, true);
  await s3.putBucketAcl({ Bucket, ACL: "private" });
  const when = (operator: string, key: string, value: string) => ({ Condition: { [operator]: { [key]: value } } });
  const cases: [boolean, object][] = [
    [true, {}],
    [true, { Principal: { AWS: "*" } }],
    [false, { Principal: { AWS: "111111111111" } }],
    [false, { Effect: "Deny" }],
    [false, when("StringEquals", "aws:SourceVpc", "vpc-1")],
    [true, when("StringLike", "aws:SourceVpc", "vpc-*")],
    [true, when("StringNotEquals", "aws:SourceVpc", "vpc-1")],
    [false, when("StringEquals", "aws:PrincipalOrgID", "o-1234567890")],
    [true, when("IpAddress", "aws:SourceIp", "0.0.0.0/1")],
    [false, when("IpAddress", "aws:SourceIp", "203.0.113.0/24")],
    [true, when("StringEquals", "s3:x-amz-acl", "private")],
    [false, when("StringLike", "aws:userid", "AROAEXAMPLEID:*")],
  ];
  for (const [wanted, more] of cases) {
    const statement = {
      Effect: "Allow",
      Principal: "*",
      Action: "s3:GetObject",
      Resource: `arn:aws:s3:::${Bucket}/*`,
      ...more,
    };
    await s3.putBucketPolicy({ Bucket, Policy: policy(statement) });
    assert.equal((await s3.getBucketPolicyStatus({ Bucket })).PolicyStatus!.IsPublic, wanted, JSON.stringify(more));
  }
});

test("a new bucket has no ACLs and no public access, unless classic defaults are asked for", async () => {
  const { cloud: modern } = await startCloudWithBuckets();
  const own = modern.client(S3);
  const Bucket = "modern";
  await own.createBucket({ Bucket });
  const { OwnershipControls } = await own.getBucketOwnershipControls({ Bucket });
  assert.equal(OwnershipControls!.Rules![0]!.ObjectOwnership, "BucketOwnerEnforced");
  const { PublicAccessBlockConfiguration } = await own.getPublicAccessBlock({ Bucket });
  assert.deepEqual(new Set(Object.values(PublicAccessBlockConfiguration!)), new Set([true]));
  const made = (name: string, more: object) => refusal(own.createBucket({ Bucket: name, ...more }));
  assert.match(await made("m11", { ACL: "public-read" }), /^InvalidBucketAclWithObjectOwnership 400/);
  assert.match(
    await made("m22", { ACL: "public-read", ObjectOwnership: "ObjectWriter" }),
    /^InvalidBucketAclWithBlockPublicAccessError 400/,
  );
  await own.createBucket({ Bucket: "m33", ObjectOwnership: "ObjectWriter", GrantRead: `id=${OWN}` });
  assert.deepEqual(said(await own.getBucketAcl({ Bucket: "m33" })), [`${OWN} READ`]);
});
