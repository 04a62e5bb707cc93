// For the tests of S3: one cloud for each test file, a bucket for each test.
import { after } from "node:test";
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from "@aws-sdk/client-s3";
import { startCloud } from "./cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());

const s3 = cloud.client(S3Client);
let buckets = 0;

async function newBucket({ versioned = false } = {}): Promise<{ Bucket: string; directory: string }> {
  const Bucket = `bucket-${++buckets}`;
  await s3.send(new CreateBucketCommand({ Bucket }));
  if (versioned)
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
  return { Bucket, directory: `${cloud.aws.config.dir}/buckets/${Bucket}` };
}

/** What an answer said besides its value: code, status and further members of an error. */
async function failure(
  of: Promise<unknown>,
): Promise<Record<string, unknown> & { name: string; status: number; message: string }> {
  try {
    await of;
  } catch (error) {
    const { $metadata, ...rest } = error as Error & { $metadata?: { httpStatusCode?: number } };
    if ($metadata)
      return {
        ...rest,
        name: (error as Error).name,
        message: (error as Error).message,
        status: $metadata.httpStatusCode!,
      };
    throw error;
  }
  throw new Error("it succeeded");
}

export { cloud, failure, newBucket, s3 };
