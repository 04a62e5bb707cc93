// Amazon EventBridge: so far, rules on a schedule. README.md says first what is missing.
import { defineService, loadModel } from "../../kernel/mod.ts";
import { deliver, giveUp } from "./firing.ts";
import { tables } from "./rows.ts";
import { rules } from "./rules.ts";
import { targets } from "./targets.ts";

export const events = defineService({
  name: "events",
  model: loadModel(import.meta.url),
  migrations: [tables],
  operations: { ...rules, ...targets },
  deliver,
  giveUp,
});
