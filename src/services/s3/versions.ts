// How the row of a key changes: the one place where versions come, are succeeded, and go. Used by the API and by reconcile alike.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html
import { newToken, type Singly, type Tx } from "../../kernel/mod.ts";
import type { BucketRow, Lock, ObjectRow } from "./tables.ts";

/** The version that a bucket without versioning, or with suspended versioning, keeps of a key. */
export const NULL_VERSION = "null";

/** The rows that a change of a key is decided by. */
export interface Standing {
  /** The newest: an object or a delete marker. */
  readonly newest: ObjectRow | undefined;
  /** The null version: may be the newest, or older, or not there. */
  readonly nullVersion: ObjectRow | undefined;
}

export async function standing(tx: Singly, bucket: string, key: string): Promise<Standing> {
  const newest = await tx.one<ObjectRow>(
    "SELECT * FROM s3_object WHERE bucket = :bucket AND key = :key ORDER BY rank LIMIT 1",
    { bucket, key },
  );
  if (!newest || newest.version_id === NULL_VERSION) return { newest, nullVersion: newest };
  return { newest, nullVersion: await versionOf(tx, bucket, key, NULL_VERSION) };
}

export const versionOf = (tx: Singly, bucket: string, key: string, versionId: string): Promise<ObjectRow | undefined> =>
  tx.one<ObjectRow>("SELECT * FROM s3_object WHERE bucket = :bucket AND key = :key AND version_id = :versionId", {
    bucket,
    key,
    versionId,
  });

/** What a new version, or delete marker, does to those that stand. */
export interface Succession {
  readonly versionId: string;
  /** Its row goes, and its bytes. */
  readonly replaced?: ObjectRow;
  /** It stays, as a noncurrent version: its bytes must leave the plain file. */
  readonly demoted?: ObjectRow;
}

export function succession(
  versioning: BucketRow["versioning"],
  { newest, nullVersion }: Standing,
  versionId?: string,
): Succession {
  if (versioning === "Enabled") return { versionId: versionId ?? newToken(32), ...(newest && { demoted: newest }) };
  return {
    versionId: NULL_VERSION,
    ...(nullVersion && { replaced: nullVersion }),
    ...(newest && newest !== nullVersion && { demoted: newest }),
  };
}

/** The rank of what comes after `newest`, at the earliest `sequence`. */
export const rankAfter = (newest: Pick<ObjectRow, "rank"> | undefined, sequence: number): number =>
  -Math.max(sequence, newest ? 1 - newest.rank : 0);

export type NewVersion = Pick<
  ObjectRow,
  | "size"
  | "etag"
  | "modified_ms"
  | "side"
  | "fingerprint"
  | "storage_class"
  | "headers"
  | "metadata"
  | "tags"
  | "checksum"
  | "parts"
  | "upload_id"
  | "guard"
  | "staged"
  | "supersedes"
> &
  Partial<Lock & Pick<ObjectRow, "replication" | "owner" | "acl" | "encryption">>;

/** What a version is apart from where its bytes lie. */
export type Content = Omit<NewVersion, "side" | "guard" | "staged" | "supersedes" | "modified_ms">;

/** Where a version's bytes lie. */
export type Bytes = Pick<NewVersion, "side" | "guard" | "staged" | "supersedes">;

export const noBytes: Omit<NewVersion, "modified_ms"> = {
  size: 0,
  etag: "",
  side: null,
  fingerprint: "",
  storage_class: "STANDARD",
  headers: null,
  metadata: null,
  tags: null,
  checksum: null,
  parts: null,
  upload_id: null,
  guard: null,
  staged: null,
  supersedes: null,
};

export const unlocked: Lock = { lock_mode: null, lock_until_ms: null, legal_hold: null };

/** Of the bucket's owner, and as plain as can be: what came from outside, and delete markers. */
const THE_BUCKETS = { ...unlocked, replication: null, owner: null, acl: null, encryption: null };

export interface Insertion {
  readonly bucket: string;
  readonly key: string;
  readonly rank: number;
  readonly succession: Succession;
  readonly version: NewVersion;
  readonly deleteMarker: boolean;
  /** The name that the demoted version's bytes have in the side folder; undefined: they are lost, and its row with them. */
  readonly demotedSide: string | null | undefined;
}

export async function insertVersion(tx: Tx, insertion: Insertion): Promise<void> {
  const { bucket, key, rank, version, deleteMarker, demotedSide } = insertion;
  const { versionId, replaced, demoted } = insertion.succession;
  if (replaced) await deleteVersion(tx, replaced);
  if (demoted && demotedSide === undefined) await deleteVersion(tx, demoted);
  else if (demoted)
    await tx.run(
      "UPDATE s3_object SET current = 0, side = :side, guard = NULL, noncurrent_ms = :now WHERE bucket = :bucket AND key = :key AND rank = :rank",
      { bucket, key, rank: demoted.rank, side: demotedSide ?? null, now: version.modified_ms },
    );
  await tx.run(
    `INSERT INTO s3_object (bucket, key, rank, version_id, current, delete_marker, size, etag, modified_ms, side, fingerprint, storage_class,
       headers, metadata, tags, checksum, parts, upload_id, guard, staged, supersedes, lock_mode, lock_until_ms, legal_hold, replication,
       owner, acl, encryption)
     VALUES (:bucket, :key, :rank, :versionId, 1, :deleteMarker, :size, :etag, :modified_ms, :side, :fingerprint, :storage_class,
       :headers, :metadata, :tags, :checksum, :parts, :upload_id, :guard, :staged, :supersedes, :lock_mode, :lock_until_ms, :legal_hold, :replication,
       :owner, :acl, :encryption)`,
    { bucket, key, rank, versionId, deleteMarker: deleteMarker ? 1 : 0, ...THE_BUCKETS, ...version },
  );
}

export const deleteVersion = (tx: Tx, { bucket, key, rank }: ObjectRow): Promise<number> =>
  tx.run("DELETE FROM s3_object WHERE bucket = :bucket AND key = :key AND rank = :rank", { bucket, key, rank });

/** The version that was next to the newest is the newest now. */
export const promote = (
  tx: Tx,
  { bucket, key, rank }: ObjectRow,
  bytes: Bytes & Pick<NewVersion, "fingerprint">,
): Promise<number> =>
  tx.run(
    `UPDATE s3_object SET current = 1, noncurrent_ms = NULL, side = :side, guard = :guard, staged = :staged, supersedes = :supersedes, fingerprint = :fingerprint
     WHERE bucket = :bucket AND key = :key AND rank = :rank`,
    { bucket, key, rank, ...bytes },
  );

/** Its bytes are the plain file of its key. */
export const isPlain = (row: Pick<ObjectRow, "side" | "delete_marker">): boolean =>
  row.side === null && !row.delete_marker;

/** Names in the side folder that go with the row. */
export const sidesOf = (row: ObjectRow | undefined): string[] =>
  [row?.side, row?.guard].filter((side) => typeof side === "string");
