// A statement as it is executed: compiled once a text, bound to the parameters of each request.
import type { Condition, Path, Update, Value } from "../expression/ast.ts";
import type { Returning } from "./ast.ts";

export interface Target {
  readonly table: string;
  readonly index?: string | undefined;
}

export interface Column {
  /** What the answer calls it: `k[0]` of `m.k[0]`. */
  readonly name: string;
  readonly path: Path;
}

export interface Select {
  readonly kind: "select";
  readonly target: Target;
  /** undefined: `*`. */
  readonly columns?: readonly Column[] | undefined;
  readonly where?: Condition | undefined;
  readonly orderBy: readonly { readonly name: string; readonly descending: boolean }[];
}

export interface Exists {
  readonly kind: "exists";
  readonly target: Target;
  readonly where?: Condition | undefined;
}

export interface Insert {
  readonly kind: "insert";
  readonly target: Target;
  readonly members: readonly (readonly [string, Value])[];
}

export interface Change {
  readonly kind: "update";
  readonly target: Target;
  readonly update: Update;
  readonly where?: Condition | undefined;
  readonly returning?: Returning | undefined;
}

export interface Delete {
  readonly kind: "delete";
  readonly target: Target;
  readonly where?: Condition | undefined;
  readonly returning?: Returning | undefined;
}

export type Write = Exists | Insert | Change | Delete;
export type Statement = Select | Write;
