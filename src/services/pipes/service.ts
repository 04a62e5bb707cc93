// EventBridge Pipes: https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/. README.md says first what is missing.
import { defineService, loadModel, withoutNulls } from "../../kernel/mod.ts";
import { pipes as operations } from "./pipes.ts";
import { tables } from "./rows.ts";
import { start } from "./running.ts";
import { resourceTags, tags } from "./tags.ts";

export const pipes = defineService({
  name: "pipes",
  model: loadModel(import.meta.url),
  migrations: [tables],
  operations: { ...operations, ...tags },
  quirks: { input: (_operation, input) => withoutNulls(input) },
  resourceTags,
  start,
});
