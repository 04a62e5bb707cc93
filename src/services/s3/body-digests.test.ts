import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { DeleteObjectsCommand, PutBucketTaggingCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";

const { cloud, newBucket, s3 } = await startCloudWithBuckets();

/** Sends these headers in place of the SDK's digest. */
function saying(headers: Record<string, string>): S3Client {
  const client = cloud.client(S3Client);
  client.middlewareStack.add(
    (next) => (args) => {
      const sent = (args.request as { headers: Record<string, string> }).headers;
      for (const name of Object.keys(sent))
        if (/^(x-amz-checksum-|x-amz-sdk-checksum-|content-md5)/i.test(name)) delete sent[name];
      Object.assign(sent, headers);
      return next(args);
    },
    { step: "build", priority: "low" },
  );
  return client;
}

const tagging = (Bucket: string) =>
  new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet: [{ Key: "k", Value: "v" }] } });
const md5 = createHash("md5").update("other").digest("base64");

for (const [headers, name, message] of [
  [{ "content-md5": "none" }, "InvalidDigest", "The Content-MD5 you specified was invalid."],
  [{ "content-md5": md5 }, "BadDigest", "The Content-MD5 you specified did not match what we received."],
  [
    { "x-amz-checksum-crc32": "AAAAAA==" },
    "BadDigest",
    "The CRC32 you specified did not match the calculated checksum.",
  ],
  [{ "x-amz-checksum-sha1": "AAAA" }, "InvalidRequest", "Value for x-amz-checksum-sha1 header is invalid."],
] as const)
  test(`a document with ${JSON.stringify(headers)} is a ${name}`, async () => {
    const { Bucket } = await newBucket();
    const error = await failure(saying(headers).send(tagging(Bucket)));
    assert.deepEqual([error.name, error.message, error.status], [name, message, 400]);
  });

test("DeleteObjects demands a digest, and deletes nothing where it does not fit", async () => {
  const { Bucket } = await newBucket();
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x" }));
  const command = () => new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "k" }] } });
  const none = await failure(saying({}).send(command()));
  assert.deepEqual(
    [none.name, none.message],
    ["InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"],
  );
  assert.equal((await failure(saying({ "content-md5": md5 }).send(command()))).name, "BadDigest");
  const { Deleted } = await s3.send(command());
  assert.deepEqual(Deleted, [{ Key: "k" }]);
});
