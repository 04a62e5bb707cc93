// The account as a whole: its alias, and how much of everything it has.
import { type Access, type Context, defineOperations } from "../../kernel/mod.ts";
import { KEYS_PER_USER } from "./access-keys.ts";
import { ATTACHED_LIMIT } from "./attached-policies.ts";
import { errors } from "./errors.ts";
import { GROUPS, GROUPS_PER_USER } from "./groups.ts";
import { INLINE_LIMIT } from "./inline-policies.ts";
import { cut, pageOf } from "./paging.ts";
import { SERVER_CERTIFICATES } from "./server-certificates.ts";
import { SIGNING_CERTIFICATES_PER_USER } from "./signing-certificates.ts";
import { USERS } from "./users.ts";

export const account = defineOperations("iam", {
  CreateAccountAlias: {
    access: onAccount("CreateAccountAlias"),
    // An account has one alias: a new one takes the place of the old one.
    async handle(ctx, { AccountAlias }) {
      const key = { account: ctx.account, alias: AccountAlias! };
      await ctx.write(async (tx) => {
        if (await tx.one("SELECT 1 AS one FROM iam_account_alias WHERE alias = :alias", { alias: key.alias }))
          throw errors.aliasTaken(key.alias);
        await tx.run("DELETE FROM iam_account_alias WHERE account = :account", { account: key.account });
        await tx.run("INSERT INTO iam_account_alias (alias, account) VALUES (:alias, :account)", key);
      });
      return {};
    },
  },

  DeleteAccountAlias: {
    access: onAccount("DeleteAccountAlias"),
    async handle(ctx, { AccountAlias }) {
      await ctx.write(async (tx) => {
        const sql = "DELETE FROM iam_account_alias WHERE alias = :alias AND account = :account";
        if ((await tx.run(sql, { alias: AccountAlias!, account: ctx.account })) === 0)
          throw errors.noSuchAlias(AccountAlias!);
      });
      return {};
    },
  },

  ListAccountAliases: {
    access: onAccount("ListAccountAliases"),
    async handle(ctx, input) {
      const page = pageOf(input);
      const rows = await ctx.read((tx) =>
        tx.all<{ alias: string }>("SELECT alias FROM iam_account_alias WHERE account = :account AND alias > :after", {
          account: ctx.account,
          after: page.after,
        }),
      );
      const { shown, more } = cut(rows, page, ({ alias }) => alias);
      return { AccountAliases: shown.map(({ alias }) => alias), ...more };
    },
  },

  GetAccountSummary: {
    access: onAccount("GetAccountSummary"),
    async handle(ctx) {
      const counted = await ctx.read((tx) => tx.all<{ name: string; n: number }>(COUNTS, { account: ctx.account }));
      const counts = Object.fromEntries(counted.map(({ name, n }) => [name, Number(n)]));
      return { SummaryMap: { ...counts, ...QUOTAS, ...ROOT } };
    },
  },
});

/** `access` of an operation on the account: AWS names no resource. */
export function onAccount(action: string) {
  return (_ctx: Context): Access => ({ action: `iam:${action}`, resource: "*" });
}

const COUNTED = {
  Users: "iam_user WHERE account = :account",
  Groups: "iam_group WHERE account = :account",
  Roles: "iam_role WHERE account = :account",
  Policies: "iam_policy WHERE account = :account",
  PolicyVersionsInUse: "iam_policy p JOIN iam_policy_version v ON v.arn = p.arn WHERE p.account = :account",
  InstanceProfiles: "iam_instance_profile WHERE account = :account",
  Providers: `(SELECT account FROM iam_oidc_provider UNION ALL SELECT account FROM iam_saml_provider) p
    WHERE account = :account`,
  ServerCertificates: "iam_server_certificate WHERE account = :account",
  MFADevices: "iam_mfa_device WHERE account = :account",
  MFADevicesInUse: "iam_mfa_device WHERE account = :account AND owner IS NOT NULL",
};

const COUNTS = Object.entries(COUNTED)
  .map(([name, from]) => `SELECT '${name}' AS name, COUNT(*) AS n FROM ${from}`)
  .join(" UNION ALL ");

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html; those of roles and policies stand where they are enforced too. */
const QUOTAS = {
  UsersQuota: USERS,
  GroupsQuota: GROUPS,
  GroupsPerUserQuota: GROUPS_PER_USER,
  AccessKeysPerUserQuota: KEYS_PER_USER,
  SigningCertificatesPerUserQuota: SIGNING_CERTIFICATES_PER_USER,
  ServerCertificatesQuota: SERVER_CERTIFICATES,
  AttachedPoliciesPerUserQuota: ATTACHED_LIMIT,
  AttachedPoliciesPerGroupQuota: ATTACHED_LIMIT,
  AttachedPoliciesPerRoleQuota: ATTACHED_LIMIT,
  UserPolicySizeQuota: INLINE_LIMIT.user,
  GroupPolicySizeQuota: INLINE_LIMIT.group,
  RolePolicySizeQuota: INLINE_LIMIT.role,
  RolesQuota: 1000,
  InstanceProfilesQuota: 1000,
  AssumeRolePolicySizeQuota: 2048,
  PoliciesQuota: 1500,
  PolicySizeQuota: 6144,
  VersionsPerPolicyQuota: 5,
  PolicyVersionsInUseQuota: 10_000,
};

/** Root has a key, in the configuration, and nothing else. Tokens are good in all regions. */
const ROOT = {
  AccountAccessKeysPresent: 1,
  AccountMFAEnabled: 0,
  AccountPasswordPresent: 0,
  AccountSigningCertificatesPresent: 0,
  GlobalEndpointTokenVersion: 2,
};
