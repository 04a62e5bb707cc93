// What the tests of S3 share: a cloud for each test file, a bucket for each test.
import { after } from "node:test";
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from "@aws-sdk/client-s3";
import type { StartOptions } from "../src/aws.ts";
import { startCloud, type TestCloud } from "./cloud.ts";

export interface BucketCloud {
  readonly cloud: TestCloud;
  readonly s3: S3Client;
  /** A new bucket, and its directory. */
  newBucket(options?: { versioned?: boolean }): Promise<{ Bucket: string; directory: string }>;
}

/** Ends with the test file. */
export async function startCloudWithBuckets(options: StartOptions = {}): Promise<BucketCloud> {
  const cloud = await startCloud(options);
  after(() => cloud[Symbol.asyncDispose]());
  const s3 = cloud.client(S3Client);
  let buckets = 0;
  return {
    cloud,
    s3,
    async newBucket({ versioned = false } = {}) {
      const Bucket = `bucket-${++buckets}`;
      await s3.send(new CreateBucketCommand({ Bucket }));
      if (versioned)
        await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
      return { Bucket, directory: `${cloud.aws.config.dir}/buckets/${Bucket}` };
    },
  };
}

export type Failure = Record<string, unknown> & { name: string; status: number; message: string };

/** What an error's answer said: code, status, words, and further members. */
export async function failure(of: Promise<unknown>): Promise<Failure> {
  try {
    await of;
  } catch (error) {
    const { name, message, $metadata, ...members } = error as Error & { $metadata?: { httpStatusCode?: number } };
    if ($metadata) return { ...members, name, message, status: $metadata.httpStatusCode! };
    throw error;
  }
  throw new Error("it succeeded");
}
