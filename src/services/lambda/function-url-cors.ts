// CORS of a function URL: its configuration overrides what the function says, and answers a browser's preflight without the function.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
import type { HttpAnswer, HttpRequest } from "../../kernel/mod.ts";
import type { Cors } from "./function-urls.ts";

/** Undefined: no preflight, so the function's to answer. */
export function preflight(cors: Cors, request: HttpRequest): HttpAnswer | undefined {
  const { origin, "access-control-request-method": method } = request.headers;
  if (request.method !== "OPTIONS" || origin === undefined || method === undefined) return undefined;
  const { AllowMethods, AllowHeaders, MaxAge } = cors;
  const isAllowed = allowed(cors, origin) !== undefined;
  return {
    status: 200,
    headers: {
      "content-type": "application/json",
      ...(isAllowed && AllowMethods?.length && { "access-control-allow-methods": AllowMethods.join(",") }),
      ...(isAllowed && AllowHeaders?.length && { "access-control-allow-headers": AllowHeaders.join(",") }),
      ...(isAllowed && MaxAge !== undefined && { "access-control-max-age": String(MaxAge) }),
    },
  };
}

/** What every answer to a page of an allowed origin has. */
export function corsHeaders(cors: Cors, { headers }: HttpRequest): Record<string, string> {
  const origin = headers.origin === undefined ? undefined : allowed(cors, headers.origin);
  if (origin === undefined) return {};
  const { AllowCredentials, ExposeHeaders } = cors;
  return {
    "access-control-allow-origin": origin,
    ...(origin !== "*" && { vary: "Origin" }),
    ...(AllowCredentials && { "access-control-allow-credentials": "true" }),
    ...(ExposeHeaders?.length && { "access-control-expose-headers": ExposeHeaders.join(",") }),
  };
}

/** The origin as it is answered: a page with credentials is never answered with `*`, which browsers would not take. */
function allowed({ AllowOrigins = [], AllowCredentials }: Cors, origin: string): string | undefined {
  if (AllowOrigins.includes("*")) return AllowCredentials ? origin : "*";
  return AllowOrigins.includes(origin) ? origin : undefined;
}
