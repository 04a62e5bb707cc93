// Plans against an obvious model: whatever the condition, what is read is what a look at every item would have found, each once.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AwsError } from "../../../kernel/mod.ts";
import { matches } from "../expression/evaluate.ts";
import { rowKey } from "../item-key.ts";
import type { Table } from "../schema.ts";
import type { Item } from "../value.ts";
import { bindStatement } from "./bind.ts";
import { compileStatement } from "./compile.ts";
import { type Plan, planOf } from "./plan.ts";
import type { Select } from "./statement.ts";

const PARTITIONS = ["a", "b", "c"];
const SORTS = ["1", "12", "2", "3"];
const key = { hash: [{ name: "pk", type: "S" }], range: [{ name: "sk", type: "S" }] } as const;
const source = { table: { key, indexes: [] } as unknown as Table, index: undefined };
const items: readonly Item[] = PARTITIONS.flatMap((pk) =>
  SORTS.flatMap((sk, i) => [{ pk: { S: pk }, sk: { S: sk }, x: { N: `${i % 2}` } }]),
);

const pk = fc.constantFrom(...PARTITIONS);
const sk = fc.constantFrom(...SORTS);
const comparator = fc.constantFrom("=", "<", "<=", ">", ">=", "<>");
const leaf = fc.oneof(
  pk.map((value) => `pk = '${value}'`),
  fc.uniqueArray(pk, { minLength: 1 }).map((values) => `pk IN ['${values.join("', '")}']`),
  fc.tuple(comparator, sk).map(([operator, value]) => `sk ${operator} '${value}'`),
  fc.tuple(comparator, sk).map(([operator, value]) => `'${value}' ${operator} sk`),
  fc.tuple(sk, sk).map((values) => `sk BETWEEN '${values.sort().join("' AND '")}'`),
  fc.uniqueArray(sk, { minLength: 1 }).map((values) => `sk IN ('${values.join("', '")}')`),
  fc.constant("begins_with(sk, '1')"),
  fc.constantFrom("x = 0", "x = 1", "x IS MISSING", "pk > 'a'"),
);
const { where } = fc.letrec<{ where: string }>((tie) => ({
  where: fc.oneof(
    { maxDepth: 4, depthSize: "medium" },
    leaf,
    fc.tuple(tie("where"), tie("where")).map(([one, two]) => `(${one} AND ${two})`),
    fc.tuple(tie("where"), tie("where")).map(([one, two]) => `(${one} OR ${two})`),
    tie("where").map((one) => `NOT (${one})`),
  ),
}));

/** Half of them within partitions, so that there is something to plan. */
const condition = fc.oneof(
  where,
  fc
    .tuple(pk, where, pk, where)
    .map(([one, first, two, second]) => `pk = '${one}' AND ${first} OR pk = '${two}' AND ${second}`),
  fc.tuple(pk, where).map(([one, first]) => `pk = '${one}' AND ${first}`),
);

const show = (found: readonly Item[]) => found.map((item) => `${item.pk!.S}${item.sk!.S}`).sort();

function read(plan: Plan): readonly Item[] {
  const filtered = (of: readonly Item[], filter: Select["where"]) =>
    filter ? of.filter((item) => matches(filter, item)) : of;
  if (plan.kind === "scan") return filtered(items, plan.filter);
  return plan.reads.flatMap(({ range, filter }) =>
    filtered(
      items.filter((item) => {
        const row = rowKey(key, item);
        const { from, to } = range;
        const within = Buffer.compare(row.sk, from) >= 0 && (!to || Buffer.compare(row.sk, to) < 0);
        return within && Buffer.compare(row.pk, range.pk) === 0;
      }),
      filter,
    ),
  );
}

test("a SELECT reads what its condition says, or is refused for ranges that overlap", () => {
  const kinds = { scan: 0, query: 0, refused: 0 };
  fc.assert(
    fc.property(condition, (text) => {
      const statement = bindStatement(compileStatement(`SELECT * FROM tab WHERE ${text}`), []) as Select;
      let plan: Plan;
      try {
        plan = planOf(statement, source);
      } catch (error) {
        if (!(error instanceof AwsError)) throw error;
        assert.match(error.message, /^(Overlapping conditions with range keys|Too many decomposed read)/);
        kinds.refused++;
        return;
      }
      kinds[plan.kind]++;
      assert.deepEqual(show(read(plan)), show(items.filter((item) => matches(statement.where!, item))), text);
    }),
    { numRuns: 2000 },
  );
  assert.ok(
    Object.values(kinds).every((count) => count > 20),
    JSON.stringify(kinds),
  );
});

test("whatever is written, it is a statement or it is refused", () => {
  const word = fc.constantFrom(
    ...`SELECT * FROM tab "tab" . "i" WHERE a = 'x' ? 1 -1 , ( ) [ ] { } << >> : ; AND OR NOT IN BETWEEN IS MISSING NULL ORDER BY DESC
    INSERT INTO VALUE UPDATE SET REMOVE DELETE RETURNING ALL OLD EXISTS size set_add list_append begins_with m.k[0] l[-1] + - * || LIKE true`.split(
      /\s+/,
    ),
  );
  const beginning = fc.constantFrom(
    "",
    "SELECT * FROM tab WHERE",
    "UPDATE tab SET a =",
    "INSERT INTO tab VALUE",
    "DELETE FROM tab",
  );
  fc.assert(
    fc.property(beginning, fc.array(word, { maxLength: 12 }), (begin, words) => {
      try {
        compileStatement([begin, ...words].join(" "));
      } catch (error) {
        if (!(error instanceof AwsError)) throw error;
        assert.equal(error.code, "ValidationException");
      }
    }),
    { numRuns: 3000 },
  );
});
