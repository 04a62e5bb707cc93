// How each protocol family says no to a caller: one table of codes and statuses, one function. The words are AWS's.
import { AwsError } from "../kernel/error.ts";
import type { Protocol } from "../model/model.ts";

/** S3 has codes of its own; the others share theirs by protocol. */
export type Family = "s3" | "query" | "json" | "rest";

export const familyOf = (protocol: Protocol): Family =>
  protocol === "restXml" ? "s3" : protocol === "restJson" ? "rest" : protocol === "query" ? "query" : "json";

type Row = readonly [code: string, status: number, message: string];

const UNSIGNED = "Request is missing Authentication Token";
const MISMATCH =
  "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
const UNKNOWN_KEY = "The security token included in the request is invalid.";
const BAD_TOKEN = "The security token included in the request is invalid";
const EXPIRED_TOKEN = "The security token included in the request is expired";

// The messages of `incomplete`, `malformed...` and `skewed` depend on what is wrong: they are given by the caller.
const TABLE = {
  unsigned: {
    s3: ["AccessDenied", 403, "Access Denied"],
    query: ["MissingAuthenticationToken", 403, UNSIGNED],
    json: ["MissingAuthenticationTokenException", 400, UNSIGNED],
    rest: ["MissingAuthenticationTokenException", 403, "Missing Authentication Token"],
  },
  incomplete: {
    s3: ["AuthorizationHeaderMalformed", 400, ""],
    query: ["IncompleteSignature", 400, ""],
    json: ["IncompleteSignatureException", 400, ""],
    rest: ["IncompleteSignatureException", 403, ""],
  },
  mismatch: {
    s3: [
      "SignatureDoesNotMatch",
      403,
      "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    ],
    query: ["SignatureDoesNotMatch", 403, MISMATCH],
    json: ["InvalidSignatureException", 400, MISMATCH],
    rest: ["InvalidSignatureException", 403, MISMATCH],
  },
  skewed: {
    s3: ["RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large."],
    query: ["SignatureDoesNotMatch", 403, ""],
    json: ["InvalidSignatureException", 400, ""],
    rest: ["InvalidSignatureException", 403, ""],
  },
  unknownKey: {
    s3: ["InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."],
    query: ["InvalidClientTokenId", 403, UNKNOWN_KEY],
    json: ["UnrecognizedClientException", 400, UNKNOWN_KEY],
    rest: ["UnrecognizedClientException", 403, UNKNOWN_KEY],
  },
  badToken: {
    s3: ["InvalidToken", 400, "The provided token is malformed or otherwise invalid."],
    query: ["InvalidClientTokenId", 403, BAD_TOKEN],
    json: ["UnrecognizedClientException", 400, BAD_TOKEN],
    rest: ["UnrecognizedClientException", 403, BAD_TOKEN],
  },
  expiredToken: {
    s3: ["ExpiredToken", 400, "The provided token has expired."],
    query: ["ExpiredToken", 403, EXPIRED_TOKEN],
    json: ["ExpiredTokenException", 400, EXPIRED_TOKEN],
    rest: ["ExpiredTokenException", 403, EXPIRED_TOKEN],
  },
  denied: {
    s3: ["AccessDenied", 403, "Access Denied"],
    query: ["AccessDenied", 403, "Access Denied"],
    json: ["AccessDeniedException", 400, "Access Denied"],
    rest: ["AccessDeniedException", 403, "Access Denied"],
  },
} as const satisfies Record<string, Record<Family, Row>>;

export type AuthKind = keyof typeof TABLE;

/** `message` replaces the table's own words; `fields` are S3's further elements (`AWSAccessKeyId`, `Token-0`...). */
export function authError(
  family: Family,
  kind: AuthKind,
  detail: { message?: string; fields?: Record<string, unknown> } = {},
): AwsError {
  const [code, status, words] = TABLE[kind][family];
  return new AwsError(code, status, detail.message ?? words, detail.fields);
}
