import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type AttributeValue, DynamoDB, type QueryCommandInput, type ScanCommandInput } from "@aws-sdk/client-dynamodb";
import fc from "fast-check";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);
const KEYS_ONLY = { Projection: { ProjectionType: "KEYS_ONLY" } } as const;

type Item = Record<string, AttributeValue>;
type KeyType = "S" | "N" | "B";

await dynamodb.createTable({
  TableName: "indexed",
  AttributeDefinitions: [
    { AttributeName: "id", AttributeType: "S" },
    { AttributeName: "r", AttributeType: "N" },
    { AttributeName: "l", AttributeType: "S" },
    { AttributeName: "g", AttributeType: "S" },
    { AttributeName: "day", AttributeType: "N" },
    { AttributeName: "kind", AttributeType: "S" },
  ],
  KeySchema: [
    { AttributeName: "id", KeyType: "HASH" },
    { AttributeName: "r", KeyType: "RANGE" },
  ],
  LocalSecondaryIndexes: [
    {
      IndexName: "local",
      KeySchema: [
        { AttributeName: "id", KeyType: "HASH" },
        { AttributeName: "l", KeyType: "RANGE" },
      ],
      ...KEYS_ONLY,
    },
  ],
  GlobalSecondaryIndexes: [
    {
      IndexName: "global",
      KeySchema: [{ AttributeName: "g", KeyType: "HASH" }],
      Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["held"] },
    },
    {
      IndexName: "several",
      KeySchema: [
        { AttributeName: "g", KeyType: "HASH" },
        { AttributeName: "l", KeyType: "HASH" },
        { AttributeName: "day", KeyType: "RANGE" },
        { AttributeName: "kind", KeyType: "RANGE" },
      ],
      Projection: { ProjectionType: "ALL" },
    },
  ],
  BillingMode: "PAY_PER_REQUEST",
});
for (let i = 0; i < 12; i++)
  await dynamodb.putItem({
    TableName: "indexed",
    Item: {
      id: { S: i < 10 ? "a" : "b" },
      r: { N: `${i - 5}` },
      ...(i % 2 === 0 && { l: { S: `l${9 - i}` } }),
      ...(i % 3 === 0 && { g: { S: "g" }, day: { N: `${i}` }, kind: { S: i % 2 ? "odd" : "even" } }),
      held: { S: `h${i}` },
      spare: { S: `f${i}` },
    },
  });

const query = (input: Partial<QueryCommandInput>) =>
  dynamodb.query({
    TableName: "indexed",
    KeyConditionExpression: "id = :id",
    ExpressionAttributeValues: { ":id": { S: "a" } },
    ...input,
  });
const scan = (input: Partial<ScanCommandInput> = {}) => dynamodb.scan({ TableName: "indexed", ...input });
const numbers = (items: Item[] | undefined): number[] => (items ?? []).map(({ r }) => Number(r?.N));

/** [condition, its values of r] over r = -5..4. */
const RANGES: readonly (readonly [string, readonly number[]])[] = [
  ["r = :x", [2]],
  ["r < :x", [-5, -4, -3, -2, -1, 0, 1]],
  ["r <= :x", [-5, -4, -3, -2, -1, 0, 1, 2]],
  ["r > :x", [3, 4]],
  ["r >= :x", [2, 3, 4]],
  [":x > r", [-5, -4, -3, -2, -1, 0, 1]],
  ["r BETWEEN :y AND :x", [-1, 0, 1, 2]],
];

test("Query reads the range that its key condition says, in the order of numbers, either way", async () => {
  for (const [condition, expected] of RANGES) {
    const input = {
      KeyConditionExpression: `id = :id AND ${condition}`,
      ExpressionAttributeValues: {
        ":id": { S: "a" },
        ":x": { N: "2" },
        ...(condition.includes(":y") && { ":y": { N: "-1" } }),
      },
    };
    assert.deepEqual(numbers((await query(input)).Items), expected, condition);
    assert.deepEqual(
      numbers((await query({ ...input, ScanIndexForward: false })).Items),
      expected.toReversed(),
      condition,
    );
  }
});

test("pages of any size join to the whole, either way", async () => {
  for (const ScanIndexForward of [true, false])
    for (const Limit of [1, 3, 10]) {
      const found: number[] = [];
      let ExclusiveStartKey: Item | undefined;
      let pages = 0;
      do {
        const page = await query({ Limit, ScanIndexForward, ExclusiveStartKey });
        found.push(...numbers(page.Items));
        ExclusiveStartKey = page.LastEvaluatedKey;
        pages++;
      } while (ExclusiveStartKey);
      const all = [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4];
      assert.deepEqual(found, ScanIndexForward ? all : all.toReversed());
      // A limit that is reached leaves a key, also where nothing follows.
      assert.equal(pages, 10 % Limit === 0 ? 10 / Limit + 1 : Math.ceil(10 / Limit));
    }
});

test("a filter is applied after the limit, and counts say so", async () => {
  const page = await query({
    Limit: 4,
    FilterExpression: "held > :h",
    ExpressionAttributeValues: { ":id": { S: "a" }, ":h": { S: "h2" } },
  });
  assert.deepEqual([page.Count, page.ScannedCount, numbers(page.Items)], [1, 4, [-2]]);
  assert.deepEqual(page.LastEvaluatedKey, { id: { S: "a" }, r: { N: "-2" } });
  const count = await query({ Select: "COUNT" });
  assert.deepEqual([count.Count, count.Items], [10, undefined]);
});

test("a local index is sparse, in its own order, and fetches what it does not hold", async () => {
  const page = await query({ IndexName: "local" });
  assert.deepEqual(page.Items, [
    { id: { S: "a" }, r: { N: "3" }, l: { S: "l1" } },
    { id: { S: "a" }, r: { N: "1" }, l: { S: "l3" } },
    { id: { S: "a" }, r: { N: "-1" }, l: { S: "l5" } },
    { id: { S: "a" }, r: { N: "-3" }, l: { S: "l7" } },
    { id: { S: "a" }, r: { N: "-5" }, l: { S: "l9" } },
  ]);
  const whole = await query({ IndexName: "local", Select: "ALL_ATTRIBUTES", Limit: 1, ConsistentRead: true });
  assert.equal(whole.Items?.[0]?.spare?.S, "f8");
  const some = await query({ IndexName: "local", ProjectionExpression: "spare", Limit: 1 });
  assert.deepEqual(some.Items, [{ spare: { S: "f8" } }]);
});

test("a global index holds what it projects, pages with both keys, and refuses the rest", async () => {
  const values = { ":g": { S: "g" } };
  const global = { IndexName: "global", KeyConditionExpression: "g = :g", ExpressionAttributeValues: values };
  const seen: Item[] = [];
  let ExclusiveStartKey: Item | undefined;
  do {
    const page = await query({ ...global, Limit: 1, ExclusiveStartKey });
    seen.push(...(page.Items ?? []));
    ExclusiveStartKey = page.LastEvaluatedKey;
    if (ExclusiveStartKey) assert.deepEqual(Object.keys(ExclusiveStartKey).sort(), ["g", "id", "r"]);
  } while (ExclusiveStartKey);
  assert.deepEqual(
    seen.map(({ r }) => Number(r?.N)).sort((a, b) => a - b),
    [-5, -2, 1, 4],
  );
  for (const item of seen) assert.deepEqual(Object.keys(item).sort(), ["g", "held", "id", "r"]);
  const refused: readonly (readonly [Partial<QueryCommandInput>, string])[] = [
    [{ ConsistentRead: true }, "Consistent reads are not supported on global secondary indexes"],
    [
      { Select: "ALL_ATTRIBUTES" },
      "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index global because its projection type is not ALL",
    ],
    [
      { ProjectionExpression: "held, spare" },
      "One or more parameter values were invalid: Global secondary index global does not project [spare]",
    ],
    [{ IndexName: "nope" }, "The table does not have the specified index: nope"],
  ];
  for (const [input, message] of refused) await assert.rejects(query({ ...global, ...input }), { message });
});

test("an index of several attributes is read from the left", async () => {
  const read = async (condition: string, values: Item) => {
    const page = await query({
      IndexName: "several",
      KeyConditionExpression: `g = :g AND l = :l${condition}`,
      ExpressionAttributeValues: { ":g": { S: "g" }, ":l": { S: "l9" }, ...values },
    });
    return numbers(page.Items);
  };
  assert.deepEqual(await read("", {}), [-5]);

  const named = (condition: string, values: Item) =>
    dynamodb
      .query({
        TableName: "indexed",
        IndexName: "several",
        KeyConditionExpression: `g = :g AND l = :l AND ${condition}`,
        ...(condition.includes("#day") && { ExpressionAttributeNames: { "#day": "day" } }),
        ExpressionAttributeValues: { ":g": { S: "g" }, ":l": { S: "l9" }, ...values },
      })
      .then((page) => numbers(page.Items));
  assert.deepEqual(await named("#day = :d AND begins_with(kind, :k)", { ":d": { N: "0" }, ":k": { S: "e" } }), [-5]);
  assert.deepEqual(await named("#day = :d AND kind > :k", { ":d": { N: "0" }, ":k": { S: "even" } }), []);
  assert.deepEqual(await named("#day >= :d", { ":d": { N: "-1" } }), [-5]);
  await assert.rejects(named("#day > :d AND kind = :k", { ":d": { N: "0" }, ":k": { S: "e" } }), {
    message:
      "RANGE key attributes day must have equality conditions specified in the query because a condition is present on key attribute kind",
  });
  await assert.rejects(named("kind = :k", { ":k": { S: "e" } }), {
    message:
      "RANGE key attributes day must have equality conditions specified in the query because a condition is present on key attribute kind",
  });
});

const REFUSED: readonly (readonly [string, Partial<QueryCommandInput>, string])[] = [
  [
    "no condition",
    { KeyConditionExpression: undefined, ExpressionAttributeValues: undefined },
    "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
  ],
  [
    "a condition without the hash key",
    { KeyConditionExpression: "r = :id" },
    "Query condition missed key schema element: id",
  ],
  ["a range of hash keys", { KeyConditionExpression: "id > :id" }, "Query key condition not supported"],
  ["OR", { KeyConditionExpression: "id = :id OR id = :id" }, "Invalid operator used in KeyConditionExpression: OR"],
  [
    "another attribute",
    { KeyConditionExpression: "id = :id AND held = :id" },
    "Query condition missed key schema element: r",
  ],
  [
    "two conditions of a key",
    { KeyConditionExpression: "id = :id AND id = :id" },
    "KeyConditionExpressions must only contain one condition per key",
  ],
  [
    "a function",
    { KeyConditionExpression: "id = :id AND attribute_exists(r)" },
    "Invalid operator used in KeyConditionExpression: attribute_exists",
  ],
  [
    "a value of another type",
    { KeyConditionExpression: "id = :id AND r = :id" },
    "One or more parameter values were invalid: Condition parameter type does not match schema type",
  ],
  [
    "a filter on the key",
    { FilterExpression: "r > :id" },
    "Filter Expression can only contain non-primary key attributes: Primary key attribute: r",
  ],
  [
    "a start in another partition",
    { ExclusiveStartKey: { id: { S: "b" }, r: { N: "1" } } },
    "The provided starting key is outside query boundaries based on provided conditions",
  ],
  [
    "half a start",
    { ExclusiveStartKey: { id: { S: "a" } } },
    "The provided starting key is invalid: The provided key element does not match the schema",
  ],
  [
    "a start outside the range",
    {
      KeyConditionExpression: "id = :id AND r > :r",
      ExpressionAttributeValues: { ":id": { S: "a" }, ":r": { N: "0" } },
      ExclusiveStartKey: { id: { S: "a" }, r: { N: "-1" } },
    },
    "The provided starting key does not match the range key predicate",
  ],
  [
    "attributes and COUNT",
    { Select: "COUNT", ProjectionExpression: "held" },
    "1 validation error detected: One or more parameter values were invalid: Cannot specify the ProjectionExpression when choosing to get only the Count",
  ],
  [
    "all of a projection that is none",
    { Select: "ALL_PROJECTED_ATTRIBUTES" },
    "1 validation error detected: One or more parameter values were invalid: ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName",
  ],
];

for (const [what, input, message] of REFUSED)
  test(`Query refuses ${what}`, async () => {
    await assert.rejects(query(input), { name: "ValidationException", message });
  });

test("Query of a table without range key is not restarted", async () => {
  await dynamodb.createTable({
    TableName: "bare",
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  await assert.rejects(
    dynamodb.query({
      TableName: "bare",
      KeyConditionExpression: "id = :id",
      ExpressionAttributeValues: { ":id": { S: "1" } },
      ExclusiveStartKey: { id: { S: "1" } },
    }),
    { message: "The query can return at most one row and cannot be restarted" },
  );
});

test("legacy KeyConditions and filters", async () => {
  const page = await dynamodb.query({
    TableName: "indexed",
    KeyConditions: {
      id: { ComparisonOperator: "EQ", AttributeValueList: [{ S: "a" }] },
      r: { ComparisonOperator: "GE", AttributeValueList: [{ N: "1" }] },
    },
    QueryFilter: { held: { ComparisonOperator: "CONTAINS", AttributeValueList: [{ S: "7" }] } },
    AttributesToGet: ["held"],
  });
  assert.deepEqual([page.Items, page.ScannedCount], [[{ held: { S: "h7" } }], 4]);
  const scanned = await scan({
    ScanFilter: {
      g: { ComparisonOperator: "NOT_NULL" },
      held: { ComparisonOperator: "IN", AttributeValueList: [{ S: "h1" }, { S: "h2" }] },
    },
    ConditionalOperator: "OR",
  });
  assert.equal(scanned.Count, 6);
});

test("segments of a parallel Scan are disjoint and complete, in the table and in an index", async () => {
  await dynamodb.createTable({
    TableName: "segmented",
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "N" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  for (let i = 0; i < 60; i++) await dynamodb.putItem({ TableName: "segmented", Item: { id: { N: `${i}` } } });
  const whole = (await dynamodb.scan({ TableName: "segmented" })).Items?.map(({ id }) => id?.N);
  const joined: (string | undefined)[] = [];
  for (let Segment = 0; Segment < 7; Segment++) {
    const input = { TableName: "segmented", Segment, TotalSegments: 7, Limit: 4 };
    let page = await dynamodb.scan(input);
    joined.push(...(page.Items ?? []).map(({ id }) => id?.N));
    while (page.LastEvaluatedKey) {
      if (Segment === 0)
        await assert.rejects(dynamodb.scan({ ...input, Segment: 6, ExclusiveStartKey: page.LastEvaluatedKey }), {
          message: "The provided Exclusive start key does not map to the provided Segment and TotalSegments values.",
        });
      page = await dynamodb.scan({ ...input, ExclusiveStartKey: page.LastEvaluatedKey });
      joined.push(...(page.Items ?? []).map(({ id }) => id?.N));
    }
  }
  assert.equal(new Set(whole).size, 60);
  assert.deepEqual(joined, whole);
});

test("Scan refuses half a segment", async () => {
  await assert.rejects(scan({ Segment: 0 }), /^ValidationException: The TotalSegments parameter is required/);
  await assert.rejects(scan({ TotalSegments: 2 }), /^ValidationException: The Segment parameter is required/);
  await assert.rejects(scan({ Segment: 2, TotalSegments: 2 }), {
    message:
      "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 2 is not less than TotalSegments: 2",
  });
});

test("Scan of a global index reads its entries only", async () => {
  assert.equal((await scan()).Count, 12);
  assert.equal((await scan({ IndexName: "global" })).Count, 4);
});

// A model of a partition: a list of keys, sorted by what AWS's page says.
const keyValues: Record<KeyType, fc.Arbitrary<AttributeValue>> = {
  S: fc.string({ minLength: 1, maxLength: 4, unit: "grapheme" }).map((S) => ({ S })),
  N: fc
    .tuple(fc.integer({ min: -999, max: 999 }), fc.integer({ min: -20, max: 20 }))
    .map(([n, e]) => ({ N: `${n}e${e}` })),
  B: fc.uint8Array({ minLength: 1, maxLength: 3 }).map((B) => ({ B })),
};
const bigger = (a: AttributeValue, b: AttributeValue): number =>
  a.N !== undefined ? Number(a.N) - Number(b.N) : Buffer.compare(Buffer.from(a.S ?? a.B!), Buffer.from((b.S ?? b.B)!));

for (const type of ["S", "N", "B"] as const)
  test(`keys of type ${type} sort as an obvious model sorts them`, async () => {
    const TableName = `order-${type}`;
    await dynamodb.createTable({
      TableName,
      AttributeDefinitions: [
        { AttributeName: "id", AttributeType: "S" },
        { AttributeName: "k", AttributeType: type },
      ],
      KeySchema: [
        { AttributeName: "id", KeyType: "HASH" },
        { AttributeName: "k", KeyType: "RANGE" },
      ],
      BillingMode: "PAY_PER_REQUEST",
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(keyValues[type], { minLength: 1, maxLength: 8 }),
        keyValues[type],
        async (keys, bound) => {
          const id = { S: `${run++}` };
          for (const k of keys) await dynamodb.putItem({ TableName, Item: { id, k } });
          const model = keys
            .toSorted(bigger)
            .filter((key, i, all) => i === 0 || bigger(all[i - 1]!, key) !== 0)
            .filter((key) => bigger(key, bound) >= 0);
          const { Items } = await dynamodb.query({
            TableName,
            KeyConditionExpression: "id = :id AND k >= :k",
            ExpressionAttributeValues: { ":id": id, ":k": bound },
          });
          assert.equal(Items?.length, model.length);
          for (const [i, item] of Items!.entries()) assert.equal(bigger(item.k!, model[i]!), 0);
        },
      ),
      { numRuns: 25 },
    );
  });

test("a partition of many items is read to its end, in the table and in its indexes, either way", async () => {
  const TableName = "many";
  await dynamodb.createTable({
    TableName,
    AttributeDefinitions: ["id", "r", "g"].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
    KeySchema: [
      { AttributeName: "id", KeyType: "HASH" },
      { AttributeName: "r", KeyType: "RANGE" },
    ],
    GlobalSecondaryIndexes: [{ IndexName: "by-g", KeySchema: [{ AttributeName: "g", KeyType: "HASH" }], ...KEYS_ONLY }],
    BillingMode: "PAY_PER_REQUEST",
  });
  const ranges = Array.from({ length: 100 }, (_, i) => `${i}`.padStart(3, "0"));
  for (let i = 0; i < ranges.length; i += 25)
    await dynamodb.batchWriteItem({
      RequestItems: {
        [TableName]: ranges
          .slice(i, i + 25)
          .map((r) => ({ PutRequest: { Item: { id: { S: "x" }, r: { S: r }, g: { S: "x" } } } })),
      },
    });
  for (const ScanIndexForward of [true, false]) {
    const expected = ScanIndexForward ? ranges : ranges.toReversed();
    for (const [IndexName, name] of [
      [undefined, "id"],
      ["by-g", "g"],
    ] as const) {
      const { Items } = await dynamodb.query({
        TableName,
        IndexName,
        ScanIndexForward,
        KeyConditionExpression: "#k = :x",
        ExpressionAttributeNames: { "#k": name },
        ExpressionAttributeValues: { ":x": { S: "x" } },
      });
      assert.deepEqual(
        Items?.map(({ r }) => r?.S),
        expected,
        `${IndexName} ${ScanIndexForward}`,
      );
    }
  }
});
