import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import {
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from "@aws-sdk/client-s3";
import fc from "fast-check";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";
import { type Algorithm, algorithms, joinChecksums, openDigest } from "./checksums.ts";

const { cloud, newBucket, s3 } = await startCloudWithBuckets();

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

/** A client that computes every algorithm: the SDK brings some, and lets others be given. */
const computing = cloud.client(S3Client);
computing.config.checksumAlgorithms = Object.fromEntries(
  (Object.keys(algorithms) as Algorithm[]).map((algorithm) => [algorithm, digestClass(algorithm)]),
);

function digestClass(algorithm: Algorithm) {
  return class {
    #digest = openDigest(algorithm);
    update(bytes: Uint8Array) {
      this.#digest.update(bytes);
    }
    async digest() {
      return Buffer.from(this.#digest.digest(), "base64");
    }
    reset() {
      this.#digest = openDigest(algorithm);
    }
  };
}

// Of MD5 the SDK makes a Content-MD5.
for (const algorithm of (Object.keys(algorithms) as Algorithm[]).filter((name) => name !== "MD5"))
  test(`a ${algorithm} in a header, or in a stream's trailer, is verified, kept, and answered where it is asked for`, async () => {
    const { Bucket } = await newBucket();
    const member = `Checksum${algorithm}` as const;
    for (const Body of ["hello world", Readable.from([Buffer.from("hello world")])]) {
      const put = await computing.send(
        new PutObjectCommand({ Bucket, Key: "k", Body, ContentLength: 11, ChecksumAlgorithm: algorithm }),
      );
      assert.equal(put[member], checksumOf(algorithm, "hello world"));
      const get = await computing.send(new GetObjectCommand({ Bucket, Key: "k", ChecksumMode: "ENABLED" }));
      assert.equal(get[member], put[member]);
      assert.equal(await get.Body!.transformToString(), "hello world");
    }
  });

for (const algorithm of Object.keys(algorithms) as Algorithm[])
  test(`a ${algorithm} in a header is verified; a wrong one leaves nothing behind`, async () => {
    const { Bucket } = await newBucket();
    const member = `Checksum${algorithm}` as const;
    const send = (value: string) =>
      s3.send(
        new PutObjectCommand({ Bucket, Key: "k", Body: "hello world", [member]: value } as PutObjectCommandInput),
      );
    const wrong = await failure(send(Buffer.alloc(algorithms[algorithm].bytes).toString("base64")));
    assert.deepEqual(
      [wrong.name, wrong.message],
      ["BadDigest", `The ${algorithm} you specified did not match the calculated checksum.`],
    );
    const none = await failure(send("no"));
    assert.equal(none.message, `Value for x-amz-checksum-${algorithm.toLowerCase()} header is invalid.`);
    assert.equal((await failure(s3.send(new HeadObjectCommand({ Bucket, Key: "k" })))).status, 404);
    await send(checksumOf(algorithm, "hello world"));
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "k", ChecksumMode: "ENABLED" }));
    assert.deepEqual([head[member], head.ChecksumType], [checksumOf(algorithm, "hello world"), "FULL_OBJECT"]);
    const unasked = await s3.send(new HeadObjectCommand({ Bucket, Key: "k" }));
    assert.deepEqual([unasked[member], unasked.ChecksumType], [undefined, undefined]);
  });

function checksumOf(algorithm: Algorithm, text: string): string {
  const digest = openDigest(algorithm);
  digest.update(Buffer.from(text));
  return digest.digest();
}

/** What no SDK says by itself. */
const withHeaders = (more: Record<string, string>): S3Client => {
  const client = cloud.client(S3Client);
  client.config.requestChecksumCalculation = async () => "WHEN_REQUIRED";
  client.middlewareStack.add(
    (next) => (args) => {
      Object.assign((args.request as { headers: Record<string, string> }).headers, more);
      return next(args);
    },
    { step: "build", priority: "low" },
  );
  return client;
};

for (const [headers, message] of [
  [
    { "x-amz-sdk-checksum-algorithm": "CRC32" },
    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
  ],
  [
    { "x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-checksum-crc32": checksumOf("CRC32", "x") },
    "Value for x-amz-sdk-checksum-algorithm header is invalid.",
  ],
  [
    { "x-amz-trailer": "x-amz-checksum-sha1", "x-amz-checksum-crc32": checksumOf("CRC32", "x") },
    "Expecting a single x-amz-checksum- header",
  ],
  [{ "x-amz-trailer": "x-amz-meta-late" }, "The value specified in the x-amz-trailer header is not supported"],
] as const)
  test(`${Object.keys(headers).join(" and ")} that do not fit are an InvalidRequest`, async () => {
    const { Bucket } = await newBucket();
    const error = await failure(
      withHeaders(headers).send(new PutObjectCommand({ Bucket, Key: "k", Body: Buffer.from("x") })),
    );
    assert.deepEqual([error.name, error.message], ["InvalidRequest", message]);
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
