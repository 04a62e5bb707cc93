// Message attributes: what is sound, how long they are, their digest.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
import { createHash } from "node:crypto";
import type { Input } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

type Given = NonNullable<Input<"sqs", "SendMessage">["MessageAttributes"]>;

/** As it is kept: JSON has no bytes. */
export interface Stored {
  readonly DataType: string;
  readonly StringValue?: string;
  /** Base64. */
  readonly BinaryValue?: string;
}
export type StoredAttributes = Readonly<Record<string, Stored>>;

const MOST_ATTRIBUTES = 10;
const MAX_NAME = 256;

/** Throws AWS's sentence about the first that is wrong. */
export function soundAttributes(given: Given): StoredAttributes {
  const entries = Object.entries(given);
  if (entries.length > MOST_ATTRIBUTES)
    throw errors.invalidValue(
      `Number of message attributes [${entries.length}] exceeds the allowed maximum [${MOST_ATTRIBUTES}].`,
    );
  return Object.fromEntries(entries.map(([name, value]) => [name, soundAttribute(name, value)]));
}

function soundAttribute(name: string, value: Given[string]): Stored {
  checkName(name);
  const type = value.DataType ?? "";
  const [base] = type.split(".");
  if (type === "")
    throw errors.invalidValue(`The message attribute '${name}' must contain a non-empty message attribute type.`);
  if (type.length > MAX_NAME || (base !== "String" && base !== "Number" && base !== "Binary"))
    throw errors.invalidValue(
      `The type of message (user) attribute '${name}' is invalid. You must use only the following supported type prefixes: Binary, Number, String.`,
    );
  for (const list of ["StringListValues", "BinaryListValues"] as const)
    if (value[list]?.length)
      throw errors.invalidValue("Message attribute list values in SendMessage operation are not supported.");
  const empty = () =>
    errors.invalidValue(
      `Message (user) attribute '${name}' must contain a non-empty value of type '${base === "Binary" ? "Binary" : "String"}'.`,
    );
  if (base === "Binary") {
    if (!value.BinaryValue?.length) throw empty();
    return { DataType: type, BinaryValue: Buffer.from(value.BinaryValue).toString("base64") };
  }
  if (!value.StringValue) throw empty();
  if (base === "Number" && !isNumber(value.StringValue))
    throw errors.invalidValue(`Can't cast the value of message (user) attribute '${name}' to a number.`);
  if (!isText(value.StringValue)) throw errors.contents();
  return { DataType: type, StringValue: value.StringValue };
}

function checkName(name: string): void {
  if (name.length > MAX_NAME)
    throw errors.invalidValue("Message (user) attribute names must be shorter than 256 Bytes");
  if (!/^[\p{L}\p{N}_.-]+$/u.test(name))
    throw errors.invalidValue(
      "Message (user) attributes name can only contain upper and lower score characters, digits, periods, hyphens and underscores. ",
    );
  if (/^\.|\.$|\.\./.test(name) || /^(aws|amazon)\./i.test(name))
    throw errors.invalidValue(
      "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for internal use. Additionally, they cannot start or end with '.'.",
    );
}

const isNumber = (text: string): boolean => /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/.test(text);

/** What XML 1.0 can say. */
export const isText = (text: string): boolean =>
  !/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u.test(text);

/** Names, types and values count. Bytes. */
export function lengthOf(attributes: StoredAttributes): number {
  let bytes = 0;
  for (const [name, stored] of Object.entries(attributes))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(stored.DataType) + bytesOf(stored).length;
  return bytes;
}

/** Undefined where there are none. The algorithm is AWS's own page's: "Calculating the MD5 message digest for message attributes". */
export function digest(attributes: StoredAttributes): string | undefined {
  const names = Object.keys(attributes).sort();
  if (names.length === 0) return undefined;
  const hash = createHash("md5");
  const part = (bytes: Uint8Array) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  };
  for (const name of names) {
    const stored = attributes[name]!;
    part(Buffer.from(name));
    part(Buffer.from(stored.DataType));
    hash.update(Uint8Array.of(stored.BinaryValue === undefined ? 1 : 2));
    part(bytesOf(stored));
  }
  return hash.digest("hex");
}

const bytesOf = ({ StringValue, BinaryValue }: Stored): Buffer =>
  BinaryValue === undefined ? Buffer.from(StringValue!) : Buffer.from(BinaryValue, "base64");

/** `names`: what ReceiveMessage was asked for. `All`, `.*`, and a prefix before `.*`. */
export const selected = (attributes: StoredAttributes, names: readonly string[]): StoredAttributes =>
  Object.fromEntries(Object.entries(attributes).filter(([name]) => names.some((asked) => covers(asked, name))));

const covers = (asked: string, name: string): boolean =>
  asked === "All" || asked === "*" || asked === name || (asked.endsWith(".*") && name.startsWith(asked.slice(0, -2)));

export const toOutput = (
  attributes: StoredAttributes,
): Record<string, { DataType: string; StringValue?: string; BinaryValue?: Uint8Array }> =>
  Object.fromEntries(
    Object.entries(attributes).map(([name, { BinaryValue, ...rest }]) => [
      name,
      { ...rest, ...(BinaryValue !== undefined && { BinaryValue: Buffer.from(BinaryValue, "base64") }) },
    ]),
  );
