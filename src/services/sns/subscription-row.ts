// One subscription in the store.
import type { Arn, Context, Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import type { Attributes } from "./topic-attributes.ts";
import { SHELF } from "./topic-row.ts";

export interface Subscription {
  readonly arn: Arn;
  readonly topic: Arn;
  readonly region: string;
  /** The account that subscribed: whose list it stands in. */
  readonly owner: string;
  /** The ARN of who subscribed. */
  readonly principal: Arn;
  readonly protocol: Protocol;
  readonly endpoint: string;
  readonly state: "pending" | "confirmed" | "deleted";
  readonly token: string;
  /** When the token ends. */
  readonly tokenUntilMs: number;
  readonly wasAuthenticated: boolean;
  /** It can be ended by a signed request only. */
  readonly needsSignature: boolean;
  readonly attributes: Attributes;
}

export type Protocol = "http" | "https" | "email" | "email-json" | "sms" | "sqs" | "lambda";

interface Row {
  readonly arn: string;
  readonly topic: string;
  readonly region: string;
  readonly owner: string;
  readonly principal: string;
  readonly protocol: Protocol;
  readonly endpoint: string;
  readonly state: Subscription["state"];
  readonly token: string;
  readonly token_until_ms: number;
  readonly was_authenticated: number;
  readonly needs_signature: number;
  readonly attributes: string;
}

const COLUMNS = `arn, topic, region, owner, principal, protocol, endpoint, state, token, token_until_ms, was_authenticated,
  needs_signature, attributes`;

export async function findSubscription(tx: Tx, arn: Arn): Promise<Subscription | undefined> {
  const row = await tx.one<Row>(`SELECT ${COLUMNS} FROM sns_subscription WHERE arn = :arn`, { arn });
  return row && toSubscription(row);
}

/** One that was deleted is none. */
export async function openSubscription(tx: Tx, arn: Arn): Promise<Subscription> {
  const found = await findSubscription(tx, arn);
  if (!found || found.state === "deleted") throw errors.noSubscription();
  return found;
}

export async function findByEndpoint(
  tx: Tx,
  of: { topic: Arn; protocol: string; endpoint: string },
): Promise<Subscription | undefined> {
  const row = await tx.one<Row>(
    `SELECT ${COLUMNS} FROM sns_subscription WHERE topic = :topic AND protocol = :protocol AND endpoint = :endpoint`,
    of,
  );
  return row && toSubscription(row);
}

export async function findByToken(tx: Tx, of: { topic: Arn; token: string }): Promise<Subscription | undefined> {
  const row = await tx.one<Row>(`SELECT ${COLUMNS} FROM sns_subscription WHERE topic = :topic AND token = :token`, of);
  return row && toSubscription(row);
}

/** Those that get messages. Remembered. */
export function confirmedOf(ctx: Context, topic: Arn): Promise<readonly Subscription[]> | readonly Subscription[] {
  return ctx.recall(SHELF, `subscriptions ${topic}`, async () => {
    const rows = await ctx.read((tx) =>
      tx.all<Row>(`SELECT ${COLUMNS} FROM sns_subscription WHERE topic = :topic AND state = 'confirmed' ORDER BY arn`, {
        topic,
      }),
    );
    return rows.map(toSubscription);
  });
}

export interface Page {
  readonly after: string;
  readonly limit: number;
}

export async function listOfTopic(tx: Tx, topic: Arn, page: Page): Promise<Subscription[]> {
  const rows = await tx.all<Row>(
    `SELECT ${COLUMNS} FROM sns_subscription WHERE topic = :topic AND state <> 'deleted' AND arn > :after
     ORDER BY arn LIMIT :limit`,
    { topic, ...page },
  );
  return rows.map(toSubscription);
}

export async function listOfOwner(
  tx: Tx,
  { account, region }: { account: string; region: string },
  page: Page,
): Promise<Subscription[]> {
  const rows = await tx.all<Row>(
    `SELECT ${COLUMNS} FROM sns_subscription WHERE owner = :account AND region = :region AND state <> 'deleted' AND arn > :after
     ORDER BY arn LIMIT :limit`,
    { account, region, ...page },
  );
  return rows.map(toSubscription);
}

export async function saveSubscription(tx: Tx, one: Subscription): Promise<void> {
  await tx.run(
    `INSERT INTO sns_subscription (${COLUMNS}, next_slot_ms)
     VALUES (:arn, :topic, :region, :owner, :principal, :protocol, :endpoint, :state, :token, :token_until_ms, :was_authenticated,
       :needs_signature, :attributes, 0)
     ON CONFLICT (arn) DO UPDATE SET state = excluded.state, token = excluded.token, token_until_ms = excluded.token_until_ms,
       was_authenticated = excluded.was_authenticated, needs_signature = excluded.needs_signature, attributes = excluded.attributes`,
    {
      arn: one.arn,
      topic: one.topic,
      region: one.region,
      owner: one.owner,
      principal: one.principal,
      protocol: one.protocol,
      endpoint: one.endpoint,
      state: one.state,
      token: one.token,
      token_until_ms: one.tokenUntilMs,
      was_authenticated: one.wasAuthenticated ? 1 : 0,
      needs_signature: one.needsSignature ? 1 : 0,
      attributes: JSON.stringify(one.attributes),
    },
  );
}

export async function removeSubscription(tx: Tx, arn: Arn): Promise<void> {
  await tx.run("DELETE FROM sns_waiting WHERE subscription = :arn", { arn });
  await tx.run("DELETE FROM sns_subscription WHERE arn = :arn", { arn });
}

const toSubscription = (row: Row): Subscription => ({
  arn: row.arn,
  topic: row.topic,
  region: row.region,
  owner: row.owner,
  principal: row.principal,
  protocol: row.protocol,
  endpoint: row.endpoint,
  state: row.state,
  token: row.token,
  tokenUntilMs: row.token_until_ms,
  wasAuthenticated: row.was_authenticated === 1,
  needsSignature: row.needs_signature === 1,
  attributes: JSON.parse(row.attributes) as Attributes,
});
