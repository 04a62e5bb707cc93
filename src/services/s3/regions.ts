// A bucket is its region's, and so is an endpoint: a host that names a region is that region's, and one that names none (localhost) that of whoever
// signs. Another region's bucket is not there: who asks for it is told where it is, before anything is decided, and SDKs go there.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html
import { after, type Context, type Handler, type HttpRequest, type Operations } from "../../kernel/mod.ts";
import { type BucketInput, bucketFacts, isRegion } from "./buckets.ts";
import { errors, withHeaders } from "./errors.ts";
import { requestOf } from "./request.ts";
import { scopeOf, wronglySigned } from "./scope.ts";
import type { BucketRow } from "./tables.ts";

/** s3.eu-west-1.amazonaws.com, bucket.s3-eu-west-1..., bucket.s3.dualstack.eu-west-1...; s3.amazonaws.com is everybody's here. */
const REGIONAL = /^(?:.+\.)?s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d)\./;
/** It is in the region that it is asked for; and where a bucket is, any endpoint tells. */
const ANYWHERE = new Set(["CreateBucket", "GetBucketLocation", "ListBuckets", "ListDirectoryBuckets"]);

/** Every operation, refused by another region's endpoint. */
export const withRegions = (operations: Operations<"s3">): Operations<"s3"> =>
  Object.fromEntries(
    Object.entries(operations as Record<string, Handler<"s3", "HeadBucket">>).map(([name, { access, handle }]) => [
      name,
      {
        handle,
        access: (ctx, input) => {
          const request = requestOf(input);
          if (!request || ctx.config.relaxed) return access(ctx, input);
          const bucket = (input as BucketInput).Bucket === undefined ? undefined : bucketFacts(ctx, input.Bucket!);
          return after(bucket, (found) => {
            const region = endpointOf(ctx, request, found);
            if (region !== undefined && found && found.region !== region && !ANYWHERE.has(name)) throw elsewhere(found);
            return access(ctx, input);
          });
        },
      } satisfies Handler<"s3", "HeadBucket">,
    ]),
  );

/** Whose endpoint the request was sent to; undefined where neither its host nor a signature says. Throws where they differ. */
function endpointOf(ctx: Context, request: HttpRequest, bucket: BucketRow | undefined): string | undefined {
  const host = REGIONAL.exec(request.headers.host ?? "")?.[1];
  const signed = scopeOf(request)?.region;
  if (signed === undefined) return host;
  const expected = host ?? (isRegion(signed) ? undefined : (bucket?.region ?? ctx.config.region));
  if (expected !== undefined && expected !== signed)
    throw wronglySigned(request, `the region '${signed}' is wrong; expecting '${expected}'`, expected);
  return signed;
}

const elsewhere = ({ name, region, zone }: BucketRow) =>
  zone === null
    ? withHeaders(errors.permanentRedirect(name, `${name}.s3.${region}.amazonaws.com`), {
        "x-amz-bucket-region": region,
      })
    : errors.noSuchBucket(name);
