// DynamoDB: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/
import { defineService, loadModel } from "../../kernel/mod.ts";
import { batches } from "./batches.ts";
import { MIGRATION as EXPIRY, type Expire } from "./expiry.ts";
import { items } from "./items.ts";
import { limits } from "./limits.ts";
import { MIGRATION as PAGES } from "./pages.ts";
import { partiql } from "./partiql.ts";
import { queries } from "./queries.ts";
import { quirks } from "./quirks.ts";
import { type Sweep, sweepMore } from "./removal.ts";
import { MIGRATION as POLICIES, resourcePolicies, resourcePolicy } from "./resource-policies.ts";
import { MIGRATION as ITEMS } from "./rows.ts";
import { MIGRATION as TABLES } from "./schema.ts";
import { type Settle, settle } from "./settle.ts";
import { streamOperations } from "./streams/operations.ts";
import { tend } from "./streams/shards.ts";
import { isStreamArn, MIGRATION as STREAMS, watch } from "./streams/streams.ts";
import { tableUpdates } from "./table-updates.ts";
import { tables } from "./tables.ts";
import { resourceTags, MIGRATION as TAGS, tags } from "./tags.ts";
import { MIGRATION as TRANSACTIONS, transactions } from "./transactions.ts";
import { expire, type LookAt, lookAtMore, timeToLive } from "./ttl.ts";
import { MIGRATION as VIEWS } from "./views.ts";

/** The kinds of Work to a table. */
type TableWork = Expire | LookAt | Settle | Sweep;
const tableWork = { expire, "look at": lookAtMore, settle, sweep: sweepMore } as const;

export const dynamodb = defineService({
  name: "dynamodb",
  model: loadModel(import.meta.url),
  migrations: [TABLES, ITEMS, TAGS, VIEWS, TRANSACTIONS, POLICIES, STREAMS, EXPIRY, PAGES],
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
  },
  quirks,
  resourcePolicy,
  resourceTags,
  watch,
  deliver: (ctx, work) =>
    isStreamArn(work.to) ? tend(ctx, work) : tableWork[(work.payload as TableWork).kind](ctx, work),
});

/** AWS's second API over the same tables: another endpoint and model, the same actions and ARNs. */
export const dynamodbstreams = defineService({
  name: "dynamodbstreams",
  model: loadModel(new URL("../dynamodbstreams/", import.meta.url).href),
  operations: streamOperations,
  quirks,
});
