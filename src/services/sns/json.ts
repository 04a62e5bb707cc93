// JSON that comes as an attribute's value, with what AWS's parser says of text that is none.
import { Fault } from "./errors.ts";

export type Json = Readonly<Record<string, unknown>>;

/** Throws a Fault where it is no JSON object. */
export function jsonObject(name: string, text: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Fault(`${name}: failed to parse JSON. ${complaint(text)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Fault(`${name}: failed to parse JSON. Expected a JSON object`);
  return value as Json;
}

const SOURCE = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column:";

/** The two commonest complaints of AWS's parser word for word (recorded); any other is said in one. */
function complaint(text: string): string {
  const word = /^\s*([A-Za-z]\w*)/.exec(text);
  if (word)
    return `Unrecognized token '${word[1]}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at ${SOURCE} ${word[0].length + 1}]`;
  const field = /^\s*\{\s*([^"\s}])/.exec(text);
  if (field)
    return `Unexpected character ('${field[1]}' (code ${field[1]!.charCodeAt(0)})): was expecting double-quote to start field name\n at ${SOURCE} ${field[0].length}]`;
  return `Unexpected end-of-input or character\n at ${SOURCE} ${text.length + 1}]`;
}
