// CreateTable, DescribeTable, ListTables, DeleteTable.
import { type Context, defineOperations, type Input, newRequestId, requestTags, type Tx } from "../../kernel/mod.ts";
import { onAll, onTable } from "./access.ts";
import { keepDeleted } from "./backups.ts";
import { isBeingCopied } from "./copies.ts";
import { errors } from "./errors.ts";
import { forgetExpiry } from "./expiry.ts";
import { pruneAll } from "./history.ts";
import { checkPolicy } from "./policy-rules.ts";
import { changing, putPolicy, removePolicy } from "./resource-policies.ts";
import { removeRows } from "./rows.ts";
import {
  deleteTable,
  findTable,
  type Index,
  insertTable,
  NAME,
  NAME_RULE,
  nextNumber,
  type Table,
  tableRef,
} from "./schema.ts";
import { closeStream, openStream, wantedView } from "./streams/streams.ts";
import { countRows, description, lastDescription, NO_COUNTS } from "./table-description.ts";
import { type NewIndex, newDefinition } from "./table-rules.ts";
import { removeTags, tagRules, writeTags } from "./tags.ts";
import { createView, dropView } from "./views.ts";

const MOST_TABLES_LISTED = 100;

export const tables = defineOperations("dynamodb", {
  CreateTable: {
    // What a table is made with wants permissions of its own.
    access: (ctx, input) =>
      [
        "CreateTable",
        ...(input.Tags?.length ? ["TagResource"] : []),
        ...(input.ResourcePolicy === undefined ? [] : ["PutResourcePolicy"]),
      ].map((action) => onTable(ctx, action, input.TableName, requestTags(input.Tags))),
    async handle(ctx, input) {
      const ref = tableRef(ctx, input.TableName);
      notYet(input);
      const { indexes, ...definition } = newDefinition(input, ctx.now);
      const view = wantedView(input.StreamSpecification);
      const tags = tagRules(input.Tags ?? []);
      const policy = input.ResourcePolicy === undefined ? undefined : checkPolicy(input.ResourcePolicy);
      const table = await changing(ctx, async (tx) => {
        if (await findTable(tx, ref)) throw errors.tableExists(ref.name);
        const table: Table = {
          ...ref,
          ...definition,
          indexes: await numbered(tx, indexes),
          ...(view && { stream: await openStream(tx, ctx, { ...ref, key: definition.key }, view) }),
          id: newRequestId(),
          number: await nextNumber(tx),
          version: 1,
          createdMs: ctx.now,
        };
        await insertTable(tx, table);
        await createView(tx, table);
        await writeTags(tx, table, tags);
        if (policy !== undefined) await putPolicy(tx, ctx, { ref, policy });
        return table;
      });
      ctx.log.info(`table ${table.name} created`, { subject: table.arn });
      return { TableDescription: description(table, NO_COUNTS, { whole: false }) };
    },
  },

  DescribeTable: {
    access: (ctx, input) => onTable(ctx, "DescribeTable", input.TableName),
    async handle(ctx, input) {
      return ctx.read(async (tx) => {
        const table = await tableByName(tx, ctx, input.TableName);
        return { Table: description(table, await countRows(tx, table, ctx.now), { whole: true }) };
      });
    },
  },

  ListTables: {
    access: (ctx) => onAll(ctx, "ListTables"),
    async handle(ctx, { ExclusiveStartTableName: after = "", Limit = MOST_TABLES_LISTED }) {
      if (after !== "" && !NAME.test(after)) throw errors.validation(NAME_RULE);
      const rows = await ctx.read((tx) =>
        tx.all<{ name: string }>(
          `SELECT name FROM dynamodb_table WHERE account = :account AND region = :region AND name > :after
           ORDER BY name LIMIT :count`,
          { account: ctx.account, region: ctx.region, after, count: Limit + 1 },
        ),
      );
      const names = rows.slice(0, Limit).map(({ name }) => name);
      return { TableNames: names, ...(rows.length > Limit && { LastEvaluatedTableName: names.at(-1)! }) };
    },
  },

  DeleteTable: {
    access: (ctx, input) => onTable(ctx, "DeleteTable", input.TableName),
    async handle(ctx, input) {
      const table = await changing(ctx, async (tx) => {
        const table = await tableByName(tx, ctx, input.TableName);
        if (table.deletionProtection)
          throw errors.validation(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
          );
        if (table.status === "CREATING") throw errors.inUse(`Table is being created: ${table.name}`);
        if (await isBeingCopied(tx, table)) throw errors.inUse(`Table is being used: ${table.name}`);
        const kept = table.pitr !== undefined;
        if (kept) await keepDeleted(tx, ctx, table);
        await pruneAll(tx, ctx, table);
        for (const { number } of kept ? table.indexes : [table, ...table.indexes]) await removeRows(tx, number);
        await closeStream(tx, ctx, table);
        await forgetExpiry(tx, table);
        await dropView(tx, table);
        await removeTags(tx, table);
        await removePolicy(tx, table);
        await deleteTable(tx, table);
        return table;
      });
      ctx.log.info(`table ${table.name} deleted`, { subject: table.arn });
      return { TableDescription: lastDescription(table) };
    },
  },
});

/** The operations on tables say which one is missing. */
export async function tableByName(tx: Tx, ctx: Context, nameOrArn: string | undefined): Promise<Table> {
  const ref = tableRef(ctx, nameOrArn);
  const table = await findTable(tx, ref);
  if (!table) throw errors.tableNotFound(ref.name);
  return table;
}

export async function numbered(tx: Tx, indexes: readonly NewIndex[]): Promise<Index[]> {
  const numbers: Index[] = [];
  for (const index of indexes) numbers.push({ ...index, number: await nextNumber(tx) });
  return numbers;
}

/** What would have no effect is refused, by name. */
function notYet(input: Input<"dynamodb", "CreateTable">): void {
  if (input.SSESpecification?.Enabled) throw errors.notImplemented("SSESpecification.Enabled");
  for (const parameter of ["GlobalTableSourceArn", "GlobalTableSettingsReplicationMode"] as const)
    if (input[parameter] !== undefined) throw errors.notImplemented(parameter);
}
