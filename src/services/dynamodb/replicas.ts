// The tables of a global table, seen from one of them: who the others are, and what must not be done to one alone.
import type { Context, Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { dynamodbItself } from "./itself.ts";
import { findTable, type Replica, redefine, type Table } from "./schema.ts";
import { forgetStamps, refIn } from "./stamps.ts";
import type { UpdateInput } from "./update-rules.ts";

const SOURCE_MS = 24 * 60 * 60 * 1000;

/** Of a Work to a replica: time to live is now as in this region. */
export interface FollowTtl {
  readonly kind: "follow ttl";
  readonly from: string;
}

/** A table that others were made of a day ago, or later, stays as long as they do. */
export function noRecentSource({ replicas = [], region }: Table, now: number): void {
  if (replicas.some(({ from, addedMs }) => from === region && now - addedMs < SOURCE_MS))
    throw errors.validation(
      "Replica cannot be deleted because it has acted as a source region for new replica(s) being added to the table in the last 24 hours.",
    );
}

export const withStatus = (member: Table, region: string, status: Replica["status"]): Replica[] =>
  (member.replicas ?? []).map((replica) => (replica.region === region ? { ...replica, status } : replica));

/** Those that are there. */
export async function eachMember(tx: Tx, table: Table, work: (member: Table) => Promise<unknown>): Promise<void> {
  for (const region of [table.region, ...(table.replicas ?? []).map((replica) => replica.region)]) {
    const member = await findTable(tx, refIn(table, region));
    if (member) await work(member);
  }
}

/** A table that goes is no replica of the others. */
export async function leaveGroup(tx: Tx, table: Table): Promise<void> {
  if (!table.replicas) return;
  await eachMember(tx, table, async (member) => {
    if (member.region === table.region) return;
    const others = (member.replicas ?? []).filter(({ region }) => region !== table.region);
    await redefine(tx, member, { replicas: others.length > 0 ? others : undefined });
    if (others.length === 0) await forgetStamps(tx, member);
  });
  await forgetStamps(tx, table);
}

/** UpdateTable of a table with replicas: what would have to happen to all of them is refused by name. */
export function replicaRules({ replicas }: Table, input: UpdateInput): void {
  if (!replicas) return;
  if (input.StreamSpecification?.StreamEnabled === false)
    throw errors.invalid("Disabling Stream is not allowed for a Global Table replica.");
  const everywhere = [
    "GlobalSecondaryIndexUpdates",
    "BillingMode",
    "ProvisionedThroughput",
    "OnDemandThroughput",
    "SSESpecification",
    "TableClass",
    "WarmThroughput",
  ] as const;
  for (const name of everywhere)
    if (input[name] !== undefined) throw errors.notImplemented(`UpdateTable's ${name} of a table with replicas`);
}

/** Time to live is the same in all regions. */
export async function sendTtl(tx: Tx, ctx: Context, table: Table): Promise<void> {
  for (const { region } of table.replicas ?? []) {
    const to = refIn(table, region).arn;
    const payload: FollowTtl = { kind: "follow ttl", from: table.region };
    await ctx.put(tx, { to, as: dynamodbItself(to), payload });
  }
}
