import assert from "node:assert/strict";
import { test } from "node:test";
import { HeadObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { startCloudWithBuckets } from "../../../test/s3.ts";
import { metadataFrom, metadataTo } from "./metadata.ts";

const { s3, newBucket } = await startCloudWithBuckets();

// Right: what AWS answered.
for (const [text, header] of [
  ["plain", "plain"],
  ["!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"],
  ["test_—_file%E2%80%94_é_2?.pdf", "=?UTF-8?Q?test=5F=E2=80=94=5Ffile%E2%80%94=5F=C3=A9=5F2=3F.pdf?="],
  ["ÄMÄZÕÑ S3", "=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?="],
  ["\0\x01\x02\x03", "=?UTF-8?B?AAECAw==?="],
  ["\uFFFD".repeat(7), "=?UTF-8?B?77+977+977+977+977+977+977+9?="],
  ["\uFFFDa\uFFFD", "=?UTF-8?B?77+9Ye+/vQ==?="],
] as const)
  test(`metadata ${JSON.stringify(text)} is ${header} in a header, and back`, () => {
    assert.equal(metadataTo(text), header);
    assert.equal(metadataFrom(header), text);
  });

test("metadata that comes as raw UTF-8 is read as such", () => {
  assert.equal(metadataFrom(Buffer.from("ÄMÄZÕÑ S3").toString("latin1")), "ÄMÄZÕÑ S3");
});

test("metadata that comes in words is kept as text, and goes in words where it must", async () => {
  const { Bucket } = await newBucket();
  const Metadata = { ascii: "=?UTF-8?B?YWJj?=", umlauts: "=?UTF-8?B?w4RNw4Raw5XDkSBTMw==?=" };
  await s3.send(new PutObjectCommand({ Bucket, Key: "k", Metadata }));
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "k" }));
  assert.deepEqual(head.Metadata, { ascii: "abc", umlauts: "=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?=" });
});
