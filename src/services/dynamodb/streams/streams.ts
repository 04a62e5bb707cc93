// A table's streams: the one that is enabled now, and those that were, which can be read for a day.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
import { type Arn, type Context, type Input, parseArn, type Tx, type Watch } from "../../../kernel/mod.ts";
import { errors } from "../errors.ts";
import { type KeySchema, nextNumber, redefine, type Table, type TableRef, type TableStream } from "../schema.ts";
import { DAY_MS } from "./limits.ts";
import { closeLastShard, openFirstShard } from "./shards.ts";

export const MIGRATION = `
  CREATE TABLE dynamodb_stream (
    number BIGINT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, table_name TEXT NOT NULL, label TEXT NOT NULL,
    view_type TEXT NOT NULL, key_schema TEXT NOT NULL, created_ms BIGINT NOT NULL, disabled_ms BIGINT,
    last_sequence BIGINT NOT NULL, shard_bytes BIGINT NOT NULL,
    UNIQUE (account, region, table_name, label)
  );
  CREATE TABLE dynamodb_stream_shard (
    stream BIGINT NOT NULL, id TEXT NOT NULL, parent TEXT, opened_ms BIGINT NOT NULL, closed_ms BIGINT,
    first_sequence BIGINT NOT NULL, last_sequence BIGINT,
    PRIMARY KEY (stream, id)
  );
  CREATE TABLE dynamodb_stream_record (
    stream BIGINT NOT NULL, sequence BIGINT NOT NULL, created_ms BIGINT NOT NULL, size BIGINT NOT NULL,
    event TEXT NOT NULL, expired BIGINT NOT NULL, keys TEXT NOT NULL, old_image TEXT, new_image TEXT,
    PRIMARY KEY (stream, sequence)
  )`;

/** For pollers of other services: what is new in a stream lies on the shelf of its ARN. */
export async function watch(ctx: Context, stream: Arn): Promise<Watch> {
  const change = ctx.change(stream);
  return { changed: change.promise, nextDue: async () => undefined, [Symbol.dispose]: () => change[Symbol.dispose]() };
}

type Specification = NonNullable<Input<"dynamodb", "CreateTable">["StreamSpecification"]>;
export type ViewType = TableStream["viewType"];

/** One that can still be read. */
export interface Stream {
  readonly number: number;
  readonly arn: Arn;
  readonly label: string;
  readonly table: string;
  readonly viewType: ViewType;
  readonly key: KeySchema;
  readonly createdMs: number;
  /** undefined: it is enabled. */
  readonly disabledMs: number | undefined;
  /** Of what was written last, or of a shard's end. */
  readonly lastSequence: number;
}

export const streamArn = (table: Pick<TableRef, "arn">, { label }: Pick<TableStream, "label">): Arn =>
  `${table.arn}/stream/${label}`;

export const isStreamArn = (arn: Arn): boolean => arn.includes("/stream/");

/** What CreateTable asks for; undefined: no stream. */
export function newView(given: Specification | undefined): ViewType | undefined {
  if (given?.StreamEnabled && !given.StreamViewType)
    throw errors.invalid("Table is being created with a stream enabled, UpdateViewType is required");
  if (given && !given.StreamEnabled && given.StreamViewType)
    throw errors.invalid("Table is being created with a stream disabled, UpdateViewType should not be specified");
  return given?.StreamEnabled ? given.StreamViewType : undefined;
}

function wantedView(given: Specification): ViewType | undefined {
  if (given.StreamEnabled && !given.StreamViewType)
    throw errors.invalid("If stream is being enabled then UpdateViewType is required");
  if (!given.StreamEnabled && given.StreamViewType)
    throw errors.invalid("If stream is being disabled, then UpdateViewType must not be specified");
  return given.StreamEnabled ? given.StreamViewType : undefined;
}

/** UpdateTable: a stream's view never changes; a new stream has a new ARN. */
export async function switchStream(tx: Tx, ctx: Context, table: Table, given: Specification): Promise<Table> {
  const viewType = wantedView(given);
  const { stream } = table;
  if (viewType) {
    if (stream?.enabled) throw errors.validation(`Table already has an enabled stream: TableName: ${table.name}`);
    return redefine(tx, table, { stream: await openStream(tx, ctx, table, viewType) });
  }
  if (!stream?.enabled) throw errors.validation(`Table has no stream to disable: TableName: ${table.name}`);
  await closeStream(tx, ctx, table);
  return redefine(tx, table, { stream: { ...stream, enabled: false } });
}

export async function openStream(
  tx: Tx,
  ctx: Context,
  table: TableRef & { readonly key: KeySchema },
  viewType: ViewType,
): Promise<TableStream> {
  const { account, region, name } = table;
  const last = await tx.one<{ label: string | null }>(
    "SELECT MAX(label) AS label FROM dynamodb_stream WHERE account = :account AND region = :region AND table_name = :name",
    { account, region, name },
  );
  // Its label is its time, and no table's streams have the same: also where the clock stands still.
  const createdMs = Math.max(ctx.now, last?.label ? Date.parse(`${last.label}Z`) + 1 : 0);
  const label = new Date(createdMs).toISOString().slice(0, -1);
  const number = await nextNumber(tx);
  await tx.run(
    `INSERT INTO dynamodb_stream
       (number, account, region, table_name, label, view_type, key_schema, created_ms, last_sequence, shard_bytes)
     VALUES (:number, :account, :region, :name, :label, :view_type, :key_schema, :created_ms, 1, 0)`,
    {
      number,
      account,
      region,
      name,
      label,
      view_type: viewType,
      key_schema: JSON.stringify(table.key),
      created_ms: createdMs,
    },
  );
  await openFirstShard(tx, ctx, number);
  return { number, label, viewType, enabled: true };
}

/** It is told of nothing more, and can be read for a day. */
export async function closeStream(tx: Tx, ctx: Context, table: Table): Promise<void> {
  const { stream } = table;
  if (!stream?.enabled) return;
  await tx.run("UPDATE dynamodb_stream SET disabled_ms = :now WHERE number = :number", {
    now: ctx.now,
    number: stream.number,
  });
  await closeLastShard(tx, ctx, { number: stream.number, arn: streamArn(table, stream) });
}

interface StreamRow {
  readonly number: number;
  readonly account: string;
  readonly region: string;
  readonly table_name: string;
  readonly label: string;
  readonly view_type: ViewType;
  readonly key_schema: string;
  readonly created_ms: number;
  readonly disabled_ms: number | null;
  readonly last_sequence: number;
}

const COLUMNS =
  "number, account, region, table_name, label, view_type, key_schema, created_ms, disabled_ms, last_sequence";

/** Throws ResourceNotFoundException where there is none, or none any more. */
export async function openedStream(tx: Tx, ctx: Context, arn: Arn): Promise<Stream> {
  const stream = await findStream(tx, ctx, arn);
  if (!stream) throw errors.streamArnNotFound(arn);
  return stream;
}

export async function findStream(tx: Tx, ctx: Context, arn: Arn): Promise<Stream | undefined> {
  const { account, region, name, label } = streamRef(ctx, arn);
  const row = await tx.one<StreamRow>(
    `SELECT ${COLUMNS} FROM dynamodb_stream
     WHERE account = :account AND region = :region AND table_name = :name AND label = :label
       AND (disabled_ms IS NULL OR disabled_ms > :horizon)`,
    { account, region, name, label, horizon: ctx.now - DAY_MS },
  );
  return row && streamOf(row);
}

/** In the order of their ARNs. */
export async function listStreams(
  tx: Tx,
  ctx: Context,
  { table, after, count }: { table: string | undefined; after: Arn | undefined; count: number },
): Promise<Stream[]> {
  const from = after === undefined ? { name: "", label: "" } : streamRef(ctx, after);
  const rows = await tx.all<StreamRow>(
    `SELECT ${COLUMNS} FROM dynamodb_stream
     WHERE account = :account AND region = :region AND (table_name, label) > (:after_name, :after_label)
       ${table === undefined ? "" : "AND table_name = :name"}
       AND (disabled_ms IS NULL OR disabled_ms > :horizon)
     ORDER BY table_name, label LIMIT :count`,
    {
      account: ctx.account,
      region: ctx.region,
      after_name: from.name,
      after_label: from.label,
      horizon: ctx.now - DAY_MS,
      count,
      ...(table !== undefined && { name: table }),
    },
  );
  return rows.map(streamOf);
}

const streamOf = (row: StreamRow): Stream => ({
  number: row.number,
  arn: `arn:aws:dynamodb:${row.region}:${row.account}:table/${row.table_name}/stream/${row.label}`,
  label: row.label,
  table: row.table_name,
  viewType: row.view_type,
  key: JSON.parse(row.key_schema) as KeySchema,
  createdMs: row.created_ms,
  disabledMs: row.disabled_ms ?? undefined,
  lastSequence: row.last_sequence,
});

interface StreamRef {
  readonly account: string;
  readonly region: string;
  readonly name: string;
  readonly label: string;
}

/** Throws ValidationException where it is no ARN of a stream, or of another region. */
export function streamRef(ctx: Context, arn: string | undefined): StreamRef {
  const parts = parseArn(arn ?? "");
  const [, name, label] = /^table\/([^/]+)\/stream\/([^/]+)$/.exec(parts?.resource ?? "") ?? [];
  if (parts?.service !== "dynamodb" || parts.region !== ctx.region || name === undefined || label === undefined)
    throw errors.validation("Invalid StreamArn");
  return { account: parts.account, region: parts.region, name, label };
}
