// BatchExecuteStatement, ExecuteTransaction, and what policies say of statements.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type AttributeValue, DynamoDB, type TransactionCanceledException } from "@aws-sdk/client-dynamodb";
import { startCloud } from "../../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../../test/principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);

type Item = Record<string, AttributeValue>;
await dynamodb.createTable({
  TableName: "pairs",
  AttributeDefinitions: ["pk", "sk", "g"].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
  KeySchema: [
    { AttributeName: "pk", KeyType: "HASH" },
    { AttributeName: "sk", KeyType: "RANGE" },
  ],
  LocalSecondaryIndexes: [
    {
      IndexName: "by-g",
      KeySchema: [
        { AttributeName: "pk", KeyType: "HASH" },
        { AttributeName: "g", KeyType: "RANGE" },
      ],
      Projection: { ProjectionType: "ALL" },
    },
  ],
  BillingMode: "PAY_PER_REQUEST",
});

const put = (pk: string, more: Item = {}, sk = "1") =>
  dynamodb.putItem({ TableName: "pairs", Item: { pk: { S: pk }, sk: { S: sk }, ...more } });
const stored = async (pk: string): Promise<Item | undefined> =>
  (await dynamodb.getItem({ TableName: "pairs", Key: { pk: { S: pk }, sk: { S: "1" } } })).Item;
const batch = async (...statements: string[]) =>
  (await dynamodb.batchExecuteStatement({ Statements: statements.map((Statement) => ({ Statement })) })).Responses!;
const transaction = (...statements: string[]) =>
  dynamodb.executeTransaction({ TransactStatements: statements.map((Statement) => ({ Statement })) });
const said = async (sent: Promise<unknown>): Promise<string> =>
  (await refusal(sent)).replace("ValidationException 400 ", "");
/** The codes, and the messages, of a transaction that was cancelled. */
async function reasons(sent: Promise<unknown>): Promise<readonly (readonly [string, string?])[]> {
  const error = await sent.then(
    () => assert.fail("it was not cancelled"),
    (error: TransactionCanceledException) => error,
  );
  assert.equal(error.name, "TransactionCanceledException", error.message);
  return error.CancellationReasons!.map(({ Code, Message }) => (Message === undefined ? [Code!] : [Code!, Message]));
}

test("statements of a batch succeed and fail each by itself", async () => {
  await put("b1", { v: { N: "1" } });
  const whole = "Select statements within BatchExecuteStatement must specify the primary key in the where clause.";
  assert.deepEqual(
    await batch(
      "SELECT v FROM pairs WHERE pk = 'b1' AND sk = '1'",
      "SELECT v FROM pairs WHERE pk IN ['b1'] AND sk = 'nothing'",
      "SLECT * FROM pairs WHERE pk = 'b1'",
      "SELECT * FROM nowhere WHERE pk = 'b1'",
      "SELECT * FROM pairs WHERE pk = 'b1'",
      "SELECT * FROM pairs WHERE pk = 'b1' AND sk = '1' AND v = 1",
      "SELECT * FROM \"pairs\".\"by-g\" WHERE pk = 'b1' AND sk = '1'",
    ),
    [
      { TableName: "pairs", Item: { v: { N: "1" } } },
      { TableName: "pairs" },
      {
        Error: {
          Code: "ValidationError",
          Message: "Statement wasn't well formed, can't be processed: Expected data manipulation",
        },
      },
      { Error: { Code: "ResourceNotFound", Message: "Requested resource not found" } },
      ...[1, 2, 3].map(() => ({ Error: { Code: "ValidationError", Message: whole }, TableName: "pairs" })),
    ],
  );
  await put("b2", { v: { N: "1" } });
  const { Responses, ConsumedCapacity } = await dynamodb.batchExecuteStatement({
    Statements: [
      { Statement: "INSERT INTO pairs VALUE {'pk': ?, 'sk': '1'}", Parameters: [{ S: "b3" }] },
      { Statement: "INSERT INTO pairs VALUE {'pk': 'b2', 'sk': '1'}" },
      { Statement: "UPDATE pairs SET v = v + 1 WHERE pk = 'b2' AND sk = '1' RETURNING MODIFIED NEW *" },
      { Statement: "UPDATE pairs REMOVE v WHERE pk = 'b1' AND sk = '1' RETURNING MODIFIED NEW *" },
      {
        Statement: "UPDATE pairs SET v = 9 WHERE pk = 'b2' AND sk = '1' AND v = 7",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      },
      { Statement: "DELETE FROM pairs WHERE pk = 'b3'" },
      { Statement: "DELETE FROM pairs WHERE pk = 'b3' AND sk = '1' RETURNING ALL NEW *" },
    ],
    ReturnConsumedCapacity: "TOTAL",
  });
  assert.deepEqual(Responses, [
    { TableName: "pairs" },
    { Error: { Code: "DuplicateItem", Message: "Duplicate primary key exists in table" }, TableName: "pairs" },
    { TableName: "pairs", Item: { v: { N: "2" } } },
    { TableName: "pairs" },
    {
      Error: {
        Code: "ConditionalCheckFailed",
        Message: "The conditional request failed",
        Item: { pk: { S: "b2" }, sk: { S: "1" }, v: { N: "2" } },
      },
      TableName: "pairs",
    },
    {
      Error: {
        Code: "ValidationError",
        Message: "Where clause does not contain a mandatory equality on all key attributes",
      },
      TableName: "pairs",
    },
    {
      Error: {
        Code: "ValidationError",
        Message:
          "Invalid returning clause: RETURNING ALL NEW *. Only RETURNING ALL OLD * is allowed in DELETE statements.",
      },
    },
  ]);
  assert.equal(ConsumedCapacity?.length, 3);
  assert.ok(await stored("b3"));
});

test("a batch reads or writes, and no more than 25 times", async () => {
  const read = "SELECT * FROM pairs WHERE pk = 'b1' AND sk = '1'";
  assert.match(await said(batch(read, "DELETE FROM pairs WHERE pk = 'b1' AND sk = '1'")), /does not support both read/);
  assert.match(await said(batch(...Array.from({ length: 26 }, () => read))), /less than or equal to 25/);
  assert.match(await said(dynamodb.batchExecuteStatement({ Statements: [] })), /greater than or equal to 1/);
});

test("a transaction writes all of its statements", async () => {
  await put("t1", { free: { S: "x" } });
  await put("t2", { n: { N: "1" } });
  const answer = await dynamodb.executeTransaction({
    TransactStatements: [
      { Statement: "EXISTS(SELECT * FROM pairs WHERE pk = 't1' AND sk = '1' AND Awards IS MISSING)" },
      { Statement: "UPDATE pairs SET n = n + ? WHERE pk = 't2' AND sk = '1'", Parameters: [{ N: "4" }] },
      { Statement: "INSERT INTO pairs VALUE {'pk': 't3', 'sk': '1'}" },
      { Statement: "DELETE FROM pairs WHERE pk = 'no such' AND sk = '1'" },
    ],
    ReturnConsumedCapacity: "TOTAL",
  });
  assert.deepEqual(answer.Responses, []);
  assert.deepEqual(answer.ConsumedCapacity, [{ TableName: "pairs", CapacityUnits: 8, WriteCapacityUnits: 8 }]);
  assert.equal((await stored("t2"))?.n?.N, "5");
  assert.ok(await stored("t3"));
});

test("a transaction reads items by their keys, at one moment", async () => {
  await put("r1", { a: { S: "x" } });
  const answer = await dynamodb.executeTransaction({
    TransactStatements: [
      { Statement: "SELECT a FROM pairs WHERE (sk = '1') AND pk = 'r1' AND pk = 'r1'" },
      { Statement: "SELECT * FROM pairs WHERE pk IN ['r1'] AND sk IN ['2']" },
    ],
    ReturnConsumedCapacity: "TOTAL",
  });
  assert.deepEqual(answer.Responses, [{ Item: { a: { S: "x" } } }, {}]);
  assert.deepEqual(answer.ConsumedCapacity, [{ TableName: "pairs", CapacityUnits: 4, ReadCapacityUnits: 4 }]);
});

const first = (sentence: string) => `Validation failed in TransactStatements[0]: ${sentence}`;

test("what is wrong with a statement fails the whole transaction, and says which", async () => {
  const update = "UPDATE pairs SET z = 1 WHERE pk = 'w' AND sk = '1'";
  const keyed = first("Select statements within ExecuteTransaction must specify the primary key in the where clause.");
  const exists = first("EXISTS() must contain a single item read with additional condition");
  const cases: readonly (readonly [string, readonly string[]])[] = [
    [first("Statement wasn't well formed, can't be processed: Unexpected term"), ["SELECT * FROM pairs WHERE"]],
    [first("RETURNING clause is not supported in ExecuteTransaction."), [`${update} RETURNING ALL NEW *`]],
    [
      first("Reads on indices are not supported within transactions."),
      ['SELECT * FROM "pairs"."by-g" WHERE pk = \'w\''],
    ],
    [keyed, ["SELECT * FROM pairs WHERE pk = 'w'"]],
    [keyed, ["SELECT * FROM pairs WHERE pk = 'w' AND sk = '1' AND a = 1"]],
    [keyed, ["SELECT * FROM pairs WHERE pk = 'w' AND sk = '1' AND pk = 'x'"]],
    [
      first("Overlapping conditions with range keys are not supported in where clause"),
      ["SELECT * FROM pairs WHERE pk IN ['w', 'w'] AND sk = '1'"],
    ],
    [exists, ["EXISTS(SELECT * FROM pairs WHERE pk = 'w' AND sk = '1')", update]],
    [exists, ["EXISTS(SELECT * FROM pairs WHERE pk IN ['w'] AND sk = '1' AND a = 1)", update]],
    [
      first("Incorrect operand type for operator or function; operator or function: +, operand type: L"),
      ["UPDATE pairs SET n = n + [1] WHERE pk = 'w' AND sk = '1'"],
    ],
    [
      "ExecuteTransaction API does not support both read and write operations in the same request.",
      ["SELECT * FROM pairs WHERE pk = 'w' AND sk = '1'", update],
    ],
    ["Transaction request cannot include multiple operations on one item", [update, update]],
    [
      "Transaction request cannot include multiple operations on one item",
      ["SELECT * FROM pairs WHERE pk = 'w' AND sk = '1'", "SELECT a FROM pairs WHERE sk = '1' AND pk = 'w'"],
    ],
    [
      "Validation failed in TransactStatements[1]: RETURNING clause is not supported in ExecuteTransaction.",
      ["DELETE FROM nowhere WHERE pk = 'x'", `${update} RETURNING ALL NEW *`],
    ],
  ];
  for (const [sentence, statements] of cases)
    assert.equal(await said(transaction(...statements)), sentence, statements.join());
  const unsound = { Statement: "UPDATE pairs SET n = ? WHERE pk = 'w' AND sk = '1'", Parameters: [{ N: "abc" }] };
  assert.equal(
    await said(dynamodb.executeTransaction({ TransactStatements: [unsound] })),
    "The parameter cannot be converted to a numeric value: abc",
  );
  const many = Array.from({ length: 101 }, (_, i) => `DELETE FROM pairs WHERE pk = '${i}' AND sk = '1'`);
  assert.match(await said(transaction(...many)), /less than or equal to 100/);
});

test("a transaction is cancelled with the reasons of all its statements", async () => {
  await put("c1", { Awards: { N: "1" } });
  const mismatch = "The provided key element does not match the schema";
  const update = "UPDATE pairs SET a = 1 WHERE";
  assert.deepEqual(
    await reasons(
      transaction(
        "EXISTS(SELECT * FROM pairs WHERE pk = 'c1' AND sk = '1' AND Awards IS MISSING)",
        "INSERT INTO pairs VALUE {'pk': 'c2', 'sk': '1'}",
        `${update} pk = 'no such' AND sk = '1'`,
      ),
    ),
    [
      ["ConditionalCheckFailed", "The conditional request failed"],
      ["None"],
      ["ConditionalCheckFailed", "The conditional request failed"],
    ],
  );
  assert.equal(await stored("c2"), undefined);
  assert.deepEqual(
    await reasons(
      transaction("INSERT INTO pairs VALUE {'pk': 'c1', 'sk': '1'}", "INSERT INTO pairs VALUE {'pk': 'c2', 'sk': '1'}"),
    ),
    [["DuplicateItem", "Duplicate primary key exists in table"], ["None"]],
  );
  assert.deepEqual(
    await reasons(
      transaction(`${update} pk = 'c1'`, `${update} pk = 'c1' AND sk = 1`, `${update} pk = 'c1' AND sk = '1'`),
    ),
    [["ValidationError", mismatch], ["ValidationError", mismatch], ["None"]],
  );
  assert.deepEqual(
    await reasons(transaction("INSERT INTO pairs VALUE {'pk': 'c3'}", "DELETE FROM pairs WHERE sk = '1'")),
    [
      ["ValidationError", "One or more parameter values were invalid: Missing the key sk in the item"],
      ["ValidationError", mismatch],
    ],
  );
  assert.deepEqual(await reasons(transaction("SELECT * FROM pairs WHERE pk = 'c1' AND sk = 1")), [
    ["ValidationError", mismatch],
  ]);
  assert.deepEqual(
    await reasons(transaction(`${update} pk = 'c1' AND sk = '1'`, "DELETE FROM nowhere WHERE pk = 'x'")),
    [["None"], ["ResourceNotFound", "Requested resource not found"]],
  );
  assert.equal((await stored("c1"))?.a, undefined);
});

test("a client request token makes a transaction of statements happen once", async () => {
  await put("once", { n: { N: "0" } });
  const ask = (by: string) =>
    dynamodb.executeTransaction({
      ClientRequestToken: "partiql-once",
      TransactStatements: [
        { Statement: "UPDATE pairs SET n = n + ? WHERE pk = 'once' AND sk = '1'", Parameters: [{ N: by }] },
      ],
      ReturnConsumedCapacity: "TOTAL",
    });
  assert.equal((await ask("1")).ConsumedCapacity?.[0]?.WriteCapacityUnits, 2);
  assert.equal((await ask("1")).ConsumedCapacity?.[0]?.ReadCapacityUnits, 2);
  assert.match(await said(ask("2")), /^IdempotentParameterMismatchException/);
  assert.equal((await stored("once"))?.n?.N, "1");
});

test("each kind of statement has its permission, on the table or on the index", async () => {
  const Resource = "arn:aws:dynamodb:us-east-1:000000000000:table/pairs";
  const may = policy(allow(["dynamodb:PartiQLSelect", "dynamodb:PartiQLInsert"], { Resource }));
  const user = cloud.client(DynamoDB, await userWith(cloud, "partiql", { may }));
  const run = (Statement: string) => user.executeStatement({ Statement });
  await run("SELECT * FROM pairs WHERE pk = 'a'");
  await run("INSERT INTO pairs VALUE {'pk': 'mine', 'sk': '1'}");
  const denied = (action: string, where = "") =>
    new RegExp(`^AccessDeniedException 400 .*dynamodb:${action} on resource: ${Resource}${where} `);
  const key = "WHERE pk = 'mine' AND sk = '1'";
  assert.match(await refusal(run(`UPDATE pairs SET a = 1 ${key}`)), denied("PartiQLUpdate"));
  assert.match(await refusal(run(`DELETE FROM pairs ${key}`)), denied("PartiQLDelete"));
  assert.match(await refusal(run('SELECT * FROM "pairs"."by-g"')), denied("PartiQLSelect", "/index/by-g"));
  assert.match(await said(run("SELECT * FROM pairs WHERE")), /wasn't well formed/, "nothing is demanded for nonsense");
  const Statements = [{ Statement: `SELECT * FROM pairs ${key}` }];
  await user.batchExecuteStatement({ Statements });
  await user.executeTransaction({ TransactStatements: Statements });
  await assert.rejects(
    user.executeTransaction({ TransactStatements: [{ Statement: `DELETE FROM pairs ${key}` }] }),
    /dynamodb:PartiQLDelete/,
  );
});

test("policies may forbid full scans, and keep users to their partitions and attributes", async () => {
  const deny = { Effect: "Deny", Action: "dynamodb:PartiQLSelect", Resource: "*" };
  const noScan = policy(allow("dynamodb:*"), { ...deny, Condition: { Bool: { "dynamodb:FullTableScan": ["true"] } } });
  const careful = cloud.client(DynamoDB, await userWith(cloud, "careful", { may: noScan }));
  await careful.executeStatement({ Statement: "SELECT * FROM pairs WHERE pk IN ['a', 'b']" });
  for (const where of ["", "WHERE pk > 'a'", "WHERE pk = 'a' OR v = 1"])
    await assert.rejects(careful.executeStatement({ Statement: `SELECT * FROM pairs ${where}` }), {
      name: "AccessDeniedException",
    });
  const Condition = {
    "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": ["mine"], "dynamodb:Attributes": ["pk", "sk", "v"] },
  };
  const own = cloud.client(DynamoDB, await userWith(cloud, "own", { may: policy(allow("dynamodb:*", { Condition })) }));
  const run = (Statement: string, ...Parameters: AttributeValue[]) =>
    own.executeStatement({ Statement, ...(Parameters.length > 0 && { Parameters }) });
  await run("SELECT v FROM pairs WHERE pk = ? AND sk = '1'", { S: "mine" });
  await run("INSERT INTO pairs VALUE {'pk': 'mine', 'sk': '2', 'v': 1}");
  await run("UPDATE pairs SET v = 2 WHERE pk = 'mine' AND sk = '2'");
  for (const statement of [
    "SELECT v FROM pairs WHERE pk = 'theirs'",
    "SELECT v FROM pairs WHERE pk IN ['mine', 'theirs']",
    "SELECT secret FROM pairs WHERE pk = 'mine'",
    "SELECT v FROM pairs WHERE pk = 'mine' AND secret = 1",
    "INSERT INTO pairs VALUE {'pk': 'theirs', 'sk': '1'}",
    "UPDATE pairs SET secret = 2 WHERE pk = 'mine' AND sk = '2'",
    "DELETE FROM pairs WHERE pk = 'theirs' AND sk = '1'",
  ])
    await assert.rejects(run(statement), { name: "AccessDeniedException" }, statement);
});
