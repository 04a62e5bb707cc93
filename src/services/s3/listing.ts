// A page of keys in UTF-8 order, with common prefixes. It costs what it shows: where a common prefix ends the store is asked for what comes after
// it, not read through.
import { afterPrefix, compareStored, justAfter } from "./keys.ts";

/** All in stored form (keys.ts). */
export interface PageRequest {
  readonly prefix: string;
  /** Empty: none. */
  readonly delimiter: string;
  readonly limit: number;
}

export interface Page<R> {
  readonly items: readonly Item<R>[];
  readonly truncated: boolean;
  readonly next: Cursor<R>;
}

/** Where a page begins: at `from`, or after the row `after`, which has that key. */
export interface Cursor<R> {
  readonly from: string;
  readonly after: R | undefined;
}

export type Item<R> =
  | { readonly row: R; readonly prefix?: undefined }
  | { readonly prefix: string; readonly row?: undefined };

/** Rows with from <= key < until, in order. A key may have several (versions). */
export interface Source<R> {
  /** From the cursor on, `count` at most. */
  rows(range: Cursor<R> & { until: string; count: number }): Promise<R[]>;
  /** Which is most of what a prefix is made of: a thousand of them are as many looks at the index, and at no row. */
  firstKey(range: { from: string; until: string }): Promise<{ key: string } | undefined>;
}

/** Where keys may fall into prefixes, so few rows are read ahead at first. */
const FEW = 8;

export async function readPage<R extends { readonly key: string }>(
  { prefix, delimiter, limit }: PageRequest,
  start: Cursor<R>,
  source: Source<R>,
): Promise<Page<R>> {
  const items: Item<R>[] = [];
  let next = compareStored(start.from, prefix) < 0 ? { from: prefix, after: undefined } : start;
  if (limit === 0) return { items, truncated: false, next };
  const until = afterPrefix(prefix);
  const most = limit + 1;
  for (let count = delimiter === "" ? most : Math.min(FEW, most); ; ) {
    const rows = await source.rows({ ...next, until, count });
    let common: string | undefined;
    for (const row of rows) {
      if (items.length === limit) return { items, truncated: true, next };
      common = commonPrefix(row.key, prefix, delimiter);
      if (common !== undefined) break;
      items.push({ row });
      next = { from: row.key, after: row };
    }
    if (common === undefined && rows.length < count) return { items, truncated: false, next };
    count = common === undefined ? Math.min(count * 2, most) : Math.min(FEW, most);
    // After a prefix mostly another one follows.
    while (common !== undefined) {
      items.push({ prefix: common });
      next = { from: afterPrefix(common), after: undefined };
      const first = await source.firstKey({ from: next.from, until });
      if (!first) return { items, truncated: false, next };
      if (items.length === limit) return { items, truncated: true, next };
      common = commonPrefix(first.key, prefix, delimiter);
    }
  }
}

function commonPrefix(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === "") return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

/** The first key after a marker. A marker within a common prefix, or at it, is past all of that prefix. */
export function fromMarker(marker: string, prefix: string, delimiter: string): string {
  if (marker === "") return "";
  const common = marker.startsWith(prefix) ? commonPrefix(marker, prefix, delimiter) : undefined;
  return common === undefined ? justAfter(marker) : afterPrefix(common);
}
