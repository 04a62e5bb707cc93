// Small bodies are carried by the commit that names them: their bytes lie in the store until the plain files are on the disk, where many arrive
// together, behind the answers. So a put waits for one sync, which it shares, instead of for its file's and then the commit's.
import { constants, readFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { uptime } from "node:os";
import { dirname } from "node:path";
import { type Context, newHex, realNow, type Tx } from "../../kernel/mod.ts";
import type { Disk } from "./durable.ts";
import { is, type Place } from "./files.ts";

/** Beyond, writing the bytes twice takes longer than waiting for the disk. */
export const MAX_CARRIED = 16 * 1024;
/** Their files are synced so often, real time; earlier where so many bytes wait. */
const FLUSH_MS = 500;
const FLUSH_BYTES = 8 * 1024 ** 2;
/** In the store at most: who finds no room waits for the disk as larger bodies do. */
const MOST_BYTES = 64 * 1024 ** 2;
/** So few are synced one by one. More than that at once with all else that the file system has to write. */
const FEW = 16;

/** Those that are synced together. */
export interface Batch {
  readonly id: string;
  /** Changes that may still put bytes into the store under this batch. */
  boarding: number;
  bytes: number;
  readonly keys: Set<string>;
  readonly files: File[];
  /** Resolves when nobody boards any more. */
  readonly full: PromiseWithResolvers<void>;
  closed: boolean;
  /** Set when it is closed; resolves when all is on the disk. */
  flushed: Promise<void> | undefined;
}

interface File {
  readonly place: Place;
  readonly path: string;
}

type Arrived = File & { readonly fingerprint: string };

export interface Carried {
  readonly bucket: string;
  /** As stored. */
  readonly key: string;
  readonly rank: number;
  readonly bytes: Uint8Array;
}

/** In the transaction that writes the object's row. */
export const carry = (tx: Tx, batch: Batch, { bucket, key, rank, bytes }: Carried): Promise<number> =>
  tx.run(
    "INSERT INTO s3_carried (batch, bucket, key, rank, boot, bytes) VALUES (:batch, :bucket, :key, :rank, :boot, :bytes)",
    { batch: batch.id, bucket, key, rank, boot: bootId(), bytes },
  );

export class Carrier {
  readonly #ctx: Context;
  #filling = newBatch();
  /** Objects whose files are not yet on the disk. */
  readonly #aboard = new Map<string, { readonly batch: Batch; readonly fingerprint: string }>();
  #bytes = 0;
  #last: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  /** The batch that takes bytes in; undefined where there is no room. Whoever boards must `leave`, and waits for no `settle` before. */
  board(bytes: number): Batch | undefined {
    if (this.#stopped || this.#bytes + bytes > MOST_BYTES) return undefined;
    const batch = this.#filling;
    batch.boarding++;
    batch.bytes += bytes;
    this.#bytes += bytes;
    this.#timer ??= setTimeout(() => void this.#close(), FLUSH_MS).unref();
    if (batch.bytes >= FLUSH_BYTES) void this.#close();
    return batch;
  }

  /** `file` has its name; undefined: nothing came of it. */
  leave(batch: Batch, { bucket, key, file }: { bucket: string; key: string; file: Arrived | undefined }): void {
    if (file) {
      const name = `${bucket}/${key}`;
      batch.files.push(file);
      batch.keys.add(name);
      this.#aboard.set(name, { batch, fingerprint: file.fingerprint });
    }
    batch.boarding--;
    if (batch.closed && batch.boarding === 0) batch.full.resolve();
  }

  /** Of the plain file of this key, where it is as its row says and not yet on the disk. */
  fingerprintOf(bucket: string, key: string): string | undefined {
    return this.#aboard.get(`${bucket}/${key}`)?.fingerprint;
  }

  /** Resolves when the plain file of this key is on the disk: what does not carry its own bytes must not follow before. */
  async settle(bucket: string, key: string): Promise<void> {
    const batch = this.#aboard.get(`${bucket}/${key}`)?.batch;
    if (batch === this.#filling) this.#close();
    await batch?.flushed;
  }

  /** Resolves when nothing is aboard. */
  async idle(): Promise<void> {
    this.#close();
    await this.#last;
  }

  /** What cannot reach the disk is seen to by the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.idle();
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#filling;
    if (batch.boarding === 0 && batch.files.length === 0) return;
    this.#filling = newBatch();
    batch.closed = true;
    if (batch.boarding === 0) batch.full.resolve();
    batch.flushed = this.#flush(batch, this.#last);
    this.#last = batch.flushed;
  }

  async #flush(batch: Batch, before: Promise<void>): Promise<void> {
    await Promise.all([before, batch.full.promise]);
    try {
      await syncFiles(batch.files);
      await this.#ctx.write((tx) => tx.run("DELETE FROM s3_carried WHERE batch = :batch", { batch: batch.id }));
    } catch (error) {
      await this.#giveUp(batch, error);
    }
    for (const name of batch.keys) if (this.#aboard.get(name)?.batch === batch) this.#aboard.delete(name);
    this.#bytes -= batch.bytes;
  }

  /** A kernel that could not write has dropped what it was to write, and says so once: the bytes in the store are what is left. The next start writes them. */
  async #giveUp(batch: Batch, error: unknown): Promise<void> {
    this.#stopped = true;
    const why = error instanceof Error ? error.message : error;
    this.#ctx.log.error(`${batch.files.length} files may not be on the disk; the next start writes them again: ${why}`);
    try {
      await this.#ctx.write((tx) =>
        tx.run("UPDATE s3_carried SET boot = :lost WHERE batch = :batch", { lost: lostBy(bootId()), batch: batch.id }),
      );
    } catch (error) {
      this.#ctx.log.error(`that could not be noted: ${error instanceof Error ? error.message : error}`);
    }
  }
}

const newBatch = (): Batch => ({
  id: newHex(24),
  boarding: 0,
  bytes: 0,
  keys: new Set(),
  files: [],
  full: Promise.withResolvers(),
  closed: false,
  flushed: undefined,
});

/** Bytes and names. A file that has gone since is not missed: what took it away saw to that. */
export async function syncFiles(files: readonly File[]): Promise<void> {
  const places = new Set(files.map(({ place }) => place));
  const whole = files.length > FEW ? await wholeSync() : undefined;
  if (whole) for (const { root } of places) await whole(root);
  else await syncEach(files);
}

async function syncEach(files: readonly File[]): Promise<void> {
  const directories = new Map(files.map(({ place, path }) => [dirname(path), place.disk]));
  await Promise.all(files.map(({ place, path }) => fileThere(place.disk, path)));
  await Promise.all(Array.from(directories, ([directory, disk]) => disk.gone(directory)));
}

async function fileThere(disk: Disk, path: string): Promise<void> {
  try {
    await disk.file(path);
  } catch (error) {
    if (!is(error, "ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "EACCES")) throw error;
  }
}

type WholeSync = (directory: string) => Promise<void>;
async function openThere(directory: string): Promise<FileHandle | undefined> {
  try {
    return await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (is(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

let loading: Promise<WholeSync | undefined> | undefined;

/** syncfs(2), which Node has not: one sync for thousands of files. Undefined where koffi cannot reach it. */
function wholeSync(): Promise<WholeSync | undefined> {
  loading ??= load();
  return loading;
}

async function load(): Promise<WholeSync | undefined> {
  let syncfs: { async(fd: number, done: (error: Error | null, result: number) => void): void };
  let errno: () => number;
  try {
    const { default: koffi } = await import("koffi");
    syncfs = koffi.load(null).func("int syncfs(int fd)");
    errno = koffi.errno;
  } catch {
    return undefined; // each file by itself, as where they are few
  }
  return async (directory) => {
    const file = await openThere(directory);
    if (!file) return;
    try {
      await new Promise<void>((resolve, reject) => {
        syncfs.async(file.fd, (error, result) =>
          error || result !== 0
            ? reject(error ?? new Error(`syncfs of ${directory} failed (errno ${errno()})`))
            : resolve(),
        );
      });
    } finally {
      await file.close();
    }
  };
}

/** In place of a boot: as long as it runs, the file is not to be trusted, whatever it seems to hold. */
export const lostBy = (boot: string): string => `lost ${boot}`;

let boot: string | undefined;

/** Of this run of the kernel: what it had not written is lost with it. */
export function bootId(): string {
  boot ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return boot;
}

/** Since when; ms, real time. */
export const bootedAt = (): number => realNow() - uptime() * 1000;
