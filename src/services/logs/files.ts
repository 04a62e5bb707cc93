// The text of the logs: `logs/groups/<group>/<yyyy-mm-dd>/<stream>.log` of the workspace, an event a line: its time, a space, the message as it came.
// A person may tail and grep them; where each batch begins, and how long its messages are, is in the store.
import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Config } from "../../kernel/mod.ts";
import type { BatchRow, GroupRef } from "./rows.ts";

export interface LogEvent {
  /** ms since the epoch. */
  readonly timestamp: number;
  readonly message: string;
}

/** A file name's limit is 255 bytes. */
const LONGEST_NAME = 200;

/** No group's name has a tilde: what follows one is ours. */
function component(name: string, suffix: string): string {
  const safe = name.replace(/^\.\.?$/, "~$&").replace(/\.log$/, "~$&");
  if (safe === "") return "~";
  if (Buffer.byteLength(safe) + suffix.length <= LONGEST_NAME) return safe + suffix;
  return `${[...safe].slice(0, 50).join("")}~${createHash("sha256").update(name).digest("hex").slice(0, 16)}${suffix}`;
}

/** `/aws/lambda/f` is `aws/lambda/f`. Another name may come to the same: whoever is second gets `~2` (`nth`) behind it. */
export function groupDir(config: Config, { account, region, name }: GroupRef, nth: number): string {
  const home = account === config.account && region === config.region;
  const parts = name.replace(/^\//, "").split("/");
  const path = parts.map((part) => component(part, "")).join("/");
  return `${home ? "" : `~${account}.${region}/`}${path}${nth > 1 ? `~${nth}` : ""}`;
}

/** A slash becomes a hyphen, as in AWS's own exports to S3. */
export const streamFile = (name: string, nth: number): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a stream's name may hold them, a file's had better not
  component(name.replaceAll(/[/\u0000-\u001f\u007f]/g, "-"), nth > 1 ? `~${nth}` : "");

const root = (config: Config): string => join(config.dir, "logs", "groups");

export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** Where a batch's text is. */
export const filePath = (config: Config, of: { dir: string; file: string; day: string }): string =>
  join(root(config), of.dir, of.day, `${of.file}.log`);

export interface Text {
  readonly bytes: Uint8Array;
  /** For the batch's row. */
  readonly sizes: string;
}

const NEWLINE = Buffer.from("\n");

/** A message that ends in a line feed has its own line end. */
export function textOf(events: readonly LogEvent[]): Text {
  const parts: Uint8Array[] = [];
  const sizes: number[] = [];
  for (const { timestamp, message } of events) {
    const bytes = Buffer.from(message);
    const ended = message.endsWith("\n");
    parts.push(Buffer.from(`${new Date(timestamp).toISOString()} `), bytes);
    if (!ended) parts.push(NEWLINE);
    sizes.push(ended ? -bytes.length : bytes.length);
  }
  return { bytes: Buffer.concat(parts), sizes: sizes.join(",") };
}

const TIME_BYTES = 25;

export const bytesOf = (sizes: readonly number[]): number =>
  sizes.reduce((all, size) => all + TIME_BYTES + Math.abs(size) + (size < 0 ? 0 : 1), 0);

/** What a batch's piece of the file holds. undefined in the place of an event whose text is not there: someone has changed the file. */
export function eventsOf(piece: Buffer, sizes: readonly number[]): (LogEvent | undefined)[] {
  let at = 0;
  return sizes.map((size) => {
    const start = at + TIME_BYTES;
    const end = start + Math.abs(size);
    const time = piece.toString("latin1", at, start);
    at = end + (size < 0 ? 0 : 1);
    const isWhole = piece[size < 0 ? end - 1 : end] === NEWLINE[0];
    if (!isWhole || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z $/.test(time)) return undefined;
    return { timestamp: Date.parse(time.slice(0, -1)), message: piece.toString("utf8", start, end) };
  });
}

const waiting = new Map<string, Promise<unknown>>();

/** Appends in turn, and says where it begins. */
export async function append(path: string, bytes: Uint8Array): Promise<number> {
  const before = waiting.get(path);
  const mine = (before ? before.then(passed, passed) : Promise.resolve()).then(() => appendNow(path, bytes));
  waiting.set(path, mine);
  try {
    return await mine;
  } finally {
    if (waiting.get(path) === mine) waiting.delete(path);
  }
}

/** Whoever waits for its turn does not care how the one before ended. */
const passed = (): undefined => undefined;

/** Another process on the same directory may append too: then nobody knows where our bytes came to lie, and they are written once more. */
const TRIES = 20;

async function appendNow(path: string, bytes: Uint8Array): Promise<number> {
  await using file = await openFor(path);
  for (let left = TRIES; left > 0; left--) {
    const { size } = await file.stat();
    await file.writeFile(bytes);
    if ((await file.stat()).size === size + bytes.length) return size;
  }
  throw new Error(`${path} is written by others all the time`);
}

async function openFor(path: string): Promise<FileHandle> {
  try {
    return await open(path, "a");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    await mkdir(dirname(path), { recursive: true });
    return open(path, "a");
  }
}

/** Reads pieces of many files; each is opened once. */
export class Pieces implements AsyncDisposable {
  readonly #files = new Map<string, FileHandle | undefined>();

  async read(path: string, batch: BatchRow, sizes: readonly number[]): Promise<Buffer> {
    const file = await this.#open(path);
    const piece = Buffer.alloc(bytesOf(sizes));
    if (!file) return piece.subarray(0, 0);
    const { bytesRead } = await file.read(piece, 0, piece.length, batch.start);
    return piece.subarray(0, bytesRead);
  }

  async #open(path: string): Promise<FileHandle | undefined> {
    if (this.#files.has(path)) return this.#files.get(path);
    if (this.#files.size >= MOST_OPEN) await this.#close();
    const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined; // someone tidied up
      throw error;
    });
    this.#files.set(path, file);
    return file;
  }

  async #close(): Promise<void> {
    for (const file of this.#files.values()) await file?.close();
    this.#files.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

const MOST_OPEN = 100;

/** Removes a group's text: of one stream, of days up to one, or all. Directories of other groups may lie in this one's. */
export async function removeText(
  config: Config,
  of: { readonly dir: string; readonly file?: string; readonly day?: string },
): Promise<void> {
  const home = join(root(config), of.dir);
  for (const day of await entries(home)) {
    if (!/^\d{4}-\d\d-\d\d$/.test(day) || (of.day !== undefined && day !== of.day)) continue;
    for (const name of await entries(join(home, day)))
      if (name.endsWith(".log") && (of.file === undefined || name === `${of.file}.log`))
        await rm(join(home, day, name), { force: true });
    await unlessFull(join(home, day));
  }
  for (let dir = home; dir.length > root(config).length; dir = dirname(dir)) if (!(await unlessFull(dir))) return;
}

const entries = async (dir: string): Promise<string[]> => {
  try {
    return await readdir(dir);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
};

async function unlessFull(dir: string): Promise<boolean> {
  try {
    await rmdir(dir);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTEMPTY" || code === "ENOENT" || code === "ENOTDIR" || code === "EBUSY") return false;
    throw error;
  }
}
