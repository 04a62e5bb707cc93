// AWS Lambda: functions, their code, and how they are invoked. README.md says first what is missing.
import { defineService, loadModel } from "../../kernel/mod.ts";
import { aliases, tables as aliasTables } from "./aliases.ts";
import { concurrency, tables as concurrencyTables } from "./concurrency.ts";
import { tables as functionTables } from "./configuration.ts";
import { deliver, giveUp } from "./deliveries.ts";
import { download } from "./download.ts";
import { eventInvokeConfigs, tables as eventInvokeConfigTables } from "./event-invoke-configs.ts";
import { functions } from "./functions.ts";
import { invocations } from "./invocations.ts";
import { layerPolicies } from "./layer-policies.ts";
import { tables as layerTables } from "./layer-tables.ts";
import { layers } from "./layers.ts";
import { policies, tables as policyTables, resourcePolicy } from "./policies.ts";
import { provisioned } from "./provisioned.ts";
import { quirks } from "./quirks.ts";
import { startRuntime } from "./runtime.ts";
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
    ...invocations,
    ...concurrency,
    ...provisioned,
    ...layers,
    ...layerPolicies,
    ...streamingInvocations,
  },
  quirks,
  sites: [download],
  resourcePolicy,
  resourceTags,
  deliver,
  giveUp,
  start: startRuntime,
});
