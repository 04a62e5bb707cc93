// An OpenID Connect provider of a test's own: discovery, keys, and tokens signed with them.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";

export interface Issuer extends AsyncDisposable {
  readonly url: string;
  /** What it answers by path; a test may change it. */
  readonly documents: Map<string, string>;
  /** Requests that it has answered, by path. */
  readonly asked: string[];
  /** A token of an hour, unless the claims say other; undefined takes one away. */
  token(claims?: Record<string, unknown>, options?: { kid?: string }): Promise<string>;
}

export const AUDIENCE = "sts.amazonaws.com";
export const SUBJECT = "repo:octo/app:ref:main";

export async function startIssuer(alg = "RS256"): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  const documents = new Map<string, string>();
  const asked: string[] = [];
  const server = createServer((request, answer) => {
    asked.push(request.url!);
    const found = documents.get(request.url!);
    answer.writeHead(found === undefined ? 404 : 200, { "content-type": "application/json" }).end(found);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  documents.set("/.well-known/openid-configuration", JSON.stringify({ issuer: url, jwks_uri: `${url}/keys` }));
  documents.set("/keys", JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg, use: "sig" }] }));
  return {
    url,
    documents,
    asked,
    async token(claims = {}, { kid = "one" } = {}) {
      const now = Math.floor(Date.now() / 1000);
      const all = { iss: url, sub: SUBJECT, aud: AUDIENCE, iat: now, exp: now + 3600, ...claims };
      return await new SignJWT(all as JWTPayload).setProtectedHeader({ alg, kid }).sign(privateKey);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
