// Point in time recovery: a table as it was at any second since it was switched on, at most 35 days ago.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
import { type Context, defineOperations, type Output, parseArn } from "../../kernel/mod.ts";
import { onTable } from "./access.ts";
import { sourceTable } from "./backups.ts";
import { errors } from "./errors.ts";
import { earliest, isRestoredFrom, pruneAll, pruneLater } from "./history.ts";
import { acrossRegions, beginRestore, freeTarget, onTarget, restoredDefinition } from "./restore.ts";
import { findTable, nextNumber, type PointInTime, redefine, type Table, type TableRef, tableRef } from "./schema.ts";
import { seenIn } from "./views.ts";

const MOST_DAYS = 35;

type Description = NonNullable<Output<"dynamodb", "DescribeContinuousBackups">["ContinuousBackupsDescription"]>;

export const pointInTime = defineOperations("dynamodb", {
  DescribeContinuousBackups: {
    access: (ctx, input) => onTable(ctx, "DescribeContinuousBackups", input.TableName),
    async handle(ctx, input) {
      const table = await ctx.read((tx) => sourceTable(tx, ctx, input.TableName));
      return { ContinuousBackupsDescription: description(table, ctx.now) };
    },
  },

  UpdateContinuousBackups: {
    access: (ctx, input) => onTable(ctx, "UpdateContinuousBackups", input.TableName),
    async handle(ctx, input) {
      const { PointInTimeRecoveryEnabled: enabled, RecoveryPeriodInDays: days } =
        input.PointInTimeRecoverySpecification ?? {};
      if (!enabled && days !== undefined)
        throw errors.invalidRequest("Cannot specify RecoveryPeriodInDays when disabling point-in-time recovery.");
      const table = await ctx.write(async (tx) => {
        const table = await sourceTable(tx, ctx, input.TableName);
        if (!enabled) {
          // What is still to be copied would be taken as it is by then.
          if (table.pitr && (await isRestoredFrom(tx, table.pitr))) throw errors.recoveryInUse(table.name);
          await pruneAll(tx, ctx, table);
          return redefine(tx, table, { pitr: undefined });
        }
        if (table.pitr) return redefine(tx, table, { pitr: withPeriod(table.pitr, days, ctx.now) });
        const pitr: PointInTime = { history: await nextNumber(tx), sinceMs: ctx.now, days: days ?? MOST_DAYS };
        await pruneLater(tx, ctx, table, pitr.history);
        return redefine(tx, table, { pitr });
      });
      ctx.log.info(`point in time recovery of table ${table.name} ${enabled ? "on" : "off"}`, { subject: table.arn });
      return { ContinuousBackupsDescription: description(table, ctx.now) };
    },
  },

  RestoreTableToPointInTime: {
    access: (ctx, input) => [
      onTable(ctx, "RestoreTableToPointInTime", local(ctx, input.SourceTableArn) ?? input.SourceTableName),
      ...onTarget(ctx, "RestoreTableToPointInTime", input.TargetTableName),
    ],
    async handle(ctx, input) {
      const { SourceTableArn, SourceTableName, UseLatestRestorableTime: latest, RestoreDateTime: time } = input;
      if (SourceTableArn !== undefined && SourceTableName !== undefined)
        throw errors.validation("Must provide exactly one of: sourceTableArn, sourceTableName");
      if (latest && time)
        throw errors.invalidRequest(
          "Both RestoreDateTime and UseLatestRestorableTime cannot be set for point-in-time restore request. Please specify only one",
        );
      if (!latest && !time)
        throw errors.invalidRequest(
          "Either one of RestoreDateTime or UseLatestRestorableTime must be specified, but not both",
        );
      const ref = SourceTableArn === undefined ? tableRef(ctx, SourceTableName) : arnRef(SourceTableArn);
      const TableDescription = await ctx.write(async (tx) => {
        const table = await findTable(tx, ref);
        if (!table || table.status) throw errors.sourceNotFound(SourceTableArn ?? SourceTableName!);
        acrossRegions(ctx, table.region, input);
        const atMs = restorable(table, latest ? ctx.now : time!.getTime(), ctx.now);
        const definition = restoredDefinition(ctx, table, input);
        await freeTarget(tx, ctx, input.TargetTableName);
        return beginRestore(tx, ctx, {
          target: tableRef(ctx, input.TargetTableName),
          definition,
          source: { number: table.number, asOf: { history: table.pitr!.history, ms: atMs } },
          seen: await seenIn(tx, table),
          restore: { tableArn: table.arn, atMs },
        });
      });
      ctx.log.info(`table ${TableDescription.TableName} restored from ${ref.name}`, {
        subject: TableDescription.TableArn!,
      });
      return { TableDescription };
    },
  },
});

/** For the door: a table of another region is asked for by its ARN alone. */
function local(ctx: Context, arn: string | undefined): string | undefined {
  return arn !== undefined && parseArn(arn)?.region === ctx.region ? arn : undefined;
}

function arnRef(arn: string): TableRef {
  const parts = parseArn(arn);
  const [, name] = /^table\/([^/]+)$/.exec(parts?.resource ?? "") ?? [];
  if (parts?.service !== "dynamodb" || name === undefined) throw errors.invalid("sourceTableArn is not a valid ARN");
  return { account: parts.account, region: parts.region, name, arn };
}

/** A longer period begins to fill; a shorter one holds at once. */
function withPeriod(pitr: PointInTime, days = pitr.days, now: number): PointInTime {
  return { ...pitr, days, sinceMs: days > pitr.days ? earliest(pitr, now) : pitr.sinceMs };
}

/** ms. */
function restorable(table: Table, atMs: number, now: number): number {
  if (!table.pitr) throw errors.recoveryUnavailable(table.name);
  const from = earliest(table.pitr, now);
  // What is told is told in seconds: the first one is good, whatever its milliseconds.
  if (atMs < Math.floor(from / 1000) * 1000 || atMs > now)
    throw errors.restoreTime(
      `RestoreDateTime '${iso(atMs)}' must be within EarliestRestorableDateTime '${iso(from)}' and LatestRestorableDateTime '${iso(now)}'`,
    );
  return Math.max(atMs, from);
}

const iso = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

const description = ({ pitr }: Table, now: number): Description => ({
  ContinuousBackupsStatus: "ENABLED",
  PointInTimeRecoveryDescription: pitr
    ? {
        PointInTimeRecoveryStatus: "ENABLED",
        RecoveryPeriodInDays: pitr.days,
        EarliestRestorableDateTime: new Date(earliest(pitr, now)),
        LatestRestorableDateTime: new Date(now),
      }
    : { PointInTimeRecoveryStatus: "DISABLED" },
});
