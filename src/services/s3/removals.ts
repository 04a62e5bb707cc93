// Plain files that go. The row goes first, with a note that the file must follow it: what a crash leaves is not taken for a file that came from outside.
import { dirname } from "node:path";
import type { Context, Tx } from "../../kernel/mod.ts";
import { discardPlain, type Place } from "./files.ts";
import { keyOf } from "./keys.ts";
import { placeOf, stateOf } from "./state.ts";
import type { BucketRow } from "./tables.ts";

export interface Removal {
  readonly bucket: string;
  /** As stored. */
  readonly key: string;
  readonly fingerprint: string;
}

/** In the transaction that takes the file's row away. */
export const foretell = (tx: Tx, { bucket, key, fingerprint }: Removal): Promise<number> =>
  tx.run(
    "INSERT INTO s3_removal (bucket, key, fingerprint) VALUES (:bucket, :key, :fingerprint) ON CONFLICT DO NOTHING",
    { bucket, key, fingerprint },
  );

/** Whether a file that was found is one that is about to go. */
export const isForetold = async (tx: Tx, { bucket, key, fingerprint }: Removal): Promise<boolean> =>
  (await tx.one("SELECT key FROM s3_removal WHERE bucket = :bucket AND key = :key AND fingerprint = :fingerprint", {
    bucket,
    key,
    fingerprint,
  })) !== undefined;

/** After that transaction, under the key's lock. The note is taken back in the background. */
export async function carryOut(ctx: Context, place: Place, removal: Removal): Promise<void> {
  await discardPlain(place, keyOf(removal.key), removal.fingerprint);
  stateOf(ctx).removals?.forget(place, removal);
}

/** At start: what the last process had no time for. */
export async function carryOutAll(ctx: Context, bucket: BucketRow): Promise<void> {
  const left = await ctx.read((tx) =>
    tx.all<Removal>("SELECT bucket, key, fingerprint FROM s3_removal WHERE bucket = :name", { name: bucket.name }),
  );
  if (left.length === 0) return;
  const place = await placeOf(ctx, bucket);
  for (const removal of left) await discardPlain(place, keyOf(removal.key), removal.fingerprint);
  await takeBack(
    ctx,
    left.map((removal) => ({ place, removal })),
  );
}

interface Done {
  readonly place: Place;
  readonly removal: Removal;
}

/** Takes notes back as files have gone, many at a time: a file that comes back under its old name is not to be removed for one. */
export class Removals {
  readonly #ctx: Context;
  #done: Done[] = [];
  #running: Promise<void> | undefined;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  forget(place: Place, removal: Removal): void {
    this.#done.push({ place, removal });
    this.#running ??= this.#run();
  }

  /** Resolves when no note is left to take back. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (this.#done.length > 0) await takeBack(this.#ctx, this.#done.splice(0));
    } catch (error) {
      // The next start finds the notes, and the files gone.
      this.#ctx.log.warn(`removals could not be concluded: ${error instanceof Error ? error.message : error}`);
    } finally {
      this.#running = undefined;
    }
  }
}

async function takeBack(ctx: Context, done: readonly Done[]): Promise<void> {
  const directories = new Map(
    done.map(({ place, removal }) => [dirname(`${place.root}/${keyOf(removal.key)}`), place.disk]),
  );
  await Promise.all(Array.from(directories, ([directory, disk]) => disk.gone(directory)));
  await ctx.write(async (tx) => {
    for (const { removal } of done)
      await tx.run("DELETE FROM s3_removal WHERE bucket = :bucket AND key = :key AND fingerprint = :fingerprint", {
        ...removal,
      });
  });
}
