// What a caller must be allowed to do, with S3's condition keys.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
import {
  type Access,
  after,
  type Conditions,
  type Context,
  type Demand,
  type Handler,
  type HttpRequest,
  type Input,
  type Operations,
  type PostedForm,
  realNow,
  requestTags,
} from "../../kernel/mod.ts";
import type { ObjectAccess } from "./acl-policy.ts";
import { bucketArn, bucketFacts, objectArn } from "./buckets.ts";
import { errors } from "./errors.ts";
import { storedKey } from "./keys.ts";
import { requestOf } from "./request.ts";
import { tagsOf } from "./tags.ts";
import { versionOf } from "./versions.ts";

interface ObjectInput {
  readonly Bucket?: string | undefined;
  readonly Key?: string | undefined;
  readonly VersionId?: string | undefined;
}

export const onBucket = (action: string, { Bucket }: ObjectInput, conditions: Conditions = {}): Access => ({
  action: `s3:${action}`,
  resource: bucketArn(Bucket!),
  conditions,
});

type NewBucket = Input<"s3", "CreateBucket">;

/** What a bucket is made with wants permissions of its own. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html */
export function onNewBucket(input: NewBucket): Access[] {
  const { ACL = "private", CreateBucketConfiguration: configuration } = input;
  const grants = GRANTS.some((member) => (input as Readonly<Record<string, unknown>>)[member] !== undefined);
  const actions = [
    "CreateBucket",
    ...(ACL !== "private" || grants ? ["PutBucketAcl"] : []),
    ...(input.ObjectOwnership === undefined ? [] : ["PutBucketOwnershipControls"]),
    ...(input.ObjectLockEnabledForBucket ? ["PutBucketObjectLockConfiguration", "PutBucketVersioning"] : []),
    ...(configuration?.Tags?.length ? ["TagResource"] : []),
  ];
  const location = configuration?.LocationConstraint;
  return actions.map((action) =>
    onBucket(action, input, {
      ...headerKeys(input),
      ...requestTags(configuration?.Tags),
      ...(location !== undefined && { "s3:LocationConstraint": location }),
    }),
  );
}

/** `Get` and `Tagging` make GetObjectTagging, and GetObjectVersionTagging where a version is named. */
export const onObject = (
  ctx: Context,
  [verb, noun = ""]: readonly [string, string?],
  input: ObjectInput,
): ObjectAccess => ({
  versionId: input.VersionId,
  action: `s3:${verb}Object${input.VersionId === undefined ? "" : "Version"}${noun}`,
  resource: objectArn(input.Bucket!, input.Key!),
  conditions: async (wanted) => ({
    // Reading is conditional too, but its keys are of writing only.
    ...headerKeys({ ...input, IfMatch: undefined, IfNoneMatch: undefined }),
    ...(has(wanted, "s3:existingobjecttag/") && (await existingTags(ctx, input))),
  }),
});

/** What an object comes with wants a permission of its own, however the object comes. */
export function onNewObject(input: NewObject, { created }: { created: boolean }): ObjectAccess[] {
  const given = input as Readonly<Record<string, unknown>>;
  const further = Object.entries(FURTHER).filter(([, members]) => members.some((member) => given[member]));
  return ["PutObject", ...further.map(([action]) => action)].map((action) => ({
    action: `s3:${action}`,
    resource: objectArn(input.Bucket!, input.Key!),
    made: true,
    conditions: () => ({ ...headerKeys(input), "s3:ObjectCreationOperation": String(created) }),
  }));
}

const GRANTS = ["GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP"];
const FURTHER: Readonly<Record<string, readonly string[]>> = {
  PutObjectTagging: ["Tagging"],
  PutObjectAcl: ["ACL", ...GRANTS],
  PutObjectRetention: ["ObjectLockMode", "ObjectLockRetainUntilDate"],
  PutObjectLegalHold: ["ObjectLockLegalHoldStatus"],
};

interface NewObject extends ObjectInput {
  readonly Tagging?: string | undefined;
}

/** Condition keys that are a member of the input, and hardly more. Absent where the member is. */
const MEMBERS: Readonly<Record<string, string>> = {
  ACL: "s3:x-amz-acl",
  GrantFullControl: "s3:x-amz-grant-full-control",
  GrantRead: "s3:x-amz-grant-read",
  GrantReadACP: "s3:x-amz-grant-read-acp",
  GrantWrite: "s3:x-amz-grant-write",
  GrantWriteACP: "s3:x-amz-grant-write-acp",
  CopySource: "s3:x-amz-copy-source",
  MetadataDirective: "s3:x-amz-metadata-directive",
  ServerSideEncryption: "s3:x-amz-server-side-encryption",
  SSEKMSKeyId: "s3:x-amz-server-side-encryption-aws-kms-key-id",
  SSECustomerAlgorithm: "s3:x-amz-server-side-encryption-customer-algorithm",
  StorageClass: "s3:x-amz-storage-class",
  WebsiteRedirectLocation: "s3:x-amz-website-redirect-location",
  ObjectOwnership: "s3:x-amz-object-ownership",
  ObjectLockMode: "s3:object-lock-mode",
  ObjectLockLegalHoldStatus: "s3:object-lock-legal-hold",
  ObjectLockRetainUntilDate: "s3:object-lock-retain-until-date",
  IfMatch: "s3:if-match",
  IfNoneMatch: "s3:if-none-match",
  VersionId: "s3:VersionId",
};

export function headerKeys(input: object): Conditions {
  const given = input as Readonly<Record<string, unknown>>;
  const keys: Record<string, string | readonly string[]> = {};
  for (const [member, key] of Object.entries(MEMBERS)) {
    const value = given[member];
    if (value !== undefined) keys[key] = value instanceof Date ? value.toISOString() : String(value);
  }
  const until = given.ObjectLockRetainUntilDate;
  if (until instanceof Date)
    keys["s3:object-lock-remaining-retention-days"] = String(Math.floor((until.getTime() - realNow()) / 86_400_000));
  return { ...keys, ...requestObjectTags(given.Tagging) };
}

/** Of the header x-amz-tagging, a URL query, or of the TagSet of PutObjectTagging. */
function requestObjectTags(tagging: unknown): Conditions {
  const pairs =
    typeof tagging === "string"
      ? [...new URLSearchParams(tagging)]
      : ((tagging as { TagSet?: readonly { Key?: string; Value?: string }[] } | undefined)?.TagSet ?? []).map(
          ({ Key = "", Value = "" }): [string, string] => [Key, Value],
        );
  if (pairs.length === 0) return {};
  return {
    ...Object.fromEntries(pairs.map(([key, value]) => [`s3:RequestObjectTag/${key}`, value])),
    "s3:RequestObjectTagKeys": pairs.map(([key]) => key),
  };
}

/** "s3:ExistingObjectTag": of what is there, for reading it and for its tags; PutObject and DeleteObject do not know the key. */
export async function existingTags(ctx: Context, { Bucket, Key, VersionId }: ObjectInput): Promise<Conditions> {
  const key = storedKey(Key!);
  const row = await ctx.read((tx) =>
    VersionId === undefined
      ? tx.one<{ tags: string | null }>(
          "SELECT tags FROM s3_object WHERE bucket = :bucket AND key = :key ORDER BY rank LIMIT 1",
          { bucket: Bucket!, key },
        )
      : versionOf(tx, Bucket!, key, VersionId),
  );
  return Object.fromEntries(
    tagsOf(row?.tags ?? null).map((tag): [string, string] => [`s3:ExistingObjectTag/${tag.Key}`, tag.Value]),
  );
}

const has = (wanted: ReadonlySet<string>, prefix: string): boolean => [...wanted].some((key) => key.startsWith(prefix));

/** All operations, with the keys that every request to S3 has. They are worked out where a policy has conditions only. */
export const withRequestKeys = (operations: Operations<"s3">): Operations<"s3"> =>
  Object.fromEntries(
    Object.entries(operations as Record<string, Handler<"s3", "GetObject">>).map(([name, { access, handle }]) => [
      name,
      {
        handle,
        access: (ctx, input) =>
          after(access(ctx, input), (demand) =>
            after(name === "CreateBucket" || bucketsAreThere(ctx, demand), () => keyed(ctx, demand, requestOf(input))),
          ),
      } satisfies Handler<"s3", "GetObject">,
    ]),
  );

/** Whose bucket it is decides who may: one that is nobody's is NoSuchBucket for everyone, permitted or not. Root is told by the handler. */
function bucketsAreThere(ctx: Context, demand: Demand): void | Promise<void> {
  if (demand === "public" || ctx.principal.kind === "root") return undefined;
  const [first, ...rest] = Array.isArray(demand) ? (demand as readonly Access[]) : [demand as Access];
  if (first === undefined) return undefined;
  // A role that is given to S3 is no bucket.
  if (!first.resource.startsWith("arn:aws:s3:::") && !first.resource.startsWith(EXPRESS_ARN))
    return bucketsAreThere(ctx, rest);
  const name = bucketOfArn(first.resource);
  if (name === "*") return undefined;
  return after(bucketFacts(ctx, name), (bucket) => {
    if (!bucket) throw errors.noSuchBucket(name);
    return bucketsAreThere(ctx, rest);
  });
}

function keyed(ctx: Context, demand: Demand, request: HttpRequest | undefined): Demand {
  if (demand === "public") return demand;
  const one = (access: Access): Access => ({
    ...access,
    conditions: async (wanted) => ({
      ...(request && ofService(access.action, signatureKeys(request))),
      ...(await bucketKeys(ctx, access.resource, wanted)),
      ...(typeof access.conditions === "function" ? await access.conditions(wanted) : access.conditions),
    }),
  });
  return Array.isArray(demand) ? (demand as readonly Access[]).map(one) : one(demand as Access);
}

/** `s3express:authType` is what `s3:authType` is. */
const ofService = (action: string, keys: Conditions): Conditions =>
  action.startsWith("s3express:")
    ? Object.fromEntries(Object.entries(keys).map(([key, value]) => [key.replace(/^s3:/, "s3express:"), value]))
    : keys;

async function bucketKeys(ctx: Context, resource: string, wanted: ReadonlySet<string>): Promise<Conditions> {
  if (resource.startsWith(EXPRESS_ARN)) return zoneKeys(ctx, resource);
  if (!wanted.has("s3:resourceaccount") && !has(wanted, "s3:buckettag/")) return {};
  const bucket = await bucketFacts(ctx, bucketOfArn(resource));
  if (!bucket) return {};
  const tags = tagsOf(bucket.tags).map((tag): [string, string] => [`s3:BucketTag/${tag.Key}`, tag.Value]);
  return { "s3:ResourceAccount": bucket.account, ...Object.fromEntries(tags) };
}

async function zoneKeys(ctx: Context, resource: string): Promise<Conditions> {
  const bucket = await bucketFacts(ctx, bucketOfArn(resource));
  return bucket?.zone ? { "s3express:ResourceAccount": bucket.account, "s3express:LocationName": bucket.zone } : {};
}

/** Of `arn:aws:s3:::BUCKET/KEY`, or `arn:aws:s3express:REGION:ACCOUNT:bucket/BUCKET`. */
export const bucketOfArn = (resource: string): string =>
  resource.startsWith(EXPRESS_ARN)
    ? resource.slice(resource.indexOf("/") + 1)
    : resource.slice("arn:aws:s3:::".length).split("/", 1)[0]!;

const EXPRESS_ARN = "arn:aws:s3express:";

/** How the request was signed. s3:signatureAge is in ms, of real time; s3:TlsVersion is in no request without TLS. */
function signatureKeys({ headers, query, form }: HttpRequest): Conditions {
  if (form) return formKeys(form);
  const parameters = new URLSearchParams(query);
  const header = headers.authorization;
  const algorithm = header?.split(" ", 1)[0] ?? parameters.get("X-Amz-Algorithm") ?? undefined;
  const presigned = header === undefined && (algorithm !== undefined || parameters.has("AWSAccessKeyId"));
  const content = headers["x-amz-content-sha256"] ?? parameters.get("X-Amz-Content-Sha256");
  const date = headers["x-amz-date"] ?? parameters.get("X-Amz-Date") ?? undefined;
  const type = header !== undefined ? "REST-HEADER" : presigned ? "REST-QUERY-STRING" : undefined;
  return {
    ...(type !== undefined && { "s3:authType": type }),
    ...((algorithm ?? type) !== undefined && { "s3:signatureversion": algorithm ?? "AWS" }),
    ...(type !== undefined && ageOf(date)),
    ...(content && { "s3:x-amz-content-sha256": content }),
  };
}

function formKeys({ fields }: PostedForm): Conditions {
  const algorithm = fields.get("x-amz-algorithm") ?? (fields.has("awsaccesskeyid") ? "AWS" : undefined);
  if (algorithm === undefined) return {};
  return { "s3:authType": "POST", "s3:signatureversion": algorithm, ...ageOf(fields.get("x-amz-date")) };
}

function ageOf(date = ""): Conditions {
  const at = Date.parse(date.replace(BASIC, "$1-$2-$3T$4:$5:$6Z"));
  return Number.isNaN(at) ? {} : { "s3:signatureAge": String(realNow() - at) };
}

/** 20130524T000000Z */
const BASIC = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
