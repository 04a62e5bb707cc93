// Amazon EventBridge Scheduler: schedules and their groups. README.md says first what is missing.
import { defineService, loadModel } from "../../kernel/mod.ts";
import { deliver, giveUp } from "./firing.ts";
import { groups, resourceTags } from "./groups.ts";
import { tables } from "./rows.ts";
import { schedules } from "./schedules.ts";

export const scheduler = defineService({
  name: "scheduler",
  model: loadModel(import.meta.url),
  migrations: [tables],
  operations: { ...schedules, ...groups },
  resourceTags,
  deliver,
  giveUp,
});
