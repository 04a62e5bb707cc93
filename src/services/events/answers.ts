// What an endpoint of somebody's answers: no more of it than is wanted.
import { AwsError } from "../../kernel/mod.ts";

/** Its text; "" where nothing of it is wanted. Throws a refusal where it is longer than `mostBytes`. */
export async function bodyOf(answer: Response, mostBytes: number): Promise<string> {
  if (mostBytes === 0) {
    await answer.body?.cancel();
    return "";
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new AwsError("EndpointRefused", 400, `the answer is larger than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
