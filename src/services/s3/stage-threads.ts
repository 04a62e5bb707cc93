// Large bodies are hashed and written by threads of their own: MD5 alone of 5 GB would stop all else for seven seconds, chunk by chunk.
import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Algorithm } from "./checksums.ts";
import { CHUNK } from "./gather.ts";
import type { Digests } from "./hashes.ts";
import type { Order, Report } from "./stage-protocol.ts";

/** From here on handing the bytes over costs less than it saves. */
export const LARGE_BODY = 1024 * 1024;
/** The main thread reads and checks the bodies meanwhile. */
const THREADS = Math.min(4, Math.max(1, availableParallelism() - 1));
/** Bytes of one body that a thread may have before it; the rest waits in the socket. */
const MOST_AHEAD = 4 * CHUNK;

/** A body on its way. Whoever opened it ends it with `finish` or `abandon`: its descriptor is in use until then. */
export interface Handed {
  /** Takes the chunk away where it is all of its buffer. A promise: no more until it resolves. */
  take(chunk: Uint8Array): Promise<void> | undefined;
  /** All is with the kernel. */
  finish(): Promise<Digests>;
  abandon(): Promise<void>;
}

/** `fd` is written from its beginning on. */
export function handOver(fd: number, algorithms: readonly Algorithm[]): Handed {
  const thread = threadWithLeast();
  return thread.open(fd, algorithms);
}

const threads = new Set<StageThread>();

function threadWithLeast(): StageThread {
  const idle = [...threads].find(({ bodies }) => bodies === 0);
  if (idle) return idle;
  if (threads.size < THREADS) {
    const thread = new StageThread((gone) => threads.delete(gone));
    threads.add(thread);
    return thread;
  }
  return [...threads].reduce((least, thread) => (thread.bodies < least.bodies ? thread : least));
}

class StageThread {
  readonly #worker: Worker;
  readonly #bodies = new Map<number, HandedBody>();
  #lastId = 0;

  constructor(onGone: (gone: StageThread) => void) {
    // A checkout runs .ts, the published package .js.
    const extension = extname(fileURLToPath(import.meta.url));
    this.#worker = new Worker(new URL(`./stage-worker${extension}`, import.meta.url));
    this.#worker.on("message", (report: Report) => this.#bodies.get(report.id)?.heard(report));
    const gone = (error: Error) => {
      onGone(this);
      for (const body of this.#bodies.values()) body.lost(error);
      this.#bodies.clear();
    };
    this.#worker.on("error", gone);
    this.#worker.on("exit", () => gone(new Error("the thread that stages bodies has ended")));
    // It holds up no exit. Last: a listener would hold it again.
    this.#worker.unref();
  }

  get bodies(): number {
    return this.#bodies.size;
  }

  open(fd: number, algorithms: readonly Algorithm[]): Handed {
    const id = ++this.#lastId;
    const body = new HandedBody({
      id,
      order: (order, transfer) => this.#worker.postMessage(order, transfer),
      ended: () => this.#bodies.delete(id),
    });
    this.#bodies.set(id, body);
    this.#worker.postMessage({ id, open: { fd, algorithms } } satisfies Order);
    return body;
  }
}

interface Line {
  readonly id: number;
  order(order: Order, transfer?: ArrayBuffer[]): void;
  ended(): void;
}

class HandedBody implements Handed {
  readonly #line: Line;
  readonly #end = Promise.withResolvers<Digests | undefined>();
  #chunks: Uint8Array[] = [];
  #gathered = 0;
  #ahead = 0;
  #room: PromiseWithResolvers<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #open = true;

  constructor(line: Line) {
    this.#line = line;
  }

  take(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#failure) throw this.#failure.error;
    this.#chunks.push(ownBytes(chunk));
    this.#gathered += chunk.length;
    if (this.#gathered < CHUNK) return undefined;
    this.#send();
    if (this.#ahead < MOST_AHEAD) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  async finish(): Promise<Digests> {
    this.#send();
    this.#close("finish");
    const digests = await this.#end.promise;
    if (this.#failure) throw this.#failure.error;
    return digests!;
  }

  /** Resolves when nothing is written any more. */
  async abandon(): Promise<void> {
    this.#close("abandon");
    await this.#end.promise;
  }

  #close(end: "finish" | "abandon"): void {
    if (!this.#open) return;
    this.#open = false;
    this.#line.order({ id: this.#line.id, end });
  }

  heard(report: Report): void {
    if ("taken" in report) {
      this.#ahead -= report.taken;
      if (this.#ahead < MOST_AHEAD) this.#makeRoom();
    } else if ("done" in report) {
      this.#line.ended();
      this.#end.resolve(report.done);
    } else this.#failed(Object.assign(new Error(report.failed.message), { code: report.failed.code }));
  }

  lost(error: Error): void {
    this.#open = false;
    this.#failed(error);
    this.#end.resolve(undefined);
  }

  #failed(error: unknown): void {
    this.#failure ??= { error };
    this.#makeRoom();
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  #send(): void {
    if (this.#chunks.length === 0) return;
    const chunks = this.#chunks;
    this.#ahead += this.#gathered;
    this.#chunks = [];
    this.#gathered = 0;
    this.#line.order(
      { id: this.#line.id, chunks },
      chunks.map(({ buffer }) => buffer as ArrayBuffer),
    );
  }
}

/** A buffer can be given away as a whole only. */
const ownBytes = (chunk: Uint8Array): Uint8Array =>
  chunk.byteLength === chunk.buffer.byteLength && chunk.buffer instanceof ArrayBuffer ? chunk : new Uint8Array(chunk);
