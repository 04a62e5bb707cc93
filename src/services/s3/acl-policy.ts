// ACLs in the decision: a grant says what a statement of a policy says, so that is what it becomes; `aws-like why` shows it as such.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#permissions
import { type Access, type Arn, after, type Context, type NamedPolicy, type Principal } from "../../kernel/mod.ts";
import { bucketOfArn } from "./access.ts";
import { ALL_USERS, AUTHENTICATED_USERS, type Grant, grantsIn, isPublicGrant, type Permission } from "./acl-grammar.ts";
import { bucketFacts } from "./buckets.ts";
import { storedKey } from "./keys.ts";
import { objectOwner, usesAcls } from "./ownership.ts";
import { isPublicPolicy } from "./policy-status.ts";
import { blockOf } from "./public-access.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";
import { versionOf } from "./versions.ts";

/** What S3 says of an access besides: which version it is about. */
export interface ObjectAccess extends Access {
  readonly versionId?: string | undefined;
  /** Of an object that is about to be made: the bucket decides over it. */
  readonly made?: true;
}

const OF_BUCKET: Readonly<Record<Permission, readonly string[]>> = {
  READ: ["s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"],
  WRITE: [
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    // With what an object comes.
    "s3:PutObjectAcl",
    "s3:PutObjectTagging",
  ],
  READ_ACP: ["s3:GetBucketAcl"],
  WRITE_ACP: ["s3:PutBucketAcl"],
  FULL_CONTROL: [],
};
const OF_OBJECT: Readonly<Record<Permission, readonly string[]>> = {
  READ: ["s3:GetObject", "s3:GetObjectVersion"],
  WRITE: [],
  READ_ACP: ["s3:GetObjectAcl", "s3:GetObjectVersionAcl"],
  WRITE_ACP: ["s3:PutObjectAcl", "s3:PutObjectVersionAcl"],
  FULL_CONTROL: [],
};

/** The bucket's owner decides over these, whoever owns the object. */
const BUCKETS_OWN = /^s3:(PutObject|DeleteObject|DeleteObjectVersion|AbortMultipartUpload|ListMultipartUploadParts)$/;
const isOfObject = ({ action, resource, made }: ObjectAccess): boolean =>
  resource.includes("/") && !made && !BUCKETS_OWN.test(action);

const bucketAt = (ctx: Context, resource: Arn) => bucketFacts(ctx, bucketOfArn(resource));

/** Who owns what is asked for: of an object in a bucket with ACLs that may be whoever wrote it. */
export const resourceOwner = (
  ctx: Context,
  resource: Arn,
  access: ObjectAccess,
): string | undefined | Promise<string | undefined> =>
  after(bucketAt(ctx, resource), (bucket) => {
    if (!bucket || !usesAcls(bucket) || !isOfObject(access)) return bucket?.account;
    return objectAt(ctx, bucket, access).then((row) => (row ? objectOwner(bucket, row) : bucket.account));
  });

/**
 * The bucket's policy, as far as it binds this caller: its owner cannot give away what belongs to others, and where public access is restricted, a
 * public policy gives nothing to anyone outside. What it denies it always denies.
 */
export const resourcePolicy = (
  ctx: Context,
  resource: Arn,
  access: ObjectAccess,
): string | undefined | Promise<string | undefined> =>
  after(bucketAt(ctx, resource), (bucket) => {
    const policy = bucket?.policy ?? undefined;
    if (!bucket || policy === undefined) return undefined;
    if (isRestricted(bucket, policy, ctx.principal)) return denials(policy);
    if (!usesAcls(bucket) || !isOfObject(access)) return policy;
    return after(resourceOwner(ctx, resource, access), (owner) =>
      owner === bucket.account ? policy : denials(policy),
    );
  });

const isRestricted = (bucket: BucketRow, policy: string, principal: Principal): boolean =>
  principal.kind !== "service" &&
  !("account" in principal && principal.account === bucket.account) &&
  blockOf(bucket).RestrictPublicBuckets &&
  isPublicPolicy(policy);

function denials(policy: string): string {
  const document = JSON.parse(policy) as { Statement: Effective | Effective[] };
  return JSON.stringify({
    ...document,
    Statement: [document.Statement].flat().filter(({ Effect }) => Effect === "Deny"),
  });
}

interface Effective {
  readonly Effect: string;
}

/** What the ACL of the bucket or the object says, as a policy. Asked where no policy allows and none denies. */
export async function aclPolicies(ctx: Context, access: ObjectAccess): Promise<NamedPolicy[]> {
  const bucket = await bucketAt(ctx, access.resource);
  if (!bucket || !usesAcls(bucket)) return [];
  const ignoresPublic = blockOf(bucket).IgnorePublicAcls;
  const statements = (grants: readonly Grant[], actions: typeof OF_BUCKET) =>
    grants.filter((grant) => !(ignoresPublic && isPublicGrant(grant))).map((grant) => statementOf(grant, actions));
  const { config } = ctx;
  const ofBucket = grantsIn(bucket.acl, { config, owner: bucket.account });
  if (!isOfObject(access)) return [named(bucket.name, statements(ofBucket, OF_BUCKET))];
  const row = await objectAt(ctx, bucket, access);
  // That there is nothing is told to whoever may list: then the handler says so.
  if (!row || row.delete_marker) return [named(bucket.name, statements(ofBucket, MISSING))];
  const grants = grantsIn(row.acl, { config, owner: objectOwner(bucket, row) });
  return [named(access.resource.slice("arn:aws:s3:::".length), statements(grants, OF_OBJECT))];
}

const MISSING: typeof OF_BUCKET = {
  ...OF_OBJECT,
  READ: [...OF_OBJECT.READ, ...OF_OBJECT.READ_ACP],
  READ_ACP: [],
  WRITE_ACP: [],
};

const named = (of: string, statements: readonly object[]): NamedPolicy => ({
  name: `ACL of ${of}`,
  document: JSON.stringify({ Version: "2012-10-17", Statement: statements }),
});

/** Resource `*`: the policy is asked about this one only. */
function statementOf(grant: Grant, actions: typeof OF_BUCKET): object {
  const Action = grant.permission === "FULL_CONTROL" ? Object.values(actions).flat() : actions[grant.permission];
  return { Effect: "Allow", ...granteeOf(grant), Action, Resource: "*" };
}

function granteeOf({ id, uri }: Grant): object {
  if (id !== undefined) return { Principal: { CanonicalUser: id } };
  if (uri === ALL_USERS) return { Principal: "*" };
  if (uri !== AUTHENTICATED_USERS) return { Principal: { Service: "logging.s3.amazonaws.com" } };
  const kinds = ["Account", "User", "AssumedRole", "FederatedUser"];
  return { Principal: "*", Condition: { StringEquals: { "aws:PrincipalType": kinds } } };
}

type Owned = Pick<ObjectRow, "owner" | "acl" | "delete_marker">;

async function objectAt(
  ctx: Context,
  { name }: BucketRow,
  { resource, versionId }: ObjectAccess,
): Promise<Owned | undefined> {
  const key = storedKey(resource.slice(resource.indexOf("/") + 1));
  return await ctx.read((tx) =>
    versionId === undefined
      ? tx.one<Owned & { readonly rank: number }>(
          "SELECT owner, acl, delete_marker FROM s3_object WHERE bucket = :name AND key = :key ORDER BY rank LIMIT 1",
          { name, key },
        )
      : versionOf(tx, name, key, versionId),
  );
}
