// Directory buckets: what of S3 they have, who may, and what is refused. Their objects are those of any bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-differences.html
import {
  type Access,
  AwsError,
  after,
  type Context,
  type Demand,
  defineOperations,
  type Handler,
  type HttpRequest,
  type Operations,
} from "../../kernel/mod.ts";
import { bucketOfArn } from "./access.ts";
import { bucketFacts, fromToken, toToken } from "./buckets.ts";
import { expressArn, isDirectoryBucket } from "./directory-names.ts";
import { errors } from "./errors.ts";
import { isSessionKey, type Mode, openSession, readAccess, sessionAccess } from "./express-sessions.ts";
import { requestOf } from "./request.ts";
import { scopeOf, signedQuery, wronglySigned } from "./scope.ts";
import type { BucketRow } from "./tables.ts";

const MAX_PAGE = 1000;

export const directoryBuckets = defineOperations("s3", {
  ListDirectoryBuckets: {
    access: () => ({ action: "s3express:ListAllMyDirectoryBuckets", resource: "*" }),
    async handle(ctx, { MaxDirectoryBuckets: limit = MAX_PAGE, ContinuationToken: token }) {
      if (limit < 0 || limit > MAX_PAGE)
        throw errors.invalidArgument(
          `Argument max-directory-buckets must be an integer between 0 and ${MAX_PAGE}`,
          "max-directory-buckets",
          String(limit),
        );
      const rows = await ctx.read((tx) =>
        tx.all<BucketRow>(
          `SELECT * FROM s3_bucket WHERE account = :account AND region = :region AND zone IS NOT NULL AND name > :after ORDER BY name LIMIT :count`,
          { account: ctx.account, region: ctx.region, after: token ? fromToken(token) : "", count: limit + 1 },
        ),
      );
      const page = rows.slice(0, limit);
      return {
        Buckets: page.map((bucket) => ({
          Name: bucket.name,
          CreationDate: new Date(bucket.created_ms),
          BucketRegion: bucket.region,
          BucketArn: expressArn(bucket),
        })),
        ...(rows.length > page.length && page.length > 0 && { ContinuationToken: toToken(page.at(-1)!.name) }),
      };
    },
  },
});

/** Asked of the zone, with or without a session: what a session must be allowed. */
const ZONAL: Readonly<Record<string, Mode>> = {
  AbortMultipartUpload: "ReadWrite",
  CompleteMultipartUpload: "ReadWrite",
  CopyObject: "ReadWrite",
  CreateMultipartUpload: "ReadWrite",
  CreateSession: "ReadOnly",
  DeleteObject: "ReadWrite",
  DeleteObjects: "ReadWrite",
  GetObject: "ReadOnly",
  GetObjectAttributes: "ReadOnly",
  HeadBucket: "ReadOnly",
  HeadObject: "ReadOnly",
  ListMultipartUploads: "ReadOnly",
  ListObjectsV2: "ReadOnly",
  ListParts: "ReadOnly",
  PutObject: "ReadWrite",
  RenameObject: "ReadWrite",
  UploadPart: "ReadWrite",
  UploadPartCopy: "ReadWrite",
};
/** These read another bucket besides: AWS takes no session for them. */
const SESSIONLESS = new Set(["CopyObject", "CreateSession", "UploadPartCopy"]);

/** Asked of the region, each under an action of its own. */
const REGIONAL = new Set([
  "CreateBucket",
  "DeleteBucket",
  "DeleteBucketEncryption",
  "DeleteBucketLifecycle",
  "DeleteBucketPolicy",
  "GetBucketEncryption",
  "GetBucketLifecycleConfiguration",
  "GetBucketPolicy",
  "PutBucketEncryption",
  "PutBucketLifecycleConfiguration",
  "PutBucketPolicy",
]);

/** Of a general bucket, they are of no use. */
const OF_DIRECTORIES_ONLY: Readonly<Record<string, () => AwsError>> = {
  RenameObject: () => errors.headerNotImplemented("x-amz-rename-source"),
};

interface AnyInput {
  readonly Bucket?: string | undefined;
}

/** Every operation: of a directory bucket as these are, of any other as it was. */
export const withDirectoryBuckets = (operations: Operations<"s3">): Operations<"s3"> =>
  Object.fromEntries(
    Object.entries(operations as Record<string, Handler<"s3", "HeadBucket">>).map(([name, { access, handle }]) => [
      name,
      {
        handle: (ctx, input) => {
          if (isDirectoryBucket(input.Bucket)) refuse(name, input);
          return handle(ctx, input);
        },
        access(ctx, input) {
          const request = requestOf(input);
          if (isDirectoryBucket(input.Bucket) && !(name in ZONAL) && !REGIONAL.has(name))
            throw unsupported(name, request);
          if (!isDirectoryBucket(input.Bucket) && OF_DIRECTORIES_ONLY[name]) throw OF_DIRECTORIES_ONLY[name]();
          return after(admit(ctx, name, input), (admitted) =>
            admitted
              ? []
              : after(access(ctx, input), (demand) => {
                  // Of other buckets nothing is waited for.
                  const demands = listOf(demand);
                  return demands.some(({ resource }) => isOfDirectory(resource))
                    ? ofDirectories(ctx, name, demands)
                    : demand;
                }),
          );
        },
      } satisfies Handler<"s3", "HeadBucket">,
    ]),
  );

const unsupported = (name: string, request: HttpRequest | undefined): AwsError =>
  name === "ListObjects"
    ? // The code was seen on AWS (boto3's issue 3972).
      new AwsError("NotSupported", 400, "This operation is not supported for directory buckets.")
    : errors.methodNotAllowed(request?.method ?? "GET", /Object/.test(name) ? "OBJECT" : "BUCKET");

/**
 * What was signed must be for this kind of bucket, and a session must be this bucket's. True: it is, and may do this. A session is good for no other
 * bucket, whoever began it. What AWS asks of the region, an SDK that knows one endpoint only signs with a session, too: that is decided by policies.
 */
function admit(ctx: Context, name: string, input: AnyInput): boolean | Promise<boolean> {
  const request = requestOf(input);
  if (!request || ctx.config.relaxed) return false;
  const scope = scopeOf(request);
  const express = isDirectoryBucket(input.Bucket) || name === "ListDirectoryBuckets";
  const token = tokenOf(request);
  // With a session, the SDK for JavaScript signs for whatever its client signed for first: either is taken.
  if (scope && (scope.service === EXPRESS) !== express && (token === undefined || !express))
    throw wronglySigned(
      request,
      `incorrect service "${scope.service}". This endpoint belongs to "${express ? EXPRESS : "s3"}".`,
    );
  if (token === undefined) {
    if (scope && isSessionKey(scope.accessKeyId)) throw errors.accessDenied();
    return false;
  }
  const session = openSession(ctx, scope?.accessKeyId ?? "", token);
  const mode = REGIONAL.has(name) ? "ReadWrite" : ZONAL[name];
  if (!session || session.bucket !== input.Bucket || mode === undefined || SESSIONLESS.has(name))
    throw errors.accessDenied();
  if (mode === "ReadWrite" && session.mode === "ReadOnly") throw errors.accessDenied();
  return after(bucketFacts(ctx, session.bucket), (bucket) => {
    // A name may have come to another owner since: who was let in by the one is not by the other.
    if (bucket && bucket.account !== session.account && bucket.created_ms !== session.madeMs)
      throw errors.accessDenied();
    return !REGIONAL.has(name);
  });
}

const EXPRESS = "s3express";

const tokenOf = ({ headers, query }: HttpRequest): string | undefined =>
  headers["x-amz-s3session-token"] ?? signedQuery(query, "X-Amz-S3session-Token");

/** The demands on directory buckets among those of an operation. */
async function ofDirectories(ctx: Context, name: string, demands: readonly Access[]): Promise<Demand> {
  const found: Access[] = [];
  const asked = new Set<string>();
  for (const access of demands) {
    const bucket = bucketOfArn(access.resource);
    if (!isOfDirectory(access.resource)) found.push(access);
    else if (REGIONAL.has(name)) found.push(await regional(ctx, bucket, access));
    else {
      // All that is done to the objects of one bucket is one permission.
      const mode = /^s3:(Get|List)/.test(access.action) ? "ReadOnly" : "ReadWrite";
      if (asked.has(`${bucket} ${mode}`)) continue;
      asked.add(`${bucket} ${mode}`);
      if (mode === "ReadOnly") found.push(...(await readAccess(ctx, bucket)));
      else found.push(await sessionAccess(ctx, bucket, mode));
    }
  }
  return found;
}

const listOf = (demand: Demand): readonly Access[] =>
  demand === "public" ? [] : Array.isArray(demand) ? (demand as readonly Access[]) : [demand as Access];

const isOfDirectory = (resource: string): boolean =>
  resource.startsWith("arn:aws:s3:::") && isDirectoryBucket(bucketOfArn(resource));

async function regional(ctx: Context, name: string, access: Access): Promise<Access> {
  const bucket = (await bucketFacts(ctx, name)) ?? { name, account: ctx.account, region: ctx.region };
  return { ...access, action: access.action.replace(/^s3:/, "s3express:"), resource: expressArn(bucket) };
}

/** Members that directory buckets do not have, by the headers that they are. */
const HEADERS: Readonly<Record<string, string>> = {
  ACL: "x-amz-acl",
  GrantFullControl: "x-amz-grant-full-control",
  GrantRead: "x-amz-grant-read",
  GrantReadACP: "x-amz-grant-read-acp",
  GrantWrite: "x-amz-grant-write",
  GrantWriteACP: "x-amz-grant-write-acp",
  ObjectLockEnabledForBucket: "x-amz-bucket-object-lock-enabled",
  ObjectLockLegalHoldStatus: "x-amz-object-lock-legal-hold",
  ObjectLockMode: "x-amz-object-lock-mode",
  ObjectLockRetainUntilDate: "x-amz-object-lock-retain-until-date",
  ObjectOwnership: "x-amz-object-ownership",
  BypassGovernanceRetention: "x-amz-bypass-governance-retention",
  RequestPayer: "x-amz-request-payer",
  SSECustomerAlgorithm: "x-amz-server-side-encryption-customer-algorithm",
  SSECustomerKey: "x-amz-server-side-encryption-customer-key",
  CopySourceSSECustomerAlgorithm: "x-amz-copy-source-server-side-encryption-customer-algorithm",
  Tagging: "x-amz-tagging",
  WebsiteRedirectLocation: "x-amz-website-redirect-location",
  StartAfter: "start-after",
  OptionalObjectAttributes: "x-amz-optional-object-attributes",
  UploadIdMarker: "upload-id-marker",
  MFA: "x-amz-mfa",
};

function refuse(name: string, input: AnyInput): void {
  const given = input as Readonly<Record<string, unknown>>;
  for (const [member, header] of Object.entries(HEADERS))
    if (given[member] !== undefined) throw errors.headerNotImplemented(header);
  if (given.ServerSideEncryption === "aws:kms:dsse") throw errors.headerNotImplemented("x-amz-server-side-encryption");
  if (given.VersionId !== undefined && given.VersionId !== "null") throw errors.headerNotImplemented("versionId");
  // AWS's words, as clients met them: apache/iceberg's pull request 11021, eclipse-store's issue 224.
  if ((name === "PutObject" || name === "UploadPart") && given.ContentMD5 !== undefined)
    throw errors.invalidRequest("This bucket does not support Content Md5 header.");
  if (name !== "ListObjectsV2" && name !== "ListMultipartUploads") return;
  if (given.Prefix && !String(given.Prefix).endsWith("/"))
    throw errors.invalidRequest(
      "This bucket does not support a prefix that does not end in a delimiter. Specify a prefix path ending with a delimiter and try again.",
    );
  if (given.Delimiter && given.Delimiter !== "/")
    throw errors.invalidRequest("This bucket supports only / as a delimiter.");
}
