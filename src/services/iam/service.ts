// IAM: roles, users, groups, their keys and policies. What is decided with them is in the kernel's policy engine and the door.
import { defineService, loadModel } from "../../kernel/mod.ts";
import { accessKeys, sealSecrets } from "./access-keys.ts";
import { attachedPolicies } from "./attached-policies.ts";
import { contextKeys } from "./context-keys.ts";
import { groups } from "./groups.ts";
import { identity } from "./identity.ts";
import { inlinePolicies } from "./inline-policies.ts";
import { instanceProfiles } from "./instance-profiles.ts";
import { oidcProviders } from "./oidc-providers.ts";
import { policies } from "./policies.ts";
import { policyUses } from "./policy-uses.ts";
import { policyVersions } from "./policy-versions.ts";
import { quirks } from "./quirks.ts";
import { roles, trustPolicy } from "./roles.ts";
import { samlProviders } from "./saml-providers.ts";
import { serviceLinkedRoles } from "./service-linked-roles.ts";
import { simulation } from "./simulation.ts";
import { migrations } from "./tables.ts";
import { users } from "./users.ts";

export const iam = defineService({
  name: "iam",
  model: loadModel(import.meta.url),
  migrations,
  operations: {
    ...roles,
    ...instanceProfiles,
    ...serviceLinkedRoles,
    ...oidcProviders,
    ...samlProviders,
    ...simulation,
    ...contextKeys,
    ...users,
    ...groups,
    ...accessKeys,
    ...policies,
    ...policyVersions,
    ...policyUses,
    ...inlinePolicies,
    ...attachedPolicies,
  },
  quirks,
  resourcePolicy: trustPolicy,
  identity,
  async start(ctx) {
    await sealSecrets(ctx);
    return new AsyncDisposableStack();
  },
});
