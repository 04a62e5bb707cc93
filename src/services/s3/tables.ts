// What S3 keeps in the store. A row points at bytes; bytes lie in files (files.ts).
import type { ChecksumType } from "./checksums.ts";

/** `key` and `prefix` columns hold `storedKey(key)`: text that sorts as S3 sorts, by UTF-8 bytes. */
export const migrations = [
  `
  CREATE TABLE s3_bucket (
    name TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    location TEXT,              -- LocationConstraint as given
    directory TEXT NOT NULL,    -- relative to the workspace
    created_ms BIGINT NOT NULL,
    versioning TEXT,            -- Enabled, Suspended, or never set
    ownership TEXT NOT NULL,
    tags TEXT,                  -- JSON: [{Key, Value}]
    policy TEXT,
    notification TEXT           -- JSON: NotificationConfiguration
  );
  CREATE TABLE s3_object (      -- each version and each delete marker
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    rank BIGINT NOT NULL,       -- minus the sequence number: newest first
    version_id TEXT NOT NULL,   -- 'null' where the bucket gave none
    current BIGINT NOT NULL,
    delete_marker BIGINT NOT NULL,
    size BIGINT NOT NULL,
    etag TEXT NOT NULL,         -- without quotes
    modified_ms BIGINT NOT NULL,
    side TEXT,                  -- name in the side folder; null: the plain file of this key
    fingerprint TEXT NOT NULL,  -- inode:size:mtimeNs of the file
    storage_class TEXT NOT NULL,
    headers TEXT,               -- JSON: ContentType, CacheControl, ...
    metadata TEXT,              -- JSON
    tags TEXT,                  -- JSON: [{Key, Value}]
    checksum TEXT,              -- JSON: {algorithm, type, value}
    parts TEXT,                 -- JSON: [{number, size, value?}] of a multipart upload
    upload_id TEXT,
    PRIMARY KEY (bucket, key, rank)
  );
  CREATE INDEX s3_object_listed ON s3_object (bucket, key) WHERE current = 1 AND delete_marker = 0;
  CREATE TABLE s3_upload (
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    upload_id TEXT NOT NULL,
    initiated_ms BIGINT NOT NULL,
    initiator TEXT NOT NULL,    -- ARN
    storage_class TEXT NOT NULL,
    headers TEXT,
    metadata TEXT,
    tags TEXT,
    algorithm TEXT,
    checksum_type TEXT,
    PRIMARY KEY (bucket, key, upload_id)
  );
  CREATE TABLE s3_part (
    upload_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    size BIGINT NOT NULL,
    etag TEXT NOT NULL,
    modified_ms BIGINT NOT NULL,
    side TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    value TEXT NOT NULL,        -- checksum, base64
    PRIMARY KEY (upload_id, number)
  )`,
  `
  CREATE INDEX s3_object_side ON s3_object (bucket, side) WHERE side IS NOT NULL;
  CREATE INDEX s3_part_side ON s3_part (side)`,
  `
  ALTER TABLE s3_object ADD COLUMN guard TEXT;       -- a copy of the plain file, in the side folder: what overwrites the file from outside leaves it
  ALTER TABLE s3_object ADD COLUMN staged TEXT;      -- where the plain file's bytes were when the row was written, in the stage
  ALTER TABLE s3_object ADD COLUMN supersedes TEXT;  -- the fingerprint of the file that was there then
  CREATE INDEX s3_object_guard ON s3_object (bucket, guard) WHERE guard IS NOT NULL;
  CREATE TABLE s3_removal (     -- plain files that no row names any more, until they are gone
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    PRIMARY KEY (bucket, key, fingerprint)
  )`,
  `
  ALTER TABLE s3_bucket ADD COLUMN object_lock TEXT;      -- JSON: ObjectLockConfiguration; null: not enabled
  ALTER TABLE s3_bucket ADD COLUMN lifecycle TEXT;        -- JSON: LifecycleConfiguration, with its TransitionDefaultMinimumObjectSize
  ALTER TABLE s3_bucket ADD COLUMN logging TEXT;          -- JSON: LoggingEnabled
  ALTER TABLE s3_bucket ADD COLUMN replication TEXT;      -- JSON: ReplicationConfiguration
  ALTER TABLE s3_object ADD COLUMN noncurrent_ms BIGINT;  -- when another version succeeded it
  ALTER TABLE s3_object ADD COLUMN lock_mode TEXT;        -- GOVERNANCE, COMPLIANCE
  ALTER TABLE s3_object ADD COLUMN lock_until_ms BIGINT;
  ALTER TABLE s3_object ADD COLUMN legal_hold TEXT;       -- ON, OFF, or never set
  ALTER TABLE s3_object ADD COLUMN restored TEXT;         -- JSON: {token, readyMs, days, untilMs} of an archived object
  ALTER TABLE s3_object ADD COLUMN replication TEXT;      -- REPLICA, or JSON: a status for each destination bucket
  ALTER TABLE s3_upload ADD COLUMN lock_mode TEXT;
  ALTER TABLE s3_upload ADD COLUMN lock_until_ms BIGINT;
  ALTER TABLE s3_upload ADD COLUMN legal_hold TEXT;
  UPDATE s3_object SET noncurrent_ms = (
    SELECT later.modified_ms FROM s3_object later
    WHERE later.bucket = s3_object.bucket AND later.key = s3_object.key AND later.rank < s3_object.rank ORDER BY later.rank DESC LIMIT 1
  ) WHERE current = 0;
  CREATE TABLE s3_configuration ( -- of which a bucket has many: inventory, analytics, metrics, intelligent tiering
    bucket TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (bucket, kind, id)
  );
  CREATE TABLE s3_task (          -- what a bucket does by itself: the Work that has this token is the one that counts
    bucket TEXT NOT NULL,
    name TEXT NOT NULL,
    token TEXT NOT NULL,
    PRIMARY KEY (bucket, name)
  );
  CREATE TABLE s3_access_log (    -- lines that are not yet delivered
    bucket TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (bucket, sequence)
  )`,
  `
  ALTER TABLE s3_bucket ADD COLUMN acl TEXT;           -- JSON: grants; null: the owner's alone
  ALTER TABLE s3_bucket ADD COLUMN public_access TEXT; -- JSON: PublicAccessBlockConfiguration
  ALTER TABLE s3_bucket ADD COLUMN cors TEXT;          -- JSON: CORSRules
  ALTER TABLE s3_bucket ADD COLUMN website TEXT;       -- JSON: WebsiteConfiguration
  ALTER TABLE s3_bucket ADD COLUMN encryption TEXT;    -- JSON: the rule of its ServerSideEncryptionConfiguration
  ALTER TABLE s3_bucket ADD COLUMN payer TEXT;         -- Requester; null: the owner
  ALTER TABLE s3_bucket ADD COLUMN accelerate TEXT;    -- Enabled, Suspended, or never set
  ALTER TABLE s3_object ADD COLUMN owner TEXT;         -- an account, or anonymous; null: the bucket's
  ALTER TABLE s3_object ADD COLUMN acl TEXT;           -- JSON: grants; null: the owner's alone
  ALTER TABLE s3_object ADD COLUMN encryption TEXT;    -- JSON: Encryption; null: AES256 in name, plain in the file
  ALTER TABLE s3_upload ADD COLUMN owner TEXT;
  ALTER TABLE s3_upload ADD COLUMN acl TEXT;
  ALTER TABLE s3_upload ADD COLUMN encryption TEXT;
  ALTER TABLE s3_part ADD COLUMN nonce TEXT;           -- of a part that is encrypted with the customer's key`,
  `
  CREATE TABLE s3_carried (     -- bytes of small objects, until their plain files are on the disk: carried.ts
    batch TEXT NOT NULL,
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    rank BIGINT NOT NULL,
    boot TEXT NOT NULL,         -- of the kernel that is to write them
    bytes BLOB NOT NULL,
    PRIMARY KEY (batch, bucket, key, rank)
  )`,
  `
  ALTER TABLE s3_bucket ADD COLUMN zone TEXT;          -- of a directory bucket: use1-az4
  CREATE TABLE s3_rename (                             -- what was renamed under a token of the client's: it may ask again
    bucket TEXT NOT NULL,
    token TEXT NOT NULL,
    request TEXT NOT NULL,      -- digest of its parameters
    done_ms BIGINT NOT NULL,
    PRIMARY KEY (bucket, token)
  )`,
];

export interface BucketRow {
  readonly name: string;
  readonly account: string;
  readonly region: string;
  readonly location: string | null;
  readonly directory: string;
  readonly created_ms: number;
  readonly versioning: "Enabled" | "Suspended" | null;
  readonly ownership: string;
  readonly tags: string | null;
  readonly policy: string | null;
  readonly notification: string | null;
  readonly object_lock: string | null;
  readonly lifecycle: string | null;
  readonly logging: string | null;
  readonly replication: string | null;
  readonly acl: string | null;
  readonly public_access: string | null;
  readonly cors: string | null;
  readonly website: string | null;
  readonly encryption: string | null;
  readonly payer: "Requester" | null;
  readonly accelerate: "Enabled" | "Suspended" | null;
  readonly zone: string | null;
}

/** What keeps a version from being deleted. */
export interface Lock {
  readonly lock_mode: "GOVERNANCE" | "COMPLIANCE" | null;
  readonly lock_until_ms: number | null;
  readonly legal_hold: "ON" | "OFF" | null;
}

export interface ObjectRow extends Lock {
  readonly bucket: string;
  readonly key: string;
  readonly rank: number;
  readonly version_id: string;
  readonly current: number;
  readonly delete_marker: number;
  readonly size: number;
  readonly etag: string;
  readonly modified_ms: number;
  readonly side: string | null;
  readonly fingerprint: string;
  readonly storage_class: string;
  readonly headers: string | null;
  readonly metadata: string | null;
  readonly tags: string | null;
  readonly checksum: string | null;
  readonly parts: string | null;
  readonly upload_id: string | null;
  readonly guard: string | null;
  readonly staged: string | null;
  readonly supersedes: string | null;
  readonly noncurrent_ms: number | null;
  readonly restored: string | null;
  readonly replication: string | null;
  readonly owner: string | null;
  readonly acl: string | null;
  readonly encryption: string | null;
}

export interface UploadRow extends Lock {
  readonly bucket: string;
  readonly key: string;
  readonly upload_id: string;
  readonly initiated_ms: number;
  readonly initiator: string;
  readonly storage_class: string;
  readonly headers: string | null;
  readonly metadata: string | null;
  readonly tags: string | null;
  readonly algorithm: string | null;
  readonly checksum_type: ChecksumType | null;
  readonly owner: string | null;
  readonly acl: string | null;
  readonly encryption: string | null;
}

export interface PartRow {
  readonly upload_id: string;
  readonly number: number;
  readonly size: number;
  readonly etag: string;
  readonly modified_ms: number;
  readonly side: string;
  readonly algorithm: string;
  readonly value: string;
  readonly nonce: string | null;
}

export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

/** What is kept of a request's headers, and given back with the object. */
export interface ContentHeaders {
  readonly CacheControl?: string;
  readonly ContentDisposition?: string;
  readonly ContentEncoding?: string;
  readonly ContentLanguage?: string;
  readonly ContentType?: string;
  readonly ExpiresString?: string;
  readonly WebsiteRedirectLocation?: string;
}

/** A part of a completed upload; `value` only of a composite checksum or one that was sent. */
export interface ObjectPart {
  readonly number: number;
  readonly size: number;
  readonly value?: string;
}
