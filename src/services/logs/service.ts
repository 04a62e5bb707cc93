// Amazon CloudWatch Logs: groups, streams, events, and what filters make of them. README.md says first what is missing.
import { defineService, loadModel } from "../../kernel/mod.ts";
import { deliver, giveUp } from "./deliveries.ts";
import { exportTasks } from "./exports.ts";
import { groups } from "./groups.ts";
import { liveTail } from "./live-tail.ts";
import { metricFilters } from "./metric-filters.ts";
import { putLogEvents } from "./put-log-events.ts";
import { queries } from "./queries.ts";
import { queryDefinitions } from "./query-definitions.ts";
import { quirks } from "./quirks.ts";
import { reading } from "./reading.ts";
import { resourcePolicies, resourcePolicy } from "./resource-policies.ts";
import { tables } from "./rows.ts";
import { streams } from "./streams.ts";
import { subscriptionFilters } from "./subscription-filters.ts";
import { resourceTags, tags } from "./tags.ts";

export const logs = defineService({
  name: "logs",
  model: loadModel(import.meta.url),
  migrations: [tables],
  operations: {
    ...groups,
    ...streams,
    ...putLogEvents,
    ...reading,
    ...metricFilters,
    ...subscriptionFilters,
    ...queries,
    ...queryDefinitions,
    ...liveTail,
    ...exportTasks,
    ...resourcePolicies,
    ...tags,
  },
  quirks,
  resourcePolicy,
  resourceTags,
  deliver,
  giveUp,
});
