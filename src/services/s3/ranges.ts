// Which bytes of an object are asked for.
import { errors } from "./errors.ts";
import type { ObjectPart, ObjectRow } from "./tables.ts";

export interface Extent {
  /** `end` is exclusive. */
  readonly start: number;
  readonly end: number;
  /** Content-Range; undefined: the whole object, 200. */
  readonly contentRange?: string;
  readonly partsCount?: number;
  readonly part?: ObjectPart;
}

export function extentOf(
  row: ObjectRow,
  input: { Range?: string | undefined; PartNumber?: number | undefined },
): Extent {
  if (input.PartNumber !== undefined) {
    if (input.Range !== undefined)
      throw errors.invalidRequest("Cannot specify both Range header and partNumber query parameter");
    return partExtent(row, input.PartNumber);
  }
  return input.Range === undefined ? { start: 0, end: row.size } : rangeExtent(row.size, input.Range);
}

/** RFC 9110, section 14: a header that is no byte range, or names several, is ignored. */
function rangeExtent(size: number, range: string): Extent {
  const match = /^bytes=(\d*)-(\d*)$/.exec(range.replaceAll(" ", ""));
  if (!match || (match[1] === "" && match[2] === "")) return { start: 0, end: size };
  const [first, last] = [match[1]!, match[2]!];
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
  if (first !== "" && last !== "" && Number(last) < Number(first)) return { start: 0, end: size };
  if (start >= size || (first === "" && Number(last) === 0)) throw errors.invalidRange(range, size);
  return { start, end, contentRange: contentRange(start, end, size) };
}

/** An object that was not uploaded in parts is one part, and says nothing of its count. */
function partExtent(row: ObjectRow, number: number): Extent {
  if (number < 1 || number > 10_000) throw errors.partNumber(number);
  const parts = row.parts === null ? undefined : (JSON.parse(row.parts) as ObjectPart[]);
  if (number > (parts?.length ?? 1)) throw errors.invalidPartNumber(number, parts?.length ?? 1);
  const part = parts?.[number - 1];
  const start = parts?.slice(0, number - 1).reduce((sum, { size }) => sum + size, 0) ?? 0;
  const end = start + (part?.size ?? row.size);
  return {
    start,
    end,
    ...(end > start && { contentRange: contentRange(start, end, row.size) }),
    ...(parts && { partsCount: parts.length }),
    ...(part && { part }),
  };
}

const contentRange = (start: number, end: number, size: number): string => `bytes ${start}-${end - 1}/${size}`;

/** The range of a part that is copied: both ends, within the source. */
export function copyExtent(size: number, range: string | undefined): { start: number; end: number } {
  if (range === undefined) return { start: 0, end: size };
  const match = /^bytes=(\d+)-(\d+)$/.exec(range);
  if (!match || Number(match[1]) > Number(match[2]))
    throw errors.invalidArgument(
      "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
      "x-amz-copy-source-range",
      range,
    );
  if (Number(match[2]) >= size)
    throw errors.invalidArgument(
      `Range specified is not valid for source object of size: ${size}`,
      "x-amz-copy-source-range",
      range,
    );
  return { start: Number(match[1]), end: Number(match[2]) + 1 };
}
