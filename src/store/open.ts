// Which engine: the embedded one, unless the configuration names a PostgreSQL server.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { openSqlite } from "./sqlite.ts";
import type { Store } from "./store.ts";

/** `databaseUrl`: empty for db.sqlite in `dir`, postgres://..., `:memory:` or the path of a SQLite file. */
export async function openStore(databaseUrl: string, dir: string): Promise<Store> {
  // The driver is loaded by those only who use it.
  if (/^postgres(ql)?:\/\//.test(databaseUrl)) return (await import("./postgres.ts")).openPostgres(databaseUrl);
  return openSqlite(databaseUrl || join(dir, "db.sqlite"));
}

/** Removes all that a store holds, while nobody has it open. */
export async function destroyStore(databaseUrl: string, dir: string): Promise<void> {
  if (/^postgres(ql)?:\/\//.test(databaseUrl)) return (await import("./postgres.ts")).destroyPostgres(databaseUrl);
  const file = databaseUrl || join(dir, "db.sqlite");
  for (const suffix of ["", "-wal", "-shm"]) await rm(`${file}${suffix}`, { force: true });
}
