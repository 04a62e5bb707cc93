// RenameObject, of directory buckets: the row and the plain file go from one key to another, at once. No byte is copied where the file system has links.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_RenameObject.html
import { createHash } from "node:crypto";
import { AwsError, type Context, defineOperations, type Input, type Tx } from "../../kernel/mod.ts";
import { bucketOf, objectArn } from "./buckets.ts";
import { isChangedOutside, putHeld } from "./change.ts";
import { checkConditions, writeCheck } from "./conditions.ts";
import { errors } from "./errors.ts";
import { discard, pathOf } from "./files.ts";
import { MAX_KEY, storedKey } from "./keys.ts";
import { expectObject, lookUp } from "./lookup.ts";
import { carryOut, foretell } from "./removals.ts";
import { originOf } from "./request.ts";
import { stageJoined } from "./staging.ts";
import { placeOf, stateOf } from "./state.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";
import { type Content, deleteVersion, isPlain, NULL_VERSION, sidesOf } from "./versions.ts";

type RenameInput = Input<"s3", "RenameObject">;

/** Looks again so often where files are being changed from outside. */
const LOOKS = 4;
/** A token is remembered as long: AWS does not say. */
const REMEMBERED_MS = 86_400_000;

export const renames = defineOperations("s3", {
  RenameObject: {
    access: (_, input) => ({ action: "s3:PutObject", resource: objectArn(input.Bucket!, input.Key!) }),
    async handle(ctx, input) {
      const from = sourceKey(input);
      const to = input.Key!;
      if (Buffer.byteLength(to) > MAX_KEY) throw errors.keyTooLong(to);
      if (from === to) throw errors.invalidRequest("The source and the destination of a rename must not be the same.");
      const { ClientToken: token } = input;
      if (token !== undefined && !/^[\x21-\x7e]{1,64}$/.test(token))
        throw errors.invalidArgument("Invalid client token.", "x-amz-client-token", token);
      const bucket = await bucketOf(ctx, input);
      if (await isDone(ctx, bucket, input)) return {};
      for (let look = 1; look <= LOOKS; look++) {
        if (await renameHeld(ctx, { bucket, from, to, input })) {
          ctx.log.info(`renamed ${bucket.name}/${from} to ${to}`, { subject: objectArn(bucket.name, to) });
          return {};
        }
        for (const key of [from, to]) await stateOf(ctx).reconciler?.check(bucket.name, key);
      }
      throw errors.slowDown();
    },
  },
});

/** `bucket/key` or `key`, with or without a slash in front, URL-encoded. */
function sourceKey({ Bucket, RenameSource = "" }: RenameInput): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(RenameSource).replace(/^\//, "");
  } catch {
    throw badSource(RenameSource);
  }
  const key = decoded.startsWith(`${Bucket}/`) ? decoded.slice(Bucket!.length + 1) : decoded;
  if (key === "") throw badSource(RenameSource);
  return key;
}

const badSource = (source: string): AwsError =>
  errors.invalidArgument("Invalid rename source object key", "x-amz-rename-source", source);

interface Rename {
  readonly bucket: BucketRow;
  readonly from: string;
  readonly to: string;
  readonly input: RenameInput;
}

/** False: one of the files was changed from outside, and must be taken in first. */
async function renameHeld(ctx: Context, rename: Rename): Promise<boolean> {
  const { locks } = stateOf(ctx);
  const { bucket, from, to } = rename;
  const releases: (() => void)[] = [];
  let settled: Promise<void> = Promise.resolve();
  try {
    // Whoever takes several takes them in one order.
    for (const key of [from, to].sort()) releases.push(await locks.take(bucket.name, key));
    return await renameNow(ctx, rename, (until) => {
      settled = until;
    });
  } finally {
    void settled.then(() => {
      for (const release of releases) release();
    });
  }
}

async function renameNow(
  ctx: Context,
  { bucket, from, to, input }: Rename,
  until: (settled: Promise<void>) => void,
): Promise<boolean> {
  const of = { Bucket: bucket.name, Key: from };
  const { row: found } = await lookUp(ctx, of);
  const { row: standing } = await lookUp(ctx, { Bucket: bucket.name, Key: to });
  if ((await isChangedOutside(ctx, bucket, from, found)) || (await isChangedOutside(ctx, bucket, to, standing)))
    return false;
  const row = await expectObject(ctx, { bucket, row: found, input: of, method: "PUT" });
  checkRename(ctx, input, row, standing);
  const place = await placeOf(ctx, bucket);
  // What is not carried must not follow what has yet to reach the disk.
  await stateOf(ctx).carrier?.settle(bucket.name, storedKey(from));
  const staged = await stageJoined(place, [pathOf(place, from, row.side)]);
  await putHeld(
    ctx,
    {
      bucket,
      key: to,
      staged: staged.path,
      version: { ...contentOf(row), fingerprint: staged.fingerprint },
      event: "ObjectCreated:Copy",
      origin: originOf(input),
      check: (current) => checkRename(ctx, input, row, current),
      // It is the object that it was: its time, too, stays.
      as: { versionId: NULL_VERSION, modifiedMs: row.modified_ms },
      async also(tx) {
        if ((await deleteVersion(tx, row)) === 0) throw errors.operationAborted();
        if (isPlain(row)) await foretell(tx, row);
        await note(ctx, tx, input);
      },
    },
    until,
  );
  if (isPlain(row)) await carryOut(ctx, place, row);
  for (const side of sidesOf(row)) await discard(pathOf(place, from, side));
  return true;
}

/** What goes with the bytes. */
function contentOf(row: ObjectRow): Content {
  const { size, etag, fingerprint, storage_class, headers, metadata, tags, checksum, parts, upload_id } = row;
  const { owner, acl, encryption } = row;
  const kept = { headers, metadata, tags, checksum, parts, upload_id, owner, acl, encryption };
  return { size, etag, fingerprint, storage_class, ...kept };
}

function checkRename(ctx: Context, input: RenameInput, source: ObjectRow, target: ObjectRow | undefined): void {
  const now = ctx.clock.now();
  checkConditions(
    {
      IfMatch: input.SourceIfMatch,
      IfNoneMatch: input.SourceIfNoneMatch,
      IfModifiedSince: input.SourceIfModifiedSince,
      IfUnmodifiedSince: input.SourceIfUnmodifiedSince,
    },
    source,
    { now, prefix: "x-amz-rename-source-" },
  );
  const conditions = { IfMatch: input.DestinationIfMatch, IfNoneMatch: input.DestinationIfNoneMatch };
  writeCheck(conditions, input.Key!)?.(target);
  const dates = {
    IfModifiedSince: input.DestinationIfModifiedSince,
    IfUnmodifiedSince: input.DestinationIfUnmodifiedSince,
  };
  if (target) checkConditions(dates, target, { now, prefix: "" });
  else if (dates.IfModifiedSince) throw errors.preconditionFailed("If-Modified-Since");
}

/** What must be the same when the same token comes again. */
const digestOf = (input: RenameInput): string =>
  createHash("sha256")
    .update(JSON.stringify(PARAMETERS.map((name) => input[name] ?? null)))
    .digest("hex");

const PARAMETERS = [
  "Key",
  "RenameSource",
  "DestinationIfMatch",
  "DestinationIfNoneMatch",
  "DestinationIfModifiedSince",
  "DestinationIfUnmodifiedSince",
  "SourceIfMatch",
  "SourceIfNoneMatch",
  "SourceIfModifiedSince",
  "SourceIfUnmodifiedSince",
] as const;

async function isDone(ctx: Context, { name }: BucketRow, input: RenameInput): Promise<boolean> {
  const { ClientToken: token } = input;
  if (token === undefined) return false;
  const known = await ctx.read((tx) =>
    tx.one<{ request: string }>(
      "SELECT request FROM s3_rename WHERE bucket = :name AND token = :token AND done_ms > :since",
      {
        name,
        token,
        since: ctx.clock.now() - REMEMBERED_MS,
      },
    ),
  );
  if (known && known.request !== digestOf(input))
    throw new AwsError(
      "IdempotencyParameterMismatch",
      400,
      "Parameters on this idempotent request are inconsistent with parameters used in previous request(s).",
    );
  return known !== undefined;
}

async function note(ctx: Context, tx: Tx, input: RenameInput): Promise<void> {
  const { Bucket, ClientToken: token } = input;
  if (token === undefined) return;
  const now = ctx.clock.now();
  await tx.run("DELETE FROM s3_rename WHERE bucket = :bucket AND done_ms <= :before", {
    bucket: Bucket!,
    before: now - REMEMBERED_MS,
  });
  await tx.run(
    `INSERT INTO s3_rename (bucket, token, request, done_ms) VALUES (:bucket, :token, :request, :now)
     ON CONFLICT (bucket, token) DO UPDATE SET request = excluded.request, done_ms = excluded.done_ms`,
    { bucket: Bucket!, token, request: digestOf(input), now },
  );
}
