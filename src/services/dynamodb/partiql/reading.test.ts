// What PartiQL can be read as, and the sentences for what cannot. Recorded on AWS by others, where they are not in its documentation.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { startPairs } from "../../../../test/partiql.ts";

const { cloud, run, items, said } = await startPairs();
after(() => cloud[Symbol.asyncDispose]());

const MALFORMED = "Statement wasn't well formed, can't be processed: ";
const LEFTOVER = `${MALFORMED}Unexpected token after expression`;

test("what cannot be read is refused in AWS's words", async () => {
  const cases: readonly (readonly [string, string])[] = [
    ["SELECT * FROM numbers WHERE pk = 1 foo", LEFTOVER],
    ["SELECT * FROM numbers WHERE pk = 1 e5", LEFTOVER],
    ["INSERT INTO numbers VALUE {'pk': 1} foo", LEFTOVER],
    ["UPDATE numbers SET a = 9 WHERE pk = 2 foo", LEFTOVER],
    ["DELETE FROM numbers WHERE pk = 3 ORDER BY pk", LEFTOVER],
    ["SELECT * FROM numbers WHERE pk = 1)", LEFTOVER],
    ["SELECT * FROM numbers ORDER BY pk WHERE pk = 1", LEFTOVER],
    ["INSERT INTO numbers t VALUE {'pk': 1}", LEFTOVER],
    ["FROM numbers SET c = 1 WHERE pk = 1", LEFTOVER],
    ["SELECT * FROM numbers WHERE pk = 1e2147483648", MALFORMED],
    ["SELECT * FROM numbers WHERE pk = 1.5e-2147483647", MALFORMED],
    ["SELECT * FROM numbers WHERE pk = 1 # note", MALFORMED],
    ["SELECT * FROM numbers WHERE pk = 1 /* note", MALFORMED],
    ['SELECT * FROM "numbers', MALFORMED],
    [`SELECT * FROM numbers WHERE pk = ${"(".repeat(2000)}1${")".repeat(2000)}`, MALFORMED],
    ["SELECT * FROM numbers t WHERE pk = 1", "Aliasing is not supported"],
    ["SELECT * FROM numbers AS t WHERE pk = 1", "Aliasing is not supported"],
    ["UPDATE numbers t SET a = 3 WHERE pk = 1", "Aliasing is not supported"],
    ["DELETE FROM numbers t WHERE pk = 1", "Aliasing is not supported"],
    ["SELECT * FROM numbers WHERE", `${MALFORMED}Unexpected term`],
    ["SELECT * FROM numbers WHERE;", `${MALFORMED}Unexpected term`],
    ["SELECT * FROM numbers WHERE NOT", `${MALFORMED}Unexpected term`],
    ["SELECT * FROM numbers WHERE (", `${MALFORMED}Unexpected term`],
    ["SELECT * FROM", `${MALFORMED}Unexpected term`],
    ["SELECT * FROM nowhere WHERE", `${MALFORMED}Unexpected term`],
    ["SELECT * FROM numbers WHERE pk = 1 AND", `${MALFORMED}Missing right-hand side expression of infix operator`],
    ["SELECT * FROM numbers WHERE ORDER BY pk", `${MALFORMED}Unexpected keyword`],
    ["SELECT * FROM numbers WHERE pk = 1 AND key = 2", `${MALFORMED}Unexpected keyword`],
    ["SELECT * FROM numbers WHERE IS NULL", `${MALFORMED}Unexpected operator`],
    ["SELECT * FROM numbers WHERE pk = LIKE", `${MALFORMED}Unexpected operator`],
    ["SELECT * FROM numbers WHERE pk = 1 AND x IS FOO", `${MALFORMED}Expected type name`],
    ["SELECT * FROM numbers WHERE pk = 1 AND m.inner = 1", `${MALFORMED}Invalid path dot component`],
    ["DELETE FROM", `${MALFORMED}Expected identifier for simple path`],
    ["DELETE FROM;", `${MALFORMED}Expected identifier for simple path`],
    ["DELETE FROM WHERE pk = 1", `${MALFORMED}Expected identifier for simple path`],
    ["SLECT * FROM numbers WHERE pk = 1", `${MALFORMED}Expected data manipulation`],
    ["UPDATE Payment-table SET a = 1 WHERE pk = 1", `${MALFORMED}Expected data manipulation`],
    ["x IS DOUBLE PRECISION", "Unsupported operation: IsType"],
    [
      "SELECT * FROM numbers WHERE pk = 1e126",
      "Number overflow. Attempting to store a number with magnitude larger than supported range under root",
    ],
    [
      "UPDATE numbers SET a = 1e-131 WHERE pk = 5",
      "Number underflow. Attempting to store a number with magnitude smaller than supported range under root",
    ],
    [
      "SELECT * FROM numbers WHERE pk = 123456789012345678901234567890123456789",
      "Attempting to store more than 38 significant digits in a Number under root",
    ],
    [
      "INSERT INTO numbers VALUE {'pk': 6, 'm': {'x': 1e126}}",
      "Number overflow. Attempting to store a number with magnitude larger than supported range under root.x",
    ],
    [
      "INSERT INTO numbers VALUE {'pk': 7, 'l': [1, 1e126]}",
      "Number overflow. Attempting to store a number with magnitude larger than supported range under root[1]",
    ],
    ["INSERT INTO numbers VALUE {'pk': 8, 's': <<>>}", "Empty bags are not supported"],
    [
      "INSERT INTO numbers VALUE {'pk': 8, 's': <<1, 'a'>>}",
      "Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags",
    ],
    [
      "INSERT INTO numbers VALUE {'pk': 8, 's': <<'a', 'a'>>}",
      "One or more parameter values were invalid: Input collection [a, a] contains duplicates.",
    ],
    [
      "UPDATE numbers SET n = set_add(n, <<2, 2.0>>) WHERE pk = 8",
      "One or more parameter values were invalid: Input collection [2, 2.0] contains duplicates! under root",
    ],
    [
      `UPDATE numbers SET d = ${"{'a':".repeat(32)}1${"}".repeat(32)} WHERE pk = 1`,
      `Nesting Levels have exceeded supported limits under root${".a".repeat(32)}`,
    ],
    ["SELECT l[-1] FROM numbers WHERE pk = 1", "List index is not within the allowable range; index: [-1] at 1:11:1"],
    [
      "SELECT l[2147483648] FROM numbers WHERE pk = 1",
      "List index is not within the allowable range; index: [2147483648] at 1:10:10",
    ],
    ["SELECT attribute_exists(ss) FROM numbers WHERE pk = 1", "Unexpected path component at 1:8:16"],
    ["SELECT a, *  FROM numbers", "Other attributes should not be present in the projection when '*' is used."],
    ["SELECT m.a, a FROM numbers", "Duplicate identifiers in select clause: a"],
    ["SELECT * FROM numbers WHERE pk = 1 AND EXISTS(ss)", "Unrecognized function: exists at 1:40:6"],
    ["SELECT * FROM numbers WHERE pk = 1 AND set_add(ss, <<'x'>>) = ss", "Unrecognized function: set_add at 1:40:7"],
    [
      "SELECT * FROM numbers WHERE pk = 1 AND attribute_exists('ss')",
      "Operator or function requires a document path; operator or function: attribute_exists",
    ],
    [
      "SELECT * FROM numbers WHERE pk = 1 AND attribute_exists()",
      "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 0",
    ],
    [
      "SELECT * FROM numbers WHERE pk = 1 AND attribute_type(l, 1)",
      "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N",
    ],
    [
      "SELECT * FROM numbers WHERE pk = 1 AND a > false",
      "Incorrect operand type for operator or function; operator or function: >, operand type: BOOL",
    ],
    [
      "UPDATE numbers SET n = 'a' + 1 WHERE pk = 1 AND nope = 'x'",
      "Incorrect operand type for operator or function; operator or function: +, operand type: S",
    ],
    [
      "UPDATE numbers SET t = set_add(ss, <<'x'>>) WHERE pk = 1",
      "The first argument to SET_ADD must equal the assignment value at 1:24:7",
    ],
    [
      "UPDATE numbers\nSET ss = set_delete(ss, 'x') WHERE pk = 1",
      "The second argument to SET_DELETE must be a value with type SET at 2:21:2",
    ],
    [
      'UPDATE numbers SET "ss" = set_add("ss", [\'x\']) WHERE pk = 1',
      "The second argument to SET_ADD must be a value with type SET at 1:35:4",
    ],
    ["UPDATE numbers SET ss = set_add(ss) WHERE pk = 1", "SET_ADD must have exactly two arguments at 1:25:7"],
    [
      "INSERT INTO numbers VALUE {'pk': 1, 'ss': set_add(<<'a'>>, <<'b'>>)}",
      "Unsupported data type: set_add under key root at 1:43:7",
    ],
    [
      `SELECT * FROM numbers WHERE pk = 1 AND f IN [${"1,".repeat(100)}1]`,
      "The IN operator is provided with too many operands; number of operands: 101",
    ],
    [
      "DELETE FROM numbers WHERE pk = 1 RETURNING MODIFIED OLD *",
      "Invalid returning clause: RETURNING MODIFIED OLD *. Only RETURNING ALL OLD * is allowed in DELETE statements.",
    ],
    ["SELECT * FROM numbers WHERE pk = ?", "Number of parameters in request and statement don't match."],
    [
      "EXISTS(SELECT * FROM numbers WHERE pk = 1 AND a IS MISSING)",
      "EXISTS can only be used in ExecuteTransaction write requests.",
    ],
    ['SELECT * FROM ""', "Path component cannot be an empty string"],
    ['SELECT * FROM "pairs"."a"."b"', "A path may contain at most 2 components in the FROM clause"],
    ["INSERT INTO \"pairs\".\"gsi-all\" VALUE {'pk': 'a'}", "FROM clause may only contain a single table name"],
    ['UPDATE "pairs"."gsi-all" SET a = 1 WHERE pk = \'p\'', "This operation is not supported on an index"],
  ];
  for (const [statement, sentence] of cases) assert.equal(await said(run(statement)), sentence, statement);
  assert.equal((await items("SELECT * FROM numbers")).length, 0, "nothing was written");
});

test("parameters are looked at before the statement", async () => {
  const cases: readonly (readonly [string, AttributeValue[], string])[] = [
    [
      "UPDATE numbers SET WHERE",
      [{ SS: ["a", "a"] }],
      "One or more parameter values were invalid: Input collection [a, a] contains duplicates.",
    ],
    ["SELECT * FROM numbers WHERE pk = ?", [{ N: "abc" }], "The parameter cannot be converted to a numeric value: abc"],
    [
      "UPDATE numbers SET x = [?] WHERE pk = 1",
      [{ S: "v" }],
      "Unsupported data type: Parameter under key root[0] at 1:25:1",
    ],
    [
      "INSERT INTO numbers VALUE {'pk': 1, 'm': {'k': ?}}",
      [{ S: "v" }],
      "Unsupported data type: Parameter under key root.k at 1:48:1",
    ],
    [
      "UPDATE numbers SET s = set_add(s, ?) WHERE pk = 1",
      [{ S: "v" }],
      "The second argument to SET_ADD must be a value with type SET at 1:32:1",
    ],
    [
      "SELECT * FROM numbers WHERE pk = '?'",
      [{ S: "v" }],
      "Number of parameters in request and statement don't match.",
    ],
  ];
  for (const [statement, parameters, sentence] of cases)
    assert.equal(await said(run(statement, parameters)), sentence, statement);
  assert.match(
    await said(run("SELECT * FROM numbers", [])),
    /at 'parameters' failed to satisfy constraint: Member must have length greater than or equal to 1/,
  );
});

test("numbers, strings and comments are read as they are written", async () => {
  for (const statement of [
    "INSERT INTO numbers VALUE {'pk': 7.31e6, 'b': -1.5E-3, 'c': 2.50, 'd': -0, 'q': 'it''s here'}",
    "insert into numbers value {'pk': -.73e1}",
  ])
    assert.deepEqual((await run(statement)).Items, []);
  for (const literal of ["7.31E6", "731e4", "73100000e-1", "- -7310000", "+7310000"])
    assert.equal((await items(`SELECT * FROM numbers WHERE pk = ${literal}`)).length, 1, literal);
  const [item] = await items(
    "-- a note\nSELECT/**/* FROM numbers /* b */ WHERE pk = 7310000 AND q = 'it''s here'; -- done",
  );
  assert.deepEqual(item, {
    pk: { N: "7310000" },
    b: { N: "-0.0015" },
    c: { N: "2.5" },
    d: { N: "0" },
    q: { S: "it's here" },
  });
  assert.equal((await items("SELECT * FROM numbers WHERE pk = -7.3")).length, 1);
});
