// Conditions, updates and projections over values of all types, against a slow obvious model: values as text that is equal where they are, lists that
// are copied, and every rule written out once more.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AwsError } from "../../../kernel/mod.ts";
import { type AttributeValue, type Item, typeOf } from "../value.ts";
import { applyUpdate } from "./apply.ts";
import { bindCondition, bindProjection, bindUpdate } from "./bind.ts";
import { compileCondition, compileProjection, compileUpdate } from "./compile.ts";
import { matches } from "./evaluate.ts";
import { project } from "./project.ts";

const texts = ["", "a", "ab", "b", "é", "￿", "😀"];
const numbers = ["0", "1", "-1", "1.5", "10", "-10", "9", "10000000000000000000000000000000000001", "0.1"];
const bytes = ["", "00", "01", "0100", "ff"].map((hex) => Buffer.from(hex, "hex"));
const some = <T>(all: readonly T[]) => fc.uniqueArray(fc.constantFrom(...all), { minLength: 1, maxLength: 3 });

const scalar: fc.Arbitrary<AttributeValue> = fc.oneof(
  fc.constantFrom(...texts).map((S) => ({ S })),
  fc.constantFrom(...numbers).map((N) => ({ N })),
  fc.constantFrom(...bytes).map((B) => ({ B })),
  fc.boolean().map((BOOL) => ({ BOOL })),
  fc.constant({ NULL: true as const }),
  some(texts).map((SS) => ({ SS })),
  some(numbers).map((NS) => ({ NS })),
  some(bytes).map((BS) => ({ BS })),
);
const mapOf = (value: fc.Arbitrary<AttributeValue>) =>
  fc.dictionary(fc.constantFrom("p", "q", "r_1"), value, { maxKeys: 3, noNullPrototype: true });
const { value } = fc.letrec<{ value: AttributeValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 2 },
    scalar,
    fc.array(tie("value"), { maxLength: 3 }).map((L) => ({ L })),
    mapOf(tie("value")).map((M) => ({ M })),
  ),
}));
const alike = fc.constantFrom("S", "N", "B").chain((type) => mapOf(scalar.filter((one) => type in one)));
const item: fc.Arbitrary<Item> = fc.oneof(mapOf(value), alike);

/** The same text where two values are equal: sets and maps have no order. */
function told(one: AttributeValue | undefined): string {
  if (one === undefined) return "nothing";
  const type = typeOf(one);
  if (type === "L") return `L(${one.L!.map(told).join()})`;
  if (type === "M")
    return `M(${Object.entries(one.M!)
      .map(([name, of]) => `${name}=${told(of)}`)
      .sort()
      .join()})`;
  if (type === "BS") return `BS(${one.BS!.map((b) => Buffer.from(b).toString("hex")).sort()})`;
  if (type === "B") return `B(${Buffer.from(one.B!).toString("hex")})`;
  if (type === "SS" || type === "NS") return `${type}(${JSON.stringify([...one[type]!].sort())})`;
  return `${type}(${JSON.stringify(one[type])})`;
}
const toldItem = (of: Item): string => told({ M: of });

/** A number as so many 10^-40. */
function units(text: string): bigint {
  const [whole = "", fraction = ""] = text.replace("-", "").split(".");
  const all = BigInt(whole + fraction.padEnd(40, "0"));
  return text.startsWith("-") ? -all : all;
}

function order(a: AttributeValue, b: AttributeValue): number | undefined {
  if (a.N !== undefined && b.N !== undefined) return units(a.N) < units(b.N) ? -1 : units(a.N) > units(b.N) ? 1 : 0;
  if (a.S !== undefined && b.S !== undefined) return Buffer.compare(Buffer.from(a.S), Buffer.from(b.S));
  return a.B !== undefined && b.B !== undefined ? Buffer.compare(a.B, b.B) : undefined;
}

type Step = string | number;
const step: fc.Arbitrary<Step> = fc.oneof(fc.constantFrom("p", "q", "r_1"), fc.integer({ min: 0, max: 2 }));
const path = fc
  .tuple(fc.constantFrom("p", "q", "r_1"), fc.array(step, { maxLength: 2 }))
  .map(([first, rest]): Step[] => [first, ...rest]);
const written = ([first, ...rest]: readonly Step[]): string =>
  `${first}${rest.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`)).join("")}`;

function at(of: Item, steps: readonly Step[]): AttributeValue | undefined {
  let found: AttributeValue | undefined = { M: of };
  for (const part of steps) found = typeof part === "number" ? found?.L?.[part] : found?.M?.[part];
  return found;
}

interface Operand {
  readonly path?: readonly Step[];
  readonly value?: AttributeValue;
  readonly size?: true;
}
const operand: fc.Arbitrary<Operand> = fc.oneof(
  { weight: 2, arbitrary: path.map((steps) => ({ path: steps })) },
  { weight: 2, arbitrary: fc.constantFrom("p", "q").map((name) => ({ path: [name] })) },
  { weight: 3, arbitrary: value.map((of) => ({ value: of })) },
  { weight: 1, arbitrary: path.map((steps) => ({ path: steps, size: true as const })) },
);

interface Test {
  readonly what: string;
  readonly operands: readonly Operand[];
}
const COMPARED = ["=", "<>", "<", "<=", ">", ">="];
const WHATS = [...COMPARED, "between", "in", "exists", "missing", "begins_with", "contains"];
const typeName: fc.Arbitrary<Operand> = fc.constantFrom("S", "N", "L", "M", "BOOL").map((S) => ({ value: { S } }));
const tested: fc.Arbitrary<Test> = fc.oneof(
  {
    weight: WHATS.length,
    arbitrary: fc.record({ what: fc.constantFrom(...WHATS), operands: fc.tuple(operand, operand, operand) }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("type"), operands: fc.tuple(operand, typeName) }) },
);

function foundBy({ path: steps, value: literal, size }: Operand, of: Item): AttributeValue | undefined {
  const found = literal ?? at(of, steps!);
  if (!size) return found;
  if (!found) return undefined;
  const type = typeOf(found);
  const length =
    type === "S"
      ? Buffer.byteLength(found.S!)
      : type === "M"
        ? Object.keys(found.M!).length
        : ((found[type] as { length?: number }).length ?? undefined);
  return length === undefined || type === "N" ? undefined : { N: String(length) };
}

function comparedBy(what: string, a: AttributeValue | undefined, b: AttributeValue | undefined): boolean {
  if (what === "<>") return !a || !b || told(a) !== told(b);
  if (!a || !b) return false;
  if (what === "=") return told(a) === told(b);
  const difference = order(a, b);
  if (difference === undefined) return false;
  return { "<": difference < 0, "<=": difference <= 0, ">": difference > 0, ">=": difference >= 0 }[what]!;
}

function expected({ what, operands }: Test, of: Item): boolean {
  const [a, b, c] = operands.map((one) => foundBy(one, of));
  switch (what) {
    case "between":
      return comparedBy(">=", a, b) && comparedBy("<=", a, c);
    case "in":
      return comparedBy("=", a, b) || comparedBy("=", a, c);
    case "exists":
      return a !== undefined;
    case "missing":
      return a === undefined;
    case "type":
      return a !== undefined && typeOf(a) === b!.S;
    case "begins_with":
      return (
        (a?.S !== undefined && b?.S !== undefined && a.S.slice(0, b.S.length) === b.S) ||
        (a?.B !== undefined && b?.B !== undefined && hexOf(a.B).startsWith(hexOf(b.B)))
      );
    case "contains":
      return a !== undefined && b !== undefined && holdsPart(a, b);
    default:
      return comparedBy(what, a, b);
  }
}
const hexOf = (of: Uint8Array): string => Buffer.from(of).toString("hex");

function holdsPart(a: AttributeValue, b: AttributeValue): boolean {
  if (a.L) return a.L.some((element) => told(element) === told(b));
  if (a.S !== undefined && b.S !== undefined) return a.S.split(b.S).length > 1 || b.S === "";
  if (a.B !== undefined && b.B !== undefined)
    return hexOf(b.B) === "" || (hexOf(a.B).match(/../g) ?? []).join().includes((hexOf(b.B).match(/../g) ?? []).join());
  const members = a.SS ?? a.NS ?? a.BS?.map(hexOf);
  const part = a.SS ? b.S : a.NS ? b.N : b.B && hexOf(b.B);
  return part !== undefined && (members?.includes(part) ?? false);
}

/** The expression, and the values that it names. */
function inWords({ what, operands }: Test): { text: string; values: Item } {
  const values: Item = {};
  const words = operands.map((one, i) => {
    if (one.value) values[`:v${i}`] = one.value;
    const word = one.value ? `:v${i}` : written(one.path!);
    return one.size ? `size(${word})` : word;
  });
  const [a, b, c] = words;
  if (what === "between") return { text: `${a} BETWEEN ${b} AND ${c}`, values };
  if (what === "in") return { text: `${a} IN (${b}, ${c})`, values };
  delete values[":v2"];
  if (what === "exists" || what === "missing") {
    delete values[":v1"];
    return { text: `attribute_${what === "exists" ? "exists" : "not_exists"}(${a})`, values };
  }
  if (what === "type") return { text: `attribute_type(${a}, ${b})`, values };
  if (what === "begins_with" || what === "contains") return { text: `${what}(${a}, ${b})`, values };
  return { text: `${a} ${what} ${b}`, values };
}

const bindingsOf = (values: Item) => ({
  names: {},
  values,
  usedNames: new Set<string>(),
  usedValues: new Set<string>(),
});

/** undefined: AWS refuses it before it looks at an item. */
function unlessRefused<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof AwsError) return undefined;
    throw error;
  }
}

test("a condition on values of any type means what its rule says", () => {
  const seen = new Map<string, Set<boolean>>();
  const property = fc.property(tested, item, (one, of) => {
    const { text, values } = inWords(one);
    const label = "ConditionExpression";
    const condition = unlessRefused(() => bindCondition(compileCondition(text, label), label, bindingsOf(values)));
    if (!condition) return;
    const answer = matches(condition, of);
    assert.equal(answer, expected(one, of), `${text} ${JSON.stringify([values, of])}`);
    seen.set(one.what, (seen.get(one.what) ?? new Set()).add(answer));
  });
  // One run that is always the same, so that it is known to have met every answer of every rule.
  fc.assert(property, { numRuns: 6_000, seed: 7 });
  for (const [what, answers] of seen) assert.equal(answers.size, 2, `${what} was both true and false`);
  assert.equal(seen.size, WHATS.length + 1);
  fc.assert(property, { numRuns: 6_000 });
});

interface Change {
  readonly clause: "SET" | "REMOVE" | "ADD" | "DELETE";
  readonly words: string;
  readonly values: Item;
  /** What becomes of the attribute; null: AWS refuses it. */
  readonly after: AttributeValue | undefined | null;
}

/** What may be done to attribute `name`, which has the value `old`; `:x` is `given`. */
function changeOf(name: string, { old, given, kind, index }: Drawn): Change {
  const values = { [`:${name}`]: given };
  const set = (words: string, after: Change["after"], used = values): Change => ({
    clause: "SET",
    words: `${name} = ${words}`,
    values: used,
    after,
  });
  const type = old && typeOf(old);
  const sameSet = type === typeOf(given) && (type === "SS" || type === "NS" || type === "BS");
  switch (kind) {
    case "assign":
      return set(`:${name}`, given);
    case "unless":
      return set(`if_not_exists(${name}, :${name})`, old ?? given);
    case "plus":
    case "minus": {
      const sign = kind === "plus" ? 1n : -1n;
      const sum = old?.N !== undefined && given.N !== undefined ? units(old.N) + sign * units(given.N) : undefined;
      return set(`${name} ${kind === "plus" ? "+" : "-"} :${name}`, sum === undefined ? null : sound(sum));
    }
    case "append":
      return set(`list_append(${name}, :${name})`, old?.L && given.L ? { L: [...old.L, ...given.L] } : null);
    case "element": {
      const next = old?.L && [...old.L];
      if (next) next[Math.min(index, next.length)] = given;
      return { clause: "SET", words: `${name}[${index}] = :${name}`, values, after: next ? { L: next } : null };
    }
    case "member":
      return {
        clause: "SET",
        words: `${name}.p = :${name}`,
        values,
        after: old?.M ? { M: { ...old.M, p: given } } : null,
      };
    case "remove":
      return { clause: "REMOVE", words: name, values: {}, after: undefined };
    case "remove elements":
      return {
        clause: "REMOVE",
        words: `${name}[0], ${name}[${index + 1}]`,
        values: {},
        after: old?.L ? { L: old.L.filter((_, i) => i !== 0 && i !== index + 1) } : null,
      };
    case "remove member": {
      const { p: _gone, ...rest } = old?.M ?? {};
      return { clause: "REMOVE", words: `${name}.p`, values: {}, after: old?.M ? { M: rest } : null };
    }
    case "add": {
      const added =
        old === undefined
          ? given
          : old.N !== undefined && given.N !== undefined
            ? sound(units(old.N) + units(given.N))
            : sameSet
              ? union(old, given)
              : null;
      return { clause: "ADD", words: `${name} :${name}`, values, after: added };
    }
    case "delete": {
      const left = old === undefined ? undefined : sameSet ? without(old, given) : null;
      return { clause: "DELETE", words: `${name} :${name}`, values, after: left };
    }
  }
}

/** null: more than 38 digits. */
function sound(sum: bigint): AttributeValue | null {
  const digits = `${sum < 0n ? -sum : sum}`.padStart(41, "0");
  const fraction = digits.slice(-40).replace(/0+$/, "");
  const whole = digits.slice(0, -40).replace(/^0+(?=\d)/, "");
  if (`${whole}${fraction}`.replace(/^0+|0+$/g, "").length > 38) return null;
  return { N: `${sum < 0n ? "-" : ""}${whole}${fraction && `.${fraction}`}` };
}

const members = (of: AttributeValue): Map<string, string | Uint8Array> =>
  new Map((of.SS ?? of.NS ?? of.BS!).map((one) => [typeof one === "string" ? one : hexOf(one), one]));
const setOf = (type: string, all: Iterable<string | Uint8Array>) => ({ [type]: [...all] }) as unknown as AttributeValue;
const union = (a: AttributeValue, b: AttributeValue) =>
  setOf(typeOf(a), new Map([...members(a), ...members(b)]).values());
function without(a: AttributeValue, b: AttributeValue): AttributeValue | undefined {
  const rest = [...members(a)].filter(([key]) => !members(b).has(key)).map(([, one]) => one);
  return rest.length > 0 ? setOf(typeOf(a), rest) : undefined;
}

const KINDS = [
  "assign",
  "unless",
  "plus",
  "minus",
  "append",
  "element",
  "member",
  "remove",
  "remove elements",
  "remove member",
  "add",
  "delete",
] as const;
interface Drawn {
  readonly old: AttributeValue | undefined;
  readonly given: AttributeValue;
  readonly kind: (typeof KINDS)[number];
  readonly index: number;
}
const ofOneType: fc.Arbitrary<readonly [AttributeValue, AttributeValue]> = fc.oneof(
  value.map((one) => [one, one] as const),
  fc.tuple(value, value),
  ...(["N", "SS", "NS", "BS"] as const).map((type) => {
    const of = scalar.filter((one) => one[type] !== undefined);
    return fc.tuple(of, of);
  }),
  fc.tuple(
    fc.array(scalar, { maxLength: 4 }).map((L) => ({ L })),
    fc.array(scalar, { maxLength: 2 }).map((L) => ({ L })),
  ),
  fc.tuple(
    mapOf(scalar).map((M) => ({ M })),
    scalar,
  ),
);
const drawn = fc.record({
  there: fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
  values: ofOneType,
  kind: fc.constantFrom(...KINDS),
  index: fc.integer({ min: 0, max: 5 }),
});

test("an update makes of each attribute what its clause says, or nothing of the item", () => {
  const seen = new Map<string, Set<string>>();
  const property = fc.property(fc.array(drawn, { minLength: 1, maxLength: 4 }), (all) => {
    const before: Item = { untouched: { S: "x" } };
    const changes = all.map(({ there, values: [old, given], kind, index }, i) => {
      const name = `a${i}`;
      if (there) before[name] = old;
      return { name, kind, ...changeOf(name, { old: there ? old : undefined, given, kind, index }) };
    });
    const clauses = Object.groupBy(changes, ({ clause }) => clause);
    const text = Object.entries(clauses)
      .map(([clause, those]) => `${clause} ${those!.map(({ words }) => words).join(", ")}`)
      .join(" ");
    const values = Object.assign({}, ...changes.map((change) => change.values)) as Item;
    const label = "UpdateExpression";
    const copy = toldItem(before);
    const after = unlessRefused(() => {
      const bound = bindUpdate(compileUpdate(text, label), label, bindingsOf(values));
      return applyUpdate(bound, before, true);
    });
    assert.equal(toldItem(before), copy, "the item that was is left as it was");
    const refused = changes.find((change) => change.after === null || isNoOperand(change, values));
    const told = `${text} ${JSON.stringify([before, values])}`;
    if (refused) assert.equal(after, undefined, told);
    else {
      const wanted = { ...before };
      for (const { name, after: next } of changes)
        if (next) wanted[name] = next;
        else delete wanted[name];
      assert.ok(after, told);
      assert.equal(toldItem(after), toldItem(wanted), told);
    }
    if (all.length > 1) return;
    const { kind } = changes[0]!;
    seen.set(kind, (seen.get(kind) ?? new Set()).add(refused ? "refused" : "done"));
  });
  fc.assert(property, { numRuns: 4_000, seed: 7 });
  for (const kind of KINDS)
    assert.deepEqual(
      [...(seen.get(kind) ?? [])].sort(),
      ["assign", "unless", "remove"].includes(kind) ? ["done"] : ["done", "refused"],
      kind,
    );
  fc.assert(property, { numRuns: 3_000 });
});

/** ADD and DELETE take numbers and sets, + and - numbers, list_append lists: whatever the attribute is. */
function isNoOperand({ name, kind }: { name: string; kind: string }, values: Item): boolean {
  const type = values[`:${name}`] && typeOf(values[`:${name}`]!);
  if (kind === "add") return !["N", "SS", "NS", "BS"].includes(type!);
  return kind === "delete" && !["SS", "NS", "BS"].includes(type!);
}

test("a projection keeps what its paths name, and nothing else", () => {
  fc.assert(
    fc.property(fc.array(path, { minLength: 1, maxLength: 3 }), item, (paths, of) => {
      const label = "ProjectionExpression";
      const bound = unlessRefused(() =>
        bindProjection(compileProjection(paths.map(written).join(", "), label), label, bindingsOf({})),
      );
      const overlap = paths.some((one, i) => paths.some((two, k) => k > i && relates(one, two)));
      assert.equal(bound === undefined, overlap, JSON.stringify(paths));
      if (bound)
        assert.equal(toldItem(project(of, bound)), toldItem(kept(of, paths).M ?? {}), JSON.stringify([paths, of]));
    }),
    { numRuns: 2_000 },
  );
});

/** One is the other's beginning, or they go on with a name here and an index there. */
function relates(one: readonly Step[], two: readonly Step[]): boolean {
  for (let i = 0; i < Math.min(one.length, two.length); i++) {
    if (typeof one[i] !== typeof two[i]) return true;
    if (one[i] !== two[i]) return false;
  }
  return true;
}

function kept(of: Item, paths: readonly (readonly Step[])[]): AttributeValue {
  const whole = (one: AttributeValue, below: readonly (readonly Step[])[]): AttributeValue | undefined => {
    if (below.some((rest) => rest.length === 0)) return one;
    const next = (part: Step) => below.filter(([first]) => first === part).map((rest) => rest.slice(1));
    if (one.M) {
      const entries = Object.entries(one.M).flatMap(([name, inner]) => {
        const left = next(name).length > 0 ? whole(inner, next(name)) : undefined;
        return left ? [[name, left] as const] : [];
      });
      return entries.length > 0 ? { M: Object.fromEntries(entries) } : undefined;
    }
    const list = (one.L ?? []).flatMap((inner, i) => {
      const left = next(i).length > 0 ? whole(inner, next(i)) : undefined;
      return left ? [left] : [];
    });
    return list.length > 0 ? { L: list } : undefined;
  };
  return whole({ M: of }, paths) ?? { M: {} };
}
