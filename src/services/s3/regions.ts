// A bucket is its region's. One endpoint serves them all (localhost has no region), but a host that names a region is that region's endpoint, and sends
// whoever asks it for another region's bucket there. https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html
import type { Context, Handler, Operations } from "../../kernel/mod.ts";
import { type BucketInput, bucketFacts } from "./buckets.ts";
import { errors, withHeaders } from "./errors.ts";
import { headerOf } from "./request.ts";

/** s3.eu-west-1.amazonaws.com, bucket.s3-eu-west-1..., bucket.s3.dualstack.eu-west-1...; s3.amazonaws.com is everybody's here. */
const REGIONAL = /^(?:.+\.)?s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d)\./;
/** It is in the region that it is asked for; and where a bucket is, any endpoint tells. */
const ANYWHERE = new Set(["CreateBucket", "GetBucketLocation", "ListBuckets"]);

/** Every operation on a bucket, refused by another region's endpoint. */
export const withRegions = (operations: Operations<"s3">): Operations<"s3"> =>
  Object.fromEntries(
    Object.entries(operations as Record<string, Handler<"s3", "HeadBucket">>).map(([name, { access, handle }]) => [
      name,
      ANYWHERE.has(name)
        ? { access, handle }
        : ({
            access,
            handle: (ctx, input) => {
              const region = regionOfHost(input);
              return region === undefined
                ? handle(ctx, input)
                : atHome(ctx, input, region).then(() => handle(ctx, input));
            },
          } satisfies Handler<"s3", "HeadBucket">),
    ]),
  );

const regionOfHost = (input: object): string | undefined => REGIONAL.exec(headerOf(input, "host") ?? "")?.[1];

async function atHome(ctx: Context, { Bucket }: BucketInput, region: string): Promise<void> {
  const bucket = await bucketFacts(ctx, Bucket!);
  if (!bucket || bucket.region === region) return;
  throw withHeaders(errors.permanentRedirect(bucket.name, `${bucket.name}.s3.${bucket.region}.amazonaws.com`), {
    "x-amz-bucket-region": bucket.region,
  });
}
