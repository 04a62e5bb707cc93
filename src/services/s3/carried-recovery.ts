// At start: plain files that a loss of power took, or tore, before they were on the disk. Their bytes are in the store.
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { Context } from "../../kernel/mod.ts";
import { bootedAt, bootId, lostBy, syncFiles } from "./carried.ts";
import { fingerprintAt, type Place, pathOf, plainFingerprint, stagePath, statAt } from "./files.ts";
import { keyOf } from "./keys.ts";
import { follow } from "./recovery.ts";
import { newStage } from "./staging.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";

type CarriedRow = Pick<ObjectRow, "bucket" | "key" | "rank" | "fingerprint"> & {
  readonly batch: string;
  readonly boot: string;
  readonly bytes: Uint8Array;
};

const AT_ONCE = 100;

/** Before what the process itself left undone is done: the kernel's files first. */
export async function restoreCarried(ctx: Context, bucket: BucketRow, place: Place): Promise<void> {
  for await (const { mend } of tornFiles(ctx, bucket, place)) await mend();
}

export interface Torn {
  /** As stored. */
  readonly key: string;
  mend(): Promise<unknown>;
}

/** What this run of the kernel, or its disk, lost. */
export async function* tornFiles(ctx: Context, bucket: BucketRow, place: Place): AsyncGenerator<Torn> {
  for await (const rows of carriedRows(ctx, bucket))
    for (const row of rows) {
      const mend = row.boot === bootId() ? undefined : remedyOf(ctx, place, row);
      if (mend) yield { key: row.key, mend };
    }
}

/** When every file is where it belongs: they are synced, and carried no more. */
export async function unloadCarried(ctx: Context, bucket: BucketRow, place: Place): Promise<void> {
  for await (const rows of carriedRows(ctx, bucket))
    await syncFiles(rows.map(({ key }) => ({ place, path: pathOf(place, keyOf(key), null) })));
  await ctx.write((tx) => tx.run("DELETE FROM s3_carried WHERE bucket = :name", { name: bucket.name }));
}

async function* carriedRows(ctx: Context, { name }: BucketRow): AsyncGenerator<CarriedRow[]> {
  for (let after: Pick<CarriedRow, "batch" | "key" | "rank"> = { batch: "", key: "", rank: 0 }; ; ) {
    const { batch, key, rank } = after;
    const rows = await ctx.read((tx) =>
      // What was changed or deleted since is carried by another row, or not at all.
      tx.all<CarriedRow>(
        `SELECT c.batch, c.boot, c.bytes, o.bucket, o.key, o.rank, o.fingerprint
         FROM s3_carried c JOIN s3_object o ON o.bucket = c.bucket AND o.key = c.key AND o.rank = c.rank
         WHERE c.bucket = :name AND o.current = 1 AND o.side IS NULL
           AND (c.batch > :batch OR c.batch = :batch AND (c.key > :key OR c.key = :key AND c.rank > :rank))
         ORDER BY c.batch, c.key, c.rank LIMIT :count`,
        { name, batch, key, rank, count: AT_ONCE },
      ),
    );
    if (rows.length > 0) yield rows;
    if (rows.length < AT_ONCE) return;
    after = rows.at(-1)!;
  }
}

function remedyOf(ctx: Context, place: Place, row: CarriedRow): Torn["mend"] | undefined {
  const { key, fingerprint } = row;
  const path = pathOf(place, keyOf(key), null);
  const found = plainFingerprint(place, keyOf(key));
  // What the cache of this run of the kernel shows is not what the disk has. Another run's shows what the disk has.
  const lost = row.boot === lostBy(bootId());
  if (found !== undefined && !lost && readFileSync(path).equals(row.bytes))
    return found === fingerprint ? undefined : () => setFingerprint(ctx, row, found);
  if (found !== undefined && (lost ? found !== fingerprint : isOfThisBoot(path))) return undefined;
  return () => restore(ctx, place, row);
}

async function restore(ctx: Context, place: Place, row: CarriedRow): Promise<void> {
  const { bucket, key, rank } = row;
  const staged = newStage();
  const from = stagePath(place, staged);
  await writeFile(from, row.bytes, { flag: "wx", flush: true });
  const fingerprint = fingerprintAt(from)!;
  const seated = await follow(ctx, place, { bucket, key, rank, staged, supersedes: null });
  if (!seated) return;
  await seated.synced();
  await setFingerprint(ctx, row, fingerprint);
}

/** Who changed it since the machine came up meant the file as it is now. */
const isOfThisBoot = (path: string): boolean => Number(statAt(path)!.ctimeMs) >= bootedAt();

const setFingerprint = (ctx: Context, { bucket, key, rank }: CarriedRow, fingerprint: string): Promise<number> =>
  ctx.write((tx) =>
    tx.run(
      `UPDATE s3_object SET fingerprint = :fingerprint, staged = NULL, supersedes = NULL
       WHERE bucket = :bucket AND key = :key AND rank = :rank`,
      { bucket, key, rank, fingerprint },
    ),
  );
