// PartiQL through the SDK. Sentences and shapes were recorded on AWS by others, where they are not in its documentation.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { type Item, type More, startPairs } from "../../../../test/partiql.ts";

const { cloud, run, items, put, stored, sks, said } = await startPairs();
after(() => cloud[Symbol.asyncDispose]());

const MANDATORY = "Where clause does not contain a mandatory equality on all key attributes";
const OVERLAPPING = "Overlapping conditions with range keys are not supported in where clause";

test("conditions filter: functions, IS, negation, and truths that are compared", async () => {
  await put("where", "1", {
    ss: { SS: ["a", "b", "c"] },
    s: { S: "str" },
    m: { M: { sub: { S: "x" }, "odd name": { N: "1" } } },
    list: { L: [{ S: "a" }] },
    nul: { NULL: true },
    flag: { BOOL: true },
    n: { N: "1" },
  });
  const holds = [
    "attribute_exists(ss)",
    "ATTRIBUTE_EXISTS(m.sub)",
    'attribute_exists("list"[0])',
    "NOT attribute_exists(nope)",
    "attribute_not_exists(nope)",
    "(attribute_exists(nope) OR attribute_exists(ss))",
    "size(s) = 3",
    "size(ss) >= 3",
    "attribute_type(ss, 'SS')",
    "begins_with(s, 'st')",
    "contains(ss, 'a')",
    "contains(s, 'tr')",
    "nul IS NULL",
    "s IS NOT NULL",
    "flag IS BOOL",
    "s IS STRING",
    "n IS NUMERIC",
    "m IS STRUCT",
    '"list" IS LIST',
    "nope IS MISSING",
    "s IS NOT MISSING",
    "n != 2",
    "n <> 2",
    "n BETWEEN - 2 AND +5",
    "n IN [- 1, 1]",
    "n IN (1, 2)",
    "n NOT IN [2]",
    "n NOT BETWEEN 2 AND 3",
    "attribute_exists(ss) = true",
    "true = attribute_exists(n)",
    "attribute_exists(nope) = false",
    "attribute_exists(n) <> 1",
    "(n BETWEEN 0 AND 5) = true",
    "(n = 5 OR s = 'x') = false",
    "attribute_exists(nope) IN [true, false]",
    "attribute_exists(n) = flag",
    'm."odd name" = 1',
    "m['odd name'] = 1",
    "ss = <<'c', 'a', 'b'>>",
    "\"list\" = ['a']",
    "m = {'odd name': 1, 'sub': 'x'}",
    "nul = null",
    "flag = TRUE",
  ];
  const fails = [
    "attribute_exists(nope)",
    "attribute_not_exists(ss)",
    "size(s) = 4",
    "attribute_type(ss, 'S')",
    "s IS NULL",
    "nope IS NULL",
    "nul IS NOT NULL",
    "s IS BOOL",
    "NOT attribute_exists(n) = true",
    "(attribute_exists(n) = true) = false",
    "attribute_exists(n) = s",
    "s < 5",
    "\"list\" = ['b']",
    "n NOT IN [1]",
  ];
  for (const condition of holds) assert.deepEqual(await sks(`pk = 'where' AND ${condition}`), ["1"], condition);
  for (const condition of fails) assert.deepEqual(await sks(`pk = 'where' AND ${condition}`), [], condition);
});

test("a SELECT reads what its condition names: one range, several, or everything", async () => {
  for (const [pk, sk] of [
    ["o", "1"],
    ["o", "2"],
    ["o", "3"],
    ["p", "1"],
    ["p", "2"],
    ["p", "3"],
  ] as const)
    await put(pk, sk, { flag: { S: sk === "1" ? "one" : "two" } });
  const found: readonly (readonly [string, readonly string[]])[] = [
    ["pk = 'o'", ["1", "2", "3"]],
    ["pk = 'o' AND sk > '1'", ["2", "3"]],
    ["'2' <= sk AND pk = 'o'", ["2", "3"]],
    ["pk = 'o' AND begins_with(sk, '2')", ["2"]],
    ["pk = 'o' AND sk BETWEEN '2' AND '3' AND sk < '3'", ["2"]],
    ["pk = 'o' AND sk = '1' AND sk > '0'", ["1"]],
    ["pk = 'o' AND sk = '1' AND sk > '5'", []],
    ["pk = 'o' AND (sk = '1' OR sk = '3')", ["1", "3"]],
    ["pk = 'o' AND sk IN ['3', '1']", ["1", "3"]],
    ["pk = 'o' AND (sk < '2' OR sk > '2' OR sk = '2')", ["1", "2", "3"]],
    ["pk = 'o' AND NOT sk = '1'", ["2", "3"]],
    ["pk = 'o' AND sk <> '1'", ["2", "3"]],
    ["pk = 'o' AND NOT sk = '1' OR pk = 'o' AND sk = '2'", ["2", "3"]],
    ["pk = 'o' OR pk = 'o' AND NOT sk = '1'", ["1", "2", "3"]],
    ["pk = 'o' AND pk = 'p'", []],
    ["pk = 'o' AND flag = 'two'", ["2", "3"]],
    ["pk IN ['o', 'p'] AND sk = '1'", ["1", "1"]],
    ["(pk = 'o' AND sk = '1') OR (pk = 'p' AND sk = '1')", ["1", "1"]],
    ["pk > 1", []],
  ];
  for (const [where, expected] of found) assert.deepEqual((await sks(where)).sort(), expected, where);
  assert.ok((await sks("pk = 'o' OR flag = 'one'")).length >= 4, "it scans");
  const list = (n: number) => Array.from({ length: n }, (_, i) => `'v${i}'`).join();
  const refused: readonly (readonly [string, string])[] = [
    ["pk IN ['o', 'o']", OVERLAPPING],
    ["pk = 'o' OR pk = 'o'", OVERLAPPING],
    ["pk = 'o' AND (sk > '0' OR sk < '5')", OVERLAPPING],
    ["pk = 'o' AND (sk = '1' OR flag = 'two')", OVERLAPPING],
    ["(pk = 'o' AND flag = 'one') OR (pk = 'o' AND flag = 'two')", OVERLAPPING],
    ["pk = 1 OR pk = 'o'", "Key attribute's data type should match its data type in table's schema: Key pk"],
    ["pk = 'o' AND sk IN ['1', 2]", "Key attribute's data type should match its data type in table's schema: Key sk"],
    [`pk IN [${list(51)}]`, "Too many decomposed read operations for a given query."],
    [`pk IN [${list(26)}] AND sk IN ['1', '2']`, "Too many decomposed read operations for a given query."],
  ];
  for (const [where, sentence] of refused) assert.equal(await said(sks(where)), sentence, where);
  assert.deepEqual(await sks(`pk IN [${list(50)}] AND flag IN [${list(100)}]`), []);
  await run(`SELECT * FROM pairs WHERE pk IN [${list(51)}] OR flag = 'nobody'`);
  assert.match(
    await said(run("SELECT * FROM nowhere")),
    /^ResourceNotFoundException 400 Requested resource not found$/,
  );
});

test("ORDER BY the key, and by nothing else", async () => {
  const ordered = async (where: string): Promise<string[]> =>
    (await items(`SELECT pk, sk FROM pairs WHERE ${where}`)).map(({ pk, sk }) => pk!.S! + sk!.S!);
  assert.deepEqual(await ordered("pk = 'o' ORDER BY sk DESC"), ["o3", "o2", "o1"]);
  assert.deepEqual(await ordered("pk = 'o' ORDER BY sk"), ["o1", "o2", "o3"]);
  assert.deepEqual(await ordered("pk = 'o' ORDER BY pk ASC"), ["o3", "o2", "o1"], "AWS does so too");
  assert.deepEqual(await ordered("pk IN ['o', 'p'] ORDER BY pk DESC, sk ASC"), ["p1", "p2", "p3", "o1", "o2", "o3"]);
  assert.deepEqual(await ordered("pk = 'o' AND sk IN ['1', '3'] ORDER BY sk DESC"), ["o3", "o1"]);
  const cases = [
    ["ORDER BY sk", "Must have WHERE clause in the statement when using ORDER BY clause."],
    ["WHERE pk = 'o' ORDER BY Total DESC", "Attribute Total in ORDER BY clause must be part of the primary key"],
    [
      "WHERE pk > 'a' ORDER BY sk",
      "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.",
    ],
    [
      "WHERE pk IN ['o', 'p'] ORDER BY sk DESC",
      "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause.",
    ],
  ] as const;
  for (const [clause, sentence] of cases)
    assert.equal(await said(run(`SELECT sk FROM pairs ${clause}`)), sentence, clause);
});

test("pages go on where they ended, with the statement that they began with only", async () => {
  for (const statement of [
    "SELECT pk, sk FROM pairs WHERE pk IN ['o', 'p'] ORDER BY pk DESC",
    "SELECT pk, sk FROM pairs WHERE pk IN ['o', 'p'] AND sk IN ['1', '2', '3']",
    "SELECT pk, sk FROM pairs WHERE pk IN ['o', 'p']",
    "SELECT pk, sk FROM pairs WHERE flag IN ['one', 'two']",
  ]) {
    const whole = (await items(statement)).map(({ pk, sk }) => pk!.S! + sk!.S!);
    const paged: string[] = [];
    let NextToken: string | undefined;
    do {
      const page = await run(statement, undefined, { Limit: 2, NextToken });
      assert.ok(page.Items!.length <= 2);
      assert.equal(page.NextToken !== undefined, page.LastEvaluatedKey !== undefined);
      paged.push(...page.Items!.map(({ pk, sk }) => pk!.S! + sk!.S!));
      NextToken = page.NextToken;
    } while (NextToken);
    assert.deepEqual(paged, whole, statement);
  }
  const { NextToken } = await run("SELECT * FROM pairs WHERE pk = ?", [{ S: "o" }], { Limit: 1 });
  await run("SELECT * FROM pairs WHERE pk = ?", [{ S: "o" }], { Limit: 2, NextToken });
  const mismatch = "NextToken does not match request";
  assert.equal(await said(run("SELECT * FROM pairs WHERE pk = ?", [{ S: "p" }], { NextToken })), mismatch);
  assert.equal(await said(run("SELECT * FROM pairs", undefined, { NextToken })), mismatch);
  assert.equal(await said(run("SELECT * FROM pairs", undefined, { NextToken: "nonsense" })), mismatch);
  for (let i = 0; i < 8; i++) await put("o", `x${i}`);
  const first = await run("SELECT sk FROM pairs WHERE pk IN ['o', 'p']");
  assert.equal(first.Items?.length, 10, "several partitions come ten items at a time");
});

test("an index answers what it holds; a local one fetches the columns that are asked for by name", async () => {
  const index = { g: { S: "x" }, g2: { S: "y" }, projattr: { S: "proj" }, nonproj: { S: "np" } };
  await put("idx", "1", { ...index, l: { S: "l1" }, l2: { S: "m1" } });
  await put("idx", "2", { ...index, l: { S: "l2" }, l2: { S: "m2" } });
  await put("idx", "3", { nonproj: { S: "np" } });
  const from = (name: string, rest: string, more: More = {}) => {
    const [columns, where = ""] = rest.split(" WHERE ");
    const statement = `SELECT ${columns} FROM "pairs"."${name}" ${where && `WHERE ${where}`}`;
    return run(statement, undefined, { ReturnConsumedCapacity: "INDEXES", ...more });
  };
  const names = async (name: string, rest: string) =>
    (await from(name, rest)).Items!.map((item) => Object.keys(item).sort().join());
  assert.deepEqual(await names("gsi-keys", "* WHERE g2 = 'y'"), ["g2,pk,sk", "g2,pk,sk"]);
  assert.deepEqual(await names("gsi-inc", "* WHERE g2 = 'y'"), ["g2,pk,projattr,sk", "g2,pk,projattr,sk"]);
  assert.deepEqual(await names("lsi-keys", "* WHERE pk = 'idx'"), ["l,pk,sk", "l,pk,sk"]);
  assert.deepEqual(await names("lsi-keys", "nonproj WHERE pk = 'idx'"), ["nonproj", "nonproj"]);
  assert.deepEqual(await names("gsi-inc", "pk WHERE nonproj = 'np'"), [], "a scan filters by what the index holds");
  assert.deepEqual(await names("gsi-keys", "sk WHERE NOT nonproj = 'np'"), ["sk", "sk"]);
  assert.deepEqual(await names("gsi-inc", "sk WHERE (g2 = 'y' AND nonproj = 'np') OR g2 = 'z'"), []);
  const charged = async (name: string, rest: string, more: More = {}) => {
    const {
      Table,
      GlobalSecondaryIndexes: G,
      LocalSecondaryIndexes: L,
    } = (await from(name, rest, more)).ConsumedCapacity!;
    return [Table?.CapacityUnits, (G ?? L)?.[name]?.CapacityUnits];
  };
  assert.deepEqual(await charged("gsi-all", "pk WHERE g = 'x'"), [0, 0.5]);
  assert.deepEqual(await charged("lsi-inc", "nonproj WHERE pk = 'idx'"), [1, 0.5]);
  assert.deepEqual(await charged("lsi-inc", "nonproj WHERE pk = 'idx' AND projattr = 'nobody'"), [1, 0.5]);
  assert.deepEqual(await charged("lsi-inc", "nonproj WHERE pk = 'idx'", { ConsistentRead: true }), [2, 1]);
  const filter = (name: string, missing: string) =>
    `One or more parameter values were invalid: Secondary index ${name} does not project one or more filter attributes: [${missing}]`;
  const refused: readonly (readonly [string, string, string, More?])[] = [
    ["gsi-inc", "pk WHERE g2 = 'y' AND nonproj = 'np'", filter("gsi-inc", "nonproj")],
    ["gsi-inc", "pk WHERE g2 IN ['y', 'z'] AND NOT nonproj IS MISSING", filter("gsi-inc", "nonproj")],
    ["gsi-inc", "pk WHERE g2 = 'y' AND b = '1' AND (a = '2' OR projattr = '3')", filter("gsi-inc", "a, b")],
    ["gsi-inc", "pk WHERE g2 = 'y' AND (zz = '1' OR aa = '2' OR mm = '3')", filter("gsi-inc", "zz, aa, mm")],
    ["lsi-keys", "pk WHERE pk = 'p' AND l BETWEEN 'k1' AND 'k4' AND nonproj = 'np'", filter("lsi-keys", "nonproj")],
    [
      "gsi-inc",
      "zdrop, adrop WHERE g2 = 'y'",
      "One or more parameter values were invalid: Global secondary index gsi-inc does not project [zdrop, adrop]",
    ],
    [
      "gsi-all",
      "* WHERE g = 'x'",
      "Strongly consistent read is not supported on Global Secondary Indexes",
      { ConsistentRead: true },
    ],
    ["no-such", "*", "The table does not have the specified index"],
    [
      "gsi-many",
      "* WHERE h1 = 5",
      "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or multi-attribute RANGE keys.",
    ],
  ];
  for (const [name, rest, sentence, more] of refused) assert.equal(await said(from(name, rest, more)), sentence, rest);
});

test("columns are called by the last name of their path", async () => {
  await put("columns", "1", { m: { M: { k: { L: [{ S: "c" }] }, n: { N: "1" } } } });
  assert.deepEqual(await items("SELECT m.k[0], m.n, nope, pk FROM pairs WHERE pk = 'columns'"), [
    { "k[0]": { S: "c" }, n: { N: "1" }, pk: { S: "columns" } },
  ]);
});

test("INSERT makes a new item only", async () => {
  assert.deepEqual(
    (await run("INSERT INTO pairs VALUE {'pk': ?, 'sk': '1', 'n': ?}", [{ S: "new" }, { N: "01" }])).Items,
    [],
  );
  assert.deepEqual(await stored("new"), { pk: { S: "new" }, sk: { S: "1" }, n: { N: "1" } });
  assert.equal(
    await said(run("INSERT INTO pairs VALUE {'pk': 'new', 'sk': '1'}")),
    "DuplicateItemException 400 Duplicate primary key exists in table",
  );
  assert.equal(
    await said(run("INSERT INTO pairs VALUE {'pk': 'new'}")),
    "Key attribute should be present in the item: Key sk",
  );
  assert.equal(
    await said(run("INSERT INTO pairs VALUE {'pk': 1, 'sk': '1'}")),
    "Key attribute's data type should match its data type in table's schema: Key pk",
  );
  assert.equal(
    await said(run("INSERT INTO nowhere VALUE {'pk': 1}")),
    "ResourceNotFoundException 400 Requested resource not found",
  );
});

test("UPDATE changes the one item that it names, in all the ways", async () => {
  await put("upd", "1", {
    a: { N: "1" },
    ss: { SS: ["a", "b"] },
    list: { L: [{ N: "1" }, { N: "2" }] },
    only: { SS: ["o"] },
  });
  const update = (changes: string, more = "") => run(`UPDATE pairs ${changes} WHERE pk = 'upd' AND sk = '1' ${more}`);
  assert.deepEqual((await update("SET a = a + 1")).Items, []);
  assert.deepEqual(
    (await update('SET a=a-1, b = \'x\' SET "list" = list_append("list", [3])', "RETURNING MODIFIED NEW *")).Items,
    [{ a: { N: "1" }, b: { S: "x" }, list: { L: [{ N: "1" }, { N: "2" }, { N: "3" }] } }],
  );
  assert.deepEqual((await update('SET b = a REMOVE "list"[0]', "RETURNING MODIFIED OLD *")).Items, [
    { b: { S: "x" }, list: { L: [{ N: "1" }] } },
  ]);
  await update("SET ss = set_add(ss, <<'c'>>) SET only = SET_DELETE(only, <<'o'>>) SET fresh = set_add(fresh, <<1>>)");
  assert.deepEqual((await update("REMOVE fresh", "RETURNING MODIFIED NEW *")).Items, []);
  assert.deepEqual(
    (
      await run("FROM pairs WHERE pk = ? AND sk = '1' AND b = 1 SET d = ? RETURNING ALL NEW *", [
        { S: "upd" },
        { N: "7" },
      ])
    ).Items,
    [
      {
        pk: { S: "upd" },
        sk: { S: "1" },
        a: { N: "1" },
        b: { N: "1" },
        d: { N: "7" },
        ss: { SS: ["a", "b", "c"] },
        list: { L: [{ N: "2" }, { N: "3" }] },
      },
    ],
  );
  const failed = "ConditionalCheckFailedException 400 The conditional request failed";
  const key = "pk = 'upd' AND sk = '1'";
  const cases = [
    [`SET z = 1 WHERE ${key} AND a = 9`, failed],
    ["SET z = 1 WHERE pk = 'absent' AND sk = '1'", failed],
    ["SET z = 1 WHERE pk = 'absent' AND sk = '1' AND attribute_not_exists(pk)", failed],
    ["SET z = 1", MANDATORY],
    ["SET z = 1 WHERE pk = 'upd'", MANDATORY],
    ["SET z = 1 WHERE pk IN ['upd'] AND sk = '1'", MANDATORY],
    ["SET z = 1 WHERE pk = 'upd' OR sk = '1'", MANDATORY],
    [
      `SET z = 1 WHERE ${key} AND pk = 'other'`,
      "Multiple conditions on same key pk. Only single item Update/Insert/Delete are supported",
    ],
    [
      "SET z = 1 WHERE pk = 'upd' AND sk = 1",
      "Key attribute's data type should match its data type in table's schema: Key sk",
    ],
    [
      `SET pk = 'z' WHERE ${key}`,
      "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key",
    ],
    [`SET ss = set_add(ss, <<1>>) WHERE ${key}`, "An operand in the update expression has an incorrect data type"],
    [
      `SET gone = list_append(gone, [1]) WHERE ${key}`,
      "The provided expression refers to an attribute that does not exist in the item",
    ],
    [
      `SET q = 1 SET q.r = 2 WHERE ${key}`,
      "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [q], path two: [q, r]",
    ],
    [`SET q = if_not_exists(q, 1) WHERE ${key}`, "Unrecognized function: if_not_exists at 1:22:13"],
  ] as const;
  for (const [rest, sentence] of cases) assert.equal(await said(run(`UPDATE pairs ${rest}`)), sentence, rest);
  await run(`UPDATE pairs SET z = 2 WHERE (${key}) AND pk = 'upd' AND a = 1`);
  assert.equal((await stored("upd"))?.z?.N, "2");
  const all = { ReturnValuesOnConditionCheckFailure: "ALL_OLD" } as const;
  await assert.rejects(
    run(`UPDATE pairs SET z = 3 WHERE ${key} AND a = 9`, undefined, all),
    (error: { Item?: Item }) => error.Item?.z?.N === "2",
  );
});

test("an UPDATE that leaves an item too deep is refused", async () => {
  await put("deep", "1", { m: { M: {} } });
  let value: AttributeValue = { S: "x" };
  for (let i = 0; i < 31; i++) value = { M: { a: value } };
  assert.equal(
    await said(run("UPDATE pairs SET m.deep = ? WHERE pk = 'deep' AND sk = '1'", [value])),
    "Nesting Levels have exceeded supported limits",
  );
});

test("DELETE removes the item, and nothing is a success too", async () => {
  await put("del", "1", { kind: { S: "x" } });
  assert.match(
    await said(run("DELETE FROM pairs WHERE pk = 'del' AND sk = '1' AND kind = 'y'")),
    /^ConditionalCheckFailedException/,
  );
  assert.deepEqual(await items("DELETE FROM pairs WHERE pk = 'del' AND sk = '1' AND kind = 'x' RETURNING ALL OLD *"), [
    { pk: { S: "del" }, sk: { S: "1" }, kind: { S: "x" } },
  ]);
  assert.equal(await stored("del"), undefined);
  for (const rest of ["", "AND kind = 'x'", "RETURNING ALL OLD *"])
    assert.deepEqual(await items(`DELETE FROM pairs WHERE pk = 'del' AND sk = '1' ${rest}`), []);
  assert.equal(await said(run("DELETE FROM pairs WHERE kind = 'x'")), MANDATORY);
});
