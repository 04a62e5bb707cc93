// Log groups: what they are called, how long they keep what they have.
import {
  type Context,
  defineOperations,
  newRequestId,
  type Output,
  requestTags,
  type Singly,
  type Tx,
} from "../../kernel/mod.ts";
import { onAll, onGroup, onNamed } from "./access.ts";
import { errors } from "./errors.ts";
import { groupDir, removeText } from "./files.ts";
import { beyond, cut, readCursor } from "./pages.ts";
import { planRetention } from "./retention.ts";
import {
  catalogChanged,
  findGroup,
  type GroupRef,
  type GroupRow,
  groupArn,
  groupNamed,
  openGroup,
  refOf,
  saveGroup,
} from "./rows.ts";

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html */
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];
const PAGE = 50;

export const groups = defineOperations("logs", {
  CreateLogGroup: {
    access: (ctx, input) => [
      onGroup(refOf(ctx, input.logGroupName), "CreateLogGroup", requestTags(input.tags)),
      ...(input.tags ? [onGroup(refOf(ctx, input.logGroupName), "TagResource", requestTags(input.tags))] : []),
    ],
    async handle(ctx, input) {
      await createGroup(ctx, refOf(ctx, input.logGroupName), {
        class: input.logGroupClass ?? "STANDARD",
        kms_key: input.kmsKeyId ?? null,
        is_protected: input.deletionProtectionEnabled ? 1 : 0,
        tags: JSON.stringify(input.tags ?? {}),
      });
      return {};
    },
  },

  DeleteLogGroup: {
    access: (ctx, input) => onNamed(ctx, "DeleteLogGroup", input),
    async handle(ctx, input) {
      const group = await openGroup(ctx.singly, refOf(ctx, input.logGroupName));
      if (group.is_protected)
        throw errors.validation("The log group cannot be deleted because deletion protection is enabled.");
      // The text first: what is made anew under this name must not lose its own.
      await removeText(ctx.config, group);
      await ctx.write((tx) => removeGroup(tx, group));
      return {};
    },
  },

  DescribeLogGroups: {
    access: (ctx) => onAll(ctx, "DescribeLogGroups"),
    async handle(ctx, input) {
      const { logGroupNamePrefix: prefix, logGroupNamePattern: pattern, limit = PAGE } = input;
      if (prefix !== undefined && pattern !== undefined)
        throw errors.parameter("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.");
      if (input.accountIdentifiers?.length || input.includeLinkedAccounts)
        throw errors.notImplemented("DescribeLogGroups' linked accounts");
      const [after] = readCursor(input.nextToken);
      const names = input.logGroupIdentifiers?.map(
        (logGroupIdentifier) => groupNamed(ctx, { logGroupIdentifier }).name,
      );
      const wanted = ({ name, class: kind }: GroupRow): boolean =>
        (pattern === undefined || name.includes(pattern)) &&
        (input.logGroupClass === undefined || kind === input.logGroupClass) &&
        (names === undefined || names.includes(name));
      const found = await listGroups(ctx, { prefix: prefix ?? "", after: after!, wanted, limit });
      const { items, nextToken } = cut(found, limit, ({ name }) => [name]);
      const logGroups = items.map((row) => described(row, pattern === undefined));
      return { logGroups, ...(nextToken !== undefined && { nextToken }) };
    },
  },

  ListLogGroups: {
    access: (ctx) => onAll(ctx, "ListLogGroups"),
    async handle(ctx, input) {
      const { logGroupNamePattern, logGroupClass, limit = PAGE, nextToken: token, ...others } = input;
      for (const [member, value] of Object.entries(others))
        if (value !== undefined && value !== false) throw errors.notImplemented(`ListLogGroups' ${member}`);
      const [after] = readCursor(token);
      // "^" binds a part to the beginning of the name, "|" divides alternatives.
      const parts = (logGroupNamePattern ?? "").split("|");
      const matches = (name: string): boolean =>
        parts.some((part) => (part.startsWith("^") ? name.startsWith(part.slice(1)) : name.includes(part)));
      const wanted = (row: GroupRow) =>
        matches(row.name) && (logGroupClass === undefined || row.class === logGroupClass);
      const found = await listGroups(ctx, { prefix: "", after: after!, wanted, limit });
      const { items, nextToken } = cut(found, limit, ({ name }) => [name]);
      const logGroups = items.map((row) => ({
        logGroupName: row.name,
        logGroupArn: groupArn(row),
        logGroupClass: row.class,
      }));
      return { logGroups, ...(nextToken !== undefined && { nextToken }) };
    },
  },

  PutRetentionPolicy: {
    access: (ctx, input) => onNamed(ctx, "PutRetentionPolicy", input),
    async handle(ctx, input) {
      const days = input.retentionInDays!;
      if (!RETENTION_DAYS.includes(days))
        throw errors.invalid([
          `Value '${days}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [${RETENTION_DAYS.join(", ")}]`,
        ]);
      await changeGroup(ctx, refOf(ctx, input.logGroupName), async (row, tx) =>
        planRetention(ctx, tx, { ...row, retention_days: days }),
      );
      return {};
    },
  },

  DeleteRetentionPolicy: {
    access: (ctx, input) => onNamed(ctx, "DeleteRetentionPolicy", input),
    async handle(ctx, input) {
      await changeGroup(ctx, refOf(ctx, input.logGroupName), (row) => ({
        ...row,
        retention_days: null,
        retain_ms: null,
      }));
      return {};
    },
  },

  AssociateKmsKey: {
    access: (ctx, input) => onNamed(ctx, "AssociateKmsKey", keyed(input)),
    async handle(ctx, input) {
      await changeGroup(ctx, groupNamed(ctx, keyed(input)), (row) => ({ ...row, kms_key: input.kmsKeyId! }));
      return {};
    },
  },

  DisassociateKmsKey: {
    access: (ctx, input) => onNamed(ctx, "DisassociateKmsKey", keyed(input)),
    async handle(ctx, input) {
      await changeGroup(ctx, groupNamed(ctx, keyed(input)), (row) => ({ ...row, kms_key: null }));
      return {};
    },
  },

  PutLogGroupDeletionProtection: {
    access: (ctx, input) => onNamed(ctx, "PutLogGroupDeletionProtection", input),
    async handle(ctx, input) {
      const is_protected = input.deletionProtectionEnabled ? 1 : 0;
      await changeGroup(ctx, groupNamed(ctx, input), (row) => ({ ...row, is_protected }));
      return {};
    },
  },
});

/** A key of query results belongs to no group. */
function keyed({
  logGroupName,
  resourceIdentifier,
}: {
  logGroupName?: string | undefined;
  resourceIdentifier?: string | undefined;
}) {
  if (resourceIdentifier?.includes(":query-result:")) throw errors.notImplemented("A key for query results");
  return { logGroupName, logGroupIdentifier: resourceIdentifier };
}

async function changeGroup(
  ctx: Context,
  ref: GroupRef,
  change: (row: GroupRow, tx: Tx) => GroupRow | Promise<GroupRow>,
): Promise<void> {
  await ctx.write(async (tx) => saveGroup(tx, await change(await openGroup(tx, ref), tx)));
}

type Settings = Pick<GroupRow, "class" | "kms_key" | "is_protected" | "tags">;

async function createGroup(ctx: Context, ref: GroupRef, settings: Settings): Promise<void> {
  await ctx.write(async (tx) => {
    if (await findGroup(tx, ref)) throw errors.groupExists();
    const row: GroupRow = {
      ...ref,
      ...settings,
      id: newRequestId(),
      dir: await freeDir(ctx, tx, ref),
      retention_days: null,
      retain_ms: null,
      created_ms: ctx.now,
    };
    await tx.run(
      `INSERT INTO logs_group (account, region, name, id, dir, class, kms_key, retention_days, retain_ms, is_protected, tags, created_ms)
       VALUES (:account, :region, :name, :id, :dir, :class, :kms_key, :retention_days, :retain_ms, :is_protected, :tags, :created_ms)`,
      { ...row },
    );
    catalogChanged(tx);
  });
}

async function freeDir(ctx: Context, tx: Singly, ref: GroupRef): Promise<string> {
  for (let nth = 1; ; nth++) {
    const dir = groupDir(ctx.config, ref, nth);
    if (!(await tx.one("SELECT id FROM logs_group WHERE dir = :dir", { dir }))) return dir;
  }
}

async function removeGroup(tx: Tx, { id }: GroupRow): Promise<void> {
  for (const table of ["logs_batch", "logs_filter", "logs_stream"] as const) await tx.run(REMOVALS[table], { id });
  await tx.run("DELETE FROM logs_group WHERE id = :id", { id });
  catalogChanged(tx);
}

const REMOVALS = {
  logs_batch: "DELETE FROM logs_batch WHERE group_id = :id",
  logs_filter: "DELETE FROM logs_filter WHERE group_id = :id",
  logs_stream: "DELETE FROM logs_stream WHERE group_id = :id",
} as const;

interface Listing {
  readonly prefix: string;
  readonly after: string;
  readonly limit: number;
  wanted(row: GroupRow): boolean;
}

type Counted = GroupRow & { readonly stored: number; readonly filters: number };

/** By name; one more than `limit`, where there are more. */
async function listGroups(ctx: Context, { prefix, after, limit, wanted }: Listing): Promise<Counted[]> {
  const { account, region } = ctx;
  const found: Counted[] = [];
  for (let cursor = after; found.length <= limit; ) {
    const page = await ctx.singly.all<Counted>(
      `SELECT g.*,
         (SELECT CAST(COALESCE(SUM(s.stored_bytes), 0) AS BIGINT) FROM logs_stream s WHERE s.group_id = g.id) AS stored,
         (SELECT COUNT(*) FROM logs_filter f WHERE f.group_id = g.id AND f.kind = 'metric') AS filters
       FROM logs_group g
       WHERE g.account = :account AND g.region = :region AND g.name > :cursor AND g.name >= :prefix AND g.name < :end
       ORDER BY g.name LIMIT :most`,
      { account, region, cursor, prefix, end: beyond(prefix), most: READ },
    );
    found.push(...page.filter(wanted));
    if (page.length < READ) break;
    cursor = page.at(-1)!.name;
  }
  return found;
}

const READ = 51;

type Described = NonNullable<Output<"logs", "DescribeLogGroups">["logGroups"]>[number];

/** A search by pattern does not tell what costs a look (recorded). */
const described = (row: Counted, whole: boolean): Described => ({
  logGroupName: row.name,
  creationTime: row.created_ms,
  ...(row.retention_days !== null && { retentionInDays: row.retention_days }),
  metricFilterCount: row.filters,
  arn: `${groupArn(row)}:*`,
  ...(whole && { storedBytes: row.stored, deletionProtectionEnabled: row.is_protected === 1 }),
  ...(row.kms_key !== null && { kmsKeyId: row.kms_key }),
  logGroupClass: row.class,
  logGroupArn: groupArn(row),
});
