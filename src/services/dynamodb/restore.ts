// A table that is made of another's items: of a backup's, or of those of a time in the past. Indexes are made anew; streams, time to live,
// recovery, tags, policies, protection and class are not restored (seen on AWS).
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Restore.Tutorial.html
import {
  type Access,
  type Context,
  defineOperations,
  type Input,
  parseArn,
  type Tx,
  type Work,
} from "../../kernel/mod.ts";
import { onTable } from "./access.ts";
import { type Backup, openBackup } from "./backup-rows.ts";
import { onBackup } from "./backups.ts";
import { beginCopy, type Copied, copySome, isBeingCopied, type Source, type Span } from "./copies.ts";
import { wantedKey } from "./encryption.ts";
import { errors } from "./errors.ts";
import { rowKey } from "./item-key.ts";
import { dynamodbItself } from "./itself.ts";
import { changeEntry, itemKeyOf } from "./rows.ts";
import {
  type Definition,
  findTable,
  insertTable,
  type OnDemandThroughput,
  ofNewTable,
  type Restore,
  redefine,
  type Table,
  type TableRef,
  tableRef,
} from "./schema.ts";
import { description, elements, NO_COUNTS, type TableDescription } from "./table-description.ts";
import { type NewDefinition, type NewIndex, usedNames } from "./table-rules.ts";
import { numbered } from "./tables.ts";
import { throughputOf } from "./throughput.ts";
import { itemOf } from "./value.ts";
import { createView } from "./views.ts";

/** Of a Work to a table: bring in what is not yet there. */
export interface RestoreRows {
  readonly kind: "restore rows";
  readonly tableId: string;
}

export type Overrides = Pick<
  Input<"dynamodb", "RestoreTableFromBackup">,
  | "BillingModeOverride"
  | "GlobalSecondaryIndexOverride"
  | "LocalSecondaryIndexOverride"
  | "ProvisionedThroughputOverride"
  | "OnDemandThroughputOverride"
  | "SSESpecificationOverride"
>;

export const restores = defineOperations("dynamodb", {
  RestoreTableFromBackup: {
    access: (ctx, input) => [
      onBackup(ctx, "RestoreTableFromBackup", input.BackupArn),
      ...onTarget(ctx, "RestoreTableFromBackup", input.TargetTableName),
    ],
    async handle(ctx, input) {
      const TableDescription = await ctx.write(async (tx) => {
        const backup = await openBackup(tx, input.BackupArn);
        acrossRegions(ctx, backup.region, input);
        const definition = restoredDefinition(ctx, backup.source.definition, input);
        await freeTarget(tx, ctx, input.TargetTableName);
        if (!backup.available) throw errors.backupInUse(`Backup is being created: ${backup.arn}`);
        if (await isBeingCopied(tx, backup))
          throw errors.backupInUse(`Backup is being used to restore another table: ${backup.arn}`);
        return beginRestore(tx, ctx, {
          target: tableRef(ctx, input.TargetTableName),
          definition,
          source: backup,
          seen: backup.attributes,
          restore: {
            backupArn: backup.arn,
            tableArn: tableArnOf(backup),
            atMs: backup.createdMs,
          },
        });
      });
      ctx.log.info(`table ${TableDescription.TableName} restored from ${input.BackupArn}`, {
        subject: TableDescription.TableArn!,
      });
      return { TableDescription };
    },
  },
});

const tableArnOf = ({ region, account, tableName }: Backup) =>
  `arn:aws:dynamodb:${region}:${account}:table/${tableName}`;

/** AWS asks for all that writes the new table's items. */
export const onTarget = (ctx: Context, action: string, name: string | undefined): Access[] =>
  [action, "BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem"].map((each) =>
    onTable(ctx, each, name),
  );

export function acrossRegions(ctx: Context, from: string, { SSESpecificationOverride }: Overrides): void {
  if (from !== ctx.region && !SSESpecificationOverride)
    throw errors.invalidRequest("sseSpecificationOverride must be provided for cross-region restores");
}

/** Throws where the name is taken. */
export async function freeTarget(tx: Tx, ctx: Context, name: string | undefined): Promise<void> {
  const target = await findTable(tx, tableRef(ctx, name));
  if (!target) return;
  if (target.status !== "CREATING" || !target.restore) throw errors.targetExists(target.name);
  const { backupArn, tableArn } = target.restore;
  throw errors.targetInUse(
    backupArn === undefined
      ? `Table: ${target.name} is already being restored from table: ${parseArn(tableArn)!.resource.slice("table/".length)}`
      : `Table: ${target.name} is already being restored from backup: ${backupArn}`,
  );
}

export interface Beginning {
  readonly target: TableRef;
  readonly definition: NewDefinition;
  readonly source: Source;
  /** Attributes for its view. */
  readonly seen: readonly string[];
  readonly restore: Restore;
}

/** A small table is there at once. The answer says CREATING nevertheless, as AWS's does: it is what was begun. */
export async function beginRestore(tx: Tx, ctx: Context, beginning: Beginning): Promise<TableDescription> {
  const { target, definition, source, seen, restore } = beginning;
  const { indexes, ...rest } = definition;
  const table: Table = {
    ...target,
    ...rest,
    indexes: await numbered(tx, indexes),
    status: "CREATING",
    restore,
    ...(await ofNewTable(tx, ctx)),
  };
  await insertTable(tx, table);
  await createView(tx, table, seen);
  await beginCopy(tx, table.number, source);
  if (!(await restoreStep(tx, table))) {
    const payload: RestoreRows = { kind: "restore rows", tableId: table.id };
    await ctx.put(tx, { to: table.arn, as: dynamodbItself(table.arn), payload });
  }
  return description(table, NO_COUNTS, { now: ctx.now, whole: false });
}

export async function restoreRows(ctx: Context, work: Work): Promise<void> {
  const { tableId } = work.payload as RestoreRows;
  for (let done = false; !done; )
    done = await ctx.write(async (tx) => {
      const table = await findTable(tx, tableRef(ctx, work.to));
      return table?.id !== tableId || restoreStep(tx, table);
    });
}

/** Whether all is there: then the table is ACTIVE. */
async function restoreStep(tx: Tx, table: Table): Promise<boolean> {
  const copied = await fillStep(tx, table);
  if (copied?.done) await redefine(tx, table, { status: undefined, restore: undefined });
  return copied === undefined || copied.done;
}

/** Some of a table's items, and what its indexes hold of them; undefined: there are no more. */
export async function fillStep(tx: Tx, table: Table): Promise<Copied | undefined> {
  const copied = await copySome(tx, table.number);
  if (copied && table.indexes.length > 0) await fillIndexes(tx, table, copied.span);
  return copied;
}

/** Items that an index could not hold are left out of it, as they were before. */
async function fillIndexes(tx: Tx, table: Table, { after, upto }: Span): Promise<void> {
  const rows = await tx.all<{ item: string }>(
    `SELECT item FROM dynamodb_item WHERE number = :number AND hash > :after ${upto ? "AND hash <= :upto" : ""}`,
    { number: table.number, after, ...(upto && { upto }) },
  );
  for (const row of rows) {
    const item = itemOf(row.item);
    const itemKey = itemKeyOf(rowKey(table.key, item));
    for (const index of table.indexes) await changeEntry(tx, { table, index, itemKey }, undefined, item);
  }
}

/** What is restored of a definition, and what takes the place of it. In the order in which AWS was seen to refuse. */
export function restoredDefinition(ctx: Context, source: Definition, overrides: Overrides): NewDefinition {
  const { SSESpecificationOverride: encryption } = overrides;
  const encryptionKey = encryption ? wantedKey(ctx, encryption) : source.encryptionKey;
  const billingMode = overrides.BillingModeOverride ?? source.billingMode;
  billingRules(source, overrides);
  const provisioned = billingMode === "PROVISIONED";
  const onDemandThroughput = overrides.OnDemandThroughputOverride ?? source.onDemandThroughput;
  const indexes = [
    ...restoredIndexes(source, overrides.LocalSecondaryIndexOverride, "local"),
    ...restoredIndexes(source, overrides.GlobalSecondaryIndexOverride, "global").map((index) =>
      withThroughput(index, overrides, provisioned),
    ),
  ];
  const used = usedNames([source.key, ...indexes.map(({ key }) => key)]);
  return {
    key: source.key,
    attributes: source.attributes.filter(({ name }) => used.has(name)),
    indexes: indexes.map(({ overridden: _, ...index }) => index),
    billingMode,
    throughput: provisioned
      ? overrides.ProvisionedThroughputOverride
        ? throughputOf(overrides.ProvisionedThroughputOverride)
        : source.throughput
      : { read: 0, write: 0 },
    ...(!provisioned && { onDemandSinceMs: ctx.now }),
    ...(!provisioned && onDemandThroughput && { onDemandThroughput }),
    ...(encryptionKey !== undefined && { encryptionKey }),
    deletionProtection: false,
  };
}

function billingRules(source: Definition, overrides: Overrides): void {
  const { BillingModeOverride: mode, ProvisionedThroughputOverride, OnDemandThroughputOverride } = overrides;
  const effective = mode ?? source.billingMode;
  if (mode === "PROVISIONED" && source.billingMode !== mode && !ProvisionedThroughputOverride)
    throw errors.invalidRequest("Must override ProvisionedThroughput if BillingMode is overridden to PROVISIONED");
  if (ProvisionedThroughputOverride && mode === "PAY_PER_REQUEST")
    throw errors.invalidRequest(
      "Cannot override ProvisionedThroughput if BillingMode is overridden to PAY_PER_REQUEST",
    );
  if (ProvisionedThroughputOverride && effective !== "PROVISIONED")
    throw errors.invalidRequest("Cannot override ProvisionedThroughput unless BillingMode is PROVISIONED");
  if (!OnDemandThroughputOverride) return;
  for (const name of ["MaxReadRequestUnits", "MaxWriteRequestUnits"] as const) {
    const value = OnDemandThroughputOverride[name];
    if (value === undefined) continue;
    if (effective !== "PAY_PER_REQUEST")
      throw errors.invalidRequest(
        `Cannot override ${name} for OnDemandThroughput unless BillingModeOverride is PAY_PER_REQUEST`,
      );
    if (value < 1) throw errors.invalidRequest(`Requested ${name} for OnDemandThroughput is outside of valid range`);
  }
}

type GivenIndexes = Overrides["GlobalSecondaryIndexOverride"] | Overrides["LocalSecondaryIndexOverride"];
type Restored = NewIndex & { readonly overridden?: NonNullable<Overrides["GlobalSecondaryIndexOverride"]>[number] };

/** Those that there were; of a list that is given, the ones in it: they may have other names, no other keys or projections. */
function restoredIndexes(source: Definition, given: GivenIndexes, kind: "local" | "global"): Restored[] {
  const were: Restored[] = source.indexes
    .filter((index) => index.kind === kind)
    .map(({ name, key, projection, nonKeyAttributes, throughput, onDemandThroughput }) => ({
      kind,
      name,
      key,
      projection,
      nonKeyAttributes,
      throughput,
      ...(onDemandThroughput && { onDemandThroughput }),
    }));
  if (!given) return were;
  return given.map((wanted) => {
    const index = were.find((candidate) => shape(candidate) === shapeOf(wanted));
    if (!index)
      throw errors.invalidRequest(
        `Index ${wanted.IndexName} does not match a secondary index that existed in the source table and cannot be created during the restore operation`,
      );
    return { ...index, name: wanted.IndexName!, overridden: wanted };
  });
}

function shape({ key, projection, nonKeyAttributes }: NewIndex): string {
  return JSON.stringify([elements(key), projection, nonKeyAttributes.toSorted()]);
}

function shapeOf({ KeySchema = [], Projection }: NonNullable<GivenIndexes>[number]): string {
  const keys = KeySchema.map(({ AttributeName, KeyType }) => ({ AttributeName, KeyType }));
  return JSON.stringify([keys, Projection?.ProjectionType, (Projection?.NonKeyAttributes ?? []).toSorted()]);
}

function withThroughput(index: Restored, overrides: Overrides, provisioned: boolean): Restored {
  const { overridden: given } = index;
  const { onDemandThroughput: _, ...rest } = index;
  if (!provisioned) {
    if (given?.ProvisionedThroughput)
      throw errors.invalidRequest(
        `Cannot override ProvisionedThroughput if BillingMode is overridden to PAY_PER_REQUEST for index ${index.name}`,
      );
    const onDemand: OnDemandThroughput | undefined = given?.OnDemandThroughput ?? index.onDemandThroughput;
    return { ...rest, throughput: { read: 0, write: 0 }, ...(onDemand && { onDemandThroughput: onDemand }) };
  }
  if (given?.ProvisionedThroughput) return { ...rest, throughput: throughputOf(given.ProvisionedThroughput) };
  if (overrides.BillingModeOverride === "PROVISIONED" && index.throughput.read === 0)
    throw errors.invalidRequest(`Must specify provisioned throughput for index ${index.name}`);
  return rest;
}
