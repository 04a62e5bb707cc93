// Objects: put, get, head, delete. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html and its neighbours
import { AwsError, type Context, defineOperations, type Input } from "../../kernel/mod.ts";
import { headerKeys, onNewObject, onObject } from "./access.ts";
import { checkMd5 } from "./body-digests.ts";
import { bucketOf, objectArn } from "./buckets.ts";
import { putVersion, remove } from "./change.ts";
import { type Algorithm, type Checksum, checkForm, checksumMembers, claimedChecksum } from "./checksums.ts";
import { checkRead, deleteCheck, lastModified, quoted, writeCheck } from "./conditions.ts";
import { encrypted, encryptionMembers, newEncryptionMembers, openerOf, planOf, sealOf } from "./encryption.ts";
import { errors } from "./errors.ts";
import { discard, holdsBytesOf, pathOf } from "./files.ts";
import { MAX_KEY, storedKey } from "./keys.ts";
import { expirationHeader } from "./lifecycle.ts";
import { expectObject, headersOfVersion, lookUp, type ObjectInput } from "./lookup.ts";
import { checkObject, contentHeaders, kept, metadataHeaders, refuseWithoutEffect } from "./object-headers.ts";
import { bypassAccess, checkLockDigest, lockHeaders, lockOf } from "./object-lock.ts";
import { ownedBy } from "./ownership.ts";
import { type Extent, extentOf } from "./ranges.ts";
import { ChangedWhileRead, type Opened, openBytes } from "./reading.ts";
import { replicationHeader } from "./replication.ts";
import { bodyLengthOf, headerOf, isPosted, originOf, trailerOf } from "./request.ts";
import { isReadable, restoreHeader } from "./restore.ts";
import { customerKey, openedBody, type Seal } from "./sse-c.ts";
import { type Staged, stage } from "./staging.ts";
import { placeOf, stateOf } from "./state.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";
import { taggingHeader, tagsOf } from "./tags.ts";

/** One PutObject, and one part. */
export const MAX_PUT = 5 * 1024 ** 3;
const MAX_DELETES = 1000;
/** Deletes of one DeleteObjects that are under way at once: their commits are shared. */
const DELETES_AT_ONCE = 32;

type GetInput = Input<"s3", "GetObject">;

const readAccess = (ctx: Context, input: ObjectInput) => onObject(ctx, ["Get"], input);

export const objects = defineOperations("s3", {
  PutObject: {
    access: (_, input) => onNewObject(input, { created: true }),
    async handle(ctx, input) {
      checkObject(input);
      const check = writeCheck(input, input.Key!);
      const tags = taggingHeader(input.Tagging);
      const properties = kept(input);
      const bucket = await bucketOf(ctx, input);
      const owned = ownedBy(ctx, bucket, input);
      const lock = lockOf(ctx, bucket, input);
      const plan = planOf(ctx, bucket, input);
      const seal = sealOf(plan);
      checkLockDigest(input);
      const event = isPosted(input) ? "ObjectCreated:Post" : "ObjectCreated:Put";
      const { staged, checksum } = await receive(ctx, bucket, input, { seal, carry: true });
      const { etag, encryption } = encrypted(plan, staged, seal);
      const stored = await putVersion(ctx, {
        bucket,
        key: input.Key!,
        staged: staged.path,
        bytes: staged.bytes,
        version: {
          ...properties,
          ...owned,
          ...lock,
          tags,
          encryption,
          size: staged.size,
          etag,
          fingerprint: staged.fingerprint,
          checksum: JSON.stringify(checksum),
          parts: null,
          upload_id: null,
        },
        event,
        origin: originOf(input),
        ...(check && { check }),
      });
      const type = contentHeaders(properties.headers).ContentType;
      ctx.log.info(`${event} ${bucket.name}/${input.Key} (${staged.size} bytes, ${type})`, {
        subject: objectArn(bucket.name, input.Key!),
      });
      return {
        ETag: quoted(etag),
        ...checksumMembers(checksum),
        ChecksumType: checksum.type,
        ...newEncryptionMembers(encryption),
        ...expirationHeader(bucket, {
          key: storedKey(input.Key!),
          size: staged.size,
          tags,
          modified_ms: stored.modifiedMs,
        }),
        ...(stored.versionId !== undefined && { VersionId: stored.versionId }),
      };
    },
  },

  GetObject: {
    access: readAccess,
    async handle(ctx, input) {
      if (ctx.principal.kind === "anonymous" && Object.keys(overrides(input)).length > 0)
        throw errors.overridesUnsigned();
      const { body, row, bucket, extent } = await open(ctx, input);
      return {
        ...described(row, bucket, { input, extent }),
        ...(await ofLife(ctx, { row, bucket, input })),
        Body: body,
      };
    },
  },

  HeadObject: {
    access: readAccess,
    async handle(ctx, input) {
      const { bucket, row: found } = await lookUp(ctx, input);
      const row = await readable(ctx, { bucket, found, input, method: "HEAD" });
      const extent = extentOf(row, input);
      return { ...described(row, bucket, { input, extent }), ...(await ofLife(ctx, { row, bucket, input })) };
    },
  },

  DeleteObject: {
    access: (_, input) => [
      {
        action: input.VersionId === undefined ? "s3:DeleteObject" : "s3:DeleteObjectVersion",
        resource: objectArn(input.Bucket!, input.Key!),
        conditions: () => headerKeys(input),
      },
      ...bypassAccess(input),
    ],
    async handle(ctx, input) {
      if (input.MFA !== undefined) throw errors.notImplemented("x-amz-mfa");
      const bucket = await bucketOf(ctx, input);
      if (Buffer.byteLength(input.Key!) > MAX_KEY) throw errors.keyTooLong(input.Key!);
      const check = deleteCheck(input, input.Key!);
      const { VersionId: versionId } = input;
      const removed = await remove(ctx, {
        bucket,
        key: input.Key!,
        versionId,
        bypass: input.BypassGovernanceRetention,
        origin: originOf(input),
        ...(check && { check }),
      });
      if (!removed.nothing) {
        const event =
          removed.deleteMarker && versionId === undefined
            ? "ObjectRemoved:DeleteMarkerCreated"
            : "ObjectRemoved:Delete";
        ctx.log.info(`${event} ${bucket.name}/${input.Key}`, { subject: objectArn(bucket.name, input.Key!) });
      }
      return {
        ...(removed.versionId !== undefined && { VersionId: removed.versionId }),
        ...(removed.deleteMarker && { DeleteMarker: true }),
      };
    },
  },

  DeleteObjects: {
    // Each key is decided by itself: a denied one is an Error among the others. Of nobody's request, too (recorded on AWS).
    access: ({ principal }) => (principal.kind === "anonymous" ? "public" : []),
    async handle(ctx, input) {
      if (input.MFA !== undefined) throw errors.notImplemented("x-amz-mfa");
      const wanted = input.Delete?.Objects ?? [];
      if (wanted.length === 0 || wanted.length > MAX_DELETES || wanted.some(({ Key }) => !Key))
        throw errors.malformedXml();
      await bucketOf(ctx, input);
      const answers: DeleteAnswer[] = new Array(wanted.length);
      let next = 0;
      const worker = async (): Promise<void> => {
        for (let at = next++; at < wanted.length; at = next++) answers[at] = await deleteOne(ctx, input, wanted[at]!);
      };
      await Promise.all(Array.from({ length: Math.min(DELETES_AT_ONCE, wanted.length) }, worker));
      if (ctx.principal.kind === "anonymous" && answers.every(isDenied)) throw errors.accessDenied();
      const deleted = answers.flatMap((answer) => ("deleted" in answer ? [answer.deleted] : []));
      const failed = answers.flatMap((answer) => ("error" in answer ? [answer.error] : []));
      return { ...(!input.Delete?.Quiet && { Deleted: deleted }), ...(failed.length > 0 && { Errors: failed }) };
    },
  },
});

interface Named {
  readonly Key: string | undefined;
  readonly VersionId?: string | undefined;
  readonly ETag?: string | undefined;
  readonly LastModifiedTime?: Date | undefined;
  readonly Size?: number | undefined;
}

type DeleteAnswer =
  | { readonly deleted: { Key: string; VersionId?: string; DeleteMarker?: boolean; DeleteMarkerVersionId?: string } }
  | { readonly error: { Key: string; VersionId?: string; Code: string; Message: string } };

const isDenied = (answer: DeleteAnswer): boolean => "error" in answer && answer.error.Code === "AccessDenied";

type DeletesInput = Input<"s3", "DeleteObjects">;

async function deleteOne(ctx: Context, input: DeletesInput, named: Named): Promise<DeleteAnswer> {
  const [Key, VersionId] = [named.Key!, named.VersionId];
  const version = VersionId === undefined ? {} : { VersionId };
  try {
    const removed = await ctx.call("s3", "DeleteObject", {
      Bucket: input.Bucket,
      Key,
      ...version,
      ...(input.RequestPayer && { RequestPayer: input.RequestPayer }),
      ...(input.BypassGovernanceRetention && { BypassGovernanceRetention: true }),
      ...(named.ETag !== undefined && { IfMatch: named.ETag }),
      ...(named.LastModifiedTime !== undefined && { IfMatchLastModifiedTime: named.LastModifiedTime }),
      ...(named.Size !== undefined && { IfMatchSize: named.Size }),
    });
    const marker = removed.DeleteMarker ? { DeleteMarker: true, DeleteMarkerVersionId: removed.VersionId! } : {};
    return { deleted: { Key, ...version, ...marker } };
  } catch (error) {
    if (!(error instanceof AwsError) || (error.status >= 500 && error.status !== 501)) throw error;
    return { error: { Key, ...version, Code: error.code, Message: error.message } };
  }
}

interface BodyInput extends ObjectInput {
  readonly Body?: unknown;
  readonly ContentLength?: number | undefined;
  readonly ContentMD5?: string | undefined;
  readonly ChecksumAlgorithm?: string | undefined;
}

/**
 * Takes in a body: staged, hashed, compared with every digest that the request names. Where it names none, CRC64NVME is what AWS computes, or
 * `upload`, the upload's. `seal` encrypts what is staged. `carry`: what is small need not be on the disk.
 */
export async function receive(
  ctx: Context,
  bucket: BucketRow,
  input: BodyInput,
  { upload, seal, carry = false }: { upload?: Algorithm; seal?: Seal | undefined; carry?: boolean } = {},
): Promise<{ staged: Staged; checksum: Checksum }> {
  const announced = headerOf(input, "x-amz-trailer");
  const claimed = claimedChecksum(input, announced);
  const md5 = input.ContentMD5;
  // What could be none is refused before the body is read.
  if (md5 !== undefined) checkMd5(md5, md5);
  const algorithm = claimed?.algorithm ?? upload ?? "CRC64NVME";
  const length = bodyLengthOf(input);
  const place = await placeOf(ctx, bucket);
  const staged = await stage(place, input.Body as Uint8Array | undefined, {
    algorithms: upload && upload !== algorithm ? [algorithm, upload] : [algorithm],
    length,
    maxLength: MAX_PUT,
    seal,
    carry: carry && stateOf(ctx).carrier !== undefined,
  });
  return await whileStaged(staged, async () => {
    const value = staged.digests[algorithm]!;
    const said = claimed?.value ?? (announced && trailerOf(input, announced.toLowerCase()));
    if (said) checkForm(algorithm, said);
    if (said && said !== value) throw errors.badChecksum(algorithm);
    const calculated = Buffer.from(staged.md5, "hex").toString("base64");
    // An object's is told in hexadecimal, a part's in base64 (recorded on AWS).
    const expected = md5 !== undefined && !upload ? Buffer.from(md5, "base64").toString("hex") : md5;
    if (md5 !== undefined) checkMd5(md5, calculated, expected);
    return { staged, checksum: { algorithm, type: "FULL_OBJECT", value } };
  });
}

/** Staged bytes that did not become an object are discarded. */
async function whileStaged<T>(staged: Staged, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await discard(staged.path);
    throw error;
  }
}

interface Found {
  readonly bucket: BucketRow;
  readonly found: ObjectRow | undefined;
  readonly input: GetInput;
  readonly method: string;
}

async function readable(ctx: Context, { bucket, found, input, method }: Found): Promise<ObjectRow> {
  refuseWithoutEffect(input);
  const row = await expectObject(ctx, { bucket, row: found, input, method });
  const asked = headerOf(input, "x-amz-server-side-encryption");
  if (asked !== undefined) throw errors.encryptionOfRead(asked);
  openerOf(row.encryption, customerKey(input));
  checkRead(input, row, ctx.clock.now());
  return row;
}

/** Looks again so often where a file is another than its row says: it is being written past the API. */
export const LOOKS = 4;

interface Open {
  readonly bucket: BucketRow;
  readonly row: ObjectRow;
  readonly extent: Extent;
  readonly body: ReturnType<Opened["body"]>;
}

/** The row and bytes that belong together: never those of before with those of after. */
async function open(ctx: Context, input: GetInput): Promise<Open> {
  const found = await openNow(ctx, input);
  if (found) return found;
  // A writer may be between its rename and its commit: then it has the key's lock. Otherwise the file was changed from outside.
  const { locks, reconciler } = stateOf(ctx);
  for (let look = 1; look < LOOKS; look++) {
    const again = await locks.hold(input.Bucket!, input.Key!, () => openNow(ctx, input));
    if (again) return again;
    await reconciler?.check(input.Bucket!, input.Key!);
  }
  throw errors.slowDown();
}

async function openNow(ctx: Context, input: GetInput): Promise<Open | undefined> {
  const { bucket, row: found } = await lookUp(ctx, input);
  const row = await readable(ctx, { bucket, found, input, method: "GET" });
  if (!isReadable(row, ctx.clock.now())) throw errors.invalidObjectState(row.storage_class);
  const extent = extentOf(row, input);
  const path = pathOf(await placeOf(ctx, bucket), input.Key!, row.side);
  const body = bodyOf(
    openBytes(path, (stat) => holdsBytesOf(row, stat)),
    extent,
  );
  const open = openerOf(row.encryption, customerKey(input));
  return body && { bucket, row, extent, body: open ? openedBody(body, open(extent.start)) : body };
}

function bodyOf(opened: Opened | undefined, { start, end }: Extent): ReturnType<Opened["body"]> | undefined {
  try {
    return opened?.body(start, end);
  } catch (error) {
    if (error instanceof ChangedWhileRead) return undefined;
    throw error;
  }
}

/** What GET and HEAD say of what becomes of an object by itself. */
async function ofLife(ctx: Context, { row, bucket, input }: { row: ObjectRow; bucket: BucketRow; input: GetInput }) {
  return {
    // Of the object, not of a version that is named (recorded on AWS).
    ...(input.VersionId === undefined && expirationHeader(bucket, row)),
    ...restoreHeader(row, ctx.clock.now()),
    ...replicationHeader(row),
    ...(await lockHeaders(ctx, row, input)),
  };
}

/** What GET and HEAD say of an object. */
function described(row: ObjectRow, bucket: BucketRow, { input, extent }: { input: GetInput; extent: Extent }) {
  const headers = contentHeaders(row.headers);
  const tags = tagsOf(row.tags).length;
  return {
    AcceptRanges: "bytes",
    LastModified: lastModified(row),
    ContentLength: extent.end - extent.start,
    ETag: quoted(row.etag),
    ...(input.ChecksumMode === "ENABLED" && checksumOf(row, extent)),
    ...headersOfVersion(row, bucket),
    ...headers,
    ...overrides(input),
    ...(extent.contentRange !== undefined && { ContentRange: extent.contentRange }),
    ...(extent.partsCount !== undefined && { PartsCount: extent.partsCount }),
    ...encryptionMembers(row.encryption),
    Metadata: metadataHeaders(row.metadata),
    ...(row.storage_class !== "STANDARD" && { StorageClass: row.storage_class as "STANDARD_IA" }),
    ...(tags > 0 && { TagCount: tags }),
  };
}

/** Of the whole object or of one part; a range has none. */
function checksumOf(row: ObjectRow, extent: Extent) {
  if (row.checksum === null) return {};
  const { algorithm, type, value } = JSON.parse(row.checksum) as Checksum;
  if (extent.part?.value !== undefined)
    return { ...checksumMembers({ algorithm, value: extent.part.value }), ChecksumType: type };
  return extent.end - extent.start !== row.size ? {} : { ...checksumMembers({ algorithm, value }), ChecksumType: type };
}

/** `response-content-type` and the like: of signed requests only. */
function overrides(input: GetInput) {
  return {
    ...(input.ResponseCacheControl !== undefined && { CacheControl: input.ResponseCacheControl }),
    ...(input.ResponseContentDisposition !== undefined && { ContentDisposition: input.ResponseContentDisposition }),
    ...(input.ResponseContentEncoding !== undefined && { ContentEncoding: input.ResponseContentEncoding }),
    ...(input.ResponseContentLanguage !== undefined && { ContentLanguage: input.ResponseContentLanguage }),
    ...(input.ResponseContentType !== undefined && { ContentType: input.ResponseContentType }),
    ...(input.ResponseExpires !== undefined && {
      Expires: input.ResponseExpires,
      ExpiresString: input.ResponseExpires.toUTCString(),
    }),
  };
}
