// DynamoDB: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/
import { defineService, loadModel } from "../../kernel/mod.ts";
import { MIGRATION as BACKUPS, type DropBackup, expireBackup } from "./backup-rows.ts";
import { backups, type CopyBackup, copyBackup } from "./backups.ts";
import { batches } from "./batches.ts";
import { contributorInsights } from "./contributor-insights.ts";
import { MIGRATION as COPIES } from "./copies.ts";
import { MIGRATION as EXPIRY, type Expire } from "./expiry.ts";
import { MIGRATION as EXPORT_FILES, giveUpExport, type RunExport, runExport } from "./export-run.ts";
import { exportOperations } from "./exports.ts";
import { type DropReplica, dropReplica, followTtl, type MakeReplica, makeReplica } from "./global-tables.ts";
import { MIGRATION as HISTORY, type Prune, prune } from "./history.ts";
import { giveUpImport, type RunImport, runImport } from "./import-run.ts";
import { importOperations } from "./imports.ts";
import { items } from "./items.ts";
import { MIGRATION as JOBS } from "./jobs.ts";
import { limits } from "./limits.ts";
import { MIGRATION as PAGES } from "./pages.ts";
import { partiql } from "./partiql.ts";
import { pointInTime } from "./point-in-time.ts";
import { queries } from "./queries.ts";
import { quirks } from "./quirks.ts";
import type { FollowTtl } from "./replicas.ts";
import { replicate } from "./replication.ts";
import { MIGRATION as POLICIES, resourcePolicies, resourcePolicy } from "./resource-policies.ts";
import { type RestoreRows, restoreRows, restores } from "./restore.ts";
import { MIGRATION as ITEMS } from "./rows.ts";
import { MIGRATION as TABLES } from "./schema.ts";
import { type Settle, settle } from "./settle.ts";
import { type Replicate, MIGRATION as STAMPS } from "./stamps.ts";
import { streamOperations } from "./streams/operations.ts";
import { tend } from "./streams/shards.ts";
import { isStreamArn, MIGRATION as STREAMS, watch } from "./streams/streams.ts";
import { type Sweep, sweepMore } from "./sweep.ts";
import { tableUpdates } from "./table-updates.ts";
import { tables } from "./tables.ts";
import { resourceTags, MIGRATION as TAGS, tags } from "./tags.ts";
import { MIGRATION as TRANSACTIONS, transactions } from "./transactions.ts";
import { expire, type LookAt, lookAtMore, timeToLive } from "./ttl.ts";
import { MIGRATION as VIEWS } from "./views.ts";

/** The kinds of Work to a table, and to what was made of one. */
type TableWork =
  | Expire
  | LookAt
  | Settle
  | Sweep
  | CopyBackup
  | DropBackup
  | RestoreRows
  | Prune
  | RunExport
  | RunImport
  | MakeReplica
  | DropReplica
  | FollowTtl
  | Replicate;
const tableWork = {
  expire,
  settle,
  sweep: sweepMore,
  "look at": lookAtMore,
  "copy backup": copyBackup,
  "drop backup": expireBackup,
  "restore rows": restoreRows,
  prune,
  export: runExport,
  import: runImport,
  "make replica": makeReplica,
  "drop replica": dropReplica,
  "follow ttl": followTtl,
  replicate,
} as const;

export const dynamodb = defineService({
  name: "dynamodb",
  model: loadModel(import.meta.url),
  migrations: [
    TABLES,
    ITEMS,
    TAGS,
    VIEWS,
    TRANSACTIONS,
    POLICIES,
    STREAMS,
    EXPIRY,
    PAGES,
    [COPIES, BACKUPS, HISTORY, JOBS, EXPORT_FILES].join(";"),
    STAMPS,
  ],
  operations: {
    ...tables,
    ...tableUpdates,
    ...tags,
    ...items,
    ...queries,
    ...batches,
    ...transactions,
    ...partiql,
    ...timeToLive,
    ...limits,
    ...resourcePolicies,
    ...backups,
    ...restores,
    ...pointInTime,
    ...exportOperations,
    ...importOperations,
    ...contributorInsights,
  },
  quirks,
  resourcePolicy,
  resourceTags,
  watch,
  deliver: (ctx, work) =>
    isStreamArn(work.to) ? tend(ctx, work) : tableWork[(work.payload as TableWork).kind](ctx, work),
  async giveUp(ctx, tx, work, error) {
    if (isStreamArn(work.to)) return;
    const { kind } = work.payload as TableWork;
    if (kind === "export") await giveUpExport(ctx, tx, { work, error });
    if (kind === "import") await giveUpImport(ctx, tx, { work, error });
  },
});

/** AWS's second API over the same tables: another endpoint and model, the same actions and ARNs. */
export const dynamodbstreams = defineService({
  name: "dynamodbstreams",
  model: loadModel(new URL("../dynamodbstreams/", import.meta.url).href),
  operations: streamOperations,
  quirks,
});
