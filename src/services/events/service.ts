// Amazon EventBridge: buses, rules, targets, archives, connections. README.md says first what is missing.
import { defineService, loadModel, withoutNulls } from "../../kernel/mod.ts";
import { resourcePolicy, resourceTags } from "./access.ts";
import { apiDestinations } from "./api-destinations.ts";
import { archives } from "./archives.ts";
import { buses } from "./buses.ts";
import { answering } from "./calling.ts";
import { connections } from "./connections.ts";
import { deliver, giveUp } from "./deliveries.ts";
import { patterns } from "./patterns.ts";
import { permissions } from "./permissions.ts";
import { putEvents } from "./put-events.ts";
import { replays } from "./replays.ts";
import { rules } from "./rules.ts";
import { migrations } from "./tables.ts";
import { tags } from "./tags.ts";
import { targets } from "./targets.ts";

export const events = defineService({
  name: "events",
  model: loadModel(import.meta.url),
  migrations,
  operations: {
    ...buses,
    ...permissions,
    ...rules,
    ...targets,
    ...patterns,
    ...putEvents,
    ...tags,
    ...archives,
    ...replays,
    ...connections,
    ...apiDestinations,
  },
  quirks: { input: (_operation, input) => withoutNulls(input) },
  resourcePolicy,
  resourceTags,
  deliver,
  giveUp,
  answering,
});
