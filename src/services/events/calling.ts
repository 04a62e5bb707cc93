// One request to an API destination: the connection's credentials and parameters, the target's own, and what the answer means.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
import {
  type Answering,
  type ApiCall,
  type Arn,
  AwsError,
  type Context,
  parsedJson,
  TooEarly,
} from "../../kernel/mod.ts";
import { bodyOf } from "./answers.ts";
import {
  type ApiDestination,
  type AuthParameters,
  type Connection,
  findConnection,
  findDestination,
  refOfArn,
} from "./connection-rows.ts";
import { secretsOf } from "./connections.ts";
import { tokenOf } from "./oauth.ts";

/** Real time: what answers is none of ours. */
const TIMEOUT_MS = 5_000;

/** No operation of AWS's: rules and pipes ask so, as a role. */
export const answering: Answering = {
  access: (resource) => ({ action: "events:InvokeApiDestination", resource }),
  answer: (ctx, resource, input) => call(ctx, resource, input as ApiCall),
};

/** The body of what was answered. Throws: a refusal where that is final, TooEarly, a 429 over the rate, or what is to be tried again. */
async function call(ctx: Context, arn: Arn, asked: ApiCall): Promise<string> {
  const ref = refOfArn("api-destination", arn);
  const destination = ref && (await findDestination(ctx.singly, ref));
  if (!destination || destination.id !== ref.id)
    throw new AwsError("ResourceNotFoundException", 400, `API destination ${arn} does not exist.`);
  const connection = await findConnection(ctx.singly, { ...destination, name: destination.connection });
  if (connection?.state !== "AUTHORIZED")
    throw new Error(`connection ${destination.connection} of ${destination.name} is not authorized`);
  takeTurn(ctx, arn, destination);
  const answer = await request(ctx, { destination, connection, asked });
  ctx.log.info(`${destination.method} ${destination.endpoint}: ${answer.status}`, { subject: arn });
  if (answer.status >= 200 && answer.status < 300) return answer.body;
  const text = `${destination.endpoint} answered ${answer.status}`;
  if (!RETRIED.includes(answer.status) && answer.status < 500) throw new AwsError("EndpointRefused", 400, text);
  throw answer.retryAfterMs === undefined ? new Error(text) : new TooEarly(text, answer.retryAfterMs);
}

/** "EventBridge retries 401, 407, 409, 429 and 5xx." */
const RETRIED = [401, 407, 409, 429];

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
  readonly asked: ApiCall;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly retryAfterMs?: number;
}

async function request(ctx: Context, { destination, connection, asked }: Request): Promise<Answer> {
  const secrets = secretsOf(ctx, connection);
  const own = secrets.InvocationHttpParameters ?? {};
  const url = urlOf(destination.endpoint, asked.path);
  for (const [name, value] of Object.entries(asked.query)) url.searchParams.set(name, value);
  // The connection's parameters stand over the target's.
  for (const { Key, Value } of own.QueryStringParameters ?? []) url.searchParams.set(Key!, Value ?? "");
  const headers = headersOf({
    "user-agent": "Amazon/EventBridge/ApiDestinations",
    "content-type": "application/json; charset=utf-8",
    range: "bytes=0-1048575",
    ...asked.headers,
  });
  for (const { Key, Value } of own.HeaderParameters ?? []) headers.set(Key!, Value ?? "");
  const [name, value] = await credential(ctx, connection, { secrets, anew: asked.anew === true });
  headers.set(name, value);
  const { method } = destination;
  const bodiless = method === "GET" || method === "HEAD";
  const sent = bodiless ? {} : { body: withMembers(asked.body, own.BodyParameters ?? []) };
  const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const answer = await fetch(url, { method, headers, signal, redirect: "manual", ...sent });
  const body = await bodyOf(answer, asked.answered === true && answer.ok ? MOST_ANSWER_BYTES : 0);
  const retryAfterMs = retryAfter(answer.headers.get("retry-after"), ctx.now);
  return { status: answer.status, body, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

/** What an event brings stays the one segment that it stands for: with ".." the request would go elsewhere. */
function urlOf(endpoint: string, values: readonly string[]): URL {
  const left = [...values];
  return new URL(
    endpoint.replaceAll("*", () => {
      const value = left.shift() ?? "";
      if (value === "." || value === "..") throw new AwsError("InvalidPath", 400, `${value} is no value of a path`);
      return encodeURIComponent(value);
    }),
  );
}

/** What is no header will never be one: it is not tried again. */
function headersOf(given: Readonly<Record<string, string>>): Headers {
  try {
    return new Headers(given);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new AwsError("InvalidHeader", 400, error.message);
  }
}

/** "Enrichment responses are limited to a maximum size of 6MB." */
const MOST_ANSWER_BYTES = 6 * 1024 * 1024;

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
function withMembers(
  text: string,
  members: readonly { Key?: string | undefined; Value?: string | undefined }[],
): string {
  if (members.length === 0) return text;
  const given = parsedJson(text);
  if (typeof given !== "object" || given === null || Array.isArray(given)) return text;
  return JSON.stringify({ ...given, ...Object.fromEntries(members.map(({ Key, Value }) => [Key!, Value ?? ""])) });
}

/** Seconds, or a date. */
function retryAfter(text: string | null, now: number): number | undefined {
  if (text === null) return undefined;
  const at = /^\d+$/.test(text) ? now + Number(text) * 1000 : Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
