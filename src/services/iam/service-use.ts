// Which services a user or role has spoken to, and when: what the reports of "last accessed" are made of. Attempts that were denied count, as on AWS.
import type { Arn, Context, Tx, Use } from "../../kernel/mod.ts";

/** What is known to be so recent is not written again. */
const STEP_MS = 15 * 60_000;

/** Where the signing name is not what stands before the colon of an action. */
const NAMESPACES: Readonly<Record<string, string>> = { monitoring: "cloudwatch" };

interface Known {
  used_ms: number;
}

/** `identity.used`. Each request comes by here. */
export function accessed(ctx: Context, use: Use): void | Promise<void> {
  const { principal } = use;
  if (principal.kind !== "user" && principal.kind !== "session") return;
  const owner = principal.kind === "user" ? principal.id : principal.id.split(":")[0]!;
  const row: ServiceUse = {
    account: principal.account,
    owner,
    namespace: NAMESPACES[use.service] ?? use.service,
    used_ms: ctx.now,
    region: use.region,
    arn: principal.kind === "user" ? principal.arn : principal.roleArn,
  };
  const last = ctx.recall("iam", `accessed ${owner} ${row.namespace}`, () => ctx.read((tx) => lastOf(tx, row)));
  return last instanceof Promise ? last.then((known) => tell(ctx, known, row)) : tell(ctx, last, row);
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

async function lastOf(tx: Tx, { account, owner, namespace }: ServiceUse): Promise<Known> {
  const sql =
    "SELECT used_ms FROM iam_service_use WHERE account = :account AND owner = :owner AND namespace = :namespace";
  return (await tx.one<Known>(sql, { account, owner, namespace })) ?? { used_ms: 0 };
}

function tell(ctx: Context, known: Known, row: ServiceUse): void | Promise<void> {
  if (row.used_ms - known.used_ms < STEP_MS) return;
  // What is remembered is told first: those who come meanwhile need not write the same.
  known.used_ms = row.used_ms;
  return ctx
    .write((tx) =>
      tx.run(
        `INSERT INTO iam_service_use (account, owner, namespace, used_ms, region, arn)
         VALUES (:account, :owner, :namespace, :used_ms, :region, :arn)
         ON CONFLICT (account, owner, namespace)
         DO UPDATE SET used_ms = excluded.used_ms, region = excluded.region, arn = excluded.arn`,
        { ...row },
      ),
    )
    .then(() => undefined);
}
