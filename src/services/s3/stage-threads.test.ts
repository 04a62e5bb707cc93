// Large bodies, which a thread hashes and writes.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { failure, startCloudWithBuckets } from "../../../test/s3.ts";
import { handOver } from "./stage-threads.ts";

const { cloud, newBucket, s3 } = await startCloudWithBuckets({ relaxed: true });
const BYTES = randomBytes(3 * 1024 * 1024 + 1);
const md5 = createHash("md5").update(BYTES).digest();
const staged = (Bucket: string) => readdirSync(`${cloud.aws.config.dir}/.aws-like/s3/${Bucket}/stage`);

test("many large bodies at once each have their own bytes, ETag and checksum", async () => {
  const { Bucket } = await newBucket();
  await Promise.all(
    Array.from({ length: 6 }, async (_, i) => {
      const Body = Buffer.concat([BYTES, Buffer.from([i])]);
      const { ETag, ChecksumCRC32 } = await s3.send(
        new PutObjectCommand({ Bucket, Key: `k${i}`, Body, ChecksumAlgorithm: "CRC32" }),
      );
      assert.equal(ETag, `"${createHash("md5").update(Body).digest("hex")}"`);
      assert.equal(Buffer.from(ChecksumCRC32!, "base64").readUInt32BE(), crc32(Body));
      const get = await s3.send(new GetObjectCommand({ Bucket, Key: `k${i}` }));
      assert.ok(Body.equals(await get.Body!.transformToByteArray()));
    }),
  );
});

test("a large body that is not what its digest says, or is cut short, leaves nothing behind", async () => {
  const { Bucket } = await newBucket();
  const wrong = new PutObjectCommand({ Bucket, Key: "k", Body: BYTES.subarray(1), ContentMD5: md5.toString("base64") });
  assert.equal((await failure(s3.send(wrong))).name, "BadDigest");
  const { hostname, port } = new URL(cloud.endpoint);
  const socket = connect(Number(port), hostname);
  socket.write(`PUT /${Bucket}/k HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: ${BYTES.length}\r\n\r\n`);
  socket.write(BYTES.subarray(0, 2 * 1024 * 1024));
  for (const end = performance.now() + 10_000; staged(Bucket).length === 0 && performance.now() < end; )
    await new Promise(setImmediate);
  assert.equal(staged(Bucket).length, 1);
  socket.destroy();
  for (const end = performance.now() + 10_000; staged(Bucket).length > 0 && performance.now() < end; )
    await new Promise(setImmediate);
  assert.deepEqual(staged(Bucket), []);
});

test("what a thread cannot write is the failure of its body, and of no other", async () => {
  const dir = mkdtempSync(join(tmpdir(), "aws-like-thread-"));
  const [good, bad] = [join(dir, "good"), join(dir, "bad")];
  writeFileSync(bad, "");
  const [goodFd, badFd] = [openSync(good, "w"), openSync(bad, "r")];
  const fine = handOver(goodFd, ["SHA256"]);
  const failing = handOver(badFd, ["SHA256"]);
  const give = async (body: typeof fine) => {
    for (let at = 0; at < BYTES.length; at += 100_000) await body.take(Buffer.from(BYTES.subarray(at, at + 100_000)));
    return await body.finish();
  };
  const [digests, failed] = await Promise.all([give(fine), give(failing).catch((error: unknown) => error)]);
  await Promise.all([fine.abandon(), failing.abandon()]);
  assert.equal((failed as NodeJS.ErrnoException).code, "EBADF");
  assert.deepEqual(digests, {
    md5: md5.toString("hex"),
    digests: { SHA256: createHash("sha256").update(BYTES).digest("base64") },
  });
  assert.ok(readFileSync(good).equals(BYTES));
  for (const fd of [goodFd, badFd]) closeSync(fd);
  rmSync(dir, { recursive: true });
});
