// A thread that hashes large bodies and writes them: the main one goes on serving, and its heap, which is large, is not searched for their chunks again
// and again.
import { parentPort } from "node:worker_threads";
import { Gather } from "./gather.ts";
import { type Hashes, openHashes } from "./hashes.ts";
import type { Order, Report } from "./stage-protocol.ts";

interface Body {
  readonly hashes: Hashes;
  readonly gather: Gather;
  /** Orders are carried out one after the other. */
  last: Promise<void>;
  failed: boolean;
}

const port = parentPort!;
const bodies = new Map<number, Body>();
const say = (report: Report): void => port.postMessage(report);

port.on("message", (order: Order) => {
  if ("open" in order) {
    const { fd, algorithms } = order.open;
    bodies.set(order.id, {
      hashes: openHashes(algorithms),
      gather: new Gather(fd),
      last: Promise.resolve(),
      failed: false,
    });
    return;
  }
  const body = bodies.get(order.id)!;
  body.last = body.last.then(() => ("chunks" in order ? take(order, body) : end(order, body)));
});

async function take({ id, chunks }: Extract<Order, { chunks: unknown }>, body: Body): Promise<void> {
  let taken = 0;
  try {
    for (const chunk of chunks) {
      taken += chunk.length;
      if (body.failed) continue;
      // The write goes on while the chunk is hashed.
      const writing = body.gather.add(chunk);
      body.hashes.update(chunk);
      await writing;
    }
  } catch (error) {
    body.failed = true;
    say({ id, failed: told(error) });
  }
  say({ id, taken });
}

async function end({ id, end }: Extract<Order, { end: unknown }>, body: Body): Promise<void> {
  bodies.delete(id);
  try {
    if (end === "finish") await body.gather.flush();
  } catch (error) {
    say({ id, failed: told(error) });
  }
  await body.gather.idle();
  say({ id, done: end === "finish" ? body.hashes.digest() : undefined });
}

/** An error's code is lost on its way between threads. */
const told = (error: unknown): { message: string; code: string | undefined } => {
  const { message, code } = error as NodeJS.ErrnoException;
  return { message, code };
};
