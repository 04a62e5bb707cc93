// BatchExecuteStatement: each statement succeeds or fails by itself.
import { AwsError, type Context, type Input, type Output, type Tx } from "../../../kernel/mod.ts";
import { type Effect, perform, writeCost } from "../actions.ts";
import { inOrder } from "../batches.ts";
import { consumed, type Detail, readUnits } from "../capacity.ts";
import { errors } from "../errors.ts";
import { keyOfRequest } from "../item-key.ts";
import { logWrite } from "../items.ts";
import { inLockingOrder, readItem, writing } from "../rows.ts";
import { findTable, type Table, tableRef } from "../schema.ts";
import type { Stored } from "../stored.ts";
import type { Item } from "../value.ts";
import { bindStatement, soundParameters } from "./bind.ts";
import { compileStatement } from "./compile.ts";
import { columnsOf, type OneItem, wholeKey } from "./select.ts";
import type { Select, Statement, Write } from "./statement.ts";
import { LOGGED, returned, strayExists, writeAction } from "./write.ts";

type BatchInput = Input<"dynamodb", "BatchExecuteStatement">;
type BatchOutput = Output<"dynamodb", "BatchExecuteStatement">;
type BatchResponse = NonNullable<BatchOutput["Responses"]>[number];

export async function executeBatch(ctx: Context, input: BatchInput): Promise<BatchOutput> {
  const members = (input.Statements ?? []).map(prepareMember);
  const reads = members.filter(({ statement }) => statement?.kind === "select").length;
  const writes = members.filter(({ statement }) => statement && statement.kind !== "select").length;
  if (reads > 0 && writes > 0)
    throw errors.validation(
      "BatchExecuteStatement API does not support both read and write operations in the same request.",
    );
  const done = writes > 0 ? await batchWrite(ctx, members) : await batchRead(ctx, members);
  const capacities = done.flatMap(({ capacity }) => capacity?.(input.ReturnConsumedCapacity) ?? []);
  return {
    Responses: done.map(({ response }) => response),
    ...(capacities.length > 0 && { ConsumedCapacity: capacities }),
  };
}

interface Member {
  readonly statement?: Statement;
  readonly fault?: AwsError;
  readonly request: NonNullable<BatchInput["Statements"]>[number];
}

interface Done {
  readonly response: BatchResponse;
  readonly capacity?: (detail: Detail) => ReturnType<typeof consumed>;
}

function prepareMember(request: Member["request"]): Member {
  try {
    const statement = bindStatement(compileStatement(request.Statement ?? ""), soundParameters(request));
    if (statement.kind === "exists") throw strayExists();
    return { request, statement };
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    return { request, fault: error };
  }
}

const batchRead = (ctx: Context, members: readonly Member[]): Promise<readonly Done[]> =>
  ctx.read((tx) =>
    inOrder(members, async ({ statement, fault, request }): Promise<Done> => {
      if (statement?.kind !== "select") return failed(fault!);
      const table = await findTable(tx, tableRef(ctx, statement.target.table));
      if (!table) return failed(errors.notFound());
      try {
        const { stored } = await readOne(tx, statement, {
          table,
          consistent: request.ConsistentRead,
          of: "BatchExecuteStatement",
        });
        const item = stored && columnsOf(stored.item, statement.columns);
        return {
          response: { TableName: table.name, ...(item && { Item: item }) },
          capacity: (detail) =>
            consumed(table, { table: readUnits(stored?.size ?? 0, request.ConsistentRead) }, detail),
        };
      } catch (error) {
        return failed(error, table);
      }
    }),
  );

/** Statements on the same item keep their order. */
async function batchWrite(ctx: Context, members: readonly Member[]): Promise<readonly Done[]> {
  const done = await writing(ctx, async (within) => {
    const results: (Done & { table?: Table; effect?: Effect; kind?: Write["kind"] })[] = [];
    const keyed = await inOrder(members, async ({ statement, fault, request }, i) => {
      if (!statement || statement.kind === "select") {
        results[i] = failed(fault!);
        return [];
      }
      const table = await findTable(within.tx, tableRef(ctx, statement.target.table));
      if (!table) {
        results[i] = failed(errors.notFound());
        return [];
      }
      try {
        const returnsOnFailure = request.ReturnValuesOnConditionCheckFailure;
        const action = writeAction(statement, table, { inTransaction: false, returnsOnFailure });
        return [{ i, statement, table, action, rowKey: action.key(table) }];
      } catch (error) {
        results[i] = failed(error, table);
        return [];
      }
    });
    for (const { i, statement, table, action } of keyed.flat().sort(inLockingOrder))
      try {
        const effect = await perform(within, table, { action, wantsBefore: true });
        const item = returned(statement, effect);
        results[i] = {
          table,
          effect,
          kind: statement.kind,
          response: { TableName: table.name, ...(item && { Item: item }) },
          capacity: (detail) => consumed(table, writeCost(table, effect), detail),
        };
      } catch (error) {
        results[i] = failed(error, table);
      }
    return results;
  });
  for (const { table, effect, kind } of done)
    if (table && effect && kind) logWrite(ctx, LOGGED[kind], { table, effect });
  return done;
}

type Code = NonNullable<NonNullable<BatchResponse["Error"]>["Code"]>;
const CODES: Readonly<Record<string, Code>> = {
  ValidationException: "ValidationError",
  ConditionalCheckFailedException: "ConditionalCheckFailed",
  DuplicateItemException: "DuplicateItem",
  ResourceNotFoundException: "ResourceNotFound",
};

/** An error of our own making is no answer of a statement. */
function failed(error: unknown, table?: Table): Done {
  const code = error instanceof AwsError ? CODES[error.code] : undefined;
  if (!(error instanceof AwsError) || !code) throw error;
  const item = error.fields.Item as Item | undefined;
  return {
    response: {
      Error: { Code: code, Message: error.message, ...(item && { Item: item }) },
      ...(table && { TableName: table.name }),
    },
  };
}

async function readOne(tx: Tx, statement: Select, one: OneItem): Promise<{ stored: Stored | undefined }> {
  return { stored: await readItem(tx, one.table, keyOfRequest(one.table, wholeKey(statement, one))) };
}
