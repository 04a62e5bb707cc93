// A signed request of this cloud's API.
import { sha256 } from "../door/canonical.ts";
import { UserError } from "./command.ts";
import { type Access, signedHeaders } from "./signed.ts";

export interface Asked {
  /** In the credential's scope. */
  readonly service: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Encoded. */
  readonly path: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

/** The answer, whatever its status. Throws UserError where nobody answers. */
export async function signedFetch(access: Access, asked: Asked): Promise<Response> {
  const { service, method, path, query = "", headers: given = {}, body } = asked;
  // As the canonical forms hash it: a character a byte.
  const payloadHash = sha256(Buffer.from(body ?? "").toString("latin1"));
  const { host: _host, ...headers } = signedHeaders(access, {
    service,
    method,
    path,
    query,
    headers: given,
    payloadHash,
  });
  const url = `${access.endpoint}${path}${query && `?${query}`}`;
  return fetch(url, { method, headers, ...(body !== undefined && { body }) }).catch((error: Error) => {
    const cause = error.cause as NodeJS.ErrnoException | undefined;
    throw new UserError(
      `no aws-like answers at ${access.endpoint} (${cause?.code ?? error.message}); start one with: aws-like up`,
    );
  });
}
