// Bytes of a function's output -> lines, as CloudWatch Logs has them: one event a line, 256 KB at most.
import type { Readable } from "node:stream";

/** https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html: event size 256 KB (262,144 bytes), less 26 bytes of overhead. */
export const LONGEST_LINE = 262_144 - 26;

const NEWLINE = 10;

/** Reads `stream` to its end. While `onLine` has a promise pending nothing more is read, so that the writer waits. */
export async function readLines(stream: Readable, onLine: (text: string) => void | Promise<void>): Promise<void> {
  let pending: Buffer[] = [];
  let length = 0;
  const emit = (): void | Promise<void> => {
    const text = Buffer.concat(pending, length).toString("utf8");
    pending = [];
    length = 0;
    return onLine(text);
  };
  const add = (part: Buffer): void => {
    pending.push(part);
    length += part.length;
  };
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let start = 0;
    while (start < chunk.length) {
      const newline = chunk.indexOf(NEWLINE, start);
      const end = Math.min(newline < 0 ? chunk.length : newline, start + LONGEST_LINE - length);
      add(chunk.subarray(start, end));
      start = end === newline ? end + 1 : end;
      const waits = end === newline || length >= LONGEST_LINE ? emit() : undefined;
      if (waits) await waits;
    }
  }
  if (length > 0) await emit();
}
