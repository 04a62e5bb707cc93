// What an account demands of its users' passwords. Without a policy of its own, AWS's.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_account-policy.html
import { defineOperations, type Input, type Tx } from "../../kernel/mod.ts";
import { onAccount } from "./account.ts";
import { errors } from "./errors.ts";

type Given = Input<"iam", "UpdateAccountPasswordPolicy">;

export interface PasswordPolicy {
  readonly MinimumPasswordLength: number;
  readonly RequireSymbols: boolean;
  readonly RequireNumbers: boolean;
  readonly RequireUppercaseCharacters: boolean;
  readonly RequireLowercaseCharacters: boolean;
  readonly AllowUsersToChangePassword: boolean;
  /** Days. */
  readonly MaxPasswordAge?: number;
  readonly PasswordReusePrevention?: number;
  readonly HardExpiry: boolean;
}

export const passwordPolicies = defineOperations("iam", {
  UpdateAccountPasswordPolicy: {
    access: onAccount("UpdateAccountPasswordPolicy"),
    async handle(ctx, input) {
      const policy = JSON.stringify(whole(input));
      await ctx.write((tx) =>
        tx.run(
          `INSERT INTO iam_password_policy (account, policy) VALUES (:account, :policy)
           ON CONFLICT (account) DO UPDATE SET policy = excluded.policy`,
          { account: ctx.account, policy },
        ),
      );
      return {};
    },
  },

  GetAccountPasswordPolicy: {
    access: onAccount("GetAccountPasswordPolicy"),
    async handle(ctx) {
      const policy = await ctx.read((tx) => passwordPolicy(tx, ctx.account));
      if (!policy) throw errors.noSuchPasswordPolicy(ctx.account);
      return { PasswordPolicy: { ...policy, ExpirePasswords: policy.MaxPasswordAge !== undefined } };
    },
  },

  DeleteAccountPasswordPolicy: {
    access: onAccount("DeleteAccountPasswordPolicy"),
    async handle(ctx) {
      await ctx.write(async (tx) => {
        const sql = "DELETE FROM iam_password_policy WHERE account = :account";
        if ((await tx.run(sql, { account: ctx.account })) === 0) throw errors.noSuchPasswordPolicy(ctx.account);
      });
      return {};
    },
  },
});

/** The account's own; undefined: AWS's holds. */
export async function passwordPolicy(tx: Tx, account: string): Promise<PasswordPolicy | undefined> {
  const row = await tx.one<{ policy: string }>("SELECT policy FROM iam_password_policy WHERE account = :account", {
    account,
  });
  return row && (JSON.parse(row.policy) as PasswordPolicy);
}

/** AWS's sentence for a password that does not do; undefined: it does. `names` are the account's, which its default policy refuses. */
export function passwordFault(
  password: string,
  { policy, names }: { policy: PasswordPolicy | undefined; names: readonly (string | undefined)[] },
): string | undefined {
  const shortest = policy?.MinimumPasswordLength ?? DEFAULT_LENGTH;
  const faults = password.length < shortest ? [`Password should have a minimum length of ${shortest}`] : [];
  const missing = KINDS.filter(({ has }) => !has.test(password));
  if (policy)
    return [...faults, ...missing.filter(({ required }) => policy[required]).map(sentence)].join(", ") || undefined;
  const more = missing.length - (KINDS.length - DEFAULT_KINDS);
  if (more > 0)
    faults.push(`Password should meet ${more} more of the following requirements: ${missing.map(sentence).join(", ")}`);
  if (names.includes(password))
    faults.push("Password should not be identical to your AWS account name or email address");
  return faults.join(", ") || undefined;
}

const DEFAULT_LENGTH = 8;
const DEFAULT_KINDS = 3;

const KINDS = [
  { required: "RequireUppercaseCharacters", has: /[A-Z]/, name: "uppercase letter" },
  { required: "RequireLowercaseCharacters", has: /[a-z]/, name: "lowercase letter" },
  { required: "RequireSymbols", has: /[!@#$%^&*()_+\-=[\]{}|']/, name: "symbol" },
  { required: "RequireNumbers", has: /[0-9]/, name: "number" },
] as const;

const sentence = ({ name }: (typeof KINDS)[number]): string => `Password should have at least one ${name}`;

/** An update is the whole policy: what it leaves out goes back to its default. */
function whole(given: Given): PasswordPolicy {
  const { MaxPasswordAge, PasswordReusePrevention } = given;
  return {
    MinimumPasswordLength: given.MinimumPasswordLength ?? 6,
    RequireSymbols: given.RequireSymbols ?? false,
    RequireNumbers: given.RequireNumbers ?? false,
    RequireUppercaseCharacters: given.RequireUppercaseCharacters ?? false,
    RequireLowercaseCharacters: given.RequireLowercaseCharacters ?? false,
    AllowUsersToChangePassword: given.AllowUsersToChangePassword ?? false,
    ...(MaxPasswordAge !== undefined && { MaxPasswordAge }),
    ...(PasswordReusePrevention !== undefined && { PasswordReusePrevention }),
    HardExpiry: given.HardExpiry ?? false,
  };
}
