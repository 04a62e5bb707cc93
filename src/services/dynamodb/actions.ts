// One write of one item, from its parameters to its effect: what PutItem, UpdateItem, DeleteItem and the transactions have in common.
import type { AwsError, Input } from "../../kernel/mod.ts";
import { addCosts, type Cost, writeUnits } from "./capacity.ts";
import { errors } from "./errors.ts";
import { applyUpdate } from "./expression/apply.ts";
import type { Condition, Path, Update } from "./expression/ast.ts";
import { updatedPaths } from "./expression/bind.ts";
import { matches } from "./expression/evaluate.ts";
import { heldKey, keyAttributes, keyInIndex, keyOfItem, keyOfRequest, type RowKey } from "./item-key.ts";
import { readExpressions } from "./parameters.ts";
import { changeItem, needsBefore, projected, readItem, type Writing, weighed } from "./rows.ts";
import type { Index, Table } from "./schema.ts";
import type { Stored } from "./stored.ts";
import { equalItems, type Item, itemSize, soundItem } from "./value.ts";

/** All that could be checked without the table has been. */
export interface Action {
  readonly kind: "Put" | "Update" | "Delete" | "ConditionCheck";
  readonly condition?: Condition | undefined;
  readonly returnsOnFailure?: "ALL_OLD" | "NONE" | undefined;
  /** What is said where the condition fails, if that is not AWS's common answer. */
  readonly refusal?: (() => AwsError) | undefined;
  /** The item, or the key, that it is given. */
  readonly named: Item;
  /** Throws where the table's keys, or its indexes', say no. */
  key(table: Table): RowKey;
  /** What becomes of the item; undefined: nothing is left of it. */
  after(table: Table, before: Stored | undefined): Stored | undefined;
  /** What an update touches. */
  readonly touched?: readonly Path[];
}

type PutInput = Pick<Input<"dynamodb", "PutItem">, "Item" | "Expected" | "ConditionalOperator"> & Conditions;
type KeyInput = Pick<Input<"dynamodb", "DeleteItem">, "Key" | "Expected" | "ConditionalOperator"> & Conditions;
type UpdateInput = KeyInput & Pick<Input<"dynamodb", "UpdateItem">, "UpdateExpression" | "AttributeUpdates">;
type Conditions = Pick<
  Input<"dynamodb", "PutItem">,
  | "ConditionExpression"
  | "ExpressionAttributeNames"
  | "ExpressionAttributeValues"
  | "ReturnValuesOnConditionCheckFailure"
>;

/** Bound, from whatever language it was written in. */
interface Checks {
  readonly condition?: Condition | undefined;
  readonly returnsOnFailure?: Action["returnsOnFailure"];
  readonly refusal?: Action["refusal"];
}

export function putAction(input: PutInput): Action {
  const item = soundItem(input.Item ?? {});
  const { condition } = readExpressions(input, ["ConditionExpression"]);
  return putOf(item, { condition, returnsOnFailure: input.ReturnValuesOnConditionCheckFailure });
}

export function putOf(item: Item, checks: Checks): Action {
  const stored = weighed(item);
  return {
    kind: "Put",
    named: item,
    ...checks,
    key(table) {
      const key = keyOfItem(table, item);
      for (const index of table.indexes) keyInIndex(index, item);
      return key;
    },
    after: () => stored,
  };
}

export function deleteAction(input: KeyInput, kind: "Delete" | "ConditionCheck" = "Delete"): Action {
  const key = soundItem(input.Key ?? {});
  const { condition } = readExpressions(input, ["ConditionExpression"]);
  return deleteOf(key, { condition, returnsOnFailure: input.ReturnValuesOnConditionCheckFailure }, kind);
}

export const deleteOf = (key: Item, checks: Checks, kind: "Delete" | "ConditionCheck" = "Delete"): Action => ({
  kind,
  named: key,
  ...checks,
  key: (table) => keyOfRequest(table, key),
  after: (_table, before) => (kind === "Delete" ? undefined : before),
});

export function updateAction(input: UpdateInput): Action {
  const key = soundItem(input.Key ?? {});
  const { condition, update = NOTHING } = readExpressions(input, ["UpdateExpression", "ConditionExpression"]);
  const legacy = input.AttributeUpdates !== undefined;
  const returnsOnFailure = input.ReturnValuesOnConditionCheckFailure;
  return updateOf(key, { update, legacy, condition, returnsOnFailure });
}

export function updateOf(
  key: Item,
  { update, legacy = false, ...checks }: Checks & { readonly update: Update; readonly legacy?: boolean },
): Action {
  const touched = updatedPaths(update);
  return {
    kind: "Update",
    named: key,
    ...checks,
    touched,
    key(table) {
      const rowKey = keyOfRequest(table, key);
      for (const { name } of keyAttributes(table.key))
        if (touched.some(({ parts }) => parts[0] === name))
          throw errors.invalid(`Cannot update attribute ${name}. This attribute is part of the key`);
      return rowKey;
    },
    after(table, before) {
      // The legacy DELETE makes no item; an expression always does.
      if (!before && legacy && takesOnly(update)) return undefined;
      const item = soundItem(applyUpdate(update, before?.item ?? key, before !== undefined));
      for (const index of table.indexes)
        if (keyAttributes(index.key).some(({ name }) => touched.some(({ parts }) => parts[0] === name)))
          keyInIndex(index, item, "update");
      return weighed(item, "Item size to update has exceeded the maximum allowed size");
    },
  };
}

const NOTHING: Update = { set: [], remove: [], add: [], delete: [] };
const takesOnly = ({ set, add, remove, delete: deletes }: Update): boolean =>
  set.length === 0 && add.length === 0 && remove.length + deletes.length > 0;

export interface Effect {
  readonly key: RowKey;
  /** Only known where it was read: `wantsBefore`, a condition or an index ask for it. */
  readonly before?: Stored | undefined;
  readonly after?: Stored | undefined;
}

/** Checks and changes, in the given transaction. */
export async function perform(
  writing: Writing,
  table: Table,
  { action, wantsBefore = false }: { action: Action; wantsBefore?: boolean },
): Promise<Effect> {
  const key = action.key(table);
  const reads = wantsBefore || action.condition || action.kind !== "Put" || needsBefore(table);
  const before = reads ? await readItem(writing.tx, table, key) : undefined;
  if (action.condition && !matches(action.condition, before?.item ?? {}))
    throw (
      action.refusal?.() ?? errors.conditionFailed(action.returnsOnFailure === "ALL_OLD" ? before?.item : undefined)
    );
  const after = action.after(table, before);
  if (action.kind !== "ConditionCheck") await changeItem(writing, table, { key, before, after });
  return { key, before, after };
}

/** An index costs where an entry of it was or is; twice where the entry moves. */
export function writeCost(table: Table, { before, after }: Effect): Cost {
  const indexes = new Map<Index, number>();
  for (const index of table.indexes) {
    const units = entryUnits(table, index, before?.item, after?.item);
    if (units > 0) indexes.set(index, units);
  }
  return addCosts({ table: writeUnits(before?.size, after?.size) }, { table: 0, indexes });
}

function entryUnits(table: Table, index: Index, before: Item | undefined, after: Item | undefined): number {
  const entry = (item: Item | undefined) => (item && heldKey(index, item) ? projected(table, index, item) : undefined);
  const old = entry(before);
  const next = entry(after);
  if (!old || !next) return old || next ? writeUnits(old && itemSize(old), next && itemSize(next)) : 0;
  const sameKey = keyAttributes(index.key).every(({ name }) => equalItems({ key: old[name]! }, { key: next[name]! }));
  return sameKey
    ? writeUnits(itemSize(old), itemSize(next))
    : writeUnits(itemSize(old), 0) + writeUnits(0, itemSize(next));
}
