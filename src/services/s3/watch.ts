// Tells when a file below a directory is finished, or gone: hints, for somebody who compares. Measured against inotifywait and
// fs.watch, inotify spoken to directly was the only way that is exact and knows when it lost something (docs/architecture.md, "S3 is a directory").
//
// What the hints of one act are, and so what whoever compares need not think about:
// - `cp`, `mv`, `touch`, `tar x`, `rsync`, `sed -i`, `vim :w`: one `finished` for the file's final name. Names that these programs
//   give to files that do not stay are in `temporaryNames`.
// - Each close of a file that was open for writing is one `finished`, at once: two appends are two, and so two versions of an object
//   (Linux makes one event of two that follow each other unread).
//   Whoever compares drops what has the fingerprint it knows (a hint may come twice, and late).
// - A rename is a `gone` and a `finished`; of a directory, a `gone`, a `directory` and a `finished` for each file below.
// - `gone` waits for the settle time, and is dropped where the name came back: saving is no removal.
// - Symbolic links are `finished` as themselves; their targets are not followed.
//
// Not reported by Linux, so not seen:
// - what is written into a file that stays open (a log that a program appends to): it is hinted when that program closes it;
// - what is written into a memory map: it is hinted when the map is given up;
// - a change through another hard link of the file, outside the root or in it: the name that was written is hinted, the other is not;
// - a file system that is mounted below a root later, and changes on a network file system by others (such roots are polled);
// - a change of mode, owner or times alone.
import { closeSync, writeSync } from "node:fs";
import { extname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Command, EngineName, Fault, Hint, Report, WorkerOptions } from "./watch-protocol.ts";

export { temporaryDirectories, temporaryNames } from "./watch-names.ts";
export type { Hint } from "./watch-protocol.ts";

export interface Watcher extends AsyncDisposable {
  /** False where a slowly written file may be hinted too early. */
  readonly exact: boolean;
  /**
   * Watches a tree. Resolves when every directory below is watched; from then on nothing is missed. Files that are there already are
   * not hinted. Rejects where it is no directory.
   */
  add(root: string): Promise<void>;
  remove(root: string): Promise<void>;
  /** Files that somebody came across: each is hinted as finished after the settle time, once nobody has it open for writing. */
  found(paths: readonly string[]): void;
  /** Resolves when everything that happened before the call has been hinted; what is still being written is not waited for. */
  settled(): Promise<void>;
}

export interface WatchOptions {
  /** How long a file that was found, not reported as finished, must rest, and a name must be gone. Real time. */
  readonly settleMs: number;
  /** Paths begin with the root as it was added, made absolute. Called in order, on the caller's thread. */
  onHint(hint: Hint): void;
  /** What a person should know: one sentence, said once. */
  onNotice(text: string): void;
  /** Without inotify, or koffi to reach it, `fs.watch` is taken, and a notice says so. */
  readonly engine?: EngineName;
  /** How long a closed file rests whose name is of a kind that does not stay (rsync's, vim's). Default: 2 s. */
  readonly holdMs?: number;
  /** How often is compared what cannot be watched. */
  readonly pollMs?: number;
  /** How often fs.watch is mistrusted. */
  readonly rescanMs?: number;
  /** Beyond so many directories the rest is polled. The kernel has a limit of its own: fs.inotify.max_user_watches. */
  readonly maxWatches?: number;
  /** For tests: is given what makes a fault befall the worker. */
  readonly faults?: (befall: (fault: Fault) => void) => void;
}

export async function openWatcher(options: WatchOptions): Promise<Watcher> {
  const watcher = new WorkerWatcher(options);
  options.faults?.((fault) => watcher.befall(fault));
  await watcher.start();
  return watcher;
}

// A worker that dies so often within so long is not started again: it would do nothing else.
const MOST_DEATHS = 5;
const DEATHS_MS = 60_000;

interface Running {
  readonly worker: Worker;
  readonly ended: Promise<void>;
  readonly wakeFd: number | undefined;
}

interface Asked {
  readonly command: Command;
  resolve(): void;
  reject(error: Error): void;
}

class WorkerWatcher implements Watcher {
  readonly #options: WatchOptions;
  readonly #roots = new Set<string>();
  // Commands that wait for their answers. A worker that is started anew is asked them again.
  readonly #asked = new Map<number, Asked>();
  #lastId = 0;
  #running: Running | undefined;
  #engine: EngineName = "inotify";
  #closed = false;
  #deaths: number[] = [];

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  get exact(): boolean {
    return this.#engine === "inotify";
  }

  async add(root: string): Promise<void> {
    const path = resolve(root);
    await this.#ask({ do: "add", id: this.#newId(), root: path, again: false });
    this.#roots.add(path);
  }

  remove(root: string): Promise<void> {
    const path = resolve(root);
    this.#roots.delete(path);
    return this.#ask({ do: "remove", id: this.#newId(), root: path });
  }

  found(paths: readonly string[]): void {
    this.#send({ do: "found", paths });
  }

  settled(): Promise<void> {
    return this.#ask({ do: "settle", id: this.#newId() });
  }

  befall(fault: Fault): void {
    this.#send({ do: "befall", fault });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#send({ do: "stop" });
    await this.#running?.ended;
    this.#rejectAll("the watcher was closed");
  }

  /** Resolves when the worker listens. */
  start(): Promise<void> {
    const { engine = "inotify", settleMs, holdMs = 2_000, pollMs = 1_000 } = this.#options;
    const { rescanMs = 30_000, maxWatches = Infinity } = this.#options;
    const workerData: WorkerOptions = { engine, settleMs, holdMs, pollMs, rescanMs, maxWatches };
    // A checkout runs .ts, the published package .js.
    const extension = extname(fileURLToPath(import.meta.url));
    const worker = new Worker(new URL(`./watch-worker${extension}`, import.meta.url), { workerData });
    const listening = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    let fds: readonly number[] | undefined;
    let reason = "it ended";
    worker.on("message", (report: Report) => {
      if ("ready" in report) {
        fds = report.fds;
        this.#engine = report.ready;
        this.#running = { worker, ended: ended.promise, wakeFd: report.wakeFd };
        listening.resolve();
      } else this.#heard(report);
    });
    worker.on("error", (error) => {
      reason = String(error);
    });
    worker.on("exit", () => {
      // Closed here and nowhere else: a number that is closed twice may be somebody else's by then.
      for (const fd of fds ?? []) closeSync(fd);
      this.#running = undefined;
      listening.reject(new Error(`the watcher's worker did not start: ${reason}`));
      ended.resolve();
      if (!this.#closed && fds) this.#died(reason);
    });
    return listening.promise;
  }

  #heard(report: Exclude<Report, { readonly ready: EngineName }>): void {
    if (this.#closed && !("answer" in report)) return;
    if ("hints" in report) for (const hint of report.hints) this.#options.onHint(hint);
    else if ("notice" in report) this.#options.onNotice(report.notice);
    else {
      const asked = this.#asked.get(report.answer);
      this.#asked.delete(report.answer);
      if (report.error === undefined) asked?.resolve();
      else asked?.reject(new Error(report.error));
    }
  }

  #newId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #ask(command: Command & { readonly id: number }): Promise<void> {
    if (this.#closed) return Promise.reject(new Error("the watcher is closed"));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#asked.set(command.id, { command, resolve, reject });
    this.#send(command);
    return promise;
  }

  #send(command: Command): void {
    if (!this.#running) return; // between two workers: questions are asked again, everything else is found by comparing
    this.#running.worker.postMessage(command);
    if (this.#running.wakeFd !== undefined) writeSync(this.#running.wakeFd, WAKE);
  }

  #rejectAll(reason: string): void {
    for (const { reject } of this.#asked.values()) reject(new Error(reason));
    this.#asked.clear();
  }

  /** Starts anew, and has everything compared: what happened meanwhile was seen by nobody. */
  async #died(reason: string): Promise<void> {
    const now = performance.now();
    this.#deaths = [...this.#deaths.filter((at) => now - at < DEATHS_MS), now];
    if (this.#deaths.length > MOST_DEATHS) this.#giveUp(reason);
    else {
      this.#options.onNotice(`the watcher's worker died (${reason}): it is started again, and everything is compared`);
      await this.start().then(
        () => this.#resume(),
        (error) => this.#giveUp(String(error)),
      );
    }
  }

  async #resume(): Promise<void> {
    const unanswered = [...this.#asked.values()];
    const roots = [...this.#roots];
    for (const root of roots) {
      try {
        await this.#ask({ do: "add", id: this.#newId(), root, again: true });
        this.#options.onHint({ kind: "rescan", root, reason: "the watcher's worker died" });
      } catch (error) {
        this.#options.onNotice(`${root} is no longer watched: ${String(error)}`);
      }
    }
    for (const { command } of unanswered) this.#send(command);
  }

  #giveUp(reason: string): void {
    this.#closed = true;
    this.#rejectAll(`the watcher has ended: ${reason}`);
    this.#options.onNotice(
      `the watcher has ended (${reason}): changes of files are no longer seen until the next start`,
    );
  }
}

// What an eventfd is given to be readable: a count of one.
const WAKE = new BigUint64Array([1n]);
