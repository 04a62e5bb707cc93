// Passwords of users. There is no console to sign in to yet: what is kept here is what IAM's operations say of it.
import { type Context, defineOperations, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { hashOf, matches } from "./password-hash.ts";
import { type PasswordPolicy, passwordFault, passwordPolicy } from "./password-policy.ts";
import { secondOf } from "./tables.ts";
import { nameOf, onUser, type UserRow, userRow } from "./users.ts";

interface ProfileRow {
  readonly hash: string;
  readonly reset_required: number;
  readonly created_ms: number;
  readonly changed_ms: number;
}

/** As many as a policy can ask to remember. */
const REMEMBERED = 24;

export const loginProfiles = defineOperations("iam", {
  CreateLoginProfile: {
    access: onUser("CreateLoginProfile"),
    async handle(ctx, { UserName, Password, PasswordResetRequired = false }) {
      if (Password === undefined) throw errors.missing("password");
      const { account } = ctx;
      const name = UserName ?? nameOf(ctx.principal);
      await checkPassword(ctx, { name, password: Password, old: [] });
      const profile = {
        hash: await hashOf(Password),
        reset_required: PasswordResetRequired ? 1 : 0,
        created_ms: secondOf(ctx.now),
        changed_ms: secondOf(ctx.now),
      };
      const user = await ctx.write(async (tx) => {
        const user = await userRow(tx, account, name);
        const made = await tx.run(
          `INSERT INTO iam_login_profile (account, user_key, hash, reset_required, created_ms, changed_ms)
           VALUES (:account, :user_key, :hash, :reset_required, :created_ms, :changed_ms) ON CONFLICT DO NOTHING`,
          { account, user_key: user.user_key, ...profile },
        );
        if (made === 0) throw errors.loginProfileExists(user.name);
        return user;
      });
      return { LoginProfile: listed(user, profile) };
    },
  },

  GetLoginProfile: {
    access: onUser("GetLoginProfile"),
    async handle(ctx, { UserName }) {
      const { user, profile } = await ctx.read((tx) => profileOf(tx, ctx.account, UserName ?? nameOf(ctx.principal)));
      return { LoginProfile: listed(user, profile) };
    },
  },

  UpdateLoginProfile: {
    access: onUser("UpdateLoginProfile"),
    async handle(ctx, { UserName, Password, PasswordResetRequired }) {
      const change = { name: UserName!, resetRequired: PasswordResetRequired };
      if (Password === undefined) await setReset(ctx, change);
      else await changePassword(ctx, { ...change, password: Password });
      return {};
    },
  },

  DeleteLoginProfile: {
    access: onUser("DeleteLoginProfile"),
    async handle(ctx, { UserName }) {
      const { account } = ctx;
      await ctx.write(async (tx) => {
        const { user } = await profileOf(tx, account, UserName ?? nameOf(ctx.principal));
        await tx.run("DELETE FROM iam_login_profile WHERE account = :account AND user_key = :user_key", {
          account,
          user_key: user.user_key,
        });
      });
      return {};
    },
  },

  ChangePassword: {
    // Where the account lets its users change their passwords, no policy of theirs need say so.
    async access(ctx) {
      if (ctx.principal.kind !== "user") throw errors.onlyUsersChangePassword();
      const policy = await ctx.read((tx) => passwordPolicy(tx, ctx.account));
      return policy?.AllowUsersToChangePassword ? [] : await onUser("ChangePassword")(ctx, {});
    },
    async handle(ctx, { OldPassword, NewPassword }) {
      const name = nameOf(ctx.principal);
      const { profile } = await ctx.read((tx) => profileOf(tx, ctx.account, name));
      if (!(await matches(OldPassword!, profile.hash))) throw errors.wrongPassword();
      await changePassword(ctx, { name, password: NewPassword!, from: profile.hash });
      return {};
    },
  },
});

async function setReset(
  ctx: Context,
  { name, resetRequired }: { name: string; resetRequired: boolean | undefined },
): Promise<void> {
  const { account } = ctx;
  await ctx.write(async (tx) => {
    const { user, profile } = await profileOf(tx, account, name);
    const reset = resetRequired === undefined ? profile.reset_required : Number(resetRequired);
    await tx.run(
      "UPDATE iam_login_profile SET reset_required = :reset WHERE account = :account AND user_key = :user_key",
      { account, user_key: user.user_key, reset },
    );
  });
}

interface Change {
  readonly name: string;
  readonly password: string;
  readonly resetRequired?: boolean | undefined;
  /** The hash that must still stand. */
  readonly from?: string;
}

async function changePassword(ctx: Context, { name, password, resetRequired = false, from }: Change): Promise<void> {
  const { account } = ctx;
  const old = await ctx.read(async (tx) => {
    const { user, profile } = await profileOf(tx, account, name);
    const rows = await tx.all<{ hash: string }>(
      "SELECT hash FROM iam_old_password WHERE account = :account AND user_key = :user_key ORDER BY number DESC",
      { account, user_key: user.user_key },
    );
    return [profile, ...rows].map(({ hash }) => hash);
  });
  await checkPassword(ctx, { name, password, old });
  const hash = await hashOf(password);
  await ctx.write(async (tx) => {
    const { user, profile } = await profileOf(tx, account, name);
    if (from !== undefined && profile.hash !== from) throw errors.wrongPassword();
    const key = { account, user_key: user.user_key };
    const last = await tx.one<{ number: number | null }>(
      "SELECT MAX(number) AS number FROM iam_old_password WHERE account = :account AND user_key = :user_key",
      key,
    );
    const number = Number(last?.number ?? 0) + 1;
    await tx.run(
      "INSERT INTO iam_old_password (account, user_key, number, hash) VALUES (:account, :user_key, :number, :hash)",
      { ...key, number, hash: profile.hash },
    );
    await tx.run(
      "DELETE FROM iam_old_password WHERE account = :account AND user_key = :user_key AND number <= :forgotten",
      { ...key, forgotten: number - REMEMBERED },
    );
    await tx.run(
      `UPDATE iam_login_profile SET hash = :hash, reset_required = :reset, changed_ms = :now
       WHERE account = :account AND user_key = :user_key`,
      { ...key, hash, reset: Number(resetRequired), now: secondOf(ctx.now) },
    );
  });
}

/** Throws PasswordPolicyViolation. `old` are hashes, the newest first. */
async function checkPassword(
  ctx: Context,
  { name, password, old }: { name: string; password: string; old: readonly string[] },
): Promise<void> {
  const policy = await ctx.read(async (tx) => {
    await userRow(tx, ctx.account, name);
    return await passwordPolicy(tx, ctx.account);
  });
  const account = ctx.config.accounts.find(({ id }) => id === ctx.account);
  const fault = passwordFault(password, { policy, names: [account?.name, account?.email] });
  if (fault !== undefined) throw errors.passwordViolation(fault);
  if (await isReused(password, { policy, old })) throw errors.passwordReused();
}

async function isReused(
  password: string,
  { policy, old }: { policy: PasswordPolicy | undefined; old: readonly string[] },
): Promise<boolean> {
  const remembered = old.slice(0, policy?.PasswordReusePrevention ?? 0);
  return (await Promise.all(remembered.map((hash) => matches(password, hash)))).includes(true);
}

async function profileOf(tx: Tx, account: string, name: string): Promise<{ user: UserRow; profile: ProfileRow }> {
  const user = await userRow(tx, account, name);
  const profile = await tx.one<ProfileRow>(
    "SELECT * FROM iam_login_profile WHERE account = :account AND user_key = :user_key",
    { account, user_key: user.user_key },
  );
  if (!profile) throw errors.noSuchLoginProfile(name);
  return { user, profile };
}

const listed = (user: UserRow, { created_ms, reset_required }: ProfileRow) => ({
  UserName: user.name,
  CreateDate: new Date(created_ms),
  PasswordResetRequired: reset_required === 1,
});
