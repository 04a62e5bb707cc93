// A bank under many writers, killed in the middle of it: transfers are all or nothing, and each happens once, whatever was answered.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DynamoDB, type TransactWriteItem } from "@aws-sdk/client-dynamodb";
import { startPostgres } from "../tools/postgres.ts";
import { makeWorkspace, type Running, until } from "./running.ts";

const LIMIT = { timeout: 170_000 };
const ACCOUNTS = 20;
const OPENING = 1000;

test("the bank loses no cent under 64 writers and two kill -9, on SQLite", LIMIT, () =>
  bank({ writers: 64, kills: 2, transfers: 100 }),
);

test("the bank loses no cent under 12 writers and a kill -9, on PostgreSQL", LIMIT, async (t) => {
  await using postgres = await startPostgres();
  if (!postgres) return t.skip("*** there is no PostgreSQL on this machine: apt-get install postgresql ***");
  const url = await postgres.createDatabase();
  await bank({ writers: 12, kills: 1, transfers: 30, args: ["--database", url] });
});

interface Run {
  readonly writers: number;
  readonly kills: number;
  /** Acknowledged ones, before each kill. */
  readonly transfers: number;
  readonly args?: readonly string[];
}

interface Transfer {
  readonly id: string;
  readonly from: number;
  readonly to: number;
  readonly cents: number;
}

async function bank({ writers, kills, transfers, args = [] }: Run): Promise<void> {
  await using workspace = await makeWorkspace({ init: false });
  const done = new Map<string, Transfer>();
  let unanswered: Transfer[] = [];
  let next = 0;
  const begin = (): Transfer => {
    const n = next++;
    return { id: `t${n}`, from: n % ACCOUNTS, to: (n * 7 + 3) % ACCOUNTS, cents: 1 + ((n * 13) % 97) };
  };
  for (let round = 0; round <= kills; round++) {
    const cloud = await workspace.up(...args);
    const dynamodb = cloud.client(DynamoDB);
    if (round === 0) await open(dynamodb);
    const target = done.size + transfers;
    let over = false;
    const send = async (transfer: Transfer): Promise<void> => {
      if (transfer.from === transfer.to) return;
      try {
        if (await moved(dynamodb, transfer)) done.set(transfer.id, transfer);
      } catch {
        unanswered.push(transfer); // it was killed: asked again after the restart, with the same token
      }
    };
    const again = unanswered;
    unanswered = [];
    await Promise.all(again.map(send));
    const write = async () => {
      while (!over && (round === kills ? done.size < target : true)) await send(begin());
    };
    const watch = async () => {
      while (!over && done.size < target)
        assert.equal(await total(dynamodb).catch(() => ACCOUNTS * OPENING), ACCOUNTS * OPENING);
    };
    const all = Promise.all([...Array.from({ length: writers }, write), watch()]);
    if (round < kills) {
      await until("it is in the middle of it", () => done.size >= target);
      over = true;
      await cloud.kill();
    }
    await all;
    if (round === kills) await audit(cloud, done);
  }
  assert.equal(unanswered.length, 0);
}

const account = (n: number) => ({ id: { S: `account-${n}` } });
const TableName = "bank";

async function open(dynamodb: DynamoDB): Promise<void> {
  await dynamodb.createTable({
    TableName,
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  for (let n = 0; n < ACCOUNTS; n++)
    await dynamodb.putItem({ TableName, Item: { ...account(n), cents: { N: `${OPENING}` } } });
}

/** False where the account has not so much. Every third in PartiQL. */
async function moved(dynamodb: DynamoDB, { id, from, to, cents }: Transfer): Promise<boolean> {
  const change = (n: number, by: number, more: Partial<TransactWriteItem["Update"]> = {}): TransactWriteItem => ({
    Update: {
      TableName,
      Key: account(n),
      UpdateExpression: "ADD cents :by",
      ExpressionAttributeValues: { ":by": { N: `${by}` }, ...(by < 0 && { ":least": { N: `${-by}` } }) },
      ...more,
    },
  });
  const receipt = { id: { S: id }, from: { N: `${from}` }, to: { N: `${to}` }, moved: { N: `${cents}` } };
  try {
    if (Number(id.slice(1)) % 3 === 0)
      await dynamodb.executeTransaction({
        ClientRequestToken: id,
        TransactStatements: [
          {
            Statement: "UPDATE bank SET cents = cents - ? WHERE id = ? AND cents >= ?",
            Parameters: [{ N: `${cents}` }, account(from).id, { N: `${cents}` }],
          },
          {
            Statement: "UPDATE bank SET cents = cents + ? WHERE id = ?",
            Parameters: [{ N: `${cents}` }, account(to).id],
          },
          {
            Statement: "INSERT INTO bank VALUE {'id': ?, 'from': ?, 'to': ?, 'moved': ?}",
            Parameters: Object.values(receipt),
          },
        ],
      });
    else
      await dynamodb.transactWriteItems({
        ClientRequestToken: id,
        TransactItems: [
          change(from, -cents, { ConditionExpression: "cents >= :least" }),
          change(to, cents),
          { Put: { TableName, Item: receipt, ConditionExpression: "attribute_not_exists(id)" } },
        ],
      });
    return true;
  } catch (error) {
    if ((error as Error).name !== "TransactionCanceledException") throw error;
    assert.match((error as Error).message, /\[ConditionalCheckFailed, None, None\]/, "only ever for want of money");
    return false;
  }
}

/** Of all accounts at one moment. */
async function total(dynamodb: DynamoDB): Promise<number> {
  const { Responses } = await dynamodb.transactGetItems({
    TransactItems: Array.from({ length: ACCOUNTS }, (_, n) => ({ Get: { TableName, Key: account(n) } })),
  });
  return Responses!.reduce((sum, { Item }) => sum + Number(Item!.cents!.N), 0);
}

/** Every acknowledged transfer has its receipt, no other is there, and the accounts are what the receipts make of them. */
async function audit(cloud: Running, done: ReadonlyMap<string, Transfer>): Promise<void> {
  const dynamodb = cloud.client(DynamoDB);
  const cents = Array.from({ length: ACCOUNTS }, () => OPENING);
  const receipts: string[] = [];
  const held = new Map<number, number>();
  let ExclusiveStartKey: Parameters<DynamoDB["scan"]>[0]["ExclusiveStartKey"];
  do {
    const page = await dynamodb.scan({ TableName, ConsistentRead: true, ExclusiveStartKey });
    for (const item of page.Items!) {
      if (item.cents) held.set(Number(item.id!.S!.split("-")[1]), Number(item.cents.N));
      else {
        receipts.push(item.id!.S!);
        cents[Number(item.from!.N)]! -= Number(item.moved!.N);
        cents[Number(item.to!.N)]! += Number(item.moved!.N);
      }
    }
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey);
  assert.deepEqual(receipts.sort(), [...done.keys()].sort());
  assert.deepEqual(
    [...held.entries()].sort(([a], [b]) => a - b).map(([, value]) => value),
    cents,
  );
  assert.ok(cents.every((value) => value >= 0));
  assert.equal(
    cents.reduce((sum, value) => sum + value),
    ACCOUNTS * OPENING,
  );
  await cloud.stop();
}
