// Amazon SNS: topics, subscriptions, and what is published. README.md says first what is missing.
import { defineService, loadModel } from "../../kernel/mod.ts";
import { deliver, giveUp } from "./deliveries.ts";
import { permissions, resourcePolicy } from "./permissions.ts";
import { publishing } from "./publishing.ts";
import { certificates } from "./signing.ts";
import { sms } from "./sms.ts";
import { subscribing } from "./subscribing.ts";
import { subscriptions } from "./subscriptions.ts";
import { tables } from "./tables.ts";
import { resourceTags, tags } from "./tags.ts";
import { topics } from "./topics.ts";

export const sns = defineService({
  name: "sns",
  model: loadModel(import.meta.url),
  migrations: [tables],
  operations: { ...topics, ...tags, ...permissions, ...subscribing, ...subscriptions, ...publishing, ...sms },
  sites: [certificates],
  resourcePolicy,
  resourceTags,
  deliver,
  giveUp,
});
