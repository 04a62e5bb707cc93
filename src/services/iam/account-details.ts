// GetAccountAuthorizationDetails: who there is, and what each may do. A page takes as many statements as there are nouns, not as there are rows.
import { type Arn, defineOperations, type Tx } from "../../kernel/mod.ts";
import { onAccount } from "./account.ts";
import { awsDocument } from "./aws-managed.ts";
import { type GroupRow, groupListed } from "./groups.ts";
import { type ProfileRow, shown as shownProfiles } from "./instance-profiles.ts";
import { cut, pageOf } from "./paging.ts";
import { boundaryOf } from "./permissions-boundary.ts";
import { awsRow, type PolicyRow, policyListed } from "./policies.ts";
import { type Use, uses } from "./policy-uses.ts";
import { listedRole, type RoleRow } from "./roles.ts";
import { secondOf } from "./tables.ts";
import { tagsOf } from "./tags.ts";
import { shownTrusts } from "./trust.ts";
import { type UserRow, userListed } from "./users.ts";

type Kind = "User" | "Role" | "Group" | "LocalManagedPolicy" | "AWSManagedPolicy";

/** What lies on a page: places are `user:key`, `policy:arn`..., in their order. */
interface Range {
  readonly account: string;
  readonly after: string;
  readonly last: string;
}

export const accountDetails = defineOperations("iam", {
  GetAccountAuthorizationDetails: {
    access: onAccount("GetAccountAuthorizationDetails"),
    async handle(ctx, input) {
      const { account } = ctx;
      const page = pageOf(input);
      const wants = (kind: Kind) => !input.Filter?.length || input.Filter.includes(kind);
      return await ctx.read(async (tx) => {
        const used = await uses(tx, account);
        const all = await tx.all<{ place: string }>(PLACES, {
          account,
          users: Number(wants("User")),
          groups: Number(wants("Group")),
          roles: Number(wants("Role")),
          policies: Number(wants("LocalManagedPolicy")),
          after: page.after,
          limit: page.limit,
        });
        // Of AWS's policies those that are in use.
        const awss = wants("AWSManagedPolicy") ? [...used.keys()].filter((arn) => awsRow(arn)) : [];
        const places = [...all.map(({ place }) => place), ...awss.map((arn) => `policy:${arn}`)]
          .filter((place) => place > page.after)
          .sort((a, b) => (a < b ? -1 : 1));
        const { shown, more } = cut(places.slice(0, page.limit), page, (place) => place);
        const range = { account, after: page.after, last: shown.at(-1) ?? "" };
        const held = await holdings(tx, range);
        return {
          UserDetailList: wants("User") ? await users(tx, range, held) : [],
          GroupDetailList: wants("Group") ? await groups(tx, range, held) : [],
          RoleDetailList: wants("Role") ? await roles(tx, range, held) : [],
          Policies: await policies(tx, range, { used, local: wants("LocalManagedPolicy"), awss }),
          ...more,
        };
      });
    },
  },
});

const PLACES = `SELECT place FROM (
    SELECT 'user:' || user_key AS place FROM iam_user WHERE account = :account AND :users = 1
    UNION ALL SELECT 'group:' || group_key FROM iam_group WHERE account = :account AND :groups = 1
    UNION ALL SELECT 'role:' || role_key FROM iam_role WHERE account = :account AND :roles = 1
    UNION ALL SELECT 'policy:' || arn FROM iam_policy WHERE account = :account AND :policies = 1) p
  WHERE place > :after ORDER BY place LIMIT :limit`;

/** Policies by the place of whoever has them. */
interface Holdings {
  inline(place: string): { PolicyName: string; PolicyDocument: string }[];
  attached(place: string): { PolicyName: string; PolicyArn: Arn }[];
}

async function holdings(tx: Tx, range: Range): Promise<Holdings> {
  const inline = await tx.all<{ owner: string; name: string; document: string }>(
    `SELECT owner, name, document FROM iam_inline_policy
     WHERE account = :account AND owner > :after AND owner <= :last ORDER BY owner, name`,
    { ...range },
  );
  const attached = await tx.all<{ owner: string; arn: Arn }>(
    `SELECT owner, arn FROM iam_attached_policy
     WHERE account = :account AND owner > :after AND owner <= :last ORDER BY owner, arn`,
    { ...range },
  );
  const inlineOf = Map.groupBy(inline, ({ owner }) => owner);
  const attachedOf = Map.groupBy(attached, ({ owner }) => owner);
  return {
    inline: (place) =>
      (inlineOf.get(place) ?? []).map(({ name, document }) => ({
        PolicyName: name,
        PolicyDocument: encodeURIComponent(document),
      })),
    attached: (place) =>
      (attachedOf.get(place) ?? []).map(({ arn }) => ({
        PolicyName: arn.slice(arn.lastIndexOf("/") + 1),
        PolicyArn: arn,
      })),
  };
}

async function users(tx: Tx, range: Range, held: Holdings) {
  const rows = await tx.all<UserRow>(
    `SELECT * FROM iam_user WHERE account = :account AND 'user:' || user_key > :after AND 'user:' || user_key <= :last
     ORDER BY user_key`,
    { ...range },
  );
  const members = await tx.all<{ user_key: string; name: string }>(
    `SELECT m.user_key, g.name FROM iam_group_member m
     JOIN iam_group g ON g.account = m.account AND g.group_key = m.group_key
     WHERE m.account = :account AND 'user:' || m.user_key > :after AND 'user:' || m.user_key <= :last
     ORDER BY m.group_key`,
    { ...range },
  );
  const groupsOf = Map.groupBy(members, ({ user_key }) => user_key);
  return rows.map((user) => {
    const place = `user:${user.user_key}`;
    const UserPolicyList = held.inline(place);
    return {
      ...userListed(user),
      ...(UserPolicyList.length > 0 && { UserPolicyList }),
      GroupList: (groupsOf.get(user.user_key) ?? []).map(({ name }) => name),
      AttachedManagedPolicies: held.attached(place),
      ...boundaryOf(user.boundary),
      Tags: [],
      ...tagsOf(user.tags),
    };
  });
}

async function groups(tx: Tx, range: Range, held: Holdings) {
  const rows = await tx.all<GroupRow>(
    `SELECT * FROM iam_group
     WHERE account = :account AND 'group:' || group_key > :after AND 'group:' || group_key <= :last ORDER BY group_key`,
    { ...range },
  );
  return rows.map((group) => ({
    ...groupListed(group),
    GroupPolicyList: held.inline(`group:${group.group_key}`),
    AttachedManagedPolicies: held.attached(`group:${group.group_key}`),
  }));
}

async function roles(tx: Tx, range: Range, held: Holdings) {
  const rows = await tx.all<RoleRow & { used_ms: number | null; region: string | null }>(
    `SELECT r.*, l.used_ms, l.region FROM iam_role r LEFT JOIN iam_last_used l ON l.owner = r.id
     WHERE r.account = :account AND 'role:' || r.role_key > :after AND 'role:' || r.role_key <= :last ORDER BY r.role_key`,
    { ...range },
  );
  const trusts = await shownTrusts(tx, rows);
  const profiles = await tx.all<ProfileRow>(
    `SELECT * FROM iam_instance_profile
     WHERE account = :account AND 'role:' || role_key > :after AND 'role:' || role_key <= :last ORDER BY profile_key`,
    { ...range },
  );
  const shownOnes = await shownProfiles(tx, profiles);
  const profilesOf = Map.groupBy(shownOnes, (_, at) => profiles[at]!.role_key);
  return rows.map((role, at) => {
    const { MaxSessionDuration: _, Description: __, ...listed } = listedRole(role, trusts[at]!);
    return {
      ...listed,
      InstanceProfileList: profilesOf.get(role.role_key) ?? [],
      RolePolicyList: held.inline(`role:${role.role_key}`),
      AttachedManagedPolicies: held.attached(`role:${role.role_key}`),
      ...boundaryOf(role.boundary),
      Tags: [],
      ...tagsOf(role.tags),
      RoleLastUsed:
        role.used_ms === null ? {} : { LastUsedDate: new Date(secondOf(role.used_ms)), Region: role.region! },
    };
  });
}

async function policies(
  tx: Tx,
  range: Range,
  { used, local, awss }: { used: ReadonlyMap<Arn, Use>; local: boolean; awss: readonly Arn[] },
) {
  const own = local ? await tx.all<PolicyRow>(`SELECT p.* ${OWN} ORDER BY p.arn`, { ...range }) : [];
  const versions = local
    ? await tx.all<{ arn: Arn; version: string; document: string; created_ms: number }>(
        `SELECT v.* ${OWN.replace("WHERE", "JOIN iam_policy_version v ON v.arn = p.arn WHERE")}`,
        { ...range },
      )
    : [];
  const versionsOf = Map.groupBy(versions, ({ arn }) => arn);
  const shownAwss = awss.filter((arn) => `policy:${arn}` > range.after && `policy:${arn}` <= range.last);
  const rows = [...own, ...shownAwss.map((arn) => awsRow(arn)!)];
  return rows.map((policy) => ({
    ...policyListed(policy, used.get(policy.arn)),
    ...(policy.description !== null && { Description: policy.description }),
    PolicyVersionList: (versionsOf.get(policy.arn) ?? [versionOfAws(policy)])
      .sort((a, b) => Number(b.version.slice(1)) - Number(a.version.slice(1)))
      .map(({ version, document, created_ms }) => ({
        Document: encodeURIComponent(document),
        VersionId: version,
        IsDefaultVersion: version === policy.default_version,
        CreateDate: new Date(created_ms),
      })),
  }));
}

const OWN =
  "FROM iam_policy p WHERE p.account = :account AND 'policy:' || p.arn > :after AND 'policy:' || p.arn <= :last";

const versionOfAws = ({ arn, default_version, updated_ms }: PolicyRow) => ({
  arn,
  version: default_version,
  document: awsDocument(arn)!,
  created_ms: updated_ms,
});
