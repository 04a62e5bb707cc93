// Which queues send their dead letters where: set with the source's RedrivePolicy, allowed by the target, listed by ListDeadLetterSourceQueues.
import { defineOperations, type Tx } from "../../kernel/mod.ts";
import { onQueue, type QueueRef, queueArn, queueOfArn } from "./access.ts";
import type { Attributes } from "./attributes.ts";
import { errors } from "./errors.ts";
import { pageOf } from "./queue-pages.ts";
import { findQueue, listQueues, openQueue, type Queue } from "./queue-row.ts";
import { allowsRedrive, parseRedrive, redriveOf } from "./redrive.ts";

export const deadLetters = defineOperations("sqs", {
  ListDeadLetterSourceQueues: {
    access: (ctx, input) => onQueue(ctx, "ListDeadLetterSourceQueues", input),
    async handle(ctx, input) {
      const page = pageOf(input);
      const sources = await ctx.read(async (tx) => sourcesOf(tx, await openQueue(tx, ctx, input.QueueUrl), page.after));
      const { urls, ...next } = page.of(ctx, sources);
      return { queueUrls: urls, ...next };
    },
  },
});

/** The queues whose dead letters come to `target`, beyond the name `after`. */
export async function sourcesOf(tx: Tx, target: Queue, after = ""): Promise<Queue[]> {
  const { account, region } = target;
  const all = await listQueues(tx, { account, region, prefix: "", after, limit: Number.MAX_SAFE_INTEGER });
  const arn = queueArn(target);
  return all.filter(({ attributes }) => redriveOf(attributes)?.deadLetterTargetArn === arn);
}

/**
 * A new policy's target must be there: a queue of the same kind, account and region, that lets this one. What was set before is not looked at
 * again.
 */
export async function withRedrive(tx: Tx, source: QueueRef, attributes: Attributes): Promise<Attributes> {
  const text = attributes.RedrivePolicy;
  if (text === undefined) return attributes;
  const policy = parseRedrive(text);
  const kept = JSON.stringify(policy);
  if (kept === text && (await findQueue(tx, source))?.attributes.RedrivePolicy === text) return attributes;
  const wrong = (reason: string) => errors.parameter("RedrivePolicy", text, reason);
  const ref = queueOfArn(policy.deadLetterTargetArn)!;
  if (ref.account !== source.account || ref.region !== source.region)
    throw wrong("Dead-letter target owner should be same as the source.");
  const target = await findQueue(tx, ref);
  if (!target) throw wrong("Dead letter target does not exist.");
  if (target.fifo !== source.name.endsWith(".fifo"))
    throw wrong("Dead-letter queue must be same type of queue as the source.");
  if (!allowsRedrive(target.attributes, queueArn(source)))
    throw wrong("The dead-letter queue's redrive allow policy doesn't permit this source queue.");
  return { ...attributes, RedrivePolicy: kept };
}
