// Managed policies attached to roles, users and groups.
import { type Access, type Arn, type Context, defineOperations, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { onGroup } from "./groups.ts";
import { changedOwner, group, type Owner, ownerName, role, user } from "./inline-policies.ts";
import { cut, pageOf } from "./paging.ts";
import { policyRow } from "./policies.ts";
import { onRole } from "./roles.ts";
import { ownerOf } from "./tables.ts";
import { onUser } from "./users.ts";

export const ATTACHED_LIMIT = 10;
const KIND = { role: "Role", user: "User", group: "Group" };

export const attachedPolicies = defineOperations("iam", {
  AttachRolePolicy: {
    access: (ctx, input) => withPolicy(onRole("AttachRolePolicy")(ctx, input), input.PolicyArn!),
    handle: (ctx, { RoleName, PolicyArn }) => attach(ctx, role(RoleName!), PolicyArn!),
  },
  DetachRolePolicy: {
    access: (ctx, input) => withPolicy(onRole("DetachRolePolicy")(ctx, input), input.PolicyArn!),
    handle: (ctx, { RoleName, PolicyArn }) => detach(ctx, role(RoleName!), PolicyArn!),
  },
  ListAttachedRolePolicies: {
    access: onRole("ListAttachedRolePolicies"),
    handle: (ctx, input) => list(ctx, role(input.RoleName!), input),
  },
  AttachUserPolicy: {
    access: (ctx, input) => withPolicy(onUser("AttachUserPolicy")(ctx, input), input.PolicyArn!),
    handle: (ctx, { UserName, PolicyArn }) => attach(ctx, user(UserName!), PolicyArn!),
  },
  DetachUserPolicy: {
    access: (ctx, input) => withPolicy(onUser("DetachUserPolicy")(ctx, input), input.PolicyArn!),
    handle: (ctx, { UserName, PolicyArn }) => detach(ctx, user(UserName!), PolicyArn!),
  },
  ListAttachedUserPolicies: {
    access: onUser("ListAttachedUserPolicies"),
    handle: (ctx, input) => list(ctx, user(input.UserName!), input),
  },
  AttachGroupPolicy: {
    access: (ctx, input) => withPolicy(onGroup("AttachGroupPolicy")(ctx, input), input.PolicyArn!),
    handle: (ctx, { GroupName, PolicyArn }) => attach(ctx, group(GroupName!), PolicyArn!),
  },
  DetachGroupPolicy: {
    access: (ctx, input) => withPolicy(onGroup("DetachGroupPolicy")(ctx, input), input.PolicyArn!),
    handle: (ctx, { GroupName, PolicyArn }) => detach(ctx, group(GroupName!), PolicyArn!),
  },
  ListAttachedGroupPolicies: {
    access: onGroup("ListAttachedGroupPolicies"),
    handle: (ctx, input) => list(ctx, group(input.GroupName!), input),
  },
});

async function withPolicy(access: Promise<Access>, arn: Arn): Promise<Access> {
  const found = await access;
  return { ...found, conditions: { ...found.conditions, "iam:PolicyARN": arn } };
}

async function attach(ctx: Context, owner: Owner, arn: Arn) {
  const key = { account: ctx.account, owner: ownerOf(owner.kind, owner.name) };
  await ctx.write(async (tx) => {
    await changedOwner(tx, ctx.account, owner);
    await attachable(tx, ctx.account, arn);
    const made = await tx.run(
      "INSERT INTO iam_attached_policy (account, owner, arn) VALUES (:account, :owner, :arn) ON CONFLICT DO NOTHING",
      { ...key, arn },
    );
    const all = await tx.all("SELECT arn FROM iam_attached_policy WHERE account = :account AND owner = :owner", key);
    if (made > 0 && all.length > ATTACHED_LIMIT) throw errors.quota(`PoliciesPer${KIND[owner.kind]}`, ATTACHED_LIMIT);
  });
  return {};
}

/** A policy that is not there is said in other words here. */
async function attachable(tx: Tx, account: string, arn: Arn): Promise<void> {
  if (arn.startsWith("arn:aws:iam::aws:policy/aws-service-role/")) throw errors.serviceRolePolicy();
  try {
    await policyRow(tx, account, arn);
  } catch (error) {
    throw (error as { code?: string }).code === "NoSuchEntity" ? errors.notAttachable(arn) : error;
  }
}

async function detach(ctx: Context, owner: Owner, arn: Arn) {
  await ctx.write(async (tx) => {
    await changedOwner(tx, ctx.account, owner);
    const gone = await tx.run(
      "DELETE FROM iam_attached_policy WHERE account = :account AND owner = :owner AND arn = :arn",
      { account: ctx.account, owner: ownerOf(owner.kind, owner.name), arn },
    );
    if (gone === 0) throw errors.noSuchPolicy(arn);
  });
  return {};
}

async function list(
  ctx: Context,
  owner: Owner,
  input: { Marker?: string | undefined; MaxItems?: number | undefined; PathPrefix?: string | undefined },
) {
  const page = pageOf(input);
  const rows = await ctx.read(async (tx) => {
    await ownerName(tx, ctx.account, owner);
    return await tx.all<{ arn: Arn }>(
      `SELECT arn FROM iam_attached_policy WHERE account = :account AND owner = :owner AND arn > :after ORDER BY arn`,
      { account: ctx.account, owner: ownerOf(owner.kind, owner.name), after: page.after },
    );
  });
  const under = rows.filter(({ arn }) => arn.slice(arn.indexOf(":policy") + 7).startsWith(input.PathPrefix ?? "/"));
  const { shown, more } = cut(under.slice(0, page.limit), page, ({ arn }) => arn);
  const AttachedPolicies = shown.map(({ arn }) => ({
    PolicyName: arn.slice(arn.lastIndexOf("/") + 1),
    PolicyArn: arn,
  }));
  return { AttachedPolicies, ...more };
}
