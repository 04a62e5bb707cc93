// What the parts of SAM's transform share: making a resource that stands where another stands.
import { type Fields, field, type Node, node, type Plain, TemplateError } from "./node.ts";
import type { Resource } from "./template.ts";

export type Resources = Map<string, Resource>;

/** What SAM makes carries this tag. */
export const CREATED_BY = { Key: "lambda:createdBy", Value: "SAM" };

export const pathOf = ({ id }: Resource): string => `Resources.${id}.Properties`;

export interface New {
  readonly id: string;
  readonly type: string;
  readonly dependsOn?: readonly string[];
  readonly properties: Readonly<Record<string, Parameters<typeof node>[1] | undefined>>;
}

/** A resource that stands where `origin` stands. */
export function make(into: Resources, origin: Resource, { id, type, dependsOn = [], properties }: New): void {
  if (id !== origin.id && into.has(id))
    throw new TemplateError(into.get(id)!.line, `Resources.${id}`, `this is the id of what ${origin.id} is made of`);
  const { line, condition, retain, directory } = origin;
  into.set(id, {
    id,
    type,
    line,
    dependsOn,
    condition,
    retain,
    directory,
    properties: node(line, properties as Plain) as Fields,
  });
}

/** A field that must be written out: SAM does not look behind functions here, and no more do we. */
export function need(given: Node, name: string, path: string): Node {
  const found = field(given, name);
  if (!found) throw new TemplateError(given.line, path, `${name} is missing`);
  return found;
}

/** Maps are merged, lists are joined, else the function's own wins. */
export function merge(global: Node | undefined, own: Node | undefined): Node | undefined {
  if (!global || !own) return own ?? global;
  if (global.kind === "list" && own.kind === "list") return { ...own, items: [...global.items, ...own.items] };
  if (global.kind !== "fields" || own.kind !== "fields") return own;
  const fields = new Map(global.fields);
  for (const [name, one] of own.fields) fields.set(name, merge(fields.get(name), one)!);
  return { ...own, fields };
}
