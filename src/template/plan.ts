// Template text -> the resources that shall be, each with all its values, in the order in which they can be made. Calls nothing.
import { createHash } from "node:crypto";
import type { Kind, Place, Subject } from "./kind.ts";
import { kinds } from "./kinds.ts";
import { markOf } from "./late.ts";
import { type Fields, type Node, TemplateError } from "./node.ts";
import { holds, resolve, type Scope } from "./resolve.ts";
import { expandServerless } from "./sam.ts";
import { convert } from "./shape.ts";
import { parseTemplate, type Resource, type Template } from "./template.ts";

export interface Plan {
  readonly resources: readonly Planned[];
  readonly outputs: ReadonlyMap<string, string>;
}

export interface Planned extends Subject<Readonly<Record<string, unknown>>> {
  readonly line: number;
  readonly kind: Kind;
  readonly retain: boolean;
}

export interface PlanOptions {
  readonly place: Place;
  /** Values of the template's parameters. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Throws TemplateError: whatever can be known to be wrong is found before anything is called. */
export function plan(text: string, { place, parameters }: PlanOptions): Plan {
  const template = parseTemplate(text, parameters);
  const scope: Scope = { parameters: template.parameters, conditions: template.conditions, place };
  const resources = expandServerless(reduce(template, scope));
  for (const { id, type, line } of resources.values())
    if (!Object.hasOwn(kinds, type))
      throw new TemplateError(line, `Resources.${id}`, `aws-like does not understand the type ${type}`);
  const names = new Names(resources, scope, place);
  const needs = new Map<string, Set<string>>();
  const planned = [...resources.values()].map((resource) => {
    const own = new Set(resource.dependsOn);
    for (const id of own)
      if (!resources.has(id))
        throw new TemplateError(resource.line, `Resources.${resource.id}.DependsOn`, `there is no resource ${id}`);
    needs.set(resource.id, own);
    return planOne(resource, { names, scope, place, needs: own });
  });
  const outputs = [...template.outputs].map(([name, value]) => {
    const path = `Outputs.${name}`;
    const lookup = names.lookup(new Set());
    const result = resolve(value, { scope: { ...scope, resource: lookup }, path });
    return [name, String(convert("text", result ?? value, path))] as const;
  });
  return { resources: inOrder(planned, needs), outputs: new Map(outputs) };
}

/** Parameters and conditions have their values; only what speaks of resources is left. SAM's transform begins there too. */
function reduce(template: Template, scope: Scope): Template {
  const resources = new Map<string, Resource>();
  for (const [id, resource] of template.resources) {
    const path = `Resources.${id}`;
    if (resource.condition !== undefined && !holds(resource.condition, resource.line, { scope, path })) continue;
    const properties = resolve(resource.properties, { scope, path: `${path}.Properties` }) as Fields;
    resources.set(id, { ...resource, properties });
  }
  return { ...template, resources, globals: template.globals && resolve(template.globals, { scope, path: "Globals" }) };
}

interface Planning {
  readonly names: Names;
  readonly scope: Scope;
  readonly place: Place;
  readonly needs: Set<string>;
}

function planOne(resource: Resource, { names, scope, place, needs }: Planning): Planned {
  const { id, type, line, directory, retain } = resource;
  const kind = kinds[type]!;
  const path = `Resources.${id}.Properties`;
  // Once with what speaks of resources still open: a property that is not known is told before a reference that is not.
  convert(kind.shape, resource.properties, path);
  if (directory !== undefined && type !== "AWS::S3::Bucket")
    throw new TemplateError(line, `Resources.${id}.Metadata.AwsLike`, "only a bucket is a directory");
  const lookup = names.lookup(needs);
  const resolved = resolve(resource.properties, { scope: { ...scope, resource: lookup }, path }) as Fields;
  const converted = convert(kind.shape, resolved, path) as Readonly<Record<string, unknown>>;
  const properties = kind.prepare?.(converted, resolved, { dir: place.dir, path }) ?? converted;
  return { id, type, name: names.of(id, line), properties, directory, line, kind, retain };
}

/** Physical names, and what Ref and GetAtt say: needed by others before the resource itself is looked at. */
class Names {
  readonly #resources: ReadonlyMap<string, Resource>;
  readonly #scope: Scope;
  readonly #place: Place;
  readonly #known = new Map<string, string>();
  readonly #asked = new Set<string>();

  constructor(resources: ReadonlyMap<string, Resource>, scope: Scope, place: Place) {
    this.#resources = resources;
    this.#scope = scope;
    this.#place = place;
  }

  of(id: string, line: number): string {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    if (this.#asked.has(id)) throw new TemplateError(line, `Resources.${id}`, "its name depends on itself");
    this.#asked.add(id);
    const name = this.#nameOf(this.#resources.get(id)!);
    this.#known.set(id, name);
    return name;
  }

  /** What resolve() asks; who is asked for is noted in `needs`. */
  lookup(needs: Set<string>): NonNullable<Scope["resource"]> {
    return (id, attribute, { line, path }) => {
      const resource = this.#resources.get(id);
      if (!resource) throw new TemplateError(line, path, `there is no resource or parameter ${id}`);
      needs.add(id);
      const kind = kinds[resource.type]!;
      const identity = kind.identify(this.of(id, line), this.#place, (name) => this.#property(resource, name));
      if (attribute === undefined) return identity.ref;
      const late = Object.hasOwn(kind.later ?? {}, attribute);
      const value = late
        ? markOf({ type: resource.type, name: this.of(id, line), attribute })
        : identity.attributes[attribute];
      if (value === undefined)
        throw new TemplateError(
          line,
          path,
          `aws-like does not understand the attribute ${attribute} of ${resource.type}`,
        );
      return value;
    };
  }

  #nameOf(resource: Resource): string {
    const { id, type, directory } = resource;
    const { named, longestName, lowerCase, suffix } = kinds[type]!;
    const said = named === undefined ? undefined : this.#property(resource, named);
    if (said !== undefined) return said;
    // Names of buckets are global on AWS, so a template leaves them open; here a directory's name is the better one.
    if (directory !== undefined) return directory.toLowerCase().replace(/[^a-z0-9.-]+/g, "-");
    const { stack, account, region } = this.#place;
    const hash = createHash("sha256").update(`${account}/${region}/${stack}/${id}`).digest("hex").slice(0, 12);
    const end = `-${hash.toUpperCase()}${suffix?.((name) => this.#property(resource, name)) ?? ""}`;
    const name = `${stack}-${id}`.slice(0, longestName - end.length) + end;
    return lowerCase ? name.toLowerCase() : name;
  }

  #property({ id, properties }: Resource, name: string): string | undefined {
    const given: Node | undefined = properties.fields.get(name);
    if (!given) return undefined;
    const path = `Resources.${id}.Properties.${name}`;
    const resolved = resolve(given, { scope: { ...this.#scope, resource: this.lookup(new Set()) }, path });
    return resolved && String(convert("text", resolved, path));
  }
}

/** What is needed comes first; otherwise as they are written. */
function inOrder(planned: readonly Planned[], needs: ReadonlyMap<string, ReadonlySet<string>>): Planned[] {
  const ordered: Planned[] = [];
  const left = new Set(planned);
  const done = new Set<string>();
  while (left.size > 0) {
    const next = [...left].find(({ id }) => [...needs.get(id)!].every((other) => done.has(other)));
    if (!next) throw circular([...left], needs);
    left.delete(next);
    done.add(next.id);
    ordered.push(next);
  }
  return ordered;
}

/** Of those that are left, only who stands in a circle: who merely waits for one is no fault. */
function circular(left: readonly Planned[], needs: ReadonlyMap<string, ReadonlySet<string>>): TemplateError {
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
    [...needs.get(from)!].some((next) => {
      if (next === to) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, to, seen);
    });
  const circle = left.filter(({ id }) => reaches(id, id));
  const [first] = circle;
  const ids = circle.map(({ id }) => id).join(", ");
  return new TemplateError(first!.line, `Resources.${first!.id}`, `Circular dependency between resources: [${ids}]`);
}
