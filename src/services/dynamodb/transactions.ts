// TransactWriteItems and TransactGetItems. A write is serializable already: a transaction is one write, and never meets another half-way.
import { createHash } from "node:crypto";
import { AwsError, type Context, defineOperations, type Input, type Tx } from "../../kernel/mod.ts";
import { onItems, selectOf } from "./access.ts";
import { type Action, deleteAction, type Effect, perform, putAction, updateAction, writeCost } from "./actions.ts";
import { capacities, grouped, inOrder, metricsOf } from "./batches.ts";
import { addCosts, type Cost, type Detail, readUnits, timesTwo } from "./capacity.ts";
import { errors } from "./errors.ts";
import { project } from "./expression/project.ts";
import { keyOfRequest, type RowKey } from "./item-key.ts";
import { logWrite } from "./items.ts";
import { readExpressions } from "./parameters.ts";
import { inLockingOrder, readItem, type Writing, writing } from "./rows.ts";
import { openTable, type Table } from "./schema.ts";
import type { Stored } from "./stored.ts";
import { base64, type Item, itemSize, soundItem } from "./value.ts";

// What a client request token did: for ten minutes the same token with the same parameters does nothing more.
export const MIGRATION = `
  CREATE TABLE dynamodb_transaction (
    account TEXT NOT NULL, region TEXT NOT NULL, token TEXT NOT NULL,
    fingerprint TEXT NOT NULL, expires_ms BIGINT NOT NULL,
    PRIMARY KEY (account, region, token)
  );
  CREATE INDEX dynamodb_transaction_expires ON dynamodb_transaction (expires_ms)`;

const TOKEN_MS = 10 * 60 * 1000;
/** 4 MB in all. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html */
const MOST_BYTES = 4 * 1024 * 1024;

type WriteInput = Input<"dynamodb", "TransactWriteItems">;
type TransactItem = NonNullable<WriteInput["TransactItems"]>[number];

export const transactions = defineOperations("dynamodb", {
  TransactWriteItems: {
    // AWS asks for the permission of each action: dynamodb:PutItem, dynamodb:ConditionCheckItem, ...
    access: (ctx, input) =>
      (input.TransactItems ?? []).map((item) => {
        const { Put, Update, Delete, ConditionCheck } = oneAction(item);
        const key = Update ?? Delete ?? ConditionCheck;
        const action = Put ? "PutItem" : Update ? "UpdateItem" : Delete ? "DeleteItem" : "ConditionCheckItem";
        return onItems(ctx, action, {
          table: (Put ?? key)?.TableName,
          touching: () => ({
            keys: [Put?.Item ?? key?.Key ?? {}],
            expressions: [Update?.UpdateExpression, (Put ?? key)?.ConditionExpression],
            names: (Put ?? key)?.ExpressionAttributeNames,
            capacity: input.ReturnConsumedCapacity,
            enclosing: "TransactWriteItems",
          }),
        });
      }),
    async handle(ctx, input) {
      const requests = (input.TransactItems ?? []).map(prepare);
      notTooLarge(input.TransactItems ?? []);
      return transactWrite(ctx, {
        operation: "TransactWriteItems",
        input,
        open: (tx) =>
          inOrder(requests, async ({ tableName, action }) => ({ action, table: await openTable(tx, ctx, tableName) })),
        firstFault: true,
      });
    },
  },

  TransactGetItems: {
    access: (ctx, input) =>
      (input.TransactItems ?? []).map(({ Get }) =>
        onItems(ctx, "GetItem", {
          table: Get?.TableName,
          touching: () => ({
            keys: [Get?.Key ?? {}],
            expressions: [Get?.ProjectionExpression],
            names: Get?.ExpressionAttributeNames,
            select: selectOf(Get ?? {}),
            capacity: input.ReturnConsumedCapacity,
            enclosing: "TransactGetItems",
          }),
        }),
      ),
    async handle(ctx, input) {
      const gets = (input.TransactItems ?? []).map(({ Get }) => ({
        tableName: Get?.TableName,
        key: soundItem(Get?.Key ?? {}),
        projection: readExpressions(Get ?? {}, ["ProjectionExpression"]).projection,
      }));
      const found = await ctx.read(async (tx) => {
        const opened = await inOrder(gets, async (get) => ({ ...get, table: await openTable(tx, ctx, get.tableName) }));
        const keyed = opened.map((get) => ({
          ...get,
          rowKey: canceling(opened, get, () => keyOfRequest(get.table, get.key)),
        }));
        oneActionAnItem(keyed);
        return inOrder(keyed, async ({ table, rowKey, projection }) => ({
          table,
          projection,
          stored: await readItem(tx, table, rowKey),
        }));
      });
      return {
        Responses: found.map(({ stored, projection }) =>
          stored ? { Item: projection ? project(stored.item, projection) : stored.item } : {},
        ),
        ...readCapacities(found, input.ReturnConsumedCapacity),
      };
    },
  },
});

/** Twice what the reads would cost alone, table by table. Together they are 4 MB at most. */
export function readCapacities(found: readonly { table: Table; stored: Stored | undefined }[], detail: Detail) {
  fits(found.reduce((sum, { stored }) => sum + (stored?.size ?? 0), 0));
  const costs = new Map<Table, Cost>();
  for (const { table, stored } of found)
    costs.set(
      table,
      addCosts(costs.get(table) ?? { table: 0 }, timesTwo({ table: readUnits(stored?.size ?? 0, true) })),
    );
  return capacities([...costs], detail, "ReadCapacityUnits");
}

export interface Transaction {
  readonly operation: "TransactWriteItems" | "ExecuteTransaction";
  /** The whole request: a token stands for all of it. */
  readonly input: {
    readonly ClientRequestToken?: string | undefined;
    readonly ReturnConsumedCapacity?: Detail;
    readonly ReturnItemCollectionMetrics?: "SIZE" | "NONE" | undefined;
  };
  /** The actions, once their tables are known. */
  readonly open: (tx: Tx) => Promise<readonly Opened[]>;
  /** Of several actions that are not valid only the first is told of. */
  readonly firstFault: boolean;
}

/** All or nothing, and once for each token. */
export async function transactWrite(ctx: Context, { operation, input, open, firstFault }: Transaction) {
  await sweepTokens(ctx);
  const { opened, effects } = await writing(ctx, async (within) => {
    const opened = await open(within.tx);
    // The token is looked at after the tables: an unknown table is an error, token or not.
    if (await isRepeated(within.tx, ctx, input)) return { opened, effects: undefined };
    return { opened, effects: await performAll(within, opened, firstFault) };
  });
  if (effects) for (const done of effects) logWrite(ctx, operation, done);
  const byTable = grouped(effects ?? []);
  // A repeated call costs the reads that found it repeated.
  const costs = effects
    ? byTable.map(({ table, effects: done }): [Table, Cost] => [
        table,
        timesTwo(done.map((effect) => writeCost(table, effect)).reduce(addCosts)),
      ])
    : [...new Set(opened.map(({ table }) => table))].map((table): [Table, Cost] => [table, { table: 2 }]);
  const touched = effects ? byTable : grouped(opened.map(named));
  return {
    ...capacities(costs, input.ReturnConsumedCapacity, effects ? "WriteCapacityUnits" : "ReadCapacityUnits"),
    ...(input.ReturnItemCollectionMetrics === "SIZE" && { ItemCollectionMetrics: metricsOf(touched) }),
  };
}

/** What a repeated call touched when it was not yet one: a collection is known by the key. */
const named = ({ table, action }: Opened): { table: Table; effect: Effect } => ({
  table,
  effect: { key: action.key(table), after: { item: action.named, size: 0 } },
});

interface Request {
  readonly tableName: string | undefined;
  readonly action: Action;
}

function oneAction(item: TransactItem): TransactItem {
  const { Put, Update, Delete, ConditionCheck } = item;
  if ([Put, Update, Delete, ConditionCheck].filter((action) => action !== undefined).length !== 1)
    throw errors.validation("TransactItems can only contain one of Check, Put, Update or Delete");
  return item;
}

function prepare({ Put, Update, Delete, ConditionCheck }: TransactItem): Request {
  if (Put) return { tableName: Put.TableName, action: putAction(Put) };
  if (Update) return { tableName: Update.TableName, action: updateAction(Update) };
  if (Delete) return { tableName: Delete.TableName, action: deleteAction(Delete) };
  return { tableName: ConditionCheck?.TableName, action: deleteAction(ConditionCheck!, "ConditionCheck") };
}

/** Items, keys and values as they are given. */
function notTooLarge(items: readonly TransactItem[]): void {
  const bytes = items
    .map(({ Put, Update, Delete, ConditionCheck }) => Put ?? Update ?? Delete ?? ConditionCheck!)
    .flatMap((action) => ["Item" in action ? action.Item : action.Key, action.ExpressionAttributeValues])
    .reduce((sum, values) => sum + itemSize(values ?? {}), 0);
  fits(bytes);
}

export function fits(bytes: number): void {
  if (bytes > MOST_BYTES)
    throw errors.validation("Aggregate size of all items in the transaction exceeds the limit of 4 MB");
}

export interface Opened {
  readonly table: Table;
  readonly action: Action;
}

/** Every action is looked at before any says no: AWS answers the reasons of all. */
async function performAll(
  within: Writing,
  opened: readonly Opened[],
  firstFault: boolean,
): Promise<{ table: Table; effect: Effect }[]> {
  const reasons: Reason[] = opened.map(() => NO_REASON);
  const canceled = () => {
    const invalid = firstFault ? reasons.findIndex(({ Code }) => Code === "ValidationError") : -1;
    if (invalid >= 0) throw errors.canceled(only(opened.length, invalid, reasons[invalid]!));
    if (reasons.some(({ Code }) => Code !== "None")) throw errors.canceled(reasons);
  };
  const keyed = opened.flatMap((request, i) => {
    try {
      return [{ ...request, rowKey: request.action.key(request.table) }];
    } catch (error) {
      reasons[i] = cancelingReason(error);
      return [];
    }
  });
  canceled();
  oneActionAnItem(keyed);
  const done: { table: Table; effect: Effect }[] = [];
  for (const { table, action } of keyed.toSorted(inLockingOrder)) {
    const i = opened.findIndex((request) => request.action === action);
    try {
      done.push({ table, effect: await perform(within, table, { action, wantsBefore: true }) });
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      reasons[i] = reasonOf(error);
    }
  }
  canceled();
  return done;
}

export interface Reason {
  readonly Code: string;
  readonly Message?: string;
  readonly Item?: Item;
}
export const NO_REASON: Reason = { Code: "None" };

function reasonOf(error: AwsError): Reason {
  if (error.code === "DuplicateItemException") return { Code: "DuplicateItem", Message: error.message };
  if (error.code !== "ConditionalCheckFailedException") return { Code: "ValidationError", Message: error.message };
  const item = error.fields.Item as Item | undefined;
  return { Code: "ConditionalCheckFailed", Message: error.message, ...(item && { Item: item }) };
}

const only = (count: number, at: number, reason: Reason): Reason[] =>
  Array.from({ length: count }, (_, i) => (i === at ? reason : NO_REASON));

/** A key that does not fit its table is a reason to cancel the whole. An empty one is refused like any wrong parameter. */
function cancelingReason(error: unknown): Reason {
  if (!(error instanceof AwsError) || error.message.includes("for a key attribute cannot contain an empty"))
    throw error;
  return reasonOf(error);
}

/** With that one reason. */
export function canceling<T, R>(all: readonly R[], one: R, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw errors.canceled(only(all.length, all.indexOf(one), cancelingReason(error)));
  }
}

export function oneActionAnItem(keyed: readonly { table: Table; rowKey: RowKey }[]): void {
  const texts = keyed.map(({ table, rowKey: { pk, sk } }) => `${table.number} ${base64(pk)} ${base64(sk)}`);
  if (new Set(texts).size < texts.length)
    throw errors.validation("Transaction request cannot include multiple operations on one item");
}

/** The token is claimed before it is looked for: on PostgreSQL a look at what is not there would meet every other transaction's claim. */
async function isRepeated(tx: Tx, ctx: Context, input: Transaction["input"]): Promise<boolean> {
  const { ClientRequestToken: token, ReturnConsumedCapacity, ReturnItemCollectionMetrics, ...rest } = input;
  if (token === undefined) return false;
  const fingerprint = createHash("sha256").update(canonical(rest)).digest("hex");
  const claim = {
    account: ctx.account,
    region: ctx.region,
    token,
    fingerprint,
    expires_ms: ctx.now + TOKEN_MS,
  };
  const claimed = await tx.run(
    `INSERT INTO dynamodb_transaction (account, region, token, fingerprint, expires_ms)
     VALUES (:account, :region, :token, :fingerprint, :expires_ms)
     ON CONFLICT (account, region, token) DO NOTHING`,
    claim,
  );
  if (claimed > 0) return false;
  const renewed = await tx.run(
    `UPDATE dynamodb_transaction SET fingerprint = :fingerprint, expires_ms = :expires_ms
     WHERE account = :account AND region = :region AND token = :token AND expires_ms <= :now`,
    { ...claim, now: ctx.now },
  );
  if (renewed > 0) return false;
  const known = await tx.one<{ fingerprint: string }>(
    "SELECT fingerprint FROM dynamodb_transaction WHERE account = :account AND region = :region AND token = :token",
    { account: ctx.account, region: ctx.region, token },
  );
  if (known!.fingerprint !== fingerprint) throw errors.idempotentMismatch();
  return true;
}

// Expired tokens are swept now and then, apart from any transaction: they do no harm, they only lie about.
let sweptAt = 0;

async function sweepTokens(ctx: Context): Promise<void> {
  if (Math.abs(ctx.now - sweptAt) < TOKEN_MS) return;
  sweptAt = ctx.now;
  await ctx.write((tx) => tx.run("DELETE FROM dynamodb_transaction WHERE expires_ms <= :now", { now: ctx.now }));
}

/** The same text for the same parameters, whatever the order of their members. */
function canonical(value: unknown): string {
  if (value instanceof Uint8Array) return `b${base64(value)}`;
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "";
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`)
    .sort()
    .join()}}`;
}
