// Roles: who may act as whom. The trust policy is the role's resource policy: the door asks it about sts:AssumeRole.
import {
  type Access,
  type Arn,
  type Context,
  defineOperations,
  newUniqueId,
  parseArn,
  type Tx,
  trustPolicyFault,
} from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { cut, pageOf, underPath } from "./paging.ts";
import { keyOf, ownerOf, secondOf } from "./tables.ts";
import { making, tagsOf, tagsText, withoutTags, withTags } from "./tags.ts";

interface RoleRow {
  readonly account: string;
  readonly role_key: string;
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly trust: string;
  readonly description: string | null;
  readonly max_session_s: number;
  readonly created_ms: number;
  readonly tags: string;
}

/** IAM's quotas: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
const TRUST_LIMIT = 2048;

export const roles = defineOperations("iam", {
  CreateRole: {
    access: (ctx, { RoleName, Path, Tags }) =>
      making(
        {
          action: "iam:CreateRole",
          resource: roleArn(ctx.account, Path, RoleName!),
        },
        "TagRole",
        Tags,
      ),
    async handle(ctx, input) {
      const { RoleName, Path = "/", AssumeRolePolicyDocument, Description, MaxSessionDuration = 3600, Tags } = input;
      if (input.PermissionsBoundary !== undefined) throw errors.notImplemented("CreateRole's PermissionsBoundary");
      const trust = checkedTrust(AssumeRolePolicyDocument!);
      const role: RoleRow = {
        account: ctx.account,
        role_key: keyOf(RoleName!),
        name: RoleName!,
        path: Path,
        id: newUniqueId("AROA"),
        trust,
        description: Description ?? null,
        max_session_s: MaxSessionDuration,
        created_ms: secondOf(ctx.now),
        tags: tagsText(Tags),
      };
      await ctx.write(async (tx) => {
        const made = await tx.run(
          `INSERT INTO iam_role (account, role_key, name, path, id, trust, description, max_session_s, created_ms, tags)
           VALUES (:account, :role_key, :name, :path, :id, :trust, :description, :max_session_s, :created_ms, :tags)
           ON CONFLICT DO NOTHING`,
          { ...role },
        );
        if (made === 0) throw errors.exists("Role", role.name);
      });
      const { MaxSessionDuration: _, Description: __, ...answer } = listed(role);
      return { Role: { ...answer, ...tagsOf(role.tags) } };
    },
  },

  GetRole: {
    access: onRole("GetRole"),
    async handle(ctx, { RoleName }) {
      const role = await ctx.read((tx) => roleRow(tx, ctx.account, RoleName!));
      return { Role: { ...listed(role), ...tagsOf(role.tags), RoleLastUsed: {} } };
    },
  },

  ListRoles: {
    access: (ctx, { PathPrefix }) => ({
      action: "iam:ListRoles",
      resource: `arn:aws:iam::${ctx.account}:role${PathPrefix ?? "/"}`,
    }),
    async handle(ctx, input) {
      const page = pageOf(input);
      const rows = await ctx.read((tx) =>
        tx.all<RoleRow>(
          `SELECT * FROM iam_role WHERE account = :account AND role_key > :after AND path >= :from AND path < :to
           ORDER BY role_key LIMIT :limit`,
          { account: ctx.account, ...page, ...underPath(input.PathPrefix) },
        ),
      );
      const { shown, more } = cut(rows, page, (role) => role.role_key);
      return { Roles: shown.map(listed), ...more };
    },
  },

  UpdateRole: {
    access: onRole("UpdateRole"),
    async handle(ctx, { RoleName, Description, MaxSessionDuration }) {
      await ctx.write(async (tx) => {
        const role = await roleRow(tx, ctx.account, RoleName!);
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

  UpdateAssumeRolePolicy: {
    access: onRole("UpdateAssumeRolePolicy"),
    async handle(ctx, { RoleName, PolicyDocument }) {
      const trust = checkedTrust(PolicyDocument!);
      await ctx.write((tx) => setColumn(tx, ctx.account, { name: RoleName!, column: "trust", value: () => trust }));
      return {};
    },
  },

  DeleteRole: {
    access: onRole("DeleteRole"),
    async handle(ctx, { RoleName }) {
      const { account } = ctx;
      await ctx.write(async (tx) => {
        const role = await roleRow(tx, account, RoleName!);
        const owner = ownerOf("role", RoleName!);
        const held = { account, owner };
        if (await tx.one("SELECT 1 AS one FROM iam_attached_policy WHERE account = :account AND owner = :owner", held))
          throw errors.detachFirst();
        if (await tx.one("SELECT 1 AS one FROM iam_inline_policy WHERE account = :account AND owner = :owner", held))
          throw errors.deletePoliciesFirst();
        await tx.run("DELETE FROM iam_role WHERE account = :account AND role_key = :key", {
          account,
          key: role.role_key,
        });
      });
      return {};
    },
  },

  TagRole: {
    access: onRole("TagRole"),
    async handle(ctx, { RoleName, Tags }) {
      const value = (old: string) => withTags(old, Tags);
      await ctx.write((tx) => setColumn(tx, ctx.account, { name: RoleName!, column: "tags", value }));
      return {};
    },
  },

  UntagRole: {
    access: onRole("UntagRole"),
    async handle(ctx, { RoleName, TagKeys }) {
      const value = (old: string) => withoutTags(old, TagKeys);
      await ctx.write((tx) => setColumn(tx, ctx.account, { name: RoleName!, column: "tags", value }));
      return {};
    },
  },

  ListRoleTags: {
    access: onRole("ListRoleTags"),
    async handle(ctx, { RoleName }) {
      const role = await ctx.read((tx) => roleRow(tx, ctx.account, RoleName!));
      return { Tags: [], ...tagsOf(role.tags), IsTruncated: false };
    },
  },
});

/** Throws NoSuchEntity. */
export async function roleRow(tx: Tx, account: string, name: string): Promise<RoleRow> {
  const role = await tx.one<RoleRow>("SELECT * FROM iam_role WHERE account = :account AND role_key = :key", {
    account,
    key: keyOf(name),
  });
  if (!role) throw errors.noSuchRole(name);
  return role;
}

/** The trust policy; undefined where there is no such role (its ARN has path and name exactly). */
export async function trustPolicy(ctx: Context, arn: Arn): Promise<string | undefined> {
  const parts = parseArn(arn);
  const [, name] = /^role\/(?:.*\/)?([^/]+)$/.exec(parts?.resource ?? "") ?? [];
  if (!parts || name === undefined) return undefined;
  const role = await ctx.read((tx) =>
    tx.one<RoleRow>("SELECT * FROM iam_role WHERE account = :account AND role_key = :key", {
      account: parts.account,
      key: keyOf(name),
    }),
  );
  return role && roleArn(role.account, role.path, role.name) === arn ? role.trust : undefined;
}

/** `access` of an operation on a role that there is, or is not: then it stands at the root of the paths. */
export function onRole(action: string) {
  return async (ctx: Context, { RoleName }: { RoleName?: string | undefined }): Promise<Access> => {
    const role = await ctx.read((tx) =>
      tx.one<RoleRow>("SELECT * FROM iam_role WHERE account = :account AND role_key = :key", {
        account: ctx.account,
        key: keyOf(RoleName!),
      }),
    );
    return { action: `iam:${action}`, resource: roleArn(ctx.account, role?.path, role?.name ?? RoleName!) };
  };
}

const roleArn = (account: string, path = "/", name: string): Arn => `arn:aws:iam::${account}:role${path}${name}`;

const listed = (role: RoleRow) => ({
  Path: role.path,
  RoleName: role.name,
  RoleId: role.id,
  Arn: roleArn(role.account, role.path, role.name),
  CreateDate: new Date(role.created_ms),
  // Documents travel percent-encoded (RFC 3986).
  AssumeRolePolicyDocument: encodeURIComponent(role.trust),
  ...(role.description !== null && { Description: role.description }),
  MaxSessionDuration: role.max_session_s,
});

function checkedTrust(document: string): string {
  const fault = trustPolicyFault(document);
  if (fault) throw errors.malformed(fault);
  if (document.replace(/\s/g, "").length > TRUST_LIMIT) throw errors.quota("ACLSizePerRole", TRUST_LIMIT);
  return document;
}

const SET = {
  trust: "UPDATE iam_role SET trust = :value WHERE account = :account AND role_key = :key",
  tags: "UPDATE iam_role SET tags = :value WHERE account = :account AND role_key = :key",
};

async function setColumn(
  tx: Tx,
  account: string,
  { name, column, value }: { name: string; column: keyof typeof SET; value(old: string): string },
): Promise<void> {
  const role = await roleRow(tx, account, name);
  await tx.run(SET[column], { account, key: role.role_key, value: value(role[column]) });
}
