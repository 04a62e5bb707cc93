// PutItem, GetItem, UpdateItem, DeleteItem.
import { type Context, defineOperations, type Output } from "../../kernel/mod.ts";
import { onItems, selectOf } from "./access.ts";
import { type Action, deleteAction, type Effect, perform, putAction, updateAction, writeCost } from "./actions.ts";
import { consumed, type Detail, readUnits } from "./capacity.ts";
import { errors } from "./errors.ts";
import { project } from "./expression/project.ts";
import { keyAttributes, keyOfRequest } from "./item-key.ts";
import { detecting, readExpressions } from "./parameters.ts";
import { readItem, writing } from "./rows.ts";
import { knownTable, openTable, type Table } from "./schema.ts";
import { storedItem } from "./stored.ts";
import { type Item, member, soundItem } from "./value.ts";

export const items = defineOperations("dynamodb", {
  PutItem: {
    access: (ctx, input) =>
      onItems(ctx, "PutItem", {
        table: input.TableName,
        touching: () => ({
          keys: [input.Item ?? {}],
          expressions: [input.ConditionExpression],
          names: input.ExpressionAttributeNames,
          returnValues: input.ReturnValues,
          capacity: input.ReturnConsumedCapacity,
        }),
      }),
    async handle(ctx, input) {
      return write(ctx, {
        ...input,
        operation: "PutItem",
        action: detecting(() => {
          oldOrNone(input.ReturnValues);
          return putAction(input);
        }),
      });
    },
  },

  DeleteItem: {
    access: (ctx, input) =>
      onItems(ctx, "DeleteItem", {
        table: input.TableName,
        touching: () => ({
          keys: [input.Key ?? {}],
          expressions: [input.ConditionExpression],
          names: input.ExpressionAttributeNames,
          returnValues: input.ReturnValues,
          capacity: input.ReturnConsumedCapacity,
        }),
      }),
    async handle(ctx, input) {
      return write(ctx, {
        ...input,
        operation: "DeleteItem",
        action: detecting(() => {
          oldOrNone(input.ReturnValues);
          return deleteAction(input);
        }),
      });
    },
  },

  UpdateItem: {
    access: (ctx, input) =>
      onItems(ctx, "UpdateItem", {
        table: input.TableName,
        touching: () => ({
          keys: [input.Key ?? {}],
          attributes: Object.keys(input.AttributeUpdates ?? {}),
          expressions: [input.UpdateExpression, input.ConditionExpression],
          names: input.ExpressionAttributeNames,
          returnValues: input.ReturnValues,
          capacity: input.ReturnConsumedCapacity,
        }),
      }),
    async handle(ctx, input) {
      return write(ctx, { ...input, operation: "UpdateItem", action: detecting(() => updateAction(input)) });
    },
  },

  GetItem: {
    access: (ctx, input) =>
      onItems(ctx, "GetItem", {
        table: input.TableName,
        touching: () => ({
          keys: [input.Key ?? {}],
          attributes: input.AttributesToGet ?? [],
          expressions: [input.ProjectionExpression],
          names: input.ExpressionAttributeNames,
          select: selectOf(input),
          capacity: input.ReturnConsumedCapacity,
        }),
      }),
    async handle(ctx, input) {
      const key = soundItem(input.Key ?? {});
      const { projection } = readExpressions(input, ["ProjectionExpression"]);
      const found = knownTable(ctx, input.TableName);
      const table = found instanceof Promise ? await found : found;
      const stored = await readItem(ctx.singly, table, keyOfRequest(table, key));
      const capacity = consumed(
        table,
        { table: readUnits(stored?.size ?? 0, input.ConsistentRead) },
        input.ReturnConsumedCapacity,
      );
      return {
        ...(stored && { Item: projection ? project(stored.item, projection) : storedItem(stored) }),
        ...(capacity && { ConsumedCapacity: capacity }),
      };
    },
  },
});

function oldOrNone(returnValues: string | undefined): void {
  if (returnValues !== undefined && returnValues !== "NONE" && returnValues !== "ALL_OLD")
    throw errors.validation("ReturnValues can only be ALL_OLD or NONE");
}

interface Write {
  readonly operation: "PutItem" | "UpdateItem" | "DeleteItem";
  readonly action: Action;
  readonly TableName: string | undefined;
  readonly ReturnValues?: "NONE" | "ALL_OLD" | "UPDATED_OLD" | "ALL_NEW" | "UPDATED_NEW" | undefined;
  readonly ReturnConsumedCapacity?: Detail;
  readonly ReturnItemCollectionMetrics?: "SIZE" | "NONE" | undefined;
}

async function write(ctx: Context, request: Write): Promise<Output<"dynamodb", "UpdateItem">> {
  const { operation, action, ReturnValues = "NONE", ReturnConsumedCapacity: detail } = request;
  const wantsBefore = ReturnValues !== "NONE" || detail === "TOTAL" || detail === "INDEXES";
  const { table, effect } = await writing(ctx, async (within) => {
    const table = await openTable(within.tx, ctx, request.TableName);
    return { table, effect: await perform(within, table, { action, wantsBefore }) };
  });
  logWrite(ctx, operation, { table, effect });
  const attributes = returned(ReturnValues, action, effect);
  const capacity = consumed(table, writeCost(table, effect), detail);
  const metrics = request.ReturnItemCollectionMetrics === "SIZE" ? collectionMetrics(table, effect) : undefined;
  return {
    ...(attributes && { Attributes: attributes }),
    ...(capacity && { ConsumedCapacity: capacity }),
    ...(metrics && { ItemCollectionMetrics: metrics }),
  };
}

/** No `Attributes` where there is nothing to tell. */
function returned(values: string, { touched = [] }: Action, { before, after }: Effect): Item | undefined {
  if (values === "NONE") return undefined;
  const item = (values.endsWith("_OLD") ? before : after)?.item;
  if (!item || values.startsWith("ALL")) return item;
  const updated = project(item, touched);
  return Object.keys(updated).length > 0 ? updated : undefined;
}

/** Only tables with local indexes have item collections. Sizes are not kept: AWS's estimate of a small one. */
export function collectionMetrics(table: Table, { before, after }: Effect) {
  const item = (after ?? before)?.item;
  const { name } = table.key.hash[0]!;
  if (!item || !table.indexes.some(({ kind }) => kind === "local")) return undefined;
  return { ItemCollectionKey: { [name]: item[name]! }, SizeEstimateRangeGB: [0, 1] };
}

/** `PutItem files {name: cat.jpg}`. */
export function logWrite(ctx: Context, operation: string, { table, effect }: { table: Table; effect: Effect }): void {
  const item = (effect.after ?? effect.before)?.item;
  if (!item) return;
  const key = keyAttributes(table.key).map(({ name }) => `${name}: ${shown(member(item, name))}`);
  ctx.log.info(`${operation} ${table.name} {${key.join(", ")}}`, { subject: table.arn });
}

const LONGEST_SHOWN = 200;
const shown = (value: Item[string] | undefined): string => {
  const text = value?.S ?? value?.N ?? (value?.B && Buffer.from(value.B).toString("base64")) ?? "";
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}...` : text;
};
