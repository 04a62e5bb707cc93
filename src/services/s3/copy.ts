// CopyObject, and what UploadPartCopy shares with it: the source. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
import { type Access, type Context, defineOperations, type Input } from "../../kernel/mod.ts";
import { existingTags, onNewObject, onObject } from "./access.ts";
import { bucketOf, objectArn } from "./buckets.ts";
import { putVersion } from "./change.ts";
import { type Algorithm, askedAlgorithm, type Checksum, checksumMembers } from "./checksums.ts";
import { checkSource, lastModified, quoted, writeCheck } from "./conditions.ts";
import { defaultClass } from "./directory-names.ts";
import { encrypted, newEncryptionMembers, openerOf, planOf, sealOf } from "./encryption.ts";
import { errors } from "./errors.ts";
import { discard, holdsBytesOf, pathOf, statAt } from "./files.ts";
import { storedKey } from "./keys.ts";
import { expirationHeader } from "./lifecycle.ts";
import { expectObject, lookUp, type ObjectInput } from "./lookup.ts";
import { checkObject, contentHeaders, kept } from "./object-headers.ts";
import { lockOf } from "./object-lock.ts";
import { LOOKS } from "./objects.ts";
import { ownedBy } from "./ownership.ts";
import { originOf } from "./request.ts";
import { expectPayer } from "./request-payment.ts";
import { isReadable } from "./restore.ts";
import { type Seal, sourceKey } from "./sse-c.ts";
import { type Staged, stageExtent } from "./staging.ts";
import { placeOf, stateOf } from "./state.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";
import { taggingHeader } from "./tags.ts";
import { NULL_VERSION } from "./versions.ts";

const MAX_COPY = 5 * 1024 ** 3;

export interface Source {
  readonly bucket: BucketRow;
  readonly key: string;
  readonly row: ObjectRow;
}

export interface SourceInput {
  readonly CopySource?: string | undefined;
  readonly CopySourceIfMatch?: string | undefined;
  readonly CopySourceIfNoneMatch?: string | undefined;
  readonly CopySourceIfModifiedSince?: Date | undefined;
  readonly CopySourceIfUnmodifiedSince?: Date | undefined;
  readonly ExpectedSourceBucketOwner?: string | undefined;
  readonly RequestPayer?: string | undefined;
}

/** What a copy must be allowed to read. A source that cannot be read off demands nothing: the handler refuses it. */
export function sourceAccess(ctx: Context, input: SourceInput): Access[] {
  const source = parseSource(input.CopySource ?? "");
  return source ? [onObject(ctx, ["Get"], source)] : [];
}

/** Tags that are copied are read there, and written here. */
async function copiedTagsAccess(ctx: Context, input: CopyInput): Promise<Access[]> {
  const source = input.TaggingDirective === "REPLACE" ? undefined : parseSource(input.CopySource ?? "");
  if (!source || Object.keys(await existingTags(ctx, source)).length === 0) return [];
  const resource = objectArn(input.Bucket!, input.Key!);
  return [onObject(ctx, ["Get", "Tagging"], source), { action: "s3:PutObjectTagging", resource }];
}

/** `bucket/key`, with or without a leading slash, URL-encoded, and `?versionId=` behind it. */
function parseSource(header: string): { Bucket: string; Key: string; VersionId?: string } | undefined {
  const [path, query] = split(header, header.lastIndexOf("?versionId="));
  let decoded: string;
  try {
    decoded = decodeURIComponent(path.replace(/^\//, ""));
  } catch {
    return undefined;
  }
  const slash = decoded.indexOf("/");
  if (slash < 1 || slash === decoded.length - 1) return undefined;
  const version = query?.slice("?versionId=".length);
  return { Bucket: decoded.slice(0, slash), Key: decoded.slice(slash + 1), ...(version && { VersionId: version }) };
}

const split = (text: string, at: number): [string, string?] => (at < 0 ? [text] : [text.slice(0, at), text.slice(at)]);

export async function sourceOf(ctx: Context, input: SourceInput): Promise<Source> {
  const named = parseSource(input.CopySource ?? "");
  if (!named) throw errors.invalidArgument("Invalid copy source object key", "x-amz-copy-source", "x-amz-copy-source");
  const wanted: ObjectInput = { ...named, ExpectedBucketOwner: input.ExpectedSourceBucketOwner };
  const { bucket, row: found } = await lookUp(ctx, wanted);
  expectPayer(ctx, bucket, input);
  if (found?.delete_marker && named.VersionId !== undefined)
    throw errors.invalidRequest(
      "The source of a copy request may not specifically refer to a delete marker by version id.",
    );
  const row = await expectObject(ctx, { bucket, row: found, input: wanted, method: "GET" });
  openerOf(row.encryption, sourceKey(input));
  checkSource(input, row, ctx.clock.now());
  if (!isReadable(row, ctx.clock.now())) throw errors.sourceNotActive();
  return { bucket, key: named.Key, row };
}

interface StageSourceOptions {
  readonly target: BucketRow;
  readonly algorithms: readonly Algorithm[];
  /** Made for each try: a seal is good for one. */
  readonly seal?: () => Seal | undefined;
  readonly extent?: (row: ObjectRow) => { start: number; end: number };
}

/** The source's bytes, staged for `target`. Where the file is not what its row says, both are looked at again. */
export async function stageSource(
  ctx: Context,
  input: SourceInput,
  options: StageSourceOptions,
): Promise<{ source: Source; staged: Staged; seal: Seal | undefined }> {
  const { locks, reconciler } = stateOf(ctx);
  let source = await sourceOf(ctx, input);
  for (let look = 1; look <= LOOKS; look++) {
    const seal = options.seal?.();
    const open = openerOf(source.row.encryption, sourceKey(input));
    const staged = await stageIfSame(ctx, source, { ...options, open, seal });
    if (staged) return { source, staged, seal };
    const { bucket, key } = source;
    await reconciler?.check(bucket.name, key);
    source = await locks.hold(bucket.name, key, () => sourceOf(ctx, input));
  }
  throw errors.slowDown();
}

/** Without `open`, the bytes as they lie: a replica is encrypted as its original is. */
export async function stageIfSame(
  ctx: Context,
  { bucket, key, row }: Source,
  options: Omit<StageSourceOptions, "seal"> & {
    readonly open?: ReturnType<typeof openerOf>;
    readonly seal?: Seal | undefined;
  },
): Promise<Staged | undefined> {
  const path = pathOf(await placeOf(ctx, bucket), key, row.side);
  const isSame = () => {
    const stat = statAt(path);
    return stat !== undefined && holdsBytesOf(row, stat);
  };
  if (!isSame()) return undefined;
  const extent = options.extent?.(row) ?? { start: 0, end: row.size };
  try {
    const open = options.open?.(extent.start);
    const staged = await stageExtent(await placeOf(ctx, options.target), { path, ...extent, open }, options);
    if (isSame()) return staged;
    await discard(staged.path);
  } catch (error) {
    // It went away, or was cut short, while it was read.
    if (isSame()) throw error;
  }
  return undefined;
}

export const copies = defineOperations("s3", {
  CopyObject: {
    async access(ctx, input) {
      const tags = await copiedTagsAccess(ctx, input);
      return [...sourceAccess(ctx, input), ...onNewObject(input, { created: true }), ...tags];
    },
    async handle(ctx, input) {
      checkObject(input);
      const check = writeCheck(input, input.Key!);
      const bucket = await bucketOf(ctx, input);
      const owned = ownedBy(ctx, bucket, input);
      const lock = lockOf(ctx, bucket, input);
      const plan = planOf(ctx, bucket, input);
      const asked = input.ChecksumAlgorithm === undefined ? undefined : askedAlgorithm(input.ChecksumAlgorithm);
      const first = await sourceOf(ctx, input);
      if (first.row.size > MAX_COPY) throw errors.copyTooLarge();
      refuseNoChange(input, bucket, first);
      const algorithm = asked ?? algorithmOf(first.row);
      const { source, staged, seal } = await stageSource(ctx, input, {
        target: bucket,
        algorithms: [algorithm],
        seal: () => sealOf(plan),
      });
      const { etag, encryption } = encrypted(plan, staged, seal);
      const content = properties(input, source.row);
      const checksum: Checksum = { algorithm, type: "FULL_OBJECT", value: staged.digests[algorithm]! };
      const stored = await putVersion(ctx, {
        bucket,
        key: input.Key!,
        staged: staged.path,
        version: {
          ...content,
          ...owned,
          ...lock,
          size: staged.size,
          // Of an upload in parts too: the copy is one piece (recorded on AWS).
          etag,
          encryption,
          fingerprint: staged.fingerprint,
          checksum: JSON.stringify(checksum),
          parts: null,
          upload_id: null,
        },
        event: "ObjectCreated:Copy",
        origin: originOf(input),
        ...(check && { check }),
      });
      ctx.log.info(`ObjectCreated:Copy ${bucket.name}/${input.Key} (${staged.size} bytes)`, {
        subject: objectArn(bucket.name, input.Key!),
      });
      const from = source.row.version_id;
      return {
        CopyObjectResult: {
          ETag: quoted(etag),
          LastModified: lastModified({ modified_ms: stored.modifiedMs }),
          ...checksumMembers(checksum),
          ChecksumType: "FULL_OBJECT" as const,
        },
        ...newEncryptionMembers(encryption),
        ...(stored.versionId !== undefined && { VersionId: stored.versionId }),
        ...expirationHeader(bucket, {
          key: storedKey(input.Key!),
          size: staged.size,
          tags: content.tags,
          modified_ms: stored.modifiedMs,
        }),
        ...((from !== NULL_VERSION || source.bucket.versioning) && { CopySourceVersionId: from }),
      };
    },
  },
});

type CopyInput = Input<"s3", "CopyObject">;

/** The source's own algorithm unless another is asked for. */
function algorithmOf(row: ObjectRow): Algorithm {
  return row.checksum === null ? "CRC64NVME" : (JSON.parse(row.checksum) as Checksum).algorithm;
}

function refuseNoChange(input: CopyInput, bucket: BucketRow, { bucket: from, key, row }: Source): void {
  if (from.name !== bucket.name || key !== input.Key || row.current === 0) return;
  const changes =
    input.MetadataDirective === "REPLACE" ||
    (input.StorageClass !== undefined && input.StorageClass !== row.storage_class) ||
    input.WebsiteRedirectLocation !== undefined ||
    input.ServerSideEncryption !== undefined ||
    input.SSECustomerKey !== undefined ||
    row.encryption !== null ||
    bucket.encryption !== null;
  if (!changes) throw errors.copyOntoItself();
}

/** Headers and metadata go together, tags by themselves; the storage class is never copied. */
function properties(input: CopyInput, row: ObjectRow) {
  const directive = (value: string | undefined, name: string): boolean => {
    if (value !== undefined && value !== "COPY" && value !== "REPLACE")
      throw errors.invalidArgument(`Unknown ${name} directive.`, `x-amz-${name}-directive`, value);
    return value === "REPLACE";
  };
  const tags = directive(input.TaggingDirective, "tagging") ? taggingHeader(input.Tagging) : row.tags;
  if (directive(input.MetadataDirective, "metadata")) return { ...kept(input), tags };
  const { WebsiteRedirectLocation: _, Expires: __, ...headers } = contentHeaders(row.headers);
  const redirect =
    input.WebsiteRedirectLocation === undefined ? {} : { WebsiteRedirectLocation: input.WebsiteRedirectLocation };
  return {
    headers: JSON.stringify({ ...headers, ...redirect }),
    metadata: row.metadata,
    storage_class: input.StorageClass ?? defaultClass(input.Bucket),
    tags,
  };
}
