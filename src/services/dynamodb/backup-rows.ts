// Backups as they lie in the store: a row that says what the table was, and its items, copied under a number of their own in dynamodb_item.
import { type Arn, type Context, newHex, parseArn, type Singly, type Tx, type Work } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { dynamodbItself } from "./itself.ts";
import { type Definition, definitionOf, type Table } from "./schema.ts";
import { sweep } from "./sweep.ts";
import { seenIn } from "./views.ts";

export const MIGRATION = `
  CREATE TABLE dynamodb_backup (
    account TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, table_name TEXT NOT NULL,
    name TEXT NOT NULL, type TEXT NOT NULL, created_ms BIGINT NOT NULL, expires_ms BIGINT,
    number BIGINT NOT NULL, available BIGINT NOT NULL, items BIGINT NOT NULL, bytes BIGINT NOT NULL,
    source TEXT NOT NULL, attributes TEXT NOT NULL,
    PRIMARY KEY (account, region, id, table_name)
  )`;

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html */
const SYSTEM_BACKUP_MS = 35 * 24 * 60 * 60 * 1000;

export type BackupType = "USER" | "SYSTEM";

export interface Backup {
  readonly arn: Arn;
  readonly account: string;
  readonly region: string;
  /** 14 digits of ms, and 8 of chance. */
  readonly id: string;
  readonly tableName: string;
  readonly name: string;
  readonly type: BackupType;
  readonly createdMs: number;
  readonly expiresMs: number | undefined;
  /** Of its rows in dynamodb_item. */
  readonly number: number;
  /** Its items are all there. */
  readonly available: boolean;
  readonly items: number;
  readonly bytes: number;
  readonly source: SourceTable;
  /** That were ever seen in the table: for the view of one that is restored. */
  readonly attributes: readonly string[];
}

/** The table as it was. */
export interface SourceTable {
  readonly tableId: string;
  readonly createdMs: number;
  readonly definition: Definition;
}

/** Of a Work to a backup: its time is over. */
export interface DropBackup {
  readonly kind: "drop backup";
}

/** Its number says where its items are, or will be. */
export async function insertBackup(
  tx: Tx,
  ctx: Context,
  { table, name, type, number }: { table: Table; name: string; type: BackupType; number: number },
): Promise<Backup> {
  const createdMs = ctx.now;
  const backup: Backup = {
    ...table,
    ...idAndArn(table, type === "SYSTEM" ? await freeMs(tx, table, createdMs) : createdMs, type),
    tableName: table.name,
    name,
    type,
    createdMs,
    expiresMs: type === "SYSTEM" ? createdMs + SYSTEM_BACKUP_MS : undefined,
    number,
    available: false,
    items: 0,
    bytes: 0,
    source: { tableId: table.id, createdMs: table.createdMs, definition: definitionOf(table) },
    attributes: await seenIn(tx, table),
  };
  await tx.run(
    `INSERT INTO dynamodb_backup (account, region, id, table_name, name, type, created_ms, expires_ms, number, available,
       items, bytes, source, attributes)
     VALUES (:account, :region, :id, :table_name, :name, :type, :created_ms, :expires_ms, :number, 0,
       0, 0, :source, :attributes)`,
    {
      ...keyOf(backup),
      name,
      type,
      created_ms: createdMs,
      expires_ms: backup.expiresMs ?? null,
      number,
      source: JSON.stringify(backup.source),
      attributes: JSON.stringify(backup.attributes),
    },
  );
  if (backup.expiresMs !== undefined)
    await ctx.put(tx, {
      to: backup.arn,
      as: dynamodbItself(backup.arn),
      due: backup.expiresMs,
      payload: { kind: "drop backup" } satisfies DropBackup,
    });
  return backup;
}

function idAndArn({ arn }: Table, ms: number, type: BackupType): { id: string; arn: Arn } {
  const id = timedId(ms, type === "SYSTEM" ? "00000000" : newHex(8));
  return { id, arn: `${arn}/backup/${id}` };
}

/** As backups, exports and imports are called. */
export const timedId = (ms: number, suffix = newHex(8)): string => `${String(ms).padStart(14, "0")}-${suffix}`;

/** System backups have no chance in their names: tables of one name may go while the clock stands still. */
async function freeMs(tx: Tx, { account, region, name }: Table, now: number): Promise<number> {
  const last = await tx.one<{ id: string | null }>(
    `SELECT MAX(id) AS id FROM dynamodb_backup
     WHERE account = :account AND region = :region AND table_name = :name AND type = 'SYSTEM'`,
    { account, region, name },
  );
  return Math.max(now, last?.id ? Number(last.id.slice(0, 14)) + 1 : 0);
}

export async function completeBackup(tx: Tx, backup: Backup, count: { items: number; bytes: number }): Promise<void> {
  await tx.run(
    `UPDATE dynamodb_backup SET available = 1, items = :items, bytes = :bytes
     WHERE account = :account AND region = :region AND id = :id AND table_name = :table_name`,
    { ...keyOf(backup), items: count.items, bytes: count.bytes },
  );
}

/** Its rows go in steps. */
export async function dropBackup(tx: Tx, ctx: Context, backup: Backup): Promise<void> {
  await tx.run(
    "DELETE FROM dynamodb_backup WHERE account = :account AND region = :region AND id = :id AND table_name = :table_name",
    keyOf(backup),
  );
  await sweep(tx, ctx, { arn: backup.arn, numbers: [backup.number] });
}

export async function expireBackup(ctx: Context, work: Work): Promise<void> {
  await ctx.write(async (tx) => {
    const backup = await findBackup(tx, work.to);
    if (backup) await dropBackup(tx, ctx, backup);
  });
}

const keyOf = ({ account, region, id, tableName }: Backup) => ({ account, region, id, table_name: tableName });

interface BackupRow {
  readonly account: string;
  readonly region: string;
  readonly id: string;
  readonly table_name: string;
  readonly name: string;
  readonly type: BackupType;
  readonly created_ms: number;
  readonly expires_ms: number | null;
  readonly number: number;
  readonly available: number;
  readonly items: number;
  readonly bytes: number;
  readonly source: string;
  readonly attributes: string;
}

const COLUMNS =
  "account, region, id, table_name, name, type, created_ms, expires_ms, number, available, items, bytes, source, attributes";

/** Throws BackupNotFoundException, or says that it is no ARN of a backup. */
export async function openBackup(tx: Singly, arn: string | undefined): Promise<Backup> {
  const backup = await findBackup(tx, backupRef(arn).arn);
  if (!backup) throw errors.backupNotFound(arn!);
  return backup;
}

export async function findBackup(tx: Singly, arn: Arn): Promise<Backup | undefined> {
  const { account, region, tableName, id } = backupRef(arn);
  const row = await tx.one<BackupRow>(
    `SELECT ${COLUMNS} FROM dynamodb_backup
     WHERE account = :account AND region = :region AND id = :id AND table_name = :table_name`,
    { account, region, id, table_name: tableName },
  );
  return row && backupOf(row);
}

export interface Listing {
  readonly account: string;
  readonly region: string;
  readonly table: string | undefined;
  /** undefined: all. */
  readonly type: string | undefined;
  readonly fromMs: number;
  readonly beforeMs: number;
  readonly after: { readonly id: string; readonly tableName: string } | undefined;
  readonly count: number;
}

/** From the oldest on. */
export async function listBackups(tx: Singly, listing: Listing): Promise<Backup[]> {
  const { account, region, table, type, fromMs, beforeMs, after, count } = listing;
  const rows = await tx.all<BackupRow>(
    `SELECT ${COLUMNS} FROM dynamodb_backup
     WHERE account = :account AND region = :region AND created_ms >= :from AND created_ms < :before
       AND (id, table_name) > (:after_id, :after_table)
       ${table === undefined ? "" : "AND table_name = :table"} ${type === undefined ? "" : "AND type = :type"}
     ORDER BY id, table_name LIMIT :count`,
    {
      account,
      region,
      from: fromMs,
      before: beforeMs,
      after_id: after?.id ?? "",
      after_table: after?.tableName ?? "",
      count,
      ...(table !== undefined && { table }),
      ...(type !== undefined && { type }),
    },
  );
  return rows.map(backupOf);
}

export function backupRef(text: string | undefined) {
  const arn = text ?? "";
  const parts = parseArn(arn);
  const [, tableName, id] = /^table\/([^/]+)\/backup\/([^/]+)$/.exec(parts?.resource ?? "") ?? [];
  if (parts?.service !== "dynamodb" || tableName === undefined || id === undefined)
    throw errors.validation("Invalid Backup ARN");
  return { arn, account: parts.account, region: parts.region, tableName, id };
}

const backupOf = (row: BackupRow): Backup => ({
  arn: `arn:aws:dynamodb:${row.region}:${row.account}:table/${row.table_name}/backup/${row.id}`,
  account: row.account,
  region: row.region,
  id: row.id,
  tableName: row.table_name,
  name: row.name,
  type: row.type,
  createdMs: row.created_ms,
  expiresMs: row.expires_ms ?? undefined,
  number: row.number,
  available: row.available === 1,
  items: row.items,
  bytes: row.bytes,
  source: JSON.parse(row.source) as SourceTable,
  attributes: JSON.parse(row.attributes) as string[],
});
