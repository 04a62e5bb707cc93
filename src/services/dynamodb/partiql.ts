// ExecuteStatement, BatchExecuteStatement and ExecuteTransaction: PartiQL.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
import { createHash } from "node:crypto";
import { defineOperations, type Input } from "../../kernel/mod.ts";
import { perform, writeCost } from "./actions.ts";
import { consumed } from "./capacity.ts";
import { logWrite } from "./items.ts";
import { onStatement } from "./partiql/access.ts";
import { executeBatch } from "./partiql/batch.ts";
import { bindStatement, soundParameters } from "./partiql/bind.ts";
import { compileStatement } from "./partiql/compile.ts";
import { select } from "./partiql/select.ts";
import { executeTransaction } from "./partiql/transaction.ts";
import { LOGGED, returned, strayExists, writeAction } from "./partiql/write.ts";
import { writing } from "./rows.ts";
import { openTable } from "./schema.ts";
import { base64 } from "./value.ts";

export const partiql = defineOperations("dynamodb", {
  ExecuteStatement: {
    access: (ctx, input) => onStatement(ctx, input, { capacity: input.ReturnConsumedCapacity }),
    async handle(ctx, input) {
      const parameters = soundParameters(input);
      const statement = bindStatement(compileStatement(input.Statement ?? ""), parameters);
      const detail = input.ReturnConsumedCapacity;
      if (statement.kind === "exists") throw strayExists();
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
    handle: executeBatch,
  },

  ExecuteTransaction: {
    access: (ctx, input) =>
      (input.TransactStatements ?? []).flatMap((one) =>
        onStatement(ctx, one, { capacity: input.ReturnConsumedCapacity, enclosing: "ExecuteTransaction" }),
      ),
    handle: executeTransaction,
  },
});

/** What a NextToken belongs to: the statement and its parameters, whatever the limit. */
function fingerprint({ Statement: text, Parameters = [] }: Input<"dynamodb", "ExecuteStatement">): string {
  const plain = JSON.stringify(Parameters, (_name, value) => (value instanceof Uint8Array ? base64(value) : value));
  return `partiql ${createHash("sha256").update(`${text}\n${plain}`).digest("base64")}`;
}
