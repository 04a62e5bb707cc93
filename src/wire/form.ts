// The query protocol: parameters like `Tags.member.1.Key=a`, answers in XML.
import type { Member, Model, Structure } from "../model/model.ts";
import { textCodec } from "./text.ts";

/** The parameters by the parts of their names. */
interface Node {
  value?: string;
  readonly children: Map<string, Node>;
}

type Read = (node: Node) => unknown;

/** Parts of one name, and parameters of one request: AWS's own limits are lower for every operation. */
const MAX_PARTS = 64;

/** Reads an operation's input; compiled once. */
export function formReader(model: Model): (structure: string, form: URLSearchParams) => unknown {
  const readers = new Map<string, Read>();

  function readerOf(member: Member): Read {
    const shape = model.shapes[member.shape]!;
    switch (shape.type) {
      case "structure":
      case "union":
        return structure(member.shape);
      case "list": {
        const read = readerOf(shape.member);
        const name = shape.member.xmlName ?? "member";
        return (node) => indexed(member.xmlFlattened ? node : (node.children.get(name) ?? node)).map(read);
      }
      case "map": {
        const read = readerOf(shape.value);
        const [key, value] = [shape.key.xmlName ?? "key", shape.value.xmlName ?? "value"];
        return (node) =>
          Object.fromEntries(
            indexed(member.xmlFlattened ? node : (node.children.get("entry") ?? node)).map((entry) => {
              const item = entry.children.get(value);
              return [entry.children.get(key)?.value ?? "", item && read(item)];
            }),
          );
      }
      default: {
        const codec = textCodec(shape, member, { format: "date-time" });
        return (node) => codec.read(node.value ?? "");
      }
    }
  }

  function structure(name: string): Read {
    const known = readers.get(name);
    if (known) return known;
    const shape = model.shapes[name] as Structure;
    let members: { name: string; wire: string; read: Read }[] | undefined;
    const read: Read = (node) => {
      members ??= Object.entries(shape.members).map(([name, member]) => ({
        name,
        wire: member.xmlName ?? name,
        read: readerOf(member),
      }));
      const out: Record<string, unknown> = {};
      for (const member of members) {
        const child = node.children.get(member.wire);
        if (child) out[member.name] = member.read(child);
      }
      return out;
    };
    readers.set(name, read);
    return read;
  }

  return (name, form) => structure(name)(tree(form));
}

function tree(form: URLSearchParams): Node {
  const root: Node = { children: new Map() };
  for (const [name, value] of form) {
    let node = root;
    for (const part of name.split(".", MAX_PARTS)) {
      let child = node.children.get(part);
      if (!child) {
        child = { children: new Map() };
        node.children.set(part, child);
      }
      node = child;
    }
    node.value ??= value;
  }
  return root;
}

/** The children named by numbers, in their order; gaps do not count. */
function indexed(node: Node): Node[] {
  return [...node.children]
    .filter(([name]) => /^\d{1,6}$/.test(name))
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, child]) => child);
}
