// Numbered migrations, the same for both engines: each in a transaction of its own, with the row that remembers it.
import { createHash } from "node:crypto";
import type { Migration, Tx } from "./store.ts";

/** A transaction that may also execute several statements, separated by `;`, without parameters. */
export interface MigrationTx extends Tx {
  exec(sql: string): Promise<void>;
}

const TABLE = `CREATE TABLE IF NOT EXISTS migration (
  owner TEXT NOT NULL, number BIGINT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (owner, number))`;

/** `write` runs one transaction of the engine. The caller sees to it that no second process migrates meanwhile. */
export async function migrateWith(
  write: <T>(work: (tx: MigrationTx) => Promise<T>) => Promise<T>,
  owner: string,
  migrations: readonly Migration[],
): Promise<void> {
  await write((tx) => tx.exec(TABLE));
  while (await write((tx) => applyNext(tx, owner, migrations)));
}

async function applyNext(tx: MigrationTx, owner: string, migrations: readonly Migration[]): Promise<boolean> {
  const applied = await tx.all<{ number: number; hash: string }>(
    "SELECT number, hash FROM migration WHERE owner = :owner ORDER BY number",
    { owner },
  );
  if (applied.length > migrations.length)
    throw new Error(
      `the database is newer than this program: it has migration ${applied.length} of ${owner}, the program knows ${migrations.length}`,
    );
  for (const [index, { number, hash }] of applied.entries())
    if (number !== index + 1 || hash !== hashOf(migrations[index]!))
      throw new Error(`migration ${index + 1} of ${owner} is not the one that was applied to this database`);
  const next = migrations[applied.length];
  if (next === undefined) return false;
  await tx.exec(next);
  await tx.run("INSERT INTO migration (owner, number, hash) VALUES (:owner, :number, :hash)", {
    owner,
    number: applied.length + 1,
    hash: hashOf(next),
  });
  return true;
}

/** White space may be laid out anew; every other change of a released migration is refused. */
const hashOf = (migration: Migration): string =>
  createHash("sha256").update(migration.trim().replace(/\s+/g, " ")).digest("hex");
