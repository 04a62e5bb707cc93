// Organizations: accounts in a tree, and what they may do at most.
import { defineService, loadModel } from "../../kernel/mod.ts";
import { accounts } from "./accounts.ts";
import { attachments } from "./attachments.ts";
import { creating, deliver } from "./creating.ts";
import { handshakes } from "./handshakes.ts";
import { identity } from "./identity.ts";
import { organization } from "./organization.ts";
import { policies } from "./policies.ts";
import { quirks } from "./quirks.ts";
import { migrations } from "./tables.ts";
import { resourceTags, tags } from "./tags.ts";
import { units } from "./units.ts";

export const organizations = defineService({
  name: "organizations",
  model: loadModel(import.meta.url),
  migrations,
  operations: {
    ...organization,
    ...units,
    ...accounts,
    ...creating,
    ...handshakes,
    ...policies,
    ...attachments,
    ...tags,
  },
  quirks,
  resourceTags,
  identity,
  deliver,
});
