// What a column of a CSV file becomes in an item: said with --types, or guessed from all of its fields.
import { UserError } from "../command.ts";

export type Type = "S" | "N" | "BOOL" | "B";
const TYPES: readonly string[] = ["S", "N", "BOOL", "B"] satisfies Type[];

export type Value = { S: string } | { N: string } | { BOOL: boolean } | { B: string };

/** As DynamoDB would give it back: no sign or zeros that say nothing, so that 007 stays what it is. */
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,2})?$/;
const MOST_DIGITS = 38;
const BOOLEAN = /^(true|false)$/i;

/** What a column can yet be, after the fields seen so far. */
export class Guess {
  #seen = false;
  #number = true;
  #boolean = true;

  look(field: string): void {
    if (field === "") return;
    this.#seen = true;
    this.#number &&= NUMBER.test(field) && field.replace(/[eE].*|\D/g, "").length <= MOST_DIGITS;
    this.#boolean &&= BOOLEAN.test(field);
  }

  get type(): Type {
    if (!this.#seen) return "S";
    return this.#number ? "N" : this.#boolean ? "BOOL" : "S";
  }
}

/** `name=N,zip=S` */
export function typesSaid(text: string | undefined): ReadonlyMap<string, Type> {
  const said = new Map<string, Type>();
  for (const part of text?.split(",") ?? []) {
    const at = part.lastIndexOf("=");
    const type = part.slice(at + 1);
    if (at < 1 || !TYPES.includes(type))
      throw new UserError(`--types is COLUMN=TYPE,... with the types ${TYPES.join(", ")}, not ${part}`);
    said.set(part.slice(0, at), type as Type);
  }
  return said;
}

/** undefined: an empty field is no attribute. */
export function attributeOf(field: string, type: Type): Value | undefined {
  if (field === "") return undefined;
  switch (type) {
    case "N":
      return { N: field };
    case "B":
      return { B: field };
    case "BOOL":
      if (!BOOLEAN.test(field)) throw new UserError(`${JSON.stringify(field)} is neither true nor false`);
      return { BOOL: field.toLowerCase() === "true" };
    default:
      return { S: field };
  }
}
