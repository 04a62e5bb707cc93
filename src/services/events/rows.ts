// Rules and targets in the store.
import { type Arn, type Context, parseArn, type Tx } from "../../kernel/mod.ts";
import { type BusRef, busOf, DEFAULT_BUS } from "./bus-rows.ts";
import { errors } from "./errors.ts";

export interface RuleRef {
  readonly account: string;
  readonly region: string;
  readonly bus: string;
  readonly name: string;
}

export type RuleState = "ENABLED" | "DISABLED";

export interface Rule extends RuleRef {
  /** The expression. A rule has this, a pattern, or both. */
  readonly schedule: string | null;
  /** JSON. */
  readonly pattern: string | null;
  readonly state: RuleState;
  readonly description: string | null;
  readonly role_arn: string | null;
  /** The service that made it and alone changes it: an archive's. */
  readonly managed_by: string | null;
  /** The account that put it. */
  readonly created_by: string;
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

/** Rules of the default bus do not name it. */
export const ruleArn = ({ account, region, bus, name }: RuleRef): Arn =>
  `arn:aws:events:${region}:${account}:rule/${bus === DEFAULT_BUS ? "" : `${bus}/`}${name}`;

export function refOf(ctx: Context, bus: string | undefined, name: string | undefined): RuleRef {
  const { account, region, name: busName } = busOf(ctx, bus);
  return { account, region, bus: busName, name: name ?? "" };
}

/** A bus's name may have slashes, a rule's none. */
export function refOfArn(arn: Arn): RuleRef | undefined {
  const parts = parseArn(arn);
  const [, bus = DEFAULT_BUS, name] = /^rule\/(?:(.+)\/)?([^/]+)$/.exec(parts?.resource ?? "") ?? [];
  return parts?.service === "events" && name ? { account: parts.account, region: parts.region, bus, name } : undefined;
}

export const busOfRule = ({ account, region, bus }: RuleRef): BusRef => ({ account, region, name: bus });

const keyOf = ({ account, region, bus, name }: RuleRef) => ({ account, region, bus, name });

const COLUMNS =
  "account, region, bus, name, schedule, pattern, state, description, role_arn, managed_by, created_by, tags, next_ms";

export const findRule = (tx: Pick<Tx, "one">, ref: RuleRef): Promise<Rule | undefined> =>
  tx.one<Rule>(
    `SELECT ${COLUMNS} FROM events_rule
     WHERE account = :account AND region = :region AND bus = :bus AND name = :name`,
    keyOf(ref),
  );

export async function openRule(tx: Tx, ref: RuleRef): Promise<Rule> {
  const rule = await findRule(tx, ref);
  if (!rule) throw errors.noRule(ref);
  return rule;
}

interface Page {
  readonly after: string;
  readonly limit: number;
}

export const listRules = (
  tx: Tx,
  { account, region, name: bus }: BusRef,
  { prefix, ...page }: Page & { prefix: string },
): Promise<Rule[]> =>
  tx.all<Rule>(
    `SELECT ${COLUMNS} FROM events_rule
     WHERE account = :account AND region = :region AND bus = :bus AND name > :after AND name >= :prefix AND name < :beyond
     ORDER BY name LIMIT :limit`,
    { account, region, bus, ...page, prefix, beyond: `${prefix}\x7f` },
  );

/** Those that an event may meet. */
export const patternRules = (tx: Tx, { account, region, name: bus }: BusRef): Promise<Rule[]> =>
  tx.all<Rule>(
    `SELECT ${COLUMNS} FROM events_rule
     WHERE account = :account AND region = :region AND bus = :bus AND state = 'ENABLED' AND pattern IS NOT NULL ORDER BY name`,
    { account, region, bus },
  );

export const targetsOfBus = (
  tx: Tx,
  { account, region, name: bus }: BusRef,
): Promise<(TargetRow & { rule_name: string })[]> =>
  tx.all(
    `SELECT rule_name, target_id, arn, definition FROM events_target
     WHERE account = :account AND region = :region AND bus = :bus ORDER BY rule_name, target_id`,
    { account, region, bus },
  );

export async function countRules(tx: Tx, { account, region, name: bus }: BusRef): Promise<number> {
  const row = await tx.one<{ n: number }>(
    "SELECT COUNT(*) AS n FROM events_rule WHERE account = :account AND region = :region AND bus = :bus",
    { account, region, bus },
  );
  return row!.n;
}

export async function saveRule(tx: Tx, rule: Rule): Promise<void> {
  await tx.run(
    `INSERT INTO events_rule (${COLUMNS})
     VALUES (:account, :region, :bus, :name, :schedule, :pattern, :state, :description, :role_arn, :managed_by, :created_by, :tags,
       :next_ms)
     ON CONFLICT (account, region, bus, name) DO UPDATE SET schedule = excluded.schedule, pattern = excluded.pattern,
       state = excluded.state, description = excluded.description, role_arn = excluded.role_arn,
       managed_by = excluded.managed_by, tags = excluded.tags, next_ms = excluded.next_ms`,
    { ...rule },
  );
}

export async function removeRule(tx: Tx, ref: RuleRef): Promise<void> {
  await tx.run(
    "DELETE FROM events_rule WHERE account = :account AND region = :region AND bus = :bus AND name = :name",
    keyOf(ref),
  );
}

export async function putTarget(
  tx: Tx,
  ref: RuleRef,
  { id, arn, definition }: { id: string; arn: string; definition: string },
): Promise<void> {
  await tx.run(
    `INSERT INTO events_target (account, region, bus, rule_name, target_id, arn, definition)
     VALUES (:account, :region, :bus, :name, :id, :arn, :definition)
     ON CONFLICT (account, region, bus, rule_name, target_id)
     DO UPDATE SET arn = excluded.arn, definition = excluded.definition`,
    { ...keyOf(ref), id, arn, definition },
  );
}

/** Rows removed: none where there is no such target. */
export const removeTarget = (tx: Tx, ref: RuleRef, id: string): Promise<number> =>
  tx.run(
    `DELETE FROM events_target
     WHERE account = :account AND region = :region AND bus = :bus AND rule_name = :name AND target_id = :id`,
    { ...keyOf(ref), id },
  );

export const findTarget = (tx: Tx, ref: RuleRef, id: string): Promise<TargetRow | undefined> =>
  tx.one<TargetRow>(
    `SELECT target_id, arn, definition FROM events_target
     WHERE account = :account AND region = :region AND bus = :bus AND rule_name = :name AND target_id = :id`,
    { ...keyOf(ref), id },
  );

/** In the order of their ids, beyond `after`. */
export const listTargets = (
  tx: Tx,
  ref: RuleRef,
  { after, limit }: Page = { after: "", limit: Number.MAX_SAFE_INTEGER },
): Promise<TargetRow[]> =>
  tx.all<TargetRow>(
    `SELECT target_id, arn, definition FROM events_target
     WHERE account = :account AND region = :region AND bus = :bus AND rule_name = :name AND target_id > :after
     ORDER BY target_id LIMIT :limit`,
    { ...keyOf(ref), after, limit },
  );

export const ruleNamesOf = (
  tx: Tx,
  { account, region, name: bus }: BusRef,
  { arn, after, limit }: Page & { arn: Arn },
): Promise<{ rule_name: string }[]> =>
  tx.all(
    `SELECT DISTINCT rule_name FROM events_target
     WHERE account = :account AND region = :region AND bus = :bus AND arn = :arn AND rule_name > :after
     ORDER BY rule_name LIMIT :limit`,
    { account, region, bus, arn, after, limit },
  );
