// Values of a model as plain trees: what JSON.parse or the CBOR decoder gave becomes what a handler is given, and back.
// Readers work in place and writers copy only what changes: a DynamoDB item costs little more than JSON.parse and stringify.
import type { Member, Model, Simple, Structure, Union } from "../model/model.ts";
import { inAnswerBody, inRequestBody } from "./http.ts";

export type Convert = (value: unknown) => unknown;

/** How one protocol carries simple values, and its words for those it cannot read. */
export interface Leaves {
  /** Members travel under their jsonName. */
  readonly jsonNames: boolean;
  read(shape: Simple, member: Member): Convert;
  write(shape: Simple, member: Member): Convert;
  /** Throws: `value` stands where a structure, list or map is wanted. */
  refuse(value: unknown, wanted: "structure" | "list" | "map"): never;
}

export interface Trees {
  /** All members of a structure; `body` leaves out those that travel elsewhere in a REST message. */
  reader(structure: string, body?: boolean): Convert;
  writer(structure: string, body?: boolean): Convert;
  /** Of one member: a payload. */
  readerOf(member: Member): Convert;
  writerOf(member: Member): Convert;
}

/** Deeper input is refused: DynamoDB allows 32 levels, of two shapes each, and says so itself. */
export const MAX_DEPTH = 512;

type Fields = Record<string, unknown>;

export function trees(model: Model, leaves: Leaves): Trees {
  const readers = new Map<string, Convert>();
  const writers = new Map<string, Convert>();
  let depth = 0;

  /** Compiled at first use and under its name: shapes refer to themselves. */
  function memo(cache: Map<string, Convert>, key: string, compile: () => Convert): Convert {
    const known = cache.get(key);
    if (known) return known;
    let compiled: Convert | undefined;
    const late: Convert = (value) => {
      compiled ??= compile();
      return compiled(value);
    };
    cache.set(key, late);
    compiled = compile();
    cache.set(key, compiled);
    return compiled;
  }

  function nested(convert: Convert): Convert {
    return (value) => {
      if (++depth > MAX_DEPTH) leaves.refuse(value, "structure");
      const result = convert(value);
      depth--;
      return result;
    };
  }

  function readerOf(member: Member): Convert {
    const shape = model.shapes[member.shape]!;
    switch (shape.type) {
      case "structure":
      case "union":
        return memo(readers, member.shape, () => nested(structureReader(shape, false)));
      case "list":
        return memo(readers, member.shape, () => nested(listReader(readerOf(shape.member))));
      case "map":
        return memo(readers, member.shape, () => nested(mapReader(readerOf(shape.value))));
      default:
        return leaves.read(shape, member);
    }
  }

  function structureReader(shape: Structure | Union, body: boolean): Convert {
    const members = new Map<string, { name: string; read: Convert }>();
    let renamed = false;
    for (const [name, member] of Object.entries(shape.members)) {
      if (body && !inRequestBody(member)) continue;
      const wire = leaves.jsonNames ? (member.jsonName ?? name) : name;
      if (wire !== name) renamed = true;
      members.set(wire, { name, read: readerOf(member) });
    }
    const pick = (value: Fields) => {
      const out: Fields = {};
      for (const key in value) {
        const member = members.get(key);
        const item = value[key];
        if (member && item !== null && item !== undefined) out[member.name] = member.read(item);
      }
      return out;
    };
    return (value) => {
      if (!isObject(value)) return leaves.refuse(value, "structure");
      if (renamed) return pick(value);
      for (const key in value) {
        const member = members.get(key);
        const item = value[key];
        // What the model does not know, and null, is as if it were not there.
        if (member === undefined || item === null || item === undefined) return pick(value);
      }
      for (const key in value) {
        const item = value[key];
        const read = members.get(key)!.read(item);
        if (read !== item) value[key] = read;
      }
      return value;
    };
  }

  function listReader(read: Convert): Convert {
    return (value) => {
      if (!Array.isArray(value)) return leaves.refuse(value, "list");
      for (let i = 0; i < value.length; i++) if (value[i] !== null) value[i] = read(value[i]);
      return value;
    };
  }

  function mapReader(read: Convert): Convert {
    return (value) => {
      if (!isObject(value)) return leaves.refuse(value, "map");
      for (const key in value) {
        const item = value[key];
        if (item === null) continue;
        const result = read(item);
        // The key is the value's own already: `__proto__` too is an ordinary key here.
        if (result !== item) value[key] = result;
      }
      return value;
    };
  }

  function writerOf(member: Member): Convert {
    const shape = model.shapes[member.shape]!;
    switch (shape.type) {
      case "structure":
      case "union":
        return memo(writers, member.shape, () => structureWriter(shape, false));
      case "list":
        return memo(writers, member.shape, () => listWriter(writerOf(shape.member)));
      case "map":
        return memo(writers, member.shape, () => mapWriter(writerOf(shape.value)));
      default:
        return leaves.write(shape, member);
    }
  }

  function structureWriter(shape: Structure | Union, body: boolean): Convert {
    const members = new Map<string, { wire: string; write: Convert }>();
    let renamed = false;
    for (const [name, member] of Object.entries(shape.members)) {
      if (body && !inAnswerBody(member)) continue;
      const wire = leaves.jsonNames ? (member.jsonName ?? name) : name;
      if (wire !== name) renamed = true;
      members.set(name, { wire, write: writerOf(member) });
    }
    return (value) => {
      const fields = value as Fields;
      let out = renamed ? {} : fields;
      for (const key in fields) {
        const item = fields[key];
        if (item === undefined) continue;
        const member = members.get(key);
        const written = member === undefined || item === null ? undefined : member.write(item);
        if (renamed) {
          if (member && written !== undefined) out[member.wire] = written;
        } else if (written !== item) {
          if (out === fields) out = { ...fields };
          out[key] = written;
        }
      }
      return out;
    };
  }

  function listWriter(write: Convert): Convert {
    return (value) => {
      const items = value as unknown[];
      let out = items;
      for (let i = 0; i < items.length; i++) {
        const item = items[i];
        const written = item === null || item === undefined ? null : write(item);
        if (written !== item) {
          if (out === items) out = items.slice();
          out[i] = written;
        }
      }
      return out;
    };
  }

  function mapWriter(write: Convert): Convert {
    return (value) => {
      const fields = value as Fields;
      let out = fields;
      for (const key in fields) {
        const item = fields[key];
        if (item === undefined || item === null) continue;
        const written = write(item);
        if (written !== item) {
          if (out === fields) out = { ...fields };
          out[key] = written;
        }
      }
      return out;
    };
  }

  /** A failed read leaves the count where it stood: each message starts anew. */
  const fresh =
    (convert: Convert): Convert =>
    (value) => {
      depth = 0;
      return convert(value);
    };
  const top = new Map<string, Convert>();
  const structure = (name: string) => model.shapes[name] as Structure;
  return {
    reader: (name, body = false) =>
      memo(top, `read ${name} ${body}`, () => fresh(structureReader(structure(name), body))),
    writer: (name, body = false) => memo(top, `write ${name} ${body}`, () => structureWriter(structure(name), body)),
    readerOf: (member) => fresh(readerOf(member)),
    writerOf,
  };
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}
