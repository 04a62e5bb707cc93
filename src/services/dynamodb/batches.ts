// BatchGetItem and BatchWriteItem.
import { defineOperations, type Input, type Output, type Singly } from "../../kernel/mod.ts";
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
import { knownTable, openTable, type Table } from "./schema.ts";
import { type StoredItem, storedByName } from "./stored.ts";
import { warmNow } from "./throughput.ts";
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
      const tables = await inOrder(requests, async (request) => ({
        ...request,
        table: await knownTable(ctx, request.name),
      }));
      const keyed = tables.map((request) => ({ ...request, rowKeys: distinctKeys(request.table, request.keys) }));
      // Each item is read by itself: on AWS, too, a batch is of no one moment.
      const { found, unprocessed } = await readKeys(ctx.singly, keyed);
      return {
        Responses: storedByName(found),
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

async function readKeys(tx: Singly, requests: readonly KeyedRequest[]) {
  const unprocessed: Unprocessed = {};
  let bytes = 0;
  const found = await inOrder(requests, async ({ name, table, keys, rowKeys, parameters, projection }) => {
    const items: StoredItem[] = [];
    const partitions = new Partitions(table);
    const left: Item[] = [];
    let cost: Cost = { table: 0 };
    for (const [i, key] of rowKeys.entries()) {
      const stored = bytes > MOST_BYTES || partitions.full(key) ? undefined : await readItem(tx, table, key);
      if (bytes > MOST_BYTES || !partitions.takes(key, stored?.size ?? 0)) {
        left.push(keys[i]!);
        continue;
      }
      bytes += stored?.size ?? 0;
      cost = addCosts(cost, { table: readUnits(stored?.size ?? 0, parameters.ConsistentRead) });
      if (stored) items.push(projection ? stored.with(project(stored.item, projection)) : stored);
    }
    if (left.length > 0) unprocessed[name] = { ...parameters, Keys: left };
    return { name, table, items, cost };
  });
  return { found, unprocessed };
}

/** A table's partitions, and how much of each a BatchGetItem has read: AWS reads about 1 MB of one, and leaves its further keys. */
class Partitions {
  readonly #count: number;
  readonly #bytes = new Map<number, number>();

  /** As many as its throughput takes: new ones on demand have four. */
  constructor(table: Table) {
    const { read, write } = warmNow(table, table.billingMode);
    this.#count = Math.max(1, Math.ceil(read / PARTITION_READS), Math.ceil(write / PARTITION_WRITES));
  }

  full(key: RowKey): boolean {
    return (this.#bytes.get(this.#of(key)) ?? 0) > MOST_OF_PARTITION;
  }

  /** False where that is too much; then it is full. */
  takes(key: RowKey, size: number): boolean {
    const bytes = (this.#bytes.get(this.#of(key)) ?? 0) + size;
    this.#bytes.set(this.#of(key), bytes);
    return bytes <= MOST_OF_PARTITION;
  }

  #of({ hash }: RowKey): number {
    return Math.floor((((hash[0]! << 8) | hash[1]!) * this.#count) / 0x10000);
  }
}
/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html */
const PARTITION_READS = 3000;
const PARTITION_WRITES = 1000;
/** Measured: the page says 1 MB. */
const MOST_OF_PARTITION = 1024 * 1024 + 400 * 1024 - 3;

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
    keys: noneTwice(parameters.Keys!.map((key) => soundItem(key))),
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

/** As they are written, before the table is looked for; of BatchWriteItem AWS says it after (recorded). */
function noneTwice(keys: readonly Item[]): readonly Item[] {
  const texts = new Set(keys.map((key) => itemText(Object.fromEntries(Object.entries(key).sort()))));
  if (texts.size < keys.length) throw errors.validation("Provided list of item keys contains duplicates");
  return keys;
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
