// What an expression is, before and after its #names and :values are known.
import type { AttributeValue } from "../value.ts";

/** A name or a list index. */
export type Part = string | number;

export interface Path {
  readonly kind: "path";
  readonly parts: readonly Part[];
}

export interface Value {
  readonly kind: "value";
  /** `:v`. */
  readonly name: string;
  /** undefined until bound. */
  readonly value: AttributeValue;
}

export interface Call {
  readonly kind: "call";
  readonly name: string;
  readonly args: readonly Operand[];
}

/** `a + :b`, in SET only. */
export interface Arithmetic {
  readonly kind: "arithmetic";
  readonly operator: "+" | "-";
  readonly left: Operand;
  readonly right: Operand;
}

/** What a condition says, as a BOOL: PartiQL compares it like any other. */
export interface Truth {
  readonly kind: "truth";
  readonly condition: Condition;
}

export type Operand = Path | Value | Call | Arithmetic | Truth;
export type Comparator = "=" | "<>" | "<" | "<=" | ">" | ">=";

export type Condition =
  | { readonly kind: "compare"; readonly operator: Comparator; readonly left: Operand; readonly right: Operand }
  | { readonly kind: "between"; readonly operand: Operand; readonly low: Operand; readonly high: Operand }
  | { readonly kind: "in"; readonly operand: Operand; readonly list: readonly Operand[] }
  | { readonly kind: "and" | "or"; readonly left: Condition; readonly right: Condition }
  | { readonly kind: "not"; readonly condition: Condition }
  | Call;

export interface Update {
  readonly set: readonly { readonly path: Path; readonly value: Operand }[];
  readonly remove: readonly Path[];
  readonly add: readonly { readonly path: Path; readonly value: Value }[];
  readonly delete: readonly { readonly path: Path; readonly value: Value }[];
}

export type Section = "set" | "remove" | "add" | "delete";

/** `[a, [0], b]`, as the sentences about paths write it. */
export const pathText = (parts: readonly Part[]): string =>
  `[${parts.map((part) => (typeof part === "number" ? `[${part}]` : part)).join(", ")}]`;
