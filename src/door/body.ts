// The bytes of a request, held in memory where the operation wants them whole.
import type { Readable } from "node:stream";
import { AwsError } from "../kernel/error.ts";

/** The largest body that any operation takes whole: Lambda's 50 MB zip as base64 in JSON, with room. Streams have no limit here. */
export const MAX_BODY_BYTES = 72 * 1024 * 1024;

/** Throws RequestEntityTooLarge (413) before it holds more than `limit` bytes. */
export async function readBody(body: Readable, limit = MAX_BODY_BYTES): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit)
      throw new AwsError("RequestEntityTooLarge", 413, `Request body exceeds the maximum of ${limit} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
}
