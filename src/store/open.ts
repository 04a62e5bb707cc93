// Which engine: the embedded one, unless the configuration names a PostgreSQL server.
import { join } from "node:path";
import { destroySqlite, openSqlite } from "./sqlite.ts";
import type { Store } from "./store.ts";

/**
 * `databaseUrl`: empty for db.sqlite in `dir`, postgres://..., `:memory:` or the path of a SQLite file. `durable`: a commit waits for the disk; a
 * PostgreSQL decides that itself (synchronous_commit).
 */
export async function openStore(databaseUrl: string, dir: string, { durable = true } = {}): Promise<Store> {
  if (isPostgres(databaseUrl)) return (await import("./postgres.ts")).openPostgres(databaseUrl);
  return openSqlite(fileOf(databaseUrl, dir), { durable });
}

/** All that the store holds is gone; nobody may have it open. The next to open it begins anew. */
export async function destroyStore(databaseUrl: string, dir: string): Promise<void> {
  if (isPostgres(databaseUrl)) await (await import("./postgres.ts")).destroyPostgres(databaseUrl);
  else await destroySqlite(fileOf(databaseUrl, dir));
}

const isPostgres = (databaseUrl: string): boolean => /^postgres(ql)?:\/\//.test(databaseUrl);

const fileOf = (databaseUrl: string, dir: string): string => databaseUrl || join(dir, "db.sqlite");
