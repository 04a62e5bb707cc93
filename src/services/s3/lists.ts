// ListObjects, ListObjectsV2, ListObjectVersions, ListMultipartUploads, ListParts: pages of what listing.ts finds.
import { type Context, defineOperations, type Tx } from "../../kernel/mod.ts";
import { type BucketInput, bucketArn, bucketOf, objectArn, ownerOf } from "./buckets.ts";
import { type algorithms, type Checksum, checksumMembers, isAlgorithm } from "./checksums.ts";
import { lastModified, quoted } from "./conditions.ts";
import { errors } from "./errors.ts";
import { formEncoded } from "./events.ts";
import { justAfter, keyOf, storedKey } from "./keys.ts";
import { abortHeaders } from "./lifecycle.ts";
import { type Cursor, fromMarker, type Item, type Page, readPage, type Source } from "./listing.ts";
import { refuseWithoutEffect } from "./object-headers.ts";
import { objectOwner } from "./ownership.ts";
import { restoreStatus } from "./restore.ts";
import type { BucketRow, ObjectRow, PartRow, UploadRow } from "./tables.ts";
import { uploadOf } from "./uploads.ts";

/** Of one answer, whatever is asked for. */
const MAX_PAGE = 1000;
const MAX_ASKED = 2 ** 31 - 1;

interface ListInput extends BucketInput {
  readonly Prefix?: string | undefined;
  readonly Delimiter?: string | undefined;
  readonly EncodingType?: string | undefined;
  readonly OptionalObjectAttributes?: readonly string[] | undefined;
}

const listAccess = (action: string) => (_: Context, input: ListInput & { MaxKeys?: number | undefined }) => ({
  action: `s3:${action}`,
  resource: bucketArn(input.Bucket!),
  conditions: {
    // Empty is not absent: policies let the root be listed by a prefix that is "".
    ...(input.Prefix !== undefined && { "s3:prefix": input.Prefix }),
    ...(input.Delimiter !== undefined && { "s3:delimiter": input.Delimiter }),
    ...(input.MaxKeys !== undefined && { "s3:max-keys": String(input.MaxKeys) }),
  },
});

export const lists = defineOperations("s3", {
  ListObjects: {
    access: listAccess("ListBucket"),
    async handle(ctx, input) {
      const ask = asked(input, "maxKeys", input.MaxKeys);
      const marker = storedKey(input.Marker ?? "");
      const bucket = await bucketOf(ctx, input);
      const page = await objectPage(ctx, bucket, ask, fromMarker(marker, ask.prefix, ask.delimiter));
      const last = page.items.at(-1);
      return {
        ...echoed(bucket, input, ask),
        Marker: ask.encode(input.Marker ?? ""),
        ...pageOf(page, ask, (row) => ({
          ...listed(row, ask),
          ...optional(ctx, input, row),
          Owner: ownerOf(ctx, objectOwner(bucket, row)),
        })),
        // Only with a delimiter: without one, the last key is the marker.
        ...(page.truncated &&
          last &&
          ask.delimiter !== "" && { NextMarker: ask.encode(keyOf(last.row?.key ?? last.prefix!)) }),
      };
    },
  },

  ListObjectsV2: {
    access: listAccess("ListBucket"),
    async handle(ctx, input) {
      const ask = asked(input, "maxKeys", input.MaxKeys);
      const { ContinuationToken: token, StartAfter } = input;
      if (token === "")
        throw errors.invalidArgument("The continuation token provided is incorrect", "continuation-token");
      const start =
        token === undefined ? fromMarker(storedKey(StartAfter ?? ""), ask.prefix, ask.delimiter) : fromToken(token);
      const bucket = await bucketOf(ctx, input);
      const page = await objectPage(ctx, bucket, ask, start);
      return {
        ...echoed(bucket, input, ask),
        KeyCount: page.items.length,
        ...(token !== undefined && { ContinuationToken: token }),
        ...(StartAfter !== undefined && { StartAfter: ask.encode(StartAfter) }),
        ...pageOf(page, ask, (row) => ({
          ...listed(row, ask),
          ...optional(ctx, input, row),
          ...(input.FetchOwner && { Owner: ownerOf(ctx, objectOwner(bucket, row)) }),
        })),
        ...(page.truncated && { NextContinuationToken: toToken(page.next) }),
      };
    },
  },

  ListObjectVersions: {
    access: listAccess("ListBucketVersions"),
    async handle(ctx, input) {
      const ask = asked(input, "maxKeys", input.MaxKeys);
      const { KeyMarker = "", VersionIdMarker = "" } = input;
      if (VersionIdMarker !== "" && KeyMarker === "")
        throw errors.invalidArgument(
          "A version-id marker cannot be specified without a key marker.",
          "version-id-marker",
          VersionIdMarker,
        );
      const bucket = await bucketOf(ctx, input);
      const marker = storedKey(KeyMarker);
      const page = await ctx.read(async (tx) => {
        const after =
          VersionIdMarker === "" ? undefined : await markedVersion(tx, bucket.name, marker, VersionIdMarker);
        const start = after
          ? { from: marker, after }
          : { from: fromMarker(marker, ask.prefix, ask.delimiter), after: undefined };
        return await readPage<ListedRow>(ask, start, versionsOf(tx, bucket.name));
      });
      const rows = page.items.flatMap(({ row }) => row ?? []);
      const last = page.items.at(-1);
      const of = (row: ListedRow) => ({
        Key: ask.encode(keyOf(row.key)),
        VersionId: row.version_id,
        IsLatest: row.current === 1,
        LastModified: lastModified(row),
        Owner: ownerOf(ctx, objectOwner(bucket, row)),
      });
      return {
        ...echoed(bucket, input, ask),
        KeyMarker: ask.encode(KeyMarker),
        VersionIdMarker,
        IsTruncated: page.truncated,
        Versions: rows
          .filter((row) => !row.delete_marker)
          .map((row) => ({ ...listed(row, ask), ...optional(ctx, input, row), ...of(row) })),
        DeleteMarkers: rows.filter((row) => row.delete_marker).map(of),
        CommonPrefixes: prefixesOf(page.items, ask),
        ...(page.truncated && last && { NextKeyMarker: ask.encode(keyOf(last.row?.key ?? last.prefix!)) }),
        ...(page.truncated && last?.row && { NextVersionIdMarker: last.row.version_id }),
      };
    },
  },

  ListMultipartUploads: {
    access: (_, { Bucket }) => ({ action: "s3:ListBucketMultipartUploads", resource: bucketArn(Bucket!) }),
    async handle(ctx, input) {
      const ask = asked(input, "max-uploads", input.MaxUploads);
      const { KeyMarker = "", UploadIdMarker = "" } = input;
      const bucket = await bucketOf(ctx, input);
      const marker = storedKey(KeyMarker);
      const start =
        UploadIdMarker === "" || KeyMarker === ""
          ? { from: fromMarker(marker, ask.prefix, ask.delimiter), after: undefined }
          : { from: marker, after: { key: marker, upload_id: UploadIdMarker } as UploadRow };
      const page = await ctx.read((tx) => readPage<UploadRow>(ask, start, uploadsOf(tx, bucket.name)));
      const last = page.items.at(-1);
      const owner = ownerOf(ctx, bucket.account);
      return {
        Bucket: bucket.name,
        KeyMarker: ask.encode(KeyMarker),
        UploadIdMarker,
        MaxUploads: ask.limit,
        ...(input.Prefix !== undefined && { Prefix: ask.encode(input.Prefix) }),
        ...(input.Delimiter && { Delimiter: ask.encode(input.Delimiter) }),
        ...(input.EncodingType && { EncodingType: "url" as const }),
        IsTruncated: page.truncated,
        Uploads: page.items.flatMap(({ row }) =>
          row
            ? {
                Key: ask.encode(keyOf(row.key)),
                UploadId: row.upload_id,
                Initiated: lastModified({ modified_ms: row.initiated_ms }),
                StorageClass: row.storage_class as "STANDARD",
                Owner: owner,
                Initiator: initiatorOf(row, owner),
                ...(isAlgorithm(row.algorithm ?? undefined) && {
                  ChecksumAlgorithm: row.algorithm as "CRC32",
                  ChecksumType: row.checksum_type!,
                }),
              }
            : [],
        ),
        CommonPrefixes: prefixesOf(page.items, ask),
        ...(last && {
          NextKeyMarker: ask.encode(keyOf(last.row?.key ?? last.prefix!)),
          NextUploadIdMarker: last.row?.upload_id ?? "",
        }),
      };
    },
  },

  ListParts: {
    access: (_, input) => ({ action: "s3:ListMultipartUploadParts", resource: objectArn(input.Bucket!, input.Key!) }),
    async handle(ctx, input) {
      refuseWithoutEffect(input);
      const limit = pageLimit("max-parts", input.MaxParts);
      const marker = Number(input.PartNumberMarker || 0);
      if (!Number.isInteger(marker) || marker < 0)
        throw errors.invalidArgument(
          "Argument part-number-marker must be an integer between 0 and 2147483647",
          "part-number-marker",
          input.PartNumberMarker,
        );
      const { bucket, upload } = await uploadOf(ctx, input);
      const rows = await ctx.read((tx) =>
        tx.all<PartRow>(
          "SELECT * FROM s3_part WHERE upload_id = :uploadId AND number > :marker ORDER BY number LIMIT :count",
          {
            uploadId: upload.upload_id,
            marker,
            count: limit + 1,
          },
        ),
      );
      const page = rows.slice(0, limit);
      const owner = ownerOf(ctx, bucket.account);
      return {
        Bucket: bucket.name,
        Key: input.Key!,
        UploadId: upload.upload_id,
        ...abortHeaders(bucket, upload),
        PartNumberMarker: String(marker),
        NextPartNumberMarker: String(page.at(-1)?.number ?? 0),
        MaxParts: limit,
        IsTruncated: rows.length > page.length,
        Parts: page.map((row) => ({
          PartNumber: row.number,
          LastModified: lastModified(row),
          ETag: quoted(row.etag),
          Size: row.size,
          ...(upload.algorithm !== null && checksumMembers(row as PartRow & { algorithm: keyof typeof algorithms })),
        })),
        Owner: owner,
        Initiator: initiatorOf(upload, owner),
        StorageClass: upload.storage_class as "STANDARD",
        ...(upload.algorithm !== null && {
          ChecksumAlgorithm: upload.algorithm as "CRC32",
          ChecksumType: upload.checksum_type!,
        }),
      };
    },
  },
});

interface Ask {
  readonly prefix: string;
  readonly delimiter: string;
  readonly limit: number;
  /** encoding-type=url, or as it is. */
  encode(text: string): string;
}

function asked(input: ListInput, name: string, max: number | undefined): Ask {
  if (input.EncodingType && input.EncodingType !== "url")
    throw errors.invalidArgument("Invalid Encoding Method specified in Request", "encoding-type", input.EncodingType);
  return {
    prefix: storedKey(input.Prefix ?? ""),
    delimiter: storedKey(input.Delimiter ?? ""),
    limit: pageLimit(name, max),
    encode: input.EncodingType ? formEncoded : (text) => text,
  };
}

function pageLimit(name: string, max: number | undefined): number {
  if (max === undefined) return MAX_PAGE;
  if (max > MAX_ASKED)
    throw errors.invalidArgument(
      `Provided ${parameterOf(name)} not an integer or within integer range`,
      parameterOf(name),
      String(max),
    );
  if (max < 0)
    throw errors.invalidArgument(`Argument ${name} must be an integer between 0 and ${MAX_ASKED}`, name, String(max));
  return Math.min(max, MAX_PAGE);
}

/** AWS names the parameter as it is sent only where it is no 32 bit integer (measured: backlot's issue 192). */
const parameterOf = (name: string): string => (name === "maxKeys" ? "max-keys" : name);

const echoed = (bucket: BucketRow, input: ListInput, ask: Ask) => ({
  Name: bucket.name,
  Prefix: ask.encode(input.Prefix ?? ""),
  MaxKeys: ask.limit,
  ...(input.Delimiter && { Delimiter: ask.encode(input.Delimiter) }),
  ...(input.EncodingType && { EncodingType: "url" as const }),
});

const pageOf = <T>(page: Page<ListedRow>, ask: Ask, of: (row: ListedRow) => T) => ({
  IsTruncated: page.truncated,
  Contents: page.items.flatMap(({ row }) => (row ? of(row) : [])),
  CommonPrefixes: prefixesOf(page.items, ask),
});

const prefixesOf = (items: readonly Item<unknown>[], ask: Ask) =>
  items.flatMap(({ prefix }) => (prefix === undefined ? [] : { Prefix: ask.encode(keyOf(prefix)) }));

function listed(row: ListedRow, ask: Ask) {
  const checksum = row.checksum === null ? undefined : (JSON.parse(row.checksum) as Checksum);
  return {
    Key: ask.encode(keyOf(row.key)),
    LastModified: lastModified(row),
    ETag: quoted(row.etag),
    Size: row.size,
    StorageClass: row.storage_class as "STANDARD",
    ...(checksum && { ChecksumAlgorithm: [checksum.algorithm], ChecksumType: checksum.type }),
  };
}

/** Of what may be asked for, there is one thing. */
function optional(ctx: Context, { OptionalObjectAttributes: wanted = [] }: ListInput, row: ListedRow) {
  for (const name of wanted)
    if (name !== "RestoreStatus")
      throw errors.invalidArgument("Invalid attribute name specified", "x-amz-optional-object-attributes", name);
  return wanted.length > 0 ? restoreStatus(row, ctx.clock.now()) : {};
}

const objectPage = (ctx: Context, bucket: BucketRow, ask: Ask, from: string): Promise<Page<ListedRow>> =>
  ctx.read((tx) => readPage<ListedRow>(ask, { from, after: undefined }, objectsOf(tx, bucket.name)));

/** Of a thousand rows a column costs as much as a row of one: `parts` alone may be 10,000 numbers. */
const LISTED = [
  ...(["key", "rank", "version_id", "current", "delete_marker", "size", "etag", "modified_ms"] as const),
  ...(["storage_class", "checksum", "restored", "owner"] as const),
] as const satisfies readonly (keyof ObjectRow)[];
const COLUMNS = LISTED.join(", ");

type ListedRow = Pick<ObjectRow, (typeof LISTED)[number]>;

// The words of the condition are those of the partial index s3_object_listed.
const objectsOf = (tx: Tx, bucket: string): Source<ListedRow> => ({
  rows: ({ from, after, until, count }) =>
    tx.all<ListedRow>(
      `SELECT ${COLUMNS} FROM s3_object WHERE bucket = :bucket AND key >= :from AND key < :until AND current = 1 AND delete_marker = 0
         ORDER BY bucket, key LIMIT :count`,
      { bucket, from: after ? justAfter(after.key) : from, until, count },
    ),
  firstKey: ({ from, until }) =>
    tx.one<{ key: string }>(
      `SELECT key FROM s3_object WHERE bucket = :bucket AND key >= :from AND key < :until AND current = 1 AND delete_marker = 0
         ORDER BY bucket, key LIMIT 1`,
      { bucket, from, until },
    ),
});

const versionsOf = (tx: Tx, bucket: string): Source<ListedRow> => ({
  rows: ({ from, after, until, count }) =>
    tx.all<ListedRow>(
      `SELECT ${COLUMNS} FROM s3_object WHERE bucket = :bucket AND (key, rank) > (:from, :rank) AND key < :until
         ORDER BY bucket, key, rank LIMIT :count`,
      { bucket, from, rank: after?.rank ?? Number.MIN_SAFE_INTEGER, until, count },
    ),
  firstKey: ({ from, until }) =>
    tx.one<{ key: string }>(
      "SELECT key FROM s3_object WHERE bucket = :bucket AND key >= :from AND key < :until ORDER BY bucket, key, rank LIMIT 1",
      { bucket, from, until },
    ),
});

/** An empty upload id is before all of a key. */
const uploadsOf = (tx: Tx, bucket: string): Source<UploadRow> => ({
  rows: ({ from, after, until, count }) =>
    tx.all<UploadRow>(
      `SELECT * FROM s3_upload WHERE bucket = :bucket AND (key, upload_id) > (:from, :after) AND key < :until
         ORDER BY bucket, key, upload_id LIMIT :count`,
      { bucket, from, after: after?.upload_id ?? "", until, count },
    ),
  firstKey: ({ from, until }) =>
    tx.one<{ key: string }>(
      "SELECT key FROM s3_upload WHERE bucket = :bucket AND key >= :from AND key < :until ORDER BY bucket, key, upload_id LIMIT 1",
      { bucket, from, until },
    ),
});

/** The version that a marker names. A version that is gone was between others: all of its key's are shown again. */
const markedVersion = (tx: Tx, bucket: string, key: string, versionId: string): Promise<ListedRow | undefined> =>
  tx.one<ListedRow>(
    `SELECT ${COLUMNS} FROM s3_object WHERE bucket = :bucket AND key = :key AND version_id = :versionId`,
    {
      bucket,
      key,
      versionId,
    },
  );

const toToken = ({ from, after }: Cursor<ListedRow>): string =>
  Buffer.from(after ? justAfter(after.key) : from).toString("base64");

function fromToken(token: string): string {
  const bytes = Buffer.from(token, "base64");
  if (bytes.toString("base64") !== token)
    throw errors.invalidArgument("The continuation token provided is incorrect", "continuation-token", token);
  return bytes.toString();
}

const initiatorOf = ({ initiator }: UploadRow, owner: { ID: string }) =>
  initiator.endsWith(":root") ? owner : { ID: initiator, DisplayName: initiator.slice(initiator.lastIndexOf("/") + 1) };
