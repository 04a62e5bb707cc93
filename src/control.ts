// /_aws-like/*: what this cloud can do that AWS cannot. Health, the clock, settle, reset, snapshots, `why` and policies suggested; JSON in, JSON out.
import { createHash, timingSafeEqual } from "node:crypto";
import { Readable } from "node:stream";
import type { Aws, ClockChange } from "./aws.ts";
import { defaults } from "./config.ts";
import { AwsError } from "./kernel/error.ts";
import { PatternFault } from "./kernel/pattern/pattern.ts";
import type { Checked } from "./kernel/service.ts";
import type { HttpAnswer, HttpRequest } from "./model/http.ts";
import { OUTBOX, optOut, peek, RAW, services, VIEW_OF, viewQuery, watchEvents, watchFunction } from "./services.ts";
import { listSnapshots, restoreSnapshot, saveSnapshot } from "./snapshot.ts";
import { version } from "./version.ts";

const MAX_BODY_BYTES = 64 * 1024;

type Body = Readonly<Record<string, unknown>>;

/** `METHOD path` -> the answer's JSON. */
const routes: Readonly<Record<string, (aws: Aws, body: Body, query: URLSearchParams) => unknown>> = {
  "GET /_aws-like/health": () => ({
    status: "running",
    version,
    services: Object.fromEntries(services.map((s) => [s.name, Object.keys(s.operations).sort()])),
  }),
  "GET /_aws-like/clock": (aws) => clockOf(aws),
  "POST /_aws-like/clock": async (aws, body) => {
    await aws.clock(toChange(body));
    return clockOf(aws);
  },
  "GET /_aws-like/chaos": (aws) => aws.chaos(),
  "POST /_aws-like/chaos": (aws, body) => aws.chaos(body),
  "POST /_aws-like/settle": async (aws) => {
    await aws.settle();
    return { settled: true };
  },
  "GET /_aws-like/why": (aws, _body, query) =>
    aws.why(
      query.has("denied")
        ? { denied: true, principal: query.get("principal") ?? undefined }
        : { names: query.getAll("id") },
    ),
  "GET /_aws-like/suggest": (aws, _body, query) =>
    aws.suggest({
      principal: query.get("principal") ?? "",
      sinceMs: toMs(query.get("since")),
      denied: query.has("denied"),
    }),
  "POST /_aws-like/table": (aws, body) => tableRows(aws, body),
  "POST /_aws-like/queue": (aws, body) => peekQueue(aws, body),
  "GET /_aws-like/outbox": async (aws, _body, query) => ({
    letters: await aws.read((tx) =>
      tx.all(OUTBOX, { after: Number(query.get("after") ?? 0) || 0, limit: MOST_LETTERS }),
    ),
  }),
  "POST /_aws-like/outbox": async (aws, { stop }) => {
    const { account, region } = aws.config;
    const number = String(stop);
    if (!(await aws.write((tx) => optOut(tx, { account, region, number, now: aws.now() }))))
      throw new AwsError("BadRequest", 400, `${number} is no telephone number`);
    return { stopped: number };
  },
  "POST /_aws-like/reset": async (aws) => {
    await aws.reset();
    return { reset: true };
  },
  "GET /_aws-like/snapshots": async (aws) => ({ snapshots: await listSnapshots(aws.config) }),
  "POST /_aws-like/snapshots": async (aws, body) => {
    const name = String(body.name ?? "");
    const mapped = await aws.directories();
    await aws.closedFor(() =>
      body.restore === true ? restoreSnapshot(aws.config, name) : saveSnapshot(aws.config, name, mapped),
    );
    return { name };
  },
};

/** It may take hours, and tells what it finds as it finds it. */
const CHECK = "/_aws-like/fsck";
/** What passes the event buses, from now on: it ends when who asks goes. */
const EVENTS = "/_aws-like/events";
/** What a function says, from now on, likewise. */
const FUNCTION = "/_aws-like/function";
/** More would be one long answer; a database that is near can be read itself. */
const MOST_PEEKED = 1_000;
const MOST_ROWS = 10_000;
const MOST_BYTES = 8 * 1024 * 1024;
/** Of the outbox, at once. */
const MOST_LETTERS = 100;
/** Read first, to see how large they are. */
const SOME_ROWS = 100;

/** What is in a queue, nothing received. */
async function peekQueue(aws: Aws, { queue, most, account, region }: Body) {
  if (typeof queue !== "string" || queue === "") throw new AwsError("BadRequest", 400, "say which queue");
  if (!(Number.isInteger(most) && (most as number) >= 1 && (most as number) <= MOST_PEEKED))
    throw new AwsError("BadRequest", 400, `most is a whole number from 1 to ${MOST_PEEKED}`);
  const place = { account: String(account ?? aws.config.account), region: String(region ?? aws.config.region) };
  const found = await aws.read((tx) => peek(tx, { queue, most: most as number, now: aws.now(), ...place }));
  if (!found) throw new AwsError("NotFound", 404, `there is no queue ${queue} in ${place.region} of ${place.account}`);
  return found;
}

/** A table's view, in SQL. */
async function tableRows({ config, read }: Aws, body: Body) {
  const { table = "", sql = "", region = config.region } = body as Record<string, string | undefined>;
  const { account } = config;
  return read(async (tx) => {
    const view = await tx.one<{ name: string }>(VIEW_OF, { account, region, table });
    if (!view) throw new AwsError("NotFound", 404, `there is no table ${table} in ${region}`);
    const { query, hidesRaw } = viewQuery(view.name, sql);
    const first = async (most: number) => {
      const found = await tx
        .all(`SELECT * FROM (${query}) AS v LIMIT :most`, { most: most + 1 })
        .catch((error: Error) => {
          throw new AwsError("BadRequest", 400, error.message.replace(/ in: SELECT[\s\S]*/, ""));
        });
      const shown = hidesRaw ? found.map(({ [RAW]: _raw, ...row }) => row) : found;
      return { rows: shown.slice(0, most), more: found.length > most };
    };
    const some = await first(SOME_ROWS);
    if (!some.more) return some;
    const most = Math.floor((SOME_ROWS * MOST_BYTES) / textOf(some.rows).length);
    return first(Math.min(MOST_ROWS, Math.max(SOME_ROWS, most)));
  });
}

/** A number that JSON's readers would round is text. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, member) => (typeof member === "bigint" ? String(member) : member));

/** What says nothing of what is in here. */
const OPEN = ["/_aws-like/health", "/_aws-like/clock"];

export async function control(aws: Aws, request: HttpRequest): Promise<HttpAnswer> {
  const route = routes[`${request.method} ${request.path}`];
  try {
    if (request.method === "POST" && request.path === CHECK) {
      refuseStrangers(aws, request);
      const { repair } = await readJson(request);
      return lines(aws.check({ repair: repair === true }));
    }
    if (request.method === "GET" && request.path === EVENTS) {
      refuseStrangers(aws, request);
      const query = new URLSearchParams(request.query);
      const asked = { bus: query.get("bus") ?? undefined, pattern: query.get("pattern") ?? undefined };
      return watched((signal) => watching(aws.endpoint, { ...asked, signal }));
    }
    if (request.method === "GET" && request.path === FUNCTION) {
      refuseStrangers(aws, request);
      const query = new URLSearchParams(request.query);
      const functionArn = query.get("arn") ?? "";
      const debugPort = query.has("debug") ? Number(query.get("debug")) : undefined;
      if (debugPort !== undefined && !(Number.isInteger(debugPort) && debugPort >= 1024 && debugPort <= 65_535))
        throw new AwsError("BadRequest", 400, "a port is a number from 1024 to 65535");
      return watched((signal) => {
        const lines = watchFunction(aws, { functionArn, debugPort, signal });
        if (!lines) throw new AwsError("Conflict", 409, `${functionArn} is being debugged already`);
        return lines;
      });
    }
    if (!route) throw new AwsError("NotFound", 404, `there is no ${request.method} ${request.path}`);
    if (!OPEN.includes(request.path) || request.method !== "GET") refuseStrangers(aws, request);
    const body = request.method === "POST" ? await readJson(request) : {};
    return json(200, await route(aws, body, new URLSearchParams(request.query)));
  } catch (error) {
    const status = error instanceof AwsError ? error.status : 500;
    return json(status, { error: (error as Error).message });
  }
}

/** A page in a browser must not reset the cloud (it sends Origin); with a root secret of one's own, that secret is demanded. */
function refuseStrangers(aws: Aws, request: HttpRequest): void {
  if (request.headers.origin !== undefined)
    throw new AwsError("Forbidden", 403, "not from a web page of another origin");
  const { rootAccessKeyId, rootSecretAccessKey } = aws.config;
  if (rootSecretAccessKey === defaults.rootSecretAccessKey) return;
  const expected = `Basic ${Buffer.from(`${rootAccessKeyId}:${rootSecretAccessKey}`).toString("base64")}`;
  // Of hashes, so that neither length nor time tells anything.
  if (!timingSafeEqual(digest(request.headers.authorization ?? ""), digest(expected)))
    throw new AwsError("Forbidden", 403, "the root access key and secret are needed, as HTTP Basic authorization");
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

function toChange(body: Body): ClockChange {
  if (typeof body.advance === "number" && body.advance >= 0) return { advance: body.advance };
  if (body.freeze === true) return { freeze: true };
  if (typeof body.freeze === "string" && !Number.isNaN(Date.parse(body.freeze)))
    return { freeze: Date.parse(body.freeze) };
  if (body.resume === true) return { resume: true };
  throw new AwsError(
    "BadRequest",
    400,
    'say {"advance": milliseconds}, {"freeze": true or an ISO time} or {"resume": true}',
  );
}

/** Absent: all time. */
function toMs(text: string | null): number {
  const ms = text === null ? Number.POSITIVE_INFINITY : Number(text);
  if (Number.isNaN(ms)) throw new AwsError("BadRequest", 400, "since is a number of milliseconds");
  return ms;
}

const clockOf = (aws: Aws) => ({ now: new Date(aws.now()).toISOString() });

async function readJson(request: HttpRequest): Promise<Body> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new AwsError("TooLarge", 413, `the body is over ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  if (size === 0) return {};
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8")) as Body;
  } catch {
    throw new AwsError("BadRequest", 400, "the body is not JSON");
  }
}

/** JSON, one line each; the first one, `{"watching":true}`, says that it has begun. */
function watched(watch: (signal: AbortSignal) => AsyncIterable<unknown>): HttpAnswer {
  const left = new AbortController();
  const events = watch(left.signal)[Symbol.asyncIterator]();
  const body = new Readable({
    read() {
      void events.next().then(({ value, done }) => this.push(done ? null : `${JSON.stringify(value)}\n`));
    },
    destroy(error, done) {
      left.abort();
      done(error);
    },
  });
  body.push('{"watching":true}\n');
  return { status: 200, headers: { "content-type": "application/x-ndjson" }, body };
}

function watching(endpoint: string, asked: Parameters<typeof watchEvents>[1]): ReturnType<typeof watchEvents> {
  try {
    return watchEvents(endpoint, asked);
  } catch (error) {
    throw error instanceof PatternFault ? new AwsError("BadRequest", 400, error.message) : error;
  }
}

/** JSON, one line each; the last one is `{"done":true}`, or what went wrong. */
const lines = (of: AsyncIterable<Checked>): HttpAnswer => ({
  status: 200,
  headers: { "content-type": "application/x-ndjson" },
  body: Readable.from(
    (async function* () {
      try {
        for await (const one of of) yield `${JSON.stringify(one)}\n`;
        yield '{"done":true}\n';
      } catch (error) {
        yield `${JSON.stringify({ error: (error as Error).message })}\n`;
      }
    })(),
  ),
});

const json = (status: number, value: unknown): HttpAnswer => ({
  status,
  headers: { "content-type": "application/json" },
  body: `${textOf(value)}\n`,
});
