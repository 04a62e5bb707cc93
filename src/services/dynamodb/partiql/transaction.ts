// ExecuteTransaction: all of its statements or none, reads or writes.
import { AwsError, type Context, type Input, type Output, type Tx } from "../../../kernel/mod.ts";
import { inOrder } from "../batches.ts";
import { errors } from "../errors.ts";
import { keyOfRequest } from "../item-key.ts";
import { readItem } from "../rows.ts";
import { findTable, type Table, tableRef } from "../schema.ts";
import {
  canceling,
  fits,
  NO_REASON,
  type Opened,
  oneActionAnItem,
  type Reason,
  readCapacities,
  transactWrite,
} from "../transactions.ts";
import { type AttributeValue, valueSize } from "../value.ts";
import { bindStatement, soundParameters } from "./bind.ts";
import { compileStatement } from "./compile.ts";
import { columnsOf, wholeKey } from "./select.ts";
import type { Select, Statement } from "./statement.ts";
import { writeAction } from "./write.ts";

type TransactionInput = Input<"dynamodb", "ExecuteTransaction">;
type TransactionOutput = Output<"dynamodb", "ExecuteTransaction">;

export async function executeTransaction(ctx: Context, input: TransactionInput): Promise<TransactionOutput> {
  const requests = input.TransactStatements ?? [];
  const parameters = requests.map(soundParameters);
  const statements = requests.map(({ Statement: text = "" }, i) =>
    inStatement(i, () => bindStatement(compileStatement(text), parameters[i]!)),
  );
  const selects = statements.filter((statement) => statement.kind === "select");
  const writes = statements.filter((statement) => statement.kind !== "select");
  if (writes.length === 0) return transactRead(ctx, input, selects);
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
      openAll(tx, ctx, writes, (statement, table, i): Opened => {
        if ("returning" in statement && statement.returning)
          throw errors.validation("RETURNING clause is not supported in ExecuteTransaction.");
        if (statement.target.index !== undefined)
          throw errors.validation("Operations on indices are not supported in transactions");
        const returnsOnFailure = requests[i]!.ReturnValuesOnConditionCheckFailure;
        return { table, action: writeAction(statement, table, { inTransaction: true, returnsOnFailure }) };
      }),
  });
  return { Responses: [], ...answer };
}

const sizeOf = (parameters: readonly (readonly AttributeValue[])[]): number =>
  parameters.flat().reduce((sum, value) => sum + valueSize(value), 0);

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
): Promise<TransactionOutput> {
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
