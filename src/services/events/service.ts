// Amazon EventBridge: so far, rules on a schedule. README.md says first what is missing.
import { defineService, loadModel, withoutNulls } from "../../kernel/mod.ts";
import { deliver, giveUp } from "./firing.ts";
import { tables } from "./rows.ts";
import { resourceTags, rules } from "./rules.ts";
import { targets } from "./targets.ts";

export const events = defineService({
  name: "events",
  model: loadModel(import.meta.url),
  migrations: [tables],
  operations: { ...rules, ...targets },
  quirks: { input: (_operation, input) => withoutNulls(input) },
  resourceTags,
  deliver,
  giveUp,
});
