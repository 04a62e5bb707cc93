// What a request was signed for, as S3 tells whoever signed for another service or region than the one that was asked.
import { AwsError, type HttpRequest } from "../../kernel/mod.ts";

export interface SignedScope {
  readonly accessKeyId: string;
  readonly region: string;
  readonly service: string;
}

/** Of a signature in the header or in the query; undefined where there is none, and of a posted form. */
export function scopeOf({ headers, query }: HttpRequest): SignedScope | undefined {
  const credential =
    /Credential=([^,\s]+)/.exec(headers.authorization ?? "")?.[1] ??
    (/X-Amz-Credential=/.test(query) ? new URLSearchParams(query).get("X-Amz-Credential") : undefined);
  const parts = credential?.split("/") ?? [];
  if (parts.length < 5) return undefined;
  return { accessKeyId: parts.slice(0, -4).join("/"), region: parts.at(-3)!, service: parts.at(-2)! };
}

/** `how` is AWS's sentence; `region`: the one that was expected. */
export function wronglySigned({ headers }: HttpRequest, how: string, region?: string): AwsError {
  const fields = region === undefined ? {} : { Region: region };
  return headers.authorization === undefined
    ? new AwsError(
        "AuthorizationQueryParametersError",
        400,
        `Error parsing the X-Amz-Credential parameter; ${how}`,
        fields,
      )
    : new AwsError("AuthorizationHeaderMalformed", 400, `The authorization header is malformed; ${how}`, fields);
}
