// The rows of queues and messages.

/**
 * `sequence` begins with the time when the message was sent (`firstSequence`), so that retention is a range of the primary key. It keeps
 * messages of one millisecond in order; of a FIFO queue it is the queue's own count. `number` is a queue's identity: a new one for each
 * queue, also under an old name.
 */
export const tables = `
CREATE TABLE sqs_queue (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  number BIGINT NOT NULL UNIQUE,
  attributes TEXT NOT NULL,
  tags TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  modified_ms BIGINT NOT NULL,
  purged_ms BIGINT NOT NULL,
  last_sequence BIGINT NOT NULL,
  PRIMARY KEY (account, region, name)
);
CREATE TABLE sqs_message (
  queue_number BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  message_id TEXT NOT NULL,
  body TEXT NOT NULL,
  attributes TEXT NOT NULL,
  trace_header TEXT,
  sender_id TEXT NOT NULL,
  group_id TEXT,
  deduplication_id TEXT,
  source_arn TEXT,
  sent_ms BIGINT NOT NULL,
  visible_ms BIGINT NOT NULL,
  receives BIGINT NOT NULL,
  first_received_ms BIGINT,
  received_ms BIGINT,
  receipt TEXT,
  PRIMARY KEY (queue_number, sequence, message_id)
);
CREATE INDEX sqs_message_by_visibility ON sqs_message (queue_number, visible_ms, sequence);
CREATE INDEX sqs_message_by_group ON sqs_message (queue_number, group_id, sequence);
CREATE TABLE sqs_deduplication (
  queue_number BIGINT NOT NULL,
  scope TEXT NOT NULL,
  deduplication_id TEXT NOT NULL,
  message_id TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  until_ms BIGINT NOT NULL,
  PRIMARY KEY (queue_number, deduplication_id, scope)
);
CREATE INDEX sqs_deduplication_by_time ON sqs_deduplication (queue_number, until_ms)`;

/** `copied`: chaos has made its one duplicate of it, or it is that duplicate. */
export const laterTables = `
ALTER TABLE sqs_message ADD COLUMN copied BIGINT NOT NULL DEFAULT 0;
CREATE TABLE sqs_deleted_queue (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  until_ms BIGINT NOT NULL,
  PRIMARY KEY (account, region, name)
);
CREATE TABLE sqs_receive_attempt (
  queue_number BIGINT NOT NULL,
  attempt_id TEXT NOT NULL,
  receipt TEXT NOT NULL,
  messages BIGINT NOT NULL,
  first_sequence BIGINT NOT NULL,
  last_sequence BIGINT NOT NULL,
  visible_ms BIGINT NOT NULL,
  until_ms BIGINT NOT NULL,
  PRIMARY KEY (queue_number, attempt_id)
);
CREATE INDEX sqs_receive_attempt_by_time ON sqs_receive_attempt (queue_number, until_ms);
CREATE TABLE sqs_move_task (
  id TEXT NOT NULL PRIMARY KEY,
  source_arn TEXT NOT NULL,
  destination_arn TEXT,
  rate BIGINT,
  status TEXT NOT NULL,
  to_move BIGINT NOT NULL,
  moved BIGINT NOT NULL,
  step BIGINT NOT NULL,
  failure TEXT,
  started_ms BIGINT NOT NULL
);
CREATE INDEX sqs_move_task_by_source ON sqs_move_task (source_arn, started_ms)`;

export interface MessageRow {
  readonly queue_number: number;
  readonly sequence: number;
  readonly message_id: string;
  readonly body: string;
  /** JSON: name -> { DataType, StringValue | BinaryValue as base64 }. */
  readonly attributes: string;
  readonly trace_header: string | null;
  readonly sender_id: string;
  readonly group_id: string | null;
  readonly deduplication_id: string | null;
  /** The queue that it was moved from, as a dead letter. */
  readonly source_arn: string | null;
  readonly sent_ms: number;
  /** In flight or delayed until then. */
  readonly visible_ms: number;
  readonly receives: number;
  readonly first_received_ms: number | null;
  /** The last time. */
  readonly received_ms: number | null;
  /** Of the last receive: part of its handle. */
  readonly receipt: string | null;
  /** 1: there was a duplicate of it, or it is one. */
  readonly copied: number;
}

// A thousand messages a millisecond, and sequences below 2^53 until the year 2248.
const SEQUENCES_PER_MS = 1024;

/** The least sequence of what is sent at `ms` or later. */
export const firstSequence = (ms: number): number => ms * SEQUENCES_PER_MS;

let last = 0;

/** Grows with each call. Other processes count for themselves: only the milliseconds order what these send. */
export function nextSequence(now: number): number {
  last = Math.max(last + 1, firstSequence(now));
  return last;
}
