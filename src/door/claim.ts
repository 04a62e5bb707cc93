// What a signed request claims, and how its parts are read. The two dialects (claim-s3.ts, claim-generic.ts) share this and nothing else.
import type { HttpRequest } from "../model/http.ts";
import type { Family } from "./auth-errors.ts";
import { decode, type Scope } from "./canonical.ts";

export interface Claim extends Scope {
  readonly kind: "header" | "query" | "form";
  /** A URL of Signature Version 2: `timestamp` is its Expires, `signature` base64. */
  readonly version2?: true;
  readonly accessKeyId: string;
  readonly signedHeaders: readonly string[];
  /** 64 hexadecimal digits, if it is right. */
  readonly signature: string;
  readonly sessionToken?: string;
  /** The token is one of CreateSession, for a directory bucket of S3: it is good for nothing else. */
  readonly express?: true;
  /** 20130524T000000Z */
  readonly timestamp: string;
  /** Seconds; presigned requests only. */
  readonly expires?: number;
  /** S3's x-amz-content-sha256: a hash, UNSIGNED-PAYLOAD or STREAMING-...; other services hash the body themselves. */
  readonly payloadHash?: string;
}

/** What the door knows before it looks at a signature. */
export interface Terms {
  readonly family: Family;
  /** The model's signingName: what the scope must name. */
  readonly service: string;
  /** ms since the epoch, real time. */
  readonly realNow: number;
}

export const SKEW_MS = 15 * 60_000;

/** `Credential=a, SignedHeaders=b, Signature=c` after the algorithm; undefined where a part has no `=`. */
export function parameters(text: string): Map<string, string> | undefined {
  const found = new Map<string, string>();
  for (const part of text.split(/[, ]+/)) {
    if (part === "") continue;
    const at = part.indexOf("=");
    if (at < 0) return undefined;
    found.set(part.slice(0, at), part.slice(at + 1));
  }
  return found;
}

/** The decoded X-Amz-... parameters of a query, by their exact names; the first one counts. */
export function queryParameters(query: string): Map<string, string> {
  const found = new Map<string, string>();
  if (query === "") return found;
  for (const part of query.split("&")) {
    const at = part.indexOf("=");
    const name = decode(at < 0 ? part : part.slice(0, at));
    if (!found.has(name)) found.set(name, at < 0 ? "" : decode(part.slice(at + 1).replaceAll("+", " ")));
  }
  return found;
}

/** keyid/date/region/service/term; undefined where it has not these five parts. */
export function credentialParts(credential: string): [string, string, string, string, string] | undefined {
  const parts = credential.split("/");
  return parts.length === 5 ? (parts as [string, string, string, string, string]) : undefined;
}

// Requests of one second have one time, and reading it costs as much as the rest of a claim.
let latest: { text: string; at: number | undefined } = { text: "", at: undefined };

/** ms since the epoch from `20130524T000000Z`; undefined where it is none. */
export function basicTime(text: string): number | undefined {
  if (latest.text !== text) latest = { text, at: readBasicTime(text) };
  return latest.at;
}

function readBasicTime(text: string): number | undefined {
  const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!found) return undefined;
  const [year, month, day, hour, minute, second] = found.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const at = Date.UTC(year, month - 1, day, hour, minute, second);
  return basicText(at) === text ? at : undefined;
}

/** 20130524T000000Z */
export const basicText = (ms: number): string => new Date(ms).toISOString().replace(/[-:]|\.\d+/g, "");

/** 2013-05-24T00:00:00Z */
export const isoText = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+/, "");

/** The time that a header-signed request is of: X-Amz-Date before Date, as ISO 8601 basic or an HTTP date. `text` is basic in either case. */
export function headerTime(
  request: HttpRequest,
): { given: string; at: number; text: string } | { given: string; at: undefined; text?: string } | undefined {
  const given = request.headers["x-amz-date"] ?? request.headers.date;
  if (given === undefined) return undefined;
  const basic = basicTime(given);
  if (basic !== undefined) return { given, at: basic, text: given };
  const httpDate = /^[A-Z][a-z]{2,8}, .*(GMT|UTC|[+-]\d{4})$/.test(given) ? Date.parse(given) : Number.NaN;
  return Number.isNaN(httpDate) ? { given, at: undefined } : { given, at: httpDate, text: basicText(httpDate) };
}
