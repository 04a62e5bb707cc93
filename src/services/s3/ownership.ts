// Who owns what is written to a bucket, and whether it has ACLs at all.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
import { type Context, defineOperations } from "../../kernel/mod.ts";
import { onBucket } from "./access.ts";
import { type AclInput, ANONYMOUS, canonical, type Grant, grantsIn, grantsOfHeaders, saysAcl } from "./acl-grammar.ts";
import { bucketOf, objectArn } from "./buckets.ts";
import { errors } from "./errors.ts";
import { expectAclMayBe } from "./public-access.ts";
import type { BucketRow } from "./tables.ts";

export const OWNERSHIPS = ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"] as const;

/** The `ownership` column of a bucket whose controls were deleted: then it is ObjectWriter. */
const NONE = "";

export const usesAcls = ({ ownership }: Pick<BucketRow, "ownership">): boolean => ownership !== "BucketOwnerEnforced";

/** An account, or `anonymous`. */
export const objectOwner = (bucket: BucketRow, { owner }: { readonly owner: string | null }): string =>
  usesAcls(bucket) ? (owner ?? bucket.account) : bucket.account;

export const ownership = defineOperations("s3", {
  GetBucketOwnershipControls: {
    access: (_, input) => onBucket("GetBucketOwnershipControls", input),
    async handle(ctx, input) {
      const { name, ownership } = await bucketOf(ctx, input);
      if (ownership === NONE) throw errors.noOwnershipControls(name);
      return { OwnershipControls: { Rules: [{ ObjectOwnership: ownership as "ObjectWriter" }] } };
    },
  },

  PutBucketOwnershipControls: {
    access: (_, input) => onBucket("PutBucketOwnershipControls", input),
    async handle(ctx, input) {
      const rules = input.OwnershipControls?.Rules ?? [];
      const [rule] = rules;
      const wanted = OWNERSHIPS.find((one) => one === rule?.ObjectOwnership);
      if (rules.length !== 1 || !wanted) throw errors.malformedXml();
      const bucket = await bucketOf(ctx, input);
      if (wanted === "BucketOwnerEnforced" && grantsOthers(ctx, bucket)) throw errors.bucketHasAcl();
      await setOwnership(ctx, bucket.name, wanted);
      return {};
    },
  },

  DeleteBucketOwnershipControls: {
    access: (_, input) => onBucket("PutBucketOwnershipControls", input),
    async handle(ctx, input) {
      await setOwnership(ctx, (await bucketOf(ctx, input)).name, NONE);
      return {};
    },
  },
});

const setOwnership = (ctx: Context, name: string, ownership: string) =>
  ctx.write((tx) => tx.run("UPDATE s3_bucket SET ownership = :ownership WHERE name = :name", { name, ownership }));

function grantsOthers({ config }: Context, { acl, account }: BucketRow): boolean {
  const own = canonical(config, account);
  return grantsIn(acl, { config, owner: account }).some(({ id }) => id !== own);
}

/** The columns `owner` and `acl` of a new object. Throws AccessControlListNotSupported, and what is wrong with the ACL. */
export function ownedBy(
  ctx: Context,
  bucket: BucketRow,
  input: AclInput & { readonly Key?: string | undefined },
): { owner: string | null; acl: string | null } {
  const writer = "account" in ctx.principal ? ctx.principal.account : ANONYMOUS;
  const { config } = ctx;
  const bucketOwner = bucket.account;
  if (!usesAcls(bucket)) {
    grantsOfHeaders(input, { config, owner: bucketOwner, bucketOwner }, "object");
    if (saysAcl(input) && input.ACL !== "bucket-owner-full-control") throw errors.aclsDisabled();
    return { owner: null, acl: null };
  }
  const given = bucket.ownership === "BucketOwnerPreferred" && input.ACL === "bucket-owner-full-control";
  const owner = given ? bucketOwner : writer;
  const grants = grantsOfHeaders(input, { config, owner, bucketOwner }, "object");
  const resource = objectArn(bucket.name, input.Key!);
  if (grants) expectAclMayBe(ctx, { bucket, grants, action: "s3:PutObject", resource });
  return { owner: owner === bucketOwner ? null : owner, acl: aclColumn(grants, input.ACL) };
}

/** What a private one says need not be kept. */
export const aclColumn = (grants: readonly Grant[] | undefined, canned?: string): string | null =>
  grants === undefined || canned === "private" ? null : JSON.stringify(grants);
