// Conditional requests. https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
import { errors, withHeaders } from "./errors.ts";
import type { ObjectRow } from "./tables.ts";

export interface ReadConditions {
  readonly IfMatch?: string | undefined;
  readonly IfNoneMatch?: string | undefined;
  readonly IfModifiedSince?: Date | undefined;
  readonly IfUnmodifiedSince?: Date | undefined;
}

type Verdict =
  | { readonly holds: true }
  | { readonly holds: false; readonly status: 304 | 412; readonly condition: string };

/**
 * An ETag decides before a date: If-Unmodified-Since is not looked at beside If-Match, nor If-Modified-Since beside If-None-Match.
 * A date in the future is ignored (recorded on AWS).
 */
function judge(conditions: ReadConditions, row: Pick<ObjectRow, "etag" | "modified_ms">, now: number): Verdict {
  const modified = wholeSeconds(row.modified_ms);
  const { IfMatch, IfNoneMatch, IfModifiedSince, IfUnmodifiedSince } = conditions;
  if (IfMatch !== undefined) {
    if (!names(IfMatch, row.etag)) return { holds: false, status: 412, condition: "If-Match" };
  } else if (IfUnmodifiedSince && modified > IfUnmodifiedSince.getTime())
    return { holds: false, status: 412, condition: "If-Unmodified-Since" };
  if (IfNoneMatch !== undefined) {
    if (names(IfNoneMatch, row.etag)) return { holds: false, status: 304, condition: "If-None-Match" };
  } else if (IfModifiedSince && IfModifiedSince.getTime() <= now && modified <= IfModifiedSince.getTime())
    return { holds: false, status: 304, condition: "If-Modified-Since" };
  return { holds: true };
}

/** GET and HEAD: 304 where nothing is new, 412 where it is not what was asked for. */
export function checkRead(conditions: ReadConditions, row: ObjectRow, now: number): void {
  const verdict = judge(conditions, row, now);
  if (verdict.holds) return;
  if (verdict.status === 412) throw errors.preconditionFailed(verdict.condition);
  throw withHeaders(errors.notModified(), {
    etag: quoted(row.etag),
    "last-modified": new Date(wholeSeconds(row.modified_ms)).toUTCString(),
    ...(row.version_id !== "null" && { "x-amz-version-id": row.version_id }),
  });
}

/** The source of a copy: both kinds of failure are a 412. */
export function checkSource(
  input: {
    readonly CopySourceIfMatch?: string | undefined;
    readonly CopySourceIfNoneMatch?: string | undefined;
    readonly CopySourceIfModifiedSince?: Date | undefined;
    readonly CopySourceIfUnmodifiedSince?: Date | undefined;
  },
  row: ObjectRow,
  now: number,
): void {
  checkConditions(
    {
      IfMatch: input.CopySourceIfMatch,
      IfNoneMatch: input.CopySourceIfNoneMatch,
      IfModifiedSince: input.CopySourceIfModifiedSince,
      IfUnmodifiedSince: input.CopySourceIfUnmodifiedSince,
    },
    row,
    { now, prefix: "x-amz-copy-source-" },
  );
}

/** Of a write: each kind of failure is a 412, and names the header with its prefix. */
export function checkConditions(
  conditions: ReadConditions,
  row: ObjectRow,
  { now, prefix }: { now: number; prefix: string },
): void {
  const verdict = judge(conditions, row, now);
  if (!verdict.holds) throw errors.preconditionFailed(`${prefix}${verdict.condition}`);
}

/** Put, copy and complete. A delete marker counts as no object. */
export function writeCheck(
  conditions: Pick<ReadConditions, "IfMatch" | "IfNoneMatch">,
  key: string,
): ((current: ObjectRow | undefined) => void) | undefined {
  const { IfMatch, IfNoneMatch } = conditions;
  if (IfMatch !== undefined && IfNoneMatch !== undefined)
    throw errors.conditionUnknown(
      "If-Match,If-None-Match",
      "Multiple conditional request headers present in the request",
    );
  if (IfNoneMatch !== undefined && IfNoneMatch !== "*") throw unacceptable("If-None-Match");
  if (IfMatch === "*") throw unacceptable("If-Match");
  if (IfMatch === undefined && IfNoneMatch === undefined) return undefined;
  return (current) => {
    if (IfNoneMatch !== undefined && current) throw errors.preconditionFailed("If-None-Match");
    if (IfMatch === undefined) return;
    if (!current) throw errors.noSuchKey(key);
    if (!names(IfMatch, current.etag)) throw errors.preconditionFailed("If-Match");
  };
}

const unacceptable = (header: string) =>
  errors.conditionUnknown(header, `We don't accept the provided value of ${header} header for this API`);

export interface DeleteConditions {
  readonly VersionId?: string | undefined;
  readonly IfMatch?: string | undefined;
  readonly IfMatchLastModifiedTime?: Date | undefined;
  readonly IfMatchSize?: number | undefined;
}

/**
 * Of the current version only: a version that is named has no conditions (measured on AWS, localstack's issue 13894). Size and time are AWS's in directory
 * buckets; there they hold where nothing is.
 */
export function deleteCheck(
  conditions: DeleteConditions,
  key: string,
): ((current: ObjectRow | undefined) => void) | undefined {
  const { IfMatch, IfMatchLastModifiedTime, IfMatchSize } = conditions;
  if (IfMatch === undefined && IfMatchLastModifiedTime === undefined && IfMatchSize === undefined) return undefined;
  if (IfMatch !== undefined && conditions.VersionId !== undefined) throw errors.conditionUnknown("If-Match");
  return (current) => {
    if (!current && IfMatch === undefined) return;
    if (!current) throw errors.noSuchKey(key);
    if (IfMatch !== undefined && !names(IfMatch, current.etag)) throw errors.preconditionFailed("If-Match");
    if (IfMatchLastModifiedTime && IfMatchLastModifiedTime.getTime() !== wholeSeconds(current.modified_ms))
      throw errors.preconditionFailed("x-amz-if-match-last-modified-time");
    if (IfMatchSize !== undefined && IfMatchSize !== current.size)
      throw errors.preconditionFailed("x-amz-if-match-size");
  };
}

/** Whether a list of ETags, with or without quotes, or `*`, names this one. */
const names = (list: string, etag: string): boolean =>
  list.split(",").some(
    (one) =>
      one.trim() === "*" ||
      one
        .trim()
        .replace(/^W\//, "")
        .replace(/^"(.*)"$/, "$1") === etag,
  );

export const quoted = (etag: string): string => `"${etag}"`;

/** S3 knows the time of an object to the second. */
export const wholeSeconds = (ms: number): number => Math.floor(ms / 1000) * 1000;

export const lastModified = (row: Pick<ObjectRow, "modified_ms">): Date => new Date(wholeSeconds(row.modified_ms));
