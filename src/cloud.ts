// One cloud, open: store, clock, journal, post, door and the services that run. What `aws.ts` opens, closes and opens again.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { type Door, openDoor } from "./door/door.ts";
import { CALM, Chaos, type ChaosState, changedChaos } from "./kernel/chaos.ts";
import { MovableClock } from "./kernel/clock.ts";
import { type Context, makeContext, type Principal, type Work, type World } from "./kernel/context.ts";
import { AwsError } from "./kernel/error.ts";
import { type Entry, Journal } from "./kernel/journal.ts";
import { Memory } from "./kernel/memory.ts";
import { parseArn } from "./kernel/names.ts";
import { type Place, Post, postMigrations, traceMigrations } from "./kernel/post.ts";
import { Seal } from "./kernel/seal.ts";
import type { AnyService, Checked, Running } from "./kernel/service.ts";
import { positionMigrations } from "./kernel/sources/positions.ts";
import { services } from "./services.ts";
import { openStore } from "./store/open.ts";
import type { Migration, Tx } from "./store/store.ts";

export interface Cloud extends AsyncDisposable {
  readonly clock: MovableClock;
  readonly door: Door;
  readonly world: World;
  /** Resolves when everything that is due now has happened, and what the watchers saw is in the store. */
  settle(): Promise<void>;
  /** Moves the clock; what becomes due on the way happens in its order and at its time. */
  advance(ms: number): Promise<void>;
  /** State outside our own directories, relative to the workspace. */
  directories(): Promise<string[]>;
  /** Each service's own comparison of its rows with its files. */
  check(options: { readonly repair: boolean }): AsyncIterable<Checked>;
  /** Turns a knob of chaos, or tells what is turned; remembered across restarts. */
  chaos(change?: Readonly<Record<string, unknown>>): Promise<ChaosState>;
  /** Remembers how far the clock was moved, or where it stands, across restarts. */
  saveClock(): Promise<void>;
}

const settingMigrations: readonly Migration[] = [
  "CREATE TABLE setting (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
];

/** In the order in which they came: a store remembers each by its place. */
const kernelMigrations = [...postMigrations, ...settingMigrations, ...positionMigrations, ...traceMigrations];

/** `idle`: nothing is started, watched or delivered; what is due waits for the next start. */
export async function openCloud(
  config: Config,
  endpoint: string,
  show: (entry: Entry) => void,
  { idle = false }: { idle?: boolean } = {},
): Promise<Cloud> {
  await using undo = new AsyncDisposableStack();
  const logs = join(config.dir, "logs");
  await mkdir(logs, { recursive: true });
  const store = await openStore(config.databaseUrl, config.dir, { durable: config.durability === "full" });
  undo.defer(() => store.close());
  await store.migrate("kernel", kernelMigrations);
  for (const service of services) if (service.migrations) await store.migrate(service.name, service.migrations);
  const clock = new MovableClock((await saved("clock")) as { offsetMs: number } | undefined);
  const chaos = new Chaos(((await saved("chaos")) as ChaosState | undefined) ?? CALM);
  const journal = undo.use(await Journal.open(logs, show));

  const shared = config.databaseUrl.startsWith("postgres");
  const post = new Post(store, clock, { deliver, giveUp, failed, trouble }, { shared });
  const world: World = {
    config,
    endpoint,
    store,
    clock,
    chaos,
    journal,
    post,
    memory: new Memory({ shared }),
    seal: new Seal(config.dir, config.storeKey),
    causes: new Map(),
    call: (ctx, of) => door.call(ctx, of),
    ask: (ctx, of) => door.ask(ctx, of),
    watch(ctx, resource) {
      const service = serviceOf(resource);
      if (!service?.watch) throw new Error(`nothing here can be polled at ${resource}`);
      return service.watch(ctx, resource);
    },
    action: (service, operation) => door.action(service, operation),
    verifyMfa: (ctx, of) => door.verifyMfa(ctx, of),
    controls: (ctx, account) => door.controls(ctx, account),
  };
  const door = openDoor(world, services);
  const running: Running[] = [];
  undo.use(post); // waits for what is being delivered
  if (idle) post.stop();
  else {
    for (const service of services) {
      if (!service.start) continue;
      running.push(undo.use(await service.start(ownContext(service))));
    }
    await post.start();
    undo.defer(() => post.stop());
  }
  undo.use(chaos); // nothing that is delayed holds up the end
  const stack = undo.move();

  return {
    clock,
    door,
    world,
    settle,
    async advance(ms) {
      await settle(); // what runs now may yet put something that is due on the way
      const until = clock.now() + ms;
      for (let due = await nextDue(); due !== undefined && due <= until; due = await nextDue()) {
        clock.advance(Math.max(0, due - clock.now()));
        await settle();
      }
      clock.advance(Math.max(0, until - clock.now()));
      await settle();
    },
    async directories() {
      const found = services.map(async (service) => (await service.directories?.(ownContext(service))) ?? []);
      return (await Promise.all(found)).flat();
    },
    async *check({ repair }) {
      for (const service of services)
        if (service.check) yield* service.check(ownContext(service), { repair, running: !idle });
    },
    async chaos(change) {
      if (!change) return chaos.state;
      const state = changedChaos(chaos.state, change);
      await save("chaos", state);
      chaos.state = state;
      return state;
    },
    saveClock: () => save("clock", clock.state),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };

  async function settle(): Promise<void> {
    const parts = async () => {
      for (const part of running) await part.settled?.();
    };
    for (let before = -1; before !== post.taken; ) {
      before = post.taken;
      await parts();
      await post.settled();
      await parts(); // what was delivered meanwhile has left its log
    }
  }

  async function nextDue(): Promise<number | undefined> {
    const inParts = running.map((part) => part.nextDue?.()).filter((due) => due !== undefined && due > clock.now());
    const all = [await post.nextDue(), ...inParts].filter((due) => due !== undefined);
    return all.length > 0 ? Math.min(...all) : undefined;
  }

  async function saved(name: string): Promise<unknown> {
    const row = await store.read((tx) =>
      tx.one<{ value: string }>("SELECT value FROM setting WHERE name = :name", { name }),
    );
    return row && JSON.parse(row.value);
  }

  function save(name: string, value: unknown): Promise<void> {
    return store.write(async (tx) => {
      await tx.run(
        "INSERT INTO setting (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        { name, value: JSON.stringify(value) },
      );
    });
  }

  function ownContext(service: AnyService): Context {
    const principal: Principal = { kind: "service", name: `${service.name}.amazonaws.com`, account: config.account };
    return makeContext(world, { principal, account: config.account, region: config.region, from: service.name });
  }

  function contextOf(work: Work, place: Place): Context {
    const { account, region } = place;
    const from = serviceOf(work.to)?.name ?? "post";
    return makeContext(world, {
      principal: work.as,
      account,
      region,
      requestId: work.id,
      cause: work.cause,
      trace: work.trace,
      from,
    });
  }

  async function deliver(work: Work, place: Place): Promise<void> {
    const service = serviceOf(work.to);
    if (!service?.deliver) throw new AwsError("NotImplemented", 501, `nothing here takes a delivery to ${work.to}`);
    const ctx = contextOf(work, place);
    ctx.log.debug(`delivery ${work.attempt} to ${work.to}`, { subject: work.to });
    await service.deliver(ctx, work);
  }

  async function giveUp(work: Work, place: Place, error: unknown, forget: (tx: Tx) => Promise<unknown>): Promise<void> {
    const ctx = contextOf(work, place);
    await ctx.write(async (tx) => {
      await serviceOf(work.to)?.giveUp?.(ctx, tx, work, error);
      await forget(tx);
    });
  }

  function trouble(error: unknown): void {
    const text = `the store failed: ${(error as Error).message}; trying again`;
    journal.write({ at: clock.now(), level: "error", id: "post", from: "post", text });
  }

  function failed(work: Work, place: Place, error: unknown, againAt: number | undefined): void {
    const next = againAt === undefined ? "giving up" : `trying again at ${new Date(againAt).toISOString()}`;
    const text = `delivery ${work.attempt} to ${work.to} failed: ${(error as Error).message}; ${next}`;
    contextOf(work, place).log.error(text, { subject: work.to });
  }
}

const serviceOf = (arn: string): AnyService | undefined => {
  const name = parseArn(arn)?.service;
  return services.find((service) => service.name === name);
};
