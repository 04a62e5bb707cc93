// Who pays for requests. Where it is the requester, everyone but the owner must say that he knows.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html
import { type Context, defineOperations, type Handler, type Model, type Operations } from "../../kernel/mod.ts";
import { onBucket } from "./access.ts";
import { bucketFacts, bucketOf } from "./buckets.ts";
import { errors } from "./errors.ts";
import type { BucketRow } from "./tables.ts";

export const requestPayment = defineOperations("s3", {
  GetBucketRequestPayment: {
    access: (_, input) => onBucket("GetBucketRequestPayment", input),
    async handle(ctx, input) {
      return { Payer: (await bucketOf(ctx, input)).payer ?? ("BucketOwner" as const) };
    },
  },

  PutBucketRequestPayment: {
    access: (_, input) => onBucket("PutBucketRequestPayment", input),
    async handle(ctx, input) {
      const { Payer } = input.RequestPaymentConfiguration ?? {};
      if (Payer !== "Requester" && Payer !== "BucketOwner") throw errors.malformedXml();
      const { name } = await bucketOf(ctx, input);
      const payer = Payer === "Requester" ? Payer : null;
      await ctx.write((tx) => tx.run("UPDATE s3_bucket SET payer = :payer WHERE name = :name", { name, payer }));
      return {};
    },
  },
});

interface Paid {
  readonly Bucket?: string | undefined;
  readonly RequestPayer?: string | undefined;
}

/** Nobody cannot pay. AWS's own services do not. */
const isCharged = ({ principal }: Context, { payer, account }: BucketRow): boolean =>
  payer === "Requester" && principal.kind !== "service" && !("account" in principal && principal.account === account);

/** Throws AccessDenied where the requester would pay, and does not say that he knows. */
export function expectPayer(ctx: Context, bucket: BucketRow, { RequestPayer }: Paid): boolean {
  if (!isCharged(ctx, bucket)) return false;
  if (RequestPayer !== "requester" || ctx.principal.kind === "anonymous") throw errors.accessDenied();
  return true;
}

/** All operations; those that are paid for have `RequestPayer` in the model, and most answer `RequestCharged`. */
export const withPayers = (operations: Operations<"s3">, model: () => Model): Operations<"s3"> =>
  Object.fromEntries(
    Object.entries(operations as Record<string, Handler<"s3", "GetObject">>).map(([name, { access, handle }]) => [
      name,
      {
        access,
        async handle(ctx, input) {
          const bucket = input.Bucket === undefined ? undefined : await bucketFacts(ctx, input.Bucket);
          if (!bucket || bucket.payer === null || !has(model(), { name, side: "input", member: "RequestPayer" }))
            return await handle(ctx, input);
          const charged = expectPayer(ctx, bucket, input);
          const output = await handle(ctx, input);
          return charged && has(model(), { name, side: "output", member: "RequestCharged" })
            ? { ...output, RequestCharged: "requester" as const }
            : output;
        },
      } satisfies Handler<"s3", "GetObject">,
    ]),
  );

function has(
  model: Model,
  { name, side, member }: { name: string; side: "input" | "output"; member: string },
): boolean {
  const shape = model.shapes[model.operations[name]![side]];
  return shape?.type === "structure" && shape.members[member] !== undefined;
}
