// A statement as it is written, before anything is known of tables: what parse.ts makes and compile.ts reads.
import type { Place } from "./lex.ts";

export type Expr =
  | { readonly kind: "number"; readonly text: string; readonly at: Place }
  | { readonly kind: "string"; readonly text: string; readonly at: Place }
  | { readonly kind: "boolean"; readonly value: boolean; readonly at: Place }
  | { readonly kind: "null" | "missing"; readonly at: Place }
  | { readonly kind: "parameter"; readonly index: number; readonly at: Place }
  | { readonly kind: "list" | "bag"; readonly items: readonly Expr[]; readonly at: Place }
  | { readonly kind: "tuple"; readonly members: readonly (readonly [Expr, Expr])[]; readonly at: Place }
  | PathExpr
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expr[]; readonly at: Place }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expr;
      readonly right: Expr;
      readonly at: Place;
    }
  | { readonly kind: "not"; readonly operand: Expr; readonly at: Place }
  | { readonly kind: "between"; readonly operand: Expr; readonly low: Expr; readonly high: Expr; readonly at: Place }
  | { readonly kind: "in"; readonly operand: Expr; readonly list: readonly Expr[]; readonly at: Place }
  | { readonly kind: "is"; readonly operand: Expr; readonly type: string; readonly at: Place }
  /** Understood, and not in DynamoDB. */
  | { readonly kind: "unsupported"; readonly what: string; readonly at: Place };

export type BinaryOperator = "=" | "<>" | "<" | "<=" | ">" | ">=" | "and" | "or" | "+" | "-";

export interface PathExpr {
  readonly kind: "path";
  readonly parts: readonly PathPart[];
  readonly at: Place;
}

/** An index is kept as its text: whether it is one is said when the statement is compiled. */
export type PathPart = { readonly name: string } | { readonly index: string; readonly at: Place };

export interface Source {
  /** `"table"."index"`. */
  readonly names: readonly string[];
  readonly aliased: boolean;
}

export interface OrderTerm {
  readonly expr: Expr;
  readonly descending: boolean;
}

export interface SelectTree {
  readonly kind: "select";
  readonly projection: readonly { readonly expr: Expr | "*"; readonly aliased: boolean }[];
  readonly source: Source;
  readonly where?: Expr | undefined;
  readonly orderBy: readonly OrderTerm[];
}

export type Returning = "ALL OLD" | "MODIFIED OLD" | "ALL NEW" | "MODIFIED NEW";

export type Change =
  | { readonly kind: "set"; readonly path: PathExpr; readonly value: Expr }
  | { readonly kind: "remove"; readonly path: PathExpr };

export type Tree =
  | SelectTree
  | { readonly kind: "exists"; readonly select: SelectTree }
  | {
      readonly kind: "insert";
      readonly source: Source;
      readonly value: Expr;
      readonly returning?: Returning | undefined;
    }
  | {
      readonly kind: "update";
      readonly source: Source;
      readonly changes: readonly Change[];
      readonly where?: Expr | undefined;
      readonly returning?: Returning | undefined;
    }
  | {
      readonly kind: "delete";
      readonly source: Source;
      readonly where?: Expr | undefined;
      readonly returning?: Returning | undefined;
    }
  /** Sound PartiQL that neither reads nor writes. */
  | { readonly kind: "expression"; readonly expr: Expr };

export interface Parsed {
  readonly tree: Tree;
  /** How many `?` it has. */
  readonly parameters: number;
}
