// AWS Lambda: functions, their code, and how they are invoked. README.md says first what is missing.
import { type Context, defineService, loadModel, type Running } from "../../kernel/mod.ts";
import { aliases, tables as aliasTables } from "./aliases.ts";
import { concurrency, tables as concurrencyTables } from "./concurrency.ts";
import { tables as functionTables } from "./configuration.ts";
import { deliver, giveUp } from "./deliveries.ts";
import { download } from "./download.ts";
import { eventInvokeConfigs, tables as eventInvokeConfigTables } from "./event-invoke-configs.ts";
import { arrive, eventSourceMappings } from "./event-sources/mappings.ts";
import { tables as eventSourceTables, parseMappingArn } from "./event-sources/rows.ts";
import { startMappings } from "./event-sources/running.ts";
import { functionUrlSite } from "./function-url-site.ts";
import { functionUrls, tables as functionUrlTables } from "./function-urls.ts";
import { functions } from "./functions.ts";
import { invocations } from "./invocations.ts";
import { layerPolicies } from "./layer-policies.ts";
import { tables as layerTables } from "./layer-tables.ts";
import { layers } from "./layers.ts";
import { policies, tables as policyTables, resourcePolicy } from "./policies.ts";
import { provisioned } from "./provisioned.ts";
import { quirks } from "./quirks.ts";
import { recursionConfigs, tables as recursionTables } from "./recursion.ts";
import { startRuntime } from "./runtime.ts";
import { runtimeManagement } from "./runtime-management.ts";
import { streamingInvocations } from "./streaming-invocations.ts";
import { resourceTags, tags } from "./tags.ts";
import { updates } from "./updates.ts";
import { versions } from "./versions.ts";

const furtherColumns = `
ALTER TABLE lambda_alias ADD COLUMN weights TEXT;
ALTER TABLE lambda_function ADD COLUMN progress TEXT;
ALTER TABLE lambda_function ADD COLUMN runtime_management TEXT`;

export const lambda = defineService({
  name: "lambda",
  model: loadModel(import.meta.url),
  migrations: [
    [functionTables, aliasTables, policyTables, eventInvokeConfigTables].join(";"),
    eventSourceTables,
    functionUrlTables,
    recursionTables,
    // Concurrency, layers, weighted aliases, states.
    [concurrencyTables, layerTables, furtherColumns].join(";"),
  ],
  operations: {
    ...functions,
    ...updates,
    ...versions,
    ...aliases,
    ...policies,
    ...tags,
    ...eventInvokeConfigs,
    ...eventSourceMappings,
    ...recursionConfigs,
    ...invocations,
    ...concurrency,
    ...provisioned,
    ...layers,
    ...layerPolicies,
    ...runtimeManagement,
    ...streamingInvocations,
    ...functionUrls,
  },
  quirks,
  sites: [functionUrlSite, download],
  resourcePolicy,
  resourceTags,
  deliver(ctx, work) {
    const mapping = parseMappingArn(work.to);
    return mapping ? arrive(ctx, mapping) : deliver(ctx, work);
  },
  giveUp,
  start,
});

/** Mappings invoke functions, so they come after the runtime; and they end together: a batch under way ends when its sandbox does. */
async function start(ctx: Context): Promise<Running> {
  const runtime = await startRuntime(ctx);
  const mappings = await startMappings(ctx);
  return {
    async settled() {
      await mappings.settled();
      await runtime.settled();
    },
    nextDue: () => mappings.nextDue(),
    async [Symbol.asyncDispose]() {
      await Promise.all([mappings[Symbol.asyncDispose](), runtime[Symbol.asyncDispose]()]);
    },
  };
}
