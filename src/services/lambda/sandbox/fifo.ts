// Pipes for a function's stdout and stderr. Node gives a child socket pairs, and a socket cannot be opened by name: `echo x >/dev/stderr`
// would fail. A FIFO can, also after a change of uid, since its mode is ours to set.
import { execFile } from "node:child_process";
import { closeSync, constants, openSync, renameSync, unlinkSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

export interface Fifo {
  /** Ends when the last process that holds the other end is gone. */
  readonly reader: Socket;
  /** For the child; the host closes its own copy after the spawn. */
  readonly writeFd: number;
}

// mkfifo(1) costs a process: a batch is made ahead of the need.
const BATCH = 32;

export class Fifos {
  readonly #dir: string;
  #names: string[] = [];
  #count = 0;
  #making: Promise<void> | undefined;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async take(): Promise<Fifo> {
    const path = await this.#next();
    const fifo = opened(path);
    unlinkSync(path);
    return fifo;
  }

  /** One that is opened by its name, on the same file system. The host's own copy keeps it from ending before somebody has. */
  async place(at: string): Promise<Fifo> {
    const path = await this.#next();
    const fifo = opened(path);
    renameSync(path, at);
    return fifo;
  }

  async #next(): Promise<string> {
    while (this.#names.length === 0) await this.#make();
    const path = join(this.#dir, this.#names.pop()!);
    if (this.#names.length < BATCH / 4) this.#make().catch(() => undefined); // Whoever finds none left makes them again, and hears why it fails.
    return path;
  }

  #make(): Promise<void> {
    this.#making ??= this.#makeBatch().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  async #makeBatch(): Promise<void> {
    const names = Array.from({ length: BATCH }, () => `fifo-${++this.#count}`);
    await promisify(execFile)("mkfifo", ["-m", "622", ...names], { cwd: this.#dir });
    this.#names.push(...names);
  }
}

function opened(path: string): Fifo {
  const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeFd = openSync(path, constants.O_WRONLY);
  return { reader: new Socket({ fd: readFd, readable: true, writable: false }), writeFd };
}

export const closeWriteEnds = (fifos: readonly Fifo[]): void => {
  for (const fifo of fifos) closeSync(fifo.writeFd);
};
