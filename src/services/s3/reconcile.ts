// Keeps rows and plain files in line. inotify only hints; what counts is the comparison of a file's fingerprint with its row's (taking-in.ts). So an
// own write is no news, a lost hint is made up for by a walk, and a file that came while the process was down is taken in at start.
import { opendir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AwsError, type Context, type Running } from "../../kernel/mod.ts";
import { Carrier } from "./carried.ts";
import { fingerprintAt, is, isDirectory, pathOf, statAt } from "./files.ts";
import { afterPrefix, fitsPath, justAfter, keyOf, keyOfPath, storedKey } from "./keys.ts";
import { recover } from "./recovery.ts";
import { Removals } from "./removals.ts";
import { forgetState, placeOf, type Reconciler, rootOf, stateOf } from "./state.ts";
import { clearSide } from "./sweep.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";
import { takeIn } from "./taking-in.ts";
import { type Hint, openWatcher, type Watcher } from "./watch.ts";
import { temporary } from "./watch-names.ts";

/** Keys that are compared, hashed and committed together. */
const BATCH = 128;
/** A file this large is taken in by itself: small ones do not wait for its hash. */
const LARGE = 4 * 1024 ** 2;
const LARGE_AT_ONCE = 2;
const PAGE = 1000;
/** Before it is tried again what the store, or the disk, would not do. */
const TROUBLE_WAIT_MS = 1_000;

export async function startReconciler(ctx: Context): Promise<Running> {
  forgetState(ctx);
  const buckets = await ctx.read((tx) => tx.all<BucketRow>("SELECT * FROM s3_bucket ORDER BY name"));
  for (const bucket of buckets) await recover(ctx, bucket);
  await ctx.write((tx) => tx.run("DELETE FROM s3_carried WHERE bucket NOT IN (SELECT name FROM s3_bucket)"));
  stateOf(ctx).removals = new Removals(ctx);
  const { durability, databaseUrl } = ctx.config;
  if (durability === "full" && databaseUrl === "") stateOf(ctx).carrier = new Carrier(ctx);
  const reconciler = new FileReconciler(ctx);
  stateOf(ctx).reconciler = reconciler;
  reconciler.begin(buckets);
  return reconciler;
}

interface Watched {
  readonly bucket: BucketRow;
  readonly root: string;
  /** Keys to compare, oldest hint first. */
  readonly waiting: Set<string>;
  busy: boolean;
  large: number;
}

class FileReconciler implements Reconciler, Running {
  readonly #ctx: Context;
  readonly #buckets = new Map<string, Watched>();
  readonly #byRoot = new Map<string, Watched>();
  readonly #tasks = new Set<Promise<unknown>>();
  readonly #watcher: Promise<Watcher>;
  readonly #stop = new AbortController();

  constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#watcher = openWatcher({
      settleMs: ctx.config.settleMs,
      onHint: (hint) => this.#take(hint),
      onNotice: (text) => ctx.log.warn(text),
    });
  }

  /** Requests are answered meanwhile: whatever they touch is compared first. */
  begin(buckets: readonly BucketRow[]): void {
    const startedAt = realNow();
    this.#task(async () => {
      for (const bucket of buckets) {
        await this.#watch(bucket);
        const watched = this.#buckets.get(bucket.name)!;
        const count = await this.#surely(watched, () => this.#walk(watched, { settled: false }));
        if (count)
          this.#ctx.log.info(`bucket ${bucket.name}: ${count} changes while aws-like was not running`, {
            subject: `arn:aws:s3:::${bucket.name}`,
          });
        // Not before the walk, which knows the versions that a crash had set aside.
        if (isDirectory(watched.root)) await this.#surely(watched, () => clearSide(this.#ctx, bucket, startedAt));
      }
    });
  }

  async add(bucket: BucketRow): Promise<void> {
    await this.#watch(bucket);
    await this.#walk(this.#buckets.get(bucket.name)!, { settled: false });
  }

  async remove(name: string): Promise<void> {
    const watched = this.#buckets.get(name);
    if (!watched) return;
    this.#buckets.delete(name);
    this.#byRoot.delete(watched.root);
    await (await this.#watcher).remove(watched.root);
  }

  async check(name: string, key: string): Promise<void> {
    const watched = this.#buckets.get(name);
    const bucket =
      watched?.bucket ??
      (await this.#ctx.read((tx) => tx.one<BucketRow>("SELECT * FROM s3_bucket WHERE name = :name", { name })));
    if (!bucket || this.#stop.signal.aborted) return;
    const place = await placeOf(this.#ctx, bucket);
    if (fitsPath(place.root, key)) await takeIn(this.#ctx, bucket, place, [key]);
  }

  async walk(name: string): Promise<void> {
    const watched = this.#buckets.get(name);
    if (watched) await this.#walk(watched, { settled: true });
  }

  async settled(): Promise<void> {
    await this.#quiet();
    await (await this.#watcher).settled();
    await this.#quiet();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    stateOf(this.#ctx).reconciler = undefined;
    await (await this.#watcher)[Symbol.asyncDispose]();
    await this.#quiet();
    stateOf(this.#ctx).removals = undefined;
    await stateOf(this.#ctx).carrier?.stop();
    stateOf(this.#ctx).carrier = undefined;
  }

  async #quiet(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
    await stateOf(this.#ctx).removals?.idle();
    await stateOf(this.#ctx).carrier?.idle();
  }

  async #watch(bucket: BucketRow): Promise<void> {
    const root = rootOf(this.#ctx, bucket);
    const watched: Watched = { bucket, root, waiting: new Set(), busy: false, large: 0 };
    this.#buckets.set(bucket.name, watched);
    this.#byRoot.set(root, watched);
    try {
      await (await this.#watcher).add(root);
    } catch (error) {
      if (isDirectory(root)) throw error;
      this.#ctx.log.error(`the directory of bucket ${bucket.name} is missing: ${root}`, {
        subject: `arn:aws:s3:::${bucket.name}`,
      });
    }
  }

  #take(hint: Hint): void {
    if (this.#stop.signal.aborted) return;
    if (hint.kind === "directory") return;
    if (hint.kind === "rescan") {
      const watched = this.#byRoot.get(hint.root);
      this.#ctx.log.warn(`${hint.root} is compared file by file: ${hint.reason}`);
      if (watched) this.#task(() => this.#surely(watched, () => this.#walk(watched, { settled: false })));
      return;
    }
    const watched = this.#watchedAt(hint.path);
    if (!watched || hint.path === watched.root) return;
    const path = relative(watched.root, hint.path);
    const key = keyOfPath(path);
    if (key !== undefined) this.#want(watched, key);
    // It may have been a directory, with everything below it.
    if (hint.kind === "gone") this.#task(() => this.#surely(watched, () => this.#wantBelow(watched, `${path}/`)));
  }

  /** The bucket that a path lies in: the nearest of its directories that is a root. */
  #watchedAt(path: string): Watched | undefined {
    for (let at = path; at !== dirname(at); at = dirname(at)) {
      const watched = this.#byRoot.get(at);
      if (watched) return watched;
    }
    return undefined;
  }

  #want(watched: Watched, key: string): void {
    watched.waiting.add(key);
    if (watched.busy) return;
    watched.busy = true;
    this.#task(() => this.#drain(watched));
  }

  /** One batch after the other: while one is committed, the next gathers. */
  async #drain(watched: Watched): Promise<void> {
    try {
      while (watched.waiting.size > 0 && !this.#stop.signal.aborted) {
        const place = await placeOf(this.#ctx, watched.bucket);
        const small: string[] = [];
        for (const key of watched.waiting) {
          if (small.length === BATCH) break;
          const size = statAt(pathOf(place, key, null))?.size ?? 0n;
          if (size >= LARGE) {
            if (watched.large >= LARGE_AT_ONCE) continue;
            watched.large++;
            this.#task(() =>
              this.#surely(watched, () => this.#compare(watched, [key])).finally(() => {
                watched.large--;
                this.#resume(watched);
              }),
            );
          } else small.push(key);
          watched.waiting.delete(key);
        }
        if (small.length === 0) break;
        await this.#surely(watched, () => this.#compare(watched, small));
      }
    } finally {
      watched.busy = false;
    }
  }

  #resume(watched: Watched): void {
    if (watched.busy || watched.waiting.size === 0) return;
    watched.busy = true;
    this.#task(() => this.#drain(watched));
  }

  async #compare(watched: Watched, keys: readonly string[]): Promise<number> {
    const place = await placeOf(this.#ctx, watched.bucket);
    const { count, restless } = await takeIn(this.#ctx, watched.bucket, place, keys);
    // Whoever is writing will close it, and that is a hint; a memory map never does.
    if (restless.length > 0) (await this.#watcher).found(restless.map((key) => `${watched.root}/${key}`));
    return count;
  }

  /** Rows of plain files below what may have been a directory. */
  async #wantBelow(watched: Watched, prefix: string): Promise<void> {
    for await (const keys of this.#plainRows(watched, prefix)) for (const key of keys) this.#want(watched, key);
  }

  /**
   * Files against rows, then rows against files. A file that was changed within the settle time may still be written to: the watcher hints it when
   * nobody has it open. `settled`: all are taken as they are.
   */
  async #walk(watched: Watched, { settled }: { settled: boolean }): Promise<number> {
    if (!isDirectory(watched.root)) return 0;
    let count = 0;
    let batch: string[] = [];
    const young: string[] = [];
    const compare = async () => {
      const keys = batch;
      batch = [];
      if (keys.length > 0) count += await this.#compare(watched, keys);
    };
    for await (const path of filesBelow(watched.root, "", (bad) => this.#notice(watched, bad))) {
      if (this.#stop.signal.aborted) return count;
      const key = keyOfPath(path);
      if (key === undefined) continue;
      if (!settled && this.#isYoung(`${watched.root}/${path}`)) young.push(`${watched.root}/${path}`);
      else if (batch.push(key) === BATCH) await compare();
      if (young.length >= PAGE) (await this.#watcher).found(young.splice(0));
    }
    await compare();
    if (young.length > 0) (await this.#watcher).found(young);
    for await (const keys of this.#plainRows(watched, "")) {
      const gone = keys.filter((key) => fingerprintAt(`${watched.root}/${key}`) === undefined);
      for (let at = 0; at < gone.length && !this.#stop.signal.aborted; at += BATCH)
        count += await this.#compare(watched, gone.slice(at, at + BATCH));
    }
    return count;
  }

  /** Changed within the settle time, or with a name that editors give to what does not stay. */
  #isYoung(path: string): boolean {
    const stat = statAt(path);
    if (!stat) return false;
    const age = realNow() - Number(stat.ctimeMs);
    return age < this.#ctx.config.settleMs || temporary(path.slice(path.lastIndexOf("/") + 1)) === "hold";
  }

  async *#plainRows({ bucket }: Watched, prefix: string): AsyncGenerator<string[]> {
    const stored = storedKey(prefix);
    const until = afterPrefix(stored);
    for (let from = stored; ; ) {
      const rows = await this.#ctx.read((tx) =>
        tx.all<Pick<ObjectRow, "key" | "side">>(
          `SELECT key, side FROM s3_object WHERE bucket = :bucket AND key >= :from AND key < :until AND current = 1 AND delete_marker = 0
             ORDER BY bucket, key LIMIT :count`,
          { bucket: bucket.name, from, until, count: PAGE },
        ),
      );
      yield rows.filter(({ side }) => side === null).map(({ key }) => keyOf(key));
      if (rows.length < PAGE) return;
      from = justAfter(rows.at(-1)!.key);
    }
  }

  #notice({ bucket }: Watched, path: string): void {
    this.#ctx.log.warn(`bucket ${bucket.name}: ${JSON.stringify(path)} is no object: a key is UTF-8`);
  }

  /** A hint comes once: what fails is tried again, for as long as the bucket and its directory are there. */
  async #surely<T>(watched: Watched, work: () => Promise<T>): Promise<T | undefined> {
    for (;;)
      try {
        return await work();
      } catch (error) {
        if (this.#stop.signal.aborted || this.#buckets.get(watched.bucket.name) !== watched) return undefined;
        if (!isDirectory(watched.root)) throw error;
        this.#complain(error, "; trying again");
        await sleep(TROUBLE_WAIT_MS, undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined);
      }
  }

  #complain(error: unknown, next = ""): void {
    const why = error instanceof Error ? error.stack : error;
    this.#ctx.log.error(`files and rows could not be compared: ${why}${next}`);
  }

  #task(work: () => Promise<unknown>): void {
    const task = work().catch((error: unknown) => {
      // A directory that is missing was said to be, and is compared when it is back.
      if (error instanceof AwsError) this.#ctx.log.debug(`not compared: ${error.message}`);
      else if (!this.#stop.signal.aborted) this.#complain(error);
    });
    this.#tasks.add(task);
    void task.then(() => this.#tasks.delete(task));
  }
}

/** The time of the file system's stamps, ms: not the cloud's clock. */
const realNow = (): number => performance.timeOrigin + performance.now();

/** Paths of plain files, relative to the root. Links are not followed, and are no objects. */
export async function* filesBelow(root: string, path: string, onBad: (path: string) => void): AsyncGenerator<string> {
  const directories: string[] = [];
  try {
    for await (const entry of await opendir(join(root, path), { bufferSize: 256 })) {
      const name = path === "" ? entry.name : `${path}/${entry.name}`;
      if (entry.name.includes("\uFFFD")) onBad(name);
      else if (entry.isDirectory()) directories.push(name);
      else if (entry.isFile()) yield name;
    }
  } catch (error) {
    // It went away meanwhile.
    if (!is(error, "ENOENT", "ENOTDIR")) throw error;
  }
  for (const directory of directories) yield* filesBelow(root, directory, onBad);
}
