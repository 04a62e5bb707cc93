// What is worked out once a model: routes, codecs, where members travel. Each at its first use.
import type { Model, Protocol, Structure, Union } from "../model/model.ts";
import { cborLeaves } from "./cbor.ts";
import { formReader } from "./form.ts";
import { type Bindings, bindings } from "./http.ts";
import { jsonLeaves } from "./json.ts";
import { compileRoutes, type Routes } from "./routes.ts";
import { type Trees, trees } from "./tree.ts";
import { type Xml, xml } from "./xml.ts";

export interface Compiled {
  routes(): Routes;
  trees(protocol: Protocol): Trees;
  xml(protocol: Protocol): Xml;
  form(): (structure: string, form: URLSearchParams) => unknown;
  bindings(structure: string): Bindings;
  /** The member that is an event stream, and its union. */
  streamOf(structure: string): { readonly name: string; readonly union: string } | undefined;
  /** Name or query code of each modelled error -> its name. */
  errorNames(): ReadonlyMap<string, string>;
}

const known = new WeakMap<Model, Compiled>();

export function compiled(model: Model): Compiled {
  let found = known.get(model);
  if (!found) {
    found = compile(model);
    known.set(model, found);
  }
  return found;
}

function compile(model: Model): Compiled {
  const treesOf = memo((leaves: "json" | "restJson" | "cbor") =>
    trees(
      model,
      leaves === "cbor" ? cborLeaves : jsonLeaves({ rest: leaves === "restJson", ...(model.terse && { terse: true }) }),
    ),
  );
  const xmlOf = memo((millis: boolean) => xml(model, millis));
  const once = memo((part: "routes" | "form" | "errors") =>
    part === "routes" ? compileRoutes(model) : part === "form" ? formReader(model) : errorNames(model),
  );
  const streamOf = memo((structure: string) => {
    const members = Object.entries((model.shapes[structure] as Structure).members);
    const found = members.find(([, m]) => (model.shapes[m.shape] as Union).eventStream);
    return found ? { name: found[0], union: found[1].shape } : null;
  });
  return {
    routes: () => once("routes") as Routes,
    trees: (protocol) => treesOf(protocol === "rpcv2Cbor" ? "cbor" : protocol === "restJson" ? "restJson" : "json"),
    xml: (protocol) => xmlOf(protocol === "restXml"),
    form: () => once("form") as ReturnType<typeof formReader>,
    bindings: memo((structure: string) => bindings(model, structure)),
    streamOf: (structure) => streamOf(structure) ?? undefined,
    errorNames: () => once("errors") as ReadonlyMap<string, string>,
  };
}

function memo<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    let value = made.get(key);
    if (value === undefined) {
      value = make(key);
      made.set(key, value);
    }
    return value;
  };
}

function errorNames(model: Model): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const errors = Object.entries(model.shapes).filter(([, shape]) => (shape as Structure).error);
  for (const [name, shape] of errors) {
    const code = (shape as Structure).error!.code;
    if (code && !names.has(code)) names.set(code, name);
  }
  for (const [name] of errors) names.set(name, name);
  return names;
}
