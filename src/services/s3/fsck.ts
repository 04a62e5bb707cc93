// `aws-like fsck`: every row held against its file, every file against its row, all bytes against their ETags; and what is wrong mended where it can be.
// Where requests are answered meanwhile, what looks wrong is looked at again a moment later: it may have been under way.
import { lstat, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Checked, type CheckOptions, type Context, realNow } from "../../kernel/mod.ts";
import { tornFiles } from "./carried-recovery.ts";
import { remove } from "./change.ts";
import {
  copyFile,
  copyToSide,
  discard,
  discardPlain,
  findSeat,
  fingerprintAt,
  isDirectory,
  type Place,
  pathOf,
  plainFingerprint,
  stagePath,
} from "./files.ts";
import { type Fault, faultOf, faults, isSoundPart } from "./fsck-rows.ts";
import { keyOf, keyOfPath, storedKey } from "./keys.ts";
import { filesBelow } from "./reconcile.ts";
import { follow } from "./recovery.ts";
import { carryOutAll, isForetold, type Removal } from "./removals.ts";
import { newStage } from "./staging.ts";
import { placeOf, rootOf, stateOf, systemOf } from "./state.ts";
import { namesIn, unnamedSides } from "./sweep.ts";
import type { BucketRow, ObjectRow, PartRow } from "./tables.ts";
import { takeIn } from "./taking-in.ts";
import { isPlain, promote } from "./versions.ts";

const PAGE = 500;
/** Between the first look and the second. */
const PATIENCE_MS = 500;
/** A file that is being uploaded has no row yet. */
const UPLOAD_MS = 60 * 60_000;

export async function* check(ctx: Context, options: CheckOptions): AsyncGenerator<Checked> {
  const buckets = await ctx.read((tx) => tx.all<BucketRow>("SELECT * FROM s3_bucket ORDER BY name"));
  for (const bucket of buckets) yield* new BucketCheck(ctx, bucket, options).run();
  yield* partsOfNone(ctx, options);
  const names = new Set(buckets.map(({ name }) => name));
  for (const name of await namesIn(systemOf(ctx)))
    if (!names.has(name)) {
      const home = join(systemOf(ctx), name);
      yield await mended(options, home, "home", () => rm(home, { recursive: true, force: true }));
    }
}

async function mended(
  { repair }: CheckOptions,
  subject: string,
  fault: Fault,
  mend: (() => Promise<unknown>) | undefined,
): Promise<Checked> {
  const [problem, remedy] = faults[fault];
  const repaired = repair && remedy !== undefined && mend !== undefined;
  if (repaired) await mend();
  return { subject, problem, ...(remedy !== undefined && { remedy }), repaired };
}

async function* partsOfNone(ctx: Context, options: CheckOptions): AsyncGenerator<Checked> {
  const parts = await ctx.read((tx) =>
    tx.all<PartRow>(
      "SELECT * FROM s3_part WHERE upload_id NOT IN (SELECT upload_id FROM s3_upload) ORDER BY upload_id, number",
    ),
  );
  for (const part of parts)
    yield await mended(options, `part ${part.number} of ${part.upload_id}`, "partOfNone", () => forgetPart(ctx, part));
}

const forgetPart = (ctx: Context, { upload_id, number, side }: PartRow): Promise<number> =>
  ctx.write((tx) =>
    tx.run("DELETE FROM s3_part WHERE upload_id = :upload_id AND number = :number AND side = :side", {
      upload_id,
      number,
      side,
    }),
  );

class BucketCheck {
  readonly #ctx: Context;
  readonly #bucket: BucketRow;
  readonly #options: CheckOptions;
  /** Stored keys whose files are said to be torn already. */
  readonly #torn = new Set<string>();

  constructor(ctx: Context, bucket: BucketRow, options: CheckOptions) {
    this.#ctx = ctx;
    this.#bucket = bucket;
    this.#options = options;
  }

  async *run(): AsyncGenerator<Checked> {
    const [ctx, bucket] = [this.#ctx, this.#bucket];
    if (!isDirectory(rootOf(ctx, bucket))) {
      yield await mended(this.#options, `s3://${bucket.name}`, "root", undefined);
      return;
    }
    const place = await placeOf(ctx, bucket);
    yield* this.#removals(place);
    yield* this.#carried(place);
    yield* this.#rows(place);
    yield* this.#files(place);
    yield* this.#parts(place);
    const before = this.#options.running ? realNow() - UPLOAD_MS : Number.POSITIVE_INFINITY;
    for await (const path of unnamedSides(ctx, bucket, before)) yield await this.#unnamed(path);
    yield* this.#stage(place, before);
  }

  /** A running cloud carries them out as it goes. */
  async *#removals(place: Place): AsyncGenerator<Checked> {
    if (this.#options.running) return;
    const [ctx, bucket] = [this.#ctx, this.#bucket];
    const left = await ctx.read((tx) =>
      tx.all<Removal>("SELECT bucket, key, fingerprint FROM s3_removal WHERE bucket = :name ORDER BY key", {
        name: bucket.name,
      }),
    );
    for (const { key, fingerprint } of left)
      if (plainFingerprint(place, keyOf(key)) === fingerprint)
        yield await mended(this.#options, this.#name(key), "leaving", () =>
          discardPlain(place, keyOf(key), fingerprint),
        );
    if (this.#options.repair) await carryOutAll(ctx, bucket);
  }

  /** What a loss of power took and the commit still has. Of a running cloud, its start saw to them. */
  async *#carried(place: Place): AsyncGenerator<Checked> {
    if (this.#options.running) return;
    for await (const { key, mend } of tornFiles(this.#ctx, this.#bucket, place)) {
      this.#torn.add(key);
      yield await mended(this.#options, this.#name(key), "torn", mend);
    }
    if (this.#options.repair) this.#torn.clear();
  }

  async *#rows(place: Place): AsyncGenerator<Checked> {
    let after = { key: "", rank: Number.MIN_SAFE_INTEGER };
    let last: string | undefined;
    for (;;) {
      const rows = await this.#ctx.read((tx) =>
        tx.all<ObjectRow>(
          `SELECT * FROM s3_object WHERE bucket = :bucket AND (key, rank) > (:key, :rank) ORDER BY bucket, key, rank LIMIT :count`,
          { bucket: this.#bucket.name, key: after.key, rank: after.rank, count: PAGE },
        ),
      );
      for (const row of rows) {
        const fault = this.#torn.has(row.key) ? undefined : await faultOf(place, row, last);
        if (fault) yield* this.#again(place, row, last);
        last = row.key;
      }
      yield { objects: rows.length, bytes: rows.reduce((sum, { size }) => sum + size, 0) };
      if (rows.length < PAGE) return;
      after = rows.at(-1)!;
    }
  }

  /** The row as it is now, under the key's lock: nobody changes it meanwhile. */
  async *#again(place: Place, { bucket, key, rank }: ObjectRow, last: string | undefined): AsyncGenerator<Checked> {
    if (this.#options.running) await sleep(PATIENCE_MS);
    const found = await stateOf(this.#ctx).locks.hold(bucket, keyOf(key), async () => {
      const row = await this.#ctx.read((tx) =>
        tx.one<ObjectRow>("SELECT * FROM s3_object WHERE bucket = :bucket AND key = :key AND rank = :rank", {
          bucket,
          key,
          rank,
        }),
      );
      const fault = row && (await faultOf(place, row, last));
      if (!fault) return undefined;
      const mend = locked[fault]?.(this.#ctx, place, row);
      const checked = mend && (await mended(this.#options, this.#name(key, row), fault, mend));
      return { row, fault, checked };
    });
    if (!found) return;
    const { row, fault } = found;
    yield found.checked ??
      (await mended(this.#options, this.#name(key, row), fault, () => this.#mend(place, row, fault)));
  }

  /** What takes the key's lock itself. */
  async #mend(place: Place, row: ObjectRow, fault: Fault): Promise<void> {
    const [ctx, bucket] = [this.#ctx, this.#bucket];
    if (fault === "lost") {
      const origin = { address: "127.0.0.1" };
      await remove(ctx, { bucket, key: keyOf(row.key), versionId: row.version_id, origin });
      return;
    }
    // Size and time are those of the row: it has to forget them for the file to be news.
    if (fault === "altered") await setFingerprint(ctx, row, "");
    await takeIn(ctx, bucket, place, [keyOf(row.key)]);
  }

  async *#files(place: Place): AsyncGenerator<Checked> {
    for await (const path of filesBelow(place.root, "", () => undefined)) {
      const key = keyOfPath(path);
      if (key === undefined || !(await this.#isStrange(place, key))) continue;
      if (this.#options.running) {
        await sleep(PATIENCE_MS);
        if (!(await this.#isStrange(place, key))) continue;
      }
      yield await mended(this.#options, this.#name(storedKey(key)), "strange", () =>
        takeIn(this.#ctx, this.#bucket, place, [key]),
      );
    }
  }

  /** No row says that its bytes are this file; one that says so was looked at. */
  async #isStrange(place: Place, key: string): Promise<boolean> {
    const fingerprint = fingerprintAt(pathOf(place, key, null));
    if (fingerprint === undefined) return false;
    const stored = storedKey(key);
    const { name } = this.#bucket;
    return await this.#ctx.read(async (tx) => {
      const row = await tx.one<ObjectRow>(
        "SELECT side, delete_marker FROM s3_object WHERE bucket = :name AND key = :stored ORDER BY rank LIMIT 1",
        { name, stored },
      );
      if (row && isPlain(row)) return false;
      return !(await isForetold(tx, { bucket: name, key: stored, fingerprint }));
    });
  }

  async *#parts(place: Place): AsyncGenerator<Checked> {
    const { name } = this.#bucket;
    let after = { upload_id: "", number: 0 };
    for (;;) {
      const parts = await this.#ctx.read((tx) =>
        tx.all<PartRow & { key: string }>(
          `SELECT part.*, upload.key FROM s3_part part JOIN s3_upload upload ON upload.upload_id = part.upload_id
           WHERE upload.bucket = :name AND (part.upload_id, part.number) > (:upload_id, :number)
           ORDER BY part.upload_id, part.number LIMIT :count`,
          { name, upload_id: after.upload_id, number: after.number, count: PAGE },
        ),
      );
      for (const part of parts) {
        if (await isSoundPart(place, part)) continue;
        // It was replaced, completed or aborted meanwhile.
        if (this.#options.running && !(await this.#isStill(part))) continue;
        const subject = `${this.#name(part.key)} (part ${part.number} of upload ${part.upload_id})`;
        yield await mended(this.#options, subject, "part", async () => {
          await forgetPart(this.#ctx, part);
          await discard(pathOf(place, "", part.side));
        });
      }
      if (parts.length < PAGE) return;
      after = parts.at(-1)!;
    }
  }

  async #isStill({ upload_id, number, side }: PartRow): Promise<boolean> {
    await sleep(PATIENCE_MS);
    const row = await this.#ctx.read((tx) =>
      tx.one("SELECT side FROM s3_part WHERE upload_id = :upload_id AND number = :number AND side = :side", {
        upload_id,
        number,
        side,
      }),
    );
    return row !== undefined;
  }

  async *#stage(place: Place, before: number): AsyncGenerator<Checked> {
    for (const name of await readdir(stagePath(place, ""))) {
      const path = stagePath(place, name);
      const stat = await lstat(path).catch(() => undefined); // it took its place
      if (!stat || stat.ctimeMs >= before) continue;
      const row = await this.#ctx.read((tx) =>
        tx.one("SELECT key FROM s3_object WHERE bucket = :bucket AND staged = :name AND current = 1", {
          bucket: this.#bucket.name,
          name,
        }),
      );
      // Its row was looked at.
      if (!row) yield await this.#unnamed(path);
    }
  }

  #unnamed(path: string): Promise<Checked> {
    return mended(this.#options, path, "unnamed", () => discard(path));
  }

  #name(stored: string, row?: ObjectRow): string {
    const version = row && row.version_id !== "null" ? ` (version ${row.version_id})` : "";
    return `s3://${this.#bucket.name}/${keyOf(stored)}${version}`;
  }
}

/** What is mended while the key's lock is held. */
const locked: Partial<Record<Fault, (ctx: Context, place: Place, row: ObjectRow) => () => Promise<unknown>>> = {
  unfinished: (ctx, place, row) => () => follow(ctx, place, row),
  restorable: (ctx, place, row) => () => restore(ctx, place, row),
  guard: (ctx, place, row) => async () => {
    const guard = await copyToSide(pathOf(place, keyOf(row.key), null), place);
    await ctx.write((tx) =>
      tx.run("UPDATE s3_object SET guard = :guard WHERE bucket = :bucket AND key = :key AND rank = :rank", {
        ...named(row),
        guard,
      }),
    );
    if (row.guard !== null) await discard(pathOf(place, keyOf(row.key), row.guard));
  },
  notCurrent: (ctx, _, row) => () =>
    ctx.write((tx) =>
      tx.run(
        `UPDATE s3_object SET current = CASE WHEN rank = (SELECT MIN(newest.rank) FROM s3_object newest
           WHERE newest.bucket = :bucket AND newest.key = :key) THEN 1 ELSE 0 END WHERE bucket = :bucket AND key = :key`,
        { bucket: row.bucket, key: row.key },
      ),
    ),
};

/** A copy of the guard takes the place of the file. */
async function restore(ctx: Context, place: Place, row: ObjectRow): Promise<void> {
  const key = keyOf(row.key);
  const path = stagePath(place, newStage());
  await copyFile(pathOf(place, key, row.guard), path);
  await Promise.all([place.disk.file(path), place.disk.names(dirname(path))]);
  const fingerprint = fingerprintAt(path)!;
  const seat = await findSeat(place, key, path);
  await ctx.write((tx) => promote(tx, row, { ...seat, guard: row.guard, fingerprint }));
  await follow(ctx, place, { ...row, ...seat });
}

const setFingerprint = (ctx: Context, row: ObjectRow, fingerprint: string): Promise<number> =>
  ctx.write((tx) =>
    tx.run("UPDATE s3_object SET fingerprint = :fingerprint WHERE bucket = :bucket AND key = :key AND rank = :rank", {
      ...named(row),
      fingerprint,
    }),
  );

const named = ({ bucket, key, rank }: ObjectRow) => ({ bucket, key, rank });
