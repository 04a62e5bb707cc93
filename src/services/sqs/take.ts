// Which messages a receive takes. They are read and marked in one serializable transaction, so that none is ever in two hands within its
// visibility. Two statements: SQLite takes six times as long for one that does both.
import type { Params, Tx } from "../../kernel/mod.ts";
import { MOST_NOISY } from "./crowd.ts";
import type { Queue } from "./queue-row.ts";
import { oldestSequence } from "./retention.ts";
import type { MessageRow } from "./tables.ts";

export interface Wanted {
  readonly most: number;
  readonly visibilityMs: number;
  readonly now: number;
  /** What the handles of this receive have in common. */
  readonly receipt: string;
  /** Message groups of a standard queue that are served last; who holds least is first. */
  readonly noisy: readonly string[];
  /** So many messages of a standard queue are passed over, for once (chaos). */
  readonly skip: number;
}

export async function take(tx: Tx, queue: Queue, wanted: Wanted): Promise<MessageRow[]> {
  if (queue.fifo) return takeInOrder(tx, queue, wanted);
  if (wanted.noisy.length > 0) return takeFairly(tx, queue, wanted);
  if (wanted.skip > 0) {
    const rows = await update(tx, queue, BEYOND, wanted, { skip: wanted.skip });
    if (rows.length > 0) return rows;
  }
  return inOrder(await update(tx, queue, FIRST_VISIBLE, wanted));
}

/** Of what was sent first. Where all of that waits for its group, group by group: a backlog behind a message in flight is not looked through. */
async function takeInOrder(tx: Tx, queue: Queue, wanted: Wanted): Promise<MessageRow[]> {
  const params = { number: queue.number, now: wanted.now, oldest: oldestSequence(queue, wanted.now) };
  const rows = await tx.all<MessageRow>(FIRST_OF_GROUPS, { ...params, most: wanted.most });
  if (rows.length === 0)
    for (const { name } of await tx.all<{ name: string }>(FREE_GROUPS, { ...params, most: wanted.most })) {
      if (rows.length >= wanted.most) break;
      const left = wanted.most - rows.length;
      rows.push(...(await tx.all<MessageRow>(FIRST_OF_FREE_GROUP, { ...params, most: left, group: name })));
    }
  return mark(tx, queue, inOrder(rows), wanted);
}

/** First what the quiet have, whoever has waited longest of each; then what the noisy have. */
async function takeFairly(tx: Tx, queue: Queue, wanted: Wanted): Promise<MessageRow[]> {
  const taken: MessageRow[] = [];
  const { most, noisy } = wanted;
  const names = Object.fromEntries(Array.from({ length: MOST_NOISY }, (_, i) => [`noisy${i}`, noisy[i] ?? NO_GROUP]));
  for (let more = true; more && taken.length < most; ) {
    const rows = await update(tx, queue, FIRST_OF_QUIET, { ...wanted, most: most - taken.length }, names);
    taken.push(...inOrder(rows));
    more = rows.length > 0;
  }
  for (const group of noisy) {
    if (taken.length >= most) break;
    const left = { ...wanted, most: most - taken.length };
    taken.push(...inOrder(await update(tx, queue, FIRST_OF_GROUP, left, { group })));
  }
  return taken;
}

async function update(tx: Tx, queue: Queue, which: string, wanted: Wanted, params: Params = {}): Promise<MessageRow[]> {
  const { most, now } = wanted;
  const { number } = queue;
  const rows = await tx.all<MessageRow>(which, { ...params, number, now, oldest: oldestSequence(queue, now), most });
  return mark(tx, queue, rows, wanted);
}

async function mark(
  tx: Tx,
  { number }: Queue,
  rows: MessageRow[],
  { visibilityMs, now, receipt }: Wanted,
): Promise<MessageRow[]> {
  const until = now + visibilityMs;
  const marked = { number, now, until, receipt };
  const [first, second] = rows;
  if (!first) return rows;
  if (!second) await tx.run(MARK_ONE, { ...marked, sequence: first.sequence, message_id: first.message_id });
  else await tx.run(MARK_MANY, { ...marked, ...keysOf(rows) });
  return rows.map((row) => ({
    ...row,
    visible_ms: until,
    receives: row.receives + 1,
    received_ms: now,
    first_received_ms: row.first_received_ms ?? now,
    receipt,
  }));
}

/** Of one ReceiveMessage. */
export const MOST_MESSAGES = 10;

const MARK = `
  UPDATE sqs_message SET visible_ms = :until, receives = receives + 1, received_ms = :now,
    first_received_ms = COALESCE(first_received_ms, :now), receipt = :receipt
  WHERE queue_number = :number AND`;
const MARK_ONE = `${MARK} sequence = :sequence AND message_id = :message_id`;
const KEYS = Array.from({ length: MOST_MESSAGES }, (_, i) => `(CAST(:sequence${i} AS BIGINT), :id${i})`);
const MARK_MANY = `${MARK} (sequence, message_id) IN (VALUES ${KEYS.join(", ")})`;

const keysOf = (rows: readonly MessageRow[]): Params =>
  Object.fromEntries(
    KEYS.flatMap((_, i) => [
      [`sequence${i}`, rows[i]?.sequence ?? -1],
      [`id${i}`, rows[i]?.message_id ?? ""],
    ]),
  );

const inOrder = (rows: MessageRow[]): MessageRow[] => rows.sort((a, b) => a.sequence - b.sequence);

/** No message group is called so. */
const NO_GROUP = "";

const VISIBLE = `
  SELECT * FROM sqs_message
  WHERE queue_number = :number AND visible_ms <= :now AND sequence >= :oldest`;

const FIRST_VISIBLE = `${VISIBLE} ORDER BY visible_ms, sequence LIMIT :most`;
const BEYOND = `${FIRST_VISIBLE} OFFSET :skip`;
const FIRST_OF_GROUP = `${VISIBLE} AND group_id = :group ORDER BY sequence LIMIT :most`;

/** While a message of a group is in flight, or delayed, those behind it wait. */
const NOTHING_BEFORE = `
  NOT EXISTS (
    SELECT 1 FROM sqs_message AS earlier
    WHERE earlier.queue_number = candidate.queue_number AND earlier.group_id = candidate.group_id
      AND earlier.sequence < candidate.sequence AND earlier.visible_ms > :now)
  ORDER BY sequence LIMIT :most`;

/** Messages that are looked at before the groups are. */
const WINDOW = 200;
const FIRST_OF_GROUPS = `SELECT * FROM (${VISIBLE} ORDER BY sequence LIMIT ${WINDOW}) AS candidate WHERE ${NOTHING_BEFORE}`;
const FIRST_OF_FREE_GROUP = `
  SELECT * FROM (${VISIBLE} AND group_id = :group ORDER BY sequence LIMIT :most) AS candidate WHERE ${NOTHING_BEFORE}`;

/**
 * From group to group along the index. What is read for each is joined CROSS, and a time that is to be no index's has a plus: SQLite, which knows
 * not how many rows there are, would go through the whole queue instead.
 */
const EACH_GROUP = `
  each_group (name) AS (
    SELECT MIN(group_id) FROM sqs_message WHERE queue_number = :number
    UNION ALL
    SELECT (SELECT MIN(group_id) FROM sqs_message WHERE queue_number = :number AND group_id > each_group.name)
    FROM each_group WHERE each_group.name IS NOT NULL
  )`;

/** Groups whose first message is visible, the one that has waited longest first. */
const FREE_GROUPS = `
  WITH RECURSIVE ${EACH_GROUP}, head (name, sequence) AS (
    SELECT each_group.name, (
      SELECT MIN(sequence) FROM sqs_message
      WHERE queue_number = :number AND group_id = each_group.name AND sequence >= :oldest)
    FROM each_group WHERE each_group.name IS NOT NULL
  )
  SELECT head.name AS name FROM head CROSS JOIN sqs_message AS message
  WHERE message.queue_number = :number AND message.sequence = head.sequence AND message.group_id = head.name
    AND +message.visible_ms <= :now
  ORDER BY head.sequence LIMIT :most`;

/**
 * The first visible message of each quiet group, from group to group along the index: it costs as much as there are groups, however deep the
 * backlog of a noisy one. A message without a group is a group of its own.
 */
const FIRST_OF_QUIET = `
  WITH RECURSIVE ${EACH_GROUP}, tip (name, sequence) AS (
    SELECT each_group.name, (
      SELECT MIN(sequence) FROM sqs_message
      WHERE queue_number = :number AND group_id = each_group.name AND visible_ms <= :now AND sequence >= :oldest)
    FROM each_group WHERE each_group.name IS NOT NULL
      AND each_group.name NOT IN (${Array.from({ length: MOST_NOISY }, (_, i) => `:noisy${i}`).join(", ")})
  )
  SELECT * FROM (
    SELECT message.* FROM tip CROSS JOIN sqs_message AS message
    WHERE message.queue_number = :number AND message.sequence = tip.sequence AND message.group_id = tip.name
    UNION ALL
    SELECT * FROM (
      SELECT * FROM sqs_message
      WHERE queue_number = :number AND group_id IS NULL AND +visible_ms <= :now AND sequence >= :oldest
      ORDER BY sequence LIMIT :most) AS alone
  ) AS candidate
  ORDER BY visible_ms, sequence LIMIT :most`;
