// start(config): the whole of it, in one process. What main, tests, labs and library users call.
import { realpathSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { checkAccounts } from "./accounts.ts";
import { type Cloud, openCloud } from "./cloud.ts";
import { type Config, defaults, openTo } from "./config.ts";
import { control } from "./control.ts";
import { listen } from "./door/server.ts";
import type { ChaosState } from "./kernel/chaos.ts";
import { makeContext, type Principal } from "./kernel/context.ts";
import type { Entry } from "./kernel/journal.ts";
import type { Checked } from "./kernel/service.ts";
import type { Input, OperationName, Output, ServiceName } from "./kernel/types.ts";
import type { HttpAnswer } from "./model/http.ts";
import { resetWorkspace } from "./snapshot.ts";
import type { Tx } from "./store/store.ts";
import { type Suggestion, suggest } from "./why/suggest.ts";
import { type Question, type Why, why } from "./why/why.ts";
import { holdWorkspace } from "./workspace.ts";

export interface Aws extends AsyncDisposable {
  readonly config: Config;
  /** `http://127.0.0.1:4566` */
  readonly endpoint: string;
  /** ms since the epoch, on the clock. */
  now(): number;
  /** Resolves when everything that is due now has happened, and every file that was seen is in its bucket. */
  settle(): Promise<void>;
  clock(change: ClockChange): Promise<void>;
  /** What is turned on to go wrong, after `change`: `{ set: Knob }`, `{ clear: { kind?, what? } }`, `{ seed }`. */
  chaos(change?: Readonly<Record<string, unknown>>): Promise<ChaosState>;
  /** What is recorded of a request id, a file or a key, or of the last denied call; with each decision explained. */
  why(question: Question): Promise<Why>;
  /** The least privilege policies for what a principal did. `sinceMs`: so long ago, on the clock. */
  suggest(of: { principal: string; sinceMs: number; denied: boolean }): Promise<Suggestion>;
  /** An operation, as the root of the cloud's own account, or `as` another. */
  call<S extends ServiceName, Op extends OperationName<S>>(
    service: S,
    operation: Op,
    input: Input<S, Op>,
    as?: Principal,
  ): Promise<Output<S, Op>>;
  /** Compares the services' rows with their files, when everything is settled. */
  check(options: { readonly repair: boolean }): AsyncIterable<Checked>;
  /** A snapshot of the store. */
  read<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** For what no operation of AWS's does: a telephone's answer. Nothing that a service remembers. */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** What of the workspace, besides our own directories, holds state: the directories that buckets were given. Relative to it. */
  directories(): Promise<string[]>;
  /** Closes the cloud, does `work` to its files, and opens it again; requests wait for no longer than they like and get 503. */
  closedFor(work: () => Promise<void>): Promise<void>;
  /** Forgets everything; then `whenReset` makes again what the workspace says. */
  reset(): Promise<void>;
  whenReset?: (() => Promise<void>) | undefined;
}

/** Milliseconds forward; or stand still, here or at a time (ms since the epoch); or run on. */
export type ClockChange = { readonly advance: number } | { readonly freeze: true | number } | { readonly resume: true };

export interface StartOptions extends Partial<Config> {
  /** A workspace of its own in the temporary directory, any free port, nothing on the terminal; all gone when disposed. */
  readonly ephemeral?: true;
  /** Given what a person should see. Default: nothing. */
  readonly show?: (entry: Entry) => void;
}

/** How long a reset or a snapshot waits for requests under way. */
const DRAIN_MS = 2_000;

/** Rejects with one clear sentence where the port, the directory or the database cannot be had. */
export async function start({ ephemeral, show = () => undefined, ...options }: StartOptions): Promise<Aws> {
  await using undo = new AsyncDisposableStack();
  const dir = options.dir ?? (ephemeral ? await mkdtemp(join(tmpdir(), "aws-like-")) : process.cwd());
  if (ephemeral && !options.dir)
    undo.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 }));
  const config: Config = {
    ...defaults,
    ...(ephemeral && { port: 0, output: "quiet", durability: "fast" }),
    ...options,
    dir,
  };

  checkAccounts(config.accounts, config);
  const isOpen = openTo(config);
  if (isOpen) throw new Error(isOpen);
  undo.use(await holdWorkspace(dir));
  let cloud: Cloud | undefined;
  let inFlight = 0;
  let closed = "aws-like is starting";
  const server = undo.use(
    await listen(config, async (request, signal) => {
      if (!cloud) return unavailable(closed);
      if (request.path.startsWith("/_aws-like/")) return await control(aws, request);
      inFlight++;
      try {
        return await cloud.door.answer(request, signal);
      } finally {
        inFlight--;
      }
    }),
  );
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  const endpoint = `http://${host}:${server.port}`;
  cloud = await openCloud(config, endpoint, show);
  undo.defer(() => cloud?.[Symbol.asyncDispose]());
  const stack = undo.move();

  const open = (): Cloud => {
    if (!cloud) throw new Error("the cloud is closed");
    return cloud;
  };
  const root: Principal = {
    kind: "root",
    account: config.account,
    arn: `arn:aws:iam::${config.account}:root`,
    id: config.account,
  };
  const aws: Aws = {
    config,
    endpoint,
    now: () => open().clock.now(),
    settle: () => open().settle(),
    async clock(change) {
      const { clock, advance, saveClock, settle, world } = open();
      if ("advance" in change) await advance(change.advance);
      else if ("resume" in change) clock.resume();
      else clock.freeze(change.freeze === true ? undefined : change.freeze);
      await saveClock();
      world.post.wake();
      await settle();
    },
    chaos: (change) => open().chaos(change),
    why(question) {
      const within = (name: string) => {
        const home = [dir, realpathSync(dir)].find((one) => name.startsWith(`${one}/`));
        return home === undefined ? name : name.slice(home.length + 1);
      };
      return why(open().world.journal, "names" in question ? { names: question.names.map(within) } : question);
    },
    async suggest({ principal, sinceMs, denied }) {
      const { clock, world } = open();
      const since = clock.now() - sinceMs;
      const entries = await world.journal.entries(({ at, fields }) => at >= since && fields?.action !== undefined);
      return suggest(entries, { principal, denied, since });
    },
    call: (service, operation, input, as = root) => {
      const { account, region } = config;
      return makeContext(open().world, { principal: root, account, region, from: "aws-like" }).call(
        service,
        operation,
        input,
        as,
      );
    },
    async *check(options) {
      await open().settle();
      yield* open().check(options);
    },
    read: (work) => open().world.store.read(work),
    write: (work) => open().world.store.write(work),
    directories: () => open().directories(),
    async closedFor(work) {
      const old = open();
      cloud = undefined;
      // What was begun is answered by the cloud that began it, unless it waits for something (a long poll).
      for (const until = performance.now() + DRAIN_MS; inFlight > 0 && performance.now() < until; ) await sleep(5);
      await old[Symbol.asyncDispose]();
      try {
        await work();
      } finally {
        cloud = await openCloud(config, endpoint, show).catch((error: Error) => {
          closed = `aws-like could not open its workspace again: ${error.message}`;
          throw error;
        });
      }
    },
    async reset() {
      await aws.closedFor(() => resetWorkspace(config));
      await aws.whenReset?.();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
  return aws;
}

/** The same of a workspace that nobody runs: nothing is started for it. Rejects where another process holds it. */
export async function* checkStopped(
  options: Partial<Config> & { readonly dir: string },
  asked: { readonly repair: boolean },
): AsyncGenerator<Checked> {
  const config: Config = { ...defaults, ...options };
  await using _held = await holdWorkspace(config.dir);
  await using cloud = await openCloud(config, "http://localhost", () => undefined, { idle: true });
  yield* cloud.check(asked);
}

const unavailable = (message: string): HttpAnswer => ({
  status: 503,
  headers: { "content-type": "application/json", "retry-after": "1" },
  body: `${JSON.stringify({ __type: "ServiceUnavailable", message })}\n`,
});
