// Groups of users: what their policies allow, their members may.
import { type Access, type Arn, type Context, defineOperations, newUniqueId, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { cut, pageOf, underPath } from "./paging.ts";
import { renaming } from "./renaming.ts";
import { keyOf, ownerOf, secondOf } from "./tables.ts";
import { onUser, type UserRow, userListed, userRow } from "./users.ts";

export interface GroupRow {
  readonly account: string;
  readonly group_key: string;
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly created_ms: number;
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
export const GROUPS = 300;
export const GROUPS_PER_USER = 10;

export const groups = defineOperations("iam", {
  CreateGroup: {
    access: (ctx, { GroupName, Path }) => ({
      action: "iam:CreateGroup",
      resource: groupArn(ctx.account, Path, GroupName!),
    }),
    async handle(ctx, { GroupName, Path = "/" }) {
      const group: GroupRow = {
        account: ctx.account,
        group_key: keyOf(GroupName!),
        name: GroupName!,
        path: Path,
        id: newUniqueId("AGPA"),
        created_ms: secondOf(ctx.now),
      };
      await ctx.write(async (tx) => {
        const made = await tx.run(
          `INSERT INTO iam_group (account, group_key, name, path, id, created_ms)
           VALUES (:account, :group_key, :name, :path, :id, :created_ms) ON CONFLICT DO NOTHING`,
          { ...group },
        );
        if (made === 0) throw errors.exists("Group", group.name);
        const all = await tx.one<{ n: number }>("SELECT COUNT(*) AS n FROM iam_group WHERE account = :account", {
          account: ctx.account,
        });
        if (Number(all!.n) > GROUPS) throw errors.quota("GroupsPerAccount", GROUPS);
      });
      return { Group: groupListed(group) };
    },
  },

  GetGroup: {
    access: onGroup("GetGroup"),
    async handle(ctx, input) {
      const page = pageOf(input);
      const { group, members } = await ctx.read(async (tx) => {
        const group = await groupRow(tx, ctx.account, input.GroupName!);
        const members = await tx.all<UserRow>(
          `SELECT u.* FROM iam_group_member m JOIN iam_user u ON u.account = m.account AND u.user_key = m.user_key
           WHERE m.account = :account AND m.group_key = :group_key AND m.user_key > :after ORDER BY m.user_key LIMIT :limit`,
          { account: ctx.account, group_key: group.group_key, ...page },
        );
        return { group, members };
      });
      const { shown, more } = cut(members, page, ({ user_key }) => user_key);
      return { Group: groupListed(group), Users: shown.map(userListed), ...more };
    },
  },

  ListGroups: {
    access: (ctx, { PathPrefix }) => ({
      action: "iam:ListGroups",
      resource: `arn:aws:iam::${ctx.account}:group${PathPrefix ?? "/"}`,
    }),
    async handle(ctx, input) {
      const page = pageOf(input);
      const rows = await ctx.read((tx) =>
        tx.all<GroupRow>(
          `SELECT * FROM iam_group WHERE account = :account AND group_key > :after AND path >= :from AND path < :to
           ORDER BY group_key LIMIT :limit`,
          { account: ctx.account, ...page, ...underPath(input.PathPrefix) },
        ),
      );
      const { shown, more } = cut(rows, page, ({ group_key }) => group_key);
      return { Groups: shown.map(groupListed), ...more };
    },
  },

  ListGroupsForUser: {
    access: onUser("ListGroupsForUser"),
    async handle(ctx, input) {
      const page = pageOf(input);
      const rows = await ctx.read(async (tx) => {
        const { user_key } = await userRow(tx, ctx.account, input.UserName!);
        return await tx.all<GroupRow>(
          `SELECT g.* FROM iam_group_member m JOIN iam_group g ON g.account = m.account AND g.group_key = m.group_key
           WHERE m.account = :account AND m.user_key = :user_key AND m.group_key > :after ORDER BY m.group_key LIMIT :limit`,
          { account: ctx.account, user_key, ...page },
        );
      });
      const { shown, more } = cut(rows, page, ({ group_key }) => group_key);
      return { Groups: shown.map(groupListed), ...more };
    },
  },

  UpdateGroup: {
    access: async (ctx, input) =>
      renaming(await onGroup("UpdateGroup")(ctx, input), { path: input.NewPath, name: input.NewGroupName }),
    async handle(ctx, { GroupName, NewGroupName, NewPath }) {
      const { account } = ctx;
      await ctx.write(async (tx) => {
        const group = await groupRow(tx, account, GroupName!);
        const name = NewGroupName ?? group.name;
        const [from, to] = [group.group_key, keyOf(name)];
        if (from !== to && (await findGroup(tx, account, name))) throw errors.exists("Group", name);
        await tx.run(
          "UPDATE iam_group SET group_key = :to, name = :name, path = :path WHERE account = :account AND group_key = :from",
          { account, from, to, name, path: NewPath ?? group.path },
        );
        for (const sql of from === to ? [] : RENAMED) await tx.run(sql, { account, from, to });
        const owners = { account, from: ownerOf("group", from), to: ownerOf("group", to) };
        for (const sql of from === to ? [] : OWNER_RENAMED) await tx.run(sql, owners);
      });
      return {};
    },
  },

  DeleteGroup: {
    access: onGroup("DeleteGroup"),
    async handle(ctx, { GroupName }) {
      const { account } = ctx;
      await ctx.write(async (tx) => {
        const { group_key } = await groupRow(tx, account, GroupName!);
        const key = { account, group_key };
        const held = { account, owner: ownerOf("group", GroupName!) };
        if (
          await tx.one("SELECT 1 AS one FROM iam_group_member WHERE account = :account AND group_key = :group_key", key)
        )
          throw errors.removeUsersFirst();
        if (await tx.one("SELECT 1 AS one FROM iam_attached_policy WHERE account = :account AND owner = :owner", held))
          throw errors.detachFirst();
        if (await tx.one("SELECT 1 AS one FROM iam_inline_policy WHERE account = :account AND owner = :owner", held))
          throw errors.deletePoliciesFirst();
        await tx.run("DELETE FROM iam_group WHERE account = :account AND group_key = :group_key", key);
      });
      return {};
    },
  },

  AddUserToGroup: {
    access: onGroup("AddUserToGroup"),
    async handle(ctx, { GroupName, UserName }) {
      await ctx.write(async (tx) => {
        const member = await memberOf(tx, ctx.account, { GroupName, UserName });
        const made = await tx.run(
          `INSERT INTO iam_group_member (account, group_key, user_key) VALUES (:account, :group_key, :user_key)
           ON CONFLICT DO NOTHING`,
          member,
        );
        const { account, user_key } = member;
        const all = await tx.all(
          "SELECT 1 AS one FROM iam_group_member WHERE account = :account AND user_key = :user_key",
          {
            account,
            user_key,
          },
        );
        if (made > 0 && all.length > GROUPS_PER_USER) throw errors.quota("GroupsPerUser", GROUPS_PER_USER);
      });
      return {};
    },
  },

  RemoveUserFromGroup: {
    access: onGroup("RemoveUserFromGroup"),
    async handle(ctx, { GroupName, UserName }) {
      await ctx.write(async (tx) => {
        const member = await memberOf(tx, ctx.account, { GroupName, UserName });
        const sql =
          "DELETE FROM iam_group_member WHERE account = :account AND group_key = :group_key AND user_key = :user_key";
        if ((await tx.run(sql, member)) === 0) throw errors.notInGroup(UserName!, GroupName!);
      });
      return {};
    },
  },
});

/** What follows a group's new name. */
const RENAMED = ["UPDATE iam_group_member SET group_key = :to WHERE account = :account AND group_key = :from"];

const OWNER_RENAMED = [
  "UPDATE iam_inline_policy SET owner = :to WHERE account = :account AND owner = :from",
  "UPDATE iam_attached_policy SET owner = :to WHERE account = :account AND owner = :from",
];

/** Throws NoSuchEntity. */
export async function groupRow(tx: Tx, account: string, name: string): Promise<GroupRow> {
  const group = await findGroup(tx, account, name);
  if (!group) throw errors.noSuchGroup(name);
  return group;
}

const findGroup = (tx: Tx, account: string, name: string): Promise<GroupRow | undefined> =>
  tx.one<GroupRow>("SELECT * FROM iam_group WHERE account = :account AND group_key = :key", {
    account,
    key: keyOf(name),
  });

/** `access` of an operation on a group. Of one that is not there AWS says no ARN: only `*` allows it. */
export function onGroup(action: string) {
  return async (ctx: Context, { GroupName }: { GroupName?: string | undefined }): Promise<Access> => {
    const group = await ctx.read((tx) => findGroup(tx, ctx.account, GroupName!));
    const resource = group ? groupArn(ctx.account, group.path, group.name) : `group ${GroupName}`;
    return { action: `iam:${action}`, resource };
  };
}

export const groupArn = (account: string, path = "/", name: string): Arn =>
  `arn:aws:iam::${account}:group${path}${name}`;

export const groupListed = (group: GroupRow) => ({
  Path: group.path,
  GroupName: group.name,
  GroupId: group.id,
  Arn: groupArn(group.account, group.path, group.name),
  CreateDate: new Date(group.created_ms),
});

async function memberOf(
  tx: Tx,
  account: string,
  { GroupName, UserName }: { GroupName: string | undefined; UserName: string | undefined },
) {
  const { group_key } = await groupRow(tx, account, GroupName!);
  const { user_key } = await userRow(tx, account, UserName!);
  return { account, group_key, user_key };
}
