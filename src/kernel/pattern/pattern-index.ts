// Many patterns, asked at once: an event is compared with those alone that name one of its values, or what one begins with. A rule stands under the values
// and prefixes of one of its fields, those that the fewest others stand under; where it names none, under a path that it needs; the few that need
// nothing are always asked.
import { flatten, type Leaf, type Leaves } from "./flatten.ts";
import type { Test, Value } from "./operators.ts";
import type { Rule } from "./parse.ts";
import { holds, type Pattern, prefixesOf } from "./pattern.ts";

interface Entry<T> {
  readonly order: number;
  readonly value: T;
  readonly rule: Rule;
  /** The lists that it is in. */
  readonly lists: readonly Set<Entry<T>>[];
}

interface AtPath<T> {
  readonly byValue: Map<Value, Set<Entry<T>>>;
  /** By length, then by text: a value is looked up once for each length. */
  readonly byPrefix: Map<number, Map<string, Set<Entry<T>>>>;
  /** Asked wherever the path has any value. */
  readonly any: Set<Entry<T>>;
}

export class PatternIndex<T> {
  readonly #paths = new Map<string, AtPath<T>>();
  readonly #always = new Set<Entry<T>>();
  readonly #entries = new Map<T, Entry<T>[]>();
  /** How many rules want something at a path, or below it. */
  readonly #wanted = new Map<string, number>();
  #order = 0;

  /** A value may have several patterns: it is answered once. */
  add(pattern: Pattern, value: T): void {
    const order = this.#order++;
    const entries = this.#entries.get(value) ?? [];
    for (const rule of pattern.rules) {
      const lists = this.#listsFor(rule);
      const entry: Entry<T> = { order, value, rule, lists };
      for (const list of lists) list.add(entry);
      for (const prefix of wantedBy(rule)) this.#wanted.set(prefix, (this.#wanted.get(prefix) ?? 0) + 1);
      entries.push(entry);
    }
    this.#entries.set(value, entries);
  }

  /** With all its patterns. */
  remove(value: T): void {
    for (const entry of this.#entries.get(value) ?? []) {
      for (const list of entry.lists) list.delete(entry);
      for (const prefix of wantedBy(entry.rule)) {
        const left = this.#wanted.get(prefix)! - 1;
        if (left > 0) this.#wanted.set(prefix, left);
        else this.#forget(prefix);
      }
    }
    this.#entries.delete(value);
  }

  /** In the order in which they were added. `event` as JSON.parse reads it. */
  matching(event: unknown): T[] {
    if (typeof event !== "object" || event === null || Array.isArray(event)) return [];
    const leaves = flatten(event, (path) => this.#wanted.has(path));
    const found = new Map<T, number>();
    for (const entry of this.#asked(leaves))
      if (!found.has(entry.value) && holds(entry.rule, leaves)) found.set(entry.value, entry.order);
    return [...found].sort((a, b) => a[1] - b[1]).map(([value]) => value);
  }

  #asked(leaves: Leaves): Set<Entry<T>> {
    const asked = new Set(this.#always);
    for (const [path, there] of leaves) {
      const at = this.#paths.get(path);
      if (!at) continue;
      for (const entry of at.any) asked.add(entry);
      for (const value of valuesOf(there)) {
        for (const entry of at.byValue.get(value) ?? []) asked.add(entry);
        if (typeof value !== "string") continue;
        for (const [length, byText] of at.byPrefix)
          for (const entry of byText.get(value.slice(0, length)) ?? []) asked.add(entry);
      }
    }
    return asked;
  }

  #listsFor(rule: Rule): Set<Entry<T>>[] {
    let best: (() => Set<Entry<T>>[]) | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const { path, tests } of rule.values()) {
      const named = namedBy(tests);
      if (!named) continue;
      const size = named.reduce((sum, test) => sum + this.#size(path, test) + 1, 0);
      if (size >= least) continue;
      least = size;
      best = () => named.map((test) => this.#list(path, test));
    }
    if (best) return best();
    const needed = [...rule.values()].filter(({ tests }) => tests.every(({ kind }) => kind !== "absent"));
    const [first, ...others] = needed.map(({ path }) => this.#at(path).any);
    if (!first) return [this.#always];
    return [others.reduce((smallest, any) => (any.size < smallest.size ? any : smallest), first)];
  }

  #size(path: string, test: Named): number {
    const at = this.#paths.get(path);
    const list =
      test.kind === "exact" ? at?.byValue.get(test.value) : at?.byPrefix.get(test.text.length)?.get(test.text);
    return list?.size ?? 0;
  }

  #list(path: string, test: Named): Set<Entry<T>> {
    const { byValue, byPrefix } = this.#at(path);
    if (test.kind === "exact") return made(byValue, test.value, () => new Set());
    const byText = made(byPrefix, test.text.length, () => new Map<string, Set<Entry<T>>>());
    return made(byText, test.text, () => new Set());
  }

  #at(path: string): AtPath<T> {
    return made(this.#paths, path, () => ({ byValue: new Map(), byPrefix: new Map(), any: new Set() }));
  }

  #forget(path: string): void {
    this.#wanted.delete(path);
    this.#paths.delete(path);
  }
}

const wantedBy = (rule: Rule): string[] => [...rule.keys()].flatMap(prefixesOf);

const valuesOf = (leaves: readonly Leaf[]): Iterable<Value> =>
  leaves.length === 1 ? [leaves[0]!.value] : new Set(leaves.map(({ value }) => value));

type Named = Extract<Test, { kind: "exact" | "prefix" }>;

/** Undefined where something else may stand there too, or nothing. */
const namedBy = (tests: readonly Test[]): readonly Named[] | undefined =>
  tests.every((test): test is Named => test.kind === "exact" || test.kind === "prefix") ? tests : undefined;

function made<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const there = map.get(key);
  if (there !== undefined) return there;
  const value = make();
  map.set(key, value);
  return value;
}
