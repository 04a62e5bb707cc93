// Log groups, streams and their batches in the store. The text itself is in files: files.ts.
import { type Arn, type Context, forgetWith, type Input, parseArn, type Singly, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

/**
 * A batch is what one PutLogEvents brought to a stream: a piece of the day's file, from `start` on. `sizes` are the messages' lengths in bytes; a
 * negative one ends in a line feed of its own. `dir` and `file` are the names that a group and a stream have on the disk.
 */
export const tables = `
CREATE TABLE logs_group (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  id TEXT NOT NULL,
  dir TEXT NOT NULL,
  class TEXT NOT NULL,
  kms_key TEXT,
  retention_days BIGINT,
  retain_ms BIGINT,
  is_protected BIGINT NOT NULL,
  tags TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (account, region, name)
);
CREATE UNIQUE INDEX logs_group_by_id ON logs_group (id);
CREATE UNIQUE INDEX logs_group_by_dir ON logs_group (dir);
CREATE TABLE logs_stream (
  group_id TEXT NOT NULL,
  name TEXT NOT NULL,
  id TEXT NOT NULL,
  file TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  first_event_ms BIGINT,
  last_event_ms BIGINT,
  last_ingestion_ms BIGINT,
  stored_bytes BIGINT NOT NULL,
  next_seq BIGINT NOT NULL,
  PRIMARY KEY (group_id, name)
);
CREATE UNIQUE INDEX logs_stream_by_id ON logs_stream (id);
CREATE UNIQUE INDEX logs_stream_by_file ON logs_stream (group_id, file);
CREATE INDEX logs_stream_by_last_event ON logs_stream (group_id, last_event_ms);
CREATE TABLE logs_batch (
  stream_id TEXT NOT NULL,
  seq BIGINT NOT NULL,
  group_id TEXT NOT NULL,
  first_ms BIGINT NOT NULL,
  last_ms BIGINT NOT NULL,
  ingested_ms BIGINT NOT NULL,
  day TEXT NOT NULL,
  start BIGINT NOT NULL,
  sizes TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  PRIMARY KEY (stream_id, seq)
);
CREATE INDEX logs_batch_by_group ON logs_batch (group_id, first_ms);
CREATE INDEX logs_batch_by_first ON logs_batch (stream_id, first_ms);
CREATE INDEX logs_batch_by_last ON logs_batch (stream_id, last_ms);
CREATE TABLE logs_filter (
  group_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  pattern TEXT NOT NULL,
  definition TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (group_id, kind, name)
);
CREATE TABLE logs_policy (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  document TEXT NOT NULL,
  updated_ms BIGINT NOT NULL,
  PRIMARY KEY (account, region, name)
);
CREATE TABLE logs_query (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  id TEXT NOT NULL,
  groups TEXT NOT NULL,
  query TEXT NOT NULL,
  status TEXT NOT NULL,
  results TEXT NOT NULL,
  statistics TEXT NOT NULL,
  principal TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  took_ms BIGINT NOT NULL,
  PRIMARY KEY (account, region, id)
);
CREATE INDEX logs_query_by_time ON logs_query (account, region, created_ms);
CREATE TABLE logs_query_definition (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  definition TEXT NOT NULL,
  modified_ms BIGINT NOT NULL,
  PRIMARY KEY (account, region, id)
);
CREATE TABLE logs_export (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  id TEXT NOT NULL,
  status TEXT NOT NULL,
  message TEXT NOT NULL,
  definition TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  completed_ms BIGINT,
  PRIMARY KEY (account, region, id)
)`;

export interface GroupRef {
  readonly account: string;
  readonly region: string;
  readonly name: string;
}

export interface GroupRow extends GroupRef {
  readonly id: string;
  readonly dir: string;
  readonly class: NonNullable<Input<"logs", "CreateLogGroup">["logGroupClass"]>;
  readonly kms_key: string | null;
  readonly retention_days: number | null;
  /** When the work that removes what is expired is due. */
  readonly retain_ms: number | null;
  readonly is_protected: number;
  /** JSON. */
  readonly tags: string;
  readonly created_ms: number;
}

export interface StreamRow {
  readonly group_id: string;
  readonly name: string;
  readonly id: string;
  readonly file: string;
  readonly created_ms: number;
  readonly first_event_ms: number | null;
  readonly last_event_ms: number | null;
  readonly last_ingestion_ms: number | null;
  readonly stored_bytes: number;
  readonly next_seq: number;
}

export interface BatchRow {
  readonly stream_id: string;
  readonly seq: number;
  readonly group_id: string;
  readonly first_ms: number;
  readonly last_ms: number;
  readonly ingested_ms: number;
  readonly day: string;
  readonly start: number;
  readonly sizes: string;
  readonly bytes: number;
}

export interface FilterRow {
  readonly group_id: string;
  readonly kind: "metric" | "subscription";
  readonly name: string;
  readonly pattern: string;
  /** JSON: MetricTransformations, or what else a subscription has. */
  readonly definition: string;
  readonly created_ms: number;
}

export const groupArn = ({ account, region, name }: GroupRef): Arn =>
  `arn:aws:logs:${region}:${account}:log-group:${name}`;

export const streamArn = (ref: GroupRef, stream: string): Arn => `${groupArn(ref)}:log-stream:${stream}`;

export const refOf = ({ account, region }: Context, name: string | undefined): GroupRef => ({
  account,
  region,
  name: name ?? "",
});

/** Of `arn:...:log-group:NAME`, with or without what follows the name. */
export function refOfArn(arn: Arn): GroupRef | undefined {
  const parts = parseArn(arn);
  const name = /^log-group:([^:]+)/.exec(parts?.resource ?? "")?.[1];
  return parts?.service === "logs" && name ? { account: parts.account, region: parts.region, name } : undefined;
}

export interface Named {
  readonly logGroupName?: string | undefined;
  readonly logGroupIdentifier?: string | undefined;
}

/** By name, or by name or ARN (an "identifier"): one of the two. */
export function groupNamed(ctx: Context, { logGroupName, logGroupIdentifier }: Named): GroupRef {
  if (logGroupName !== undefined && logGroupIdentifier !== undefined)
    throw errors.validation("LogGroup name and LogGroup ARN are mutually exclusive parameters.");
  const given = logGroupName ?? logGroupIdentifier;
  if (given === undefined) throw errors.parameter("Either LogGroup name or LogGroup ARN must be specified.");
  return given.startsWith("arn:") ? (refOfArn(given) ?? refOf(ctx, given)) : refOf(ctx, given);
}

/** What the groups and filters are is read at each PutLogEvents, and changes seldom. */
const CATALOG = "logs catalog";
export const catalogChanged = (tx: Tx): void => forgetWith(tx, CATALOG);

export const findGroup = (tx: Singly, { account, region, name }: GroupRef): Promise<GroupRow | undefined> =>
  tx.one<GroupRow>("SELECT * FROM logs_group WHERE account = :account AND region = :region AND name = :name", {
    account,
    region,
    name,
  });

export async function openGroup(tx: Singly, ref: GroupRef): Promise<GroupRow> {
  const row = await findGroup(tx, ref);
  if (!row) throw errors.noGroup();
  return row;
}

export const knownGroup = (ctx: Context, ref: GroupRef): Promise<GroupRow | undefined> | GroupRow | undefined =>
  ctx.recall(CATALOG, `group ${groupArn(ref)}`, () => findGroup(ctx.singly, ref));

export const knownStream = (
  ctx: Context,
  group: GroupRow,
  name: string,
): Promise<StreamRow | undefined> | StreamRow | undefined =>
  ctx.recall(CATALOG, `stream ${group.id} ${name}`, () => findStream(ctx.singly, group.id, name));

export const knownFilters = (ctx: Context, group: GroupRow): Promise<FilterRow[]> | FilterRow[] =>
  ctx.recall(CATALOG, `filters ${group.id}`, () =>
    ctx.singly.all<FilterRow>("SELECT * FROM logs_filter WHERE group_id = :id ORDER BY kind, name", { id: group.id }),
  );

export const findStream = (tx: Singly, groupId: string, name: string): Promise<StreamRow | undefined> =>
  tx.one<StreamRow>("SELECT * FROM logs_stream WHERE group_id = :groupId AND name = :name", { groupId, name });

export async function openStream(tx: Singly, groupId: string, name: string | undefined): Promise<StreamRow> {
  const row = await findStream(tx, groupId, name ?? "");
  if (!row) throw errors.noStream();
  return row;
}

/** Changes a group's own settings. */
export async function saveGroup(tx: Tx, row: GroupRow): Promise<void> {
  const { id, kms_key, retention_days, retain_ms, is_protected, tags } = row;
  await tx.run(
    `UPDATE logs_group SET kms_key = :kms_key, retention_days = :retention_days, retain_ms = :retain_ms,
       is_protected = :is_protected, tags = :tags
     WHERE id = :id`,
    { id, kms_key, retention_days, retain_ms, is_protected, tags },
  );
  catalogChanged(tx);
}
