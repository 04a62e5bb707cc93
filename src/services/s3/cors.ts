// CORS: which pages of other origins a browser may let at a bucket. https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html
// Preflights are not signed; on other answers, refusals too, the headers stand beside the rest. Both recorded on AWS.
import {
  after,
  type Context,
  defineOperations,
  type HttpAnswer,
  type HttpRequest,
  type Input,
} from "../../kernel/mod.ts";
import { onBucket } from "./access.ts";
import { bucketFacts, bucketOf } from "./buckets.ts";
import { errors } from "./errors.ts";
import { extendedIdOf } from "./events.ts";

const METHODS = ["GET", "PUT", "HEAD", "POST", "DELETE"];
const MAX_RULES = 100;
const MAX_ID = 255;
const VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

type Rule = NonNullable<NonNullable<Input<"s3", "PutBucketCors">["CORSConfiguration"]>["CORSRules"]>[number];

export const cors = defineOperations("s3", {
  GetBucketCors: {
    access: (_, input) => onBucket("GetBucketCORS", input),
    async handle(ctx, input) {
      const { name, cors } = await bucketOf(ctx, input);
      if (cors === null) throw errors.noSuchCors(name);
      return { CORSRules: JSON.parse(cors) as Rule[] };
    },
  },

  PutBucketCors: {
    access: (_, input) => onBucket("PutBucketCORS", input),
    async handle(ctx, input) {
      const rules = input.CORSConfiguration?.CORSRules ?? [];
      if (rules.length === 0 || rules.length > MAX_RULES) throw errors.malformedXml();
      rules.forEach(checkRule);
      await setCors(ctx, (await bucketOf(ctx, input)).name, JSON.stringify(rules));
      return {};
    },
  },

  DeleteBucketCors: {
    access: (_, input) => onBucket("PutBucketCORS", input),
    async handle(ctx, input) {
      await setCors(ctx, (await bucketOf(ctx, input)).name, null);
      return {};
    },
  },
});

const setCors = (ctx: Context, name: string, cors: string | null) =>
  ctx.write((tx) => tx.run("UPDATE s3_bucket SET cors = :cors WHERE name = :name", { name, cors }));

function checkRule({
  ID = "",
  AllowedMethods = [],
  AllowedOrigins = [],
  AllowedHeaders = [],
  ExposeHeaders = [],
}: Rule) {
  if (AllowedMethods.length === 0 || AllowedOrigins.length === 0 || ID.length > MAX_ID) throw errors.malformedXml();
  for (const method of AllowedMethods)
    if (!METHODS.includes(method))
      throw errors.invalidRequest(`Found unsupported HTTP method in CORS config. Unsupported method is ${method}`);
  const wildcards = (name: string, values: readonly string[]): void => {
    for (const value of values)
      if (value.split("*").length > 2)
        throw errors.invalidRequest(`${name} "${value}" can not have more than one wildcard.`);
  };
  wildcards("AllowedOrigin", AllowedOrigins);
  wildcards("AllowedHeader", AllowedHeaders);
  for (const value of ExposeHeaders)
    if (value.includes("*"))
      throw errors.invalidRequest(
        `ExposeHeader "${value}" contains wildcard. We currently do not support wildcard for ExposeHeader.`,
      );
}

interface Asked {
  readonly origin: string;
  readonly method: string;
  /** In lower case: a browser's. */
  readonly headers: readonly string[];
}

/** OPTIONS. Throws BadRequest and AccessForbidden. */
export async function preflight(ctx: Context, { headers, path }: HttpRequest): Promise<HttpAnswer> {
  const [, name = "", key = ""] = path.split("/");
  const { origin, "access-control-request-method": method } = headers;
  if (!origin) throw errors.badRequest("Insufficient information. Origin request header needed.");
  const forbidden = (why: string) =>
    errors.corsForbidden(why, { method: method ?? "OPTIONS", type: key === "" ? "BUCKET" : "OBJECT" });
  const bucket = await bucketFacts(ctx, decodeURIComponent(name));
  if (!bucket) throw forbidden("Bucket not found");
  if (bucket.cors === null) throw forbidden("CORS is not enabled for this bucket.");
  if (!method || !METHODS.includes(method))
    throw errors.badRequest(`Invalid Access-Control-Request-Method: ${method ?? "null"}`);
  const asked = { origin, method, headers: askedHeaders(headers) };
  const rule = ruleFor(bucket.cors, asked);
  if (!rule)
    throw forbidden(
      "This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
    );
  const allowed = asked.headers.length > 0 && { "access-control-allow-headers": asked.headers.join(", ") };
  return {
    status: 200,
    headers: {
      "x-amz-request-id": ctx.requestId,
      "x-amz-id-2": extendedIdOf(ctx.requestId),
      ...headersOf(rule, asked),
      ...allowed,
      "content-length": "0",
    },
  };
}

/** What an answer says besides to a page of another origin. */
export function dress(
  ctx: Context,
  { headers, method, path }: HttpRequest,
  answer: HttpAnswer,
): HttpAnswer | Promise<HttpAnswer> {
  const { origin } = headers;
  const name = path.split("/")[1];
  if (!origin || !name) return answer;
  return after(bucketFacts(ctx, decodeURIComponent(name)), (bucket) => {
    if (!bucket || bucket.cors === null) return answer;
    const asked = { origin, method, headers: askedHeaders(headers) };
    const rule = ruleFor(bucket.cors, asked);
    return rule ? { ...answer, headers: { ...answer.headers, ...headersOf(rule, asked) } } : answer;
  });
}

const askedHeaders = (headers: HttpRequest["headers"]): string[] =>
  (headers["access-control-request-headers"] ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "");

/** The first that fits. */
const ruleFor = (cors: string, { origin, method, headers }: Asked): Rule | undefined =>
  (JSON.parse(cors) as Rule[]).find(
    ({ AllowedMethods = [], AllowedOrigins = [], AllowedHeaders = [] }) =>
      AllowedMethods.includes(method) &&
      AllowedOrigins.some((pattern) => fits(pattern, origin)) &&
      headers.every((name) => AllowedHeaders.some((pattern) => fits(pattern.toLowerCase(), name))),
  );

/** One `*` stands for any text. */
function fits(pattern: string, text: string): boolean {
  const [start = "", end] = pattern.split("*", 2);
  if (end === undefined) return pattern === text;
  return text.length >= start.length + end.length && text.startsWith(start) && text.endsWith(end);
}

function headersOf(rule: Rule, { origin }: Asked): Record<string, string> {
  const { AllowedMethods = [], AllowedOrigins = [], ExposeHeaders = [], MaxAgeSeconds } = rule;
  const anyone = AllowedOrigins.includes("*");
  return {
    "access-control-allow-origin": anyone ? "*" : origin,
    "access-control-allow-methods": AllowedMethods.join(", "),
    ...(ExposeHeaders.length > 0 && { "access-control-expose-headers": ExposeHeaders.join(", ") }),
    ...(MaxAgeSeconds !== undefined && { "access-control-max-age": String(MaxAgeSeconds) }),
    ...(!anyone && { "access-control-allow-credentials": "true" }),
    vary: VARY,
  };
}
