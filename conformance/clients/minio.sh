# npm's minio: installed into the script's own directory, where the registry can be reached.
. "$STEPS"
need npm
npm install --silent --no-audit --no-fund --prefix "$PWD" minio@8 >npm.log 2>&1 || exit 77
cat >minio.mjs <<'END'
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { Client, CopyConditions } from "minio";

const { hostname: endPoint, port } = new URL(process.env.AWS_ENDPOINT_URL);
const bucket = process.env.BUCKET;
const client = new Client({ endPoint, port: Number(port), useSSL: false, accessKey: "test", secretKey: "test", partSize: 5 << 20 });
const text = async (stream) => Buffer.concat(await Array.fromAsync(stream)).toString();
let failures = 0;
async function step(name, work) {
  try {
    await work();
    console.log("ok    ", name);
  } catch (error) {
    failures++;
    console.log("FAILED", name, "\n      ", error);
  }
}
const large = randomBytes(16_000_001);
await step("bucketExists", async () => assert.deepEqual([await client.bucketExists(bucket), await client.bucketExists("no-such-bucket")], [true, false]));
await step("makeBucket", () => client.makeBucket(`${bucket}-made`, "eu-west-1"));
await step("removeBucket", () => client.removeBucket(`${bucket}-made`));
await step("putObject, statObject, getObject", async () => {
  await client.putObject(bucket, "a b/ü", "text", undefined, { "Content-Type": "text/x", colour: "blue" });
  const { size, metaData } = await client.statObject(bucket, "a b/ü");
  assert.deepEqual([size, metaData["content-type"], metaData.colour], [4, "text/x", "blue"]);
  assert.equal(await text(await client.getObject(bucket, "a b/ü")), "text");
  assert.equal(await text(await client.getPartialObject(bucket, "a b/ü", 1, 2)), "ex");
});
await step("fPutObject of a large file, and fGetObject", async () => {
  await writeFile("large", large);
  await client.fPutObject(bucket, "large", "large");
  await client.fGetObject(bucket, "large", "back");
  assert.ok(large.equals(await readFile("back")));
});
await step("listObjectsV2", async () => {
  const found = await Array.fromAsync(client.listObjectsV2(bucket, "", true));
  assert.deepEqual(found.map(({ name }) => name), ["a b/ü", "large"]);
});
await step("copyObject", () => client.copyObject(bucket, "copied", `/${bucket}/large`, new CopyConditions()));
await step("presigned URLs and form", async () => {
  assert.equal(await (await fetch(await client.presignedGetObject(bucket, "a b/ü", 60))).text(), "text");
  const put = await fetch(await client.presignedPutObject(bucket, "put", 60), { method: "PUT", body: "put" });
  assert.equal(put.status, 200);
  const policy = client.newPostPolicy();
  policy.setBucket(bucket);
  policy.setKey("posted");
  policy.setExpires(new Date(Date.now() + 60_000));
  const { postURL, formData } = await client.presignedPostPolicy(policy);
  const form = new FormData();
  for (const [name, value] of Object.entries(formData)) form.append(name, value);
  form.append("file", new Blob(["posted"]));
  assert.equal((await fetch(postURL, { method: "POST", body: form })).status, 204);
});
await step("tags and versioning", async () => {
  await client.setObjectTagging(bucket, "put", { a: "one" });
  assert.deepEqual(await client.getObjectTagging(bucket, "put"), [{ Key: "a", Value: "one" }]);
  await client.setBucketVersioning(bucket, { Status: "Enabled" });
  assert.equal((await client.getBucketVersioning(bucket)).Status, "Enabled");
});
await step("removeObjects", async () => {
  await client.removeObjects(bucket, ["a b/ü", "large", "copied", "put", "posted"]);
  assert.deepEqual(await Array.fromAsync(client.listObjectsV2(bucket, "", true)), []);
});
process.exitCode = failures > 0 ? 1 : 0;
END
exec "$NODE" minio.mjs
