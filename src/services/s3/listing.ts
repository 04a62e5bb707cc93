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

/** Rows from the cursor on, with key < until, in order, `count` at most. A key may have several (versions). */
export type Scan<R> = (range: Cursor<R> & { until: string; count: number }) => Promise<R[]>;

/** Where keys may fall into prefixes, so few rows are read ahead at first; after a prefix, which another one follows mostly, one. */
const FEW = 8;

export async function readPage<R extends { readonly key: string }>(
  { prefix, delimiter, limit }: PageRequest,
  start: Cursor<R>,
  scan: Scan<R>,
): Promise<Page<R>> {
  const items: Item<R>[] = [];
  let next = compareStored(start.from, prefix) < 0 ? { from: prefix, after: undefined } : start;
  if (limit === 0) return { items, truncated: false, next };
  const until = afterPrefix(prefix);
  const most = limit + 1;
  for (let count = delimiter === "" ? most : Math.min(FEW, most); ; ) {
    const rows = await scan({ ...next, until, count });
    let skipped = false;
    for (const row of rows) {
      if (items.length === limit) return { items, truncated: true, next };
      const common = commonPrefix(row.key, prefix, delimiter);
      items.push(common === undefined ? { row } : { prefix: common });
      next = common === undefined ? { from: row.key, after: row } : { from: afterPrefix(common), after: undefined };
      skipped = common !== undefined;
      if (skipped) break;
    }
    if (!skipped && rows.length < count) return { items, truncated: false, next };
    count = skipped ? 1 : Math.min(count * 2, most);
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
