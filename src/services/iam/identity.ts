// Whose an access key is, and what its principal may do: one statement each, remembered until IAM writes. A change takes effect at once, also one
// of another process.
import type { Context, Credential, Held, Identity, NamedPolicy, Principal, Tx, Use } from "../../kernel/mod.ts";
import { secretOf } from "./access-keys.ts";
import { awsDocument } from "./aws-managed.ts";
import { used } from "./last-used.ts";
import { mfa } from "./mfa-codes.ts";
import { accessed } from "./service-use.ts";
import { ownerOf } from "./tables.ts";
import type { Tag } from "./tags.ts";
import { userArn } from "./users.ts";

export const identity: Identity = { credential, policies, mfa, used: usedAndAccessed };

/** Each request comes by here: mostly there is nothing to tell, and nothing to wait for. */
function usedAndAccessed(ctx: Context, use: Use): void | Promise<void> {
  const told = used(ctx, use);
  return told ? told.then(() => accessed(ctx, use)) : accessed(ctx, use);
}

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

/** Looked for by unique id: a renamed user is the same, one that was made again under its name is another, and has nothing for those who act as the old one. */
function policies(ctx: Context, principal: Principal): Held | Promise<Held> | undefined {
  if (principal.kind === "user") return heldBy(ctx, principal.account, { kind: "user", id: principal.id });
  if (principal.kind === "federated") {
    const { id } = principal.user;
    // Whoever the root user lets in may what the session's policies allow, as root itself may everything.
    return id === principal.account ? EVERYTHING : heldBy(ctx, principal.account, { kind: "user", id });
  }
  if (principal.kind !== "session") return undefined;
  return heldBy(ctx, principal.account, { kind: "role", id: principal.id.split(":")[0]! });
}

const EVERYTHING: Held = {
  policies: [
    { name: "root", document: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}' },
  ],
};

interface Holder {
  readonly kind: "role" | "user";
  readonly id: string;
}

const heldBy = (ctx: Context, account: string, holder: Holder): Held | Promise<Held> =>
  ctx.recall("iam", `${holder.kind} ${holder.id}`, () => ctx.read((tx) => held(tx, account, holder)));

/** A policy that a user or role holds, and whose it is: `user:alice`, `group:readers`; undefined for a managed one. */
export interface HeldPolicy extends NamedPolicy {
  readonly owner?: string;
}

export interface HeldBy extends Held {
  readonly policies: readonly HeldPolicy[];
}

interface HeldRow {
  readonly what: "self" | "boundary" | "inline" | "attached";
  readonly owner: string;
  readonly name: string;
  readonly document: string | null;
}

/** What a user or role holds; nothing where it is not, or no longer, there. */
export async function held(tx: Tx, account: string, { kind, id }: Holder): Promise<HeldBy> {
  const rows = await tx.all<HeldRow>(HELD[kind], { account, id });
  const self = rows.find(({ what }) => what === "self");
  if (!self) return { policies: [], gone: true };
  const own = ownerOf(kind, self.name);
  const known = rows.flatMap(({ document, ...row }) => {
    const text = document ?? awsDocument(row.name);
    return text === undefined ? [] : [{ ...row, document: text }];
  });
  // A boundary whose text is gone (AWS's, after the data was renewed) still bounds: it allows nothing.
  const bounded = rows.find(({ what }) => what === "boundary");
  return {
    policies: known
      .filter(({ what }) => what === "inline" || what === "attached")
      .map(({ what, owner, name, document }) => ({
        name,
        document,
        ...(what === "inline" && { owner: owner === own ? `${kind}:${self.name}` : owner }),
      })),
    boundary: bounded && {
      name: bounded.name,
      document: known.find(({ what }) => what === "boundary")?.document ?? NOTHING,
    },
    ...(kind === "user" && { tags: tagsOfUser(self.document) }),
  };
}

const NOTHING = '{"Version":"2012-10-17","Statement":[]}';

const tagsOfUser = (tags: string | null): Record<string, string> =>
  Object.fromEntries((JSON.parse(tags ?? "[]") as Tag[]).map(({ Key, Value }) => [Key, Value]));

/** Whose policies count: a user's own, and those of its groups. */
const OWNERS = {
  role: "SELECT 'role:' || role_key FROM iam_role WHERE account = :account AND id = :id",
  user: `SELECT 'user:' || user_key FROM iam_user WHERE account = :account AND id = :id
    UNION ALL
    SELECT 'group:' || m.group_key FROM iam_user u JOIN iam_group_member m ON m.account = u.account AND m.user_key = u.user_key
    WHERE u.account = :account AND u.id = :id`,
};

const HELD = { role: sqlOf("role"), user: sqlOf("user") };

function sqlOf(kind: "role" | "user"): string {
  const self = `FROM iam_${kind} e WHERE e.account = :account AND e.id = :id`;
  return `SELECT 'self' AS what, '' AS owner, e.name AS name, e.tags AS document ${self}
    UNION ALL
    SELECT 'boundary' AS what, '' AS owner, b.boundary AS name, v.document FROM (SELECT e.boundary ${self}) b
    LEFT JOIN iam_policy p ON p.arn = b.boundary
    LEFT JOIN iam_policy_version v ON v.arn = p.arn AND v.version = p.default_version
    WHERE b.boundary IS NOT NULL
    UNION ALL
    SELECT 'inline' AS what, COALESCE('group:' || g.name, i.owner) AS owner, i.name, i.document FROM iam_inline_policy i
    LEFT JOIN iam_group g ON g.account = i.account AND i.owner = 'group:' || g.group_key
    WHERE i.account = :account AND i.owner IN (${OWNERS[kind]})
    UNION ALL
    SELECT 'attached' AS what, a.owner, a.arn AS name, v.document FROM iam_attached_policy a
    LEFT JOIN iam_policy p ON p.arn = a.arn
    LEFT JOIN iam_policy_version v ON v.arn = p.arn AND v.version = p.default_version
    WHERE a.account = :account AND a.owner IN (${OWNERS[kind]})
    ORDER BY what, owner, name`;
}
