// Finding the version that a request names, and saying why there is none.
import { AwsError, type Context } from "../../kernel/mod.ts";
import { type BucketInput, checkBucket, readBucket } from "./buckets.ts";
import { lastModified } from "./conditions.ts";
import { errors, withHeaders } from "./errors.ts";
import { MAX_KEY, storedKey } from "./keys.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";
import { NULL_VERSION, versionOf } from "./versions.ts";

export interface ObjectInput extends BucketInput {
  readonly Key?: string | undefined;
  readonly VersionId?: string | undefined;
}

/** A request's bucket and the row it names, in one snapshot. */
export async function lookUp(
  ctx: Context,
  input: ObjectInput,
): Promise<{ bucket: BucketRow; row: ObjectRow | undefined }> {
  if (input.VersionId === "") throw errors.emptyVersion();
  const key = storedKey(input.Key!);
  const found = await ctx.read(async (tx) => ({
    bucket: await readBucket(tx, input.Bucket!),
    row:
      input.VersionId === undefined
        ? await tx.one<ObjectRow>(
            "SELECT * FROM s3_object WHERE bucket = :bucket AND key = :key ORDER BY rank LIMIT 1",
            {
              bucket: input.Bucket!,
              key,
            },
          )
        : await versionOf(tx, input.Bucket!, key, input.VersionId),
  }));
  const bucket = checkBucket(found.bucket, input);
  // Also where it is only read: s3fs-fuse met a 400 of HeadObject (its pull request 1602).
  if (Buffer.byteLength(input.Key!) > MAX_KEY) throw errors.keyTooLong(input.Key!);
  return { bucket, row: found.row };
}

/** The object that a request names. A delete marker is none. */
export async function objectOf(ctx: Context, input: ObjectInput, method: string): Promise<ObjectRow> {
  const { bucket, row } = await lookUp(ctx, input);
  return await expectObject(ctx, { bucket, row, input, method });
}

export async function expectObject(
  ctx: Context,
  { bucket, row, input, method }: { bucket: BucketRow; row: ObjectRow | undefined; input: ObjectInput; method: string },
): Promise<ObjectRow> {
  const key = input.Key!;
  if (row && !row.delete_marker) return row;
  if (row && input.VersionId !== undefined)
    throw withHeaders(errors.deleteMarker(method), {
      "x-amz-delete-marker": "true",
      "x-amz-version-id": row.version_id,
      "last-modified": lastModified(row).toUTCString(),
      allow: "DELETE",
    });
  await expectMayList(ctx, bucket);
  if (row)
    throw withHeaders(errors.noSuchKey(key), { "x-amz-delete-marker": "true", "x-amz-version-id": row.version_id });
  if (input.VersionId === undefined) throw errors.noSuchKey(key);
  throw isVersionId(input.VersionId)
    ? errors.noSuchVersion(key, input.VersionId)
    : errors.invalidVersion(input.VersionId);
}

/** Whether a key is missing is told to those who may list the bucket; others are denied. */
async function expectMayList(ctx: Context, bucket: BucketRow): Promise<void> {
  if (ctx.principal.kind === "root" && ctx.principal.account === bucket.account) return;
  try {
    await ctx.call("s3", "HeadBucket", { Bucket: bucket.name });
  } catch (error) {
    throw error instanceof AwsError && error.status === 403 ? errors.accessDenied() : error;
  }
}

const isVersionId = (text: string): boolean => text === NULL_VERSION || /^[A-Za-z0-9._]{32}$/.test(text);

/** VersionId, where the bucket has or had versioning. */
export const headersOfVersion = (row: Pick<ObjectRow, "version_id">, bucket?: BucketRow): { VersionId?: string } =>
  row.version_id !== NULL_VERSION || bucket?.versioning ? { VersionId: row.version_id } : {};
