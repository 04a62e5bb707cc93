// The event that a request becomes: API Gateway's payload format 2.0, as Lambda fills it in.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
import type { Context, HttpRequest, Principal } from "../../kernel/mod.ts";
import type { UrlRow } from "./function-urls.ts";

export interface Asked {
  readonly request: HttpRequest;
  readonly body: Uint8Array;
  readonly row: UrlRow;
  /** Of who signed. */
  readonly accessKeyId?: string;
}

/** Members that have nothing to say are absent, as on AWS, though its page shows some of them as null. */
export function eventOf(ctx: Context, { request, body, row, accessKeyId }: Asked): object {
  const { host = "", cookie, ...headers } = request.headers;
  const domainName = host.replace(/:\d+$/, "");
  const isText = body.length === 0 || TEXT.test(headers["content-type"] ?? "");
  const authorizer = iamOf(ctx.principal, accessKeyId);
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: request.path,
    rawQueryString: request.query,
    ...(cookie !== undefined && { cookies: cookie.split(/; ?/) }),
    headers: { ...forwarded(ctx, request), ...headers, host },
    ...(request.query !== "" && { queryStringParameters: parametersOf(request.query) }),
    requestContext: {
      accountId: authorizer ? row.account : "anonymous",
      apiId: row.url_id,
      ...(authorizer && { authorizer: { iam: authorizer } }),
      domainName,
      domainPrefix: row.url_id,
      http: {
        method: request.method,
        path: request.path,
        protocol: "HTTP/1.1",
        sourceIp: request.from.replace(/^::ffff:/, ""),
        userAgent: headers["user-agent"] ?? null,
      },
      requestId: ctx.requestId,
      routeKey: "$default",
      stage: "$default",
      time: timeOf(ctx.now),
      timeEpoch: ctx.now,
    },
    ...(body.length > 0 && { body: Buffer.from(body).toString(isText ? "utf8" : "base64") }),
    isBase64Encoded: !isText,
  };
}

// What API Gateway takes for text: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
// A form that was posted is none, nor is what does not say what it is.
const TEXT = /^(?:text\/|application\/(?:[\w.+-]+\+)?(?:json|xml|javascript)\b)/i;

function forwarded(ctx: Context, request: HttpRequest): Record<string, string> {
  const { protocol, port } = new URL(ctx.endpoint);
  return {
    "x-forwarded-for": request.from.replace(/^::ffff:/, ""),
    "x-forwarded-port": port || (protocol === "https:" ? "443" : "80"),
    "x-forwarded-proto": protocol.slice(0, -1),
  };
}

/** Several values of one name are joined by commas. */
function parametersOf(query: string): Record<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    const before = found.get(name);
    found.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(found);
}

function iamOf(principal: Principal, accessKey: string | undefined): object | undefined {
  if (!("arn" in principal) || accessKey === undefined) return undefined;
  const { account, id, arn } = principal;
  return {
    accessKey,
    accountId: account,
    callerId: id,
    cognitoIdentity: null,
    principalOrgId: null,
    userArn: arn,
    userId: id,
  };
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** 12/Mar/2020:19:03:58 +0000 */
function timeOf(ms: number): string {
  const at = new Date(ms);
  const day = String(at.getUTCDate()).padStart(2, "0");
  return `${day}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}:${at.toISOString().slice(11, 19)} +0000`;
}
