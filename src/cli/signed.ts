// Signature Version 4 for the commands that speak AWS's own APIs, with the canonical forms that the door verifies with.
import { defaults } from "../config.ts";
import { ALGORITHM, canonicalRequests, hmac, scopeText, stringToSign } from "../door/canonical.ts";
import { realNow } from "../kernel/clock.ts";
import type { Environment } from "./command.ts";

export interface Access {
  /** `http://localhost:4566` */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** Credentials and region as every AWS tool reads them; the root key where there are none. */
export const accessOf = (endpoint: string, environment: Environment): Access => ({
  endpoint,
  region: environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION ?? defaults.region,
  accessKeyId: environment.AWS_ACCESS_KEY_ID ?? defaults.rootAccessKeyId,
  secretAccessKey: environment.AWS_SECRET_ACCESS_KEY ?? defaults.rootSecretAccessKey,
  sessionToken: environment.AWS_SESSION_TOKEN,
});

export interface Unsigned {
  /** In the credential's scope: `s3`. */
  readonly service: string;
  readonly method: string;
  readonly path: string;
  /** Encoded, in order. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly payloadHash: string;
}

/** Those given, and those that a signature needs. */
export function signedHeaders(access: Access, request: Unsigned): Record<string, string> {
  const { service, method, path, query, payloadHash } = request;
  const timestamp = new Date(realNow()).toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = { date: timestamp.slice(0, 8), region: access.region, service };
  const headers: Record<string, string> = {
    ...request.headers,
    host: new URL(access.endpoint).host,
    "x-amz-date": timestamp,
    ...(access.sessionToken && { "x-amz-security-token": access.sessionToken }),
  };
  const names = Object.keys(headers).sort();
  const [canonical] = canonicalRequests(
    { method, path, query, headers },
    { headers: names, payloadHash, s3: service === "s3" },
  );
  const { date, region } = scope;
  const key = hmac(hmac(hmac(hmac(`AWS4${access.secretAccessKey}`, date), region), service), "aws4_request");
  const signature = hmac(key, stringToSign(timestamp, scope, canonical!)).toString("hex");
  headers.authorization = `${ALGORITHM} Credential=${access.accessKeyId}/${scopeText(scope)}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return headers;
}

/** Text as the canonical forms hash it: a character a byte. */
export const latin1 = (text: string): string => Buffer.from(text).toString("latin1");
