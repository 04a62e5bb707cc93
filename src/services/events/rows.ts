// Rules and targets in the store. All are on the default bus.
import type { Arn, Context, Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

export const tables = `
CREATE TABLE events_rule (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,
  schedule TEXT NOT NULL,
  state TEXT NOT NULL,
  description TEXT,
  tags TEXT NOT NULL,
  next_ms BIGINT,
  PRIMARY KEY (account, region, name)
);
CREATE TABLE events_target (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  rule_name TEXT NOT NULL,
  target_id TEXT NOT NULL,
  arn TEXT NOT NULL,
  definition TEXT NOT NULL,
  PRIMARY KEY (account, region, rule_name, target_id)
)`;

export interface RuleRef {
  readonly account: string;
  readonly region: string;
  readonly name: string;
}

export interface Rule extends RuleRef {
  /** The expression. */
  readonly schedule: string;
  readonly state: "ENABLED" | "DISABLED";
  readonly description: string | null;
  /** JSON. */
  readonly tags: string;
  /** When it is due; a work for another time is none of this rule any more. Null: disabled, or never again. */
  readonly next_ms: number | null;
}

export interface TargetRow {
  readonly target_id: string;
  readonly arn: string;
  /** JSON: the whole target, as it was put. */
  readonly definition: string;
}

export const ruleArn = ({ account, region, name }: RuleRef): Arn => `arn:aws:events:${region}:${account}:rule/${name}`;

export const refOf = (ctx: Context, name: string | undefined): RuleRef => ({
  account: ctx.account,
  region: ctx.region,
  name: name ?? "",
});

const keyOf = ({ account, region, name }: RuleRef) => ({ account, region, name });

const COLUMNS = "account, region, name, schedule, state, description, tags, next_ms";

export const findRule = (tx: Tx, ref: RuleRef): Promise<Rule | undefined> =>
  tx.one<Rule>(
    `SELECT ${COLUMNS} FROM events_rule WHERE account = :account AND region = :region AND name = :name`,
    keyOf(ref),
  );

export async function openRule(tx: Tx, ref: RuleRef): Promise<Rule> {
  const rule = await findRule(tx, ref);
  if (!rule) throw errors.noRule(ref.name);
  return rule;
}

export const listRules = (
  tx: Tx,
  { prefix, ...of }: { account: string; region: string; prefix: string; after: string; limit: number },
): Promise<Rule[]> =>
  tx.all<Rule>(
    `SELECT ${COLUMNS} FROM events_rule
     WHERE account = :account AND region = :region AND name > :after AND name >= :prefix AND name < :beyond
     ORDER BY name LIMIT :limit`,
    { ...of, prefix, beyond: `${prefix}\x7f` },
  );

export async function saveRule(tx: Tx, rule: Rule): Promise<void> {
  await tx.run(
    `INSERT INTO events_rule (${COLUMNS})
     VALUES (:account, :region, :name, :schedule, :state, :description, :tags, :next_ms)
     ON CONFLICT (account, region, name) DO UPDATE SET schedule = excluded.schedule, state = excluded.state,
       description = excluded.description, tags = excluded.tags, next_ms = excluded.next_ms`,
    { ...rule },
  );
}

export async function removeRule(tx: Tx, ref: RuleRef): Promise<void> {
  await tx.run("DELETE FROM events_rule WHERE account = :account AND region = :region AND name = :name", keyOf(ref));
}

export const findTarget = (tx: Tx, ref: RuleRef, id: string): Promise<TargetRow | undefined> =>
  tx.one<TargetRow>(
    `SELECT target_id, arn, definition FROM events_target
     WHERE account = :account AND region = :region AND rule_name = :name AND target_id = :id`,
    { ...keyOf(ref), id },
  );

/** In the order of their ids, beyond `after`. */
export const listTargets = (
  tx: Tx,
  ref: RuleRef,
  { after, limit }: { after: string; limit: number } = { after: "", limit: Number.MAX_SAFE_INTEGER },
): Promise<TargetRow[]> =>
  tx.all<TargetRow>(
    `SELECT target_id, arn, definition FROM events_target
     WHERE account = :account AND region = :region AND rule_name = :name AND target_id > :after
     ORDER BY target_id LIMIT :limit`,
    { ...keyOf(ref), after, limit },
  );
