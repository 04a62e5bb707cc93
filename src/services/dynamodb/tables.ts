// CreateTable, DescribeTable, ListTables, DeleteTable.
import { type Context, defineOperations, type Input, requestTags, type Tx } from "../../kernel/mod.ts";
import { onAll, onTable } from "./access.ts";
import { isBeingCopied } from "./copies.ts";
import { wantedKey } from "./encryption.ts";
import { errors } from "./errors.ts";
import { checkPolicy } from "./policy-rules.ts";
import { noRecentSource } from "./replicas.ts";
import { changing, putPolicy } from "./resource-policies.ts";
import {
  findTable,
  type Index,
  insertTable,
  nextNumber,
  ofNewTable,
  redefine,
  type Table,
  type TableRef,
  tableRef,
} from "./schema.ts";
import { afterwards } from "./settle.ts";
import { admitDelete, settledTable } from "./states.ts";
import { closeStream, newView, openStream } from "./streams/streams.ts";
import { countRows, description, lastDescription, NO_COUNTS } from "./table-description.ts";
import { type NewIndex, newDefinition } from "./table-rules.ts";
import { tagRules, writeTags } from "./tags.ts";
import { createView } from "./views.ts";

const MOST_TABLES_LISTED = 100;
/** Of an account in a region. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html */
const MOST_TABLES = 2_500;

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
      const { indexes, ...definition } = newDefinition(ctx, input);
      const view = newView(input.StreamSpecification);
      const encryptionKey = input.SSESpecification && wantedKey(ctx, input.SSESpecification);
      const tags = tagRules(input.Tags ?? []);
      const policy = input.ResourcePolicy === undefined ? undefined : checkPolicy(input.ResourcePolicy);
      const table = await changing(ctx, async (tx) => {
        await mayBeMade(tx, ref);
        const table: Table = {
          ...ref,
          status: "CREATING",
          ...definition,
          indexes: await numbered(tx, indexes),
          ...(view && { stream: await openStream(tx, ctx, { ...ref, key: definition.key }, view) }),
          ...(encryptionKey && { encryptionKey }),
          ...(await ofNewTable(tx, ctx)),
        };
        await insertTable(tx, table);
        await createView(tx, table);
        await writeTags(tx, table, tags);
        if (policy !== undefined) await putPolicy(tx, ctx, { ref, policy });
        const takes = indexes.some(({ kind }) => kind === "global") ? "createWithIndexes" : "create";
        await afterwards(tx, ctx, table, { step: { done: "created" }, takes });
        return table;
      });
      ctx.log.info(`table ${table.name} created`, { subject: table.arn });
      return { TableDescription: description(table, NO_COUNTS, { now: ctx.now, whole: false }) };
    },
  },

  DescribeTable: {
    access: (ctx, input) => onTable(ctx, "DescribeTable", input.TableName),
    async handle(ctx, input) {
      return ctx.read(async (tx) => {
        const table = await tableByName(tx, ctx, input.TableName);
        return { Table: description(table, await countRows(tx, table, ctx.now), { now: ctx.now, whole: true }) };
      });
    },
  },

  ListTables: {
    access: (ctx) => onAll(ctx, "ListTables"),
    async handle(ctx, { ExclusiveStartTableName: after = "", Limit = MOST_TABLES_LISTED }) {
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
        noRecentSource(table, ctx.now);
        if (await isBeingCopied(tx, table)) throw errors.inUse(`Table is being used: ${table.name}`);
        admitDelete(table);
        await closeStream(tx, ctx, table);
        // Items may yet expire in it: the stream is told of none.
        const going = await redefine(tx, table, {
          status: "DELETING",
          ...(table.stream && { stream: { ...table.stream, enabled: false } }),
        });
        await afterwards(tx, ctx, going, { step: { done: "deleted" }, takes: "delete" });
        return going;
      });
      ctx.log.info(`table ${table.name} deleted`, { subject: table.arn });
      return { TableDescription: lastDescription(table, ctx.now) };
    },
  },
});

async function mayBeMade(tx: Tx, ref: TableRef): Promise<void> {
  const found = await findTable(tx, ref);
  if (found?.status === "CREATING") settledTable(found);
  if (found) throw errors.tableExists(ref.name);
  const row = await tx.one<{ count: number }>(
    "SELECT COUNT(*) AS count FROM dynamodb_table WHERE account = :account AND region = :region",
    { account: ref.account, region: ref.region },
  );
  if (row!.count >= MOST_TABLES)
    throw errors.subscriberLimit(`There is a limit of ${MOST_TABLES} tables per subscriber`);
}

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
  for (const parameter of ["GlobalTableSourceArn", "GlobalTableSettingsReplicationMode"] as const)
    if (input[parameter] !== undefined) throw errors.notImplemented(parameter);
}
