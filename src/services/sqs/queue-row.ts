// One queue in the store.
import { type Context, newHex, type Tx } from "../../kernel/mod.ts";
import { type QueueRef, queueOfUrl } from "./access.ts";
import type { Attributes } from "./attributes.ts";
import { errors } from "./errors.ts";
import { oldestSequence } from "./retention.ts";

export interface Queue extends QueueRef {
  readonly number: number;
  readonly fifo: boolean;
  /** Those that were set. */
  readonly attributes: Attributes;
  readonly tags: Readonly<Record<string, string>>;
  readonly createdMs: number;
  readonly modifiedMs: number;
  /** 0: never. */
  readonly purgedMs: number;
}

interface Row {
  readonly account: string;
  readonly region: string;
  readonly name: string;
  readonly number: number;
  readonly attributes: string;
  readonly tags: string;
  readonly created_ms: number;
  readonly modified_ms: number;
  readonly purged_ms: number;
}

const COLUMNS = "account, region, name, number, attributes, tags, created_ms, modified_ms, purged_ms";

export async function findQueue(tx: Pick<Tx, "one">, { account, region, name }: QueueRef): Promise<Queue | undefined> {
  const row = await tx.one<Row>(
    `SELECT ${COLUMNS} FROM sqs_queue WHERE account = :account AND region = :region AND name = :name`,
    { account, region, name },
  );
  return row && toQueue(row);
}

export async function openQueue(tx: Pick<Tx, "one">, ctx: Context, url: string | undefined): Promise<Queue> {
  const queue = await findQueue(tx, queueOfUrl(ctx, url));
  if (!queue) throw errors.noQueue();
  return queue;
}

/** Those whose names begin with `prefix`, in the order of their names, beyond `after`. */
export async function listQueues(
  tx: Tx,
  { prefix, ...of }: { account: string; region: string; prefix: string; after: string; limit: number },
): Promise<Queue[]> {
  const rows = await tx.all<Row>(
    `SELECT ${COLUMNS} FROM sqs_queue
     WHERE account = :account AND region = :region AND name > :after AND name >= :prefix AND name < :beyond
     ORDER BY name LIMIT :limit`,
    { ...of, prefix, beyond: `${prefix}\x7f` },
  );
  return rows.map(toQueue);
}

export async function insertQueue(
  tx: Tx,
  { account, region, name }: QueueRef,
  of: { number: number; attributes: Attributes; tags: Readonly<Record<string, string>>; now: number },
): Promise<void> {
  await tx.run(
    `INSERT INTO sqs_queue (${COLUMNS}, last_sequence)
     VALUES (:account, :region, :name, :number, :attributes, :tags, :now, :now, 0, 0)`,
    {
      account,
      region,
      name,
      number: of.number,
      attributes: JSON.stringify(of.attributes),
      tags: JSON.stringify(of.tags),
      now: of.now,
    },
  );
}

/** Exact here, where AWS's are approximate. */
export async function countMessages(
  tx: Tx,
  queue: Queue,
  now: number,
): Promise<{ visible: number; inFlight: number; delayed: number }> {
  const row = await tx.one<{ visible: number; in_flight: number; delayed: number }>(
    `SELECT COUNT(CASE WHEN visible_ms <= :now THEN 1 END) AS visible,
       COUNT(CASE WHEN visible_ms > :now AND receives > 0 THEN 1 END) AS in_flight,
       COUNT(CASE WHEN visible_ms > :now AND receives = 0 THEN 1 END) AS delayed
     FROM sqs_message WHERE queue_number = :number AND sequence >= :oldest`,
    { number: queue.number, now, oldest: oldestSequence(queue, now) },
  );
  return { visible: row!.visible, inFlight: row!.in_flight, delayed: row!.delayed };
}

/** 48 bits of chance: no two queues that ever were have the same. */
export const newNumber = (): number => Number.parseInt(newHex(12), 16);

/** A queue is read with each message, and changed seldom: what its attributes say is parsed once. */
const parsed = new Map<string, Attributes>();
const MOST_PARSED = 1000;

function attributesOf(text: string): Attributes {
  const known = parsed.get(text);
  if (known) return known;
  const attributes = JSON.parse(text) as Attributes;
  if (parsed.size >= MOST_PARSED) parsed.delete(parsed.keys().next().value!);
  parsed.set(text, attributes);
  return attributes;
}

const toQueue = (row: Row): Queue => {
  const attributes = attributesOf(row.attributes);
  return {
    account: row.account,
    region: row.region,
    name: row.name,
    number: row.number,
    fifo: attributes.FifoQueue === "true",
    attributes,
    tags: JSON.parse(row.tags) as Record<string, string>,
    createdMs: row.created_ms,
    modifiedMs: row.modified_ms,
    purgedMs: row.purged_ms,
  };
};
