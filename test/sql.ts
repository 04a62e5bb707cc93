// The store of a test's cloud, as `sqlite3 db.sqlite` or psql shows it.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Client } from "pg";
import type { TestCloud } from "./cloud.ts";

export const onPostgres = ({ aws }: TestCloud): boolean => aws.config.databaseUrl !== "";

export async function select({ aws }: TestCloud, sql: string): Promise<Record<string, unknown>[]> {
  if (aws.config.databaseUrl === "") {
    using db = new DatabaseSync(join(aws.config.dir, "db.sqlite"));
    return db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  }
  const client = new Client({ connectionString: aws.config.databaseUrl });
  await client.connect();
  try {
    await client.query("SET search_path TO aws_like");
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
