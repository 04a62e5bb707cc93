// Values of a model as XML: restXml's bodies both ways, the query protocol's answers.
import type { MapShape, Member, Model, Simple, Structure, Union } from "../model/model.ts";
import { inAnswerBody, inRequestBody } from "./http.ts";
import { type TextCodec, textCodec } from "./text.ts";
import { type Element, escapeXml, local } from "./xml-text.ts";

/** Reads what stands in one element. */
type ReadElement = (element: Element) => unknown;
/** Appends the element `name`, or several where a list is flattened. */
type WriteElement = (out: string[], name: string, value: unknown) => void;

export interface Xml {
  /** The body members of a structure, as the children of `element`. */
  reader(structure: string): ReadElement;
  /** Appends the body members of a structure, without an element of its own. */
  writer(structure: string): (out: string[], value: unknown) => void;
  readerOf(member: Member): ReadElement;
  writerOf(member: Member): WriteElement;
  /** The name of the root where this member is a payload. */
  rootOf(member: Member): string;
  /** `xmlns:xsi="..."` of a member or its shape, or "". */
  attributesOf(member: Member, value: unknown): string;
}

type Fields = Record<string, unknown>;
const isPlain = (shape: { type: string }): shape is Simple =>
  !["structure", "union", "list", "map"].includes(shape.type);

/** `millis`: S3 writes times with milliseconds, the query services without. */
export function xml(model: Model, millis: boolean): Xml {
  const readers = new Map<string, ReadElement>();
  const writers = new Map<string, (out: string[], value: unknown) => void>();

  const text = (shape: Simple, member: Member): TextCodec => textCodec(shape, member, { format: "date-time", millis });

  function readerOf(member: Member): ReadElement {
    const shape = model.shapes[member.shape]!;
    switch (shape.type) {
      case "structure":
      case "union":
        return reader(member.shape);
      case "list": {
        const read = readerOf(shape.member);
        return (element) => element.children.map(read);
      }
      case "map": {
        const read = entryReader(shape);
        return (element) => Object.fromEntries(element.children.map(read));
      }
      default: {
        const codec = text(shape, member);
        return (element) => codec.read(element.text);
      }
    }
  }

  function entryReader(shape: MapShape): (element: Element) => [string, unknown] {
    const read = readerOf(shape.value);
    const keyName = shape.key.xmlName ?? "key";
    const valueName = shape.value.xmlName ?? "value";
    return (entry) => {
      const key = entry.children.find((c) => c.name === keyName)?.text ?? "";
      const value = entry.children.find((c) => c.name === valueName);
      return [key, value && read(value)];
    };
  }

  function reader(name: string): ReadElement {
    const known = readers.get(name);
    if (known) return known;
    const shape = model.shapes[name] as Structure | Union;
    let members: ReturnType<typeof structureMembers> | undefined;
    const read: ReadElement = (element) => {
      members ??= structureMembers(shape);
      const out: Fields = {};
      for (const child of element.children) {
        const member = members.elements.get(child.name);
        if (!member) continue;
        if (member.collect) member.collect(out, child);
        else out[member.name] = member.read(child);
      }
      for (const [qualified, value] of Object.entries(element.attributes)) {
        const member = members.attributes.get(qualified) ?? members.attributes.get(local(qualified));
        if (member) out[member.name] = member.codec.read(value);
      }
      return out;
    };
    readers.set(name, read);
    return read;
  }

  function structureMembers(shape: Structure | Union) {
    const elements = new Map<
      string,
      { name: string; read: ReadElement; collect: undefined | ((out: Fields, child: Element) => void) }
    >();
    const attributes = new Map<string, { name: string; codec: TextCodec }>();
    for (const [name, member] of Object.entries(shape.members)) {
      if (!inRequestBody(member)) continue;
      const wire = member.xmlName ?? name;
      const target = model.shapes[member.shape]!;
      if (member.xmlAttribute) {
        const entry = { name, codec: text(target as Simple, member) };
        attributes.set(wire, entry).set(local(wire), entry);
      } else elements.set(wire, { name, read: readerOf(member), collect: collector(name, member) });
    }
    return { elements, attributes };
  }

  /** A flattened list or map has an element for each of its own. */
  function collector(name: string, member: Member): undefined | ((out: Fields, child: Element) => void) {
    const shape = model.shapes[member.shape]!;
    if (!member.xmlFlattened) return undefined;
    if (shape.type === "list") {
      const read = readerOf(shape.member);
      return (out, child) => {
        out[name] ??= [];
        (out[name] as unknown[]).push(read(child));
      };
    }
    if (shape.type !== "map") return undefined;
    const read = entryReader(shape);
    return (out, child) => {
      out[name] = { ...(out[name] as Fields), ...Object.fromEntries([read(child)]) };
    };
  }

  function writerOf(member: Member): WriteElement {
    const shape = model.shapes[member.shape]!;
    switch (shape.type) {
      case "structure":
      case "union": {
        const write = writer(member.shape);
        return (out, name, value) => {
          out.push(`<${name}${attributesOf(member, value)}>`);
          write(out, value);
          out.push(`</${name}>`);
        };
      }
      case "list":
        return listWriter(member, shape.member);
      case "map":
        return mapWriter(member, shape);
      default: {
        const codec = text(shape, member);
        return (out, name, value) => {
          out.push(`<${name}>${escapeXml(codec.write(value))}</${name}>`);
        };
      }
    }
  }

  function listWriter(member: Member, element: Member): WriteElement {
    const write = writerOf(element);
    const flat = member.xmlFlattened === true;
    return (out, name, value) => {
      const itemName = flat ? name : (element.xmlName ?? "member");
      if (!flat) out.push(`<${name}>`);
      for (const item of value as unknown[]) if (item !== null && item !== undefined) write(out, itemName, item);
      if (!flat) out.push(`</${name}>`);
    };
  }

  function mapWriter(member: Member, shape: MapShape): WriteElement {
    const write = writerOf(shape.value);
    const keyName = shape.key.xmlName ?? "key";
    const valueName = shape.value.xmlName ?? "value";
    const flat = member.xmlFlattened === true;
    return (out, name, value) => {
      const entryName = flat ? name : "entry";
      if (!flat) out.push(`<${name}>`);
      for (const [key, item] of Object.entries(value as Fields)) {
        if (item === null || item === undefined) continue;
        out.push(`<${entryName}><${keyName}>${escapeXml(key)}</${keyName}>`);
        write(out, valueName, item);
        out.push(`</${entryName}>`);
      }
      if (!flat) out.push(`</${name}>`);
    };
  }

  function writer(name: string): (out: string[], value: unknown) => void {
    const known = writers.get(name);
    if (known) return known;
    const shape = model.shapes[name] as Structure | Union;
    let members: { name: string; wire: string; write: WriteElement }[] | undefined;
    const write = (out: string[], value: unknown) => {
      members ??= Object.entries(shape.members)
        .filter(([, member]) => inAnswerBody(member) && !member.xmlAttribute)
        .map(([name, member]) => ({ name, wire: member.xmlName ?? name, write: writerOf(member) }));
      for (const member of members) {
        const item = (value as Fields)[member.name];
        if (item !== undefined && item !== null) member.write(out, member.wire, item);
      }
    };
    writers.set(name, write);
    return write;
  }

  function attributesOf(member: Member, value: unknown): string {
    const shape = model.shapes[member.shape]!;
    const namespace = member.xmlNamespace ?? shape.xmlNamespace;
    let out = namespace?.prefix ? ` xmlns:${namespace.prefix}="${escapeXml(namespace.uri)}"` : "";
    if (isPlain(shape) || shape.type === "list" || shape.type === "map") return out;
    for (const [name, own] of Object.entries(shape.members)) {
      const item = (value as Fields)[name];
      if (own.xmlAttribute && item !== undefined) out += ` ${own.xmlName ?? name}="${escapeXml(String(item))}"`;
    }
    return out;
  }

  const rootOf = (member: Member) => member.xmlName ?? model.shapes[member.shape]!.xmlName ?? member.shape;

  return { reader, writer, readerOf, writerOf, rootOf, attributesOf };
}
