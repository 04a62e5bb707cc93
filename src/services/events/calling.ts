// One event as a request to an API destination: the connection's credentials and parameters, the target's own, and what the answer means.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
import { AwsError, type Context, valueAt, type Work } from "../../kernel/mod.ts";
import {
  type ApiDestination,
  type AuthParameters,
  type Connection,
  findConnection,
  findDestination,
  refOfArn,
} from "./connection-rows.ts";
import { secretsOf } from "./connections.ts";
import type { Event } from "./event.ts";
import { tokenOf } from "./oauth.ts";
import type { Send } from "./sending.ts";
import type { Target } from "./target-checks.ts";

/** Real time: what answers is none of ours. */
const TIMEOUT_MS = 5_000;

/** The target's HttpParameters, with what they take from the event. */
export interface HttpInput {
  readonly path: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
}

export function httpInputOf({ HttpParameters = {} }: Target, event: Event): HttpInput {
  const { PathParameterValues = [], HeaderParameters = {}, QueryStringParameters = {} } = HttpParameters;
  const filled = (value: string): string => {
    if (!value.startsWith("$.")) return value;
    const found = valueAt(event, value) ?? "";
    return typeof found === "string" ? found : JSON.stringify(found);
  };
  const all = (given: Record<string, string>) =>
    Object.fromEntries(Object.entries(given).map(([name, value]) => [name, filled(value)]));
  return {
    path: PathParameterValues.map(filled),
    headers: all(HeaderParameters),
    query: all(QueryStringParameters),
  };
}

/** Throws: a refusal where the endpoint's answer is final, 429 where it is too early, anything else to be tried again. */
export async function callApiDestination(ctx: Context, work: Work, send: Send): Promise<void> {
  const { Arn = "", RoleArn = "" } = send.target;
  await mayInvoke(ctx, { role: RoleArn, arn: Arn });
  const ref = refOfArn("api-destination", Arn);
  const destination = ref && (await findDestination(ctx.singly, ref));
  if (!destination || destination.id !== ref.id)
    throw new AwsError("ResourceNotFoundException", 400, `API destination ${Arn} does not exist.`);
  const connection = await findConnection(ctx.singly, { ...destination, name: destination.connection });
  if (connection?.state !== "AUTHORIZED")
    throw new Error(`connection ${destination.connection} of ${destination.name} is not authorized`);
  takeTurn(ctx, Arn, destination);
  const answer = await request(ctx, { destination, connection, send, anew: work.attempt > 1 });
  ctx.log.info(`${destination.method} ${destination.endpoint}: ${answer.status}`, { subject: Arn });
  if (answer.status >= 200 && answer.status < 300) return;
  const text = `${destination.endpoint} answered ${answer.status}`;
  if (!RETRIED.includes(answer.status) && answer.status < 500) throw new AwsError("EndpointRefused", 400, text);
  const wait = answer.retryAfterMs;
  if (wait === undefined) throw new Error(text);
  await waitAsAsked(ctx, work, send, { wait, text });
}

/** "EventBridge retries 401, 407, 409, 429 and 5xx." */
const RETRIED = [401, 407, 409, 429];

/** The role's policies say whether it may: there is no operation of this name to ask. */
async function mayInvoke(ctx: Context, { role, arn }: { role: string; arn: string }): Promise<void> {
  if (ctx.config.relaxed) return;
  const action = "events:InvokeApiDestination";
  const { account } = ctx;
  const owner = { kind: "root", account, arn: `arn:aws:iam::${account}:root`, id: account } as const;
  const asked = { PolicySourceArn: role, ActionNames: [action], ResourceArns: [arn] };
  const { EvaluationResults = [] } = await ctx.call("iam", "SimulatePrincipalPolicy", asked, owner);
  if (EvaluationResults[0]?.EvalDecision === "allowed") return;
  throw new AwsError(
    "AccessDeniedException",
    403,
    `${role} is not authorized to perform: ${action} on resource: ${arn}`,
  );
}

// How many requests an endpoint has had in the current second of the clock: a cache of one process.
const turns = new Map<string, { second: number; taken: number }>();
const MOST_TURNS = 1000;

function takeTurn(ctx: Context, arn: string, { rate_per_s }: ApiDestination): void {
  const key = `${ctx.endpoint} ${arn}`;
  const second = Math.floor(ctx.now / 1000);
  const last = turns.get(key);
  const taken = last?.second === second ? last.taken : 0;
  if (taken >= rate_per_s)
    throw new AwsError("ThrottlingException", 429, `${arn} has had its ${rate_per_s} requests of this second`);
  if (turns.size >= MOST_TURNS) turns.clear();
  turns.set(key, { second, taken: taken + 1 });
}

interface Request {
  readonly destination: ApiDestination;
  readonly connection: Connection;
  readonly send: Send;
  readonly anew: boolean;
}

async function request(
  ctx: Context,
  { destination, connection, send, anew }: Request,
): Promise<{ status: number; retryAfterMs?: number }> {
  const secrets = secretsOf(ctx, connection);
  const own = secrets.InvocationHttpParameters ?? {};
  const http = send.http ?? { path: [], headers: {}, query: {} };
  const path = [...http.path];
  const url = new URL(destination.endpoint.replaceAll("*", () => encodeURIComponent(path.shift() ?? "")));
  for (const [name, value] of Object.entries(http.query)) url.searchParams.set(name, value);
  // The connection's parameters stand over the target's.
  for (const { Key, Value } of own.QueryStringParameters ?? []) url.searchParams.set(Key!, Value ?? "");
  const headers = new Headers({
    "user-agent": "Amazon/EventBridge/ApiDestinations",
    "content-type": "application/json; charset=utf-8",
    range: "bytes=0-1048575",
    ...http.headers,
  });
  for (const { Key, Value } of own.HeaderParameters ?? []) headers.set(Key!, Value ?? "");
  const [name, value] = await credential(ctx, connection, { secrets, anew });
  headers.set(name, value);
  const { method } = destination;
  const bodiless = method === "GET" || method === "HEAD";
  const body = bodiless ? {} : { body: bodyOf(send.event, own.BodyParameters ?? []) };
  const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const answer = await fetch(url, { method, headers, signal, redirect: "manual", ...body });
  await answer.body?.cancel();
  const retryAfterMs = retryAfter(answer.headers.get("retry-after"), ctx.now);
  return { status: answer.status, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

async function credential(
  ctx: Context,
  connection: Connection,
  { secrets, anew }: { secrets: AuthParameters; anew: boolean },
): Promise<[name: string, value: string]> {
  const { BasicAuthParameters: basic, ApiKeyAuthParameters: key } = secrets;
  if (basic) return ["authorization", `Basic ${Buffer.from(`${basic.Username}:${basic.Password}`).toString("base64")}`];
  if (key) return [key.ApiKeyName!, key.ApiKeyValue!];
  return ["authorization", `Bearer ${await tokenOf(ctx, connection, { anew })}`];
}

/** The connection's members go into a JSON object; of anything else nothing is changed. */
function bodyOf(text: string, members: readonly { Key?: string | undefined; Value?: string | undefined }[]): string {
  if (members.length === 0) return text;
  const given: unknown = JSON.parse(text);
  if (typeof given !== "object" || given === null || Array.isArray(given)) return text;
  return JSON.stringify({ ...given, ...Object.fromEntries(members.map(({ Key, Value }) => [Key!, Value ?? ""])) });
}

/** Seconds, or a date. */
function retryAfter(text: string | null, now: number): number | undefined {
  if (text === null) return undefined;
  const at = /^\d+$/.test(text) ? now + Number(text) * 1000 : Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** A work of its own, due when the endpoint said, with what is left of the attempts and of the event's age. */
async function waitAsAsked(
  ctx: Context,
  work: Work,
  send: Send,
  { wait, text }: { wait: number; text: string },
): Promise<void> {
  const { attempts, maxAgeMs = Number.POSITIVE_INFINITY } = work.retry;
  const left = attempts - work.attempt;
  const age = ctx.now + wait - work.createdAt;
  if (left <= 0 || age > maxAgeMs) throw new Error(text);
  const payload: Send = { ...send, earlier: (send.earlier ?? 0) + work.attempt };
  const retry = { ...work.retry, attempts: left, maxAgeMs: maxAgeMs - age + wait };
  ctx.log.warn(`${text}, and asks to wait ${wait} ms`, { subject: send.target.Arn });
  await ctx.write((tx) => ctx.put(tx, { to: work.to, as: work.as, due: ctx.now + wait, payload, retry }));
}
