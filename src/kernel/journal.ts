// What happened, and what caused it: one line of JSON each in logs/journal.ndjson, which `why` reads and anyone may grep.
import { closeSync, createReadStream, fstatSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { KeptTexts } from "./kept-texts.ts";

export interface Entry {
  /** ms since the epoch, on the clock. */
  readonly at: number;
  readonly level: "debug" | "info" | "warn" | "error";
  /** The request, work or event that this belongs to, and what caused that. */
  readonly id: string;
  readonly cause?: string;
  /** What part speaks: `s3`, `lambda`, `door`, `post`. */
  readonly from: string;
  /** One line for people. */
  readonly text: string;
  /** `subject` (an ARN, a path), `tookMs`, `principal`, `decision`... */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** Bound to a context: adds time, id and cause. `debug` goes to the journal only; the others are shown on the terminal too. */
export interface Log {
  debug(text: string, fields?: Record<string, unknown>): void;
  info(text: string, fields?: Record<string, unknown>): void;
  warn(text: string, fields?: Record<string, unknown>): void;
  error(text: string, fields?: Record<string, unknown>): void;
  /** As `debug`, with the fields as the JSON of an object: for who says the same of many requests. */
  record(text: string, fields: string): void;
  /** Keeps a policy's text beside the journal, once, and gives its name: logs/policies/NAME.json. */
  keep(text: string): string;
}

// The newest two files are kept: at most twice this much is on disk and read by `why`.
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const MAX_TEXT = 4096;

/** Lines reach the file at the end of the event loop's turn, in order; a `kill -9` loses at most that turn. */
export class Journal implements AsyncDisposable {
  readonly #path: string;
  readonly #show: (entry: Entry) => void;
  #file: number | undefined;
  #size = 0;
  #pending: string[] = [];
  /** Policies that lines speak of. */
  readonly texts: KeptTexts;

  private constructor(logsDir: string, show: (entry: Entry) => void) {
    this.#path = join(logsDir, "journal.ndjson");
    this.#show = show;
    this.texts = new KeptTexts(join(logsDir, "policies"));
  }

  /** `show` is given what a person should see: all but `debug`. */
  static async open(logsDir: string, show: (entry: Entry) => void): Promise<Journal> {
    const journal = new Journal(logsDir, show);
    journal.#open();
    return journal;
  }

  write(entry: Entry): void {
    const cut = entry.text.length > MAX_TEXT ? { ...entry, text: `${entry.text.slice(0, MAX_TEXT)}...` } : entry;
    this.#append(JSON.stringify(cut));
    if (entry.level !== "debug") this.#show(entry);
  }

  /** An entry that nobody is shown. `fields`: the JSON of an object. */
  record(entry: Omit<Entry, "fields">, fields: string): void {
    this.#append(`${JSON.stringify(entry).slice(0, -1)},"fields":${fields}}`);
  }

  #append(line: string): void {
    if (this.#pending.push(line) === 1) setImmediate(() => this.#flush());
  }

  /** All that is still recorded, or of it what `keep` says, in order. */
  async entries(keep: (entry: Entry) => boolean = () => true): Promise<Entry[]> {
    this.#flush();
    const entries: Entry[] = [];
    for (const path of [this.#old, this.#path])
      for await (const entry of readEntries(path)) if (keep(entry)) entries.push(entry);
    return entries;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#flush();
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** To hand a few lines to the kernel takes microseconds: asking a thread to do it takes many times as long. */
  #flush(): void {
    // Whoever still speaks after the end (a connection that was cut) is not recorded.
    if (this.#pending.length === 0 || this.#file === undefined) return;
    const lines = Buffer.from(`${this.#pending.join("\n")}\n`);
    this.#pending = [];
    try {
      for (let at = 0; at < lines.length; ) at += writeSync(this.#file, lines, at);
      this.#size += lines.length;
      if (this.#size > MAX_FILE_BYTES) this.#rotate();
    } catch (error) {
      // A full disk must not stop the cloud; the next line tries again.
      process.stderr.write(`journal: ${(error as Error).message}\n`);
    }
  }

  #rotate(): void {
    closeSync(this.#file!);
    this.#file = undefined;
    // The old file's last line was written when the present one began: policies that were asked before are in neither any more.
    const began = statSync(this.#old, { throwIfNoEntry: false })?.mtimeMs;
    renameSync(this.#path, this.#old);
    this.#open();
    if (began !== undefined) this.texts.forgetBefore(began);
  }

  #open(): void {
    this.#file = openSync(this.#path, "a");
    this.#size = fstatSync(this.#file).size;
  }

  get #old(): string {
    return `${this.#path}.1`;
  }
}

async function* readEntries(path: string): AsyncGenerator<Entry> {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
  try {
    for await (const line of lines) {
      const entry = parseEntry(line);
      if (entry) yield entry;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error; // not rotated yet
  }
}

/** A line cut short by a crash is no entry. */
function parseEntry(line: string): Entry | undefined {
  try {
    return JSON.parse(line) as Entry;
  } catch {
    return undefined;
  }
}
