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
    headers.authorization === undefined
      ? signedQuery(query, "X-Amz-Credential")
      : /Credential=([^,\s]+)/.exec(headers.authorization)?.[1];
  const parts = credential?.split("/") ?? [];
  if (parts.length < 5) return undefined;
  return { accessKeyId: parts.slice(0, -4).join("/"), region: parts.at(-3)!, service: parts.at(-2)! };
}

/** A parameter of a presigned URL, as the signature's check reads it: its name, too, may be percent-encoded. */
export const signedQuery = (query: string, name: string): string | undefined =>
  query === "" ? undefined : (new URLSearchParams(query).get(name) ?? undefined);

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
