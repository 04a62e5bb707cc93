// A streamed answer on its way from the sandbox to whoever asked for it: as fast as it is read, with no more than one chunk in memory.
import { PassThrough } from "node:stream";
import type { Outcome } from "./runtime.ts";
import type { ResponseSink } from "./sandbox/sandbox.ts";

export class ResponseStream implements ResponseSink {
  readonly body: PassThrough;
  /** Resolves with the content type when the runtime begins to stream. */
  readonly begun: Promise<string>;
  readonly #begin: (contentType: string) => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.begun = promise;
    this.#begin = resolve;
    this.body = new PassThrough();
  }

  begin(contentType: string): void {
    this.#begin(contentType);
  }

  /** A caller who went away does not stop the function, as on AWS: the rest is thrown away. */
  write(chunk: Uint8Array): void | Promise<void> {
    const { body } = this;
    if (body.destroyed || body.write(chunk)) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    body.on("drain", resolve).on("close", resolve);
    return promise.then(() => void body.off("drain", resolve).off("close", resolve));
  }
}

export interface Streamed {
  /** Undefined: the function answered all at once, and `outcome` has it. */
  readonly contentType: string | undefined;
  readonly body: PassThrough;
  readonly outcome: Promise<Outcome>;
}

/** Runs, and resolves when the answer begins. Rejects where the function could not be run. The body ends before `outcome` is known. */
export async function streamed(run: (sink: ResponseSink) => Promise<Outcome>): Promise<Streamed> {
  const stream = new ResponseStream();
  const outcome = run(stream);
  const ended = () => void stream.body.end();
  outcome.then(ended, ended);
  const contentType = await Promise.race([stream.begun, outcome.then(() => undefined)]);
  return { contentType, body: stream.body, outcome };
}
