// A queue as callers name it, and what they must be allowed to do with it.
import { type Access, type Arn, type Conditions, type Context, parseArn } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

export interface QueueRef {
  readonly account: string;
  readonly region: string;
  readonly name: string;
}

export const queueArn = ({ account, region, name }: QueueRef): Arn => `arn:aws:sqs:${region}:${account}:${name}`;

export const queueUrl = (ctx: Context, { account, name }: QueueRef): string => `${ctx.endpoint}/${account}/${name}`;

/** Whatever host it names: only its path says which queue. The region is the request's. */
export function queueOfUrl(ctx: Context, url: string | undefined): QueueRef {
  const found = /^(?:https?:\/\/[^/?#]+)?\/(?:queue\/[a-z0-9-]+\/)?(\d{12})\/([^/?#]+)\/?$/.exec(url ?? "");
  if (!found) throw errors.noSuchAddress(url ?? "");
  return { account: found[1]!, region: ctx.region, name: found[2]! };
}

/** Undefined where it is no queue's. */
export function queueOfArn(arn: Arn): QueueRef | undefined {
  const parts = parseArn(arn);
  if (parts?.service !== "sqs") return undefined;
  return { account: parts.account, region: parts.region, name: parts.resource };
}

export const onQueue = (
  ctx: Context,
  action: string,
  { QueueUrl }: { readonly QueueUrl?: string | undefined },
  conditions?: Conditions,
): Access => ({
  action: `sqs:${action}`,
  resource: queueArn(queueOfUrl(ctx, QueueUrl)),
  ...(conditions && { conditions }),
});
