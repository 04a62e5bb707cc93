// Signature Version 4, in the Authorization header or in the query: who a request claims to be from, and whether that is true.
// AWS's order of checks, for all but S3: both forms at once, none, missing parameters, date, time, Host signed, algorithm, credential,
// scope, access key, signature, session token. `claim` does what needs no secret, `verify` and `checkToken` the rest.
// Skew and the expiry of a presigned request are judged on real time, not on the movable clock: the caller signs with real time.
import { timingSafeEqual } from "node:crypto";
import type { Credential } from "../kernel/service.ts";
import type { HttpRequest } from "../model/http.ts";
import { authError } from "./auth-errors.ts";
import { canonicalRequests, hmac, macWith, type Scope, scopeText, sha256Bytes, stringToSign } from "./canonical.ts";
import type { Claim, Terms } from "./claim.ts";
import { claimGeneric } from "./claim-generic.ts";
import { claimS3 } from "./claim-s3.ts";
import { version2Signature, version2String } from "./signature-v2.ts";

export { type AuthKind, authError, type Family, familyOf } from "./auth-errors.ts";
export type { Claim, Terms } from "./claim.ts";

/**
 * Who a request says it is from; undefined where it is unsigned. Throws what AWS says of a malformed claim, of another service's scope
 * and of a wrong time.
 */
export const claim = (request: HttpRequest, terms: Terms): Claim | undefined =>
  terms.family === "s3" ? claimS3(request, terms) : claimGeneric(request, terms);

/** What the chunks of a streamed body are verified with. */
export interface Verified {
  readonly signingKey: Uint8Array;
  /** 20130524/us-east-1/s3/aws4_request */
  readonly scope: string;
  readonly timestamp: string;
  /** Of the headers: what the first chunk's signature continues. */
  readonly signature: string;
  readonly payloadHash?: string;
}

/**
 * Throws SignatureDoesNotMatch (S3, query) or InvalidSignatureException. `body` is what services other than S3 hash: all bytes of the
 * entity. S3's payload is checked as it streams (wire/chunks.ts). `path` is S3's with the bucket in it, where the host named that.
 */
export function verify(
  claimed: Claim,
  request: HttpRequest,
  options: Pick<Terms, "family"> & { secretAccessKey: string; body?: Uint8Array; path?: string },
): Verified {
  const { family, secretAccessKey } = options;
  if (claimed.version2)
    return verifyVersion2(claimed, request, { secretAccessKey, path: options.path ?? request.path });
  const canonical = canonicalRequests(request, {
    headers: claimed.signedHeaders,
    payloadHash: claimed.payloadHash ?? sha256Bytes(options.body ?? EMPTY),
    s3: family === "s3",
  });
  const { key, sign } = signerOf(secretAccessKey, claimed);
  const given = Buffer.from(claimed.signature, "latin1");
  const texts = canonical.map((text) => stringToSign(claimed.timestamp, claimed, text));
  if (!texts.some((text) => equal(Buffer.from(sign(text), "latin1"), given)))
    throw mismatch(claimed, { family, canonical: canonical[0]!, text: texts[0]! });
  const { timestamp, signature, payloadHash } = claimed;
  return { signingKey: key, scope: scopeText(claimed), timestamp, signature, payloadHash };
}

function verifyVersion2(
  claimed: Claim,
  request: HttpRequest,
  { secretAccessKey, path }: { secretAccessKey: string; path: string },
): Verified {
  const { signature, timestamp, payloadHash, accessKeyId } = claimed;
  const text = version2String(request, { expires: timestamp, path });
  if (!equal(Buffer.from(version2Signature(secretAccessKey, text)), Buffer.from(signature))) {
    const about = { AWSAccessKeyId: accessKeyId, StringToSign: text, SignatureProvided: signature };
    throw authError("s3", "mismatch", { fields: { ...about, StringToSignBytes: bytesText(text) } });
  }
  return { signingKey: EMPTY, scope: "", timestamp, signature, payloadHash };
}

/** A key without a session token must be sent without; temporary credentials end on the clock. `now` in ms. */
export function checkToken(
  claimed: Claim,
  credential: Credential,
  { family, now }: Pick<Terms, "family"> & { now: number },
): void {
  if (!credential.temporary && claimed.sessionToken) throw badToken(claimed, { family });
  if (credential.expires !== undefined && credential.expires <= now)
    throw authError(family, "expiredToken", tokenFields(claimed, family));
}

/** The token is not this key's. */
export const badToken = (claimed: Claim, { family }: Pick<Terms, "family">) =>
  authError(family, "badToken", tokenFields(claimed, family));

const tokenFields = ({ sessionToken }: Claim, family: Terms["family"]) => ({
  fields: family === "s3" && sessionToken ? { "Token-0": sessionToken } : {},
});

/** No account, user or session has this access key, or it is inactive. */
export const unknownKey = (claimed: Claim, { family }: Pick<Terms, "family">) =>
  authError(family, "unknownKey", { fields: family === "s3" ? { AWSAccessKeyId: claimed.accessKeyId } : {} });

const EMPTY = new Uint8Array();
const KEYS_LIMIT = 1000;
const signers = new Map<string, Signer>();

interface Signer {
  readonly key: Uint8Array;
  /** Hexadecimal. */
  sign(text: string): string;
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, step 4. Kept: it is the same all day. */
export function signerOf(secretAccessKey: string, scope: Scope): Signer {
  const name = `${scopeText(scope)} ${secretAccessKey}`;
  const known = signers.get(name);
  if (known) return known;
  const { date, region, service } = scope;
  const key = hmac(hmac(hmac(hmac(`AWS4${secretAccessKey}`, date), region), service), "aws4_request");
  const signer = { key, sign: macWith(key) };
  signers.set(name, signer);
  if (signers.size > KEYS_LIMIT) signers.delete(signers.keys().next().value!);
  return signer;
}

export const bytesText = (text: string): string =>
  (Buffer.from(text, "latin1").toString("hex").match(/../g) ?? []).join(" ");

export const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);

function mismatch(claimed: Claim, about: Pick<Terms, "family"> & { canonical: string; text: string }) {
  if (about.family !== "s3") return authError(about.family, "mismatch");
  return authError("s3", "mismatch", {
    fields: {
      AWSAccessKeyId: claimed.accessKeyId,
      StringToSign: about.text,
      SignatureProvided: claimed.signature,
      StringToSignBytes: bytesText(about.text),
      CanonicalRequest: about.canonical,
      CanonicalRequestBytes: bytesText(about.canonical),
    },
  });
}
