// Bytes of a function's output -> lines, as CloudWatch Logs has them: one event a line, 256 KB at most.
import type { Readable } from "node:stream";

/** https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html: event size 256 KB (262,144 bytes), less 26 bytes of overhead. */
export const LONGEST_LINE = 262_144 - 26;

const NEWLINE = 10;

export interface Lines {
  /** Resolves at the end of the stream. */
  readonly done: Promise<void>;
  /** The line that `onLine` has not yet taken. */
  readonly waiting: Promise<void> | undefined;
  /** What was written without a line end is a line too, once the invocation is over. */
  flush(): void;
}

/** Reads `stream` to its end. While `onLine` has a promise pending nothing more is read, so that the writer waits. */
export function readLines(stream: Readable, onLine: (text: string) => void | Promise<void>): Lines {
  let pending: Buffer[] = [];
  let length = 0;
  let waiting: Promise<void> | undefined;
  const emit = (): void | Promise<void> => {
    const text = Buffer.concat(pending, length).toString("utf8");
    pending = [];
    length = 0;
    return onLine(text);
  };
  const flush = (): void | Promise<void> => (length > 0 ? emit() : undefined);
  const read = async (): Promise<void> => {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      let start = 0;
      while (start < chunk.length) {
        const newline = chunk.indexOf(NEWLINE, start);
        const end = Math.min(newline < 0 ? chunk.length : newline, start + LONGEST_LINE - length);
        pending.push(chunk.subarray(start, end));
        length += end - start;
        start = end === newline ? end + 1 : end;
        waiting = (end === newline || length >= LONGEST_LINE ? emit() : undefined) ?? undefined;
        if (waiting) await waiting;
        waiting = undefined;
      }
    }
    await flush();
  };
  return {
    done: read(),
    get waiting() {
      return waiting;
    },
    flush: () => void flush(),
  };
}
