// Where a page goes on: ExclusiveStartKey, exactly the key attributes of the table and of the index.
import { AwsError } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { keyAttributes, rowKey } from "./item-key.ts";
import type { Range } from "./key-condition.ts";
import { EMPTY } from "./keys.ts";
import type { AllRows, Position } from "./pages.ts";
import { itemKeyOf } from "./rows.ts";
import type { Index, Table } from "./schema.ts";
import { type Item, member, soundItem } from "./value.ts";

/** What is read: the table, or one of its indexes. */
export interface Source {
  readonly table: Table;
  readonly index: Index | undefined;
}

/** Of an item of the table, or of an entry of the index. */
export function positionOf({ table, index }: Source, item: Item): Position {
  const own = rowKey(table.key, item);
  return index ? { ...rowKey(index.key, item), itemKey: itemKeyOf(own) } : { ...own, itemKey: EMPTY };
}

/** Throws what is wrong with its values; what the table says of it comes later. */
export function soundStart(start: Item | undefined): Item | undefined {
  try {
    return start && soundItem(start);
  } catch (error) {
    if (error instanceof AwsError) throw errors.validation(`The provided starting key is invalid: ${error.message}`);
    throw error;
  }
}

function startPosition(source: Source, start: Item): Position {
  const { table, index } = source;
  const attributes = new Map(
    [...keyAttributes(table.key), ...(index ? keyAttributes(index.key) : [])].map(({ name, type }) => [name, type]),
  );
  const fits = [...attributes].every(([name, type]) => member(start, name)?.[type] !== undefined);
  if (!fits || Object.keys(start).length !== attributes.size)
    throw errors.validation(
      index
        ? "The provided starting key is invalid"
        : "The provided starting key is invalid: The provided key element does not match the schema",
    );
  return positionOf(source, start);
}

export function queryStart(source: Source, start: Item, range: Range): Position {
  if (!source.index && source.table.key.range.length === 0)
    throw errors.validation("The query can return at most one row and cannot be restarted");
  const position = startPosition(source, start);
  if (Buffer.compare(position.pk, range.pk) !== 0)
    throw errors.validation("The provided starting key is outside query boundaries based on provided conditions");
  const { from, to } = range;
  if (Buffer.compare(position.sk, from) < 0 || (to && Buffer.compare(position.sk, to) >= 0))
    throw errors.validation("The provided starting key does not match the range key predicate");
  return position;
}

export function scanStart(source: Source, start: Item, { from, to }: AllRows): Position {
  const position = startPosition(source, start);
  if (Buffer.compare(position.hash, from) < 0 || (to && Buffer.compare(position.hash, to) >= 0))
    throw errors.validation(
      "The provided Exclusive start key does not map to the provided Segment and TotalSegments values.",
    );
  return position;
}
