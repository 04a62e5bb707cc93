// URLs presigned with Signature Version 2. AWS takes them still in its oldest regions, and `aws s3 presign` and boto3 make them wherever they
// are not told otherwise: for us-east-1 and for an endpoint of one's own. In a header Version 2 is refused (claim-s3.ts).
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
import { createHmac } from "node:crypto";
import type { HttpRequest } from "../model/http.ts";
import { authError } from "./auth-errors.ts";
import { type Claim, isoText, queryParameters, type Terms } from "./claim.ts";

const denied = (message: string, fields?: Record<string, unknown>) => authError("s3", "denied", { message, fields });

export const isVersion2 = (query: ReadonlyMap<string, string>): boolean =>
  query.has("AWSAccessKeyId") || (query.has("Signature") && query.has("Expires"));

export function claimVersion2(request: HttpRequest, query: ReadonlyMap<string, string>, terms: Terms): Claim {
  const [accessKeyId, signature, expires] = ["AWSAccessKeyId", "Signature", "Expires"].map((name) => query.get(name));
  if (!accessKeyId || !signature || !expires)
    throw denied("Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters");
  if (!/^\d{1,12}$/.test(expires)) throw denied(`Invalid date (should be seconds since epoch): ${expires}`);
  const until = Number(expires) * 1000;
  if (terms.realNow >= until)
    throw denied("Request has expired", { Expires: isoText(until), ServerTime: isoText(terms.realNow) });
  return {
    kind: "query",
    version2: true,
    accessKeyId,
    signature,
    // It names no region: it is of the time when there was one.
    region: "us-east-1",
    service: terms.service,
    date: "",
    timestamp: expires,
    signedHeaders: [],
    payloadHash: "UNSIGNED-PAYLOAD",
    sessionToken: request.headers["x-amz-security-token"] ?? query.get("x-amz-security-token"),
  };
}

/** `path` is path-style: where the host names the bucket, it stands before the path in what is signed, and in what is acted upon. */
export function version2String(request: HttpRequest, { expires, path }: { expires: string; path: string }): string {
  const { method, headers } = request;
  const query = queryParameters(request.query);
  const amz = new Map<string, string>();
  for (const source of [query, new Map(Object.entries(headers))])
    for (const [name, value] of source) if (/^x-amz-/.test(name)) amz.set(name, value.trim());
  const amzLines = [...amz].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}:${value}\n`);
  const { "content-md5": md5 = "", "content-type": type = "" } = headers;
  return `${method}\n${md5}\n${type}\n${expires}\n${amzLines.join("")}${path}${resources(query)}`;
}

/** Base64, as `Signature` carries it. */
export const version2Signature = (secretAccessKey: string, stringToSign: string): string =>
  createHmac("sha1", secretAccessKey).update(stringToSign, "latin1").digest("base64");

/** The parameters that are part of what is asked for; the others are not signed. */
const RESOURCES = new Set([
  ..."accelerate acl analytics attributes cors defaultObjectAcl delete encryption inventory legal-hold lifecycle location logging metrics".split(
    " ",
  ),
  ..."notification object-lock partNumber policy replication requestPayment restore retention select select-type storageClass".split(
    " ",
  ),
  ..."tagging torrent uploadId uploads versionId versioning versions website".split(" "),
  ..."cache-control content-disposition content-encoding content-language content-type expires"
    .split(" ")
    .map((name) => `response-${name}`),
]);

function resources(query: ReadonlyMap<string, string>): string {
  const parts = [...query].filter(([name]) => RESOURCES.has(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  return parts.length === 0
    ? ""
    : `?${parts.map(([name, value]) => (value === "" ? name : `${name}=${value}`)).join("&")}`;
}
