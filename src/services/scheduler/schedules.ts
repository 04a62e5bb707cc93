// CreateSchedule, GetSchedule, UpdateSchedule, DeleteSchedule, ListSchedules.
import {
  type Access,
  assumeRole,
  type Context,
  defineOperations,
  findZone,
  type Input,
  isRefusal,
  parseSchedule,
  type Tx,
} from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { definitionOf, MAX_AGE_S, MAX_RETRIES, plan, scheduler } from "./firing.ts";
import { ensureDefault } from "./groups.ts";
import { cursorOf, cutTo, readCursor } from "./pages.ts";
import {
  DEFAULT,
  type Definition,
  findSchedule,
  groupRef,
  listSchedules,
  openGroup,
  openSchedule,
  refOf,
  removeSchedule,
  type ScheduleRef,
  type ScheduleRow,
  saveSchedule,
  scheduleArn,
  scheduleRef,
} from "./rows.ts";
import { checkTarget } from "./target.ts";

type Given = Input<"scheduler", "CreateSchedule">;

const onSchedule = (ctx: Context, action: string, group: string | undefined, name: string | undefined): Access => ({
  action: `scheduler:${action}`,
  resource: scheduleArn(scheduleRef(ctx, group, name)),
});

/** The role is handed to Scheduler. */
const passRole = (role: string | undefined): Access => ({
  action: "iam:PassRole",
  resource: role ?? "",
  conditions: { "iam:PassedToService": "scheduler.amazonaws.com" },
});

export const schedules = defineOperations("scheduler", {
  CreateSchedule: {
    access: (ctx, input) => [
      onSchedule(ctx, "CreateSchedule", input.GroupName, input.Name),
      passRole(input.Target?.RoleArn),
    ],
    async handle(ctx, input) {
      const ref = scheduleRef(ctx, input.GroupName, input.Name);
      const fresh = await rowOf(ctx, ref, input);
      await ctx.write(async (tx) => {
        await openGroup(tx, ref);
        const there = await findSchedule(tx, ref);
        if (there && !isRepeated(there, fresh)) throw errors.scheduleExists(ref.name);
        if (!there) await saveSchedule(tx, await plan(ctx, tx, fresh));
      });
      return { ScheduleArn: scheduleArn(ref) };
    },
  },

  GetSchedule: {
    access: (ctx, input) => onSchedule(ctx, "GetSchedule", input.GroupName, input.Name),
    async handle(ctx, input) {
      return describe(await ctx.read((tx) => openSchedule(tx, scheduleRef(ctx, input.GroupName, input.Name))));
    },
  },

  UpdateSchedule: {
    access: (ctx, input) => [
      onSchedule(ctx, "UpdateSchedule", input.GroupName, input.Name),
      passRole(input.Target?.RoleArn),
    ],
    async handle(ctx, input) {
      const ref = scheduleRef(ctx, input.GroupName, input.Name);
      await ctx.read((tx) => openSchedule(tx, ref));
      const fresh = await rowOf(ctx, ref, input);
      await ctx.write(async (tx) => {
        const before = await openSchedule(tx, ref);
        await saveSchedule(tx, await replanned(ctx, tx, { before, fresh }));
      });
      return { ScheduleArn: scheduleArn(ref) };
    },
  },

  DeleteSchedule: {
    access: (ctx, input) => onSchedule(ctx, "DeleteSchedule", input.GroupName, input.Name),
    async handle(ctx, input) {
      const ref = scheduleRef(ctx, input.GroupName, input.Name);
      await ctx.write(async (tx) => {
        await openSchedule(tx, ref);
        await removeSchedule(tx, ref);
      });
      return {};
    },
  },

  ListSchedules: {
    access: (ctx, input) => onSchedule(ctx, "ListSchedules", input.GroupName ?? "*", "*"),
    async handle(ctx, input) {
      const { GroupName: group, NamePrefix: prefix = "", State: state = "" } = input;
      if (group === DEFAULT) await ensureDefault(ctx);
      const [afterGroup = "", afterName = ""] = readCursor(input.NextToken);
      const { account, region } = ctx;
      const wanted = { account, region, prefix, state, group: group ?? "", after: [afterGroup, afterName] as const };
      const { items, more } = await cutTo(input.MaxResults, (limit) =>
        ctx.read(async (tx) => {
          if (group !== undefined) await openGroup(tx, groupRef(ctx, group));
          return listSchedules(tx, { ...wanted, limit });
        }),
      );
      const last = items.at(-1);
      return { Schedules: items.map(summaryOf), ...(more && { NextToken: cursorOf(last!.group_name, last!.name) }) };
    },
  },
});

/** What the input says, looked at whole. The order: the expression, the dates, the window, the target, and at last whether the role trusts Scheduler. */
async function rowOf(ctx: Context, ref: ScheduleRef, input: Given): Promise<ScheduleRow> {
  const definition = readDefinition(ctx, input);
  await ensureDefault(ctx);
  await ctx.read((tx) => openGroup(tx, ref));
  await checkRole(ctx, ref, input.Target!.RoleArn!);
  return {
    account: ref.account,
    region: ref.region,
    group_name: ref.group,
    name: ref.name,
    definition: JSON.stringify(definition),
    state: input.State ?? "ENABLED",
    client_token: input.ClientToken ?? null,
    created_ms: ctx.now,
    modified_ms: ctx.now,
    next_ms: null,
  };
}

/** How far back a start may lie. */
const START_GRACE_MS = 5 * 60_000;

function readDefinition(ctx: Context, input: Given): Definition {
  const { ScheduleExpression: expression = "", ScheduleExpressionTimezone: zone, Target, FlexibleTimeWindow } = input;
  if (zone !== undefined && !findZone(zone)) throw errors.zone(zone);
  if (!parseSchedule(expression, { of: "scheduler" })) throw errors.expression(expression);
  const [startMs, endMs] = [input.StartDate?.getTime(), input.EndDate?.getTime()];
  if (startMs !== undefined && startMs < ctx.now - START_GRACE_MS) throw errors.startTooEarly();
  if (endMs !== undefined && endMs < ctx.now) throw errors.endTooEarly();
  if (startMs !== undefined && endMs !== undefined && endMs <= startMs) throw errors.endBeforeStart();
  const minutes = FlexibleTimeWindow?.MaximumWindowInMinutes;
  if (FlexibleTimeWindow?.Mode === "FLEXIBLE" && minutes === undefined) throw errors.windowMissing();
  if (FlexibleTimeWindow?.Mode === "OFF" && minutes !== undefined) throw errors.windowUnwanted();
  checkTarget(ctx, Target!);
  return {
    ScheduleExpression: expression,
    ScheduleExpressionTimezone: zone ?? "UTC",
    FlexibleTimeWindow,
    Target: { ...Target!, RetryPolicy: { ...DEFAULT_RETRIES, ...Target!.RetryPolicy } },
    ActionAfterCompletion: input.ActionAfterCompletion ?? "NONE",
    ...(input.Description !== undefined && { Description: input.Description }),
    ...(input.KmsKeyArn !== undefined && { KmsKeyArn: input.KmsKeyArn }),
    ...(startMs !== undefined && { startMs }),
    ...(endMs !== undefined && { endMs }),
  };
}

const DEFAULT_RETRIES = { MaximumEventAgeInSeconds: MAX_AGE_S, MaximumRetryAttempts: MAX_RETRIES };

async function checkRole(ctx: Context, ref: ScheduleRef, role: string): Promise<void> {
  try {
    await assumeRole(ctx, { role, name: ref.name, by: scheduler(ref) });
  } catch (error) {
    if (isRefusal(error)) throw errors.role();
    throw error;
  }
}

/** The same request once more: it has the token of the first. */
const isRepeated = (there: ScheduleRow, fresh: ScheduleRow): boolean =>
  fresh.client_token !== null &&
  there.client_token === fresh.client_token &&
  there.definition === fresh.definition &&
  there.state === fresh.state;

/** What was planned stays so, where nothing of when it is due changed: another target puts nothing off. */
async function replanned(
  ctx: Context,
  tx: Tx,
  { before, fresh }: { before: ScheduleRow; fresh: ScheduleRow },
): Promise<ScheduleRow> {
  const row = { ...fresh, client_token: before.client_token, created_ms: before.created_ms };
  const same = before.state === fresh.state && dueOf(before) === dueOf(fresh);
  return same ? { ...row, next_ms: before.next_ms } : plan(ctx, tx, row);
}

function dueOf(row: ScheduleRow): string {
  const { ScheduleExpression, ScheduleExpressionTimezone, FlexibleTimeWindow, startMs, endMs } = definitionOf(row);
  return JSON.stringify([ScheduleExpression, ScheduleExpressionTimezone, FlexibleTimeWindow, startMs, endMs]);
}

function describe(row: ScheduleRow) {
  const { startMs, endMs, ...definition } = definitionOf(row);
  const { Target: _, ...summary } = summaryOf(row);
  return {
    ...summary,
    ...definition,
    ...(startMs !== undefined && { StartDate: new Date(startMs) }),
    ...(endMs !== undefined && { EndDate: new Date(endMs) }),
  };
}

const summaryOf = (row: ScheduleRow) => ({
  Arn: scheduleArn(refOf(row)),
  Name: row.name,
  GroupName: row.group_name,
  State: row.state as "ENABLED" | "DISABLED",
  CreationDate: new Date(row.created_ms),
  LastModificationDate: new Date(row.modified_ms),
  Target: { Arn: definitionOf(row).Target!.Arn },
});
