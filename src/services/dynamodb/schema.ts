// A table as everything else sees it: who it is, its keys, its indexes. Read with each request, decoded once a version.
import { after, type Context, forgetWith, newRequestId, parseArn, type Singly, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import type { KeyType } from "./keys.ts";

export interface KeyAttribute {
  readonly name: string;
  readonly type: KeyType;
}

/** Tables and local indexes have one hash and at most one range attribute, global indexes up to four of each. */
export interface KeySchema {
  readonly hash: readonly KeyAttribute[];
  readonly range: readonly KeyAttribute[];
}

export interface Throughput {
  readonly read: number;
  readonly write: number;
}

export interface OnDemandThroughput {
  readonly MaxReadRequestUnits?: number | undefined;
  readonly MaxWriteRequestUnits?: number | undefined;
}

/** What a table, and a global index, can take. */
export interface Capacity {
  readonly throughput: Throughput;
  readonly throughputIncreasedMs?: number | undefined;
  readonly throughputDecreasedMs?: number | undefined;
  /** How often it was decreased on a day of UTC: days since the epoch. */
  readonly decreases?: { readonly day: number; readonly count: number } | undefined;
  /** What it was asked to be warm for, or once was; it is never less. */
  readonly warm?: Throughput | undefined;
  readonly onDemandThroughput?: OnDemandThroughput | undefined;
}

export interface Index extends Capacity {
  readonly kind: "local" | "global";
  readonly name: string;
  /** Of its rows in dynamodb_item. */
  readonly number: number;
  readonly key: KeySchema;
  readonly projection: "ALL" | "KEYS_ONLY" | "INCLUDE";
  readonly nonKeyAttributes: readonly string[];
  /** Absent: ACTIVE, or as its table. */
  readonly status?: "CREATING" | "UPDATING" | "DELETING" | undefined;
  /** Of one that is CREATING for a table that was there: resources are found first, then it is filled. */
  readonly backfilling?: boolean | undefined;
  /** What it will be when it is no longer UPDATING. */
  readonly next?: Partial<Capacity> | undefined;
}

/** What takes its time: until it is done, the table is as it was before. */
export interface Change {
  readonly kind: "throughput" | "billing" | "stream" | "class" | "warm" | "encryption";
  /** The table's version when it began: none has the same. */
  readonly since: number;
  /** As JSON: nothing in it is undefined. */
  readonly next: Partial<Definition>;
}

/** What dynamodb_table.definition holds as JSON. */
export interface Definition extends Capacity {
  /** UPDATING is what `changes` and the indexes say. */
  readonly status?: "CREATING" | "DELETING" | undefined;
  readonly changes?: readonly Change[] | undefined;
  readonly key: KeySchema;
  /** AttributeDefinitions, in the order they were given. */
  readonly attributes: readonly KeyAttribute[];
  readonly indexes: readonly Index[];
  readonly billingMode: "PROVISIONED" | "PAY_PER_REQUEST";
  /** When it last became PAY_PER_REQUEST. */
  readonly onDemandSinceMs?: number;
  readonly deletionProtection: boolean;
  readonly tableClass?: "STANDARD" | "STANDARD_INFREQUENT_ACCESS";
  /** When it changed, the latest last. */
  readonly tableClassChangesMs?: readonly number[];
  /** ARN of the KMS key; empty: AWS's own, which nobody sees. */
  readonly encryptionKey?: string;
  readonly ttlAttribute?: string | undefined;
  /** Items that were there before are being looked at. */
  readonly ttlEnabling?: boolean | undefined;
  readonly ttlChangedMs?: number;
  /** The latest; absent where there never was one. */
  readonly stream?: TableStream;
  /** Absent: point in time recovery is off. */
  readonly pitr?: PointInTime | undefined;
  /** Of a table that is CREATING: where its items come from. */
  readonly restore?: Restore | undefined;
  /** Of a global table: the tables of its name in other regions. */
  readonly replicas?: readonly Replica[] | undefined;
}

export interface Replica {
  readonly region: string;
  /** Absent: ACTIVE. */
  readonly status?: "CREATING" | "DELETING" | undefined;
  /** The region of the table that it was made of; empty: it was the first. */
  readonly from: string;
  readonly addedMs: number;
  readonly throughput?: { readonly ReadCapacityUnits?: number | undefined };
  readonly onDemandThroughput?: { readonly MaxReadRequestUnits?: number | undefined };
  readonly tableClass?: "STANDARD" | "STANDARD_INFREQUENT_ACCESS";
  readonly indexes?: readonly ReplicaIndex[];
}

export interface ReplicaIndex {
  readonly IndexName?: string | undefined;
  readonly ProvisionedThroughputOverride?: { readonly ReadCapacityUnits?: number | undefined } | undefined;
  readonly OnDemandThroughputOverride?: { readonly MaxReadRequestUnits?: number | undefined } | undefined;
}

export interface PointInTime {
  /** Of its rows in dynamodb_history. */
  readonly history: number;
  readonly sinceMs: number;
  /** RecoveryPeriodInDays. */
  readonly days: number;
}

/** RestoreSummary. */
export interface Restore {
  readonly backupArn?: string;
  readonly tableArn: string;
  readonly atMs: number;
}

export interface TableStream {
  /** Of its rows in dynamodb_stream. */
  readonly number: number;
  readonly label: string;
  readonly viewType: "KEYS_ONLY" | "NEW_IMAGE" | "OLD_IMAGE" | "NEW_AND_OLD_IMAGES";
  readonly enabled: boolean;
}

export interface Table extends Definition {
  readonly account: string;
  readonly region: string;
  readonly name: string;
  readonly arn: string;
  /** TableId: a new one for each table, also under an old name. */
  readonly id: string;
  /** Of its rows in dynamodb_item. */
  readonly number: number;
  readonly version: number;
  readonly createdMs: number;
}

export interface TableRef {
  readonly account: string;
  readonly region: string;
  readonly name: string;
  readonly arn: string;
}

export const NAME = /^[a-zA-Z0-9_.-]{3,255}$/;

/** TableName is a name, or an ARN, everywhere. */
export function tableRef(ctx: Context, nameOrArn: string | undefined): TableRef {
  if (nameOrArn === undefined)
    throw errors.validation("The parameter 'TableName' is required but was not present in the request");
  const arn = nameOrArn.startsWith("arn:") ? parseArn(nameOrArn) : undefined;
  if (!arn) {
    if (!NAME.test(nameOrArn)) throw badName(nameOrArn);
    return refOf(ctx.account, ctx.region, nameOrArn);
  }
  const name = /^table\/([^/]+)$/.exec(arn.resource)?.[1];
  if (arn.service !== "dynamodb" || !name || !NAME.test(name))
    throw errors.validation(`Invalid TableArn: Invalid ResourceArn provided as input ${nameOrArn}`);
  if (arn.region !== ctx.region)
    throw errors.validation(`Invalid TableArn: Region in ARN ${nameOrArn} does not match the region of the request`);
  return refOf(arn.account, arn.region, name);
}

/** The model cannot say it: where a name is taken an ARN is too. */
function badName(name: string) {
  const faults = [
    ...(name.length < 3 ? ["Member must have length greater than or equal to 3"] : []),
    ...(name.length > 255 ? ["Member must have length less than or equal to 255"] : []),
    ...(/^[a-zA-Z0-9_.-]+$/.test(name) ? [] : ["Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"]),
  ].map((fault) => `Value '${name}' at 'tableName' failed to satisfy constraint: ${fault}`);
  return errors.validation(
    `${faults.length} validation error${faults.length > 1 ? "s" : ""} detected: ${faults.join("; ")}`,
  );
}

const refOf = (account: string, region: string, name: string): TableRef => ({
  account,
  region,
  name,
  arn: `arn:aws:dynamodb:${region}:${account}:table/${name}`,
});

/** Throws ResourceNotFoundException in the words of the operations on items. */
export async function openTable(tx: Tx, ctx: Context, nameOrArn: string | undefined): Promise<Table> {
  return usable(await findTable(tx, tableRef(ctx, nameOrArn)));
}

/** Not one that is still CREATING, or DELETING already. */
function usable(table: Table | undefined): Table {
  if (!table || table.status) throw errors.notFound();
  return table;
}

/** Of memory: tables change seldom, items always. */
const SHELF = "dynamodb table";

/** As openTable, remembered: for who only reads, and so need not meet it in the transaction that reads its items. */
export function knownTable(ctx: Context, nameOrArn: string | undefined): Table | Promise<Table> {
  const ref = tableRef(ctx, nameOrArn);
  return after(
    ctx.recall(SHELF, ref.arn, () => findTable(ctx.singly, ref)),
    usable,
  );
}

interface TableRow {
  readonly table_id: string;
  readonly number: number;
  readonly version: number;
  readonly created_ms: number;
  readonly definition: string;
}

export async function findTable(tx: Singly, ref: TableRef): Promise<Table | undefined> {
  const row = await tx.one<TableRow>(
    `SELECT table_id, number, version, created_ms, definition FROM dynamodb_table
     WHERE account = :account AND region = :region AND name = :name`,
    { account: ref.account, region: ref.region, name: ref.name },
  );
  return row && decoded(ref, row);
}

export function findIndex(table: Table, name: string): Index {
  const index = table.indexes.find((candidate) => candidate.name === name);
  if (!index || index.status === "DELETING")
    throw errors.validation(`The table does not have the specified index: ${name}`);
  if (index.status === "CREATING") throw errors.stillFilled(name);
  return index;
}

/** A new version of its definition. */
export async function redefine(tx: Tx, table: Table, change: Partial<Definition>): Promise<Table> {
  forgetWith(tx, SHELF);
  const definition = { ...definitionOf(table), ...change };
  const version = table.version + 1;
  await tx.run("UPDATE dynamodb_table SET definition = :definition, version = :version WHERE table_id = :table_id", {
    definition: JSON.stringify(definition),
    version,
    table_id: table.id,
  });
  return { ...table, ...definition, version };
}

export async function deleteTable(tx: Tx, table: Table): Promise<void> {
  forgetWith(tx, SHELF);
  await tx.run("DELETE FROM dynamodb_table WHERE table_id = :table_id", { table_id: table.id });
}

export async function insertTable(tx: Tx, table: Table): Promise<void> {
  forgetWith(tx, SHELF);
  await tx.run(
    `INSERT INTO dynamodb_table (account, region, name, table_id, number, version, created_ms, definition)
     VALUES (:account, :region, :name, :table_id, :number, :version, :created_ms, :definition)`,
    {
      account: table.account,
      region: table.region,
      name: table.name,
      table_id: table.id,
      number: table.number,
      version: table.version,
      created_ms: table.createdMs,
      definition: JSON.stringify(definitionOf(table)),
    },
  );
}

/** Without what the row's other columns say: what a backup tells of, and a table can be made of again. */
export function definitionOf(table: Table): Definition {
  const {
    account: _a,
    region: _r,
    name: _n,
    arn: _arn,
    id: _id,
    number: _no,
    version: _v,
    createdMs: _c,
    ...rest
  } = table;
  return rest;
}

export const MIGRATION = `
  CREATE TABLE dynamodb_table (
    account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
    table_id TEXT NOT NULL UNIQUE, number BIGINT NOT NULL UNIQUE, version BIGINT NOT NULL, created_ms BIGINT NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
  );
  CREATE TABLE dynamodb_number (name TEXT PRIMARY KEY, value BIGINT NOT NULL)`;

/** What a table is told from all others by. */
export async function ofNewTable(
  tx: Tx,
  ctx: Context,
): Promise<Pick<Table, "id" | "number" | "version" | "createdMs">> {
  return { id: newRequestId(), number: await nextNumber(tx), version: 1, createdMs: ctx.now };
}

/** Numbers name the rows of a table, and those of an index; none is used twice. */
export async function nextNumber(tx: Tx): Promise<number> {
  const row = await tx.one<{ value: number }>(
    `INSERT INTO dynamodb_number (name, value) VALUES ('item', 1)
     ON CONFLICT (name) DO UPDATE SET value = dynamodb_number.value + 1 RETURNING value`,
  );
  return row!.value;
}

// A definition never changes without its version: what was decoded is true as long as both are the same.
const MOST_DECODED = 1000;
const known = new Map<string, Table>();

function decoded(ref: TableRef, row: TableRow): Table {
  const cached = known.get(row.table_id);
  if (cached?.version === row.version) return cached;
  const table: Table = {
    ...(JSON.parse(row.definition) as Definition),
    ...ref,
    id: row.table_id,
    number: row.number,
    version: row.version,
    createdMs: row.created_ms,
  };
  if (known.size >= MOST_DECODED) known.delete(known.keys().next().value!);
  known.set(row.table_id, table);
  return table;
}
