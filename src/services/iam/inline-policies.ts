// Inline policies of roles, users and groups: they live and die with their owner.
import { type Context, defineOperations, identityPolicyFault, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { groupRow, onGroup } from "./groups.ts";
import { cut, pageOf } from "./paging.ts";
import { changeableRole, onRole, roleRow } from "./roles.ts";
import { type OwnerKind, ownerOf } from "./tables.ts";
import { onUser, userRow } from "./users.ts";

/** Characters without white space, of all inline policies of one owner together. */
export const INLINE_LIMIT: Record<OwnerKind, number> = { role: 10_240, user: 2_048, group: 5_120 };

export const inlinePolicies = defineOperations("iam", {
  PutRolePolicy: {
    access: onRole("PutRolePolicy"),
    handle: (ctx, { RoleName, PolicyName, PolicyDocument }) =>
      put(ctx, role(RoleName!), { name: PolicyName!, document: PolicyDocument! }),
  },
  GetRolePolicy: {
    access: onRole("GetRolePolicy"),
    async handle(ctx, { RoleName, PolicyName }) {
      const { owner, policy } = await get(ctx, role(RoleName!), PolicyName!);
      return { RoleName: owner, ...policy };
    },
  },
  ListRolePolicies: {
    access: onRole("ListRolePolicies"),
    handle: (ctx, input) => list(ctx, role(input.RoleName!), input),
  },
  DeleteRolePolicy: {
    access: onRole("DeleteRolePolicy"),
    handle: (ctx, { RoleName, PolicyName }) => remove(ctx, role(RoleName!), PolicyName!),
  },

  PutUserPolicy: {
    access: onUser("PutUserPolicy"),
    handle: (ctx, { UserName, PolicyName, PolicyDocument }) =>
      put(ctx, user(UserName!), { name: PolicyName!, document: PolicyDocument! }),
  },
  GetUserPolicy: {
    access: onUser("GetUserPolicy"),
    async handle(ctx, { UserName, PolicyName }) {
      const { owner, policy } = await get(ctx, user(UserName!), PolicyName!);
      return { UserName: owner, ...policy };
    },
  },
  ListUserPolicies: {
    access: onUser("ListUserPolicies"),
    handle: (ctx, input) => list(ctx, user(input.UserName!), input),
  },
  DeleteUserPolicy: {
    access: onUser("DeleteUserPolicy"),
    handle: (ctx, { UserName, PolicyName }) => remove(ctx, user(UserName!), PolicyName!),
  },

  PutGroupPolicy: {
    access: onGroup("PutGroupPolicy"),
    handle: (ctx, { GroupName, PolicyName, PolicyDocument }) =>
      put(ctx, group(GroupName!), { name: PolicyName!, document: PolicyDocument! }),
  },
  GetGroupPolicy: {
    access: onGroup("GetGroupPolicy"),
    async handle(ctx, { GroupName, PolicyName }) {
      const { owner, policy } = await get(ctx, group(GroupName!), PolicyName!);
      return { GroupName: owner, ...policy };
    },
  },
  ListGroupPolicies: {
    access: onGroup("ListGroupPolicies"),
    handle: (ctx, input) => list(ctx, group(input.GroupName!), input),
  },
  DeleteGroupPolicy: {
    access: onGroup("DeleteGroupPolicy"),
    handle: (ctx, { GroupName, PolicyName }) => remove(ctx, group(GroupName!), PolicyName!),
  },
});

export interface Owner {
  readonly kind: OwnerKind;
  readonly name: string;
}
export const role = (name: string): Owner => ({ kind: "role", name });
export const user = (name: string): Owner => ({ kind: "user", name });
export const group = (name: string): Owner => ({ kind: "group", name });

const ROW = { role: roleRow, user: userRow, group: groupRow };

/** Throws NoSuchEntity. Answers the name as it was given when it was made. */
export const ownerName = async (tx: Tx, account: string, { kind, name }: Owner): Promise<string> =>
  (await ROW[kind](tx, account, name)).name;

/** The same of one whose policies shall change: those of a service-linked role are its service's. */
export const changedOwner = async (tx: Tx, account: string, owner: Owner): Promise<string> =>
  owner.kind === "role" ? (await changeableRole(tx, account, owner.name)).name : await ownerName(tx, account, owner);

async function put(ctx: Context, owner: Owner, policy: { name: string; document: string }) {
  const fault = identityPolicyFault(policy.document);
  const { account } = ctx;
  const key = { account, owner: ownerOf(owner.kind, owner.name) };
  await ctx.write(async (tx) => {
    const name = await changedOwner(tx, account, owner);
    if (fault) throw errors.malformed(fault);
    const others = await tx.all<{ document: string }>(
      "SELECT document FROM iam_inline_policy WHERE account = :account AND owner = :owner AND name <> :name",
      { ...key, name: policy.name },
    );
    const size = [...others, policy].reduce((sum, { document }) => sum + document.replace(/\s/g, "").length, 0);
    if (size > INLINE_LIMIT[owner.kind]) throw errors.inlineSize(INLINE_LIMIT[owner.kind], owner.kind, name);
    await tx.run(
      `INSERT INTO iam_inline_policy (account, owner, name, document) VALUES (:account, :owner, :name, :document)
       ON CONFLICT (account, owner, name) DO UPDATE SET document = excluded.document`,
      { ...key, ...policy },
    );
  });
  return {};
}

async function get(ctx: Context, owner: Owner, name: string) {
  return await ctx.read(async (tx) => {
    const found = await ownerName(tx, ctx.account, owner);
    const row = await tx.one<{ document: string }>(
      "SELECT document FROM iam_inline_policy WHERE account = :account AND owner = :owner AND name = :name",
      { account: ctx.account, owner: ownerOf(owner.kind, owner.name), name },
    );
    if (!row) throw errors.noSuchInlinePolicy(owner.kind, name);
    return { owner: found, policy: { PolicyName: name, PolicyDocument: encodeURIComponent(row.document) } };
  });
}

async function list(ctx: Context, owner: Owner, input: { Marker?: string | undefined; MaxItems?: number | undefined }) {
  const page = pageOf(input);
  const rows = await ctx.read(async (tx) => {
    await ownerName(tx, ctx.account, owner);
    return await tx.all<{ name: string }>(
      `SELECT name FROM iam_inline_policy WHERE account = :account AND owner = :owner AND name > :after
       ORDER BY name LIMIT :limit`,
      { account: ctx.account, owner: ownerOf(owner.kind, owner.name), ...page },
    );
  });
  const { shown, more } = cut(rows, page, ({ name }) => name);
  return { PolicyNames: shown.map(({ name }) => name), ...more };
}

async function remove(ctx: Context, owner: Owner, name: string) {
  await ctx.write(async (tx) => {
    await changedOwner(tx, ctx.account, owner);
    const gone = await tx.run(
      "DELETE FROM iam_inline_policy WHERE account = :account AND owner = :owner AND name = :name",
      { account: ctx.account, owner: ownerOf(owner.kind, owner.name), name },
    );
    if (gone === 0) throw errors.noSuchInlinePolicy(owner.kind, name);
  });
  return {};
}
