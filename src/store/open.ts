// Which engine: the embedded one, unless the configuration names a PostgreSQL server.
import { join } from "node:path";
import { openSqlite } from "./sqlite.ts";
import type { Store } from "./store.ts";

/** `databaseUrl`: empty for db.sqlite in `dir`, postgres://..., `:memory:` or the path of a SQLite file. */
export async function openStore(databaseUrl: string, dir: string): Promise<Store> {
  // The driver is loaded by those only who use it.
  if (/^postgres(ql)?:\/\//.test(databaseUrl)) return (await import("./postgres.ts")).openPostgres(databaseUrl);
  return openSqlite(databaseUrl || join(dir, "db.sqlite"));
}
