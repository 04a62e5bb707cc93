// Lists in pages: Marker names the last entry of the page before, MaxItems how many there may be.
import { errors } from "./errors.ts";

const MOST = 100;

export interface Page {
  readonly after: string;
  /** One more than the page holds: it tells whether there is a further one. */
  readonly limit: number;
}

export function pageOf({ Marker, MaxItems }: { Marker?: string | undefined; MaxItems?: number | undefined }): Page {
  const after = Marker === undefined ? "" : Buffer.from(Marker, "base64url").toString("utf8");
  if (Marker !== undefined && Buffer.from(after).toString("base64url") !== Marker) throw errors.badMarker();
  return { after, limit: (MaxItems ?? MOST) + 1 };
}

/** `key` is what the rows are ordered by. */
export function cut<T>(rows: readonly T[], page: Page, key: (row: T) => string) {
  const shown = rows.slice(0, page.limit - 1);
  const IsTruncated = rows.length > shown.length;
  const last = shown.at(-1);
  return {
    shown,
    more: { IsTruncated, ...(IsTruncated && last && { Marker: Buffer.from(key(last)).toString("base64url") }) },
  };
}

/** All strings that begin with a path prefix, for `path >= :from AND path < :to`: paths hold nothing beyond `~`. */
export const underPath = (prefix = "/") => ({ from: prefix, to: `${prefix}\u007f` });
