// An answer of the Runtime API and its neighbours: always with a length, since a chunked one is more than a client in bash should have to read.
import type { ServerResponse } from "node:http";

export const say = (
  response: ServerResponse,
  status: number,
  document: unknown,
  headers: Readonly<Record<string, string>> = {},
): void => sayText(response, status, `${JSON.stringify(document)}\n`, headers);

export function sayText(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.sendDate = false;
  const length = Buffer.byteLength(body);
  response.writeHead(status, { ...headers, "Content-Type": "application/json", "Content-Length": length });
  response.end(body);
}
