// Connections and API destinations in the store. A connection's secrets are sealed; what is shown of it lies beside them.
import { type Arn, type Context, type Input, parseArn, type Tx } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

export type AuthType = "BASIC" | "OAUTH_CLIENT_CREDENTIALS" | "API_KEY";
export type AuthParameters = NonNullable<Input<"events", "CreateConnection">["AuthParameters"]>;
export type ConnectionState = "AUTHORIZED" | "AUTHORIZING" | "DEAUTHORIZED";

export interface NamedRef {
  readonly account: string;
  readonly region: string;
  readonly name: string;
}

export interface Connection extends NamedRef {
  readonly id: string;
  /** The end of the secret's ARN. */
  readonly secret_id: string;
  readonly description: string | null;
  readonly auth_type: AuthType;
  /** JSON: AuthParameters without what is secret. */
  readonly parameters: string;
  /** Sealed JSON: AuthParameters, whole. Null: deauthorized. */
  readonly secret: string | null;
  readonly kms_key: string | null;
  /** Sealed JSON: the access token, and until when it is good. */
  readonly token: string | null;
  readonly state: ConnectionState;
  readonly state_reason: string | null;
  readonly created_ms: number;
  readonly modified_ms: number;
  readonly authorized_ms: number | null;
}

export interface ApiDestination extends NamedRef {
  readonly id: string;
  readonly description: string | null;
  /** Name of the connection. */
  readonly connection: string;
  readonly endpoint: string;
  readonly method: string;
  readonly rate_per_s: number;
  readonly created_ms: number;
  readonly modified_ms: number;
}

type Kind = "connection" | "api-destination";

/** `id` is unknown before it is made: then the name stands alone, as in policies about what is yet to be. */
export const arnOf = (kind: Kind, { account, region, name, id }: NamedRef & { id?: string }): Arn =>
  `arn:aws:events:${region}:${account}:${kind}/${name}${id === undefined ? "" : `/${id}`}`;

export function refOfArn(kind: Kind, arn: Arn): (NamedRef & { id: string }) | undefined {
  const parts = parseArn(arn);
  const [found, name, id] = (parts?.resource ?? "").split("/");
  return parts?.service === "events" && found === kind && name && id
    ? { account: parts.account, region: parts.region, name, id }
    : undefined;
}

export const refOf = ({ account, region }: Context, name: string | undefined): NamedRef => ({
  account,
  region,
  name: name ?? "",
});

export const keyOf = ({ account, region, name }: NamedRef) => ({ account, region, name });

const CONNECTION = `account, region, name, id, secret_id, description, auth_type, parameters, secret, kms_key, token, state, state_reason,
  created_ms, modified_ms, authorized_ms`;
const DESTINATION =
  "account, region, name, id, description, connection, endpoint, method, rate_per_s, created_ms, modified_ms";

export const findConnection = (tx: Pick<Tx, "one">, ref: NamedRef): Promise<Connection | undefined> =>
  tx.one<Connection>(
    `SELECT ${CONNECTION} FROM events_connection WHERE account = :account AND region = :region AND name = :name`,
    keyOf(ref),
  );

export const findDestination = (tx: Pick<Tx, "one">, ref: NamedRef): Promise<ApiDestination | undefined> =>
  tx.one<ApiDestination>(
    `SELECT ${DESTINATION} FROM events_api_destination WHERE account = :account AND region = :region AND name = :name`,
    keyOf(ref),
  );

/** `verb` is what was asked for: AWS says so. */
export async function openConnection(tx: Tx, ref: NamedRef, verb: string): Promise<Connection> {
  const connection = await findConnection(tx, ref);
  if (!connection) throw errors.noConnection(verb, ref.name);
  return connection;
}

export async function openDestination(tx: Tx, ref: NamedRef, verb: string): Promise<ApiDestination> {
  const destination = await findDestination(tx, ref);
  if (!destination) throw errors.noApiDestination(verb, ref.name);
  return destination;
}

interface Listing {
  readonly account: string;
  readonly region: string;
  readonly prefix: string;
  readonly after: string;
  readonly limit: number;
}

export const listConnections = (tx: Tx, of: Listing): Promise<Connection[]> =>
  tx.all<Connection>(
    `SELECT ${CONNECTION} FROM events_connection
     WHERE account = :account AND region = :region AND name > :after AND name >= :prefix AND name < :beyond
     ORDER BY name LIMIT :limit`,
    { ...of, beyond: `${of.prefix}\x7f` },
  );

export const listDestinations = (
  tx: Tx,
  of: Listing,
): Promise<(ApiDestination & { connection_id: string; connection_state: string })[]> =>
  tx.all(
    `SELECT d.account, d.region, d.name, d.id, d.description, d.connection, d.endpoint, d.method, d.rate_per_s, d.created_ms,
       d.modified_ms, c.id AS connection_id, c.state AS connection_state
     FROM events_api_destination d LEFT JOIN events_connection c
       ON c.account = d.account AND c.region = d.region AND c.name = d.connection
     WHERE d.account = :account AND d.region = :region AND d.name > :after AND d.name >= :prefix AND d.name < :beyond
     ORDER BY d.name LIMIT :limit`,
    { ...of, beyond: `${of.prefix}\x7f` },
  );

export async function saveConnection(tx: Tx, connection: Connection): Promise<void> {
  await tx.run(
    `INSERT INTO events_connection (${CONNECTION}) VALUES (:account, :region, :name, :id, :secret_id, :description, :auth_type,
       :parameters, :secret, :kms_key, :token, :state, :state_reason, :created_ms, :modified_ms, :authorized_ms)
     ON CONFLICT (account, region, name) DO UPDATE SET description = excluded.description, auth_type = excluded.auth_type,
       parameters = excluded.parameters, secret = excluded.secret, kms_key = excluded.kms_key, token = excluded.token,
       state = excluded.state, state_reason = excluded.state_reason, modified_ms = excluded.modified_ms,
       authorized_ms = excluded.authorized_ms`,
    { ...connection },
  );
}

export async function saveDestination(tx: Tx, destination: ApiDestination): Promise<void> {
  await tx.run(
    `INSERT INTO events_api_destination (${DESTINATION}) VALUES (:account, :region, :name, :id, :description, :connection, :endpoint,
       :method, :rate_per_s, :created_ms, :modified_ms)
     ON CONFLICT (account, region, name) DO UPDATE SET description = excluded.description, connection = excluded.connection,
       endpoint = excluded.endpoint, method = excluded.method, rate_per_s = excluded.rate_per_s,
       modified_ms = excluded.modified_ms`,
    { ...destination },
  );
}

/** What a connection's secrets are sealed about. */
export const about = ({ id }: Pick<Connection, "id">): string => `events connection ${id}`;
