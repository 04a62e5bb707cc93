// What a crash left: bytes in the side folder that no row names.
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Context } from "../../kernel/mod.ts";
import { discard, is } from "./files.ts";
import { afterPrefix } from "./keys.ts";
import { placeOf } from "./state.ts";
import type { BucketRow } from "./tables.ts";

/** While requests are answered: what is younger than `startedAt` (real time, ms) may have its row yet to come. */
export async function clearSide(ctx: Context, bucket: BucketRow, startedAt: number): Promise<void> {
  for await (const path of unnamedSides(ctx, bucket, startedAt)) await discard(path);
}

/** Files of the side folder that no row names, and that are older than `before` (real time, ms). */
export async function* unnamedSides(ctx: Context, bucket: BucketRow, before: number): AsyncGenerator<string> {
  const side = join((await placeOf(ctx, bucket)).home, "side");
  for (const shard of await namesIn(side)) {
    const named = await namedSides(ctx, bucket, shard);
    for (const name of await namesIn(join(side, shard))) {
      const path = join(side, shard, name);
      if (!named.has(name) && (await lstat(path)).ctimeMs < before) yield path;
    }
  }
}

export async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (is(error, "ENOENT")) return [];
    throw error;
  }
}

const namedSides = (ctx: Context, bucket: BucketRow, shard: string): Promise<Set<string>> =>
  ctx.read(async (tx) => {
    const range = { from: shard, until: afterPrefix(shard) };
    const objects = await tx.all<{ side: string }>(
      "SELECT side FROM s3_object WHERE bucket = :bucket AND side IS NOT NULL AND side >= :from AND side < :until",
      { bucket: bucket.name, ...range },
    );
    const guards = await tx.all<{ side: string }>(
      "SELECT guard AS side FROM s3_object WHERE bucket = :bucket AND guard IS NOT NULL AND guard >= :from AND guard < :until",
      { bucket: bucket.name, ...range },
    );
    const parts = await tx.all<{ side: string }>(
      "SELECT side FROM s3_part WHERE side >= :from AND side < :until",
      range,
    );
    return new Set([...objects, ...guards, ...parts].map((row) => row.side));
  });
