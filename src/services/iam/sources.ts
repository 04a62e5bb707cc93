// Users, groups and roles as simulation and access reports name them: by ARN, with all policies they hold.
import { type Access, type Arn, type Context, parseArn, type Tx } from "../../kernel/mod.ts";
import { awsDocument } from "./aws-managed.ts";
import { errors } from "./errors.ts";
import { type HeldBy, held } from "./identity.ts";
import { keyOf, ownerOf } from "./tables.ts";

export interface Entity {
  readonly kind: "user" | "group" | "role";
  readonly account: string;
  readonly arn: Arn;
  readonly name: string;
  readonly id: string;
  /** A user's and a role's, as they are kept. */
  readonly tags?: string;
}

const SELECT = {
  user: "SELECT name, path, id, tags FROM iam_user WHERE account = :account AND user_key = :key",
  role: "SELECT name, path, id, tags FROM iam_role WHERE account = :account AND role_key = :key",
  group: "SELECT name, path, id FROM iam_group WHERE account = :account AND group_key = :key",
};

/** Throws InvalidInput where it is the ARN of something else, NoSuchEntity where nobody of the account has it. */
export async function entityOf(ctx: Context, arn: Arn): Promise<Entity> {
  const { service, account = "", resource = "" } = parseArn(arn) ?? {};
  const [, kind, name] = /^(user|group|role)\/(?:.*\/)?([^/]+)$/.exec(resource) ?? [];
  if (service !== "iam" || !kind || !name)
    throw errors.invalid(`Invalid Entity Arn: ${arn} does not clearly define entity type and name.`);
  const row =
    account === ctx.account
      ? await ctx.read((tx) => rowOf(tx, { account, kind: kind as Entity["kind"], name }))
      : undefined;
  if (!row || `arn:aws:iam::${account}:${kind}${row.path}${row.name}` !== arn) throw errors.noSuchArn(arn);
  const { path: _, ...known } = row;
  return { kind: kind as Entity["kind"], account, arn, ...known };
}

const rowOf = (tx: Tx, { account, kind, name }: { account: string; kind: Entity["kind"]; name: string }) =>
  tx.one<{ name: string; path: string; id: string; tags?: string }>(SELECT[kind], { account, key: keyOf(name) });

/** `access` of an operation on whatever PolicySourceArn or Arn names. */
export function onEntity(action: string) {
  return (_ctx: Context, input: { PolicySourceArn?: string | undefined; Arn?: string | undefined }): Access => ({
    action: `iam:${action}`,
    resource: input.PolicySourceArn ?? input.Arn!,
  });
}

export interface Held {
  /** `id`: a managed policy's name; an inline one's with its owner's, as `user_alice_read`. */
  readonly sources: readonly {
    readonly id: string;
    readonly document: string;
    readonly owner?: string;
    readonly name: string;
  }[];
  readonly boundary?: string | undefined;
}

export async function policiesOf(ctx: Context, { kind, account, name, id }: Entity): Promise<Held> {
  const { policies, boundary }: HeldBy = await ctx.read((tx) =>
    kind === "group" ? heldByGroup(tx, account, name) : held(tx, account, { kind, id }),
  );
  const sources = policies.map((policy) => ({ ...policy, id: idOf(policy) }));
  // Two that are called the same are told apart.
  const seen = new Map<string, number>();
  return {
    sources: sources.map((source) => {
      const times = (seen.get(source.id) ?? 0) + 1;
      seen.set(source.id, times);
      return times === 1 ? source : { ...source, id: `${source.id}.${times}` };
    }),
    boundary: boundary?.document,
  };
}

const idOf = ({ name, owner }: { name: string; owner?: string }): string =>
  owner === undefined ? name.slice(name.lastIndexOf("/") + 1) : `${owner.replace(":", "_")}_${name}`;

async function heldByGroup(tx: Tx, account: string, name: string): Promise<HeldBy> {
  const owner = ownerOf("group", name);
  const rows = await tx.all<{ owner: string | null; name: string; document: string | null }>(
    `SELECT owner, name, document FROM iam_inline_policy WHERE account = :account AND owner = :owner
     UNION ALL
     SELECT NULL AS owner, a.arn AS name, v.document FROM iam_attached_policy a
     LEFT JOIN iam_policy p ON p.arn = a.arn
     LEFT JOIN iam_policy_version v ON v.arn = p.arn AND v.version = p.default_version
     WHERE a.account = :account AND a.owner = :owner
     ORDER BY name`,
    { account, owner },
  );
  return {
    policies: rows.flatMap(({ owner, name: policy, document }) => {
      const text = document ?? awsDocument(policy);
      return text === undefined
        ? []
        : [{ name: policy, document: text, ...(owner !== null && { owner: `group:${name}` }) }];
    }),
  };
}
