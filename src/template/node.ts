// What a template is read into: values, lists, fields and calls of functions, each with the line where it stands.

export type Node = Scalar | List | Fields | Call;

export interface Scalar {
  readonly kind: "scalar";
  readonly line: number;
  readonly value: string | number | boolean | null;
  /** As it is written: `007` is no 7 where a text is wanted. */
  readonly text: string;
}

export interface List {
  readonly kind: "list";
  readonly line: number;
  readonly items: readonly Node[];
}

export interface Fields {
  readonly kind: "fields";
  readonly line: number;
  /** A value's line is its key's. */
  readonly fields: ReadonlyMap<string, Node>;
}

/** `Ref`, `Condition`, `Fn::GetAtt`, `Fn::Sub`... in their long form's name, whichever form was written. */
export interface Call {
  readonly kind: "call";
  readonly line: number;
  readonly name: string;
  readonly argument: Node;
}

/** What the template's author can mend. `path` is `Resources.Files.Properties.Timeout`, or empty. */
export class TemplateError extends Error {
  readonly line: number;
  readonly path: string;

  constructor(line: number, path: string, text: string) {
    super(text);
    this.line = line;
    this.path = path;
  }
}

export type Plain = string | number | boolean | null | readonly Made[] | { readonly [field: string]: Made | undefined };
type Made = Plain | Node;

/** A node of plain data and nodes, as if it stood at `line`. Fields that are undefined are left out. */
export function node(line: number, value: Made): Node {
  if (value === null || typeof value !== "object") return { kind: "scalar", line, value, text: String(value) };
  if (Array.isArray(value)) return { kind: "list", line, items: value.map((item: Made) => node(line, item)) };
  if (isNode(value)) return value;
  const fields = new Map<string, Node>();
  for (const [name, field] of Object.entries(value as Record<string, Made | undefined>))
    if (field !== undefined) fields.set(name, node(line, field));
  return { kind: "fields", line, fields };
}

export const call = (line: number, name: string, argument: Made): Call => ({
  kind: "call",
  line,
  name,
  argument: node(line, argument),
});

const isNode = (value: object): value is Node => "kind" in value && "line" in value;

export const isNull = (given: Node): boolean => given.kind === "scalar" && given.value === null;

/** The field of a node that is known to have fields. */
export const field = (given: Node | undefined, name: string): Node | undefined =>
  given?.kind === "fields" ? given.fields.get(name) : undefined;

export const itemsOf = (given: Node | undefined): readonly Node[] =>
  given === undefined ? [] : given.kind === "list" ? given.items : [given];

export const fieldsOf = (given: Node | undefined): [string, Node][] =>
  given?.kind === "fields" ? [...given.fields] : [];
