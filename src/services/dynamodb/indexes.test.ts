// Indexes against an obvious model: after any writes an index holds what its table's items say, in the order of its keys.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type AttributeValue, DynamoDB } from "@aws-sdk/client-dynamodb";
import fc from "fast-check";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);
type Item = Record<string, AttributeValue>;

interface Write {
  readonly kind: "put" | "update" | "remove" | "delete" | "transact";
  readonly id: number;
  readonly color: string | undefined;
  readonly size: number | undefined;
}

const write: fc.Arbitrary<Write> = fc.record({
  kind: fc.constantFrom("put", "update", "remove", "delete", "transact"),
  id: fc.integer({ min: 0, max: 4 }),
  color: fc.option(fc.constantFrom("red", "blue"), { nil: undefined }),
  size: fc.option(fc.integer({ min: -2, max: 12 }), { nil: undefined }),
});

const keyOf = (id: number): Item => ({ owner: { S: "o" }, id: { N: `${id}` } });
const attributes = ({ color, size }: Write): Item => ({
  ...(color !== undefined && { color: { S: color } }),
  ...(size !== undefined && { size: { N: `${size}` } }),
});

async function perform(TableName: string, one: Write): Promise<void> {
  const Key = keyOf(one.id);
  const Item = { ...Key, ...attributes(one), extra: { S: "x" } };
  const named = { "#s": "size" };
  if (one.kind === "put") await dynamodb.putItem({ TableName, Item });
  else if (one.kind === "delete") await dynamodb.deleteItem({ TableName, Key });
  else if (one.kind === "transact")
    await dynamodb.transactWriteItems({ TransactItems: [{ Put: { TableName, Item } }] });
  else if (one.kind === "remove")
    await dynamodb.updateItem({
      TableName,
      Key,
      UpdateExpression: "REMOVE #s, color",
      ExpressionAttributeNames: named,
    });
  else
    await dynamodb.updateItem({
      TableName,
      Key,
      UpdateExpression: "SET #s = :s",
      ExpressionAttributeNames: named,
      ExpressionAttributeValues: { ":s": { N: `${one.size ?? 0}` } },
    });
}

function applied(items: Map<number, Item>, one: Write): void {
  const key = keyOf(one.id);
  const old = items.get(one.id) ?? key;
  const { size: _size, color: _color, ...bare } = old;
  if (one.kind === "put" || one.kind === "transact")
    items.set(one.id, { ...key, ...attributes(one), extra: { S: "x" } });
  else if (one.kind === "delete") items.delete(one.id);
  else if (one.kind === "remove") items.set(one.id, bare);
  else items.set(one.id, { ...old, size: { N: `${one.size ?? 0}` } });
}

/** Two items at a time: each page goes on with the whole key of the last. */
async function pages(TableName: string, color: string, condition: string): Promise<Item[]> {
  const found: Item[] = [];
  let ExclusiveStartKey: Item | undefined;
  do {
    const { Items = [], LastEvaluatedKey } = await dynamodb.query({
      TableName,
      IndexName: "several",
      Limit: 2,
      KeyConditionExpression: `#o = :o AND color = :c${condition}`,
      ExpressionAttributeNames: { "#o": "owner", ...(condition && { "#s": "size" }) },
      ExpressionAttributeValues: {
        ":o": { S: "o" },
        ":c": { S: color },
        ...(condition.includes(":three") && { ":three": { N: "3" } }),
        ...(condition.includes(":one") && { ":one": { N: "1" } }),
      },
      ExclusiveStartKey,
    });
    found.push(...Items);
    ExclusiveStartKey = LastEvaluatedKey;
  } while (ExclusiveStartKey);
  return found;
}

const pick = (item: Item, names: readonly string[]): Item =>
  Object.fromEntries(names.filter((name) => item[name]).map((name) => [name, item[name]!]));
const byId = (a: Item, b: Item): number => Number(a.id?.N) - Number(b.id?.N);
const bySize = (a: Item, b: Item): number => Number(a.size?.N) - Number(b.size?.N);

test("indexes hold what their table's items say", async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(write, { minLength: 1, maxLength: 15 }), async (writes) => {
      const TableName = `run-${run++}`;
      await dynamodb.createTable({
        TableName,
        AttributeDefinitions: [
          { AttributeName: "owner", AttributeType: "S" },
          { AttributeName: "id", AttributeType: "N" },
          { AttributeName: "color", AttributeType: "S" },
          { AttributeName: "size", AttributeType: "N" },
        ],
        KeySchema: [
          { AttributeName: "owner", KeyType: "HASH" },
          { AttributeName: "id", KeyType: "RANGE" },
        ],
        LocalSecondaryIndexes: [
          {
            IndexName: "local",
            KeySchema: [
              { AttributeName: "owner", KeyType: "HASH" },
              { AttributeName: "size", KeyType: "RANGE" },
            ],
            Projection: { ProjectionType: "ALL" },
          },
        ],
        GlobalSecondaryIndexes: [
          {
            IndexName: "global",
            KeySchema: [
              { AttributeName: "color", KeyType: "HASH" },
              { AttributeName: "size", KeyType: "RANGE" },
            ],
            Projection: { ProjectionType: "KEYS_ONLY" },
          },
          {
            IndexName: "several",
            KeySchema: [
              { AttributeName: "owner", KeyType: "HASH" },
              { AttributeName: "color", KeyType: "HASH" },
              { AttributeName: "size", KeyType: "RANGE" },
              { AttributeName: "id", KeyType: "RANGE" },
            ],
            Projection: { ProjectionType: "ALL" },
          },
        ],
        BillingMode: "PAY_PER_REQUEST",
      });
      const model = new Map<number, Item>();
      for (const one of writes) {
        await perform(TableName, one);
        applied(model, one);
      }
      const items = [...model.values()].sort(byId);
      assert.deepEqual((await dynamodb.scan({ TableName })).Items, items);

      const local = await dynamodb.query({
        TableName,
        IndexName: "local",
        KeyConditionExpression: "#o = :o",
        ExpressionAttributeNames: { "#o": "owner" },
        ExpressionAttributeValues: { ":o": { S: "o" } },
      });
      const sized = items.filter(({ size }) => size);
      assert.deepEqual(
        local.Items?.map(({ size }) => size),
        sized.toSorted(bySize).map(({ size }) => size),
      );
      assert.deepEqual(local.Items?.toSorted(byId), sized);

      const global = await dynamodb.scan({ TableName, IndexName: "global" });
      const colored = sized.filter(({ color }) => color).map((item) => pick(item, ["owner", "id", "color", "size"]));
      assert.deepEqual(global.Items?.toSorted(byId), colored);

      for (const color of ["red", "blue"]) {
        const ours = sized.filter((item) => item.color?.S === color).toSorted((a, b) => bySize(a, b) || byId(a, b));
        assert.deepEqual(await pages(TableName, color, ""), ours);
        const large = ours.filter(({ size }) => Number(size?.N) >= 3);
        assert.deepEqual(await pages(TableName, color, " AND #s >= :three"), large);
        const three = ours.filter(({ size, id }) => Number(size?.N) === 3 && Number(id?.N) > 1);
        assert.deepEqual(await pages(TableName, color, " AND #s = :three AND id > :one"), three);
      }
    }),
    { numRuns: 20 },
  );
});
