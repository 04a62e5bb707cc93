// AWS Lambda: functions, their code, and how they are invoked. README.md says first what is missing.
import { defineService, loadModel } from "../../kernel/mod.ts";
import { aliases, tables as aliasTables } from "./aliases.ts";
import { tables as functionTables } from "./configuration.ts";
import { deliver, giveUp } from "./deliveries.ts";
import { download } from "./download.ts";
import { eventInvokeConfigs, tables as eventInvokeConfigTables } from "./event-invoke-configs.ts";
import { functionUrlSite } from "./function-url-site.ts";
import { functionUrls, tables as functionUrlTables } from "./function-urls.ts";
import { functions } from "./functions.ts";
import { invocations } from "./invocations.ts";
import { policies, tables as policyTables, resourcePolicy } from "./policies.ts";
import { quirks } from "./quirks.ts";
import { startRuntime } from "./runtime.ts";
import { streamingInvocations } from "./streaming-invocations.ts";
import { resourceTags, tags } from "./tags.ts";
import { updates } from "./updates.ts";
import { versions } from "./versions.ts";

export const lambda = defineService({
  name: "lambda",
  model: loadModel(import.meta.url),
  migrations: [[functionTables, aliasTables, policyTables, eventInvokeConfigTables].join(";"), functionUrlTables],
  operations: {
    ...functions,
    ...updates,
    ...versions,
    ...aliases,
    ...policies,
    ...tags,
    ...eventInvokeConfigs,
    ...invocations,
    ...streamingInvocations,
    ...functionUrls,
  },
  quirks,
  sites: [functionUrlSite, download],
  resourcePolicy,
  resourceTags,
  deliver,
  giveUp,
  start: startRuntime,
});
