// BatchGetItem and BatchWriteItem.
import { defineOperations, type Input, type Output, type Tx } from "../../kernel/mod.ts";
import { onItems, selectOf } from "./access.ts";
import { type Action, deleteAction, type Effect, perform, putAction, writeCost } from "./actions.ts";
import { addCosts, type ConsumedCapacity, type Cost, consumed, type Detail, readUnits } from "./capacity.ts";
import { errors } from "./errors.ts";
import type { Path } from "./expression/ast.ts";
import { project } from "./expression/project.ts";
import { keyAttributes, keyOfRequest, type RowKey } from "./item-key.ts";
import { collectionMetrics, logWrite } from "./items.ts";
import { readExpressions } from "./parameters.ts";
import { inLockingOrder, readItem, writing } from "./rows.ts";
import { openTable, type Table } from "./schema.ts";
import { base64, type Item, itemText, member, soundItem } from "./value.ts";

const MOST_KEYS = 100;
const MOST_WRITES = 25;
/** https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html */
const MOST_BYTES = 16 * 1024 * 1024;

type GetInput = Input<"dynamodb", "BatchGetItem">;
type WriteInput = Input<"dynamodb", "BatchWriteItem">;
type Unprocessed = NonNullable<GetInput["RequestItems"]>;

export const batches = defineOperations("dynamodb", {
  BatchGetItem: {
    access: (ctx, input) =>
      Object.entries(input.RequestItems ?? {}).map(([table, request]) =>
        onItems(ctx, "BatchGetItem", {
          table,
          touching: () => ({
            keys: request.Keys ?? [],
            attributes: request.AttributesToGet ?? [],
            expressions: [request.ProjectionExpression],
            names: request.ExpressionAttributeNames,
            select: selectOf(request),
            capacity: input.ReturnConsumedCapacity,
          }),
        }),
      ),
    async handle(ctx, input) {
      const requests = readRequests(input);
      const { found, unprocessed } = await ctx.read(async (tx) => {
        const tables = await inOrder(requests, async (request) => {
          const table = await openTable(tx, ctx, request.name);
          return { ...request, table };
        });
        const keyed = tables.map((request) => ({ ...request, rowKeys: distinctKeys(request.table, request.keys) }));
        return readKeys(tx, keyed);
      });
      return {
        Responses: Object.fromEntries(found.map(({ name, items }) => [name, items])),
        UnprocessedKeys: unprocessed,
        ...capacities(
          found.map(({ table, cost }) => [table, cost]),
          input.ReturnConsumedCapacity,
        ),
      };
    },
  },

  BatchWriteItem: {
    access: (ctx, input) =>
      Object.entries(input.RequestItems ?? {}).map(([table, requests]) =>
        onItems(ctx, "BatchWriteItem", {
          table,
          touching: () => ({
            keys: requests.map(({ PutRequest, DeleteRequest }) => PutRequest?.Item ?? DeleteRequest?.Key ?? {}),
            capacity: input.ReturnConsumedCapacity,
          }),
        }),
      ),
    async handle(ctx, input) {
      const requests = readWrites(input);
      const written = await writing(ctx, async (within) => {
        const tables = await inOrder(requests, async ({ name, actions }) => ({
          actions,
          table: await openTable(within.tx, ctx, name),
        }));
        const keyed = tables.flatMap(({ table, actions }) =>
          onlyOnce(actions.map((action) => ({ table, action, rowKey: action.key(table) }))),
        );
        const wantsBefore = detailed(input.ReturnConsumedCapacity);
        const done = await inOrder(keyed.sort(inLockingOrder), async ({ table, action }) => ({
          table,
          effect: await perform(within, table, { action, wantsBefore }),
        }));
        return grouped(done);
      });
      for (const { table, effects } of written)
        for (const effect of effects) logWrite(ctx, "BatchWriteItem", { table, effect });
      const costs = written.map(({ table, effects }): [Table, Cost] => [
        table,
        effects.map((effect) => writeCost(table, effect)).reduce(addCosts, { table: 0 }),
      ]);
      return {
        UnprocessedItems: {},
        ...(input.ReturnItemCollectionMetrics === "SIZE" && { ItemCollectionMetrics: metricsOf(written) }),
        ...capacities(costs, input.ReturnConsumedCapacity),
      };
    },
  },
});

interface KeyedRequest {
  readonly name: string;
  readonly table: Table;
  readonly keys: readonly Item[];
  readonly rowKeys: readonly RowKey[];
  readonly parameters: Unprocessed[string];
  readonly projection: readonly Path[] | undefined;
}

async function readKeys(tx: Tx, requests: readonly KeyedRequest[]) {
  const unprocessed: Unprocessed = {};
  let bytes = 0;
  const found = await inOrder(requests, async ({ name, table, keys, rowKeys, parameters, projection }) => {
    const items: Item[] = [];
    let cost: Cost = { table: 0 };
    for (const [i, key] of rowKeys.entries()) {
      if (bytes > MOST_BYTES) {
        unprocessed[name] = { ...parameters, Keys: keys.slice(i) };
        break;
      }
      const stored = await readItem(tx, table, key);
      bytes += stored?.size ?? 0;
      cost = addCosts(cost, { table: readUnits(stored?.size ?? 0, parameters.ConsistentRead) });
      if (stored) items.push(projection ? project(stored.item, projection) : stored.item);
    }
    return { name, table, items, cost };
  });
  return { found, unprocessed };
}

/** One after the other: a transaction awaits nothing but its store. */
export async function inOrder<T, R>(list: readonly T[], work: (element: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const [index, element] of list.entries()) results.push(await work(element, index));
  return results;
}

const detailed = (detail: Detail): boolean => detail === "TOTAL" || detail === "INDEXES";

function readRequests(input: GetInput) {
  const entries = Object.entries(input.RequestItems ?? {});
  const count = entries.reduce((sum, [, { Keys = [] }]) => sum + Keys.length, 0);
  if (entries.length === 0 || entries.some(([, { Keys = [] }]) => Keys.length === 0))
    throw errors.validation(
      "1 validation error detected: Value at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length greater than or equal to 1]",
    );
  if (count > MOST_KEYS) throw errors.validation("Too many items requested for the BatchGetItem call");
  const all = entries.map(([, parameters]) => parameters);
  const old = all.find(({ AttributesToGet }) => AttributesToGet);
  const modern = all.find(({ ProjectionExpression }) => ProjectionExpression !== undefined);
  // One table in the old way and another in the new is mixed too.
  if (old && modern) readExpressions({ ...old, ...modern }, ["ProjectionExpression"]);
  return entries.map(([name, parameters]) => ({
    name,
    parameters,
    keys: parameters.Keys!.map((key) => soundItem(key)),
    projection: readExpressions(parameters, ["ProjectionExpression"]).projection,
  }));
}

const distinctKeys = (table: Table, keys: readonly Item[]): readonly RowKey[] =>
  onlyOnce(keys.map((key) => ({ rowKey: keyOfRequest(table, key) }))).map(({ rowKey }) => rowKey);

function onlyOnce<T extends { rowKey: RowKey }>(keyed: readonly T[]): readonly T[] {
  const texts = new Set(keyed.map(({ rowKey: { pk, sk } }) => `${base64(pk)} ${base64(sk)}`));
  if (texts.size < keyed.length) throw errors.validation("Provided list of item keys contains duplicates");
  return keyed;
}

function readWrites(input: WriteInput): readonly { name: string; actions: readonly Action[] }[] {
  const entries = Object.entries(input.RequestItems ?? {});
  const count = entries.reduce((sum, [, requests]) => sum + requests.length, 0);
  if (count > MOST_WRITES) throw errors.validation("Too many items requested for the BatchWriteItem call");
  return entries.map(([name, requests]) => ({
    name,
    actions: requests.map(({ PutRequest, DeleteRequest }) => {
      if (PutRequest && DeleteRequest)
        throw errors.validation(
          "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
        );
      if (PutRequest) return keyed(putAction({ Item: PutRequest.Item }));
      if (DeleteRequest) return deleteAction({ Key: DeleteRequest.Key });
      throw errors.validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes");
    }),
  }));
}

/** Of a key attribute that is missing, or of the wrong type, a batch says less than PutItem. */
const keyed = (action: Action): Action => ({
  ...action,
  key(table) {
    if (keyAttributes(table.key).some(({ name, type }) => member(action.named, name)?.[type] === undefined))
      throw errors.validation("The provided key element does not match the schema");
    return action.key(table);
  },
});

export function capacities(
  costs: readonly (readonly [Table, Cost])[],
  detail: Detail,
  kind?: "ReadCapacityUnits" | "WriteCapacityUnits",
): { ConsumedCapacity?: ConsumedCapacity[] } {
  if (!detailed(detail)) return {};
  return { ConsumedCapacity: costs.map(([table, cost]) => consumed(table, cost, detail, kind)!) };
}

export interface Written {
  readonly table: Table;
  readonly effects: readonly Effect[];
}

/** Each collection once, however many of its items were written. */
export function metricsOf(
  written: readonly Written[],
): NonNullable<Output<"dynamodb", "BatchWriteItem">["ItemCollectionMetrics"]> {
  const tables = written.map(({ table, effects }) => {
    const metrics = effects.map((effect) => collectionMetrics(table, effect)).filter((one) => one !== undefined);
    const collections = new Map(metrics.map((one) => [itemText(one.ItemCollectionKey), one]));
    return { name: table.name, collections: [...collections.values()] };
  });
  return Object.fromEntries(
    tables.filter(({ collections }) => collections.length > 0).map(({ name, collections }) => [name, collections]),
  );
}

/** By table, in the order in which they first come. */
export function grouped(done: readonly { table: Table; effect: Effect }[]): Written[] {
  const groups = new Map<Table, Effect[]>();
  for (const { table, effect } of done) groups.set(table, [...(groups.get(table) ?? []), effect]);
  return [...groups].map(([table, effects]) => ({ table, effects }));
}
