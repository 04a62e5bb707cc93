// Buckets as websites: BUCKET.s3-website.REGION.HOST, read by nobody in particular, as policies and ACLs allow.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteEndpoints.html
import { STATUS_CODES } from "node:http";
import { Readable } from "node:stream";
import { AwsError, type Context, type HttpAnswer, type HttpRequest, type Output, type Site } from "../../kernel/mod.ts";
import { bucketFacts } from "./buckets.ts";
import { dress, preflight } from "./cors.ts";
import { errors, headersOf } from "./errors.ts";
import { extendedIdOf } from "./events.ts";
import type { BucketRow } from "./tables.ts";
import type { RoutingRule, Website } from "./website.ts";

/** photos.s3-website.localhost, photos.s3-website.eu-west-1.localhost, photos.s3-website-us-east-1.amazonaws.com */
const HOST = /^(.+)\.s3-website(?:[.-][a-z]{2}(?:-[a-z]+)+-\d)?\.[^:]+(?::\d+)?$/i;

export const website: Site = {
  matches: ({ headers }) => HOST.test(headers.host ?? ""),
  async handle(ctx, request) {
    const name = HOST.exec(request.headers.host!)![1]!.toLowerCase();
    const visit: Visit = { ctx, request, name, path: request.path.replace(/^\//, "") };
    const ofBucket = { ...request, path: `/${name}${request.path}` };
    const answer = await (request.method === "OPTIONS" ? preflight(ctx, ofBucket) : visited(visit)).catch(
      (error: unknown) => refused(visit, expected(error)),
    );
    const whole = request.method === "HEAD" ? withoutBody(answer) : answer;
    return await dress(ctx, ofBucket, whole);
  },
};

interface Visit {
  readonly ctx: Context;
  readonly request: HttpRequest;
  readonly name: string;
  /** As in the URL, without the slash in front. */
  readonly path: string;
}

/** What is no answer of AWS's is a defect: the door says so. */
function expected(error: unknown): AwsError {
  if (error instanceof AwsError) return error;
  throw error;
}

async function visited(visit: Visit): Promise<HttpAnswer> {
  const { ctx, request, name, path } = visit;
  if (request.method !== "GET" && request.method !== "HEAD") throw errors.methodNotAllowed(request.method, "OBJECT");
  const site = configurationOf(await bucketFacts(ctx, name), name);
  const all = site.RedirectAllRequestsTo;
  if (all) {
    const query = request.query === "" ? "" : `?${request.query}`;
    return redirect(ctx, 301, `${all.Protocol ?? "http"}://${all.HostName}/${path}${query}`);
  }
  const key = keyOf(path);
  const before = ruleFor(site, key, undefined);
  if (before) return follow(visit, key, before);
  try {
    return await page(visit, key === "" || key.endsWith("/") ? key + site.IndexDocument!.Suffix : key);
  } catch (error) {
    return await afterFailure(visit, { site, key, failure: expected(error) });
  }
}

function configurationOf(bucket: BucketRow | undefined, name: string): Website {
  if (!bucket) throw errors.noSuchBucket(name);
  if (bucket.website === null) throw errors.noSuchWebsite(name);
  return JSON.parse(bucket.website) as Website;
}

function keyOf(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // AWS takes such a path as it stands.
    return path;
  }
}

interface Failed {
  readonly site: Website;
  readonly key: string;
  readonly failure: AwsError;
}

/** A directory without its slash, a rule for this error, the error document, in this order. */
async function afterFailure(visit: Visit, { site, key, failure }: Failed): Promise<HttpAnswer> {
  const { ctx, path } = visit;
  if (failure.status < 400) throw failure;
  if (key !== "" && !key.endsWith("/") && (failure.status === 404 || failure.status === 403)) {
    const isDirectory = await read(visit, `${key}/${site.IndexDocument!.Suffix}`, "HeadObject").then(
      () => true,
      expectRefusal,
    );
    if (isDirectory) return redirect(ctx, 302, `/${path}/`);
  }
  const rule = ruleFor(site, key, failure.status);
  if (rule) return follow(visit, key, rule);
  if (!site.ErrorDocument) throw failure;
  try {
    const said = await page(visit, site.ErrorDocument.Key!, {});
    if (said.status !== 200) return said;
    return { ...said, status: failure.status, headers: { ...said.headers, ...errorHeaders(failure) } };
  } catch (error) {
    return refused(visit, failure, expected(error));
  }
}

const expectRefusal = (error: unknown): false => {
  expected(error);
  return false;
};

function ruleFor({ RoutingRules = [] }: Website, key: string, status: number | undefined): RoutingRule | undefined {
  return RoutingRules.find(
    ({ Condition: { HttpErrorCodeReturnedEquals: code, KeyPrefixEquals: prefix = "" } = {} }) => {
      const isItsTime = status === undefined ? code === undefined : code === String(status);
      return isItsTime && key.startsWith(prefix);
    },
  );
}

function follow({ ctx, request }: Visit, key: string, { Condition, Redirect = {} }: RoutingRule): HttpAnswer {
  const { HostName, Protocol = "http", HttpRedirectCode = "301", ReplaceKeyPrefixWith, ReplaceKeyWith } = Redirect;
  const prefix = Condition?.KeyPrefixEquals ?? "";
  const target =
    ReplaceKeyWith ?? (ReplaceKeyPrefixWith === undefined ? key : ReplaceKeyPrefixWith + key.slice(prefix.length));
  const path = target.split("/").map(encodeURIComponent).join("/");
  return redirect(ctx, Number(HttpRedirectCode), `${Protocol}://${HostName ?? request.headers.host}/${path}`);
}

const idsOf = ({ requestId }: Context): Record<string, string> => ({
  "x-amz-request-id": requestId,
  "x-amz-id-2": extendedIdOf(requestId),
});

const redirect = (ctx: Context, status: number, location: string): HttpAnswer => ({
  status,
  headers: { ...idsOf(ctx), location, "content-length": "0" },
});

type Read = Output<"s3", "GetObject">;
type Conditions = Partial<Record<"IfMatch" | "IfNoneMatch" | "Range", string>> &
  Partial<Record<"IfModifiedSince" | "IfUnmodifiedSince", Date>>;

function conditionsOf({ request: { headers } }: Visit): Conditions {
  const date = (text: string | undefined) => (Number.isNaN(Date.parse(text ?? "")) ? undefined : new Date(text!));
  const since = date(headers["if-modified-since"]);
  const until = date(headers["if-unmodified-since"]);
  return {
    ...(headers["if-match"] !== undefined && { IfMatch: headers["if-match"] }),
    ...(headers["if-none-match"] !== undefined && { IfNoneMatch: headers["if-none-match"] }),
    ...(headers.range !== undefined && { Range: headers.range }),
    ...(since && { IfModifiedSince: since }),
    ...(until && { IfUnmodifiedSince: until }),
  };
}

const read = ({ ctx, name }: Visit, key: string, operation: "GetObject" | "HeadObject", conditions: Conditions = {}) =>
  ctx.call("s3", operation, { Bucket: name, Key: key, ...conditions }) as Promise<Read>;

/** An object as a page; it may itself be a redirection. */
async function page(visit: Visit, key: string, conditions = conditionsOf(visit)): Promise<HttpAnswer> {
  const { ctx, request } = visit;
  const found = await read(visit, key, request.method === "HEAD" ? "HeadObject" : "GetObject", conditions);
  const { Body } = found as { Body?: HttpAnswer["body"] };
  if (found.WebsiteRedirectLocation !== undefined) {
    // What is not sent is not left open.
    if (Body instanceof Readable) Body.destroy();
    return redirect(ctx, 301, found.WebsiteRedirectLocation);
  }
  return {
    status: found.ContentRange === undefined ? 200 : 206,
    headers: { ...idsOf(ctx), ...pageHeaders(found) },
    ...(Body !== undefined && { body: Body }),
  };
}

function pageHeaders(found: Read): Record<string, string> {
  const said = {
    "content-type": found.ContentType,
    "content-length": String(found.ContentLength),
    "content-range": found.ContentRange,
    "content-encoding": found.ContentEncoding,
    "content-language": found.ContentLanguage,
    "content-disposition": found.ContentDisposition,
    "cache-control": found.CacheControl,
    expires: found.ExpiresString,
    etag: found.ETag,
    "last-modified": found.LastModified?.toUTCString(),
    "x-amz-version-id": found.VersionId,
  };
  const metadata = Object.entries(found.Metadata ?? {}).map(([name, value]) => [`x-amz-meta-${name}`, value]);
  return Object.fromEntries(
    [...Object.entries(said), ...metadata].filter(([, value]) => value !== undefined),
  ) as Record<string, string>;
}

const errorHeaders = ({ code, message, fields }: AwsError): Record<string, string> => ({
  "x-amz-error-code": code,
  "x-amz-error-message": message,
  ...Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => /^[\x20-\x7e]*$/.test(String(value)))
      .map(([name, value]) => [`x-amz-error-detail-${name.toLowerCase()}`, String(value)]),
  ),
});

/** AWS's page for an error. `second`: what became of the error document. */
function refused({ ctx }: Visit, failure: AwsError, second?: AwsError): HttpAnswer {
  const { status } = failure;
  if (status === 304) return { status, headers: { ...idsOf(ctx), ...headersOf(failure) } };
  const ids = { RequestId: ctx.requestId, HostId: extendedIdOf(ctx.requestId) };
  const title = `${status} ${STATUS_CODES[status]}`;
  const body = [
    "<html>",
    `<head><title>${title}</title></head>`,
    "<body>",
    `<h1>${title}</h1>`,
    ...list({ ...membersOf(failure), ...ids }),
    ...(second
      ? ["<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>", ...list(membersOf(second))]
      : []),
    "<hr/>",
    "</body>",
    "</html>",
    "",
  ].join("\n");
  const headers = { "content-type": "text/html; charset=utf-8", "content-length": String(Buffer.byteLength(body)) };
  return { status, headers: { ...idsOf(ctx), ...errorHeaders(failure), ...headers }, body };
}

const membersOf = ({ code, message, fields }: AwsError) => ({ Code: code, Message: message, ...fields });

const list = (members: Readonly<Record<string, unknown>>): string[] => [
  "<ul>",
  ...Object.entries(members).map(([name, value]) => `<li>${name}: ${escaped(String(value))}</li>`),
  "</ul>",
];

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (one) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[one]!);

const withoutBody = ({ status, headers }: HttpAnswer): HttpAnswer => ({ status, headers });
