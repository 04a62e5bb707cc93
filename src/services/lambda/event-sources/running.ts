// Mappings that are polled: a poller each, from the start of the cloud or of the mapping to its end.
import {
  type Config,
  type Context,
  compilePattern,
  type Poller,
  Pollers,
  pollQueue,
  pollStream,
  type Running,
} from "../../../kernel/mod.ts";
import { sessionOf } from "../functions.ts";
import { lambdaPrincipal } from "../roles.ts";
import { consumerOf } from "./batch.ts";
import {
  definitionOf,
  functionOf,
  isQueue,
  type MappingRow,
  mappingArn,
  polledMappings,
  type Transition,
} from "./rows.ts";

const started = new WeakMap<Config, Mappings>();

export function mappingsOf(ctx: Context): Mappings {
  const mappings = started.get(ctx.config);
  if (!mappings) throw new Error("lambda's mappings are asked before they are started");
  return mappings;
}

export async function startMappings(ctx: Context): Promise<Mappings> {
  const mappings = new Mappings(ctx);
  started.set(ctx.config, mappings);
  for (const row of await ctx.read(polledMappings)) mappings.follow(row, "");
  return mappings;
}

export class Mappings implements Running {
  readonly #ctx: Context;
  readonly #pollers = new Pollers();
  /** What is done with one mapping is done in its order: an old poller ends before the new one begins. */
  readonly #turns = new Map<string, Promise<void>>();
  #stopping = false;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  /** Polls the mapping as it is now, or no longer. Nobody waits: what the old poller had under way may take minutes. */
  follow(row: MappingRow, transition: Transition): void {
    const { uuid } = row;
    const before = this.#turns.get(uuid) ?? Promise.resolve();
    const turn = before
      .then(async () => {
        if (this.#stopping) return;
        if (transition === "Deleting" || !row.enabled) return this.#pollers.end(uuid);
        if (row.transition === "" || row.transition === "Updating") await this.#begin(row);
      })
      .catch((error) => this.#ctx.log.error(`${mappingArn(row)} cannot be polled: ${error}`))
      .finally(() => {
        if (this.#turns.get(uuid) === turn) this.#turns.delete(uuid);
      });
    this.#turns.set(uuid, turn);
  }

  async #begin(row: MappingRow): Promise<void> {
    const { account, region } = row;
    const ctx = this.#ctx.fork({ principal: lambdaPrincipal(functionOf(row)), account, region });
    await this.#pollers.begin(row.uuid, () => poll(ctx, row));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#turns.values());
    await this.#pollers.settled();
  }

  nextDue(): number | undefined {
    return this.#pollers.nextDue();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    await this.#pollers[Symbol.asyncDispose]();
    await Promise.all(this.#turns.values());
    started.delete(this.#ctx.config);
  }
}

/** Batches of one queue at once where the mapping sets no limit. AWS goes to 1,250; this machine's pool has 64 sandboxes. */
const MOST_AT_ONCE = 64;

function poll(ctx: Context, row: MappingRow): Poller {
  const definition = definitionOf(row);
  const as = () => sessionOf(ctx, functionOf(row));
  const common = {
    id: mappingArn(row),
    arn: row.source,
    as,
    filters: (definition.FilterCriteria?.Filters ?? []).map(({ Pattern }) => compilePattern(Pattern)),
    batchSize: definition.BatchSize,
    windowMs: definition.MaximumBatchingWindowInSeconds * 1000,
  };
  const consumer = consumerOf(row, as);
  if (isQueue(row.source))
    return pollQueue(
      ctx,
      { ...common, maximumConcurrency: definition.ScalingConfig?.MaximumConcurrency ?? MOST_AT_ONCE },
      consumer,
    );
  return pollStream(
    ctx,
    {
      ...common,
      startingPosition: definition.StartingPosition!,
      createdMs: row.created_ms,
      parallelization: definition.ParallelizationFactor!,
      maxRecordAgeMs: limited(definition.MaximumRecordAgeInSeconds!, 1000),
      maxRetries: limited(definition.MaximumRetryAttempts!, 1),
      bisect: definition.BisectBatchOnFunctionError!,
      tumblingMs: definition.TumblingWindowInSeconds! * 1000,
    },
    consumer,
  );
}

/** -1: no limit. */
const limited = (value: number, unit: number): number | undefined => (value === -1 ? undefined : value * unit);
