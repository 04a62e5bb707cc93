// The plain file follows its row: at once, or where the process died in between, at the next start. What the stage holds besides is nobody's.
import { readdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { Context } from "../../kernel/mod.ts";
import { restoreCarried, unloadCarried } from "./carried-recovery.ts";
import {
  discard,
  isDirectory,
  moveToSide,
  newSide,
  type Place,
  plainFingerprint,
  stagePath,
  takeSeat,
} from "./files.ts";
import { keyOf } from "./keys.ts";
import { carryOut, carryOutAll, foretell } from "./removals.ts";
import { placeOf, rootOf } from "./state.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";

export type Followed = Pick<ObjectRow, "bucket" | "key" | "rank" | "staged" | "supersedes">;

/** The file has its name; it has it after a loss of power too when `synced` resolves. */
export interface Seated {
  synced(): Promise<void>;
}

/**
 * After the commit, under the key's lock. Where the plain file cannot be (a directory came in its way, a disk is read-only), the object has its bytes in
 * the side folder, and that is said.
 */
export async function follow(ctx: Context, place: Place, row: Followed): Promise<Seated | undefined> {
  if (row.staged === null) return undefined;
  const key = keyOf(row.key);
  let why = "something stands in its way";
  let seated = false;
  try {
    seated = await takeSeat(place, key, row.staged);
  } catch (error) {
    why = error instanceof Error ? error.message : String(error);
  }
  if (seated) return { synced: () => nameSynced(ctx, place, row) };
  ctx.log.error(`${row.bucket}/${key} has no plain file: ${why}`, { subject: `arn:aws:s3:::${row.bucket}/${key}` });
  await stepAside(ctx, place, row);
  return undefined;
}

/** Fails never: the object is the row and its staged bytes until the name is on the disk, and the next start sees to it. */
async function nameSynced(ctx: Context, place: Place, { bucket, key }: Followed): Promise<void> {
  const path = keyOf(key);
  try {
    await place.disk.gone(dirname(`${place.root}/${path}`));
  } catch (error) {
    const why = error instanceof Error ? error.message : error;
    ctx.log.error(`${bucket}/${path}: the disk does not take its name: ${why}`, {
      subject: `arn:aws:s3:::${bucket}/${path}`,
    });
  }
}

async function stepAside(
  ctx: Context,
  place: Place,
  { bucket, key, rank, staged, supersedes }: Followed,
): Promise<void> {
  const side = newSide();
  const from = stagePath(place, staged!);
  // They may have been carried, and are not on the disk then.
  await place.disk.file(from);
  await moveToSide(from, place, side);
  // The file that stands there is not the object any more.
  const dying = supersedes === null ? undefined : { bucket, key, fingerprint: supersedes };
  await ctx.write(async (tx) => {
    await tx.run(
      "UPDATE s3_object SET side = :side, staged = NULL WHERE bucket = :bucket AND key = :key AND rank = :rank",
      { bucket, key, rank, side },
    );
    if (dying) await foretell(tx, dying);
  });
  if (dying) await carryOut(ctx, place, dying);
}

/** At start, before anything is asked or staged. */
export async function recover(ctx: Context, bucket: BucketRow): Promise<void> {
  if (!isDirectory(rootOf(ctx, bucket))) return;
  await carryOutAll(ctx, bucket);
  const place = await placeOf(ctx, bucket);
  await restoreCarried(ctx, bucket, place);
  const names = await readdir(stagePath(place, ""));
  for (let at = 0; at < names.length; at += AT_ONCE)
    // Who changed the file since, meant the file as it is now.
    for (const row of await stagedRows(ctx, bucket.name, names.slice(at, at + AT_ONCE)))
      if (plainFingerprint(place, keyOf(row.key)) === (row.supersedes ?? undefined))
        await (await follow(ctx, place, row))?.synced();
  await unloadCarried(ctx, bucket, place);
  for (const name of names) await discard(stagePath(place, name));
}

const AT_ONCE = 50;

const stagedRows = (ctx: Context, bucket: string, names: readonly string[]): Promise<Followed[]> =>
  ctx.read((tx) =>
    tx.all<Followed>(
      `SELECT bucket, key, rank, staged, supersedes FROM s3_object
       WHERE bucket = :bucket AND current = 1 AND side IS NULL AND staged IN (${names.map((_, at) => `:name${at}`).join(", ")})`,
      { bucket, ...Object.fromEntries(names.map((name, at) => [`name${at}`, name])) },
    ),
  );
