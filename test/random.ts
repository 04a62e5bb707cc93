// Random values of a model's shapes, from a seed: the same in every run.
import type { Member, Model, Structure, Union } from "../src/model/model.ts";

export type Random = () => number;

/** mulberry32. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Wishes {
  readonly random: Random;
  /** Members for which no value is made: the SDK fills them in, or refuses most values. */
  skip(structure: string, member: string): boolean;
  /** Values that the SDK checks before it sends them. */
  fixed?(structure: string, member: string): unknown;
}

type Place = NonNullable<Member["location"]> | "body";

const MAX_DEPTH = 6;
const ALPHABETS: Record<Place, string> = {
  body: "abcdefXYZ0189 <>&\"'äöü€\u{1f600}\n\t%+=/",
  label: "abcXYZ019 äö/:%+&=",
  query: "abcXYZ019 äö/:%+&=,",
  queryParams: "abcXYZ019 äö/:%+&=,",
  header: "abcXYZ019-_:;",
  prefixHeaders: "abcXYZ019-_:;",
  payload: "abcXYZ019 <>&äö€",
  statusCode: "",
};

export function anyStructure(model: Model, name: string, wishes: Wishes, depth = 0): Record<string, unknown> {
  const { members, required = [] } = model.shapes[name] as Structure;
  const out: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(members)) {
    if (wishes.skip(name, key)) continue;
    const shape = model.shapes[member.shape]!;
    const wanted =
      member.idempotencyToken ||
      member.location === "label" ||
      required.includes(key) ||
      // An answer without its XML is taken for an aborted one.
      (member.location === "payload" && shape.type === "structure");
    if (!wanted && wishes.random() > (depth < 3 ? 0.8 : 0.3)) continue;
    if (depth >= MAX_DEPTH && !required.includes(key) && !["string", "boolean", "integer"].includes(shape.type))
      continue;
    const fixed = wishes.fixed?.(name, key);
    const value = fixed ?? anyValue(model, member, wishes, depth);
    if (value !== undefined) out[key] = value;
  }
  return out;
}

function anyUnion(model: Model, name: string, wishes: Wishes, depth: number): Record<string, unknown> | undefined {
  const members = Object.entries((model.shapes[name] as Union).members).filter(([, m]) => {
    const shape = model.shapes[m.shape]!;
    const { type } = shape;
    // An exception in an event stream is thrown by the SDK.
    if (type === "structure" && shape.error) return false;
    return depth < MAX_DEPTH || !["structure", "union", "list", "map"].includes(type);
  });
  if (members.length === 0) return undefined;
  const [key, member] = members[Math.floor(wishes.random() * members.length)]!;
  const value = anyValue(model, member, wishes, depth + 1);
  return value === undefined ? undefined : { [key]: value };
}

export function anyValue(model: Model, member: Member, wishes: Wishes, depth = 0, place?: Place): unknown {
  const { random: next } = wishes;
  const shape = model.shapes[member.shape]!;
  const where = place ?? member.location ?? "body";
  const int = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
  switch (shape.type) {
    case "structure": {
      // Without members it cannot be told from nothing in the query protocol.
      const value = anyStructure(model, member.shape, wishes, depth + 1);
      return Object.keys(value).length > 0 ? value : undefined;
    }
    case "union":
      return anyUnion(model, member.shape, wishes, depth);
    case "list": {
      const items = Array.from({ length: int(1, 3) }, () => anyValue(model, shape.member, wishes, depth + 1, where));
      const whole = items.filter((item) => item !== undefined);
      return whole.length > 0 ? whole : undefined;
    }
    case "map": {
      const key = () =>
        where === "prefixHeaders"
          ? `k${int(0, 99)}`
          : (anyValue(model, shape.key, wishes, depth + 1, where) as string) || `k${int(0, 9)}`;
      const entries = Array.from(
        { length: int(1, 3) },
        () => [key(), anyValue(model, shape.value, wishes, depth + 1, where)] as const,
      ).filter(([, value]) => value !== undefined);
      return entries.length > 0 ? Object.fromEntries(entries) : undefined;
    }
    case "string": {
      if (shape.enum && shape.enum.length > 0) return shape.enum[int(0, shape.enum.length - 1)];
      const min = Math.max(shape.min ?? 1, 1);
      const length = int(min, Math.max(min, Math.min(shape.max ?? 12, min + 12)));
      const alphabet = [...ALPHABETS[where]];
      // What stands at an end is no blank: headers are trimmed.
      return Array.from({ length }, (_, i) =>
        i === 0 || i === length - 1 ? "abcXYZ"[int(0, 5)] : alphabet[int(0, alphabet.length - 1)],
      ).join("");
    }
    case "boolean":
      return next() < 0.5;
    case "integer":
      return int(shape.min ?? 0, Math.min(shape.max ?? 2 ** 31 - 1, 2 ** 31 - 1));
    case "long":
      return int(shape.min ?? 0, Math.min(shape.max ?? 2 ** 50, 2 ** 50));
    case "float":
      return Math.fround(next() * 1000);
    case "double":
      return next() < 0.2 ? int(-1000, 1000) : next() * 1000;
    case "timestamp": {
      const format = member.timestampFormat ?? shape.timestampFormat;
      const seconds = int(0, 2_000_000_000);
      const isHttpDate = format === "http-date" || (!format && where === "header");
      return new Date(seconds * 1000 + (isHttpDate ? 0 : int(0, 999)));
    }
    case "blob":
      return Uint8Array.from({ length: int(1, 40) }, () => int(0, 255));
    case "document":
      return { a: [1, "b", null, { c: true }] };
  }
}
