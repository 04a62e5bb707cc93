// Instance profiles: what hands a role to an EC2 instance. There are no instances here, but templates and tools make profiles.
import { type Access, type Arn, type Context, defineOperations, newUniqueId, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { cut, pageOf, underPath } from "./paging.ts";
import { changeableRole, listedRole, onRole, type RoleRow, roleRow } from "./roles.ts";
import { keyOf, secondOf } from "./tables.ts";
import { making, tagging, tagPage, tagsOf, tagsText, untagging, withoutTags, withTags } from "./tags.ts";
import { shownTrusts } from "./trust.ts";

export interface ProfileRow {
  readonly account: string;
  readonly profile_key: string;
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly role_key: string | null;
  readonly created_ms: number;
  readonly tags: string;
}

/** IAM's quotas: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
const PROFILES_LIMIT = 1000;
const ROLES_LIMIT = 1;

export const instanceProfiles = defineOperations("iam", {
  CreateInstanceProfile: {
    access: (ctx, { InstanceProfileName, Path, Tags }) =>
      making(
        { action: "iam:CreateInstanceProfile", resource: profileArn(ctx.account, Path, InstanceProfileName!) },
        "TagInstanceProfile",
        Tags,
      ),
    async handle(ctx, { InstanceProfileName, Path = "/", Tags }) {
      const { account } = ctx;
      const profile: ProfileRow = {
        account,
        profile_key: keyOf(InstanceProfileName!),
        name: InstanceProfileName!,
        path: Path,
        id: newUniqueId("AIPA"),
        role_key: null,
        created_ms: secondOf(ctx.now),
        tags: tagsText(Tags),
      };
      await ctx.write(async (tx) => {
        const made = await tx.run(
          `INSERT INTO iam_instance_profile (account, profile_key, name, path, id, role_key, created_ms, tags)
           VALUES (:account, :profile_key, :name, :path, :id, :role_key, :created_ms, :tags) ON CONFLICT DO NOTHING`,
          { ...profile },
        );
        if (made === 0) throw errors.instanceProfileExists(profile.name);
        const count = await tx.one<{ n: number }>(
          "SELECT COUNT(*) AS n FROM iam_instance_profile WHERE account = :account",
          { account },
        );
        if (Number(count!.n) > PROFILES_LIMIT) throw errors.quota("InstanceProfilesPerAccount", PROFILES_LIMIT);
      });
      return { InstanceProfile: { ...listed(profile, []), ...tagsOf(profile.tags) } };
    },
  },

  GetInstanceProfile: {
    access: onProfile("GetInstanceProfile"),
    async handle(ctx, { InstanceProfileName }) {
      return await ctx.read(async (tx) => {
        const profile = await profileRow(tx, ctx.account, InstanceProfileName!);
        return { InstanceProfile: { ...(await shown(tx, [profile]))[0]!, ...tagsOf(profile.tags) } };
      });
    },
  },

  ListInstanceProfiles: {
    access: (ctx, { PathPrefix }) => ({
      action: "iam:ListInstanceProfiles",
      resource: `arn:aws:iam::${ctx.account}:instance-profile${PathPrefix ?? "/"}`,
    }),
    async handle(ctx, input) {
      const page = pageOf(input);
      return await ctx.read(async (tx) => {
        const rows = await tx.all<ProfileRow>(
          `SELECT * FROM iam_instance_profile
           WHERE account = :account AND profile_key > :after AND path >= :from AND path < :to
           ORDER BY profile_key LIMIT :limit`,
          { account: ctx.account, ...page, ...underPath(input.PathPrefix) },
        );
        const { shown: some, more } = cut(rows, page, ({ profile_key }) => profile_key);
        return { InstanceProfiles: await shown(tx, some), ...more };
      });
    },
  },

  ListInstanceProfilesForRole: {
    access: onRole("ListInstanceProfilesForRole"),
    async handle(ctx, input) {
      const page = pageOf(input);
      return await ctx.read(async (tx) => {
        const { account, role_key } = await roleRow(tx, ctx.account, input.RoleName!);
        const rows = await tx.all<ProfileRow>(
          `SELECT * FROM iam_instance_profile WHERE account = :account AND role_key = :role_key AND profile_key > :after
           ORDER BY profile_key LIMIT :limit`,
          { account, role_key, ...page },
        );
        const { shown: some, more } = cut(rows, page, ({ profile_key }) => profile_key);
        return { InstanceProfiles: await shown(tx, some), ...more };
      });
    },
  },

  AddRoleToInstanceProfile: {
    // Whoever hands a role to others must be allowed to pass it.
    access: async (ctx, input) => [
      await onProfile("AddRoleToInstanceProfile")(ctx, input),
      await onRole("PassRole")(ctx, input),
    ],
    async handle(ctx, { InstanceProfileName, RoleName }) {
      await ctx.write(async (tx) => {
        const profile = await profileRow(tx, ctx.account, InstanceProfileName!);
        const role = await changeableRole(tx, ctx.account, RoleName!);
        if (profile.role_key !== null) throw errors.quota("InstanceSessionsPerInstanceProfile", ROLES_LIMIT);
        await set(tx, profile, { column: "role_key", value: role.role_key });
      });
      return {};
    },
  },

  RemoveRoleFromInstanceProfile: {
    access: onProfile("RemoveRoleFromInstanceProfile"),
    async handle(ctx, { InstanceProfileName, RoleName }) {
      await ctx.write(async (tx) => {
        const profile = await profileRow(tx, ctx.account, InstanceProfileName!);
        if (profile.role_key !== keyOf(RoleName!)) throw errors.noSuchRole(RoleName!);
        await set(tx, profile, { column: "role_key", value: null });
      });
      return {};
    },
  },

  DeleteInstanceProfile: {
    access: onProfile("DeleteInstanceProfile"),
    async handle(ctx, { InstanceProfileName }) {
      await ctx.write(async (tx) => {
        const { account, profile_key, role_key } = await profileRow(tx, ctx.account, InstanceProfileName!);
        if (role_key !== null) throw errors.removeRolesFirst();
        await tx.run("DELETE FROM iam_instance_profile WHERE account = :account AND profile_key = :profile_key", {
          account,
          profile_key,
        });
      });
      return {};
    },
  },

  TagInstanceProfile: {
    access: async (ctx, input) => tagging(await onProfile("TagInstanceProfile")(ctx, input), input.Tags),
    handle: (ctx, { InstanceProfileName, Tags }) => setTags(ctx, InstanceProfileName!, (old) => withTags(old, Tags)),
  },

  UntagInstanceProfile: {
    access: async (ctx, input) => untagging(await onProfile("UntagInstanceProfile")(ctx, input), input.TagKeys),
    handle: (ctx, { InstanceProfileName, TagKeys }) =>
      setTags(ctx, InstanceProfileName!, (old) => withoutTags(old, TagKeys)),
  },

  ListInstanceProfileTags: {
    access: onProfile("ListInstanceProfileTags"),
    async handle(ctx, input) {
      const profile = await ctx.read((tx) => profileRow(tx, ctx.account, input.InstanceProfileName!));
      return tagPage(profile.tags, input);
    },
  },
});

/** Throws NoSuchEntity. */
async function profileRow(tx: Tx, account: string, name: string): Promise<ProfileRow> {
  const profile = await findProfile(tx, account, name);
  if (!profile) throw errors.noSuchInstanceProfile(name);
  return profile;
}

export const findProfile = (tx: Tx, account: string, name: string): Promise<ProfileRow | undefined> =>
  tx.one<ProfileRow>("SELECT * FROM iam_instance_profile WHERE account = :account AND profile_key = :key", {
    account,
    key: keyOf(name),
  });

function onProfile(action: string) {
  return async (ctx: Context, input: { InstanceProfileName?: string | undefined }): Promise<Access> => {
    const name = input.InstanceProfileName!;
    const profile = await ctx.read((tx) => findProfile(tx, ctx.account, name));
    return { action: `iam:${action}`, resource: profileArn(ctx.account, profile?.path, profile?.name ?? name) };
  };
}

export const profileArn = (account: string, path = "/", name: string): Arn =>
  `arn:aws:iam::${account}:instance-profile${path}${name}`;

/** With their roles: one statement for all of them. */
export async function shown(tx: Tx, profiles: readonly ProfileRow[]) {
  const account = profiles[0]?.account;
  if (account === undefined) return [];
  const roles = await tx.all<RoleRow>(
    `SELECT * FROM iam_role WHERE account = :account AND role_key IN
       (SELECT role_key FROM iam_instance_profile WHERE account = :account AND role_key IS NOT NULL)`,
    { account },
  );
  const held = roles.filter(({ role_key }) => profiles.some((profile) => profile.role_key === role_key));
  const trusts = await shownTrusts(tx, held);
  const listedRoles = new Map(held.map((role, at) => [role.role_key, listedRole(role, trusts[at]!)]));
  return profiles.map((profile) => {
    const role = profile.role_key === null ? undefined : listedRoles.get(profile.role_key);
    return listed(profile, role ? [role] : []);
  });
}

const listed = (profile: ProfileRow, Roles: ReturnType<typeof listedRole>[]) => ({
  Path: profile.path,
  InstanceProfileName: profile.name,
  InstanceProfileId: profile.id,
  Arn: profileArn(profile.account, profile.path, profile.name),
  CreateDate: new Date(profile.created_ms),
  Roles,
});

const SET = {
  role_key: "UPDATE iam_instance_profile SET role_key = :value WHERE account = :account AND profile_key = :key",
  tags: "UPDATE iam_instance_profile SET tags = :value WHERE account = :account AND profile_key = :key",
};

const set = (
  tx: Tx,
  { account, profile_key: key }: ProfileRow,
  { column, value }: { column: keyof typeof SET; value: string | null },
) => tx.run(SET[column], { account, key, value });

async function setTags(ctx: Context, name: string, value: (old: string) => string) {
  await ctx.write(async (tx) => {
    const profile = await profileRow(tx, ctx.account, name);
    await set(tx, profile, { column: "tags", value: value(profile.tags) });
  });
  return {};
}
