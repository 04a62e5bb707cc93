// ExecuteStatement, BatchExecuteStatement and ExecuteTransaction: PartiQL.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
import { createHash } from "node:crypto";
import { AwsError, type Context, defineOperations, type Input, type Output, type Tx } from "../../kernel/mod.ts";
import { type Effect, perform, writeCost } from "./actions.ts";
import { inOrder } from "./batches.ts";
import { consumed, type Detail, readUnits } from "./capacity.ts";
import { errors } from "./errors.ts";
import { updatedPaths } from "./expression/bind.ts";
import { project } from "./expression/project.ts";
import { keyOfRequest } from "./item-key.ts";
import { logWrite } from "./items.ts";
import { onStatement } from "./partiql/access.ts";
import { bindStatement } from "./partiql/bind.ts";
import { compileStatement } from "./partiql/compile.ts";
import { planOf } from "./partiql/plan.ts";
import { columnsOf, select, sourceOf } from "./partiql/select.ts";
import type { Select, Statement, Write } from "./partiql/statement.ts";
import { keyOfWhere } from "./partiql/where.ts";
import { writeAction } from "./partiql/write.ts";
import { inLockingOrder, readItem, writing } from "./rows.ts";
import { findTable, openTable, type Table, tableRef } from "./schema.ts";
import type { Stored } from "./stored.ts";
import {
  canceling,
  fits,
  NO_REASON,
  type Opened,
  oneActionAnItem,
  type Reason,
  readCapacities,
  transactWrite,
} from "./transactions.ts";
import { type AttributeValue, base64, type Item, soundValue, valueSize } from "./value.ts";

type BatchInput = Input<"dynamodb", "BatchExecuteStatement">;
type BatchResponse = NonNullable<Output<"dynamodb", "BatchExecuteStatement">["Responses"]>[number];
type TransactionInput = Input<"dynamodb", "ExecuteTransaction">;

export const partiql = defineOperations("dynamodb", {
  ExecuteStatement: {
    access: (ctx, input) => onStatement(ctx, input, { capacity: input.ReturnConsumedCapacity }),
    async handle(ctx, input) {
      const parameters = soundParameters(input);
      const statement = bindStatement(compileStatement(input.Statement ?? ""), parameters);
      const detail = input.ReturnConsumedCapacity;
      if (statement.kind === "exists")
        throw errors.validation("EXISTS can only be used in ExecuteTransaction write requests.");
      if (statement.kind === "select")
        return select(ctx, statement, {
          consistent: input.ConsistentRead,
          limit: input.Limit,
          detail,
          token: input.NextToken,
          about: fingerprint(input),
        });
      const returnsOnFailure = input.ReturnValuesOnConditionCheckFailure;
      const { table, effect } = await writing(ctx, async (within) => {
        const table = await openTable(within.tx, ctx, statement.target.table);
        const action = writeAction(statement, table, { inTransaction: false, returnsOnFailure });
        return { table, effect: await perform(within, table, { action, wantsBefore: true }) };
      });
      logWrite(ctx, LOGGED[statement.kind], { table, effect });
      const item = returned(statement, effect);
      const capacity = consumed(table, writeCost(table, effect), detail);
      return { Items: item ? [item] : [], ...(capacity && { ConsumedCapacity: capacity }) };
    },
  },

  BatchExecuteStatement: {
    access: (ctx, input) =>
      (input.Statements ?? []).flatMap((one) => onStatement(ctx, one, { capacity: input.ReturnConsumedCapacity })),
    async handle(ctx, input) {
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
    },
  },

  ExecuteTransaction: {
    access: (ctx, input) =>
      (input.TransactStatements ?? []).flatMap((one) =>
        onStatement(ctx, one, { capacity: input.ReturnConsumedCapacity, enclosing: "ExecuteTransaction" }),
      ),
    async handle(ctx, input) {
      const requests = input.TransactStatements ?? [];
      const parameters = requests.map(soundParameters);
      const statements = requests.map(({ Statement: text = "" }, i) =>
        inStatement(i, () => bindStatement(compileStatement(text), parameters[i]!)),
      );
      const selects = statements.filter((statement) => statement.kind === "select");
      if (selects.length === statements.length) return transactRead(ctx, input, selects);
      if (selects.length > 0)
        throw errors.validation(
          "ExecuteTransaction API does not support both read and write operations in the same request.",
        );
      fits(requests.reduce((sum, { Statement: text = "" }) => sum + Buffer.byteLength(text), 0) + sizeOf(parameters));
      const answer = await transactWrite(ctx, {
        operation: "ExecuteTransaction",
        input,
        firstFault: false,
        open: (tx) =>
          openAll(tx, ctx, statements as readonly Write[], (statement, table, i): Opened => {
            if ("returning" in statement && statement.returning)
              throw errors.validation("RETURNING clause is not supported in ExecuteTransaction.");
            if (statement.target.index !== undefined)
              throw errors.validation("Operations on indices are not supported in transactions");
            const returnsOnFailure = requests[i]!.ReturnValuesOnConditionCheckFailure;
            return { table, action: writeAction(statement, table, { inTransaction: true, returnsOnFailure }) };
          }),
      });
      return { Responses: [], ...answer };
    },
  },
});

const sizeOf = (parameters: readonly (readonly AttributeValue[])[]): number =>
  parameters.flat().reduce((sum, value) => sum + valueSize(value), 0);

const LOGGED = {
  insert: "PartiQL INSERT",
  update: "PartiQL UPDATE",
  delete: "PartiQL DELETE",
  exists: "PartiQL EXISTS",
};

/** They are looked at before the statement is read. */
const soundParameters = ({
  Parameters = [],
}: {
  Parameters?: AttributeValue[] | undefined;
}): readonly AttributeValue[] => Parameters.map((value) => soundValue(value));

/** What a NextToken belongs to: the statement and its parameters, whatever the limit. */
function fingerprint({ Statement: text, Parameters = [] }: Input<"dynamodb", "ExecuteStatement">): string {
  const plain = JSON.stringify(Parameters, (_name, value) => (value instanceof Uint8Array ? base64(value) : value));
  return `partiql ${createHash("sha256").update(`${text}\n${plain}`).digest("base64")}`;
}

/** What RETURNING asks for; undefined where there is nothing of it. */
function returned(statement: Write, { before, after }: Effect): Item | undefined {
  const returning = "returning" in statement ? statement.returning : undefined;
  if (!returning) return undefined;
  const item = (returning.endsWith("OLD") ? before : after)?.item;
  if (!item || statement.kind !== "update" || returning.startsWith("ALL")) return item;
  const modified = project(item, updatedPaths(statement.update));
  return Object.keys(modified).length > 0 ? modified : undefined;
}

// Batches: each statement succeeds or fails by itself.

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
    if (statement.kind === "exists")
      throw errors.validation("EXISTS can only be used in ExecuteTransaction write requests.");
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

// Reads of one item.

interface OneItem {
  readonly table: Table;
  readonly consistent?: boolean | undefined;
  readonly of: "BatchExecuteStatement" | "ExecuteTransaction";
}

/** Batches and transactions read by the whole key, and by nothing else. */
function wholeKey(statement: Select, { table, consistent, of }: OneItem): Item {
  const found = keyOfWhere(statement.where, table.key, { lists: true });
  const source = sourceOf(table, statement, { consistent });
  if (!source.index && found.whole && found.rest.length === 0) return found.key;
  planOf(statement, source);
  throw errors.validation(`Select statements within ${of} must specify the primary key in the where clause.`);
}

async function readOne(tx: Tx, statement: Select, one: OneItem): Promise<{ stored: Stored | undefined }> {
  return { stored: await readItem(tx, one.table, keyOfRequest(one.table, wholeKey(statement, one))) };
}

// Transactions.

/** What is wrong with a statement fails the whole, and says which. */
function inStatement<T>(index: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw errors.validation(`Validation failed in TransactStatements[${index}]: ${error.message}`);
  }
}

/** Statements that are wrong come before tables that are not there; these cancel it. */
async function openAll<S extends Statement, R>(
  tx: Tx,
  ctx: Context,
  statements: readonly S[],
  open: (statement: S, table: Table, index: number) => R,
): Promise<readonly R[]> {
  const tables = await inOrder(statements, ({ target }) => findTable(tx, tableRef(ctx, target.table)));
  const opened = statements.flatMap((statement, i) => {
    const table = tables[i];
    return table ? [inStatement(i, () => open(statement, table, i))] : [];
  });
  const { message } = errors.notFound();
  const missing: Reason[] = tables.map((table) => (table ? NO_REASON : { Code: "ResourceNotFound", Message: message }));
  if (opened.length < statements.length) throw errors.canceled(missing);
  return opened;
}

async function transactRead(
  ctx: Context,
  input: TransactionInput,
  selects: readonly Select[],
): Promise<Output<"dynamodb", "ExecuteTransaction">> {
  const found = await ctx.read(async (tx) => {
    const opened = await openAll(tx, ctx, selects, (statement, table) => {
      if (statement.target.index !== undefined)
        throw errors.validation("Reads on indices are not supported within transactions.");
      return { statement, table, key: wholeKey(statement, { table, of: "ExecuteTransaction" }) };
    });
    const keyed = opened.map((get) => ({
      ...get,
      rowKey: canceling(opened, get, () => keyOfRequest(get.table, get.key)),
    }));
    oneActionAnItem(keyed);
    return inOrder(keyed, async ({ statement, table, rowKey }) => ({
      statement,
      table,
      stored: await readItem(tx, table, rowKey),
    }));
  });
  return {
    Responses: found.map(({ statement, stored }) =>
      stored ? { Item: columnsOf(stored.item, statement.columns) } : {},
    ),
    ...readCapacities(found, input.ReturnConsumedCapacity),
  };
}
