// Users. Without UserName an operation is about the caller.
import {
  type Access,
  type Arn,
  type Context,
  defineOperations,
  newUniqueId,
  type Principal,
  type Tx,
} from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { cut, pageOf, underPath } from "./paging.ts";
import { keyOf, ownerOf, secondOf } from "./tables.ts";
import { making, tagsOf, tagsText, withoutTags, withTags } from "./tags.ts";

export interface UserRow {
  readonly account: string;
  readonly user_key: string;
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly created_ms: number;
  readonly tags: string;
}

export const users = defineOperations("iam", {
  CreateUser: {
    access: (ctx, { UserName, Path, Tags }) =>
      making(
        {
          action: "iam:CreateUser",
          resource: userArn(ctx.account, Path, UserName!),
        },
        "TagUser",
        Tags,
      ),
    async handle(ctx, { UserName, Path = "/", Tags, PermissionsBoundary }) {
      if (PermissionsBoundary !== undefined) throw errors.notImplemented("CreateUser's PermissionsBoundary");
      const user: UserRow = {
        account: ctx.account,
        user_key: keyOf(UserName!),
        name: UserName!,
        path: Path,
        id: newUniqueId("AIDA"),
        created_ms: secondOf(ctx.now),
        tags: tagsText(Tags),
      };
      await ctx.write(async (tx) => {
        const made = await tx.run(
          `INSERT INTO iam_user (account, user_key, name, path, id, created_ms, tags)
           VALUES (:account, :user_key, :name, :path, :id, :created_ms, :tags) ON CONFLICT DO NOTHING`,
          { ...user },
        );
        if (made === 0) throw errors.exists("User", user.name);
      });
      return { User: { ...listed(user), ...tagsOf(user.tags) } };
    },
  },

  GetUser: {
    access: onUser("GetUser"),
    async handle(ctx, { UserName }) {
      const { principal } = ctx;
      if (UserName === undefined && principal.kind === "root")
        // The account itself: it has no path and no name.
        return { User: { UserId: principal.id, Arn: principal.arn, ...NAMELESS } };
      const user = await ctx.read((tx) => userRow(tx, ctx.account, UserName ?? nameOf(principal)));
      return { User: { ...listed(user), ...tagsOf(user.tags) } };
    },
  },

  ListUsers: {
    access: (ctx, { PathPrefix }) => ({
      action: "iam:ListUsers",
      resource: `arn:aws:iam::${ctx.account}:user${PathPrefix ?? "/"}`,
    }),
    async handle(ctx, input) {
      const page = pageOf(input);
      const rows = await ctx.read((tx) =>
        tx.all<UserRow>(
          `SELECT * FROM iam_user WHERE account = :account AND user_key > :after AND path >= :from AND path < :to
           ORDER BY user_key LIMIT :limit`,
          { account: ctx.account, ...page, ...underPath(input.PathPrefix) },
        ),
      );
      const { shown, more } = cut(rows, page, (user) => user.user_key);
      return { Users: shown.map(listed), ...more };
    },
  },

  DeleteUser: {
    access: onUser("DeleteUser"),
    async handle(ctx, { UserName }) {
      const { account } = ctx;
      await ctx.write(async (tx) => {
        const { user_key } = await userRow(tx, account, UserName!);
        const held = { account, owner: ownerOf("user", UserName!) };
        const key = { account, user_key };
        if (await tx.one("SELECT 1 AS one FROM iam_access_key WHERE account = :account AND user_key = :user_key", key))
          throw errors.deleteKeysFirst();
        if (await tx.one("SELECT 1 AS one FROM iam_attached_policy WHERE account = :account AND owner = :owner", held))
          throw errors.detachFirst();
        if (await tx.one("SELECT 1 AS one FROM iam_inline_policy WHERE account = :account AND owner = :owner", held))
          throw errors.deletePoliciesFirst();
        await tx.run("DELETE FROM iam_user WHERE account = :account AND user_key = :user_key", key);
      });
      return {};
    },
  },

  TagUser: {
    access: onUser("TagUser"),
    async handle(ctx, { UserName, Tags }) {
      await ctx.write((tx) => setTags(tx, ctx.account, { name: UserName!, value: (old) => withTags(old, Tags) }));
      return {};
    },
  },

  UntagUser: {
    access: onUser("UntagUser"),
    async handle(ctx, { UserName, TagKeys }) {
      await ctx.write((tx) => setTags(tx, ctx.account, { name: UserName!, value: (old) => withoutTags(old, TagKeys) }));
      return {};
    },
  },

  ListUserTags: {
    access: onUser("ListUserTags"),
    async handle(ctx, { UserName }) {
      const user = await ctx.read((tx) => userRow(tx, ctx.account, UserName!));
      return { Tags: [], ...tagsOf(user.tags), IsTruncated: false };
    },
  },
});

const NAMELESS = { Path: undefined, UserName: undefined, CreateDate: undefined };

/** Throws NoSuchEntity. */
export async function userRow(tx: Tx, account: string, name: string): Promise<UserRow> {
  const user = await findUser(tx, account, name);
  if (!user) throw errors.noSuchUser(name);
  return user;
}

const findUser = (tx: Tx, account: string, name: string): Promise<UserRow | undefined> =>
  tx.one<UserRow>("SELECT * FROM iam_user WHERE account = :account AND user_key = :key", { account, key: keyOf(name) });

export const userArn = (account: string, path = "/", name: string): Arn => `arn:aws:iam::${account}:user${path}${name}`;

/** The caller's own name; throws where the caller is no user. */
export function nameOf(principal: Principal): string {
  if (principal.kind !== "user") throw errors.userNameNeeded();
  return principal.arn.slice(principal.arn.lastIndexOf("/") + 1);
}

/** `access` of an operation on a user, or on the caller. */
export function onUser(action: string) {
  return async (ctx: Context, { UserName }: { UserName?: string | undefined }): Promise<Access> => {
    const { account, principal } = ctx;
    if (UserName === undefined && principal.kind === "root")
      return { action: `iam:${action}`, resource: principal.arn };
    const name = UserName ?? nameOf(principal);
    const user = await ctx.read((tx) => findUser(tx, account, name));
    return { action: `iam:${action}`, resource: userArn(account, user?.path, user?.name ?? name) };
  };
}

const listed = (user: UserRow) => ({
  Path: user.path,
  UserName: user.name,
  UserId: user.id,
  Arn: userArn(user.account, user.path, user.name),
  CreateDate: new Date(user.created_ms),
});

async function setTags(
  tx: Tx,
  account: string,
  { name, value }: { name: string; value(old: string): string },
): Promise<void> {
  const { user_key, tags } = await userRow(tx, account, name);
  await tx.run("UPDATE iam_user SET tags = :tags WHERE account = :account AND user_key = :user_key", {
    account,
    user_key,
    tags: value(tags),
  });
}
