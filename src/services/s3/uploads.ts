// Multipart uploads. https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
// A part is a file in the side folder; a completed upload's parts become one file, without being read into memory.
import { createHash } from "node:crypto";
import { type Context, defineOperations, type Input, newToken, type Tx } from "../../kernel/mod.ts";
import { onNewObject } from "./access.ts";
import { type BucketInput, bucketOf, checkBucket, objectArn, readBucket } from "./buckets.ts";
import { putVersion } from "./change.ts";
import {
  type Algorithm,
  algorithms,
  askedAlgorithm,
  type Checksum,
  type ChecksumType,
  checksumMembers,
  claimedChecksum,
  joinChecksums,
} from "./checksums.ts";
import { lastModified, quoted, writeCheck } from "./conditions.ts";
import { sourceAccess, stageSource } from "./copy.ts";
import {
  columnOf,
  completedColumn,
  encryptionMembers,
  etagOf,
  newEncryptionMembers,
  planOf,
  planOfPart,
  sealOf,
} from "./encryption.ts";
import { errors } from "./errors.ts";
import { discard, moveToSide, newSide, pathOf } from "./files.ts";
import { storedKey } from "./keys.ts";
import { abortHeaders, expirationHeader } from "./lifecycle.ts";
import { checkObject, kept, refuseWithoutEffect } from "./object-headers.ts";
import { lockOf } from "./object-lock.ts";
import { MAX_PUT, receive } from "./objects.ts";
import { ownedBy } from "./ownership.ts";
import { copyExtent } from "./ranges.ts";
import { headerOf, originOf } from "./request.ts";
import type { Seal } from "./sse-c.ts";
import { type Staged, stageJoined } from "./staging.ts";
import { nextSequence, placeOf } from "./state.ts";
import type { BucketRow, ObjectPart, ObjectRow, PartRow, UploadRow } from "./tables.ts";
import { taggingHeader } from "./tags.ts";

const MAX_PART_NUMBER = 10_000;
/** Of each part but the last. */
const MIN_PART = 5 * 1024 ** 2;

interface UploadInput extends BucketInput {
  readonly Key?: string | undefined;
  readonly UploadId?: string | undefined;
}

const partAccess = (_: Context, input: UploadInput) => onNewObject(input, { created: false });

export const uploads = defineOperations("s3", {
  CreateMultipartUpload: {
    access: partAccess,
    async handle(ctx, input) {
      checkObject(input);
      const tags = taggingHeader(input.Tagging);
      const { algorithm, type } = checksumAsked(input);
      const bucket = await bucketOf(ctx, input);
      // Ids of one key ascend with time: uploads are listed in that order.
      const uploadId = nextSequence(ctx).toString(36).padStart(11, "0") + newToken(85);
      const row: UploadRow = {
        bucket: bucket.name,
        key: storedKey(input.Key!),
        upload_id: uploadId,
        initiated_ms: ctx.clock.now(),
        initiator: "arn" in ctx.principal ? ctx.principal.arn : ctx.account,
        ...kept(input),
        ...ownedBy(ctx, bucket, input),
        ...lockOf(ctx, bucket, input),
        encryption: columnOf(planOf(ctx, bucket, input).encryption, []),
        tags,
        algorithm: algorithm ?? null,
        checksum_type: type ?? null,
      };
      await ctx.write((tx) =>
        tx.run(
          `INSERT INTO s3_upload (bucket, key, upload_id, initiated_ms, initiator, storage_class, headers, metadata, tags, algorithm, checksum_type,
             lock_mode, lock_until_ms, legal_hold, owner, acl, encryption)
           VALUES (:bucket, :key, :upload_id, :initiated_ms, :initiator, :storage_class, :headers, :metadata, :tags, :algorithm, :checksum_type,
             :lock_mode, :lock_until_ms, :legal_hold, :owner, :acl, :encryption)`,
          { ...row },
        ),
      );
      return {
        Bucket: bucket.name,
        Key: input.Key!,
        UploadId: uploadId,
        ...abortHeaders(bucket, row),
        ...newEncryptionMembers(row.encryption),
        ...(algorithm && { ChecksumAlgorithm: algorithm, ChecksumType: type }),
      };
    },
  },

  UploadPart: {
    access: partAccess,
    async handle(ctx, input) {
      refuseWithoutEffect(input);
      checkPartNumber(input.PartNumber!);
      const { bucket, upload } = await uploadOf(ctx, input);
      const claimed = claimedChecksum(input, headerOf(input, "x-amz-trailer"));
      if (upload.algorithm !== null && claimed && claimed.algorithm !== upload.algorithm)
        throw errors.algorithmMismatch(upload.algorithm, claimed.algorithm);
      const algorithm = (upload.algorithm ?? "CRC64NVME") as Algorithm;
      const plan = planOfPart(upload.encryption, input);
      const seal = sealOf(plan);
      const { staged, checksum } = await receive(ctx, bucket, input, { upload: algorithm, seal });
      const etag = etagOf(plan, staged, seal);
      await keepPart(ctx, { bucket, upload, number: input.PartNumber!, staged, algorithm, etag, seal });
      return { ETag: quoted(etag), ...checksumMembers(checksum), ...encryptionMembers(upload.encryption) };
    },
  },

  UploadPartCopy: {
    access: (ctx, input) => [...sourceAccess(ctx, input), ...partAccess(ctx, input)],
    async handle(ctx, input) {
      refuseWithoutEffect(input);
      checkPartNumber(input.PartNumber!);
      const { bucket, upload } = await uploadOf(ctx, input);
      const algorithm = (upload.algorithm ?? "CRC64NVME") as Algorithm;
      const plan = planOfPart(upload.encryption, input);
      const { source, staged, seal } = await stageSource(ctx, input, {
        target: bucket,
        algorithms: [algorithm],
        seal: () => sealOf(plan),
        extent: (row) => partExtent(row.size, input.CopySourceRange),
      });
      const etag = etagOf(plan, staged, seal);
      const number = input.PartNumber!;
      const modifiedMs = await keepPart(ctx, { bucket, upload, number, staged, algorithm, etag, seal });
      const value = staged.digests[algorithm]!;
      return {
        CopyPartResult: {
          ETag: quoted(etag),
          LastModified: lastModified({ modified_ms: modifiedMs }),
          ...(upload.algorithm !== null && checksumMembers({ algorithm, value })),
        },
        ...encryptionMembers(upload.encryption),
        ...((source.row.version_id !== "null" || source.bucket.versioning) && {
          CopySourceVersionId: source.row.version_id,
        }),
      };
    },
  },

  CompleteMultipartUpload: {
    access: (_, input) => onNewObject(input, { created: true }),
    async handle(ctx, input) {
      const check = writeCheck(input, input.Key!);
      const { bucket, upload, done } = await uploadOrDone(ctx, input);
      // The same request again gets the same answer: the first one may have been lost on its way.
      if (done) return completed(ctx, { bucket, key: input.Key!, row: done });
      const parts = await chosenParts(ctx, upload, input);
      const checksum = checksumOf(upload, parts, input);
      const size = parts.reduce((sum, part) => sum + part.size, 0);
      if (input.MpuObjectSize !== undefined && input.MpuObjectSize !== size)
        throw errors.sizeMismatch(input.MpuObjectSize, size);
      const place = await placeOf(ctx, bucket);
      const joined = await stageJoined(
        place,
        parts.map(({ side }) => pathOf(place, "", side)),
      );
      if (joined.size !== size) {
        await discard(joined.path);
        throw new Error(`the parts of upload ${upload.upload_id} are not what was sent: somebody changed their files`);
      }
      const etag = `${md5OfMd5s(parts)}-${parts.length}`;
      const { algorithm, type } = checksum;
      const row = {
        size,
        etag,
        fingerprint: joined.fingerprint,
        storage_class: upload.storage_class,
        headers: upload.headers,
        metadata: upload.metadata,
        tags: upload.tags,
        owner: upload.owner,
        acl: upload.acl,
        encryption: completedColumn(
          upload.encryption,
          parts.map(({ size, nonce }) => ({ size, nonce: nonce! })),
        ),
        lock_mode: upload.lock_mode,
        lock_until_ms: upload.lock_until_ms,
        legal_hold: upload.legal_hold,
        checksum: JSON.stringify(checksum),
        parts: JSON.stringify(
          parts.map(
            ({ number, size, value }): ObjectPart => ({ number, size, ...(type === "COMPOSITE" && { value }) }),
          ),
        ),
        upload_id: upload.upload_id,
      };
      let obsolete: string[] = [];
      const stored = await putVersion(ctx, {
        bucket,
        key: input.Key!,
        staged: joined.path,
        version: row,
        event: "ObjectCreated:CompleteMultipartUpload",
        origin: originOf(input),
        ...(check && { check }),
        async also(tx) {
          obsolete = await forget(tx, upload);
        },
      });
      for (const side of obsolete) await discard(pathOf(place, "", side));
      ctx.log.info(
        `ObjectCreated:CompleteMultipartUpload ${bucket.name}/${input.Key} (${size} bytes, ${parts.length} parts, ${algorithm})`,
        {
          subject: objectArn(bucket.name, input.Key!),
          path: `${bucket.directory}/${input.Key}`,
        },
      );
      const version_id = stored.versionId ?? "null";
      const expiration = expirationHeader(bucket, { ...row, key: upload.key, modified_ms: stored.modifiedMs });
      return { ...completed(ctx, { bucket, key: input.Key!, row: { ...row, version_id } }), ...expiration };
    },
  },

  AbortMultipartUpload: {
    access: (_, input) => ({ action: "s3:AbortMultipartUpload", resource: objectArn(input.Bucket!, input.Key!) }),
    async handle(ctx, input) {
      const { bucket, upload } = await uploadOf(ctx, input);
      if (
        input.IfMatchInitiatedTime &&
        input.IfMatchInitiatedTime.getTime() !== lastModified({ modified_ms: upload.initiated_ms }).getTime()
      )
        throw errors.preconditionFailed("x-amz-if-match-initiated-time");
      await abort(ctx, bucket, upload);
      return {};
    },
  },
});

export async function abort(ctx: Context, bucket: BucketRow, upload: UploadRow): Promise<void> {
  const sides = await ctx.write((tx) => forget(tx, upload));
  const place = await placeOf(ctx, bucket);
  for (const side of sides) await discard(pathOf(place, "", side));
}

/** A part is no larger when it is copied. */
function partExtent(size: number, range: string | undefined): { start: number; end: number } {
  const extent = copyExtent(size, range);
  if (extent.end - extent.start > MAX_PUT) throw errors.copyTooLarge();
  return extent;
}

type CompleteInput = Input<"s3", "CompleteMultipartUpload">;

function checksumAsked(input: { ChecksumAlgorithm?: string | undefined; ChecksumType?: string | undefined }): {
  algorithm?: Algorithm;
  type?: ChecksumType;
} {
  const { ChecksumAlgorithm: asked, ChecksumType: type } = input;
  if (asked === undefined) {
    if (type !== undefined) throw errors.typeWithoutAlgorithm();
    return {};
  }
  const algorithm = askedAlgorithm(asked);
  const { types } = algorithms[algorithm];
  if (type !== undefined && type !== "COMPOSITE" && type !== "FULL_OBJECT")
    throw errors.checksumInvalid("x-amz-checksum-type");
  if (type !== undefined && !types.includes(type)) throw errors.typeUnusable(type, algorithm);
  return { algorithm, type: type ?? types[0]! };
}

function checkPartNumber(number: number): void {
  if (!Number.isInteger(number) || number < 1 || number > MAX_PART_NUMBER) throw errors.partNumber(number);
}

/** The upload that a request names, of this bucket and key. Throws NoSuchUpload. */
export async function uploadOf(ctx: Context, input: UploadInput): Promise<{ bucket: BucketRow; upload: UploadRow }> {
  const { bucket, upload } = await ctx.read(async (tx) => ({
    bucket: await readBucket(tx, input.Bucket!),
    upload: await readUpload(tx, input),
  }));
  const checked = checkBucket(bucket, input);
  if (!upload) throw errors.noSuchUpload(input.UploadId!);
  return { bucket: checked, upload };
}

const readUpload = (tx: Tx, input: UploadInput): Promise<UploadRow | undefined> =>
  tx.one<UploadRow>("SELECT * FROM s3_upload WHERE bucket = :bucket AND key = :key AND upload_id = :uploadId", {
    bucket: input.Bucket!,
    key: storedKey(input.Key!),
    uploadId: input.UploadId!,
  });

type UploadOrDone = { bucket: BucketRow } & (
  | { upload: UploadRow; done?: undefined }
  | { upload?: undefined; done: ObjectRow }
);

async function uploadOrDone(ctx: Context, input: UploadInput): Promise<UploadOrDone> {
  const found = await ctx.read(async (tx) => ({
    bucket: await readBucket(tx, input.Bucket!),
    upload: await readUpload(tx, input),
    done: await tx.one<ObjectRow>(
      "SELECT * FROM s3_object WHERE bucket = :bucket AND key = :key AND upload_id = :uploadId",
      {
        bucket: input.Bucket!,
        key: storedKey(input.Key!),
        uploadId: input.UploadId!,
      },
    ),
  }));
  const bucket = checkBucket(found.bucket, input);
  if (found.upload) return { bucket, upload: found.upload };
  if (found.done) return { bucket, done: found.done };
  throw errors.noSuchUpload(input.UploadId!);
}

interface NewPart {
  readonly bucket: BucketRow;
  readonly upload: UploadRow;
  readonly number: number;
  readonly staged: Staged;
  readonly algorithm: Algorithm;
  readonly etag: string;
  readonly seal: Seal | undefined;
}

/** Its file, then its row; a part of the same number is superseded. Returns the part's time. */
async function keepPart(
  ctx: Context,
  { bucket, upload, number, staged, algorithm, etag, seal }: NewPart,
): Promise<number> {
  const side = newSide();
  const modified_ms = ctx.clock.now();
  const place = await placeOf(ctx, bucket);
  await moveToSide(staged.path, place, side);
  let before: PartRow | undefined;
  try {
    before = await ctx.write(async (tx) => {
      const known = { bucket: upload.bucket, key: upload.key, uploadId: upload.upload_id };
      const still = await tx.one(
        "SELECT upload_id FROM s3_upload WHERE bucket = :bucket AND key = :key AND upload_id = :uploadId",
        known,
      );
      if (!still) throw errors.noSuchUpload(upload.upload_id);
      const old = await tx.one<PartRow>("SELECT * FROM s3_part WHERE upload_id = :uploadId AND number = :number", {
        uploadId: upload.upload_id,
        number,
      });
      await tx.run(
        `INSERT INTO s3_part (upload_id, number, size, etag, modified_ms, side, algorithm, value, nonce)
         VALUES (:upload_id, :number, :size, :etag, :modified_ms, :side, :algorithm, :value, :nonce)
         ON CONFLICT (upload_id, number) DO UPDATE SET size = excluded.size, etag = excluded.etag, modified_ms = excluded.modified_ms,
           side = excluded.side, algorithm = excluded.algorithm, value = excluded.value, nonce = excluded.nonce`,
        {
          upload_id: upload.upload_id,
          number,
          size: staged.size,
          etag,
          nonce: seal?.nonce ?? null,
          modified_ms,
          side,
          algorithm,
          value: staged.digests[algorithm]!,
        },
      );
      return old;
    });
  } catch (error) {
    await discard(pathOf(place, "", side));
    throw error;
  }
  if (before) await discard(pathOf(place, "", before.side));
  return modified_ms;
}

/** The parts that the request names, each as it was uploaded. AWS's order of checks: none, order, presence and ETag, checksum, size. */
async function chosenParts(ctx: Context, upload: UploadRow, input: CompleteInput): Promise<PartRow[]> {
  const wanted = input.MultipartUpload?.Parts ?? [];
  if (wanted.length === 0) throw errors.noParts();
  const rows = await ctx.read((tx) =>
    tx.all<PartRow>("SELECT * FROM s3_part WHERE upload_id = :uploadId", { uploadId: upload.upload_id }),
  );
  const byNumber = new Map(rows.map((row) => [row.number, row]));
  if (input.ChecksumType !== undefined && input.ChecksumType !== upload.checksum_type)
    throw errors.typeMismatch(upload.checksum_type);
  wanted.forEach(({ PartNumber }, at) => {
    if (at > 0 && PartNumber! <= wanted[at - 1]!.PartNumber!) throw errors.invalidPartOrder(upload.upload_id);
  });
  const parts = wanted.map((part) => {
    const etag = (part.ETag ?? "").replaceAll('"', "");
    const row = byNumber.get(part.PartNumber!);
    if (row?.etag !== etag) throw errors.invalidPart(part.PartNumber!, etag, upload.upload_id);
    checkPart(upload, row, part);
    return row;
  });
  for (const { number, etag, size } of parts.slice(0, -1))
    if (size < MIN_PART) throw errors.entityTooSmall(number, etag, size);
  return parts;
}

type CompletedPart = NonNullable<NonNullable<CompleteInput["MultipartUpload"]>["Parts"]>[number];

/** A named checksum must be the part's; a composite upload wants each of them (recorded on AWS). */
function checkPart(upload: UploadRow, row: PartRow, part: CompletedPart): void {
  const named = (Object.keys(algorithms) as Algorithm[]).filter((name) => part[`Checksum${name}`] !== undefined);
  for (const name of named) {
    if (name === row.algorithm) {
      if (part[`Checksum${name}`] !== row.value) throw errors.invalidPart(row.number, row.etag, upload.upload_id);
    } else if (upload.algorithm === null) throw errors.invalidPart(row.number, row.etag, upload.upload_id);
    else throw errors.badPartChecksum(name.toLowerCase(), row.number);
  }
  if (upload.checksum_type === "COMPOSITE" && !named.includes(row.algorithm as Algorithm))
    throw errors.partChecksumMissing(row.algorithm, row.number);
}

/** Of the whole object, from those of its parts; compared with what the request says of it. */
function checksumOf(upload: UploadRow, parts: readonly PartRow[], input: CompleteInput): Checksum {
  const algorithm = (upload.algorithm ?? "CRC64NVME") as Algorithm;
  const checksum = joinChecksums(algorithm, upload.checksum_type ?? "FULL_OBJECT", parts);
  for (const name of Object.keys(algorithms) as Algorithm[]) {
    const said = input[`Checksum${name}`];
    if (said === undefined) continue;
    const composite = checksum.type === "COMPOSITE" && said === checksum.value.replace(/-\d+$/, "");
    if (name !== algorithm || (said !== checksum.value && !composite))
      throw errors.badChecksum(algorithm.toLowerCase());
  }
  return checksum;
}

function md5OfMd5s(parts: readonly PartRow[]): string {
  const hash = createHash("md5");
  for (const { etag } of parts) hash.update(Buffer.from(etag, "hex"));
  return hash.digest("hex");
}

/** The upload's rows go; the names of its files are returned. Throws NoSuchUpload where somebody was faster. */
async function forget(tx: Tx, { bucket, key, upload_id: uploadId }: UploadRow): Promise<string[]> {
  const parts = await tx.all<PartRow>("SELECT * FROM s3_part WHERE upload_id = :uploadId", { uploadId });
  await tx.run("DELETE FROM s3_part WHERE upload_id = :uploadId", { uploadId });
  const deleted = await tx.run(
    "DELETE FROM s3_upload WHERE bucket = :bucket AND key = :key AND upload_id = :uploadId",
    { bucket, key, uploadId },
  );
  if (deleted === 0) throw errors.noSuchUpload(uploadId);
  return parts.map(({ side }) => side);
}

interface Completed {
  readonly bucket: BucketRow;
  readonly key: string;
  readonly row: Pick<ObjectRow, "etag" | "checksum" | "version_id" | "encryption">;
}

function completed(ctx: Context, { bucket, key, row }: Completed) {
  const checksum = JSON.parse(row.checksum!) as Checksum;
  return {
    Location: `${ctx.endpoint}/${bucket.name}/${key.split("/").map(encodeURIComponent).join("%2F")}`,
    Bucket: bucket.name,
    Key: key,
    ETag: quoted(row.etag),
    ...checksumMembers(checksum),
    ChecksumType: checksum.type,
    ...encryptionMembers(row.encryption),
    ...((row.version_id !== "null" || bucket.versioning) && { VersionId: row.version_id }),
  };
}
