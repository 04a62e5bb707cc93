// A function's log: text files that a person can tail and grep, one a day, in Lambda's own words.
import { appendFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Config } from "../../kernel/mod.ts";
import type { FunctionRef } from "./names.ts";

/** Appends to files without keeping any of them open. */
export class LogFiles implements AsyncDisposable {
  readonly #waiting = new Map<string, { text: string[]; bytes: number; written: Promise<void> }>();
  readonly #onError: (path: string, error: unknown) => void;

  constructor(onError: (path: string, error: unknown) => void) {
    this.#onError = onError;
  }

  /** Queues a line; in order per file. What it returns, if anything, resolves when there is room again: a flooding function waits. */
  append(path: string, line: string): Promise<void> | undefined {
    let file = this.#waiting.get(path);
    if (file) file.text.push(line);
    else {
      file = { text: [line], bytes: 0, written: Promise.resolve() };
      this.#waiting.set(path, file);
      file.written = this.#write(path, file);
    }
    file.bytes += line.length;
    return file.bytes > HIGH_WATER_BYTES ? file.written : undefined;
  }

  /** Resolves when all that was appended so far is in the files. */
  async flushed(): Promise<void> {
    await Promise.all([...this.#waiting.values()].map((file) => file.written));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.flushed();
  }

  async #write(path: string, file: { text: string[]; bytes: number }): Promise<void> {
    // The lines of one turn are one write.
    await Promise.resolve();
    while (file.text.length > 0) {
      const text = `${file.text.join("\n")}\n`;
      file.text = [];
      file.bytes = 0;
      await append(path, text).catch((error) => this.#onError(path, error));
    }
    this.#waiting.delete(path);
  }
}

const HIGH_WATER_BYTES = 1024 * 1024;

async function append(path: string, text: string): Promise<void> {
  try {
    await appendFile(path, text);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    await mkdir(dirname(path), { recursive: true });
    await appendFile(path, text);
  }
}

/** `logs/lambda/NAME/2026-01-13.log` of the workspace. Functions of other accounts and regions have a folder of theirs. */
export function logPath(config: Config, ref: FunctionRef, now: number): string {
  const day = `${new Date(now).toISOString().slice(0, 10)}.log`;
  const home = ref.account === config.account && ref.region === config.region;
  return join(config.dir, "logs", "lambda", ...(home ? [] : [`${ref.account}.${ref.region}`]), ref.name, day);
}

/** One event of the log. Runtimes send the lines of one message with \r between them: a reader wants lines. */
export const logLine = (now: number, text: string): string =>
  `${new Date(now).toISOString()} ${text.replaceAll("\r", "\n")}`;

/** `2026/01/13/[$LATEST]<32 hex>`: one for each execution environment. */
export const logStreamName = (now: number, version: string, id: string): string =>
  `${new Date(now).toISOString().slice(0, 10).replaceAll("-", "/")}/[${version}]${id}`;

/** The last 4 KB of one invocation's log: what LogType Tail answers. */
export class LogTail {
  #lines: string[] = [];
  #bytes = 0;

  add(text: string): void {
    const line = `${text.replaceAll("\r", "\n")}\n`;
    this.#lines.push(line);
    this.#bytes += Buffer.byteLength(line);
    while (this.#lines.length > 1 && this.#bytes - Buffer.byteLength(this.#lines[0]!) >= TAIL_BYTES)
      this.#bytes -= Buffer.byteLength(this.#lines.shift()!);
  }

  /** Base64, as in X-Amz-Log-Result. */
  toBase64(): string {
    return Buffer.from(this.#lines.join("")).subarray(-TAIL_BYTES).toString("base64");
  }
}

const TAIL_BYTES = 4096;
