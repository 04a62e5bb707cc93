// DynamoDB as the command needs it, of this cloud or of AWS.
import { setTimeout as sleep } from "node:timers/promises";
import { sha256 } from "../../door/canonical.ts";
import { UserError } from "../command.ts";
import { type Access, latin1, signedHeaders } from "../signed.ts";

/** An answer that is no success. */
export class DynamodbFailure extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const TRIES = 5;
const FIRST_WAIT_MS = 200;

/** Tries again what may succeed the next time. Throws DynamodbFailure, or UserError where nobody answers. */
export async function dynamodb<T>(access: Access, operation: string, input: object): Promise<T> {
  for (let tried = 1; ; tried++) {
    const answer = await send(access, operation, JSON.stringify(input));
    const text = await answer.text();
    if (answer.ok) return JSON.parse(text) as T;
    if ((answer.status < 500 && answer.status !== 429) || answer.status === 501 || tried === TRIES)
      throw failureOf(answer.status, text);
    await sleep(FIRST_WAIT_MS * 2 ** (tried - 1));
  }
}

async function send(access: Access, operation: string, body: string): Promise<Response> {
  const { host: _host, ...headers } = signedHeaders(access, {
    service: "dynamodb",
    method: "POST",
    path: "/",
    query: "",
    headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": `DynamoDB_20120810.${operation}` },
    payloadHash: sha256(latin1(body)),
  });
  try {
    return await fetch(`${access.endpoint}/`, { method: "POST", headers, body });
  } catch (error) {
    const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
    throw new UserError(`no DynamoDB answers at ${access.endpoint} (${cause?.code ?? (error as Error).message})`);
  }
}

function failureOf(status: number, text: string): DynamodbFailure {
  const answer = text.startsWith("{")
    ? (JSON.parse(text) as { __type?: string; message?: string; Message?: string })
    : {};
  const code = answer.__type?.split("#").at(-1) ?? String(status);
  return new DynamodbFailure(code, `${code}: ${answer.message ?? answer.Message ?? `HTTP ${status}`}`);
}
