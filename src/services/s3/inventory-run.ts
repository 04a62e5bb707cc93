// Inventory, written: gzipped CSV files, a manifest that names them, its checksum, and the symlink file that Hive reads.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { AwsError, type Context, newRequestId, parseArn } from "../../kernel/mod.ts";
import type { Checksum } from "./checksums.ts";
import { lastModified } from "./conditions.ts";
import { encryptionStatus } from "./encryption.ts";
import { formEncoded } from "./events.ts";
import { FIELDS, type Inventory, inventoryOf, nextList } from "./inventory.ts";
import { keyOf } from "./keys.ts";
import { replicationHeader } from "./replication.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";
import { asS3, type Task } from "./tasks.ts";
import { NULL_VERSION } from "./versions.ts";
import { versionsByKey } from "./versions-by-key.ts";

/** Of one file; the next one follows. */
const MAX_ROWS = 1_000_000;

export const inventoryTask: Task = {
  async next(now, { name }, id, tx) {
    const row = await tx.one<{ document: string }>(
      "SELECT document FROM s3_configuration WHERE bucket = :name AND kind = 'inventory' AND id = :id",
      { name, id },
    );
    return row && nextList(JSON.parse(row.document) as Inventory, now);
  },
  async run(ctx, bucket, id) {
    const wanted = await inventoryOf(ctx, bucket, id);
    if (!wanted?.IsEnabled) return;
    try {
      await writeList(ctx, bucket, wanted);
    } catch (error) {
      if (!(error instanceof AwsError) || error.status >= 500) throw error;
      ctx.log.warn(`the inventory ${id} of ${bucket.name} could not be written: ${error.message}`);
    }
  },
};

interface File {
  readonly key: string;
  readonly size: number;
  readonly MD5checksum: string;
}

async function writeList(ctx: Context, bucket: BucketRow, wanted: Inventory): Promise<void> {
  const { Bucket: arn, Prefix } = wanted.Destination!.S3BucketDestination!;
  const target = parseArn(arn!)!.resource;
  const home = `${Prefix ? `${Prefix}/` : ""}${bucket.name}/${wanted.Id}`;
  const now = ctx.clock.now();
  const [day, time] = new Date(now).toISOString().slice(0, 16).split("T") as [string, string];
  const at = `${day}T${time.replace(":", "-")}Z`;
  const columns = columnsOf(wanted);
  // As S3, for this bucket: the target's policy decides.
  const put = (Key: string, Body: Readable, ContentType: string) =>
    ctx.call("s3", "PutObject", { Bucket: target, Key, Body, ContentType }, asS3(bucket));
  const text = (Key: string, body: string, type: string) => put(Key, Readable.from([Buffer.from(body)]), type);
  const rows = rowsOf(ctx, bucket, wanted);
  const files: File[] = [];
  for (let first = await rows.next(); !first.done || files.length === 0; first = await rows.next()) {
    const key = `${home}/data/${newRequestId()}.csv.gz`;
    const gzip = createGzip();
    let size = 0;
    gzip.on("data", (chunk: Buffer) => {
      size += chunk.length;
    });
    gzip.pause();
    const { ETag } = await put(key, Readable.from(lines(first, rows, columns)).pipe(gzip), "application/gzip");
    files.push({ key, size, MD5checksum: ETag!.replaceAll('"', "") });
    if (first.done) break;
  }
  const manifest = JSON.stringify({
    sourceBucket: bucket.name,
    destinationBucket: arn,
    version: "2016-11-30",
    creationTimestamp: String(now),
    fileFormat: "CSV",
    fileSchema: columns.map(({ name }) => name).join(", "),
    files,
  });
  await text(`${home}/${at}/manifest.json`, manifest, "application/json");
  const links = files.map(({ key }) => `s3://${target}/${key}`).join("\n");
  await text(`${home}/hive/dt=${day}-${time.replace(":", "-")}/symlink.txt`, links, "text/plain");
  // Last: who waits for it finds the others.
  const checksum = createHash("md5").update(manifest).digest("hex");
  await text(`${home}/${at}/manifest.checksum`, checksum, "text/plain");
  ctx.log.info(`inventory ${wanted.Id} of ${bucket.name} is s3://${target}/${home}/${at}/`);
}

async function* rowsOf(
  ctx: Context,
  bucket: BucketRow,
  { Filter, IncludedObjectVersions }: Inventory,
): AsyncGenerator<ObjectRow> {
  const prefix = Filter?.Prefix ?? "";
  for await (const versions of versionsByKey(ctx, bucket)) {
    if (!keyOf(versions[0]!.key).startsWith(prefix)) continue;
    if (IncludedObjectVersions === "All") yield* versions;
    else if (!versions[0]!.delete_marker) yield versions[0]!;
  }
}

async function* lines(
  first: IteratorResult<ObjectRow>,
  rows: AsyncGenerator<ObjectRow>,
  columns: readonly Column[],
): AsyncGenerator<string> {
  let row = first;
  for (let count = 1; !row.done; count++) {
    const { value } = row;
    yield `${columns.map(({ of }) => quoted(of(value))).join(",")}\n`;
    if (count === MAX_ROWS) return;
    row = await rows.next();
  }
}

const quoted = (field: string): string => `"${field.replaceAll('"', '""')}"`;

interface Column {
  readonly name: string;
  of(row: ObjectRow): string;
}

/** What is not said of an object is empty. */
function columnsOf({ IncludedObjectVersions, OptionalFields = [] }: Inventory): Column[] {
  const column = (name: string, of: Column["of"]): Column => ({ name, of });
  const versioned = [
    column("VersionId", ({ version_id }) => (version_id === NULL_VERSION ? "" : version_id)),
    column("IsLatest", ({ current }) => String(current === 1)),
    column("IsDeleteMarker", ({ delete_marker }) => String(delete_marker === 1)),
  ];
  return [
    column("Bucket", ({ bucket }) => bucket),
    column("Key", ({ key }) => formEncoded(keyOf(key)).replaceAll("+", "%20")),
    ...(IncludedObjectVersions === "All" ? versioned : []),
    ...FIELDS.filter((name) => OptionalFields.includes(name)).map((name) =>
      column(name, (row) => (row.delete_marker && name !== "LastModifiedDate" ? "" : VALUES[name](row))),
    ),
  ];
}

const VALUES: Readonly<Record<(typeof FIELDS)[number], (row: ObjectRow) => string>> = {
  Size: ({ size }) => String(size),
  LastModifiedDate: (row) => lastModified(row).toISOString(),
  ETag: ({ etag }) => etag,
  StorageClass: ({ storage_class }) => storage_class,
  IsMultipartUploaded: ({ parts }) => String(parts !== null),
  ReplicationStatus: (row) => replicationHeader(row).ReplicationStatus ?? "",
  EncryptionStatus: ({ encryption }) => encryptionStatus(encryption),
  ObjectLockRetainUntilDate: ({ lock_until_ms }) =>
    lock_until_ms === null ? "" : new Date(lock_until_ms).toISOString(),
  ObjectLockMode: ({ lock_mode }) => lock_mode ?? "",
  ObjectLockLegalHoldStatus: ({ legal_hold }) => (legal_hold === null ? "" : legal_hold === "ON" ? "On" : "Off"),
  ChecksumAlgorithm: ({ checksum }) => (checksum === null ? "" : (JSON.parse(checksum) as Checksum).algorithm),
};
