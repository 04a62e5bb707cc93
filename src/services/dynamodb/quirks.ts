// Where DynamoDB's answers are not what its model says.
import { crc32 } from "node:zlib";
import { type HttpAnswer, newLongRequestId, type Quirks } from "../../kernel/mod.ts";

/** Every answer carries the CRC-32 of its body, which the older SDKs check: in no model, seen on AWS. */
export const quirks: Quirks = {
  requestId: newLongRequestId,
  output: (_operation, _output, answer) => withChecksum(answer),
  error: (_operation, _error, answer) => withChecksum(answer),
};

function withChecksum(answer: HttpAnswer): HttpAnswer {
  const { body = "", headers } = answer;
  if (typeof body !== "string" && !(body instanceof Uint8Array)) return answer;
  return { ...answer, headers: { ...headers, "x-amz-crc32": String(crc32(body)) } };
}
