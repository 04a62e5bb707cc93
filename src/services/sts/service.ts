// STS: temporary credentials.
import { defineService, loadModel } from "../../kernel/mod.ts";
import { assumeRole } from "./assume-role.ts";
import { assumeRoleWithWebIdentity } from "./assume-role-with-web-identity.ts";
import { callers } from "./callers.ts";
import { identity, migrations } from "./sessions.ts";

export const sts = defineService({
  name: "sts",
  model: loadModel(import.meta.url),
  migrations,
  operations: { ...assumeRole, ...assumeRoleWithWebIdentity, ...callers },
  identity,
});
