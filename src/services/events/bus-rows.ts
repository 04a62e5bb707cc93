// Event buses in the store. The default bus of a region is there before its row, which the first change of it makes.
import { type Arn, type Context, forgetWith, newRequestId, parseArn, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

export interface BusRef {
  readonly account: string;
  readonly region: string;
  readonly name: string;
}

export interface Bus extends BusRef {
  readonly description: string | null;
  /** JSON: the resource policy. */
  readonly policy: string | null;
  readonly kms_key: string | null;
  /** JSON: DeadLetterConfig. */
  readonly dead_letter: string | null;
  /** JSON. */
  readonly tags: string;
  /** Another one after each change of its rules or their targets: what was made of them is known by it. */
  readonly rules_version: string;
  readonly created_ms: number;
  readonly modified_ms: number;
}

export const DEFAULT_BUS = "default";

export const busArn = ({ account, region, name }: BusRef): Arn =>
  `arn:aws:events:${region}:${account}:event-bus/${name}`;

/** By name or ARN, as all operations take it. */
export function busOf(ctx: Context, nameOrArn: string | undefined): BusRef {
  return busOfArn(nameOrArn ?? "") ?? { account: ctx.account, region: ctx.region, name: nameOrArn || DEFAULT_BUS };
}

export function busOfArn(arn: Arn): BusRef | undefined {
  const parts = parseArn(arn);
  const name = /^event-bus\/(.+)$/.exec(parts?.resource ?? "")?.[1];
  return parts?.service === "events" && name ? { account: parts.account, region: parts.region, name } : undefined;
}

const keyOf = ({ account, region, name }: BusRef) => ({ account, region, name });
const COLUMNS =
  "account, region, name, description, policy, kms_key, dead_letter, tags, rules_version, created_ms, modified_ms";

/** What lies there is about buses and their rules, and is forgotten when they change. */
export const SHELF = "events bus";

export async function findBus(tx: Pick<Tx, "one">, ref: BusRef): Promise<Bus | undefined> {
  const found = await tx.one<Bus>(
    `SELECT ${COLUMNS} FROM events_bus WHERE account = :account AND region = :region AND name = :name`,
    keyOf(ref),
  );
  return found ?? (ref.name === DEFAULT_BUS ? untouched(ref) : undefined);
}

/** The default bus, before anything was done to it. */
const untouched = ({ account, region }: BusRef): Bus => ({
  account,
  region,
  name: DEFAULT_BUS,
  description: null,
  policy: null,
  kms_key: null,
  dead_letter: null,
  tags: "{}",
  rules_version: "",
  created_ms: 0,
  modified_ms: 0,
});

export async function openBus(tx: Tx, ref: BusRef): Promise<Bus> {
  const bus = await findBus(tx, ref);
  if (!bus) throw errors.noBus(ref.name);
  return bus;
}

export async function listBuses(
  tx: Tx,
  of: { account: string; region: string; prefix: string; after: string; limit: number },
): Promise<Bus[]> {
  const rows = await tx.all<Bus>(
    `SELECT ${COLUMNS} FROM events_bus
     WHERE account = :account AND region = :region AND name > :after AND name >= :prefix AND name < :beyond
     ORDER BY name LIMIT :limit`,
    { ...of, beyond: `${of.prefix}\x7f` },
  );
  const { account, region } = of;
  const wanted = DEFAULT_BUS > of.after && DEFAULT_BUS.startsWith(of.prefix);
  if (!wanted || (await isThere(tx, { account, region, name: DEFAULT_BUS }))) return rows;
  return [...rows, untouched({ account, region, name: DEFAULT_BUS })]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .slice(0, of.limit);
}

const isThere = (tx: Tx, ref: BusRef): Promise<unknown> =>
  tx.one("SELECT name FROM events_bus WHERE account = :account AND region = :region AND name = :name", keyOf(ref));

/** Written, with what is known of it forgotten. */
export async function saveBus(tx: Tx, bus: Bus, now: number): Promise<void> {
  forgetWith(tx, SHELF);
  await tx.run(
    `INSERT INTO events_bus (${COLUMNS}) VALUES (:account, :region, :name, :description, :policy, :kms_key, :dead_letter, :tags,
       :rules_version, :created_ms, :modified_ms)
     ON CONFLICT (account, region, name) DO UPDATE SET description = excluded.description, policy = excluded.policy,
       kms_key = excluded.kms_key, dead_letter = excluded.dead_letter, tags = excluded.tags,
       rules_version = excluded.rules_version, modified_ms = excluded.modified_ms`,
    { ...bus, created_ms: bus.created_ms || now, modified_ms: now },
  );
}

/** After a change of its rules or their targets, in its transaction. */
export async function rulesChanged(ctx: Context, tx: Tx, ref: BusRef): Promise<void> {
  forgetWith(tx, SHELF);
  await tx.run(
    `INSERT INTO events_bus (account, region, name, tags, rules_version, created_ms, modified_ms)
     VALUES (:account, :region, :name, '{}', :version, :now, :now)
     ON CONFLICT (account, region, name) DO UPDATE SET rules_version = excluded.rules_version`,
    { ...keyOf(ref), version: newRequestId(), now: ctx.now },
  );
}
