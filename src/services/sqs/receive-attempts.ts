// ReceiveRequestAttemptId: a consumer of a FIFO queue whose answer was lost asks again, and gets the same messages with the same handles.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
import type { Tx } from "../../kernel/mod.ts";
import type { Queue } from "./queue-row.ts";
import type { MessageRow } from "./tables.ts";

const KEPT_MS = 300_000;

interface Attempt {
  readonly id: string;
  readonly visibilityMs: number;
  readonly now: number;
}

interface Row {
  readonly receipt: string;
  readonly messages: number;
  readonly first_sequence: number;
  readonly last_sequence: number;
  readonly visible_ms: number;
}

/**
 * What the first attempt took, its visibility begun anew. Undefined where there was none, five minutes are over, the messages became visible,
 * or one of them was deleted or had its visibility changed.
 */
export async function takenBefore(
  tx: Tx,
  { number }: Queue,
  { id, visibilityMs, now }: Attempt,
): Promise<readonly MessageRow[] | undefined> {
  const before = await tx.one<Row>(
    `SELECT receipt, messages, first_sequence, last_sequence, visible_ms FROM sqs_receive_attempt
     WHERE queue_number = :number AND attempt_id = :id AND until_ms > :now AND visible_ms > :now`,
    { number, id, now },
  );
  if (!before) return undefined;
  const { receipt, first_sequence: first, last_sequence: last, visible_ms } = before;
  const rows = await tx.all<MessageRow>(
    `SELECT * FROM sqs_message
     WHERE queue_number = :number AND sequence >= :first AND sequence <= :last AND receipt = :receipt
       AND visible_ms = :visible_ms ORDER BY sequence`,
    { number, first, last, receipt, visible_ms },
  );
  if (rows.length !== before.messages) return undefined;
  const until = now + visibilityMs;
  await tx.run(
    `UPDATE sqs_message SET visible_ms = :until
     WHERE queue_number = :number AND sequence >= :first AND sequence <= :last AND receipt = :receipt`,
    { number, first, last, receipt, until },
  );
  await tx.run("UPDATE sqs_receive_attempt SET visible_ms = :until WHERE queue_number = :number AND attempt_id = :id", {
    number,
    id,
    until,
  });
  return rows;
}

/** `rows`: taken with one receipt. */
export async function rememberAttempt(
  tx: Tx,
  { number }: Queue,
  { id, now, rows }: { id: string; now: number; rows: readonly MessageRow[] },
): Promise<void> {
  await tx.run("DELETE FROM sqs_receive_attempt WHERE queue_number = :number AND until_ms <= :now", { number, now });
  const [first] = rows;
  if (!first) return;
  await tx.run(
    `INSERT INTO sqs_receive_attempt
       (queue_number, attempt_id, receipt, messages, first_sequence, last_sequence, visible_ms, until_ms)
     VALUES (:number, :id, :receipt, :messages, :first, :last, :visible_ms, :until_ms)
     ON CONFLICT (queue_number, attempt_id) DO UPDATE SET receipt = excluded.receipt, messages = excluded.messages,
       first_sequence = excluded.first_sequence, last_sequence = excluded.last_sequence,
       visible_ms = excluded.visible_ms, until_ms = excluded.until_ms`,
    {
      number,
      id,
      receipt: first.receipt,
      messages: rows.length,
      first: first.sequence,
      last: rows.at(-1)!.sequence,
      visible_ms: first.visible_ms,
      until_ms: now + KEPT_MS,
    },
  );
}
