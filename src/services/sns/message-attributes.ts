// Message attributes: what is sound, and how long they are.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
import type { Input } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

type Given = NonNullable<Input<"sns", "Publish">["MessageAttributes"]>;

/** As it waits: JSON has no bytes. */
export interface Stored {
  readonly DataType: string;
  readonly StringValue?: string;
  /** Base64. */
  readonly BinaryValue?: string;
}
export type StoredAttributes = Readonly<Record<string, Stored>>;

const MAX_NAME = 256;
/** Reserved names that have a meaning: AWS.SNS.SMS.SenderID and its like. */
const OF_SNS = /^AWS\.(SNS|MM)\./;

/** Throws AWS's sentence about the first that is wrong. */
export const soundAttributes = (given: Given): StoredAttributes =>
  Object.fromEntries(Object.entries(given).map(([name, value]) => [name, soundAttribute(name, value)]));

function soundAttribute(name: string, { DataType = "", StringValue, BinaryValue }: Given[string]): Stored {
  checkName(name);
  const [base = ""] = DataType.split(".");
  if (!["String", "Number", "Binary"].includes(base))
    throw wrong(
      `The message attribute '${name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.`,
    );
  const binary = base === "Binary";
  const right = binary ? BinaryValue : StringValue;
  const other = binary ? StringValue : BinaryValue;
  if (!right?.length) {
    if (other?.length)
      throw wrong(
        `The message attribute '${name}' with type '${DataType}' must use field '${binary ? "Binary" : "String"}'.`,
      );
    throw wrong(
      `The message attribute '${name}' must contain non-empty message attribute value for message attribute type '${DataType}'.`,
    );
  }
  if (base === "Number" && !isNumber(StringValue!))
    throw wrong(`Could not cast message attribute '${name}' value to number.`);
  return binary
    ? { DataType, BinaryValue: Buffer.from(BinaryValue!).toString("base64") }
    : { DataType, StringValue: StringValue! };
}

function checkName(name: string): void {
  if (Buffer.byteLength(name) > MAX_NAME) throw wrong("Length of message attribute name must be less than 256 bytes.");
  const strange = /[^A-Za-z0-9_.-]/u.exec(name)?.[0];
  if (strange !== undefined)
    throw wrong(
      `Invalid non-alphanumeric character '#x${strange.codePointAt(0)!.toString(16).toUpperCase()}' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.`,
    );
  if (name.startsWith(".")) throw wrong("Invalid message attribute name starting with character '.' was found.");
  if (name.endsWith(".")) throw wrong("Invalid message attribute name ending with character '.' was found.");
  if (name.includes("..")) throw wrong("Message attribute name can not have successive '.' character.");
  if (/^(aws|amazon)\./i.test(name) && !OF_SNS.test(name))
    throw wrong(`Message attribute name '${name}' is reserved: it must not start with AWS. or Amazon.`);
}

const wrong = errors.messageAttribute;

const isNumber = (text: string): boolean => /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/.test(text);

/** Names, types and values count. Bytes; of what may yet be unsound. */
export function lengthOf(given: Given): number {
  let bytes = 0;
  for (const [name, { DataType = "", StringValue = "", BinaryValue }] of Object.entries(given))
    bytes +=
      Buffer.byteLength(name) +
      Buffer.byteLength(DataType) +
      (BinaryValue?.byteLength ?? Buffer.byteLength(StringValue));
  return bytes;
}
