// @aws-sdk/lib-storage, and the SDK's presigner.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { GetObjectCommand, PutObjectCommand, paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const { AWS_ENDPOINT_URL: endpoint, BUCKET: Bucket } = process.env;
const s3 = new S3Client({ endpoint, forcePathStyle: true });
let failures = 0;

async function step(name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    console.log("ok    ", name);
  } catch (error) {
    failures++;
    console.log("FAILED", name, "\n      ", error);
  }
}

const large = randomBytes(23_000_001);

await step("a stream of unknown length, in parts", async () => {
  const Body = Readable.from(
    (function* () {
      for (let at = 0; at < large.length; at += 100_000) yield large.subarray(at, at + 100_000);
    })(),
    { objectMode: false },
  );
  const answer = await new Upload({ client: s3, params: { Bucket, Key: "stream", Body }, partSize: 5 << 20 }).done();
  assert.match(answer.ETag!, /-5"$/);
  const { Body: back } = await s3.send(new GetObjectCommand({ Bucket, Key: "stream" }));
  assert.ok(large.equals(await back!.transformToByteArray()));
});

await step("a small one, in one", async () => {
  await new Upload({ client: s3, params: { Bucket, Key: "small", Body: "small" } }).done();
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: "small", ChecksumMode: "ENABLED" }));
  assert.equal(await Body!.transformToString(), "small");
});

await step("an upload that is given up leaves nothing", async () => {
  const upload = new Upload({ client: s3, params: { Bucket, Key: "never", Body: large }, partSize: 5 << 20 });
  upload.once("httpUploadProgress", () => void upload.abort());
  await assert.rejects(upload.done(), { name: "AbortError" });
});

await step("presigned URLs", async () => {
  const put = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: "a b/ü?&" }));
  assert.equal((await fetch(put, { method: "PUT", body: "signed" })).status, 200);
  const get = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: "a b/ü?&" }), { expiresIn: 60 });
  assert.equal(await (await fetch(get)).text(), "signed");
  assert.equal((await fetch(get.replace(/.$/, (last) => (last === "0" ? "1" : "0")))).status, 403);
});

await step("the paginator", async () => {
  const keys: string[] = [];
  for await (const page of paginateListObjectsV2({ client: s3, pageSize: 1 }, { Bucket }))
    keys.push(...(page.Contents ?? []).map(({ Key }) => Key!));
  assert.deepEqual(keys, ["a b/ü?&", "small", "stream"]);
});

s3.destroy();
process.exitCode = failures > 0 ? 1 : 0;
