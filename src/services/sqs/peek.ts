// A look into a queue that changes nothing: for `aws-like queue` and the console.
import type { Tx } from "../../kernel/mod.ts";
import { type QueueRef, queueArn, queueOfArn } from "./access.ts";
import type { StoredAttributes } from "./message-attributes.ts";
import { countMessages, findQueue } from "./queue-row.ts";
import { oldestSequence } from "./retention.ts";
import type { MessageRow } from "./tables.ts";

export interface Peek {
  readonly arn: string;
  /** ms since the epoch, on the clock. */
  readonly now: number;
  readonly counts: { readonly visible: number; readonly inFlight: number; readonly delayed: number };
  readonly messages: readonly Peeked[];
}

export interface Peeked {
  readonly id: string;
  readonly body: string;
  readonly sentMs: number;
  /** In flight or delayed until then. */
  readonly visibleMs: number;
  readonly receives: number;
  readonly group: string | undefined;
  readonly deduplicationId: string | undefined;
  readonly senderId: string;
  readonly attributes: StoredAttributes;
}

/** The first messages in the order in which they can be received. `queue`: a name, an ARN or a URL. Undefined where there is no such queue. */
export async function peek(
  tx: Tx,
  { queue: named, most, now, ...place }: { queue: string; most: number; now: number; account: string; region: string },
): Promise<Peek | undefined> {
  const queue = await findQueue(tx, refOf(named, place));
  if (!queue) return undefined;
  const rows = await tx.all<MessageRow>(
    `SELECT * FROM sqs_message WHERE queue_number = :number AND sequence >= :oldest
     ORDER BY ${queue.fifo ? "sequence" : "visible_ms, sequence"} LIMIT :most`,
    { number: queue.number, oldest: oldestSequence(queue, now), most },
  );
  return { arn: queueArn(queue), now, counts: await countMessages(tx, queue, now), messages: rows.map(toPeeked) };
}

function refOf(named: string, place: { account: string; region: string }): QueueRef {
  const url = /\/(\d{12})\/([^/]+)\/?$/.exec(named);
  if (url) return { ...place, account: url[1]!, name: url[2]! };
  return queueOfArn(named) ?? { ...place, name: named };
}

const toPeeked = (row: MessageRow): Peeked => ({
  id: row.message_id,
  body: row.body,
  sentMs: row.sent_ms,
  visibleMs: row.visible_ms,
  receives: row.receives,
  group: row.group_id ?? undefined,
  deduplicationId: row.deduplication_id ?? undefined,
  senderId: row.sender_id,
  attributes: JSON.parse(row.attributes) as StoredAttributes,
});
