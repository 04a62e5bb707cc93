// Block public access: four flags over what ACLs and policies may say.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
import { type Context, defineOperations } from "../../kernel/mod.ts";
import { onBucket } from "./access.ts";
import { type Grant, isPublicGrant } from "./acl-grammar.ts";
import { bucketArn, bucketOf } from "./buckets.ts";
import { errors } from "./errors.ts";
import type { BucketRow } from "./tables.ts";

const FLAGS = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"] as const;
type Flag = (typeof FLAGS)[number];
export type PublicAccessBlock = Readonly<Record<Flag, boolean>>;

const blockFrom = (given: Partial<Record<Flag, boolean | undefined>>): PublicAccessBlock =>
  Object.fromEntries(FLAGS.map((flag) => [flag, given[flag] === true])) as PublicAccessBlock;

const NOTHING = blockFrom({});
/** Of a new bucket, since April 2023. */
export const EVERYTHING: PublicAccessBlock = blockFrom(Object.fromEntries(FLAGS.map((flag) => [flag, true])));

// Few texts there are, and each request asks.
const parsed = new Map<string, PublicAccessBlock>();

export function blockOf({ public_access: text }: Pick<BucketRow, "public_access">): PublicAccessBlock {
  if (text === null) return NOTHING;
  const block = parsed.get(text) ?? (JSON.parse(text) as PublicAccessBlock);
  parsed.set(text, block);
  return block;
}

export const publicAccess = defineOperations("s3", {
  GetPublicAccessBlock: {
    access: (_, input) => onBucket("GetBucketPublicAccessBlock", input),
    async handle(ctx, input) {
      const bucket = await bucketOf(ctx, input);
      if (bucket.public_access === null) throw errors.noSuchPublicAccessBlock(bucket.name);
      return { PublicAccessBlockConfiguration: blockOf(bucket) };
    },
  },

  PutPublicAccessBlock: {
    access: (_, input) => onBucket("PutBucketPublicAccessBlock", input),
    async handle(ctx, input) {
      if (!input.PublicAccessBlockConfiguration) throw errors.malformedXml();
      const { name } = await bucketOf(ctx, input);
      await setBlock(ctx, name, blockFrom(input.PublicAccessBlockConfiguration));
      return {};
    },
  },

  DeletePublicAccessBlock: {
    access: (_, input) => onBucket("PutBucketPublicAccessBlock", input),
    async handle(ctx, input) {
      await setBlock(ctx, (await bucketOf(ctx, input)).name, null);
      return {};
    },
  },
});

const setBlock = (ctx: Context, name: string, block: PublicAccessBlock | null) =>
  ctx.write((tx) =>
    tx.run("UPDATE s3_bucket SET public_access = :text WHERE name = :name", {
      name,
      text: block && JSON.stringify(block),
    }),
  );

/** Throws AccessDenied where the bucket's settings keep public ACLs out. */
export function expectAclMayBe(
  ctx: Context,
  {
    bucket,
    grants,
    action,
    resource,
  }: { bucket: BucketRow; grants: readonly Grant[]; action: string; resource: string },
): void {
  if (blockOf(bucket).BlockPublicAcls && grants.some(isPublicGrant))
    throw errors.publicPrevented(who(ctx), { action, resource, what: "ACLs", flag: "BlockPublicAcls" });
}

export function expectPolicyMayBe(ctx: Context, bucket: BucketRow, isPublic: () => boolean): void {
  if (blockOf(bucket).BlockPublicPolicy && isPublic())
    throw errors.publicPrevented(who(ctx), {
      action: "s3:PutBucketPolicy",
      resource: bucketArn(bucket.name),
      what: "policies",
      flag: "BlockPublicPolicy",
    });
}

/** Nobody has no name in a denial. */
const who = ({ principal }: Context): string | undefined =>
  "arn" in principal ? principal.arn : principal.kind === "service" ? principal.name : undefined;
