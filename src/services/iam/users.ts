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
import { boundaryOf, bounded, checkBoundary, identityConditions } from "./permissions-boundary.ts";
import { renaming } from "./renaming.ts";
import { keyOf, secondOf } from "./tables.ts";
import { making, tagging, tagPage, tagsOf, tagsText, untagging, withoutTags, withTags } from "./tags.ts";
import { refuseBelongings, renameBelongings } from "./user-belongings.ts";

export interface UserRow {
  readonly account: string;
  readonly user_key: string;
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly created_ms: number;
  readonly tags: string;
  readonly boundary: Arn | null;
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
export const USERS = 5000;

export const users = defineOperations("iam", {
  CreateUser: {
    access: (ctx, { UserName, Path, Tags, PermissionsBoundary }) =>
      making(
        bounded({ action: "iam:CreateUser", resource: userArn(ctx.account, Path, UserName!) }, PermissionsBoundary),
        "TagUser",
        Tags,
      ),
    async handle(ctx, { UserName, Path = "/", Tags, PermissionsBoundary }) {
      const { account } = ctx;
      const user: UserRow = {
        account,
        user_key: keyOf(UserName!),
        name: UserName!,
        path: Path,
        id: newUniqueId("AIDA"),
        created_ms: secondOf(ctx.now),
        tags: tagsText(Tags),
        boundary: PermissionsBoundary ?? null,
      };
      await ctx.write(async (tx) => {
        await checkBoundary(tx, account, PermissionsBoundary);
        const made = await tx.run(
          `INSERT INTO iam_user (account, user_key, name, path, id, created_ms, tags, boundary)
           VALUES (:account, :user_key, :name, :path, :id, :created_ms, :tags, :boundary) ON CONFLICT DO NOTHING`,
          { ...user },
        );
        if (made === 0) throw errors.exists("User", user.name);
        const all = await tx.one<{ n: number }>("SELECT COUNT(*) AS n FROM iam_user WHERE account = :account", {
          account,
        });
        if (Number(all!.n) > USERS) throw errors.quota("UsersPerAccount", USERS);
      });
      return { User: described(user) };
    },
  },

  GetUser: {
    access: onUser("GetUser"),
    async handle(ctx, { UserName }) {
      const { principal } = ctx;
      if (UserName === undefined && principal.kind === "root")
        // The account itself: it has no path and no name.
        return { User: { UserId: principal.id, Arn: principal.arn, ...NAMELESS } };
      return { User: described(await ctx.read((tx) => userRow(tx, ctx.account, UserName ?? nameOf(principal)))) };
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
      return { Users: shown.map(userListed), ...more };
    },
  },

  UpdateUser: {
    access: async (ctx, input) =>
      renaming(await onUser("UpdateUser")(ctx, input), { path: input.NewPath, name: input.NewUserName }),
    async handle(ctx, { UserName, NewUserName, NewPath }) {
      const { account } = ctx;
      await ctx.write(async (tx) => {
        const user = await userRow(tx, account, UserName!);
        const name = NewUserName ?? user.name;
        const [from, to] = [user.user_key, keyOf(name)];
        if (from !== to && (await findUser(tx, account, name))) throw errors.exists("User", name);
        await tx.run(
          "UPDATE iam_user SET user_key = :to, name = :name, path = :path WHERE account = :account AND user_key = :from",
          { account, from, to, name, path: NewPath ?? user.path },
        );
        if (from !== to) await renameBelongings(tx, { account, from, to });
      });
      return {};
    },
  },

  DeleteUser: {
    access: onUser("DeleteUser"),
    async handle(ctx, { UserName }) {
      const { account } = ctx;
      await ctx.write(async (tx) => {
        const { user_key } = await userRow(tx, account, UserName!);
        const key = { account, user_key };
        await refuseBelongings(tx, key);
        await tx.run("DELETE FROM iam_user WHERE account = :account AND user_key = :user_key", key);
      });
      return {};
    },
  },

  PutUserPermissionsBoundary: {
    access: async (ctx, input) =>
      bounded(await onUser("PutUserPermissionsBoundary")(ctx, input), input.PermissionsBoundary),
    async handle(ctx, { UserName, PermissionsBoundary }) {
      await ctx.write(async (tx) => {
        const { user_key } = await userRow(tx, ctx.account, UserName!);
        await checkBoundary(tx, ctx.account, PermissionsBoundary);
        await setBoundary(tx, { account: ctx.account, user_key, boundary: PermissionsBoundary! });
      });
      return {};
    },
  },

  DeleteUserPermissionsBoundary: {
    access: onUser("DeleteUserPermissionsBoundary"),
    async handle(ctx, { UserName }) {
      await ctx.write(async (tx) => {
        const { user_key } = await userRow(tx, ctx.account, UserName!);
        await setBoundary(tx, { account: ctx.account, user_key, boundary: null });
      });
      return {};
    },
  },

  TagUser: {
    access: async (ctx, input) => tagging(await onUser("TagUser")(ctx, input), input.Tags),
    async handle(ctx, { UserName, Tags }) {
      await ctx.write((tx) => setTags(tx, ctx.account, { name: UserName!, value: (old) => withTags(old, Tags) }));
      return {};
    },
  },

  UntagUser: {
    access: async (ctx, input) => untagging(await onUser("UntagUser")(ctx, input), input.TagKeys),
    async handle(ctx, { UserName, TagKeys }) {
      await ctx.write((tx) => setTags(tx, ctx.account, { name: UserName!, value: (old) => withoutTags(old, TagKeys) }));
      return {};
    },
  },

  ListUserTags: {
    access: onUser("ListUserTags"),
    async handle(ctx, input) {
      const user = await ctx.read((tx) => userRow(tx, ctx.account, input.UserName!));
      return tagPage(user.tags, input);
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

export const findUser = (tx: Tx, account: string, name: string): Promise<UserRow | undefined> =>
  tx.one<UserRow>("SELECT * FROM iam_user WHERE account = :account AND user_key = :key", { account, key: keyOf(name) });

export const userArn = (account: string, path = "/", name: string): Arn => `arn:aws:iam::${account}:user${path}${name}`;

/** The caller's own name; throws where the caller is no user. */
export function nameOf(principal: Principal): string {
  if (principal.kind !== "user") throw errors.userNameNeeded();
  return principal.arn.slice(principal.arn.lastIndexOf("/") + 1);
}

/** `access` of an operation on a user, or on the caller. Of a user that is not there AWS says no ARN: only `*` allows it. */
export function onUser(action: string) {
  return async (ctx: Context, { UserName }: { UserName?: string | undefined }): Promise<Access> => {
    const { account, principal } = ctx;
    if (UserName === undefined && principal.kind === "root")
      return { action: `iam:${action}`, resource: principal.arn };
    const name = UserName ?? nameOf(principal);
    const user = await ctx.read((tx) => findUser(tx, account, name));
    if (!user) return { action: `iam:${action}`, resource: `user ${name}` };
    const conditions = identityConditions(user);
    return { action: `iam:${action}`, resource: userArn(account, user.path, user.name), conditions };
  };
}

/** As the lists have it: without boundary and tags. */
export const userListed = (user: Pick<UserRow, "account" | "path" | "name" | "id" | "created_ms">) => ({
  Path: user.path,
  UserName: user.name,
  UserId: user.id,
  Arn: userArn(user.account, user.path, user.name),
  CreateDate: new Date(user.created_ms),
});

const described = (user: UserRow) => ({ ...userListed(user), ...boundaryOf(user.boundary), ...tagsOf(user.tags) });

const setBoundary = (tx: Tx, of: { account: string; user_key: string; boundary: Arn | null }) =>
  tx.run("UPDATE iam_user SET boundary = :boundary WHERE account = :account AND user_key = :user_key", of);

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
