// UpdateTable: billing, throughput, protection, and global indexes that come and go.
import { type Context, defineOperations, type Input, type Tx } from "../../kernel/mod.ts";
import { onTable } from "./access.ts";
import { errors } from "./errors.ts";
import { changeEntry, eachItem, itemKeyOf, removeRows } from "./rows.ts";
import { type Definition, type Index, redefine, type Table } from "./schema.ts";
import { switchStream } from "./streams/streams.ts";
import { countRows, description } from "./table-description.ts";
import {
  attributesOf,
  billingRules,
  globalIndex,
  globalIndexCount,
  nonKeyAttributesInAll,
  throughputOf,
  usedNames,
  warmOf,
} from "./table-rules.ts";
import { numbered, tableByName } from "./tables.ts";

type UpdateInput = Input<"dynamodb", "UpdateTable">;
type IndexUpdate = NonNullable<UpdateInput["GlobalSecondaryIndexUpdates"]>[number];

export const tableUpdates = defineOperations("dynamodb", {
  UpdateTable: {
    access: (ctx, input) => onTable(ctx, "UpdateTable", input.TableName),
    async handle(ctx, input) {
      notYet(input);
      somethingToDo(input);
      const updates = input.GlobalSecondaryIndexUpdates ?? [];
      if (updates.filter(({ Create, Delete }) => Create || Delete).length > 1)
        throw errors.limitExceeded(
          "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
        );
      const answer = await ctx.write(async (tx) => {
        let table = await tableByName(tx, ctx, input.TableName);
        table = await redefine(tx, table, tableChanges(ctx, table, input));
        if (input.StreamSpecification) table = await switchStream(tx, ctx, table, input.StreamSpecification);
        for (const update of updates) table = await updateIndex(tx, table, { update, input });
        return description(table, await countRows(tx, table, ctx.now), { whole: true });
      });
      ctx.log.info(`table ${answer.TableName} updated`, { subject: answer.TableArn });
      return { TableDescription: answer };
    },
  },
});

function notYet(input: UpdateInput): void {
  const refused = [
    "SSESpecification",
    "ReplicaUpdates",
    "MultiRegionConsistency",
    "GlobalTableWitnessUpdates",
    "GlobalTableSettingsReplicationMode",
  ] as const;
  for (const parameter of refused) if (input[parameter] !== undefined) throw errors.notImplemented(parameter);
}

function somethingToDo(input: UpdateInput): void {
  const { TableName: _name, AttributeDefinitions: _definitions, ...changes } = input;
  if (Object.values(changes).every((change) => change === undefined))
    throw errors.validation(
      "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
    );
}

function tableChanges(ctx: Context, table: Table, input: UpdateInput): Partial<Definition> {
  const mode = input.BillingMode ?? table.billingMode;
  if (input.BillingMode ? mode !== table.billingMode : input.ProvisionedThroughput)
    billingRules(mode, input.ProvisionedThroughput);
  const next = mode === "PAY_PER_REQUEST" ? throughputOf(undefined) : nextThroughput(table, input);
  const grows = next.read > table.throughput.read || next.write > table.throughput.write;
  const shrinks = next.read < table.throughput.read || next.write < table.throughput.write;
  return {
    billingMode: mode,
    throughput: next,
    ...(mode !== table.billingMode && mode === "PAY_PER_REQUEST" && { onDemandSinceMs: ctx.now }),
    ...(mode === table.billingMode && grows && { throughputIncreasedMs: ctx.now }),
    ...(mode === table.billingMode && shrinks && { throughputDecreasedMs: ctx.now }),
    ...(input.DeletionProtectionEnabled !== undefined && { deletionProtection: input.DeletionProtectionEnabled }),
    ...(input.TableClass && { tableClass: input.TableClass }),
    ...(input.WarmThroughput && { warm: warmOf(input.WarmThroughput) }),
    ...(input.OnDemandThroughput && { onDemandThroughput: input.OnDemandThroughput }),
  };
}

function nextThroughput(table: Table, input: UpdateInput) {
  if (!input.ProvisionedThroughput) return table.throughput;
  const next = throughputOf(input.ProvisionedThroughput);
  const { read, write } = table.throughput;
  if (table.billingMode === "PROVISIONED" && next.read === read && next.write === write)
    throw errors.validation(
      `The provisioned throughput for the table will not change. The requested value equals the current value. Current ReadCapacityUnits provisioned for the table: ${read}. Requested ReadCapacityUnits: ${read}. Current WriteCapacityUnits provisioned for the table: ${write}. Requested WriteCapacityUnits: ${write}. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.`,
    );
  return next;
}

interface IndexChange {
  readonly update: IndexUpdate;
  readonly input: UpdateInput;
}

async function updateIndex(tx: Tx, table: Table, { update, input }: IndexChange): Promise<Table> {
  const { Create, Delete, Update } = update;
  if (Create) return createIndex(tx, table, { create: Create, input });
  const name = (Delete ?? Update)?.IndexName;
  const index = table.indexes.find((candidate) => candidate.kind === "global" && candidate.name === name);
  if (!index) throw errors.notFound();
  if (Delete) {
    await removeRows(tx, index.number);
    return redefine(
      tx,
      table,
      withIndexes(
        table,
        table.indexes.filter((other) => other !== index),
      ),
    );
  }
  const changed: Index = {
    ...index,
    ...(Update!.ProvisionedThroughput && { throughput: throughputOf(Update!.ProvisionedThroughput) }),
    ...(Update!.WarmThroughput && { warm: warmOf(Update!.WarmThroughput) }),
    ...(Update!.OnDemandThroughput && { onDemandThroughput: Update!.OnDemandThroughput }),
  };
  return redefine(tx, table, { indexes: table.indexes.map((other) => (other === index ? changed : other)) });
}

interface IndexCreation {
  readonly create: NonNullable<IndexUpdate["Create"]>;
  readonly input: UpdateInput;
}

async function createIndex(tx: Tx, table: Table, { create, input }: IndexCreation): Promise<Table> {
  const given = attributesOf(input.AttributeDefinitions);
  const known = table.attributes.filter(({ name }) => !given.some((attribute) => attribute.name === name));
  const conflict = given.find(({ name, type }) => table.attributes.some((a) => a.name === name && a.type !== type));
  if (conflict)
    throw errors.invalid(`Attribute ${conflict.name} is defined with another type in the table's AttributeDefinitions`);
  const attributes = [...known, ...given];
  const index = globalIndex(create, attributes, table.billingMode);
  if (table.indexes.some(({ name }) => name === index.name))
    throw errors.validation(`Attempting to create an index which already exists`);
  nonKeyAttributesInAll([...table.indexes, index]);
  globalIndexCount(table.indexes.filter(({ kind }) => kind === "global").length + 1);
  const [created] = await numbered(tx, [index]);
  const redefined = await redefine(tx, table, withIndexes({ ...table, attributes }, [...table.indexes, created!]));
  await backfill(tx, redefined, created!);
  return redefined;
}

/** Definitions that no key uses any more, or does not yet, are not kept. */
function withIndexes(table: Table, indexes: readonly Index[]): Partial<Definition> {
  const used = usedNames([table.key, ...indexes.map(({ key }) => key)]);
  return { indexes, attributes: table.attributes.filter(({ name }) => used.has(name)) };
}

/** In the transaction that makes the index: it is never seen half filled. Items that it could not hold are left out, as on AWS. */
const backfill = (tx: Tx, table: Table, index: Index): Promise<void> =>
  eachItem(tx, table, (item, key) => changeEntry(tx, { table, index, itemKey: itemKeyOf(key) }, undefined, item));
