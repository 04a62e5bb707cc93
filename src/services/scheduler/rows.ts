// Schedules and their groups in the store.
import type { Arn, Context, Input, Tx } from "../../kernel/mod.ts";
import { parseArn } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

export const tables = `
CREATE TABLE scheduler_group (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  tags TEXT NOT NULL,
  client_token TEXT,
  created_ms BIGINT NOT NULL,
  modified_ms BIGINT NOT NULL,
  PRIMARY KEY (account, region, name)
);
CREATE TABLE scheduler_schedule (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  group_name TEXT NOT NULL,
  name TEXT NOT NULL,
  definition TEXT NOT NULL,
  state TEXT NOT NULL,
  client_token TEXT,
  created_ms BIGINT NOT NULL,
  modified_ms BIGINT NOT NULL,
  next_ms BIGINT,
  PRIMARY KEY (account, region, group_name, name)
)`;

export interface GroupRef {
  readonly account: string;
  readonly region: string;
  /** The group's. */
  readonly group: string;
}

export interface ScheduleRef extends GroupRef {
  readonly name: string;
}

export interface GroupRow {
  readonly account: string;
  readonly region: string;
  readonly name: string;
  /** JSON. */
  readonly tags: string;
  readonly client_token: string | null;
  readonly created_ms: number;
  readonly modified_ms: number;
}

export interface ScheduleRow {
  readonly account: string;
  readonly region: string;
  readonly group_name: string;
  readonly name: string;
  /** JSON: a Definition. */
  readonly definition: string;
  readonly state: string;
  readonly client_token: string | null;
  readonly created_ms: number;
  readonly modified_ms: number;
  /** The time it is due at, without its window; a work for another time is none of this schedule any more. Null: disabled, or never again. */
  readonly next_ms: number | null;
}

/** What AWS's input says of a schedule; dates in ms since the epoch. */
export interface Definition
  extends Pick<
    Input<"scheduler", "CreateSchedule">,
    | "ActionAfterCompletion"
    | "Description"
    | "FlexibleTimeWindow"
    | "KmsKeyArn"
    | "ScheduleExpression"
    | "ScheduleExpressionTimezone"
    | "Target"
  > {
  readonly startMs?: number;
  readonly endMs?: number;
}

export const DEFAULT = "default";

export const groupRef = ({ account, region }: Context, group: string = DEFAULT): GroupRef => ({
  account,
  region,
  group,
});

export const scheduleRef = (ctx: Context, group: string | undefined, name: string | undefined): ScheduleRef => ({
  ...groupRef(ctx, group),
  name: name ?? "",
});

export const refOf = ({ account, region, group_name, name }: ScheduleRow): ScheduleRef => ({
  account,
  region,
  group: group_name,
  name,
});

export const groupArn = ({ account, region, group }: GroupRef): Arn =>
  `arn:aws:scheduler:${region}:${account}:schedule-group/${group}`;

export const scheduleArn = ({ account, region, group, name }: ScheduleRef): Arn =>
  `arn:aws:scheduler:${region}:${account}:schedule/${group}/${name}`;

export function groupOfArn(arn: Arn): GroupRef | undefined {
  const parts = parseArn(arn);
  const group = /^schedule-group\/([^/]+)$/.exec(parts?.resource ?? "")?.[1];
  return parts && group !== undefined ? { account: parts.account, region: parts.region, group } : undefined;
}

export function scheduleOfArn(arn: Arn): ScheduleRef | undefined {
  const parts = parseArn(arn);
  const [, group, name] = /^schedule\/([^/]+)\/([^/]+)$/.exec(parts?.resource ?? "") ?? [];
  return parts && name !== undefined
    ? { account: parts.account, region: parts.region, group: group!, name }
    : undefined;
}

const groupKey = ({ account, region, group }: GroupRef) => ({ account, region, group });
const scheduleKey = ({ name, ...ref }: ScheduleRef) => ({ ...groupKey(ref), name });

const GROUP = "account, region, name, tags, client_token, created_ms, modified_ms";
const SCHEDULE = "account, region, group_name, name, definition, state, client_token, created_ms, modified_ms, next_ms";

export const findGroup = (tx: Tx, ref: GroupRef): Promise<GroupRow | undefined> =>
  tx.one<GroupRow>(
    `SELECT ${GROUP} FROM scheduler_group WHERE account = :account AND region = :region AND name = :group`,
    groupKey(ref),
  );

export async function openGroup(tx: Tx, ref: GroupRef): Promise<GroupRow> {
  const group = await findGroup(tx, ref);
  if (!group) throw errors.noGroup(ref.group);
  return group;
}

export async function countGroups(tx: Tx, { account, region }: GroupRef): Promise<number> {
  const row = await tx.one<{ count: number }>(
    "SELECT COUNT(*) AS count FROM scheduler_group WHERE account = :account AND region = :region",
    { account, region },
  );
  return Number(row!.count);
}

export async function insertGroup(tx: Tx, row: GroupRow): Promise<void> {
  await tx.run(
    `INSERT INTO scheduler_group (${GROUP})
     VALUES (:account, :region, :name, :tags, :client_token, :created_ms, :modified_ms)`,
    { ...row },
  );
}

export async function retagGroup(tx: Tx, ref: GroupRef, of: { tags: string; now: number }): Promise<void> {
  await tx.run(
    `UPDATE scheduler_group SET tags = :tags, modified_ms = :now
     WHERE account = :account AND region = :region AND name = :group`,
    { ...groupKey(ref), ...of },
  );
}

/** With its schedules. */
export async function removeGroup(tx: Tx, ref: GroupRef): Promise<void> {
  const key = groupKey(ref);
  await tx.run(
    "DELETE FROM scheduler_schedule WHERE account = :account AND region = :region AND group_name = :group",
    key,
  );
  await tx.run("DELETE FROM scheduler_group WHERE account = :account AND region = :region AND name = :group", key);
}

interface Page {
  readonly account: string;
  readonly region: string;
  readonly prefix: string;
  readonly limit: number;
}

/** Above all that begins with `prefix`: names are ASCII. */
const beyond = (prefix: string): string => `${prefix}\x7f`;

/** In the order of their names, after `after`. */
export const listGroups = (tx: Tx, { prefix, ...page }: Page & { readonly after: string }): Promise<GroupRow[]> =>
  tx.all<GroupRow>(
    `SELECT ${GROUP} FROM scheduler_group
     WHERE account = :account AND region = :region AND name > :after AND name >= :prefix AND name < :beyond
     ORDER BY name LIMIT :limit`,
    { ...page, prefix, beyond: beyond(prefix) },
  );

/** In the order of their groups and names, after `afterGroup`/`after`. `group` and `state` are "" where any will do. */
export const listSchedules = (
  tx: Tx,
  {
    prefix,
    ...page
  }: Page & { readonly group: string; readonly state: string; readonly after: readonly [string, string] },
): Promise<ScheduleRow[]> => {
  const { after, ...rest } = page;
  return tx.all<ScheduleRow>(
    `SELECT ${SCHEDULE} FROM scheduler_schedule
     WHERE account = :account AND region = :region AND (:group = '' OR group_name = :group)
       AND (:state = '' OR state = :state) AND name >= :prefix AND name < :beyond
       AND (group_name > :afterGroup OR (group_name = :afterGroup AND name > :afterName))
     ORDER BY group_name, name LIMIT :limit`,
    { ...rest, prefix, beyond: beyond(prefix), afterGroup: after[0], afterName: after[1] },
  );
};

export const findSchedule = (tx: Tx, ref: ScheduleRef): Promise<ScheduleRow | undefined> =>
  tx.one<ScheduleRow>(
    `SELECT ${SCHEDULE} FROM scheduler_schedule
     WHERE account = :account AND region = :region AND group_name = :group AND name = :name`,
    scheduleKey(ref),
  );

export async function openSchedule(tx: Tx, ref: ScheduleRef): Promise<ScheduleRow> {
  const row = await findSchedule(tx, ref);
  if (!row) throw errors.noSchedule(ref.name);
  return row;
}

export async function saveSchedule(tx: Tx, row: ScheduleRow): Promise<void> {
  await tx.run(
    `INSERT INTO scheduler_schedule (${SCHEDULE})
     VALUES (:account, :region, :group_name, :name, :definition, :state, :client_token, :created_ms, :modified_ms, :next_ms)
     ON CONFLICT (account, region, group_name, name) DO UPDATE SET definition = excluded.definition, state = excluded.state,
       modified_ms = excluded.modified_ms, next_ms = excluded.next_ms`,
    { ...row },
  );
}

export async function removeSchedule(tx: Tx, ref: ScheduleRef): Promise<void> {
  await tx.run(
    `DELETE FROM scheduler_schedule
     WHERE account = :account AND region = :region AND group_name = :group AND name = :name`,
    scheduleKey(ref),
  );
}
