// What a property may hold, and its value once all functions are resolved. The types are drawn from the shapes.
import { type Node, TemplateError } from "./node.ts";

export type Shape = "text" | "number" | "boolean" | "json" | ListOf | MapOf | RecordOf;
interface ListOf {
  readonly list: Shape;
}
interface MapOf {
  readonly map: Shape;
}
export interface RecordOf {
  readonly record: Shapes;
  readonly required: readonly string[];
}
export type Shapes = Readonly<Record<string, Shape>>;

export type Value<S extends Shape> = S extends "text"
  ? string
  : S extends "number"
    ? number
    : S extends "boolean"
      ? boolean
      : S extends "json"
        ? unknown
        : S extends { readonly list: infer L extends Shape }
          ? Value<L>[]
          : S extends { readonly map: infer M extends Shape }
            ? Record<string, Value<M>>
            : S extends { readonly record: infer R extends Shapes; readonly required: readonly (infer K)[] }
              ? { [P in keyof R]?: Value<R[P]> } & { [P in K & keyof R]: Value<R[P]> }
              : never;

export const listOf = <const S extends Shape>(list: S) => ({ list });
export const mapOf = <const S extends Shape>(map: S) => ({ map });
export const record = <const R extends Shapes, const K extends keyof R & string = never>(
  fields: R,
  required: readonly K[] = [],
) => ({ record: fields, required });

/** Checks and converts. A call that is not resolved yet is undefined: it passes, whatever it will be. Throws TemplateError. */
export function convert(shape: Shape, given: Node, path: string): unknown {
  if (given.kind === "call") return undefined;
  if (shape === "json") return json(given);
  if (typeof shape === "string") return scalar(shape, given, path);
  if ("list" in shape) {
    if (given.kind !== "list") throw new TemplateError(given.line, path, "here belongs a list");
    return given.items.map((item, i) => convert(shape.list, item, `${path}[${i}]`));
  }
  if (given.kind !== "fields") throw new TemplateError(given.line, path, "here belong names with values");
  if ("map" in shape) return fromFields([...given.fields], (name, one) => convert(shape.map, one, `${path}.${name}`));
  for (const name of shape.required)
    if (!given.fields.has(name)) throw new TemplateError(given.line, path, `${name} is missing`);
  return fromFields([...given.fields], (name, one) => {
    const known = Object.hasOwn(shape.record, name) ? shape.record[name] : undefined;
    if (!known) throw new TemplateError(one.line, `${path}.${name}`, "aws-like does not understand this property");
    return convert(known, one, `${path}.${name}`);
  });
}

const fromFields = (fields: readonly [string, Node][], value: (name: string, given: Node) => unknown) =>
  Object.fromEntries(fields.map(([name, given]) => [name, value(name, given)]));

function scalar(shape: "text" | "number" | "boolean", given: Node, path: string): unknown {
  if (given.kind !== "scalar" || given.value === null)
    throw new TemplateError(given.line, path, `here belongs a ${shape}`);
  if (shape === "text") return given.text;
  const value = shape === "number" ? Number(given.text) : ({ true: true, false: false }[given.text] ?? Number.NaN);
  if (Number.isNaN(value) || given.text.trim() === "")
    throw new TemplateError(given.line, path, `"${given.text}" is no ${shape}`);
  return value;
}

function json(given: Node): unknown {
  if (given.kind === "call") return undefined;
  if (given.kind === "list") return given.items.map(json);
  if (given.kind === "fields") return fromFields([...given.fields], (_, one) => json(one));
  return given.value;
}
