// From what is written to the trees that every other operation evaluates. What is wrong whatever the table is said here.
import { errors } from "../errors.ts";
import type { Comparator, Condition, Operand, Part, Path, Update, Value } from "../expression/ast.ts";
import { remembering } from "../expression/compile.ts";
import { NAME } from "../schema.ts";
import type { AttributeValue } from "../value.ts";
import type { Expr, PathExpr, SelectTree, Source, Tree } from "./ast.ts";
import { placed } from "./lex.ts";
import { literal, tuple } from "./literal.ts";
import { parseStatement } from "./parse.ts";
import type { Column, Select, Statement, Target } from "./statement.ts";

export interface Compiled {
  readonly statement: Statement;
  /** Attribute names by the alias that stands for them: `#pk`. */
  readonly names: Readonly<Record<string, string>>;
  /** Values written out, by the name that stands for them: `:l0`. */
  readonly literals: Readonly<Record<string, AttributeValue>>;
  /** How many `?` it has. */
  readonly parameters: number;
  /** Parameters that must be sets, and what is said of one that is not. */
  readonly sets: ReadonlyMap<number, string>;
}

export const compileStatement = (text: string): Compiled => compiled(text, "");

const compiled = remembering((text): Compiled => {
  const { tree, parameters } = parseStatement(text);
  const compiler = new Compiler();
  const statement = compiler.statement(tree);
  return {
    statement,
    parameters,
    names: Object.fromEntries(compiler.names),
    literals: Object.fromEntries(compiler.literals),
    sets: compiler.sets,
  };
});

/** The name of a `?` among the values. */
export const parameterName = (index: number): string => `:p${index}`;

const CONDITION_FUNCTIONS: ReadonlySet<string> = new Set([
  "attribute_exists",
  "attribute_not_exists",
  "attribute_type",
  "begins_with",
  "contains",
]);
const MOST_IN_OPERANDS = 100;
/** What IS may be followed by, and the type that it means. */
const IS_TYPES: Readonly<Record<string, string>> = {
  NULL: "NULL",
  BOOL: "BOOL",
  BOOLEAN: "BOOL",
  BLOB: "B",
  STRING: "S",
  NUMERIC: "N",
  STRUCT: "M",
  TUPLE: "M",
  LIST: "L",
};
const UNBOUND = {} as AttributeValue;

class Compiler {
  readonly names = new Map<string, string>();
  readonly literals = new Map<string, AttributeValue>();
  readonly sets = new Map<number, string>();

  statement(tree: Tree): Statement {
    switch (tree.kind) {
      case "select":
        return this.#select(tree);
      case "exists": {
        const { target, where } = this.#select(tree.select);
        return { kind: "exists", target, where };
      }
      case "insert": {
        if (tree.source.names.length > 1) throw errors.validation("FROM clause may only contain a single table name");
        const target = targetOf(tree.source);
        if (tree.returning) throw errors.validation("RETURNING is not supported in INSERT");
        if (tree.value.kind !== "tuple") throw notAnItem(tree.value);
        const values = tuple(tree.value.members, "root", (member) => this.#value(member));
        return { kind: "insert", target, members: Object.entries(values) };
      }
      case "update":
        return {
          kind: "update",
          target: ofTable(tree.source),
          update: this.#update(tree.changes),
          where: tree.where && this.#condition(tree.where),
          returning: tree.returning,
        };
      case "delete": {
        const { returning } = tree;
        if (returning && returning !== "ALL OLD")
          throw errors.validation(
            `Invalid returning clause: RETURNING ${returning} *. Only RETURNING ALL OLD * is allowed in DELETE statements.`,
          );
        const target = ofTable(tree.source);
        return { kind: "delete", target, where: tree.where && this.#condition(tree.where), returning };
      }
      case "expression":
        throw unsupported(tree.expr);
    }
  }

  #select({ source, projection, where, orderBy }: SelectTree): Select {
    const target = targetOf(source);
    return {
      kind: "select",
      target,
      columns: this.#columns(projection),
      where: where && this.#condition(where),
      orderBy: orderBy.map(({ expr, descending }) => {
        const [part, ...more] = expr.kind === "path" ? expr.parts : [];
        if (!part || !("name" in part) || more.length > 0)
          throw errors.validation(`Argument to ORDER BY must be of type VariableReference. Type: ${nameOf(expr)}`);
        return { name: part.name, descending };
      }),
    };
  }

  #columns(projection: SelectTree["projection"]): readonly Column[] | undefined {
    if (projection.some(({ aliased }) => aliased)) throw aliasing();
    if (projection.some(({ expr }) => expr === "*")) {
      if (projection.length === 1) return undefined;
      throw errors.validation("Other attributes should not be present in the projection when '*' is used.");
    }
    const columns = projection.map(({ expr }): Column => {
      if (expr === "*" || expr.kind !== "path")
        throw errors.validation(`Unexpected path component ${placed((expr as Expr).at)}`);
      return { name: columnName(expr), path: this.#path(expr) };
    });
    const names = columns.map(({ name }) => name);
    const twice = names.find((name, i) => names.indexOf(name) < i);
    if (twice !== undefined) throw errors.validation(`Duplicate identifiers in select clause: ${twice}`);
    return columns;
  }

  #condition(expr: Expr): Condition {
    switch (expr.kind) {
      case "binary": {
        const { operator, left, right } = expr;
        if (operator === "and" || operator === "or")
          return { kind: operator, left: this.#condition(left), right: this.#condition(right) };
        if (operator === "+" || operator === "-") throw unsupported(expr);
        return {
          kind: "compare",
          operator: operator as Comparator,
          left: this.#operand(left),
          right: this.#operand(right),
        };
      }
      case "not":
        return { kind: "not", condition: this.#condition(expr.operand) };
      case "between":
        return {
          kind: "between",
          operand: this.#operand(expr.operand),
          low: this.#operand(expr.low),
          high: this.#operand(expr.high),
        };
      case "in":
        if (expr.list.length > MOST_IN_OPERANDS)
          throw errors.validation(
            `The IN operator is provided with too many operands; number of operands: ${expr.list.length}`,
          );
        return { kind: "in", operand: this.#operand(expr.operand), list: expr.list.map((one) => this.#operand(one)) };
      case "is":
        return this.#is(this.#operand(expr.operand), expr.type);
      case "call":
        if (!CONDITION_FUNCTIONS.has(expr.name) && expr.name !== "size") throw unrecognized(expr);
        return { kind: "call", name: expr.name, args: expr.args.map((arg) => this.#operand(arg)) };
      default:
        throw unsupported(expr);
    }
  }

  #is(operand: Operand, type: string): Condition {
    if (type === "MISSING") return { kind: "call", name: "attribute_not_exists", args: [operand] };
    const means = IS_TYPES[type];
    if (!means)
      throw errors.validation(
        `Unsupported data type for IS operator: ${type}. Supported data types are [MISSING, NULL, BOOLEAN, BLOB, STRING, NUMERIC, STRUCT, TUPLE, LIST]`,
      );
    return { kind: "call", name: "attribute_type", args: [operand, this.#constant({ S: means })] };
  }

  #operand(expr: Expr): Operand {
    switch (expr.kind) {
      case "path":
        return this.#path(expr);
      case "call":
        if (expr.name === "size")
          return { kind: "call", name: "size", args: expr.args.map((arg) => this.#operand(arg)) };
        return { kind: "truth", condition: this.#condition(expr) };
      case "binary":
      case "not":
      case "between":
      case "in":
      case "is":
        return { kind: "truth", condition: this.#condition(expr) };
      case "unsupported":
        throw unsupported(expr);
      default:
        return this.#value(expr);
    }
  }

  /** A parameter, or a value that is written out; a parameter within one is refused. */
  #value(expr: Expr): Value {
    if (expr.kind === "parameter") return { kind: "value", name: parameterName(expr.index), value: UNBOUND };
    return this.#constant(literal(expr));
  }

  #constant(value: AttributeValue): Value {
    const name = `:l${this.literals.size}`;
    this.literals.set(name, value);
    return { kind: "value", name, value: UNBOUND };
  }

  #path({ parts }: PathExpr): Path {
    return {
      kind: "path",
      parts: parts.map((part): Part => {
        if ("name" in part) {
          this.names.set(`#${part.name}`, part.name);
          return `#${part.name}`;
        }
        const index = Number(part.index);
        if (!/^(-0|\d+)$/.test(part.index) || index > LARGEST_INDEX)
          throw errors.validation(
            `List index is not within the allowable range; index: [${part.index}] ${placed(part.at)}`,
          );
        return Math.abs(index);
      }),
    };
  }

  #update(changes: Extract<Tree, { kind: "update" }>["changes"]): Update {
    const update = { set: [] as Update["set"][number][], remove: [] as Path[], add: [] as Update["add"][number][] };
    const deletes: Update["delete"][number][] = [];
    for (const change of changes) {
      const path = this.#path(change.path);
      if (change.kind === "remove") update.remove.push(path);
      else if (change.value.kind === "call" && SET_FUNCTIONS.has(change.value.name)) {
        const value = this.#members(path, change.value);
        (change.value.name === "set_add" ? update.add : deletes).push({ path, value });
      } else update.set.push({ path, value: this.#assigned(change.value) });
    }
    return { ...update, delete: deletes };
  }

  #assigned(expr: Expr): Operand {
    if (expr.kind === "path") return this.#path(expr);
    if (expr.kind === "binary" && (expr.operator === "+" || expr.operator === "-"))
      return {
        kind: "arithmetic",
        operator: expr.operator,
        left: this.#assigned(expr.left),
        right: this.#assigned(expr.right),
      };
    if (expr.kind === "call") {
      if (expr.name !== "list_append") throw unrecognized(expr);
      return { kind: "call", name: expr.name, args: expr.args.map((arg) => this.#assigned(arg)) };
    }
    if (expr.kind === "unsupported") throw unsupported(expr);
    return this.#value(expr);
  }

  /** The set of `set_add(path, set)` or `set_delete(path, set)`, assigned to that very path. */
  #members(path: Path, call: Extract<Expr, { kind: "call" }>): Value {
    const name = call.name.toUpperCase();
    const [first, second, ...more] = call.args;
    if (!first || !second || more.length > 0)
      throw errors.validation(`${name} must have exactly two arguments ${placed(call.at)}`);
    const same = first.kind === "path" && JSON.stringify(this.#path(first).parts) === JSON.stringify(path.parts);
    if (!same)
      throw errors.validation(`The first argument to ${name} must equal the assignment value ${placed(call.at)}`);
    const noSet = `The second argument to ${name} must be a value with type SET ${placed(first.at)}`;
    if (second.kind === "parameter") this.sets.set(second.index, noSet);
    else if (second.kind !== "bag") throw errors.validation(noSet);
    return this.#value(second);
  }
}

const notAnItem = (expr: Expr) =>
  errors.validation(`Unsupported data type: ${nameOf(expr)} under key root ${placed(expr.at)}`);

const SET_FUNCTIONS: ReadonlySet<string> = new Set(["set_add", "set_delete"]);
const LARGEST_INDEX = 2 ** 31 - 1;

const aliasing = () => errors.validation("Aliasing is not supported");
const unrecognized = ({ name, at }: Extract<Expr, { kind: "call" }>) =>
  errors.validation(`Unrecognized function: ${name} ${placed(at)}`);
const unsupported = (expr: Expr) => errors.validation(`Unsupported operation: ${nameOf(expr)}`);

/** As AWS names what it does not do. */
function nameOf(expr: Expr): string {
  switch (expr.kind) {
    case "unsupported":
      return expr.what;
    case "binary":
      return OPERATOR_NAMES[expr.operator] ?? expr.operator;
    case "is":
      return "IsType";
    case "in":
      return "InCollection";
    case "path":
      return expr.parts.length > 1 ? "Path" : "Id";
    case "string":
    case "number":
    case "boolean":
    case "null":
      return "Lit";
    case "tuple":
      return "Struct";
    default:
      return expr.kind[0]!.toUpperCase() + expr.kind.slice(1);
  }
}
const OPERATOR_NAMES: Readonly<Record<string, string>> = {
  "=": "Eq",
  "<>": "Ne",
  "<": "Lt",
  "<=": "Lte",
  ">": "Gt",
  ">=": "Gte",
  "+": "Plus",
  "-": "Minus",
  and: "And",
  or: "Or",
};

function targetOf({ names, aliased }: Source): Target {
  if (aliased) throw aliasing();
  const [table, index, ...more] = names;
  if (more.length > 0) throw errors.validation("A path may contain at most 2 components in the FROM clause");
  if (table === "" || index === "") throw errors.validation("Path component cannot be an empty string");
  if (!table!.startsWith("arn:") && !NAME.test(table!))
    throw errors.validation(
      "Table name should be within the length [3, 255] and only contain 'a-z', 'A-Z', '0-9', '-', '_', '.'.",
    );
  return { table: table!, index };
}

function ofTable(source: Source): Target {
  const target = targetOf(source);
  if (target.index !== undefined) throw errors.validation("This operation is not supported on an index");
  return target;
}

/** The last name of a path, with the indexes after it. */
function columnName({ parts }: PathExpr): string {
  const last = parts.findLastIndex((part) => "name" in part);
  return parts
    .slice(last)
    .reduce((name, part) => name + ("name" in part ? part.name : `[${Math.abs(Number(part.index))}]`), "");
}
