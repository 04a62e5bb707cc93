// Which services a user or role has spoken to, and when: what the reports of "last accessed" are made of. Attempts that were denied count, as on AWS.
import type { Arn, Context, Tx, Use } from "../../kernel/mod.ts";

/** What is known to be so recent is not written again. */
const STEP_MS = 15 * 60_000;

/** Where the signing name is not what stands before the colon of an action. */
const NAMESPACES: Readonly<Record<string, string>> = { monitoring: "cloudwatch" };

interface Known {
  used_ms: number;
}

/** `identity.used`. Each request comes by here: what it need not know it does not work out. */
export function accessed(ctx: Context, { principal, service, region }: Use): void | Promise<void> {
  if (principal.kind !== "user" && principal.kind !== "session") return;
  const { id, account } = principal;
  const owner = principal.kind === "user" ? id : id.slice(0, id.indexOf(":"));
  const namespace = NAMESPACES[service] ?? service;
  const last = ctx.recall("iam", `accessed ${owner} ${namespace}`, () =>
    ctx.read((tx) => lastOf(tx, { account, owner, namespace })),
  );
  const arn = principal.kind === "user" ? principal.arn : principal.roleArn;
  const told = (known: Known) =>
    ctx.now - known.used_ms < STEP_MS
      ? undefined
      : tell(ctx, known, { account, owner, namespace, used_ms: ctx.now, region, arn });
  return last instanceof Promise ? last.then(told) : told(last);
}

export interface ServiceUse {
  readonly account: string;
  /** AIDA..., AROA... */
  readonly owner: string;
  readonly namespace: string;
  readonly used_ms: number;
  readonly region: string;
  readonly arn: Arn;
}

async function lastOf(tx: Tx, of: { account: string; owner: string; namespace: string }): Promise<Known> {
  const sql =
    "SELECT used_ms FROM iam_service_use WHERE account = :account AND owner = :owner AND namespace = :namespace";
  return (await tx.one<Known>(sql, of)) ?? { used_ms: 0 };
}

async function tell(ctx: Context, known: Known, row: ServiceUse): Promise<void> {
  // What is remembered is told first: those who come meanwhile need not write the same.
  known.used_ms = row.used_ms;
  await ctx.write((tx) =>
    tx.run(
      `INSERT INTO iam_service_use (account, owner, namespace, used_ms, region, arn)
       VALUES (:account, :owner, :namespace, :used_ms, :region, :arn)
       ON CONFLICT (account, owner, namespace)
       DO UPDATE SET used_ms = excluded.used_ms, region = excluded.region, arn = excluded.arn`,
      { ...row },
    ),
  );
}
