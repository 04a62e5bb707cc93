// A bash handler's answer while it is written, where its caller wants a stream: a FIFO lies where the bootstrap would make the file. The
// handler's stdout is then a pipe to here, and the bootstrap knows nothing of it.
import { closeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { Fifos } from "./fifo.ts";
import { LARGEST_STREAM } from "./runtime-api.ts";
import type { ResponseSink } from "./sandbox.ts";

export interface AnswerPipe {
  /** The handler has ended: what it wrote is passed on. A job that it left behind is not waited for, nor who takes it longer than `limitMs`. */
  end(limitMs: number): Promise<{ readonly tooLarge: boolean; readonly late: boolean }>;
}

export async function openAnswerPipe(
  fifos: Fifos,
  { outDir, requestId, sink }: { outDir: string; requestId: string; sink: ResponseSink },
): Promise<AnswerPipe> {
  const { reader, writeFd } = await fifos.place(join(outDir, requestId));
  let length = 0;
  let slow: Promise<void> | undefined;
  let seen = 0;
  reader.on("data", (chunk: Buffer) => {
    seen++;
    if (length === 0) sink.begin(contentTypeOf(chunk));
    length += chunk.length;
    if (length > LARGEST_STREAM) return;
    const wait = sink.write(chunk);
    if (!wait) return;
    reader.pause();
    slow = wait.finally(() => {
      slow = undefined;
      reader.resume();
    });
  });
  const closed = new Promise<void>((resolve) => reader.once("close", resolve));
  return {
    async end(limitMs) {
      closeSync(writeFd);
      const drained = async () => {
        // As of a runtime's output: what was written before the answer is in the pipe, and two turns of the event loop read it.
        for (let before = -1; before !== seen || slow; ) {
          before = seen;
          await slow;
          await turn();
          await turn();
        }
      };
      const late = await Promise.race([
        closed.then(() => false),
        drained().then(() => false),
        sleep(limitMs, true, { ref: false }),
      ]);
      reader.destroy();
      return { tooLarge: length > LARGEST_STREAM, late };
    },
  };
}

const OCTETS = "application/octet-stream";

/** Status and headers may come first, as of other runtimes: JSON and eight zero bytes, in one write. */
const contentTypeOf = (first: Buffer): string =>
  first[0] === 0x7b && first.includes(Buffer.alloc(8)) ? "application/vnd.awslambda.http-integration-response" : OCTETS;
