// Bytes that come in small chunks, written in large ones.
import { writeSync, writev } from "node:fs";

export const CHUNK = 256 * 1024;

/** Small chunks wait for each other: one write for 256 KiB, while the next ones come in. A write that ends the file at once is not worth a thread. */
export class Gather {
  readonly #fd: number;
  #chunks: Uint8Array[] = [];
  #length = 0;
  #written = 0;
  /** Settles when nothing is under way; never fails. */
  #writing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  add(chunk: Uint8Array): Promise<void> | undefined {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    return this.#length >= CHUNK ? this.#write() : undefined;
  }

  /** All that was added is with the kernel. */
  async flush(): Promise<void> {
    await this.#write();
    await this.idle();
    if (this.#failure) throw this.#failure.error;
  }

  async idle(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    const [chunks, length] = [this.#chunks, this.#length];
    this.#chunks = [];
    this.#length = 0;
    if (this.#written === 0 && length < CHUNK) {
      for (const chunk of chunks) for (let at = 0; at < chunk.length; ) at += writeSync(this.#fd, chunk, at);
      return;
    }
    this.#written += length;
    // Those that come meanwhile wait in the socket, but for one write's worth.
    await this.#writing;
    if (this.#failure) throw this.#failure.error;
    this.#writing = this.#keepFailure(writeAll(this.#fd, chunks, length));
  }

  async #keepFailure(writing: Promise<void>): Promise<void> {
    try {
      await writing;
    } catch (error) {
      this.#failure = { error };
    }
  }
}

/** What writev leaves over, on a disk that is nearly full, is written by the next one, or fails. */
function writeAll(fd: number, chunks: Uint8Array[], length: number): Promise<void> {
  return new Promise((resolve, reject) => {
    writev(fd, chunks, (error, written) => {
      if (error) reject(error);
      else if (written === length) resolve();
      else resolve(writeAll(fd, [Buffer.concat(chunks).subarray(written)], length - written));
    });
  });
}
