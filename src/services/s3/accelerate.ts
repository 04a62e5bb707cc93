// Transfer acceleration, as AWS keeps it: there is nothing to be accelerated here.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAccelerateConfiguration.html
import { defineOperations } from "../../kernel/mod.ts";
import { onBucket } from "./access.ts";
import { bucketOf } from "./buckets.ts";
import { errors } from "./errors.ts";

export const acceleration = defineOperations("s3", {
  GetBucketAccelerateConfiguration: {
    access: (_, input) => onBucket("GetAccelerateConfiguration", input),
    async handle(ctx, input) {
      const { accelerate } = await bucketOf(ctx, input);
      return accelerate === null ? {} : { Status: accelerate };
    },
  },

  PutBucketAccelerateConfiguration: {
    access: (_, input) => onBucket("PutAccelerateConfiguration", input),
    async handle(ctx, input) {
      const { Status } = input.AccelerateConfiguration ?? {};
      if (Status !== "Enabled" && Status !== "Suspended") throw errors.malformedXml();
      const { name } = await bucketOf(ctx, input);
      if (name.includes("."))
        throw errors.invalidRequest(
          "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names",
        );
      await ctx.write((tx) => tx.run("UPDATE s3_bucket SET accelerate = :Status WHERE name = :name", { name, Status }));
      return {};
    },
  },
});
