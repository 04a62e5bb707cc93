// Encryption: what is asked for, by the request or the bucket, is kept and told; with the customer's key the bytes really are encrypted.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { S3 } from "@aws-sdk/client-s3";
import { refusal } from "../../../test/principals.ts";
import { startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, newBucket } = await startCloudWithBuckets();
const s3 = cloud.client(S3);

const keyOf = (letter: string) => ({ SSECustomerAlgorithm: "AES256", SSECustomerKey: letter.repeat(32) });
const A = keyOf("a");
const B = keyOf("b");
const source = ({ SSECustomerAlgorithm, SSECustomerKey }: typeof A) => ({
  CopySourceSSECustomerAlgorithm: SSECustomerAlgorithm,
  CopySourceSSECustomerKey: SSECustomerKey,
});
const ARN = "arn:aws:kms:us-east-1:000000000000:key";
const MISSING =
  "InvalidRequest 400 The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.";
const WRONG =
  "AccessDenied 403 Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key.";
const bytesOf = async ({ Body }: { Body?: { transformToByteArray(): Promise<Uint8Array> } | undefined }) =>
  Buffer.from(await Body!.transformToByteArray());

test("an object with a key of the customer's is ciphertext on the disk, and plain to who has the key", async () => {
  const { Bucket, directory } = await newBucket();
  for (const size of [0, 1, 15, 16, 17, 1000, 300_000]) {
    const Key = `of-${size}`;
    const Body = randomBytes(size);
    const put = await s3.putObject({ Bucket, Key, Body, ...A });
    assert.equal(put.ServerSideEncryption, undefined);
    const got = await s3.getObject({ Bucket, Key, ...A });
    assert.deepEqual(
      [got.SSECustomerAlgorithm, got.SSECustomerKeyMD5, got.ETag],
      ["AES256", put.SSECustomerKeyMD5, put.ETag],
    );
    assert.ok(Body.equals(await bytesOf(got)), `${size} bytes come back`);
    const file = await readFile(`${directory}/${Key}`);
    assert.equal(file.length, size);
    if (size > 15) assert.ok(!file.equals(Body));
    for (const [start, end] of [
      [0, 0],
      [1, 17],
      [15, 16],
      [size - 3, size - 1],
      [size >> 1, size - 1],
    ] as const) {
      if (start < 0 || end >= size) continue;
      const part = await s3.getObject({ Bucket, Key, Range: `bytes=${start}-${end}`, ...A });
      assert.ok(Body.subarray(start, end + 1).equals(await bytesOf(part)), `${start}-${end} of ${size}`);
    }
  }
});

test("without the key, or with another, nothing is told", async () => {
  const { Bucket } = await newBucket();
  await s3.putObject({ Bucket, Key: "k", Body: "secret", ...A });
  await s3.putObject({ Bucket, Key: "plain", Body: "x" });
  assert.equal(await refusal(s3.getObject({ Bucket, Key: "k" })), MISSING);
  assert.equal(await refusal(s3.getObject({ Bucket, Key: "k", ...B })), WRONG);
  assert.match(await refusal(s3.headObject({ Bucket, Key: "k" })), / 400 /);
  assert.match(await refusal(s3.headObject({ Bucket, Key: "k", ...B })), / 403 /);
  const attributes = { Bucket, Key: "k", ObjectAttributes: ["ObjectSize" as const] };
  assert.equal(await refusal(s3.getObjectAttributes(attributes)), MISSING);
  assert.equal((await s3.getObjectAttributes({ ...attributes, ...A })).ObjectSize, 6);
  assert.equal(
    await refusal(s3.getObject({ Bucket, Key: "plain", ...A })),
    "InvalidRequest 400 The encryption parameters are not applicable to this object.",
  );
});

test("a key that is none is refused in AWS's words", async () => {
  const { Bucket } = await newBucket();
  const url = `${cloud.endpoint}/${Bucket}/k`;
  const WITH =
    "InvalidArgument 400 Requests specifying Server Side Encryption with Customer provided keys must provide ";
  const put = (more: object) => refusal(s3.putObject({ Bucket, Key: "k", Body: "x", ...more }));
  assert.equal(
    await put({ ...A, ServerSideEncryption: "AES256" }),
    "InvalidArgument 400 Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
  );
  assert.equal(
    await put({ ...A, SSECustomerAlgorithm: "KMS" }),
    "InvalidEncryptionAlgorithmError 400 The Encryption request you specified is not valid. Supported value: AES256.",
  );
  assert.equal(await put({ SSECustomerKey: A.SSECustomerKey }), `${WITH}a valid encryption algorithm.`);
  assert.equal(await put({ SSECustomerAlgorithm: "AES256" }), `${WITH}an appropriate secret key.`);
  assert.equal(
    await put({ ...A, SSECustomerKey: "short" }),
    "InvalidArgument 400 The secret key was invalid for the specified algorithm.",
  );
  const open = cloud.client(S3);
  open.middlewareStack.add(
    (next) => (args) => {
      (args.request as { headers: Record<string, string> }).headers["x-amz-server-side-encryption-customer-key-md5"] =
        "AAAAAAAAAAAAAAAAAAAAAA==";
      return next(args);
    },
    { step: "build" },
  );
  assert.equal(
    await refusal(open.putObject({ Bucket, Key: "k", ...A })),
    "InvalidArgument 400 The calculated MD5 hash of the key did not match the hash that was provided.",
  );
  assert.equal((await fetch(url)).status, 403);
});

test("copies read with one key and write with another, or with none", async () => {
  const { Bucket } = await newBucket();
  const Body = randomBytes(100_000);
  await s3.putObject({ Bucket, Key: "from", Body, ...A });
  const CopySource = `${Bucket}/from`;
  assert.equal(await refusal(s3.copyObject({ Bucket, Key: "to", CopySource })), MISSING);
  assert.equal(await refusal(s3.copyObject({ Bucket, Key: "to", CopySource, ...source(B) })), WRONG);
  const plain = await s3.copyObject({ Bucket, Key: "plain", CopySource, ...source(A) });
  assert.equal(plain.ServerSideEncryption, "AES256");
  assert.ok(Body.equals(await bytesOf(await s3.getObject({ Bucket, Key: "plain" }))));
  const other = await s3.copyObject({ Bucket, Key: "other", CopySource, ...source(A), ...B });
  assert.equal(other.SSECustomerAlgorithm, "AES256");
  assert.ok(Body.equals(await bytesOf(await s3.getObject({ Bucket, Key: "other", ...B }))));
  await s3.copyObject({ Bucket, Key: "from", CopySource, ...source(A), ...B });
  assert.equal(await refusal(s3.getObject({ Bucket, Key: "from", ...A })), WRONG);
});

test("parts are encrypted, and are one object that is read across them", async () => {
  const { Bucket, directory } = await newBucket();
  const Key = "parts";
  const first = randomBytes(5 * 1024 ** 2 + 7);
  const second = randomBytes(1001);
  await s3.putObject({ Bucket, Key: "from", Body: second, ...B });
  const created = await s3.createMultipartUpload({ Bucket, Key, ...A });
  assert.equal(created.SSECustomerAlgorithm, "AES256");
  const part = { Bucket, Key, UploadId: created.UploadId };
  const LACKS =
    "InvalidRequest 400 The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.";
  assert.equal(await refusal(s3.uploadPart({ ...part, PartNumber: 1, Body: first })), LACKS);
  assert.equal(
    await refusal(s3.uploadPart({ ...part, PartNumber: 1, Body: first, ...B })),
    "InvalidRequest 400 The provided encryption parameters did not match the ones used originally.",
  );
  const one = await s3.uploadPart({ ...part, PartNumber: 1, Body: first, ...A });
  const two = await s3.uploadPartCopy({ ...part, PartNumber: 2, CopySource: `${Bucket}/from`, ...source(B), ...A });
  const Parts = [
    { PartNumber: 1, ETag: one.ETag },
    { PartNumber: 2, ETag: two.CopyPartResult!.ETag },
  ];
  await s3.completeMultipartUpload({ ...part, MultipartUpload: { Parts } });
  const whole = Buffer.concat([first, second]);
  assert.ok(whole.equals(await bytesOf(await s3.getObject({ Bucket, Key, ...A }))));
  assert.ok(!whole.equals(await readFile(`${directory}/${Key}`)));
  const across = await s3.getObject({ Bucket, Key, Range: `bytes=${first.length - 5}-${first.length + 4}`, ...A });
  assert.ok(whole.subarray(first.length - 5, first.length + 5).equals(await bytesOf(across)));
  assert.ok(second.equals(await bytesOf(await s3.getObject({ Bucket, Key, PartNumber: 2, ...A }))));
  const plain = await s3.createMultipartUpload({ Bucket, Key: "p" });
  assert.equal(
    await refusal(s3.uploadPart({ Bucket, Key: "p", UploadId: plain.UploadId, PartNumber: 1, Body: "x", ...A })),
    LACKS,
  );
});

test("KMS is kept and told, wherever an object is told of", async () => {
  const { Bucket } = await newBucket();
  const put = await s3.putObject({
    Bucket,
    Key: "k",
    Body: "x",
    ServerSideEncryption: "aws:kms",
    SSEKMSKeyId: "mine",
    BucketKeyEnabled: true,
  });
  const told = { ServerSideEncryption: "aws:kms", SSEKMSKeyId: `${ARN}/mine`, BucketKeyEnabled: true };
  const of = ({
    ServerSideEncryption,
    SSEKMSKeyId,
    BucketKeyEnabled,
  }: {
    ServerSideEncryption?: string;
    SSEKMSKeyId?: string;
    BucketKeyEnabled?: boolean;
  }) => ({
    ServerSideEncryption,
    SSEKMSKeyId,
    ...(BucketKeyEnabled && { BucketKeyEnabled }),
  });
  assert.deepEqual(of(put), told);
  assert.deepEqual(of(await s3.getObject({ Bucket, Key: "k" })), told);
  assert.deepEqual(of(await s3.headObject({ Bucket, Key: "k" })), told);
  const asking = cloud.client(S3);
  asking.middlewareStack.add(
    (next) => (args) => {
      (args.request as { headers: Record<string, string> }).headers["x-amz-server-side-encryption"] = "aws:kms";
      return next(args);
    },
    { step: "build" },
  );
  assert.equal(
    await refusal(asking.getObject({ Bucket, Key: "k" })),
    "InvalidArgument 400 x-amz-server-side-encryption header is not supported for this operation.",
  );
  assert.notEqual(put.ETag, (await s3.putObject({ Bucket, Key: "md5", Body: "x" })).ETag, "its ETag is no MD5");
  const own = await s3.putObject({ Bucket, Key: "own", ServerSideEncryption: "aws:kms:dsse" });
  assert.match(own.SSEKMSKeyId!, /^arn:aws:kms:us-east-1:000000000000:key\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  const created = await s3.createMultipartUpload({
    Bucket,
    Key: "m",
    ServerSideEncryption: "aws:kms",
    SSEKMSKeyId: "mine",
  });
  const part = { Bucket, Key: "m", UploadId: created.UploadId };
  const { ETag, ...uploaded } = await s3.uploadPart({ ...part, PartNumber: 1, Body: "x" });
  const done = await s3.completeMultipartUpload({ ...part, MultipartUpload: { Parts: [{ ETag, PartNumber: 1 }] } });
  const { BucketKeyEnabled: _, ...plainly } = told;
  for (const one of [created, uploaded, done, await s3.headObject({ Bucket, Key: "m" })])
    assert.deepEqual(of(one), plainly);
  assert.deepEqual(of(await s3.copyObject({ Bucket, Key: "k", CopySource: `${Bucket}/k` })), {
    ServerSideEncryption: "AES256",
    SSEKMSKeyId: undefined,
  });
  const NOT_FOUND = "KMS.NotFoundException 400";
  for (const [SSEKMSKeyId, wanted] of [
    ["no key!", `${NOT_FOUND} Invalid keyId 'no key!'`],
    ["arn:aws:kms:eu-west-1:000000000000:key/k", `${NOT_FOUND} Invalid arn eu-west-1`],
    [
      "arn:aws:kms:us-east-1:111111111111:key/k",
      `${NOT_FOUND} Key 'arn:aws:kms:us-east-1:111111111111:key/k' does not exist`,
    ],
  ] as const)
    assert.equal(
      await refusal(s3.putObject({ Bucket, Key: "k", ServerSideEncryption: "aws:kms", SSEKMSKeyId })),
      wanted,
    );
  assert.match(
    await refusal(s3.putObject({ Bucket, Key: "k", ServerSideEncryption: "aws:kms", SSEKMSEncryptionContext: "bm8=" })),
    /^InvalidArgument 400 The header 'x-amz-server-side-encryption-context'/,
  );
});

test("what a bucket encrypts with is asked where the request does not say", async () => {
  const { Bucket } = await newBucket();
  const rules = async () => (await s3.getBucketEncryption({ Bucket })).ServerSideEncryptionConfiguration!.Rules;
  const put = (...Rules: object[]) =>
    s3.putBucketEncryption({ Bucket, ServerSideEncryptionConfiguration: { Rules: Rules as never } });
  const AES = { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" as const }, BucketKeyEnabled: false };
  assert.deepEqual(await rules(), [AES]);
  const kms = {
    ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms" as const, KMSMasterKeyID: "mine" },
    BucketKeyEnabled: true,
  };
  await put(kms);
  assert.deepEqual(await rules(), [kms]);
  const byDefault = await s3.putObject({ Bucket, Key: "k" });
  assert.deepEqual(
    [byDefault.ServerSideEncryption, byDefault.SSEKMSKeyId, byDefault.BucketKeyEnabled],
    ["aws:kms", `${ARN}/mine`, true],
  );
  assert.equal(
    (await s3.putObject({ Bucket, Key: "k", ServerSideEncryption: "AES256" })).ServerSideEncryption,
    "AES256",
  );
  await put({ ...AES, BlockedEncryptionTypes: { EncryptionType: ["SSE-C"] } });
  assert.equal(await refusal(s3.putObject({ Bucket, Key: "k", ...A })), "AccessDenied 403 Access Denied");
  await s3.deleteBucketEncryption({ Bucket });
  assert.deepEqual(await rules(), [AES]);
  await s3.putObject({ Bucket, Key: "k", ...A });
  assert.match(await refusal(put(AES, AES)), /^MalformedXML 400/);
  assert.match(
    await refusal(put({ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "ROT13" } })),
    /^MalformedXML 400/,
  );
  assert.match(
    await refusal(put({ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "AES256", KMSMasterKeyID: "k" } })),
    /^InvalidArgument 400 a KMSMasterKeyID is not applicable/,
  );
});
