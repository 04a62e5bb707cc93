// Amazon SQS: queues and what is in them. README.md says first what is missing.
import { defineService, loadModel } from "../../kernel/mod.ts";
import { deadLetters } from "./dead-letters.ts";
import { deliver, giveUp } from "./deliveries.ts";
import { inFlight } from "./in-flight.ts";
import { moveTasks } from "./move-tasks.ts";
import { policies, resourcePolicy } from "./policies.ts";
import { queues } from "./queues.ts";
import { quirks } from "./quirks.ts";
import { receiving } from "./receiving.ts";
import { sending } from "./sending.ts";
import { laterTables, tables } from "./tables.ts";
import { resourceTags, tags } from "./tags.ts";
import { startWaiting, watch } from "./waiting.ts";

export const sqs = defineService({
  name: "sqs",
  model: loadModel(import.meta.url),
  migrations: [tables, laterTables],
  operations: { ...queues, ...deadLetters, ...moveTasks, ...tags, ...policies, ...sending, ...receiving, ...inFlight },
  quirks,
  resourcePolicy,
  resourceTags,
  watch,
  deliver,
  giveUp,
  start: startWaiting,
});
