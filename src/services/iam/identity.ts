// Whose an access key is, and what its principal may do. Read from the store at every request, one statement each: a change takes effect
// at once, also one of another process. What is costly, reading a policy's JSON, the policy engine keeps by its text.
import type { Context, Credential, Held, Identity, Principal } from "../../kernel/mod.ts";
import { secretOf } from "./access-keys.ts";
import { used } from "./last-used.ts";
import { mfa } from "./mfa-codes.ts";
import { awsDocument } from "./policies.ts";
import { keyOf, ownerOf } from "./tables.ts";
import { nameOf, userArn } from "./users.ts";

export const identity: Identity = { credential, policies, mfa, used };

interface Keyed {
  readonly secret: string;
  readonly account: string;
  readonly name: string;
  readonly path: string;
  readonly id: string;
}

function credential(ctx: Context, { accessKeyId }: { accessKeyId: string }) {
  return accessKeyId.startsWith("AKIA")
    ? ctx.recall("iam", `key ${accessKeyId}`, () => readCredential(ctx, accessKeyId))
    : undefined;
}

async function readCredential(ctx: Context, accessKeyId: string): Promise<Credential | undefined> {
  const found = await ctx.read((tx) =>
    tx.one<Keyed>(
      `SELECT k.secret, u.account, u.name, u.path, u.id FROM iam_access_key k
       JOIN iam_user u ON u.account = k.account AND u.user_key = k.user_key
       WHERE k.id = :id AND k.status = 'Active'`,
      { id: accessKeyId },
    ),
  );
  if (!found) return undefined;
  const { account, name, path, id } = found;
  const secretAccessKey = secretOf(ctx, { id: accessKeyId, secret: found.secret });
  if (secretAccessKey === undefined) return undefined;
  return { secretAccessKey, principal: { kind: "user", account, arn: userArn(account, path, name), id } };
}

/** A user or role that was deleted, or made again under the same name, has none for those who still act as the old one. */
function policies(ctx: Context, principal: Principal): Held | Promise<Held> | undefined {
  if (principal.kind === "user")
    return heldBy(ctx, principal.account, { kind: "user", name: nameOf(principal), id: principal.id });
  if (principal.kind !== "session") return undefined;
  const name = principal.roleArn.slice(principal.roleArn.lastIndexOf("/") + 1);
  return heldBy(ctx, principal.account, { kind: "role", name, id: principal.id.split(":")[0]! });
}

interface Holder {
  readonly kind: "role" | "user";
  readonly name: string;
  readonly id: string;
}

const heldBy = (ctx: Context, account: string, holder: Holder): Held | Promise<Held> =>
  ctx.recall("iam", `${holder.kind} ${holder.id}`, () => readHeld(ctx, account, holder));

const HELD = {
  role: sqlOf("SELECT 1 FROM iam_role WHERE account = :account AND role_key = :key AND id = :id"),
  user: sqlOf("SELECT 1 FROM iam_user WHERE account = :account AND user_key = :key AND id = :id"),
};

function sqlOf(exists: string): string {
  return `SELECT name, document FROM iam_inline_policy
    WHERE account = :account AND owner = :owner AND EXISTS (${exists})
    UNION ALL
    SELECT a.arn AS name, v.document FROM iam_attached_policy a
    LEFT JOIN iam_policy p ON p.arn = a.arn
    LEFT JOIN iam_policy_version v ON v.arn = a.arn AND v.version = p.default_version
    WHERE a.account = :account AND a.owner = :owner AND EXISTS (${exists})`;
}

async function readHeld(ctx: Context, account: string, { kind, name, id }: Holder): Promise<Held> {
  const rows = await ctx.read((tx) =>
    tx.all<{ name: string; document: string | null }>(HELD[kind], {
      account,
      owner: ownerOf(kind, name),
      key: keyOf(name),
      id,
    }),
  );
  const policies = rows.flatMap(({ name: policy, document }) => {
    const text = document ?? awsDocument(policy);
    return text === undefined ? [] : [{ name: policy, document: text }];
  });
  return { policies };
}
