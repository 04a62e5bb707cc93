// Where records of invocations go: queues, topics, functions, buses and buckets. Each is written to as the function's role, which must be allowed to.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
import { Readable } from "node:stream";
import {
  type Arn,
  type Context,
  newRequestId,
  type Parcel,
  type Principal,
  parseArn,
  sendTo,
} from "../../kernel/mod.ts";

export interface Destined {
  readonly to: Arn;
  /** JSON. */
  readonly record: unknown;
  /** Where in a bucket it lies, and what it has there besides. */
  readonly bucket: { readonly folder: string; readonly more?: Readonly<Record<string, unknown>> };
  /** For a bus. */
  readonly about?: { readonly functionArn: Arn; readonly succeeded: boolean };
}

/** Brings it, now. Throws what the destination says. */
export async function bring(ctx: Context, as: Principal, destined: Destined): Promise<void> {
  const { to, record, bucket } = destined;
  if (parseArn(to)?.service !== "s3") return sendTo(ctx, { to, as, parcel: parcelOf(destined) });
  const at = new Date(ctx.clock.now()).toISOString().slice(0, 19).replaceAll(":", ".");
  const Key = `${bucket.folder}/${at.slice(0, 10).replaceAll("-", "/")}/${at}-${newRequestId()}`;
  const Body = Readable.from([Buffer.from(JSON.stringify({ ...(record as object), ...bucket.more }))]);
  await ctx.call("s3", "PutObject", { Bucket: parseArn(to)!.resource, Key, Body, ContentType: "application/json" }, as);
}

function parcelOf({ to, record, about }: Destined): Parcel {
  const { service } = parseArn(to)!;
  if (service === "lambda") return { kind: "event", event: record };
  if (service !== "events") return { kind: "message", body: JSON.stringify(record) };
  return {
    kind: "entry",
    source: "lambda",
    detailType: `Lambda Function Invocation Result - ${about?.succeeded ? "Success" : "Failure"}`,
    detail: record,
    resources: [to, ...(about ? [about.functionArn] : [])],
  };
}
