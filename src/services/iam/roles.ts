// Roles: who may act as whom. The trust policy is the role's resource policy: the door asks it about sts:AssumeRole.
import {
  type Access,
  type Arn,
  type Context,
  defineOperations,
  type Input,
  newUniqueId,
  parseArn,
  type Tx,
} from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { cut, pageOf, underPath } from "./paging.ts";
import { boundaryOf, bounded, checkBoundary, identityConditions } from "./permissions-boundary.ts";
import { keyOf, ownerOf, secondOf } from "./tables.ts";
import { making, tagging, tagPage, tagsOf, tagsText, untagging, withoutTags, withTags } from "./tags.ts";
import { bindTrust, checkedTrust, shownTrusts, type Trust } from "./trust.ts";

export interface RoleRow extends Trust {
  readonly account: string;
  readonly role_key: string;
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly description: string | null;
  readonly max_session_s: number;
  readonly created_ms: number;
  readonly tags: string;
  readonly boundary: Arn | null;
}

/** IAM's quotas: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
const ROLES_LIMIT = 1000;

export const roles = defineOperations("iam", {
  CreateRole: {
    access: (ctx, { RoleName, Path, Tags, PermissionsBoundary }) =>
      making(
        bounded({ action: "iam:CreateRole", resource: roleArn(ctx.account, Path, RoleName!) }, PermissionsBoundary),
        "TagRole",
        Tags,
      ),
    async handle(ctx, input) {
      if (isLinked(input.Path ?? "/"))
        throw errors.validation(`Path ${input.Path} is reserved for service-linked roles.`);
      const trust = checkedTrust(input.AssumeRolePolicyDocument!);
      const { role, shown } = await ctx.write(async (tx) => {
        await checkBoundary(tx, ctx.account, input.PermissionsBoundary);
        const role = await addRole(tx, newRole(ctx, { ...input, trust: await bindTrust(tx, trust) }));
        return { role, shown: await shownRole(tx, role) };
      });
      const { MaxSessionDuration: _, Description: __, ...answer } = shown;
      return { Role: { ...answer, ...tagsOf(role.tags), ...boundaryOf(role.boundary) } };
    },
  },

  GetRole: {
    access: onRole("GetRole"),
    async handle(ctx, { RoleName }) {
      const { shown, role, last } = await ctx.read(async (tx) => {
        const role = await roleRow(tx, ctx.account, RoleName!);
        return { role, shown: await shownRole(tx, role), last: await lastUsed(tx, role.id) };
      });
      return { Role: { ...shown, ...tagsOf(role.tags), ...boundaryOf(role.boundary), RoleLastUsed: last } };
    },
  },

  ListRoles: {
    access: (ctx, { PathPrefix }) => ({
      action: "iam:ListRoles",
      resource: `arn:aws:iam::${ctx.account}:role${PathPrefix ?? "/"}`,
    }),
    async handle(ctx, input) {
      const page = pageOf(input);
      const { roles, more } = await ctx.read(async (tx) => {
        const rows = await tx.all<RoleRow>(
          `SELECT * FROM iam_role WHERE account = :account AND role_key > :after AND path >= :from AND path < :to
           ORDER BY role_key LIMIT :limit`,
          { account: ctx.account, ...page, ...underPath(input.PathPrefix) },
        );
        const { shown, more } = cut(rows, page, (role) => role.role_key);
        const trusts = await shownTrusts(tx, shown);
        return { roles: shown.map((role, at) => listedRole(role, trusts[at]!)), more };
      });
      return { Roles: roles, ...more };
    },
  },

  UpdateRole: {
    access: onRole("UpdateRole"),
    async handle(ctx, { RoleName, Description, MaxSessionDuration }) {
      await ctx.write(async (tx) => {
        // A service-linked role's description is anybody's.
        const find = MaxSessionDuration === undefined ? roleRow : changeableRole;
        const role = await find(tx, ctx.account, RoleName!);
        await tx.run(
          `UPDATE iam_role SET description = :description, max_session_s = :seconds
           WHERE account = :account AND role_key = :key`,
          {
            account: ctx.account,
            key: role.role_key,
            description: Description ?? role.description,
            seconds: MaxSessionDuration ?? role.max_session_s,
          },
        );
      });
      return {};
    },
  },

  UpdateRoleDescription: {
    access: onRole("UpdateRoleDescription"),
    async handle(ctx, { RoleName, Description }) {
      const { account } = ctx;
      return await ctx.write(async (tx) => {
        const role = await roleRow(tx, account, RoleName!);
        await tx.run("UPDATE iam_role SET description = :value WHERE account = :account AND role_key = :key", {
          account,
          key: role.role_key,
          value: Description!,
        });
        return { Role: { ...(await shownRole(tx, { ...role, description: Description! })), ...tagsOf(role.tags) } };
      });
    },
  },

  UpdateAssumeRolePolicy: {
    access: onRole("UpdateAssumeRolePolicy"),
    async handle(ctx, { RoleName, PolicyDocument }) {
      const document = checkedTrust(PolicyDocument!);
      await ctx.write(async (tx) => {
        const { account, role_key: key } = await changeableRole(tx, ctx.account, RoleName!);
        await tx.run(
          "UPDATE iam_role SET trust = :trust, trust_bound = :trust_bound WHERE account = :account AND role_key = :key",
          { account, key, ...(await bindTrust(tx, document)) },
        );
      });
      return {};
    },
  },

  DeleteRole: {
    access: onRole("DeleteRole"),
    async handle(ctx, { RoleName }) {
      await ctx.write(async (tx) => {
        const role = await changeableRole(tx, ctx.account, RoleName!);
        const { account, role_key } = role;
        if (await tx.one(PROFILES, { account, role_key })) throw errors.removeRolesFirst();
        const held = { account, owner: ownerOf("role", role_key) };
        for (const { sql, error } of HELD) if (await tx.one(sql, held)) throw error();
        await removeRole(tx, role);
      });
      return {};
    },
  },

  PutRolePermissionsBoundary: {
    access: async (ctx, input) =>
      bounded(await onRole("PutRolePermissionsBoundary")(ctx, input), input.PermissionsBoundary),
    async handle(ctx, { RoleName, PermissionsBoundary }) {
      await ctx.write(async (tx) => {
        const role = await changeableRole(tx, ctx.account, RoleName!);
        await checkBoundary(tx, ctx.account, PermissionsBoundary);
        await setColumn(tx, role, { column: "boundary", value: PermissionsBoundary! });
      });
      return {};
    },
  },

  DeleteRolePermissionsBoundary: {
    access: onRole("DeleteRolePermissionsBoundary"),
    async handle(ctx, { RoleName }) {
      await ctx.write(async (tx) => {
        const role = await changeableRole(tx, ctx.account, RoleName!);
        await setColumn(tx, role, { column: "boundary", value: null });
      });
      return {};
    },
  },

  TagRole: {
    access: async (ctx, input) => tagging(await onRole("TagRole")(ctx, input), input.Tags),
    handle: (ctx, { RoleName, Tags }) => setTags(ctx, RoleName!, (old) => withTags(old, Tags)),
  },

  UntagRole: {
    access: async (ctx, input) => untagging(await onRole("UntagRole")(ctx, input), input.TagKeys),
    handle: (ctx, { RoleName, TagKeys }) => setTags(ctx, RoleName!, (old) => withoutTags(old, TagKeys)),
  },

  ListRoleTags: {
    access: onRole("ListRoleTags"),
    async handle(ctx, input) {
      const role = await ctx.read((tx) => roleRow(tx, ctx.account, input.RoleName!));
      return tagPage(role.tags, input);
    },
  },
});

/** What must be gone before its role goes. */
const PROFILES = "SELECT 1 AS one FROM iam_instance_profile WHERE account = :account AND role_key = :role_key";
const HELD = [
  {
    sql: "SELECT 1 AS one FROM iam_attached_policy WHERE account = :account AND owner = :owner",
    error: errors.detachFirst,
  },
  {
    sql: "SELECT 1 AS one FROM iam_inline_policy WHERE account = :account AND owner = :owner",
    error: errors.deletePoliciesFirst,
  },
];

/** Throws NoSuchEntity. */
export async function roleRow(tx: Tx, account: string, name: string): Promise<RoleRow> {
  const role = await findRole(tx, account, name);
  if (!role) throw errors.noSuchRole(name);
  return role;
}

const findRole = (tx: Tx, account: string, name: string): Promise<RoleRow | undefined> =>
  tx.one<RoleRow>("SELECT * FROM iam_role WHERE account = :account AND role_key = :key", { account, key: keyOf(name) });

/** A role of the customer's: one that is linked to a service is the service's to change. */
export async function changeableRole(tx: Tx, account: string, name: string): Promise<RoleRow> {
  const role = await roleRow(tx, account, name);
  if (isLinked(role.path)) throw errors.protectedRole(role.name);
  return role;
}

export const isLinked = (path: string): boolean => path.startsWith("/aws-service-role/");

export function newRole(
  ctx: Context,
  of: Omit<Input<"iam", "CreateRole">, "AssumeRolePolicyDocument"> & { trust: Trust },
): RoleRow {
  return {
    account: ctx.account,
    role_key: keyOf(of.RoleName!),
    name: of.RoleName!,
    path: of.Path ?? "/",
    id: newUniqueId("AROA"),
    ...of.trust,
    description: of.Description ?? null,
    max_session_s: of.MaxSessionDuration ?? 3600,
    created_ms: secondOf(ctx.now),
    tags: tagsText(of.Tags),
    boundary: of.PermissionsBoundary ?? null,
  };
}

/** Throws EntityAlreadyExists or LimitExceeded. */
export async function addRole(tx: Tx, role: RoleRow): Promise<RoleRow> {
  const made = await tx.run(
    `INSERT INTO iam_role (account, role_key, name, path, id, trust, trust_bound, description, max_session_s, created_ms, tags, boundary)
     VALUES (:account, :role_key, :name, :path, :id, :trust, :trust_bound, :description, :max_session_s, :created_ms, :tags, :boundary)
     ON CONFLICT DO NOTHING`,
    { ...role },
  );
  if (made === 0) throw errors.exists("Role", role.name);
  const count = await tx.one<{ n: number }>("SELECT COUNT(*) AS n FROM iam_role WHERE account = :account", {
    account: role.account,
  });
  if (Number(count!.n) > ROLES_LIMIT) throw errors.quota("RolesPerAccount", ROLES_LIMIT);
  return role;
}

export async function removeRole(tx: Tx, { account, role_key: key, id }: RoleRow): Promise<void> {
  await tx.run("DELETE FROM iam_role WHERE account = :account AND role_key = :key", { account, key });
  await tx.run("DELETE FROM iam_last_used WHERE owner = :id", { id });
  await tx.run("DELETE FROM iam_service_use WHERE account = :account AND owner = :id", { account, id });
}

/** The trust policy as it decides, by unique ids; undefined where there is no such role (its ARN has path and name exactly). */
export async function trustPolicy(ctx: Context, arn: Arn): Promise<string | undefined> {
  const role = await roleOf(ctx, arn);
  return role && (role.trust_bound ?? role.trust);
}

export async function roleOf(ctx: Context, arn: Arn): Promise<RoleRow | undefined> {
  const parts = parseArn(arn);
  const [, name] = /^role\/(?:.*\/)?([^/]+)$/.exec(parts?.resource ?? "") ?? [];
  if (!parts || name === undefined) return undefined;
  const role = await ctx.recall("iam", `role ${parts.account} ${keyOf(name)}`, () =>
    ctx.read((tx) => findRole(tx, parts.account, name)),
  );
  return role && roleArn(role.account, role.path, role.name) === arn ? role : undefined;
}

/** `access` of an operation on a role. Of a role that is not there AWS says no ARN: only `*` allows it. */
export function onRole(action: string) {
  return async (ctx: Context, { RoleName }: { RoleName?: string | undefined }): Promise<Access> => {
    const role = await ctx.read((tx) => findRole(tx, ctx.account, RoleName!));
    if (!role) return { action: `iam:${action}`, resource: `role ${RoleName}` };
    const conditions = identityConditions(role);
    return { action: `iam:${action}`, resource: roleArn(ctx.account, role.path, role.name), conditions };
  };
}

export const roleArn = (account: string, path = "/", name: string): Arn => `arn:aws:iam::${account}:role${path}${name}`;

export const shownRole = async (tx: Tx, role: RoleRow) => listedRole(role, (await shownTrusts(tx, [role]))[0]!);

export const listedRole = (role: RoleRow, trust: string) => ({
  Path: role.path,
  RoleName: role.name,
  RoleId: role.id,
  Arn: roleArn(role.account, role.path, role.name),
  CreateDate: new Date(role.created_ms),
  // Documents travel percent-encoded (RFC 3986).
  AssumeRolePolicyDocument: encodeURIComponent(trust),
  ...(role.description !== null && { Description: role.description }),
  MaxSessionDuration: role.max_session_s,
});

async function lastUsed(tx: Tx, id: string) {
  const last = await tx.one<{ used_ms: number; region: string }>(
    "SELECT used_ms, region FROM iam_last_used WHERE owner = :id",
    { id },
  );
  return last ? { LastUsedDate: new Date(secondOf(last.used_ms)), Region: last.region } : {};
}

const SET = {
  boundary: "UPDATE iam_role SET boundary = :value WHERE account = :account AND role_key = :key",
  tags: "UPDATE iam_role SET tags = :value WHERE account = :account AND role_key = :key",
};

const setColumn = (
  tx: Tx,
  { account, role_key: key }: RoleRow,
  { column, value }: { column: keyof typeof SET; value: string | null },
) => tx.run(SET[column], { account, key, value });

async function setTags(ctx: Context, name: string, value: (old: string) => string) {
  await ctx.write(async (tx) => {
    const role = await roleRow(tx, ctx.account, name);
    await setColumn(tx, role, { column: "tags", value: value(role.tags) });
  });
  return {};
}
