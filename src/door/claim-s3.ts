// What S3 says of a malformed claim. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
import { AwsError } from "../kernel/error.ts";
import type { HttpRequest } from "../model/http.ts";
import { authError } from "./auth-errors.ts";
import { ALGORITHM } from "./canonical.ts";
import {
  basicTime,
  type Claim,
  credentialParts,
  headerTime,
  isoText,
  parameters,
  queryParameters,
  SKEW_MS,
  type Terms,
} from "./claim.ts";
import { claimVersion2, isVersion2 } from "./signature-v2.ts";

const WEEK_S = 604_800;
/** What directory buckets are asked with; S3 knows which of its buckets are. */
const S3_EXPRESS = "s3express";
export const ALGORITHM_4A = "AWS4-ECDSA-P256-SHA256";
const PAYLOADS = [
  "UNSIGNED-PAYLOAD",
  "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
];
const PAYLOADS_4A = [`STREAMING-${ALGORITHM_4A}-PAYLOAD`, `STREAMING-${ALGORITHM_4A}-PAYLOAD-TRAILER`];

const errors = {
  header: (text: string) =>
    authError("s3", "incomplete", { message: `The authorization header is malformed; ${text}` }),
  query: (text: string) => new AwsError("AuthorizationQueryParametersError", 400, text),
  denied: (text: string, fields?: Record<string, unknown>) => authError("s3", "denied", { message: text, fields }),
  argument: (name: string, value: string, text: string) =>
    new AwsError("InvalidArgument", 400, text, { ArgumentName: name, ArgumentValue: value }),
  version2: () =>
    new AwsError(
      "InvalidRequest",
      400,
      "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    ),
};

export const version4a = () =>
  new AwsError("NotImplemented", 501, `Signature Version 4A (${ALGORITHM_4A}) is not supported; use ${ALGORITHM}.`);

/** undefined: the request carries no signature. */
export function claimS3(request: HttpRequest, terms: Terms): Claim | undefined {
  const header = request.headers.authorization ?? "";
  const query = queryParameters(request.query);
  const presigned = query.has("X-Amz-Algorithm") || query.has("X-Amz-Credential") || query.has("X-Amz-Signature");
  const version2 = isVersion2(query);
  if (header !== "" && (presigned || version2))
    throw errors.argument(
      "Authorization",
      header,
      "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
    );
  if (version2) return claimVersion2(request, query, terms);
  if (header.startsWith("AWS ")) throw errors.version2();
  if (presigned) return fromQuery(request, query, terms);
  return header === "" ? undefined : fromHeader(request, header, terms);
}

function fromHeader(request: HttpRequest, header: string, terms: Terms): Claim {
  if (header.startsWith(ALGORITHM_4A)) throw version4a();
  if (!header.startsWith(`${ALGORITHM} `))
    throw errors.argument("Authorization", header, "Unsupported Authorization Type");
  const given = parameters(header.slice(ALGORITHM.length));
  const credential = given?.get("Credential");
  const signedHeaders = given?.get("SignedHeaders");
  const signature = given?.get("Signature");
  if (!credential || !signedHeaders || !signature)
    throw errors.header(
      "the authorization header requires three components: Credential, SignedHeaders, and Signature.",
    );
  const scope = readCredential(credential, terms, errors.header);
  const payloadHash = request.headers["x-amz-content-sha256"];
  if (payloadHash === undefined)
    throw new AwsError("InvalidRequest", 400, "Missing required header for this request: x-amz-content-sha256");
  checkPayload(payloadHash);
  const time = headerTime(request);
  if (time?.at === undefined) throw errors.denied("AWS authentication requires a valid Date or x-amz-date header");
  const timestamp = time.text;
  checkDay(scope.date, timestamp, errors.header);
  const signed = readSignedHeaders(request, signedHeaders);
  if (Math.abs(terms.realNow - time.at) > SKEW_MS)
    throw authError("s3", "skewed", {
      fields: {
        RequestTime: time.given,
        ServerTime: isoText(terms.realNow),
        MaxAllowedSkewMilliseconds: SKEW_MS,
      },
    });
  const token = tokenOf(request.headers["x-amz-s3session-token"], request.headers["x-amz-security-token"]);
  return { kind: "header", ...scope, signedHeaders: signed, signature, timestamp, payloadHash, ...token };
}

function fromQuery(request: HttpRequest, query: ReadonlyMap<string, string>, terms: Terms): Claim {
  const [algorithm, credential, date, expiresText, signedHeaders, signature] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
  ].map((name) => query.get(name));
  if (!algorithm || !credential || !date || !expiresText || !signedHeaders || !signature)
    throw errors.query(
      "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
    );
  if (algorithm === ALGORITHM_4A) throw version4a();
  if (algorithm !== ALGORITHM)
    throw errors.query('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"');
  const parsing = (text: string) => errors.query(`Error parsing the X-Amz-Credential parameter; ${text}`);
  const scope = readCredential(credential, terms, parsing);
  const at = basicTime(date);
  if (at === undefined) throw errors.query("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  checkDay(scope.date, date, errors.query);
  if (!/^-?\d{1,15}$/.test(expiresText)) throw errors.query("X-Amz-Expires should be a number");
  const expires = Number(expiresText);
  if (expires < 0) throw errors.query("X-Amz-Expires must be non-negative");
  if (expires > WEEK_S)
    throw errors.query(
      "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
    );
  const signed = readSignedHeaders(request, signedHeaders);
  if (at - terms.realNow > SKEW_MS) throw errors.denied("Request is not valid yet", { "X-Amz-Date": date });
  const expiry = at + expires * 1000;
  if (terms.realNow >= expiry)
    throw errors.denied("Request has expired", {
      "X-Amz-Expires": expiresText,
      Expires: isoText(expiry),
      ServerTime: isoText(terms.realNow),
    });
  const payloadHash =
    query.get("X-Amz-Content-Sha256") ??
    (signed.includes("x-amz-content-sha256") ? request.headers["x-amz-content-sha256"] : undefined) ??
    "UNSIGNED-PAYLOAD";
  checkPayload(payloadHash);
  const token = tokenOf(
    query.get("X-Amz-S3session-Token"),
    query.get("X-Amz-Security-Token") ?? request.headers["x-amz-security-token"],
  );
  return {
    kind: "query",
    ...scope,
    signedHeaders: signed,
    signature,
    timestamp: date,
    expires,
    payloadHash,
    ...token,
  };
}

const tokenOf = (express: string | undefined, sessionToken: string | undefined) =>
  express === undefined ? { sessionToken } : { sessionToken: express, express: true as const };

export function readCredential(credential: string, terms: Terms, malformed: (text: string) => AwsError) {
  const parts = credentialParts(credential);
  if (!parts)
    throw malformed('the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".');
  const [accessKeyId, date, region, service, term] = parts;
  if (accessKeyId === "") throw malformed("a non-empty Access Key (AKID) must be provided in the credential.");
  if (!/^\d{8}$/.test(date))
    throw malformed(`incorrect date format "${date}". This date in the credential must be in the format "yyyyMMdd".`);
  if (region === "") throw malformed("a non-empty region must be provided in the credential.");
  if (service !== terms.service && !(terms.service === "s3" && service === S3_EXPRESS))
    throw malformed(`incorrect service "${service}". This endpoint belongs to "${terms.service}".`);
  if (term !== "aws4_request") throw malformed(`incorrect terminal "${term}". This endpoint uses "aws4_request".`);
  return { accessKeyId, date, region, service };
}

export function checkDay(date: string, timestamp: string, malformed: (text: string) => AwsError): void {
  const day = timestamp.slice(0, 8);
  if (date !== day)
    throw malformed(`Invalid credential date "${date}". This date is not the same as X-Amz-Date: "${day}".`);
}

function checkPayload(payloadHash: string): void {
  if (PAYLOADS_4A.includes(payloadHash)) throw version4a();
  if (PAYLOADS.includes(payloadHash) || /^[0-9a-fA-F]{64}$/.test(payloadHash)) return;
  throw errors.argument(
    "x-amz-content-sha256",
    payloadHash,
    `x-amz-content-sha256 must be ${[...PAYLOADS, ...PAYLOADS_4A].join(", ")} or a valid sha256 value.`,
  );
}

/** Whatever tells S3 something must be signed: nobody may add `x-amz-acl` to a URL that was handed out. */
function readSignedHeaders(request: HttpRequest, text: string): string[] {
  const signed = text.toLowerCase().split(";");
  const unsigned = Object.keys(request.headers).filter((name) => name.startsWith("x-amz-") && !signed.includes(name));
  if (!signed.includes("host")) unsigned.push("host");
  if (unsigned.length > 0)
    throw errors.denied("There were headers present in the request which were not signed", {
      HeadersNotSigned: unsigned.sort().join(", "),
    });
  return signed;
}
