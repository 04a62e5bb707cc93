// ACLs of buckets and objects. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html and its neighbours
import { type Context, defineOperations } from "../../kernel/mod.ts";
import { headerKeys, onBucket, onObject } from "./access.ts";
import {
  type AclDocument,
  type AclInput,
  canonical,
  type Grant,
  grantsIn,
  grantsOfDocument,
  grantsOfHeaders,
  type Parties,
  saysAcl,
} from "./acl-grammar.ts";
import { bucketArn, bucketOf, objectArn, ownerOf } from "./buckets.ts";
import { errors } from "./errors.ts";
import { notifyAbout } from "./events.ts";
import { expectObject, lookUp } from "./lookup.ts";
import { aclColumn, objectOwner, usesAcls } from "./ownership.ts";
import { expectAclMayBe } from "./public-access.ts";
import { originOf, wholeBodyOf } from "./request.ts";
import { nextSequence } from "./state.ts";
import type { BucketRow } from "./tables.ts";

export const acls = defineOperations("s3", {
  GetBucketAcl: {
    access: (_, input) => onBucket("GetBucketAcl", input),
    async handle(ctx, input) {
      const bucket = await bucketOf(ctx, input);
      return told(ctx, bucket.account, usesAcls(bucket) ? bucket.acl : null);
    },
  },

  PutBucketAcl: {
    access: (_, input) => onBucket("PutBucketAcl", input, headerKeys(input)),
    async handle(ctx, input) {
      const bucket = await bucketOf(ctx, input);
      const { name, account } = bucket;
      const grants = wanted(input, { config: ctx.config, owner: account, bucketOwner: account }, "bucket");
      if (!usesAcls(bucket)) expectOwnersOnly(ctx, bucket, input, grants);
      expectAclMayBe(ctx, { bucket, grants, action: "s3:PutBucketAcl", resource: bucketArn(name) });
      const acl = usesAcls(bucket) ? aclColumn(grants, input.ACL) : null;
      await ctx.write((tx) => tx.run("UPDATE s3_bucket SET acl = :acl WHERE name = :name", { name, acl }));
      return {};
    },
  },

  GetObjectAcl: {
    access: (ctx, input) => onObject(ctx, ["Get", "Acl"], input),
    async handle(ctx, input) {
      const { bucket, row: found } = await lookUp(ctx, input);
      const row = await expectObject(ctx, { bucket, row: found, input, method: "GET" });
      return told(ctx, objectOwner(bucket, row), usesAcls(bucket) ? row.acl : null);
    },
  },

  PutObjectAcl: {
    access: (ctx, input) => onObject(ctx, ["Put", "Acl"], input),
    async handle(ctx, input) {
      const { bucket, row: found } = await lookUp(ctx, input);
      // A delete marker has no ACL, current or not.
      if (found?.delete_marker) throw errors.deleteMarker("PUT");
      const row = await expectObject(ctx, { bucket, row: found, input, method: "PUT" });
      const owner = objectOwner(bucket, row);
      const grants = wanted(input, { config: ctx.config, owner, bucketOwner: bucket.account }, "object");
      if (!usesAcls(bucket)) {
        expectOwnersOnly(ctx, bucket, input, grants);
        return {};
      }
      const resource = objectArn(bucket.name, input.Key!);
      expectAclMayBe(ctx, { bucket, grants, action: "s3:PutObjectAcl", resource });
      const acl = aclColumn(grants, input.ACL);
      const sequence = nextSequence(ctx);
      const origin = originOf(input);
      await ctx.write(async (tx) => {
        const { bucket, key, rank } = row;
        const known = { bucket, key, rank, acl };
        const sql = "UPDATE s3_object SET acl = :acl WHERE bucket = :bucket AND key = :key AND rank = :rank";
        if ((await tx.run(sql, known)) === 0) throw errors.operationAborted();
        // Where nothing changes, nobody is told (AWS says so of this event alone).
        if (acl !== row.acl) await notifyAbout(ctx, tx, row, { event: "ObjectAcl:Put", origin, sequence });
      });
      return {};
    },
  },
});

type PutAcl = AclInput & { readonly AccessControlPolicy?: AclDocument | undefined };

/** By headers or by a document, not by both, and by one of them. */
function wanted(input: PutAcl, parties: Parties, kind: "bucket" | "object"): Grant[] {
  const document =
    (wholeBodyOf(input)?.length ?? 0) > 0 ? (input.AccessControlPolicy ?? {}) : input.AccessControlPolicy;
  if (saysAcl(input)) {
    const grants = grantsOfHeaders(input, parties, kind)!;
    if (document) throw errors.unexpectedContent();
    return grants;
  }
  if (!document) throw errors.missingHeader("x-amz-acl");
  return grantsOfDocument(document, parties);
}

/** Where ACLs are disabled, one may still say that the bucket's owner has full control. */
function expectOwnersOnly(
  { config }: Context,
  { account }: BucketRow,
  { ACL }: PutAcl,
  grants: readonly Grant[],
): void {
  const own = canonical(config, account);
  const says =
    ACL === undefined && grants.length === 1 && grants[0]!.id === own && grants[0]!.permission === "FULL_CONTROL";
  if (ACL !== "bucket-owner-full-control" && !says) throw errors.aclsDisabled();
}

function told(ctx: Context, owner: string, acl: string | null) {
  const { config } = ctx;
  return {
    Owner: ownerOf(ctx, owner),
    Grants: grantsIn(acl, { config, owner }).map(({ id, uri, permission }) => ({
      Grantee:
        id === undefined
          ? { Type: "Group" as const, URI: uri }
          : { Type: "CanonicalUser" as const, ID: id, ...nameOf(ctx, id) },
      Permission: permission,
    })),
  };
}

const nameOf = ({ config }: Context, id: string): { DisplayName?: string } => {
  const name = config.accounts.find((account) => canonical(config, account.id) === id)?.name;
  return name ? { DisplayName: name } : {};
};
