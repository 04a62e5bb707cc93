// The load generator, in a process of its own over raw sockets: each connection sends its next request when it has its answer.
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Bare, cpuMs, type Host } from "./host.ts";
import { median, ms, percent, quantile, whole } from "./table.ts";

export interface Generator extends Disposable {
  /** Keeps requests, to be sent in turn: a run goes on where the last one to the same port ended. */
  keep(requests: readonly Uint8Array[]): Promise<Kept>;
  run(load: Load): Promise<Run>;
}

/** Where the generator has them. */
type Kept = number;

export interface Load {
  readonly port: number;
  readonly requests: Kept;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface Run {
  readonly perSecond: number;
  readonly count: number;
  /** ms */
  readonly p50: number;
  readonly p99: number;
  /** Of the first answer's body. */
  readonly bodyBytes: number;
}

/** The median of each over the rounds. */
export interface Figures {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Of the server, in all its threads, µs a request. What else the machine does changes it little. */
  readonly cpuMicros: number;
}

export interface Compared {
  readonly ours: Figures;
  readonly bare: Figures;
  /** Of rates: the median over the rounds. */
  readonly share: number;
  /** A second, and ours as a share of it; NaN where none was asked for. */
  readonly limit: number;
  readonly ofLimit: number;
}

const ROUNDS = 3;
const WARM_UP_MS = 2000;

type Server = Pick<Host, "port" | "pid">;

/** Rounds of the limits and of ours by turns, so that all meet the same machine. Where there is no time to measure, one round of one request each. */
export async function compare(
  generator: Generator,
  { host, bare }: { host: Server; bare: Bare },
  load: Omit<Load, "port">,
  limit: () => Promise<number> = () => Promise.resolve(Number.NaN),
): Promise<Compared> {
  const one = { ...load, connections: 1, warmUpMs: 0, measureMs: 0 };
  const { bodyBytes } = await generator.run({ ...one, port: host.port });
  await bare.answer(bodyBytes);
  // V8 compiles what is hot on threads of its own: a server is at its speed after some ten thousand requests.
  if (load.connections > 1 && load.measureMs > 0)
    await generator.run({ ...load, port: host.port, measureMs: WARM_UP_MS });
  const rounds: { ours: Figures; bare: Figures; limit: number }[] = [];
  for (let round = 0; round < (load.measureMs > 0 ? ROUNDS : 1); round++)
    rounds.push({
      limit: await limit(),
      bare: await weighed(generator, bare, load),
      ours: await weighed(generator, host, load),
    });
  return {
    ours: middle(rounds.map(({ ours }) => ours)),
    bare: middle(rounds.map((round) => round.bare)),
    share: median(rounds.map((round) => round.ours.perSecond / round.bare.perSecond)),
    limit: median(rounds.map((round) => round.limit)),
    ofLimit: median(rounds.map((round) => round.ours.perSecond / round.limit)),
  };
}

async function weighed(generator: Generator, { port, pid }: Server, load: Omit<Load, "port">): Promise<Figures> {
  const before = cpuMs(pid);
  const { perSecond, p50, p99, count } = await generator.run({ ...load, port });
  return { perSecond, p50, p99, cpuMicros: ((cpuMs(pid) - before) * 1000) / count };
}

const middle = (runs: readonly Figures[]): Figures => ({
  perSecond: median(runs.map((run) => run.perSecond)),
  p50: median(runs.map((run) => run.p50)),
  p99: median(runs.map((run) => run.p99)),
  cpuMicros: median(runs.map((run) => run.cpuMicros)),
});

export const REQUEST_HEAD = [
  "",
  "requests/s",
  "p50 ms",
  "p99 ms",
  "CPU µs",
  "bare: requests/s",
  "CPU µs",
  "share",
  "aim",
] as const;

export const requestRow = (what: string, { ours, bare, share }: Compared, aim = ""): string[] => [
  what,
  whole(ours.perSecond),
  ms(ours.p50),
  ms(ours.p99),
  whole(ours.cpuMicros),
  whole(bare.perSecond),
  whole(bare.cpuMicros),
  percent(share),
  aim,
];

export async function openGenerator(): Promise<Generator> {
  const child = fork(import.meta.filename, { serialization: "advanced" });
  const ask = async <T>(question: Question): Promise<T> => {
    child.send(question);
    const [answer] = (await once(child, "message")) as [{ value?: T; error?: string }];
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.value as T;
  };
  return {
    keep: (requests) => ask({ keep: requests }),
    run: (run) => ask({ run }),
    [Symbol.dispose]: () => child.disconnect(),
  };
}

type Question = { readonly keep: readonly Uint8Array[] } | { readonly run: Load };

/** A round that hangs is a defect of what is measured. */
const ANSWER_LIMIT_MS = 30_000;

if (import.meta.main && process.send) serveParent();

function serveParent(): void {
  const kept: Requests[] = [];
  process.on("message", async (question: Question) => {
    try {
      const value =
        "keep" in question
          ? kept.push({ requests: question.keep, sent: new Map() }) - 1
          : await run(question.run, kept[question.run.requests]!);
      process.send!({ value });
    } catch (error) {
      process.send!({ error: (error as Error).message });
    }
  });
}

interface Requests {
  readonly requests: readonly Uint8Array[];
  /** To each port. */
  readonly sent: Map<number, number>;
}

async function run(load: Load, { requests, sent: sentTo }: Requests): Promise<Run> {
  const begin = performance.now() + load.warmUpMs;
  const end = begin + load.measureMs;
  const times: number[] = [];
  let last = begin;
  let count = 0;
  let next = sentTo.get(load.port) ?? 0;
  let bodyBytes = 0;
  const hand = async () => {
    const socket = connect(load.port, "127.0.0.1").setNoDelay();
    await once(socket, "connect");
    const ask = asker(socket);
    do {
      const sent = performance.now();
      bodyBytes = await ask(requests[next++ % requests.length]!);
      const now = performance.now();
      count++;
      if (now < begin) continue;
      times.push(now - sent);
      last = now;
    } while (last < end);
    socket.destroy();
  };
  await Promise.all(Array.from({ length: load.connections }, hand));
  sentTo.set(load.port, next);
  const perSecond = (times.length / (last - begin)) * 1000;
  return { perSecond, count, p50: quantile(times, 0.5), p99: quantile(times, 0.99), bodyBytes };
}

/** Sends a request and resolves with the size of the answer's body; rejects where it is no 2xx. */
function asker(socket: Socket): (request: Uint8Array) => Promise<number> {
  let settle: PromiseWithResolvers<number> | undefined;
  let head: Buffer | undefined;
  let size = 0;
  let missing = 0;
  socket.setTimeout(ANSWER_LIMIT_MS, () => settle?.reject(new Error("no answer")));
  socket.on("error", (error) => settle?.reject(error));
  socket.on("close", () => settle?.reject(new Error("the connection was closed")));
  socket.on("data", (chunk: Buffer) => {
    if (missing === 0) {
      head = head ? Buffer.concat([head, chunk]) : chunk;
      const at = head.indexOf("\r\n\r\n");
      if (at < 0) return;
      const text = head.toString("latin1", 0, at);
      if (!text.startsWith("HTTP/1.1 2")) return settle!.reject(new Error(head.toString("utf8", 0, 2000)));
      const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
      if (length === undefined && !text.startsWith("HTTP/1.1 204")) return settle!.reject(new Error(text));
      size = Number(length ?? 0);
      missing = size - (head.length - at - 4);
      head = undefined;
    } else missing -= chunk.length;
    if (missing === 0) settle!.resolve(size);
  });
  return (request) => {
    settle = Promise.withResolvers<number>();
    socket.write(request);
    return settle.promise;
  };
}
