// Due work to a queue's ARN is a message, or a step of a move task. A message is sent as whoever put it, so that IAM asks the queue's policy.
import type { Context, Work } from "../../kernel/mod.ts";
import { queueOfArn, queueUrl } from "./access.ts";
import { errors } from "./errors.ts";
import { step } from "./move-tasks.ts";

interface Message {
  readonly kind: "message";
  readonly body: string;
  readonly attributes?: Readonly<Record<string, { DataType: string; StringValue: string }>>;
  readonly groupId?: string;
}

export async function deliver(ctx: Context, work: Work): Promise<void> {
  if ((work.payload as { kind?: unknown } | null)?.kind === "move") return step(ctx, work);
  const ref = queueOfArn(work.to);
  if (!ref) throw errors.noQueue();
  const { account, region } = ref;
  const there = region === ctx.region ? ctx : ctx.fork({ principal: work.as, account, region, cause: ctx.requestId });
  const { body, attributes, groupId } = messageOf(work.payload);
  await there.call(
    "sqs",
    "SendMessage",
    {
      QueueUrl: queueUrl(ctx, ref),
      MessageBody: body,
      ...(attributes && { MessageAttributes: { ...attributes } }),
      ...(groupId !== undefined && { MessageGroupId: groupId }),
    },
    work.as,
  );
}

/** What a service puts nothing around (S3's `{ Records }`) is the body as it is; `{ kind: "event", event }` is its event. */
function messageOf(payload: unknown): Message {
  const wrapped = payload as { kind?: unknown; event?: unknown } | null;
  if (wrapped?.kind === "message") return payload as Message;
  return { kind: "message", body: JSON.stringify(wrapped?.kind === "event" ? wrapped.event : payload) };
}
