// Access keys of users. Root's keys are in the configuration: here they can be neither made nor removed.
import { type Context, defineOperations, newAccessKeyId, newToken, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { forgetUse, lastUsed } from "./last-used.ts";
import { secondOf, settable } from "./tables.ts";
import { userPage } from "./user-pages.ts";
import { nameOf, onUser, userArn, userRow } from "./users.ts";

export const KEYS_PER_USER = 2;
const SECRET_LENGTH = 40;

interface KeyRow {
  readonly id: string;
  readonly status: "Active" | "Inactive";
  readonly created_ms: number;
}

export const accessKeys = defineOperations("iam", {
  CreateAccessKey: {
    access: onUser("CreateAccessKey"),
    async handle(ctx, { UserName }) {
      const { account } = ctx;
      const id = newAccessKeyId("AKIA", account);
      const secret = newToken(SECRET_LENGTH);
      const key = { id, secret: ctx.seal(secret, about(id)), created_ms: secondOf(ctx.now) };
      const name = userNameOf(ctx, UserName);
      const user = await ctx.write(async (tx) => {
        const user = await userRow(tx, account, name);
        const { user_key } = user;
        const had = await tx.all("SELECT id FROM iam_access_key WHERE account = :account AND user_key = :user_key", {
          account,
          user_key,
        });
        if (had.length >= KEYS_PER_USER) throw errors.quota("AccessKeysPerUser", KEYS_PER_USER);
        await tx.run(
          `INSERT INTO iam_access_key (id, account, user_key, secret, status, created_ms)
           VALUES (:id, :account, :user_key, :secret, 'Active', :created_ms)`,
          { ...key, account, user_key },
        );
        return user;
      });
      return {
        AccessKey: {
          UserName: user.name,
          AccessKeyId: id,
          Status: "Active" as const,
          SecretAccessKey: secret,
          CreateDate: new Date(key.created_ms),
        },
      };
    },
  },

  ListAccessKeys: {
    access: onUser("ListAccessKeys"),
    async handle(ctx, input) {
      const UserName = userNameOf(ctx, input.UserName);
      const of = { sql: OF_USER, key: ({ id }: KeyRow) => id };
      const { user, shown, more } = await userPage(ctx, { ...input, UserName }, of);
      const AccessKeyMetadata = shown.map(({ id, status, created_ms }) => ({
        UserName: user.name,
        AccessKeyId: id,
        Status: status,
        CreateDate: new Date(created_ms),
      }));
      return { AccessKeyMetadata, ...more };
    },
  },

  UpdateAccessKey: {
    access: onUser("UpdateAccessKey"),
    async handle(ctx, { UserName, AccessKeyId, Status }) {
      await change(ctx, { UserName, AccessKeyId: AccessKeyId! }, async (tx, key) => {
        const sql =
          "UPDATE iam_access_key SET status = :status WHERE id = :id AND account = :account AND user_key = :user_key";
        return await tx.run(sql, { ...key, status: settable(Status!) });
      });
      return {};
    },
  },

  DeleteAccessKey: {
    access: onUser("DeleteAccessKey"),
    async handle(ctx, { UserName, AccessKeyId }) {
      await change(ctx, { UserName, AccessKeyId: AccessKeyId! }, async (tx, key) => {
        await forgetUse(tx, key.id);
        return await tx.run(
          "DELETE FROM iam_access_key WHERE id = :id AND account = :account AND user_key = :user_key",
          key,
        );
      });
      return {};
    },
  },

  GetAccessKeyLastUsed: {
    async access(ctx, { AccessKeyId }) {
      const user = await ctx.read((tx) => userOfKey(tx, ctx.account, AccessKeyId!));
      const resource = user ? userArn(ctx.account, user.path, user.name) : `access key ${AccessKeyId}`;
      return { action: "iam:GetAccessKeyLastUsed", resource };
    },
    async handle(ctx, { AccessKeyId }) {
      const id = AccessKeyId!;
      return await ctx.read(async (tx) => {
        const user = await userOfKey(tx, ctx.account, id);
        if (!user) throw errors.noSuchAccessKey(id);
        const last = await lastUsed(tx, id);
        const AccessKeyLastUsed = last
          ? { LastUsedDate: new Date(secondOf(last.used_ms)), ServiceName: last.service, Region: last.region }
          : { LastUsedDate: undefined, ServiceName: "N/A", Region: "N/A" };
        return { UserName: user.name, AccessKeyLastUsed };
      });
    },
  },
});

const OF_USER = `SELECT id, status, created_ms FROM iam_access_key
  WHERE account = :account AND user_key = :user_key AND id > :after ORDER BY id LIMIT :limit`;

/** What a key's secret is sealed about. */
const about = (id: string): string => `iam access key ${id}`;

/** undefined: sealed with another key than this workspace's. */
export function secretOf(ctx: Context, { id, secret }: { id: string; secret: string }): string | undefined {
  const plain = ctx.unseal(secret, about(id));
  if (plain === undefined) ctx.log.error(`the secret of ${id} was sealed with another key than .aws-like/store.key`);
  return plain;
}

/** Secrets were kept as they are, once. None is any more. */
export async function sealSecrets(ctx: Context): Promise<void> {
  await ctx.write(async (tx) => {
    const rows = await tx.all<{ id: string; secret: string }>(
      "SELECT id, secret FROM iam_access_key WHERE LENGTH(secret) = :length",
      { length: SECRET_LENGTH },
    );
    for (const { id, secret } of rows)
      await tx.run("UPDATE iam_access_key SET secret = :sealed WHERE id = :id", {
        id,
        sealed: ctx.seal(secret, about(id)),
      });
  });
}

const userOfKey = (tx: Tx, account: string, id: string): Promise<{ name: string; path: string } | undefined> =>
  tx.one<{ name: string; path: string }>(
    `SELECT u.name, u.path FROM iam_access_key k JOIN iam_user u ON u.account = k.account AND u.user_key = k.user_key
     WHERE k.id = :id AND k.account = :account`,
    { id, account },
  );

function userNameOf({ principal }: Context, name: string | undefined): string {
  if (name === undefined && principal.kind === "root")
    throw errors.notImplemented(
      "access keys of the account's root: they are in the configuration, and an operation without UserName",
    );
  return name ?? nameOf(principal);
}

type Key = { readonly id: string; readonly account: string; readonly user_key: string };

/** Throws NoSuchEntity where the user has no such key: `work` says how many rows it changed. */
async function change(
  ctx: Context,
  { UserName, AccessKeyId }: { UserName: string | undefined; AccessKeyId: string },
  work: (tx: Tx, key: Key) => Promise<number>,
): Promise<void> {
  const name = userNameOf(ctx, UserName);
  const { account } = ctx;
  await ctx.write(async (tx) => {
    const { user_key } = await userRow(tx, account, name);
    if ((await work(tx, { id: AccessKeyId, account, user_key })) === 0) throw errors.noSuchAccessKey(AccessKeyId);
  });
}
