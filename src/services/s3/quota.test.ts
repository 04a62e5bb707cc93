import assert from "node:assert/strict";
import { test } from "node:test";
import { CreateBucketCommand, DeleteBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { startCloud } from "../../../test/cloud.ts";
import { failure } from "../../../test/s3.ts";
import { openStore } from "../../store/open.ts";

test("an account has 10,000 buckets at most, and 100 directory buckets in a region", async () => {
  await using cloud = await startCloud();
  const s3 = cloud.client(S3Client);
  const create = (Bucket: string) => s3.send(new CreateBucketCommand({ Bucket }));
  const zoned = (at: number) =>
    s3.send(
      new CreateBucketCommand({
        Bucket: `d-${at}--use1-az4--x-s3`,
        CreateBucketConfiguration: {
          Location: { Type: "AvailabilityZone", Name: "use1-az4" },
          Bucket: { Type: "Directory", DataRedundancy: "SingleAvailabilityZone" },
        },
      }),
    );
  await create("first");
  await zoned(0);
  // Rows alone: what is asked is how many there are.
  const store = await openStore(cloud.aws.config.databaseUrl, cloud.aws.config.dir);
  const like = (name: string, others: string, count: number): Promise<number> =>
    store.write((tx) =>
      tx.run(
        `INSERT INTO s3_bucket (name, account, region, directory, created_ms, ownership, zone)
       WITH RECURSIVE n(at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM n WHERE at < ${count})
       SELECT ${others}, account, region, 'none/' || at || coalesce(zone, ''), created_ms, ownership, zone FROM s3_bucket, n WHERE name = '${name}'`,
      ),
    );
  await like("first", "'more-' || at", 9998);
  await like("d-0--use1-az4--x-s3", "'d-' || at || '--use1-az4--x-s3'", 98);
  await store.close();
  await create("ten-thousandth");
  const error = await failure(create("one-more"));
  assert.deepEqual(
    [error.name, error.status, error.CurrentNumberOfBuckets, error.AllowedNumberOfBuckets],
    ["TooManyBuckets", 400, "10000", "10000"],
  );
  await zoned(99);
  assert.equal((await failure(zoned(100))).AllowedNumberOfBuckets, "100");
  await s3.send(new DeleteBucketCommand({ Bucket: "first" }));
  await create("one-more");
});
