// The Telemetry API (2022-07-01) and its predecessor, the Logs API (2020-08-15): what happens in an environment, in batches, to extensions.
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html, .../telemetry-schema-reference.html, .../runtimes-logs-api.html
import { connect } from "node:net";
import { type TelemetryRequest, textOf } from "./extensions.ts";
import { realNow } from "./real-time.ts";
import { say } from "./reply.ts";

// Not imported: see door/server.ts.
const { request: httpRequest } = process.getBuiltinModule("node:http");

type Kind = "platform" | "function" | "extension";

interface Event {
  readonly time: string;
  readonly type: string;
  readonly record: unknown;
}

interface Subscriber {
  readonly extension: string;
  readonly logsApi: boolean;
  readonly types: readonly Kind[];
  readonly maxItems: number;
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly destination: { readonly tcp: boolean; readonly port: number; readonly path: string };
  waiting: { text: string; items: number };
  dropped: number;
  timer?: NodeJS.Timeout | undefined;
  sending?: Promise<void> | undefined;
}

/** Of what happened before anybody subscribed. */
const MOST_EARLY_EVENTS = 1_000;
/** A batch that cannot be sent waits for the next one, until so many bytes wait. */
const MOST_WAITING_BYTES = 4 * 1024 * 1024;

export class Telemetry {
  /** Where the extensions of this environment listen: what `sandbox.localdomain` stands for in it. */
  readonly #host: string;
  #subscribers: Subscriber[] = [];
  #early: Event[] | undefined = [];
  #life = new AbortController();

  constructor(host: string) {
    this.#host = host;
  }

  /** A new life of the environment: its extensions subscribe anew. */
  restart(): void {
    this.end();
    this.#early = [];
    this.#life = new AbortController();
  }

  /** Init is over: who has not subscribed by now is too late. */
  close(): void {
    this.#early = undefined;
  }

  end(): void {
    this.#life.abort();
    for (const { timer } of this.#subscribers) clearTimeout(timer);
    this.#subscribers = [];
  }

  platform(type: string, record: Record<string, unknown>): void {
    this.#add(`platform.${type}`, record);
  }

  line(kind: "function" | "extension", text: string): void {
    this.#add(kind, text);
  }

  /** Resolves when all that has happened was sent, or could not be, or after `limitMs`. */
  async flushed(limitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, limitMs);
    await Promise.race([promise, Promise.all(this.#subscribers.map((subscriber) => this.#send(subscriber)))]);
    clearTimeout(timer);
  }

  async subscribe({ version, extension, request, response }: TelemetryRequest): Promise<void> {
    const logsApi = version === "2020-08-15";
    const text = await textOf(request);
    const early = this.#early;
    if (!early) {
      const name = logsApi ? "Logs" : "Telemetry";
      return say(response, 403, {
        errorType: `${name}.SubscriptionClosed`,
        errorMessage: `${name} API subscription is closed already`,
      });
    }
    const subscriber = read(text, { extension, logsApi });
    if (typeof subscriber === "string")
      return say(response, 400, { errorType: "ValidationError", errorMessage: subscriber });
    this.#subscribers = [...this.#subscribers.filter((other) => other.extension !== extension), subscriber];
    say(response, 200, "OK");
    for (const event of early) this.#give(subscriber, event);
    this.platform(logsApi ? "logsSubscription" : "telemetrySubscription", {
      name: extension,
      state: "Subscribed",
      types: subscriber.types,
    });
  }

  #add(type: string, record: unknown): void {
    if (!this.#early && this.#subscribers.length === 0) return;
    const event = { time: new Date(realNow()).toISOString(), type, record };
    if (this.#early && this.#early.length < MOST_EARLY_EVENTS) this.#early.push(event);
    for (const subscriber of this.#subscribers) this.#give(subscriber, event);
  }

  #give(subscriber: Subscriber, event: Event): void {
    if (!subscriber.types.includes(event.type.split(".")[0] as Kind)) return;
    for (const { time, type, record } of subscriber.logsApi ? asLogs(event) : [event]) {
      const text = JSON.stringify({ time, type, record });
      if (subscriber.waiting.text.length + text.length > MOST_WAITING_BYTES) {
        subscriber.dropped++;
        continue;
      }
      subscriber.waiting.text += `${subscriber.waiting.items++ === 0 ? "" : ","}${text}`;
    }
    const { items, text } = subscriber.waiting;
    if (items >= subscriber.maxItems || text.length >= subscriber.maxBytes) this.#send(subscriber);
    else subscriber.timer ??= setTimeout(() => this.#send(subscriber), subscriber.timeoutMs).unref();
  }

  async #send(subscriber: Subscriber): Promise<void> {
    await subscriber.sending;
    clearTimeout(subscriber.timer);
    subscriber.timer = undefined;
    const batch = subscriber.waiting;
    if (batch.items === 0 || this.#life.signal.aborted) return;
    subscriber.waiting = { text: "", items: 0 };
    subscriber.sending = this.#post(subscriber, batch.text).then(
      () => this.#sent(subscriber),
      () => this.#keep(subscriber, batch),
    );
    await subscriber.sending;
    subscriber.sending = undefined;
  }

  #sent(subscriber: Subscriber): void {
    const { dropped } = subscriber;
    subscriber.dropped = 0;
    const reason = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs.";
    if (dropped > 0) this.platform("logsDropped", { droppedRecords: dropped, reason });
  }

  /** The extension does not listen yet, or no more. */
  #keep(subscriber: Subscriber, batch: Subscriber["waiting"]): void {
    const { text, items } = subscriber.waiting;
    subscriber.waiting = { text: [batch.text, text].filter(Boolean).join(","), items: batch.items + items };
    if (!this.#life.signal.aborted)
      subscriber.timer ??= setTimeout(() => this.#send(subscriber), subscriber.timeoutMs).unref();
  }

  #post({ destination: { tcp, port, path } }: Subscriber, events: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { signal } = this.#life;
    const host = this.#host;
    if (tcp) {
      // One event a line.
      const text = (JSON.parse(`[${events}]`) as unknown[]).map((event) => `${JSON.stringify(event)}\n`).join("");
      const socket = connect({ host, port }, () => socket.end(text));
      signal.addEventListener("abort", () => socket.destroy(), { once: true });
      socket.once("error", reject).once("close", () => resolve());
      socket.resume();
    } else {
      const body = Buffer.from(`[${events}]`);
      const headers = { "Content-Type": "application/json", "Content-Length": body.length };
      const request = httpRequest({ host, port, path, method: "POST", headers, agent: false, signal }, (response) => {
        response.resume().once("close", () => resolve());
      });
      request.once("error", reject).end(body);
    }
    return promise;
  }
}

/** What AWS's older API calls the same; what it does not know is left out. */
function asLogs({ time, type, record }: Event): Event[] {
  if (!type.startsWith("platform.")) return [{ time, type, record }];
  const said = record as Record<string, unknown>;
  const { requestId } = said;
  if (type === "platform.runtimeDone")
    return [
      { time, type, record: { requestId, status: said.status } },
      { time, type: "platform.end", record: { requestId } },
    ];
  return ["platform.start", "platform.report", "platform.extension", "platform.logsSubscription"].includes(type)
    ? [{ time, type, record }]
    : [];
}

const SCHEMAS = ["2022-07-01", "2022-12-13", "2025-01-29", "2020-08-15", "2021-03-18"];
const KINDS: readonly string[] = ["platform", "function", "extension"];
/** Smallest, largest, default. */
const BUFFERING = {
  maxItems: [1_000, 10_000, 1_000],
  maxBytes: [262_144, 1_048_576, 262_144],
  timeoutMs: [25, 30_000, 1_000],
} as const;
const HOSTS = ["sandbox.localdomain", "sandbox"];

interface Wish {
  readonly schemaVersion?: unknown;
  readonly types?: unknown;
  readonly buffering?: Record<string, unknown>;
  readonly destination?: { readonly protocol?: unknown; readonly URI?: unknown; readonly port?: unknown };
}

/** A subscription, or all that is wrong with it. */
function read(text: string, who: { extension: string; logsApi: boolean }): Subscriber | string {
  let wish: Wish;
  try {
    wish = JSON.parse(text) as Wish;
  } catch (error) {
    return (error as Error).message;
  }
  const faults: string[] = [];
  const { types, schemaVersion, buffering = {} } = wish;
  if (schemaVersion === undefined ? !who.logsApi : !SCHEMAS.includes(String(schemaVersion)))
    faults.push(`schemaVersion ${schemaVersion ?? ""} is not supported`);
  const size = (name: keyof typeof BUFFERING): number => {
    const [least, most, usual] = BUFFERING[name];
    const value = buffering[name] ?? usual;
    if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) return Number(value);
    faults.push(`${name} should be between ${least} and ${most}`);
    return usual;
  };
  const sizes = { maxItems: size("maxItems"), maxBytes: size("maxBytes"), timeoutMs: size("timeoutMs") };
  const destination = readDestination(wish.destination ?? {}, faults);
  if (!Array.isArray(types) || types.length === 0) faults.push("types should not be empty");
  else if (!types.every((type) => KINDS.includes(type))) faults.push(`types should be among ${KINDS.join(", ")}`);
  if (faults.length > 0) return faults.join("; ");
  return { ...who, ...sizes, types: types as Kind[], destination, waiting: { text: "", items: 0 }, dropped: 0 };
}

function readDestination(
  { protocol, URI, port }: NonNullable<Wish["destination"]>,
  faults: string[],
): Subscriber["destination"] {
  const tcp = protocol === "TCP";
  if (!tcp && protocol !== "HTTP") faults.push("protocol should be HTTP or TCP");
  // Of TCP the port alone may be given.
  const url = URL.parse(tcp && typeof port === "number" ? `tcp://sandbox:${port}` : String(URI ?? ""));
  if (!url) faults.push("URI is not valid");
  else if (!HOSTS.includes(url.hostname)) faults.push(`URI host should be ${HOSTS.join(" or ")}`);
  if (!url?.port) faults.push("URI port is not provided");
  return { tcp, port: Number(url?.port), path: url ? `${url.pathname || "/"}${url.search}` : "/" };
}
