// Sort keys of all three types, as they come back from Query: against a sorted list and a rule written out once more.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type AttributeValue,
  BatchWriteItemCommand,
  CreateTableCommand,
  DynamoDBClient,
  QueryCommand,
  ScanCommand,
} from "@aws-sdk/client-dynamodb";
import fc from "fast-check";
import { startCloud } from "../../../test/cloud.ts";
import type { KeyType } from "./keys.ts";

const TEXTS = [
  ..."aAbB0é~",
  "ab",
  "aa",
  "a\u0000",
  "\uffff",
  "\u{10000}",
  "\ud7ff",
  "😀",
  "a\uffff",
  "a😀",
  "\u007f",
  "\u0080",
];
const NUMBERS = [
  ...[
    "0",
    "1",
    "-1",
    "9",
    "10",
    "99",
    "100",
    "-9",
    "-10",
    "-99",
    "-100",
    "0.1",
    "-0.1",
    "0.01",
    "0.09",
    "-0.09",
    "1.5",
  ],
  ...["1e125", "-1e125", "9.9999999999999999999999999999999999999e125", "1e-130", "-1e-130", "1e-129", "3e10", "3e11"],
  ...["99999999999999999999999999999999999999", "-99999999999999999999999999999999999999", "9007199254740993"],
  ...["9007199254740992", "0.30000000000000004", "0.3", "-123.456", "-123.4561", "123456", "12345.6"],
];
const BYTES = ["00", "0000", "01", "0100", "7f", "80", "ff", "ffff", "ff00", "fe", "00ff", "ffffff"];

/** A number as so many 10^-170: as exact as a number can be. */
function units(text: string): bigint {
  const [, sign, whole, fraction = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:e(-?\d+))?$/.exec(text)!;
  const all = BigInt(whole + fraction) * 10n ** BigInt(170 + Number(exponent) - fraction.length);
  return sign ? -all : all;
}
const bytesOf = (one: AttributeValue): Buffer => Buffer.from(one.S ?? one.B!);

function order(a: AttributeValue, b: AttributeValue): number {
  if (a.N === undefined) return Buffer.compare(bytesOf(a), bytesOf(b));
  const difference = units(a.N) - units(b.N!);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

const KEYS: Readonly<Record<KeyType, readonly AttributeValue[]>> = {
  S: TEXTS.map((S) => ({ S })),
  N: NUMBERS.map((N) => ({ N })),
  B: BYTES.map((hex) => ({ B: Buffer.from(hex, "hex") })),
};
const TYPES = ["S", "N", "B"] as const;

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const client = cloud.client(DynamoDBClient);
/** The partition that is read has neighbours. */
const PARTITIONS: readonly AttributeValue[] = [{ S: "p" }, { S: "p\u0000" }, { S: "o" }];

before(async () => {
  for (const type of TYPES) {
    await client.send(
      new CreateTableCommand({
        TableName: `by-${type}`,
        AttributeDefinitions: [
          { AttributeName: "p", AttributeType: "S" },
          { AttributeName: "k", AttributeType: type },
        ],
        KeySchema: [
          { AttributeName: "p", KeyType: "HASH" },
          { AttributeName: "k", KeyType: "RANGE" },
        ],
        BillingMode: "PAY_PER_REQUEST",
      }),
    );
    const puts = PARTITIONS.flatMap((p) => KEYS[type].map((k, i) => ({ p, k, i: { N: `${i}` } })));
    for (let from = 0; from < puts.length; from += 25) {
      const requests = puts.slice(from, from + 25).map((Item) => ({ PutRequest: { Item } }));
      await client.send(new BatchWriteItemCommand({ RequestItems: { [`by-${type}`]: requests } }));
    }
  }
});

const RULES: Readonly<Record<string, (k: AttributeValue, low: AttributeValue, high: AttributeValue) => boolean>> = {
  "k = :a": (k, low) => order(k, low) === 0,
  "k < :a": (k, low) => order(k, low) < 0,
  "k <= :a": (k, low) => order(k, low) <= 0,
  ":a < k": (k, low) => order(k, low) > 0,
  "k >= :a": (k, low) => order(k, low) >= 0,
  "k BETWEEN :a AND :b": (k, low, high) => order(k, low) >= 0 && order(k, high) <= 0,
  "begins_with(k, :a)": (k, low) => bytesOf(k).subarray(0, bytesOf(low).length).equals(bytesOf(low)),
  all: () => true,
};

const question = fc.constantFrom(...TYPES).chain((type) =>
  fc.record({
    type: fc.constant(type),
    rule: fc.constantFrom(...Object.keys(RULES).filter((rule) => type !== "N" || !rule.startsWith("begins"))),
    bounds: fc.tuple(fc.constantFrom(...KEYS[type]), fc.constantFrom(...KEYS[type])),
    forward: fc.boolean(),
    limit: fc.option(fc.integer({ min: 3, max: 40 }), { nil: undefined }),
  }),
);

test("a Query answers what its rule says, in the order of strings, numbers and bytes, either way, in pages of any size", async () => {
  await fc.assert(
    fc.asyncProperty(question, async ({ type, rule, bounds, forward, limit }) => {
      const [low, high] = bounds.toSorted(order) as [AttributeValue, AttributeValue];
      const wanted = KEYS[type].filter((k) => RULES[rule]!(k, low, high)).toSorted(order);
      if (!forward) wanted.reverse();
      const found: (string | undefined)[] = [];
      let start: Record<string, AttributeValue> | undefined;
      do {
        const page = await client.send(
          new QueryCommand({
            TableName: `by-${type}`,
            KeyConditionExpression: rule === "all" ? "p = :p" : `p = :p AND ${rule}`,
            ExpressionAttributeValues: {
              ":p": PARTITIONS[0]!,
              ...(rule !== "all" && { ":a": low }),
              ...(rule.includes(":b") && { ":b": high }),
            },
            ScanIndexForward: forward,
            Limit: limit,
            ExclusiveStartKey: start,
          }),
        );
        assert.ok(limit === undefined || page.Items!.length <= limit);
        // A page that its limit ended says so, even where nothing follows; one that the data ended does not.
        assert.equal(page.LastEvaluatedKey !== undefined, page.Items!.length === limit);
        assert.deepEqual([page.Count, page.ScannedCount], [page.Items!.length, page.Items!.length]);
        found.push(...page.Items!.map(({ i }) => i!.N));
        start = page.LastEvaluatedKey;
      } while (start);
      assert.deepEqual(
        found,
        wanted.map((k) => `${KEYS[type].indexOf(k)}`),
      );
    }),
    { numRuns: 60 },
  );
});

test("a parallel Scan meets each item once, in the same segment each time, however it is paged", async () => {
  const scan = async (TableName: string, Segment: number, TotalSegments: number, Limit?: number) => {
    const found: string[] = [];
    let start: Record<string, AttributeValue> | undefined;
    do {
      const page = await client.send(
        new ScanCommand({ TableName, Segment, TotalSegments, Limit, ExclusiveStartKey: start }),
      );
      found.push(...page.Items!.map(({ p, i }) => `${p!.S} ${i!.N}`));
      start = page.LastEvaluatedKey;
    } while (start);
    return found;
  };
  const whole = await scan("by-N", 0, 1);
  assert.equal(new Set(whole).size, PARTITIONS.length * NUMBERS.length);
  for (const total of [2, 3, 7]) {
    const parts = await Promise.all(Array.from({ length: total }, (_, segment) => scan("by-N", segment, total)));
    assert.deepEqual(parts.flat(), whole, "one after the other they are the whole Scan");
    const paged = await Promise.all(parts.map((_, segment) => scan("by-N", segment, total, 5)));
    assert.deepEqual(paged, parts);
  }
});
