// The canonical request of Signature Version 4: both sides must come to the same bytes.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
// All strings here are latin-1, one character a byte as on the wire, so that what was signed in any encoding is compared as sent.
import { createHmac, hash } from "node:crypto";
import type { HttpRequest } from "../model/http.ts";

export const ALGORITHM = "AWS4-HMAC-SHA256";

export interface Scope {
  /** yyyymmdd */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

export const scopeText = (scope: Scope): string => `${scope.date}/${scope.region}/${scope.service}/aws4_request`;

export const sha256 = (latin1: string): string => sha256Bytes(Buffer.from(latin1, "latin1"));

export const sha256Bytes = (bytes: Uint8Array): string => hash("sha256", bytes, "hex");

export const hmac = (key: string | Uint8Array, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/** HMAC-SHA256 in hexadecimal with a key of 32 bytes that is used again and again (RFC 2104): two digests at once cost half of an Hmac object. */
export function macWith(key: Uint8Array): (text: string) => string {
  const pad = (byte: number) => Buffer.concat([key, Buffer.alloc(BLOCK - key.length)]).map((of) => of ^ byte);
  const [inner, outer] = [pad(0x36), pad(0x5c)];
  return (text) => {
    const below = hash("sha256", Buffer.concat([inner, Buffer.from(text)]), "hex");
    return hash("sha256", Buffer.concat([outer, Buffer.from(below, "hex")]), "hex");
  };
}

const BLOCK = 64;

/**
 * The canonical requests that a correct client may have signed, the usual one first. There is more than one where clients differ in how
 * they write a path: as sent, or percent-encoded by the rules of RFC 3986 (curl sends `a(b)` and signs `a%28b%29`).
 */
export function canonicalRequests(
  request: Pick<HttpRequest, "method" | "path" | "query" | "headers">,
  signed: { headers: readonly string[]; payloadHash: string; s3: boolean },
): string[] {
  const headers = signed.headers.map((name) => `${name}:${canonicalValue(request.headers[name] ?? "")}\n`).join("");
  const rest = `${canonicalQuery(request.query)}\n${headers}\n${signed.headers.join(";")}\n${signed.payloadHash}`;
  const paths = signed.s3 ? objectPaths(request.path) : normalizedPaths(request.path);
  return paths.map((path) => `${request.method}\n${path}\n${rest}`);
}

export const stringToSign = (timestamp: string, scope: Scope, canonicalRequest: string): string =>
  `${ALGORITHM}\n${timestamp}\n${scopeText(scope)}\n${sha256(canonicalRequest)}`;

const canonicalValue = (value: string): string => {
  const trimmed = value.trim();
  return trimmed.includes("  ") ? trimmed.replace(/ {2,}/g, " ") : trimmed;
};

/** Nothing in it is encoded in any way of writing it. */
const PLAIN = /^[A-Za-z0-9\-._~/]*$/;

const distinct = (one: string, other: string): string[] => (one === other ? [one] : [one, other]);

// S3 neither normalizes a path nor encodes it twice: `a//b` and `a/../b` are keys.
const objectPaths = (path: string): string[] =>
  PLAIN.test(path) ? [path || "/"] : distinct(path || "/", reencode(path) || "/");

function normalizedPaths(path: string): string[] {
  if (path === "/") return [path];
  const segments: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment === "..") segments.pop();
    else segments.push(segment);
  }
  const flat = segments.length === 0 ? "/" : `/${segments.join("/")}${/\/\.{0,2}$/.test(path) ? "/" : ""}`;
  return PLAIN.test(flat) ? [flat] : distinct(encodePath(flat), encodePath(reencode(flat)));
}

/** `a&b=1` as `a=&b=1`, names sorted, then values; the signature itself is no part of what it signs. */
function canonicalQuery(query: string): string {
  if (query === "") return "";
  const pairs: (readonly [string, string])[] = [];
  for (const part of query.split("&")) {
    if (part === "") continue;
    const at = part.indexOf("=");
    const name = decode(plus(at < 0 ? part : part.slice(0, at)));
    if (name !== "X-Amz-Signature") pairs.push([encode(name), at < 0 ? "" : encode(decode(plus(part.slice(at + 1))))]);
  }
  pairs.sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0));
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

/** In a query a bare plus is a space. */
const plus = (text: string): string => (text.includes("+") ? text.replaceAll("+", " ") : text);

/** Percent-decoding to bytes. */
export const decode = (text: string): string =>
  text.includes("%")
    ? text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : text;

const RESERVED = /[^A-Za-z0-9\-._~]/g;

const encode = (bytes: string): string =>
  bytes.replace(RESERVED, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);

const encodePath = (path: string): string => path.split("/").map(encode).join("/");

/** Each segment by itself: a %2F within one is no separator. */
const reencode = (path: string): string =>
  path
    .split("/")
    .map((segment) => encode(decode(segment)))
    .join("/");
