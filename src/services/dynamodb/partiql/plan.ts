// How a SELECT is read: as queries where its condition names partitions, as a scan where it does not.
import { errors } from "../errors.ts";
import type { Condition } from "../expression/ast.ts";
import { notEmpty } from "../item-key.ts";
import { type Range, rangeOf } from "../key-condition.ts";
import { pathsOf } from "../queries.ts";
import { projectedNames } from "../rows.ts";
import type { KeySchema } from "../schema.ts";
import type { Source } from "../start-key.ts";
import { type AttributeValue, equal } from "../value.ts";
import type { Select } from "./statement.ts";
import { allOf, keyTestsOf, type NamedTest } from "./where.ts";

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-operators.html */
const MOST_READS = 50;
/** Far beyond what is read: conditions that multiply into more alternatives are not written out. */
const MOST_ALTERNATIVES = 1000;

export interface Read {
  readonly range: Range;
  readonly filter?: Condition | undefined;
}

export type Plan =
  | { readonly kind: "scan"; readonly filter?: Condition | undefined }
  | { readonly kind: "query"; readonly reads: readonly Read[]; readonly forward: boolean };

export function planOf({ where, orderBy }: Pick<Select, "where" | "orderBy">, source: Source): Plan {
  const key = (source.index ?? source.table).key;
  const keyed = where !== undefined && keying(where, key) === "keyed";
  if (orderBy.length > 0) orderRules(orderBy, key, { where, keyed });
  if (!keyed) return { kind: "scan", filter: where };
  const branches = alternatives(where, key).map((branch) => ({ ...branch, irregular: isIrregular(branch, key) }));
  for (const { tests } of branches) for (const test of tests) fits(test, key);
  if (branches.length > MOST_READS) throw tooMany();
  const reads = [...partitions(branches, key).values()].flatMap((group) => readsOf(group, key, where));
  projected(reads, source);
  return { kind: "query", ...ordered(reads, key, orderBy) };
}

/** The partitions that a SELECT names; undefined where it scans. For policies: what is wrong is not said here. */
export function partitionsOf(where: Condition | undefined, key: KeySchema): readonly AttributeValue[] | undefined {
  if (!where || keying(where, key) !== "keyed") return undefined;
  const hash = key.hash[0]!.name;
  return alternatives(where, key).flatMap(({ tests }) =>
    tests.filter(({ name }) => name === hash).map(({ values }) => values[0]!),
  );
}

interface Branch {
  readonly tests: readonly NamedTest[];
  readonly rest: readonly Condition[];
}
type Located = Branch & { readonly irregular: boolean };

const tooMany = () => errors.validation("Too many decomposed read operations for a given query.");
const overlapping = () => errors.validation("Overlapping conditions with range keys are not supported in where clause");

/** "mixed": some alternatives name a partition, others do not; AWS then scans. */
function keying(node: Condition, key: KeySchema): "keyed" | "unkeyed" | "mixed" {
  if (node.kind === "and" || node.kind === "or") {
    const sides = [keying(node.left, key), keying(node.right, key)];
    if (sides.includes("mixed")) return "mixed";
    if (sides.every((side) => side === sides[0])) return sides[0]!;
    return node.kind === "and" ? "keyed" : "mixed";
  }
  return keyTestsOf(node, key).some(({ name }) => name === key.hash[0]!.name) ? "keyed" : "unkeyed";
}

const namesKey = (node: Condition, key: KeySchema): boolean =>
  node.kind === "and" || node.kind === "or"
    ? namesKey(node.left, key) || namesKey(node.right, key)
    : keyTestsOf(node, key).length > 0;

/** Written out as far as key attributes are concerned: one for each read. */
function alternatives(node: Condition, key: KeySchema): readonly Branch[] {
  if (!namesKey(node, key)) return [{ tests: [], rest: [node] }];
  if (node.kind === "or") return limited([...alternatives(node.left, key), ...alternatives(node.right, key)]);
  if (node.kind === "and") {
    const right = alternatives(node.right, key);
    return limited(
      alternatives(node.left, key).flatMap((one) =>
        right.map((two) => ({ tests: [...one.tests, ...two.tests], rest: [...one.rest, ...two.rest] })),
      ),
    );
  }
  return keyTestsOf(node, key).map((test) => ({ tests: [test], rest: [] }));
}

function limited(branches: readonly Branch[]): readonly Branch[] {
  if (branches.length > MOST_ALTERNATIVES) throw tooMany();
  return branches;
}

/** It says something of the sort key that no range can: `<>`, NOT. */
const isIrregular = ({ rest }: Branch, { range }: KeySchema): boolean =>
  rest.some((condition) => pathsOf(condition).some(({ parts }) => parts[0] === range[0]?.name));

function fits({ name, values }: NamedTest, key: KeySchema): void {
  const { type } = [...key.hash, ...key.range].find((attribute) => attribute.name === name)!;
  for (const value of values) {
    if (value[type] === undefined) throw wrongKeyType(name);
    notEmpty(name, value);
  }
}

export const wrongKeyType = (name: string) =>
  errors.validation(`Key attribute's data type should match its data type in table's schema: Key ${name}`);

/** By partition. A branch that demands two partitions at once finds nothing. */
function partitions(branches: readonly Located[], key: KeySchema): ReadonlyMap<string, readonly Located[]> {
  const hash = key.hash[0]!.name;
  const groups = new Map<string, Located[]>();
  for (const branch of branches) {
    const values = branch.tests.filter(({ name }) => name === hash).map(({ values: [value] }) => value!);
    if (values.some((value) => !equal(value, values[0]!))) continue;
    const partition = JSON.stringify(values[0]);
    groups.set(partition, [...(groups.get(partition) ?? []), branch]);
  }
  return groups;
}

/** Of one partition: ranges apart from each other, or all of it with the whole condition where no ranges can tell them apart. */
function readsOf(group: readonly Located[], key: KeySchema, where: Condition): readonly Read[] {
  if (group.length > 1 && group.some(({ irregular }) => irregular)) {
    const [hash] = group[0]!.tests.filter(({ name }) => name === key.hash[0]!.name);
    return [{ range: rangeOf(key, new Map([[hash!.name, hash!]])), filter: where }];
  }
  const reads = group
    .map(({ tests, rest }): Read => ({ range: rangeOfTests(tests, key), filter: allOf(rest) }))
    .filter(({ range: { from, to } }) => !to || Buffer.compare(from, to) < 0)
    .sort((a, b) => Buffer.compare(a.range.from, b.range.from));
  for (const [i, { range }] of reads.entries()) {
    const before = reads[i - 1]?.range;
    if (before && (!before.to || Buffer.compare(before.to, range.from) > 0)) throw overlapping();
  }
  return reads;
}

/** What all tests of the sort key leave. */
function rangeOfTests(tests: readonly NamedTest[], key: KeySchema): Range {
  const hash = tests.find(({ name }) => name === key.hash[0]!.name)!;
  const whole = rangeOf(key, new Map([[hash.name, hash]]));
  return tests
    .filter(({ name }) => name !== hash.name)
    .map((test) =>
      rangeOf(
        key,
        new Map([
          [hash.name, hash],
          [test.name, test],
        ]),
      ),
    )
    .reduce((one, two) => within(one, two), whole);
}

const within = ({ hash, pk, from, to }: Range, other: Range): Range => ({
  hash,
  pk,
  from: Buffer.compare(from, other.from) < 0 ? other.from : from,
  to: !to || (other.to && Buffer.compare(other.to, to) < 0) ? other.to : to,
});

/** A query of an index filters by what the index holds; AWS looks at the reads until one filters by nothing else. */
function projected(reads: readonly Read[], { table, index }: Source): void {
  if (!index || index.projection === "ALL") return;
  const held = projectedNames(table, index);
  const missing = reads.map(({ filter }) =>
    [...new Set(pathsOf(filter).map(({ parts }) => parts[0] as string))].filter((name) => !held.includes(name)),
  );
  if (missing.length === 0 || missing.some((names) => names.length === 0)) return;
  const last = reads.reduce(
    (most, { range }, i) => (Buffer.compare(range.pk, reads[most]!.range.pk) > 0 ? i : most),
    0,
  );
  throw errors.invalid(
    `Secondary index ${index.name} does not project one or more filter attributes: [${asJavaSet(missing[last]!).join(", ")}]`,
  );
}

/** In the order in which AWS was seen to name them: that of a Java HashSet. */
function asJavaSet(names: readonly string[]): readonly string[] {
  let buckets = 16;
  while (names.length > buckets * 0.75) buckets *= 2;
  const bucket = (name: string): number => {
    let hash = 0;
    for (let i = 0; i < name.length; i++) hash = (Math.imul(31, hash) + name.charCodeAt(i)) | 0;
    return (hash ^ (hash >>> 16)) & (buckets - 1);
  };
  return names.toSorted((a, b) => bucket(a) - bucket(b));
}

function orderRules(
  orderBy: Select["orderBy"],
  key: KeySchema,
  { where, keyed }: { where: Condition | undefined; keyed: boolean },
): void {
  if (!where) throw errors.validation("Must have WHERE clause in the statement when using ORDER BY clause.");
  const names = [...key.hash, ...key.range].map(({ name }) => name);
  for (const { name } of orderBy)
    if (!names.includes(name))
      throw errors.validation(`Attribute ${name} in ORDER BY clause must be part of the primary key`);
  if (!keyed)
    throw errors.validation(
      "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.",
    );
  const several = new Set((partitionsOf(where, key) ?? []).map((value) => JSON.stringify(value))).size > 1;
  if (several && !orderBy.some(({ name }) => name === key.hash[0]!.name))
    throw errors.validation(
      "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause.",
    );
}

/** Partitions as ORDER BY says, else as a scan would come to them. Who orders by the partition alone has its items backwards: seen on AWS. */
function ordered(reads: readonly Read[], key: KeySchema, orderBy: Select["orderBy"]) {
  const byHash = orderBy.find(({ name }) => name === key.hash[0]!.name);
  const byRange = orderBy.find(({ name }) => name === key.range[0]?.name);
  const forward = orderBy.length === 0 || byRange?.descending === false;
  const sign = byHash?.descending ? -1 : 1;
  const inPartition = forward ? 1 : -1;
  const partition = byHash ? "pk" : "hash";
  return {
    forward,
    reads: reads.toSorted(
      ({ range: a }, { range: b }) =>
        sign * Buffer.compare(a[partition], b[partition]) || inPartition * Buffer.compare(a.from, b.from),
    ),
  };
}
