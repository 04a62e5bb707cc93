// Tags of buckets and objects. https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging-managing.html
import { type Context, defineOperations, requestTags } from "../../kernel/mod.ts";
import { onBucket, onObject } from "./access.ts";
import { bucketArn, bucketOf, moveToDirectory, readBucket } from "./buckets.ts";
import { errors } from "./errors.ts";
import { notifyAbout, type Origin } from "./events.ts";
import { headersOfVersion, type ObjectInput, objectOf } from "./lookup.ts";
import { replicate } from "./replication.ts";
import { originOf } from "./request.ts";
import { nextSequence } from "./state.ts";
import type { ObjectRow, Tag } from "./tables.ts";

const MAX_OBJECT_TAGS = 10;
const MAX_BUCKET_TAGS = 50;
// Letters, digits, spaces and + - = . _ : / @ in any script.
const SOUND = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

export function checkTags(tags: readonly Tag[], max: number): void {
  if (tags.length > max)
    throw max === MAX_OBJECT_TAGS
      ? errors.tooManyTags()
      : errors.badRequest("Bucket tag count cannot be greater than 50");
  const seen = new Set<string>();
  for (const { Key, Value } of tags) {
    if (seen.has(Key)) throw errors.invalidTag("Cannot provide multiple Tags with the same key", Key);
    seen.add(Key);
    if (Key.startsWith("aws:")) throw errors.invalidTag("System tags cannot be added/updated by requester", Key);
    if (Key.length === 0 || Key.length > 128 || !SOUND.test(Key))
      throw errors.invalidTag("The TagKey you have provided is invalid", Key);
    if (Value.length > 256 || !SOUND.test(Value))
      throw errors.invalidTag("The TagValue you have provided is invalid", Key);
  }
}

/** The x-amz-tagging header: a URL query. As JSON for the row. */
export function taggingHeader(header: string | undefined): string | null {
  if (header === undefined || header === "") return null;
  const tags = [...new URLSearchParams(header)].map(([Key, Value]) => ({ Key, Value }));
  if (new Set(tags.map(({ Key }) => Key)).size < tags.length)
    throw errors.invalidArgument(
      "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
      "x-amz-tagging",
      header,
    );
  checkTags(tags, MAX_OBJECT_TAGS);
  return JSON.stringify(tags);
}

export const tagsOf = (json: string | null): Tag[] => (json === null ? [] : (JSON.parse(json) as Tag[]));

const tagAccess = (verb: string) => (ctx: Context, input: ObjectInput) => onObject(ctx, [verb, "Tagging"], input);

export const tagging = defineOperations("s3", {
  GetObjectTagging: {
    access: tagAccess("Get"),
    async handle(ctx, input) {
      const row = await objectOf(ctx, input, "GET");
      return { TagSet: tagsOf(row.tags), ...headersOfVersion(row) };
    },
  },

  PutObjectTagging: {
    access: tagAccess("Put"),
    async handle(ctx, input) {
      const tags = (input.Tagging?.TagSet ?? []) as Tag[];
      checkTags(tags, MAX_OBJECT_TAGS);
      const row = await objectOf(ctx, input, "PUT");
      await setTags(ctx, row, { tags: tags.length > 0 ? JSON.stringify(tags) : null, origin: originOf(input) });
      return headersOfVersion(row);
    },
  },

  DeleteObjectTagging: {
    access: tagAccess("Delete"),
    async handle(ctx, input) {
      const row = await objectOf(ctx, input, "DELETE");
      await setTags(ctx, row, { tags: null, origin: originOf(input) });
      return headersOfVersion(row);
    },
  },

  GetBucketTagging: {
    access: (_, { Bucket }) => ({ action: "s3:GetBucketTagging", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const { name, tags } = await bucketOf(ctx, input);
      if (tags === null) throw errors.noSuchTagSet(name);
      return { TagSet: tagsOf(tags) };
    },
  },

  PutBucketTagging: {
    access: (_, input) => onBucket("PutBucketTagging", input, requestTags(input.Tagging?.TagSet)),
    async handle(ctx, input) {
      const tags = (input.Tagging?.TagSet ?? []) as Tag[];
      checkTags(tags, MAX_BUCKET_TAGS);
      const bucket = await bucketOf(ctx, input);
      const directory = tags.find(({ Key }) => Key === "aws-like:directory")?.Value;
      if (directory !== undefined && directory.replace(/^\.\/|\/$/g, "") !== bucket.directory)
        await moveToDirectory(ctx, bucket, tags);
      else await setBucketTags(ctx, bucket.name, tags.length > 0 ? JSON.stringify(tags) : null);
      return {};
    },
  },

  DeleteBucketTagging: {
    access: (_, { Bucket }) => ({ action: "s3:PutBucketTagging", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      await setBucketTags(ctx, (await bucketOf(ctx, input)).name, null);
      return {};
    },
  },
});

const setBucketTags = (ctx: Context, name: string, tags: string | null) =>
  ctx.write((tx) => tx.run("UPDATE s3_bucket SET tags = :tags WHERE name = :name", { name, tags }));

async function setTags(
  ctx: Context,
  row: ObjectRow,
  { tags, origin }: { tags: string | null; origin: Origin },
): Promise<void> {
  const { bucket, key, rank } = row;
  const sequence = nextSequence(ctx);
  const event = tags === null ? "ObjectTagging:Delete" : "ObjectTagging:Put";
  await ctx.write(async (tx) => {
    const changed = await tx.run(
      "UPDATE s3_object SET tags = :tags WHERE bucket = :bucket AND key = :key AND rank = :rank",
      { bucket, key, rank, tags },
    );
    if (changed === 0) throw errors.operationAborted();
    const now = await readBucket(tx, bucket);
    if (now) await replicate(ctx, tx, now, { ...row, tags });
    await notifyAbout(ctx, tx, row, { event, origin, sequence });
  });
}
