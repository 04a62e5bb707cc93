// Every version that a bucket has, a page of rows at a time: for what looks at all of them.
import type { Context } from "../../kernel/mod.ts";
import type { BucketRow, ObjectRow } from "./tables.ts";

const PAGE = 1000;

/** All versions of one key, newest first; key by key. */
export async function* versionsByKey(ctx: Context, { name }: BucketRow): AsyncGenerator<ObjectRow[]> {
  let versions: ObjectRow[] = [];
  let after: Pick<ObjectRow, "key" | "rank"> = { key: "", rank: Number.MIN_SAFE_INTEGER };
  for (;;) {
    const rows = await ctx.read((tx) =>
      tx.all<ObjectRow>(
        `SELECT * FROM s3_object WHERE bucket = :name AND (key > :key OR (key = :key AND rank > :rank)) ORDER BY key, rank LIMIT ${PAGE}`,
        { name, key: after.key, rank: after.rank },
      ),
    );
    for (const row of rows) {
      if (versions.length > 0 && versions[0]!.key !== row.key) {
        yield versions;
        versions = [];
      }
      versions.push(row);
    }
    if (rows.length < PAGE) break;
    after = rows.at(-1)!;
  }
  if (versions.length > 0) yield versions;
}
