// IAM: roles, users, groups, their keys and policies. What is decided with them is in the kernel's policy engine and the door.
import { defineService, loadModel } from "../../kernel/mod.ts";
import { accessKeys, sealSecrets } from "./access-keys.ts";
import { account } from "./account.ts";
import { accountDetails } from "./account-details.ts";
import { attachedPolicies } from "./attached-policies.ts";
import { contextKeys } from "./context-keys.ts";
import { credentialReport } from "./credential-report.ts";
import { groups } from "./groups.ts";
import { identity } from "./identity.ts";
import { inlinePolicies } from "./inline-policies.ts";
import { instanceProfiles } from "./instance-profiles.ts";
import { lastAccessed } from "./last-accessed.ts";
import { loginProfiles } from "./login-profiles.ts";
import { mfaDevices } from "./mfa-devices.ts";
import { oidcProviders } from "./oidc-providers.ts";
import { passwordPolicies } from "./password-policy.ts";
import { policies } from "./policies.ts";
import { policyUses } from "./policy-uses.ts";
import { policyVersions } from "./policy-versions.ts";
import { quirks } from "./quirks.ts";
import { resourceTags } from "./resource-tags.ts";
import { roles, trustPolicy } from "./roles.ts";
import { samlProviders } from "./saml-providers.ts";
import { serverCertificates } from "./server-certificates.ts";
import { serviceLinkedRoles } from "./service-linked-roles.ts";
import { serviceSpecificCredentials } from "./service-specific-credentials.ts";
import { signingCertificates } from "./signing-certificates.ts";
import { simulation } from "./simulation.ts";
import { sshPublicKeys } from "./ssh-public-keys.ts";
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
    ...lastAccessed,
    ...users,
    ...groups,
    ...accessKeys,
    ...loginProfiles,
    ...passwordPolicies,
    ...mfaDevices,
    ...sshPublicKeys,
    ...signingCertificates,
    ...serverCertificates,
    ...serviceSpecificCredentials,
    ...policies,
    ...policyVersions,
    ...policyUses,
    ...account,
    ...accountDetails,
    ...credentialReport,
    ...inlinePolicies,
    ...attachedPolicies,
  },
  quirks,
  resourcePolicy: trustPolicy,
  resourceTags,
  identity,
  async start(ctx) {
    await sealSecrets(ctx);
    return new AsyncDisposableStack();
  },
});
