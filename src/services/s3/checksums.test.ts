import assert from "node:assert/strict";
import { test } from "node:test";
import {
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from "@aws-sdk/client-s3";
import fc from "fast-check";
import { cloud, failure, newBucket, s3 } from "../../../test/s3-fixture.ts";
import { type Algorithm, algorithms, joinChecksums, openDigest } from "./checksums.ts";

// "123456789": https://reveng.sourceforge.io/crc-catalogue/all.htm
for (const [algorithm, check] of [
  ["CRC32", "cbf43926"],
  ["CRC32C", "e3069283"],
  ["CRC64NVME", "ae8b14860a799888"],
] as const)
  test(`${algorithm} of "123456789" is ${check}, in one piece or in many`, () => {
    for (const cut of [0, 1, 4, 8, 9]) {
      const digest = openDigest(algorithm);
      digest.update(Buffer.from("123456789").subarray(0, cut));
      digest.update(Buffer.from("123456789").subarray(cut));
      assert.equal(digest.digest(), Buffer.from(check, "hex").toString("base64"));
    }
  });

test("the CRC of the whole follows from those of its parts", () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(
      fc.array(bytes, { minLength: 1, maxLength: 5 }),
      fc.constantFrom("CRC32", "CRC32C", "CRC64NVME"),
      (pieces, algorithm) => {
        const of = (piece: Uint8Array) => {
          const digest = openDigest(algorithm as Algorithm);
          digest.update(piece);
          return digest.digest();
        };
        const joined = joinChecksums(
          algorithm as Algorithm,
          "FULL_OBJECT",
          pieces.map((piece) => ({ value: of(piece), size: piece.length })),
        );
        assert.equal(joined.value, of(Buffer.concat(pieces)));
      },
    ),
  );
});

for (const algorithm of Object.keys(algorithms) as Algorithm[])
  test(`a ${algorithm} is computed by the SDK, verified, kept, and answered where it is asked for`, async () => {
    const { Bucket } = await newBucket();
    const put = await s3.send(
      new PutObjectCommand({ Bucket, Key: "k", Body: "hello world", ChecksumAlgorithm: algorithm }),
    );
    const member = `Checksum${algorithm}` as const;
    assert.ok(put[member]);
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "k", ChecksumMode: "ENABLED" }));
    assert.deepEqual([head[member], head.ChecksumType], [put[member], "FULL_OBJECT"]);
    const get = await s3.send(new GetObjectCommand({ Bucket, Key: "k", ChecksumMode: "ENABLED" }));
    assert.equal(get[member], put[member]);
    assert.equal(await get.Body!.transformToString(), "hello world");
    const zeros = Buffer.alloc(algorithms[algorithm].bytes).toString("base64");
    const wrong = await failure(
      s3.send(
        new PutObjectCommand({ Bucket, Key: "k", Body: "hello world", [member]: zeros } as PutObjectCommandInput),
      ),
    );
    assert.deepEqual(
      [wrong.name, wrong.message],
      ["BadDigest", `The ${algorithm} you specified did not match the calculated checksum.`],
    );
    const none = await failure(
      s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x", [member]: "no" } as PutObjectCommandInput)),
    );
    assert.equal(none.message, `Value for x-amz-checksum-${algorithm.toLowerCase()} header is invalid.`);
  });

test("an object that came without a checksum has the CRC64NVME that AWS computes", async () => {
  const { Bucket } = await newBucket();
  const client = cloud.client(S3Client);
  client.config.requestChecksumCalculation = async () => "WHEN_REQUIRED";
  await client.send(new PutObjectCommand({ Bucket, Key: "k", Body: "Hello World" }));
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "k", ChecksumMode: "ENABLED" }));
  assert.ok(head.ChecksumCRC64NVME);
  await client.send(
    new PutObjectCommand({ Bucket, Key: "other", Body: "Hello World", ChecksumAlgorithm: "CRC64NVME" }),
  );
  const other = await s3.send(new HeadObjectCommand({ Bucket, Key: "other", ChecksumMode: "ENABLED" }));
  assert.equal(head.ChecksumCRC64NVME, other.ChecksumCRC64NVME);
});

test("two checksums in one request are refused", async () => {
  const { Bucket } = await newBucket();
  const both = { ChecksumCRC32: "AAAAAA==", ChecksumSHA1: Buffer.alloc(20).toString("base64") };
  const error = await failure(s3.send(new PutObjectCommand({ Bucket, Key: "k", Body: "x", ...both })));
  assert.equal(error.message, "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
});
