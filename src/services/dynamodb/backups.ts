// CreateBackup, DescribeBackup, ListBackups, DeleteBackup: copies of tables that outlive them.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/backuprestore_HowItWorks.html
import { type Access, type Context, defineOperations, type Output, type Tx, type Work } from "../../kernel/mod.ts";
import { onAll, onTable } from "./access.ts";
import {
  type Backup,
  backupRef,
  completeBackup,
  dropBackup,
  findBackup,
  insertBackup,
  listBackups,
  openBackup,
} from "./backup-rows.ts";
import { beginCopy, copySome, isBeingCopied } from "./copies.ts";
import { errors } from "./errors.ts";
import { dynamodbItself } from "./itself.ts";
import { findTable, nextNumber, type Table, tableRef } from "./schema.ts";
import { elements } from "./table-description.ts";

const MOST_LISTED = 100;

type Details = NonNullable<Output<"dynamodb", "CreateBackup">["BackupDetails"]>;
type Description = NonNullable<Output<"dynamodb", "DescribeBackup">["BackupDescription"]>;

/** Of a Work to a backup: copy what is not yet copied. */
export interface CopyBackup {
  readonly kind: "copy backup";
}

export const backups = defineOperations("dynamodb", {
  CreateBackup: {
    access: (ctx, input) => onTable(ctx, "CreateBackup", input.TableName),
    async handle(ctx, input) {
      const backup = await ctx.write(async (tx) => {
        const table = await sourceTable(tx, ctx, input.TableName);
        const backup = await insertBackup(tx, ctx, {
          table,
          name: input.BackupName!,
          type: "USER",
          number: await nextNumber(tx),
        });
        await beginCopy(tx, backup.number, table);
        // A small table is copied at once. What is written while a large one is, may be in its backup or not, as on AWS.
        if (!(await copyStep(tx, backup)))
          await ctx.put(tx, {
            to: backup.arn,
            as: dynamodbItself(backup.arn),
            payload: { kind: "copy backup" } satisfies CopyBackup,
          });
        return (await findBackup(tx, backup.arn))!;
      });
      ctx.log.info(`backup ${backup.name} of table ${backup.tableName}`, { subject: backup.arn });
      // The answer says CREATING, also of what DescribeBackup then says is AVAILABLE: seen on AWS.
      return { BackupDetails: { ...details(backup), BackupStatus: "CREATING" as const } };
    },
  },

  DescribeBackup: {
    access: (ctx, input) => onBackup(ctx, "DescribeBackup", input.BackupArn),
    async handle(ctx, input) {
      return { BackupDescription: description(await inThisRegion(ctx, input.BackupArn)) };
    },
  },

  ListBackups: {
    access: (ctx) => onAll(ctx, "ListBackups"),
    async handle(ctx, input) {
      const { Limit = MOST_LISTED, BackupType = "USER", TimeRangeLowerBound, TimeRangeUpperBound } = input;
      const fromMs = TimeRangeLowerBound?.getTime() ?? 0;
      const beforeMs = TimeRangeUpperBound?.getTime() ?? Number.MAX_SAFE_INTEGER;
      if (fromMs > beforeMs) throw errors.invalid("Time range lower bound must be less than or equal to upper bound");
      const after = input.ExclusiveStartBackupArn === undefined ? undefined : backupRef(input.ExclusiveStartBackupArn);
      if (after && after.region !== ctx.region)
        throw errors.invalidRequest("The supplied ExclusiveStartBackupArn does not match the region");
      const found = await listBackups(ctx.singly, {
        account: ctx.account,
        region: ctx.region,
        table: input.TableName === undefined ? undefined : tableRef(ctx, input.TableName).name,
        type: BackupType === "ALL" ? undefined : BackupType,
        fromMs,
        beforeMs,
        after,
        count: Limit + 1,
      });
      const page = found.slice(0, Limit);
      return {
        BackupSummaries: page.map((backup) => ({
          ...details(backup),
          TableName: backup.tableName,
          TableId: backup.source.tableId,
          TableArn: tableArn(backup),
        })),
        ...(found.length > Limit && { LastEvaluatedBackupArn: page.at(-1)!.arn }),
      };
    },
  },

  DeleteBackup: {
    access: (ctx, input) => onBackup(ctx, "DeleteBackup", input.BackupArn),
    async handle(ctx, input) {
      const { arn } = await inThisRegion(ctx, input.BackupArn);
      const backup = await ctx.write(async (tx) => {
        const backup = await openBackup(tx, arn);
        if (backup.type === "SYSTEM")
          throw errors.invalidRequest(
            `User is not allowed to delete the system backup with arn ${arn}. It will automatically expire on ${new Date(backup.expiresMs!).toISOString()}`,
          );
        if (!backup.available) throw errors.backupInUse(`Backup is being created: ${arn}`);
        if (await isBeingCopied(tx, backup)) throw errors.backupInUse(`Backup is being used to restore table: ${arn}`);
        await dropBackup(tx, ctx, backup);
        return backup;
      });
      ctx.log.info(`backup ${backup.name} of table ${backup.tableName} deleted`, { subject: arn });
      const { BackupDetails, ...rest } = description(backup);
      return { BackupDescription: { ...rest, BackupDetails: { ...BackupDetails!, BackupStatus: "DELETED" as const } } };
    },
  },
});

/** The table of a backup, a recovery or an export: theirs is an error of their own. Not one that is CREATING, or on its way out. */
export async function sourceTable(tx: Tx, ctx: Context, nameOrArn: string | undefined): Promise<Table> {
  const ref = tableRef(ctx, nameOrArn);
  const table = await findTable(tx, ref);
  if (!table || table.status) throw errors.sourceNotFound(nameOrArn!);
  return table;
}

async function inThisRegion(ctx: Context, arn: string | undefined): Promise<Backup> {
  if (backupRef(arn).region !== ctx.region) throw errors.backupNotFound(arn!);
  return openBackup(ctx.singly, arn);
}

export const onBackup = (ctx: Context, action: string, arn: string | undefined): Access => ({
  action: `dynamodb:${action}`,
  resource: arn?.startsWith("arn:") ? arn : `arn:aws:dynamodb:${ctx.region}:${ctx.account}:table/*/backup/*`,
});

/** Whether it is complete. */
async function copyStep(tx: Tx, backup: Backup): Promise<boolean> {
  const copied = await copySome(tx, backup.number);
  if (copied?.done) await completeBackup(tx, backup, copied);
  return copied === undefined || copied.done;
}

export async function copyBackup(ctx: Context, work: Work): Promise<void> {
  for (let done = false; !done; )
    done = await ctx.write(async (tx) => {
      const backup = await findBackup(tx, work.to);
      return !backup || copyStep(tx, backup);
    });
}

/** A table with recovery leaves a backup when it is deleted: its items stay where they are, and belong to that from now on. */
export async function keepDeleted(tx: Tx, ctx: Context, table: Table): Promise<void> {
  const backup = await insertBackup(tx, ctx, {
    table,
    name: `${table.name}$DeletedTableBackup`,
    type: "SYSTEM",
    number: table.number,
  });
  const count = await tx.one<{ items: number; bytes: number }>(
    "SELECT COUNT(*) AS items, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes FROM dynamodb_item WHERE number = :number",
    { number: table.number },
  );
  await completeBackup(tx, backup, count!);
}

const tableArn = ({ region, account, tableName }: Backup) => `arn:aws:dynamodb:${region}:${account}:table/${tableName}`;

const details = (backup: Backup): Details => ({
  BackupArn: backup.arn,
  BackupName: backup.name,
  BackupSizeBytes: backup.bytes,
  BackupStatus: backup.available ? "AVAILABLE" : "CREATING",
  BackupType: backup.type,
  BackupCreationDateTime: new Date(backup.createdMs),
  ...(backup.expiresMs !== undefined && { BackupExpiryDateTime: new Date(backup.expiresMs) }),
});

function description(backup: Backup): Description {
  const { tableId, createdMs, definition } = backup.source;
  return {
    BackupDetails: details(backup),
    SourceTableDetails: {
      TableName: backup.tableName,
      TableId: tableId,
      TableArn: tableArn(backup),
      TableSizeBytes: backup.bytes,
      KeySchema: elements(definition.key),
      TableCreationDateTime: new Date(createdMs),
      ProvisionedThroughput: units(definition.throughput),
      ...(definition.onDemandThroughput && { OnDemandThroughput: definition.onDemandThroughput }),
      ItemCount: backup.items,
      BillingMode: definition.billingMode,
    },
    SourceTableFeatureDetails: backup.type === "SYSTEM" ? {} : features(backup),
  };
}

function features({ source: { definition } }: Backup): NonNullable<Description["SourceTableFeatureDetails"]> {
  const { indexes, stream, ttlAttribute } = definition;
  const of = (kind: "local" | "global") =>
    indexes
      .filter((index) => index.kind === kind)
      .map((index) => ({
        IndexName: index.name,
        KeySchema: elements(index.key),
        Projection: {
          ProjectionType: index.projection,
          ...(index.nonKeyAttributes.length > 0 && { NonKeyAttributes: [...index.nonKeyAttributes] }),
        },
        throughput: index.throughput,
      }));
  const locals = of("local").map(({ throughput: _, ...index }) => index);
  const globals = of("global").map(({ throughput, ...index }) => ({
    ...index,
    ProvisionedThroughput: units(throughput),
  }));
  return {
    ...(locals.length > 0 && { LocalSecondaryIndexes: locals }),
    ...(globals.length > 0 && { GlobalSecondaryIndexes: globals }),
    ...(stream?.enabled && { StreamDescription: { StreamEnabled: true, StreamViewType: stream.viewType } }),
    ...(ttlAttribute !== undefined && {
      TimeToLiveDescription: { TimeToLiveStatus: "ENABLED" as const, AttributeName: ttlAttribute },
    }),
  };
}

const units = ({ read, write }: { read: number; write: number }) => ({
  ReadCapacityUnits: read,
  WriteCapacityUnits: write,
});
