// From an item to the bytes of its key, in the table and in each index; and what AWS says of keys that are none.
import { AwsError } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { EMPTY, joinParts, keyBytes, partitionHash } from "./keys.ts";
import type { Index, KeyAttribute, KeySchema, Table } from "./schema.ts";
import { type AttributeValue, type Item, member, typeOf } from "./value.ts";

/** The columns that an item's row is found by. */
export interface RowKey {
  readonly hash: Uint8Array;
  readonly pk: Uint8Array;
  readonly sk: Uint8Array;
}

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html */
const MOST_HASH_BYTES = 2048;
const MOST_RANGE_BYTES = 1024;

/** Key attributes in the order hash, range. */
export const keyAttributes = (key: KeySchema): readonly KeyAttribute[] => [...key.hash, ...key.range];

/** Of an item that is put: its key attributes must be there, of their type, not empty, not too long. */
export function keyOfItem(table: Table, item: Item): RowKey {
  for (const { name, type } of keyAttributes(table.key)) {
    const value = member(item, name);
    if (!value) throw errors.invalid(`Missing the key ${name} in the item`);
    if (value[type] === undefined)
      throw errors.invalid(`Type mismatch for key ${name} expected: ${type} actual: ${typeOf(value)}`);
    notEmpty(name, value);
  }
  return rowKey(table.key, item);
}

/** Of the `Key` of a request: exactly the key attributes. */
export function keyOfRequest(table: Table, key: Item): RowKey {
  const attributes = keyAttributes(table.key);
  const matches = attributes.every(({ name, type }) => member(key, name)?.[type] !== undefined);
  if (!matches || Object.keys(key).length !== attributes.length)
    throw errors.validation("The provided key element does not match the schema");
  for (const { name } of attributes) notEmpty(name, member(key, name)!);
  return rowKey(table.key, key);
}

/** Of sound values that are all there. */
export function rowKey(key: KeySchema, item: Item): RowKey {
  const pk = columnBytes(key.hash, item);
  const sk = columnBytes(key.range, item);
  if (pk.length > MOST_HASH_BYTES)
    throw errors.invalid("Size of hashkey has exceeded the maximum size limit of2048 bytes");
  if (sk.length > MOST_RANGE_BYTES)
    throw errors.invalid("Aggregated size of all range keys has exceeded the size limit of 1024 bytes");
  return { hash: partitionHash(pk), pk, sk };
}

/** The item's place in an index; undefined where it lacks an attribute of the index's key. Throws where one is not fit to be a key. */
export function keyInIndex(index: Index, item: Item, change: "put" | "update" = "put"): RowKey | undefined {
  const attributes = keyAttributes(index.key);
  for (const { name, type } of attributes) {
    const value = member(item, name);
    if (value) fitsIndex({ index, name, type, change }, value);
  }
  return attributes.every(({ name }) => Object.hasOwn(item, name)) ? rowKey(index.key, item) : undefined;
}

/** Of an item that is stored: one that an index could not hold when it was made was left out of it, and does no harm. */
export function heldKey(index: Index, item: Item): RowKey | undefined {
  try {
    return keyInIndex(index, item);
  } catch (error) {
    if (error instanceof AwsError) return undefined;
    throw error;
  }
}

interface IndexAttribute extends KeyAttribute {
  readonly index: Index;
  readonly change: "put" | "update";
}

function fitsIndex({ index, name, type, change }: IndexAttribute, value: AttributeValue): void {
  const update = change === "update";
  if (value[type] === undefined)
    throw update
      ? errors.validation("The update expression attempted to update the secondary index key to unsupported type")
      : errors.invalid(
          `Type mismatch for Index Key ${name} Expected: ${type} Actual: ${typeOf(value)} IndexName: ${index.name}`,
        );
  const kind = emptyKind(value);
  if (kind)
    throw errors.validation(
      update
        ? `One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty ${kind} value.`
        : `One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty ${kind} value. IndexName: ${index.name}, IndexKey: ${name}`,
    );
}

/** The key attributes of an item, of the table's key and those of `more`. */
export function keyItem(key: KeySchema, item: Item, more?: KeySchema): Item {
  const names = new Set([...keyAttributes(key), ...(more ? keyAttributes(more) : [])].map(({ name }) => name));
  return Object.fromEntries([...names].map((name) => [name, item[name]!]));
}

export function notEmpty(name: string, value: AttributeValue): void {
  const kind = emptyKind(value);
  if (kind)
    throw errors.validation(
      `One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty ${kind} value. Key: ${name}`,
    );
}

const emptyKind = (value: AttributeValue): "string" | "binary" | undefined =>
  value.S === "" ? "string" : value.B?.length === 0 ? "binary" : undefined;

function columnBytes(attributes: readonly KeyAttribute[], item: Item): Uint8Array {
  const [only, another] = attributes;
  if (!only) return EMPTY;
  if (!another) return keyBytes(item[only.name]!, only.type);
  return joinParts(attributes.map(({ name, type }) => keyBytes(item[name]!, type)));
}
