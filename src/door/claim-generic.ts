// What every service but S3 says of a malformed claim, in AWS's order of checks and with its words:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
import { hash } from "node:crypto";
import { AwsError } from "../kernel/error.ts";
import type { HttpRequest } from "../model/http.ts";
import { authError } from "./auth-errors.ts";
import { ALGORITHM } from "./canonical.ts";
import {
  basicText,
  basicTime,
  type Claim,
  credentialParts,
  headerTime,
  parameters,
  queryParameters,
  SKEW_MS,
  type Terms,
} from "./claim.ts";

const HEADER_PARTS = ["Credential", "Signature", "SignedHeaders"];
const QUERY_PARTS = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"];

interface Given {
  readonly kind: "header" | "query";
  readonly algorithm: string;
  readonly credential: string;
  readonly signature: string;
  readonly signedHeaders: readonly string[];
  readonly date: string;
  readonly at: number | undefined;
  /** `at` as ISO 8601 basic. */
  readonly timestamp: string | undefined;
  readonly sessionToken?: string;
}

/** undefined: the request carries no signature. */
export function claimGeneric(request: HttpRequest, terms: Terms): Claim | undefined {
  const { family } = terms;
  const header = (request.headers.authorization ?? "").trim();
  const query = queryParameters(request.query);
  const presigned = query.has("X-Amz-Algorithm");
  if (header !== "" && presigned)
    throw authError(family, "mismatch", {
      message: "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    });
  if (header.startsWith("AWS ") || query.has("SignatureVersion"))
    throw authError(family, "incomplete", {
      message: "AWS Signature Version 2 is not supported; use AWS4-HMAC-SHA256.",
    });
  // Another scheme than AWS4-... (Bearer, Basic) is no signature at all.
  if (!presigned && !header.startsWith("AWS4-")) return undefined;
  const given = presigned ? fromQuery(request, query, terms) : fromHeader(request, header, terms);
  return checked(given, terms);
}

function fromHeader(request: HttpRequest, header: string, { family }: Terms): Given {
  const space = header.indexOf(" ");
  const digest = () => hash("sha256", Buffer.from(header, "latin1"), "base64");
  const given = parameters(space < 0 ? "" : header.slice(space));
  if (!given)
    throw authError(family, "incomplete", {
      message: `Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '${digest()}'.`,
    });
  const time = headerTime(request);
  const missing = HEADER_PARTS.filter((name) => !given.get(name)).map(
    (name) => `Authorization header requires '${name}' parameter. `,
  );
  if (!time) missing.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
  if (!time || missing.length > 0)
    throw authError(family, "incomplete", {
      message: `${missing.join("")}(Hashed with SHA-256 and encoded with Base64) Authorization=${digest()}`,
    });
  return {
    kind: "header",
    algorithm: space < 0 ? header : header.slice(0, space),
    credential: given.get("Credential")!,
    signature: given.get("Signature")!,
    signedHeaders: given.get("SignedHeaders")!.toLowerCase().split(";"),
    date: time.given,
    at: time.at,
    timestamp: time.text,
    sessionToken: request.headers["x-amz-security-token"],
  };
}

function fromQuery(request: HttpRequest, query: ReadonlyMap<string, string>, { family }: Terms): Given {
  const missing = QUERY_PARTS.filter((name) => !query.get(name));
  if (missing.length > 0)
    throw authError(family, "incomplete", {
      message: `${missing.map((name) => `AWS query-string parameters must include '${name}'. `).join("")}Re-examine the query-string parameters.`,
    });
  const date = query.get("X-Amz-Date")!;
  return {
    kind: "query",
    algorithm: query.get("X-Amz-Algorithm")!,
    credential: query.get("X-Amz-Credential")!,
    signature: query.get("X-Amz-Signature")!,
    signedHeaders: query.get("X-Amz-SignedHeaders")!.toLowerCase().split(";"),
    date,
    at: basicTime(date),
    timestamp: date,
    sessionToken: query.get("X-Amz-Security-Token") ?? request.headers["x-amz-security-token"],
  };
}

function checked(given: Given, { family, service, realNow }: Terms): Claim {
  const incomplete = (message: string) => authError(family, "incomplete", { message });
  const { at, timestamp } = given;
  if (at === undefined || timestamp === undefined)
    throw incomplete(
      `Date must be in ISO-8601 'basic format'. Got '${given.date}'. See http://en.wikipedia.org/wiki/ISO_8601`,
    );
  // X-Amz-Expires does not lengthen or shorten this: these services take a presigned request for 15 minutes.
  checkTime(at, timestamp, { family, realNow });
  if (!given.signedHeaders.includes("host"))
    throw authError(family, "mismatch", {
      message: "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    });
  if (given.algorithm === "AWS4-ECDSA-P256-SHA256")
    throw new AwsError(
      "NotImplemented",
      501,
      `Signature Version 4A (${given.algorithm}) is not supported; use ${ALGORITHM}.`,
    );
  if (given.algorithm !== ALGORITHM)
    throw incomplete(`Unsupported AWS 'algorithm': '${given.algorithm}' (only AWS4-HMAC-SHA256 for now). `);
  const parts = credentialParts(given.credential.replace(/\/+$/, ""));
  if (!parts)
    throw incomplete(
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${given.credential}'`,
    );
  const [accessKeyId, date, region, scopeService, term] = parts;
  const wrong: string[] = [];
  if (!/^[a-z0-9-]+$/.test(region)) wrong.push(`Credential should be scoped to a valid region, not '${region}'. `);
  if (scopeService !== service) wrong.push(`Credential should be scoped to correct service: '${service}'. `);
  if (term !== "aws4_request")
    wrong.push(`Credential should be scoped with a valid terminator: 'aws4_request', not '${term}'. `);
  const day = timestamp.slice(0, 8);
  if (date !== day)
    wrong.push(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}' != '${day}', from '${timestamp}'.`,
    );
  if (wrong.length > 0) throw authError(family, "mismatch", { message: wrong.join("") });
  const { kind, signature, signedHeaders, sessionToken } = given;
  return { kind, accessKeyId, date, region, service, signature, signedHeaders, timestamp, sessionToken };
}

function checkTime(at: number, timestamp: string, { family, realNow }: Pick<Terms, "family" | "realNow">): void {
  if (Math.abs(at - realNow) <= SKEW_MS) return;
  const now = basicText(realNow);
  throw authError(family, "skewed", {
    message:
      at < realNow
        ? `Signature expired: ${timestamp} is now earlier than ${basicText(realNow - SKEW_MS)} (${now} - 15 min.)`
        : `Signature not yet current: ${timestamp} is still later than ${basicText(realNow + SKEW_MS)} (${now} + 15 min.)`,
  });
}
