// Bytes on their way in: staged as they stream, hashed meanwhile, joined from parts; and files hashed where they lie.
import { closeSync, constants, fstatSync, mkdirSync, open, openSync, read, readSync, writeSync } from "node:fs";
import * as fs from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { newHex } from "../../kernel/mod.ts";
import { MAX_CARRIED } from "./carried.ts";
import type { Algorithm } from "./checksums.ts";
import { errors } from "./errors.ts";
import { copyFile, fingerprintOf, is, NO_LINKS, type Place, stagePath } from "./files.ts";
import { CHUNK, Gather } from "./gather.ts";
import { type Digests, digestsOf, openHashes } from "./hashes.ts";
import type { Seal } from "./sse-c.ts";
import { type Handed, handOver, LARGE_BODY } from "./stage-threads.ts";

/** Written completely, hashed, not yet anybody's. */
export interface Staged extends Digests {
  readonly path: string;
  readonly size: number;
  readonly fingerprint: string;
  /** What was written, where it is not on the disk. */
  readonly bytes?: Uint8Array;
}

export interface StageOptions {
  readonly algorithms: readonly Algorithm[];
  /** Bytes that were announced: more or fewer is IncompleteBody. */
  readonly length?: number | undefined;
  readonly maxLength: number;
  /** Hashed are the plain bytes, written the sealed ones. */
  readonly seal?: Seal | undefined;
  /** What is small enough for a commit to carry is not waited for. */
  readonly carry?: boolean;
}

export const newStage = (): string => newHex(24);

/** A small body in one piece; a larger one streams with backpressure: one chunk is held, and what is gathered for one write. */
export async function stage(
  place: Place,
  body: Readable | Uint8Array | undefined,
  options: StageOptions,
): Promise<Staged> {
  const { length } = options;
  if (length === undefined || length > SMALL) return await stageStream(place, body, options);
  return await stageWhole(place, await collect(body, length), options);
}

/** Throws IncompleteBody where there are more bytes than were announced, or fewer. */
async function collect(body: Readable | Uint8Array | undefined, length: number): Promise<Uint8Array> {
  let whole: Uint8Array;
  if (body instanceof Uint8Array) whole = body;
  else if (!body) whole = new Uint8Array();
  else whole = await collectStream(body, length);
  if (whole.length !== length) throw errors.incompleteBody();
  return whole;
}

/** By its events: an iterator costs as much as all else that is done to a small body. */
function collectStream(body: Readable, length: number): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const chunks: Buffer[] = [];
  let size = 0;
  const fail = (error: Error | null) => reject(!error || is(error, ...CUT_SHORT) ? errors.incompleteBody() : error);
  body.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > length) reject(errors.incompleteBody());
    else chunks.push(chunk);
  });
  body.on("end", () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)));
  body.on("error", fail);
  body.on("close", () => body.readableEnded || fail(body.errored));
  if (body.destroyed) fail(body.errored);
  return promise;
}

/** On this thread: a file that is not waited for is made in less time than it takes to ask another. */
async function stageWhole(place: Place, whole: Uint8Array, options: StageOptions): Promise<Staged> {
  if (whole.length > options.maxLength) throw errors.entityTooLarge(whole.length, options.maxLength);
  const path = stagePath(place, newStage());
  const bytes = options.seal ? options.seal.update(whole) : whole;
  const carried = options.carry === true && bytes.length <= MAX_CARRIED;
  const digests = digestsOf(whole, options.algorithms);
  const fd = carried ? createStage(path) : await openStage(path);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    if (!carried) await synced(place, fd, path);
    const fingerprint = fingerprintOf(fstatSync(fd, { bigint: true }));
    return { path, size: whole.length, fingerprint, ...digests, ...(carried && { bytes }) };
  } catch (error) {
    await fs.rm(path, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

const synced = (place: Place, fd: number, path: string): Promise<unknown> =>
  Promise.all([place.disk.bytes(fd), place.ordered || place.disk.names(dirname(path))]);

async function stageStream(
  place: Place,
  body: Readable | Uint8Array | undefined,
  options: StageOptions,
): Promise<Staged> {
  const path = stagePath(place, newStage());
  const fd = await openStage(path);
  const sink = body instanceof Readable && isLarge(options) ? handOver(fd, options.algorithms) : here(fd, options);
  try {
    let size = 0;
    const take = (chunk: Uint8Array): Promise<void> | undefined => {
      size += chunk.length;
      if (size > options.maxLength) throw errors.entityTooLarge(size, options.maxLength);
      return sink.take(chunk);
    };
    if (body instanceof Uint8Array) await take(body);
    // A program that calls us by itself may give a stream of texts.
    else if (body) for await (const chunk of body) await take(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
    if (options.length !== undefined && size !== options.length) throw errors.incompleteBody();
    const digests = await sink.finish();
    await synced(place, fd, path);
    return { path, size, fingerprint: fingerprintOf(fstatSync(fd, { bigint: true })), ...digests };
  } catch (error) {
    await fs.rm(path, { force: true });
    throw is(error, ...CUT_SHORT) ? errors.incompleteBody() : error;
  } finally {
    // Nothing writes to a descriptor that is closed: its number may be another file's by then.
    await sink.abandon();
    closeSync(fd);
  }
}

/** The seal's state stays on this thread. */
const isLarge = ({ length = LARGE_BODY, seal }: StageOptions): boolean => length >= LARGE_BODY && !seal;

/** Hashed on this thread. */
function here(fd: number, { algorithms, seal }: StageOptions): Handed {
  const hashes = openHashes(algorithms);
  const gather = new Gather(fd);
  return {
    take(chunk) {
      hashes.update(chunk);
      return gather.add(seal ? seal.update(chunk) : chunk);
    },
    async finish() {
      await gather.flush();
      return hashes.digest();
    },
    abandon: () => gather.idle(),
  };
}

/** Bytes of another file, as a new staged file; `open` makes them plain. */
export async function stageExtent(
  place: Place,
  {
    path,
    start,
    end,
    open,
  }: { path: string; start: number; end: number; open?: ((chunk: Uint8Array) => Uint8Array) | undefined },
  { algorithms, seal }: Pick<StageOptions, "algorithms" | "seal">,
): Promise<Staged> {
  const bytes = readFile(path, start, end);
  const body = Readable.from(open ? mapped(bytes, open) : bytes, { objectMode: false });
  return await stage(place, body, { algorithms, length: end - start, maxLength: Number.MAX_SAFE_INTEGER, seal });
}

async function* mapped(
  chunks: AsyncIterable<Uint8Array>,
  by: (chunk: Uint8Array) => Uint8Array,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield by(chunk);
}

/** Whole files, one after the other, as a new staged file: their hashes are known already. One alone is not copied. */
export async function stageJoined(
  place: Place,
  paths: readonly string[],
): Promise<{ path: string; size: number; fingerprint: string }> {
  const path = stagePath(place, newStage());
  try {
    if (paths.length === 1) await linkOrCopy(paths[0]!, path);
    else {
      await copyFile(paths[0]!, path);
      const file = await fs.open(path, "a");
      try {
        // Unlike write, it goes on where a disk that is nearly full took less than all.
        for (const part of paths.slice(1)) await file.writeFile(readFile(part, 0, Number.MAX_SAFE_INTEGER));
      } finally {
        await file.close();
      }
    }
    await Promise.all([place.disk.file(path), place.disk.names(dirname(path))]);
    const stat = await fs.stat(path, { bigint: true });
    return { path, size: Number(stat.size), fingerprint: fingerprintOf(stat) };
  } catch (error) {
    await fs.rm(path, { force: true });
    throw error;
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await fs.link(from, to);
  } catch (error) {
    if (!is(error, ...NO_LINKS)) throw error;
    await copyFile(from, to);
  }
}

async function* readFile(path: string, start: number, end: number): AsyncGenerator<Uint8Array> {
  const file = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (let at = start; at < end; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK, end - at));
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Whoever sent it went away in the middle. */
const CUT_SHORT = ["ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE"] as const;

const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

function createStage(path: string): number {
  try {
    return openSync(path, NEW, 0o644);
  } catch (error) {
    if (!is(error, "ENOENT")) throw error;
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, NEW, 0o644);
  }
}

/** Asked of a thread: while the disk writes its journal, a name is not made before that is done. */
async function openStage(path: string): Promise<number> {
  try {
    return await openFile(path, NEW, 0o644);
  } catch (error) {
    // Somebody cleared the home: it is ours to make again.
    if (!is(error, "ENOENT")) throw error;
    await fs.mkdir(dirname(path), { recursive: true });
    return await openFile(path, NEW, 0o644);
  }
}

/** A descriptor, not fs.promises' handle: what is small is written at once. */
const openFile = promisify(open);

/** Hashes a file that may be written to meanwhile: undefined where it was, or is no plain file. */
export async function hashFile(
  path: string,
  algorithms: readonly Algorithm[],
): Promise<Omit<Staged, "path"> | undefined> {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (is(error, "ENOENT", "ENOTDIR", "ELOOP", "ENXIO")) return undefined;
    throw error;
  }
  try {
    const before = fstatSync(fd, { bigint: true });
    if (!before.isFile()) return undefined;
    const hashes = openHashes(algorithms);
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, Number(before.size) + 1));
    let size = 0;
    for (let count = -1; count !== 0; size += count) {
      // A small file is in memory: reading it takes less than asking a thread to.
      count = before.size < SMALL ? readSync(fd, buffer, 0, buffer.length, size) : await readChunk(fd, buffer, size);
      hashes.update(buffer.subarray(0, count));
    }
    const fingerprint = fingerprintOf(fstatSync(fd, { bigint: true }));
    if (fingerprint !== fingerprintOf(before) || BigInt(size) !== before.size) return undefined;
    return { fingerprint, size, ...hashes.digest() };
  } finally {
    closeSync(fd);
  }
}

const SMALL = 64 * 1024;

const readChunk = (fd: number, buffer: Uint8Array, at: number): Promise<number> =>
  new Promise((resolve, reject) => {
    read(fd, buffer, 0, buffer.length, at, (error, count) => (error ? reject(error) : resolve(count)));
  });
