// A connection's access token: fetched from the endpoint that it names, sealed, and fetched again when it has ended.
import { type Context, parsedJson, type Tx } from "../../kernel/mod.ts";
import { bodyOf } from "./answers.ts";
import { about, type Connection, findConnection, type NamedRef, saveConnection } from "./connection-rows.ts";
import { secretsOf } from "./connections.ts";

interface Token {
  readonly value: string;
  /** ms since the epoch, on the clock. */
  readonly until: number;
}

/** An endpoint that does not say how long: RFC 6749 leaves it open. */
const DEFAULT_LIFE_S = 3600;
const TIMEOUT_MS = 5_000;
const MOST_TOKEN_BYTES = 256 * 1024;

/** The delivery of a connection's work: asks for a token; a throw means that it is tried again. */
export async function authorize(ctx: Context, ref: NamedRef & { id: string }): Promise<void> {
  const connection = await findConnection(ctx.singly, ref);
  if (connection?.id !== ref.id || connection.state !== "AUTHORIZING") return;
  await fetchToken(ctx, connection);
}

/** After the last attempt. */
export async function deauthorize(tx: Tx, ref: NamedRef & { id: string }, error: unknown): Promise<void> {
  const connection = await findConnection(tx, ref);
  if (connection?.id !== ref.id || connection.state !== "AUTHORIZING") return;
  const state_reason =
    error instanceof Error ? error.message.slice(0, 512) : "The authorization endpoint did not answer.";
  await saveConnection(tx, { ...connection, state: "DEAUTHORIZED", state_reason });
}

/** As long as it is good; `anew` where an endpoint did not take it. */
export async function tokenOf(ctx: Context, connection: Connection, { anew }: { anew: boolean }): Promise<string> {
  const text = connection.token === null ? undefined : ctx.unseal(connection.token, about(connection));
  const token = text === undefined ? undefined : (JSON.parse(text) as Token);
  return token && !anew && token.until > ctx.now ? token.value : fetchToken(ctx, connection);
}

/** https://datatracker.ietf.org/doc/html/rfc6749#section-4.4: the client's credentials as HTTP Basic, the rest as the connection says. */
async function fetchToken(ctx: Context, connection: Connection): Promise<string> {
  const oauth = secretsOf(ctx, connection).OAuthParameters!;
  const { HeaderParameters = [], QueryStringParameters = [], BodyParameters = [] } = oauth.OAuthHttpParameters ?? {};
  const url = new URL(oauth.AuthorizationEndpoint!);
  for (const { Key, Value } of QueryStringParameters) url.searchParams.set(Key!, Value ?? "");
  const body = new URLSearchParams({ grant_type: "client_credentials" });
  for (const { Key, Value } of BodyParameters) body.set(Key!, Value ?? "");
  const { ClientID, ClientSecret } = oauth.ClientParameters!;
  const headers = new Headers({
    authorization: `Basic ${Buffer.from(`${ClientID}:${ClientSecret}`).toString("base64")}`,
    accept: "application/json",
    ...(oauth.HttpMethod !== "GET" && { "content-type": "application/x-www-form-urlencoded" }),
  });
  for (const { Key, Value } of HeaderParameters) headers.set(Key!, Value ?? "");
  const method = oauth.HttpMethod!;
  if (method === "GET") for (const [key, value] of body) url.searchParams.set(key, value);
  const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const answer = await fetch(url, {
    method,
    headers,
    signal,
    redirect: "manual",
    ...(method !== "GET" && { body: String(body) }),
  });
  // A redirect is not followed: the secrets are for the endpoint that was named.
  const text = await bodyOf(answer, answer.ok ? MOST_TOKEN_BYTES : 0);
  const given = parsedJson(text) as { access_token?: string; expires_in?: number } | null | undefined;
  if (typeof given?.access_token !== "string")
    throw new Error(`The authorization endpoint answered ${answer.status} without an access token.`);
  const { access_token: value, expires_in = DEFAULT_LIFE_S } = given;
  const token: Token = { value, until: ctx.now + Number(expires_in) * 1000 };
  const sealed = ctx.seal(JSON.stringify(token), about(connection));
  await ctx.write(async (tx) => {
    const now = await findConnection(tx, connection);
    // Changed meanwhile: the token is of other secrets.
    if (now?.secret !== connection.secret) return;
    await saveConnection(tx, {
      ...now,
      token: sealed,
      state: "AUTHORIZED",
      state_reason: null,
      authorized_ms: ctx.now,
    });
  });
  return value;
}
