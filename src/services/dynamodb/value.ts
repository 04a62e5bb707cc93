// Attribute values: what is sound, how large AWS counts it, when two are equal, and the text they are stored as.
import type { Input } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { canonicalNumber, compareNumbers, numberSize } from "./number.ts";

export type AttributeValue = NonNullable<Input<"dynamodb", "PutItem">["Item"]>[string];
export type Item = Record<string, AttributeValue>;
export type TypeName = "S" | "N" | "B" | "SS" | "NS" | "BS" | "M" | "L" | "NULL" | "BOOL";

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html: an item, and levels with the item itself. */
export const LARGEST_ITEM = 409_600;
const DEEPEST = 32;
/** For a value that is not stored: it is only compared with (recorded). */
export const ANY_DEPTH = Number.NEGATIVE_INFINITY;

/** The names that sentences about ADD and DELETE use. */
export const TYPE_WORDS: Readonly<Record<TypeName, string>> = {
  S: "STRING",
  N: "NUMBER",
  B: "BINARY",
  SS: "STRING_SET",
  NS: "NUMBER_SET",
  BS: "BINARY_SET",
  M: "MAP",
  L: "LIST",
  NULL: "NULL",
  BOOL: "BOOLEAN",
};

/** Of a sound value. */
export function typeOf(value: AttributeValue): TypeName {
  for (const type in value) if (value[type as TypeName] !== undefined) return type as TypeName;
  throw errors.validation(EMPTY);
}

/** An attribute by name: never what an object inherits. */
export const member = (map: Item, name: string): AttributeValue | undefined =>
  Object.hasOwn(map, name) ? map[name] : undefined;

/** Checks all values and gives the item with its numbers in normal form. `depth` is the level of the map itself. */
export function soundItem(item: Item, depth = 1): Item {
  const changed: [string, AttributeValue][] = [];
  for (const name of Object.keys(item)) {
    const sound = soundValue(item[name]!, depth);
    if (sound !== item[name]) changed.push([name, sound]);
  }
  return changed.length > 0 ? Object.fromEntries([...Object.entries(item), ...changed]) : item;
}

export function soundValue(value: AttributeValue, depth = 1): AttributeValue {
  const type = onlyType(value);
  switch (type) {
    case "N": {
      const n = canonicalNumber(value.N!);
      return n === value.N ? value : { N: n };
    }
    case "NULL":
      if (value.NULL !== true) throw errors.invalid("Null attribute value types must have the value of true");
      return value;
    case "SS":
    case "NS":
    case "BS":
      return soundSet(value, type);
    case "L": {
      deeper(depth);
      const list = value.L!.map((element) => soundValue(element, depth + 1));
      return list.every((element, i) => element === value.L![i]) ? value : { L: list };
    }
    case "M": {
      deeper(depth);
      const map = soundItem(value.M!, depth + 1);
      return map === value.M ? value : { M: map };
    }
    default:
      return value;
  }
}

const EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";

function onlyType(value: AttributeValue): TypeName {
  let only: string | undefined;
  for (const type in value) {
    if (value[type as TypeName] === undefined) continue;
    if (only !== undefined)
      throw errors.validation(
        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
      );
    only = type;
  }
  if (only === undefined) throw errors.validation(EMPTY);
  return only as TypeName;
}

export const deeper = (depth: number): void => {
  if (depth >= DEEPEST)
    throw errors.validation(
      "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit",
    );
};

function soundSet(value: AttributeValue, type: "SS" | "NS" | "BS"): AttributeValue {
  // A JSON null within a set is no member of any type.
  if (type === "SS" && value.SS!.some((element) => element == null))
    throw errors.invalid("An string set may not have a null string as a member");
  if ((value[type] as readonly unknown[]).some((element) => element == null)) throw errors.validation(EMPTY);
  if (type === "BS") {
    const texts = value.BS!.map(base64);
    if (texts.length === 0) throw errors.invalid("Binary sets should not be empty");
    if (new Set(texts).size < texts.length)
      throw errors.invalid(`Input collection [${texts.join(", ")}]of type BS contains duplicates.`);
    return value;
  }
  const texts = value[type]!;
  if (texts.length === 0) throw errors.invalid(`An ${type === "SS" ? "string" : "number"} set  may not be empty`);
  if (type === "SS") {
    if (new Set(texts).size < texts.length)
      throw errors.invalid(`Input collection [${texts.join(", ")}] contains duplicates.`);
    return value;
  }
  const numbers = texts.map(canonicalNumber);
  if (new Set(numbers).size < numbers.length) throw errors.validation("Input collection contains duplicates");
  return numbers.every((n, i) => n === texts[i]) ? value : { NS: numbers };
}

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html */
export function itemSize(item: Item): number {
  let size = 0;
  for (const name of Object.keys(item)) size += Buffer.byteLength(name) + valueSize(item[name]!);
  return size;
}

export function valueSize(value: AttributeValue): number {
  const type = typeOf(value);
  switch (type) {
    case "S":
      return Buffer.byteLength(value.S!);
    case "N":
      return numberSize(value.N!);
    case "B":
      return value.B!.length;
    case "SS":
      return value.SS!.reduce((sum, s) => sum + Buffer.byteLength(s), 0);
    case "NS":
      return value.NS!.reduce((sum, n) => sum + numberSize(n), 0);
    case "BS":
      return value.BS!.reduce((sum, b) => sum + b.length, 0);
    case "L":
      return value.L!.reduce((sum, element) => sum + 1 + valueSize(element), 3);
    case "M":
      return 3 + Object.keys(value.M!).length + itemSize(value.M!);
    default:
      return 1;
  }
}

/** Of sound values: numbers by value, sets and maps whatever their order. */
export function equal(a: AttributeValue, b: AttributeValue): boolean {
  const type = typeOf(a);
  if (type !== typeOf(b)) return false;
  switch (type) {
    case "B":
      return Buffer.compare(a.B!, b.B!) === 0;
    case "SS":
    case "NS":
    case "BS": {
      const mine = setMembers(a);
      const theirs = setMembers(b);
      return mine.size === theirs.size && [...mine.keys()].every((key) => theirs.has(key));
    }
    case "L":
      return a.L!.length === b.L!.length && a.L!.every((element, i) => equal(element, b.L![i]!));
    case "M":
      return equalItems(a.M!, b.M!);
    default:
      return a[type] === b[type];
  }
}

export function equalItems(a: Item, b: Item): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && equal(a[name]!, b[name]!))
  );
}

/** Negative, 0, positive; undefined where the two have no order. */
export function compare(a: AttributeValue, b: AttributeValue): number | undefined {
  if (a.S !== undefined && b.S !== undefined) return compareText(a.S, b.S);
  if (a.N !== undefined && b.N !== undefined) return compareNumbers(a.N, b.N);
  if (a.B !== undefined && b.B !== undefined) return Buffer.compare(a.B, b.B);
  return undefined;
}

/** The order of UTF-8 bytes, which is not that of UTF-16 units: surrogates come after U+FFFF. */
export function compareText(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return codePointRank(x) - codePointRank(y);
  }
  return a.length - b.length;
}
const codePointRank = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800);

/** The members of a set value, by a text that is equal where they are. */
export function setMembers(value: AttributeValue): Map<string, string | Uint8Array> {
  if (value.BS !== undefined) return new Map(value.BS.map((b) => [base64(b), b]));
  return new Map((value.SS ?? value.NS ?? []).map((text) => [text, text]));
}

/** DynamoDB JSON, with binary as base64: what a reader of the database sees. */
export const itemText = (item: Item): string => JSON.stringify(hasBinary(item) ? packed(item) : item);

export function itemOf(text: string): Item {
  const item = JSON.parse(text) as Item;
  return text.includes('"B":"') || text.includes('"BS":[') ? unpacked(item) : item;
}

export const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");

function hasBinary(map: Item): boolean {
  return Object.keys(map).some((name) => binaryWithin(map[name]!));
}
const binaryWithin = (value: AttributeValue): boolean =>
  value.B !== undefined ||
  value.BS !== undefined ||
  (value.L?.some(binaryWithin) ?? false) ||
  (value.M !== undefined && hasBinary(value.M));

const packed = (map: Item): Record<string, unknown> => mapped(map, pack) as Record<string, unknown>;
function pack(value: AttributeValue): unknown {
  if (value.B !== undefined) return { B: base64(value.B) };
  if (value.BS !== undefined) return { BS: value.BS.map(base64) };
  if (value.L !== undefined) return { L: value.L.map(pack) };
  return value.M === undefined ? value : { M: packed(value.M) };
}

const unpacked = (map: Item): Item => mapped(map, unpack);
function unpack(value: AttributeValue): AttributeValue {
  if (value.B !== undefined) return { B: Buffer.from(value.B as unknown as string, "base64") };
  if (value.BS !== undefined)
    return { BS: (value.BS as unknown as string[]).map((text) => Buffer.from(text, "base64")) };
  if (value.L !== undefined) return { L: value.L.map(unpack) };
  return value.M === undefined ? value : { M: unpacked(value.M) };
}

const mapped = <T>(map: Item, change: (value: AttributeValue) => T): Record<string, T> =>
  Object.fromEntries(Object.entries(map).map(([name, value]) => [name, change(value)]));
