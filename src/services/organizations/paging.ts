// Lists in pages: NextToken names the last entry of the page before.
import { errors } from "./errors.ts";

/** https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html: 20 at most, and where nothing is said. */
const MOST = 20;

export interface Page {
  readonly after: string;
  /** One more than the page holds: it tells whether there is a further one. */
  readonly limit: number;
}

export function pageOf({
  NextToken,
  MaxResults = MOST,
}: {
  NextToken?: string | undefined;
  MaxResults?: number | undefined;
}): Page {
  const after = NextToken === undefined ? "" : Buffer.from(NextToken, "base64url").toString("utf8");
  if (NextToken !== undefined && Buffer.from(after).toString("base64url") !== NextToken) throw errors.badToken();
  return { after, limit: MaxResults + 1 };
}

/** `key` is what the rows are ordered by. */
export function cut<T>(
  rows: readonly T[],
  { limit }: Page,
  key: (row: T) => string,
): { shown: readonly T[]; more: { NextToken?: string } } {
  const shown = rows.slice(0, limit - 1);
  const last = shown.at(-1);
  const more = rows.length > shown.length && last ? { NextToken: Buffer.from(key(last)).toString("base64url") } : {};
  return { shown, more };
}
