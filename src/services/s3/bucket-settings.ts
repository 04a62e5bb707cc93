// Versioning and policy of a bucket.
import { type Context, defineOperations, resourcePolicyFault } from "../../kernel/mod.ts";
import { bucketArn, bucketOf } from "./buckets.ts";
import { isDirectoryBucket } from "./directory-names.ts";
import { errors } from "./errors.ts";
import { isPublicPolicy } from "./policy-status.ts";
import { expectPolicyMayBe } from "./public-access.ts";

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html: at most 20 KB. */
const MAX_POLICY = 20 * 1024;

export const bucketSettings = defineOperations("s3", {
  GetBucketVersioning: {
    access: (_, { Bucket }) => ({ action: "s3:GetBucketVersioning", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const { versioning } = await bucketOf(ctx, input);
      return versioning === null ? {} : { Status: versioning };
    },
  },

  PutBucketVersioning: {
    access: (_, { Bucket }) => ({ action: "s3:PutBucketVersioning", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const { Status, MFADelete } = input.VersioningConfiguration ?? {};
      if (MFADelete === "Enabled" || input.MFA !== undefined) throw errors.notImplemented("MfaDelete");
      if (Status === undefined) throw errors.illegalVersioning();
      if (Status !== "Enabled" && Status !== "Suspended") throw errors.malformedXml();
      const { name, object_lock, replication } = await bucketOf(ctx, input);
      if (Status === "Suspended" && object_lock !== null) throw errors.lockedVersioning();
      if (Status === "Suspended" && replication !== null) throw errors.replicatedVersioning();
      await ctx.write((tx) => tx.run("UPDATE s3_bucket SET versioning = :Status WHERE name = :name", { name, Status }));
      return {};
    },
  },

  GetBucketPolicy: {
    access: (_, { Bucket }) => ({ action: "s3:GetBucketPolicy", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const { name, policy } = await bucketOf(ctx, input);
      if (policy === null) throw errors.noSuchBucketPolicy(name);
      return { Policy: policy };
    },
  },

  PutBucketPolicy: {
    access: (_, { Bucket }) => ({ action: "s3:PutBucketPolicy", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const bucket = await bucketOf(ctx, input);
      checkPolicy(bucket.name, input.Policy ?? "");
      expectPolicyMayBe(ctx, bucket, () => isPublicPolicy(input.Policy!));
      await setPolicy(ctx, bucket.name, input.Policy!);
      return {};
    },
  },

  DeleteBucketPolicy: {
    access: (_, { Bucket }) => ({ action: "s3:DeleteBucketPolicy", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      await setPolicy(ctx, (await bucketOf(ctx, input)).name, null);
      return {};
    },
  },
});

const setPolicy = (ctx: Context, name: string, policy: string | null) =>
  ctx.write((tx) => tx.run("UPDATE s3_bucket SET policy = :policy WHERE name = :name", { name, policy }));

interface Statement {
  readonly Effect?: unknown;
  readonly Principal?: unknown;
  readonly NotPrincipal?: unknown;
  readonly Action?: unknown;
  readonly NotAction?: unknown;
  readonly Resource?: unknown;
  readonly NotResource?: unknown;
}

/** What the door cannot decide by is refused when it is put, in AWS's words and order. */
function checkPolicy(bucket: string, text: string): void {
  if (Buffer.byteLength(text) > MAX_POLICY)
    throw errors.malformedPolicy("Normalized policy document exceeds the maximum allowed size of 20480 bytes.");
  for (const statement of statementsOf(text)) {
    if (statement.Effect !== "Allow" && statement.Effect !== "Deny")
      throw errors.malformedPolicy(
        statement.Effect === undefined ? "Missing required field Effect" : `Invalid effect: ${statement.Effect}`,
      );
    if (statement.Principal === undefined && statement.NotPrincipal === undefined)
      throw errors.malformedPolicy("Missing required field Principal");
    if (statement.NotPrincipal !== undefined && statement.Effect === "Allow")
      throw errors.malformedPolicy("Allow with NotPrincipal is not allowed.");
    const actions = listOf(statement.Action ?? statement.NotAction);
    if (actions.length === 0) throw errors.malformedPolicy("Missing required field Action");
    const service = isDirectoryBucket(bucket) ? "s3express" : "s3";
    if (!actions.every((action) => action === "*" || new RegExp(`^${service}:[A-Za-z*?]+$`, "i").test(action)))
      throw errors.malformedPolicy("Policy has invalid action");
    const resources = listOf(statement.Resource ?? statement.NotResource);
    if (resources.length === 0) throw errors.malformedPolicy("Missing required field Resource");
    if (!resources.every((resource) => isOf(bucket, resource)))
      throw errors.malformedPolicy("Policy has invalid resource");
  }
  const fault = resourcePolicyFault(text);
  if (fault !== undefined) throw errors.malformedPolicy(fault);
}

function statementsOf(text: string): Statement[] {
  if (!text.startsWith("{")) throw errors.malformedPolicy("Policies must be valid JSON and the first byte must be '{'");
  let document: { Version?: unknown; Statement?: unknown };
  try {
    document = JSON.parse(text) as typeof document;
  } catch {
    throw errors.malformedPolicy("This policy contains invalid Json");
  }
  if (document.Version !== undefined && document.Version !== "2012-10-17" && document.Version !== "2008-10-17")
    throw errors.malformedPolicy("The policy must contain a valid version string");
  const statements = Array.isArray(document.Statement) ? document.Statement : [document.Statement];
  if (document.Statement === undefined || statements.length === 0)
    throw errors.malformedPolicy("Missing required field Statement");
  if (!statements.every((statement) => typeof statement === "object" && statement !== null))
    throw errors.malformedPolicy("Invalid policy syntax.");
  return statements as Statement[];
}

const listOf = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).filter((one): one is string => typeof one === "string");

const OF_GENERAL = /^arn:(?:aws|\*):s3:::([^/]*)/;
const OF_DIRECTORY = /^arn:(?:aws|\*):s3express:[^:]*:[^:]*:bucket\/([^/]*)$/;

function isOf(bucket: string, resource: string): boolean {
  const name = (isDirectoryBucket(bucket) ? OF_DIRECTORY : OF_GENERAL).exec(resource)?.[1];
  if (name === undefined) return false;
  const pattern = name
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${pattern}$`).test(bucket);
}
