// INSERT, UPDATE, DELETE and EXISTS as the actions that every other write is made of.
import { AwsError } from "../../../kernel/mod.ts";
import { type Action, deleteOf, type Effect, putOf, updateOf } from "../actions.ts";
import { errors } from "../errors.ts";
import type { Condition } from "../expression/ast.ts";
import { updatedPaths } from "../expression/bind.ts";
import { project } from "../expression/project.ts";
import { keyAttributes } from "../item-key.ts";
import type { Table } from "../schema.ts";
import { type Item, member } from "../value.ts";
import { wrongKeyType } from "./plan.ts";
import type { Insert, Write } from "./statement.ts";
import { allOf, keyOfWhere } from "./where.ts";

export interface Writing {
  readonly inTransaction: boolean;
  readonly returnsOnFailure: Action["returnsOnFailure"];
}

/** A key that is none is an error of its own here; in a transaction it is a reason to cancel it, said when the action's key is asked for. */
export function writeAction(statement: Write, table: Table, writing: Writing): Action {
  const { inTransaction, returnsOnFailure } = writing;
  if (statement.kind === "insert") return insertAction(statement, table, writing);
  const found = keyOfWhere(statement.where, table.key, { lists: false });
  const { key, whole, conflict, rest } = found;
  if (statement.kind === "exists") {
    if (!whole || rest.length === 0)
      throw errors.validation("EXISTS() must contain a single item read with additional condition");
    return deleteOf(key, { condition: allOf([exists(table), ...rest]), returnsOnFailure }, "ConditionCheck");
  }
  const fault = keyFault(table, found);
  if (fault && !inTransaction) throw fault;
  const action =
    statement.kind === "update"
      ? updateOf(key, { update: statement.update, condition: allOf([exists(table), ...rest]), returnsOnFailure })
      : deleteOf(key, { condition: deletable(table, rest), returnsOnFailure });
  const several = conflict === undefined ? undefined : fault;
  return {
    ...action,
    key(of) {
      if (several) throw several;
      return action.key(of);
    },
    after: (of, before) => shallow(() => action.after(of, before)),
  };
}

function insertAction({ members }: Insert, table: Table, { inTransaction, returnsOnFailure }: Writing): Action {
  const item: Item = Object.fromEntries(members.map(([name, { value }]) => [name, value]));
  if (!inTransaction)
    for (const { name, type } of keyAttributes(table.key)) {
      const value = member(item, name);
      if (!value) throw errors.validation(`Key attribute should be present in the item: Key ${name}`);
      if (value[type] === undefined) throw wrongKeyType(name);
    }
  return putOf(item, { condition: absent(table), returnsOnFailure, refusal: errors.duplicateItem });
}

function keyFault(table: Table, { key, whole, conflict }: ReturnType<typeof keyOfWhere>): AwsError | undefined {
  if (!whole) return errors.validation("Where clause does not contain a mandatory equality on all key attributes");
  if (conflict !== undefined)
    return errors.validation(
      `Multiple conditions on same key ${conflict}. Only single item Update/Insert/Delete are supported`,
    );
  const wrong = keyAttributes(table.key).find(({ name, type }) => key[name]![type] === undefined);
  return wrong && wrongKeyType(wrong.name);
}

/** A DELETE of nothing is a success, whatever else it demands. */
function deletable(table: Table, rest: readonly Condition[]): Condition | undefined {
  const demanded = allOf(rest);
  return demanded && { kind: "or", left: absent(table), right: demanded };
}

const exists = (table: Table): Condition => onKey(table, "attribute_exists");
const absent = (table: Table): Condition => onKey(table, "attribute_not_exists");
const onKey = (table: Table, name: string): Condition => ({
  kind: "call",
  name,
  args: [{ kind: "path", parts: [table.key.hash[0]!.name] }],
});

const TOO_DEEP = "Nesting Levels have exceeded supported limits";

/** Of an item that an UPDATE made too deep AWS says less than elsewhere. */
function shallow<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof AwsError && error.message.startsWith(TOO_DEEP)) throw errors.validation(TOO_DEEP);
    throw error;
  }
}

/** What RETURNING asks for; undefined where there is nothing of it. */
export function returned(statement: Write, { before, after }: Effect): Item | undefined {
  const returning = "returning" in statement ? statement.returning : undefined;
  if (!returning) return undefined;
  const item = (returning.endsWith("OLD") ? before : after)?.item;
  if (!item || statement.kind !== "update" || returning.startsWith("ALL")) return item;
  const modified = project(item, updatedPaths(statement.update));
  return Object.keys(modified).length > 0 ? modified : undefined;
}

/** For the journal. */
export const LOGGED = {
  insert: "PartiQL INSERT",
  update: "PartiQL UPDATE",
  delete: "PartiQL DELETE",
  exists: "PartiQL EXISTS",
} as const;

export const strayExists = () => errors.validation("EXISTS can only be used in ExecuteTransaction write requests.");
