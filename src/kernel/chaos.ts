// What a real cloud does now and then, on demand: queues deliver twice and out of order, calls are throttled or slow, targets fail. Off unless
// someone turns a knob; drawn from a seed, so that what happened can happen again. README: "Chaos".
import type { Context } from "./context.ts";
import { AwsError } from "./error.ts";
import type { Arn } from "./names.ts";

/**
 * `duplicate`, `reorder`: deliveries of standard queues. `throttle`, `delay`: operations, `sqs:SendMessage`. `fail`: what events go to, by its
 * ARN, when a service calls it.
 */
export const KINDS = ["duplicate", "reorder", "throttle", "delay", "fail"] as const;
export type Kind = (typeof KINDS)[number];

export interface Knob {
  readonly kind: Kind;
  /** A queue's name or ARN, an operation, a target's ARN; `*` in it stands for anything. */
  readonly what: string;
  /** 1 to 100: of the deliveries, or calls. */
  readonly percent: number;
  /** Of a delay: milliseconds on the clock. */
  readonly ms?: number;
}

export interface ChaosState {
  readonly seed: number;
  readonly knobs: readonly Knob[];
}

export const CALM: ChaosState = { seed: 1, knobs: [] };

const MAX_SEED = 2 ** 31;
const MAX_DELAY_MS = 3_600_000;
/** More are nobody's experiment. */
const MOST_KNOBS = 100;

/** What `change` makes of `state`: `{ set: Knob }`, `{ clear: { kind?, what? } }`, `{ seed }`. Throws a BadRequest in one clear sentence. */
export function changedChaos(state: ChaosState, change: Readonly<Record<string, unknown>>): ChaosState {
  let { seed, knobs } = state;
  if (change.seed !== undefined) {
    if (!isWhole(change.seed, 0, MAX_SEED)) throw bad(`a seed is a whole number from 0 to ${MAX_SEED}`);
    seed = change.seed as number;
  }
  if (change.clear !== undefined) {
    const { kind, what } = change.clear as { kind?: string; what?: string };
    if (kind !== undefined) checkKind(kind);
    const goes = (knob: Knob) =>
      (kind === undefined || knob.kind === kind) && (what === undefined || knob.what === what);
    if (what !== undefined && !knobs.some(goes)) throw bad(`there is no ${kind ?? "chaos"} of ${what}`);
    knobs = knobs.filter((knob) => !goes(knob));
  }
  if (change.set !== undefined) {
    const knob = soundKnob(change.set as Readonly<Record<string, unknown>>);
    const others = knobs.filter(({ kind, what }) => kind !== knob.kind || what !== knob.what);
    if (others.length >= MOST_KNOBS) throw bad(`there are ${MOST_KNOBS} knobs already`);
    knobs = [...others, knob];
  }
  return { seed, knobs };
}

function soundKnob({ kind, what, percent, ms }: Readonly<Record<string, unknown>>): Knob {
  const known = checkKind(kind);
  if (typeof what !== "string" || what === "" || what.length > 2048) throw bad("say what it is about");
  const isOperation = known === "throttle" || known === "delay";
  if (isOperation && !/^[a-z0-9*]+:[A-Za-z0-9*]+$/.test(what))
    throw bad(`${what} is no operation; say service:Operation, as sqs:SendMessage or dynamodb:*`);
  if (known === "fail" && !/^(arn:|\*)/.test(what)) throw bad(`${what} is no ARN of a target`);
  if (!isWhole(percent, 1, 100)) throw bad("percent is a whole number from 1 to 100");
  if (known === "delay" && !isWhole(ms, 1, MAX_DELAY_MS))
    throw bad(`a delay is a whole number of milliseconds from 1 to ${MAX_DELAY_MS}`);
  return {
    kind: known,
    what,
    percent: percent as number,
    ...(known === "delay" && { ms: ms as number }),
  };
}

function checkKind(kind: unknown): Kind {
  const known = KINDS.find((one) => one === kind);
  if (!known) throw bad(`there is no chaos ${String(kind)}: ${KINDS.join(", ")}`);
  return known;
}

const isWhole = (value: unknown, least: number, most: number): boolean =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;

const bad = (sentence: string): AwsError => new AwsError("BadRequest", 400, sentence);

/** What the door knows of a call that is about to be done. */
export interface Disturbed {
  readonly service: string;
  readonly operation: string;
  /** Its first protocol is a query: the common error has another name there. */
  readonly query: boolean;
  /** What access to was demanded. */
  readonly resources: readonly Arn[];
  /** A service calls, no client. */
  readonly internal: boolean;
}

/** One to a cloud. What is drawn is each knob's own: one does not disturb the other, and a restart draws from the beginning. */
export class Chaos implements Disposable {
  #state: ChaosState;
  #draws = new Map<Knob, () => number>();
  readonly #ended = new AbortController();

  constructor(state: ChaosState) {
    this.#state = state;
  }

  get state(): ChaosState {
    return this.#state;
  }

  set state(state: ChaosState) {
    this.#state = state;
    this.#draws = new Map();
  }

  /** Everything asks this first: off costs nothing. */
  get on(): boolean {
    return this.#state.knobs.length > 0;
  }

  /** A number in [0, 1) where a knob of this kind is set for `what` and strikes now; it says how hard. */
  strikes(kind: Kind, what: string): { readonly knob: Knob; readonly draw: number } | undefined {
    for (const knob of this.#state.knobs) {
      if (knob.kind !== kind || !means(knob.what, what)) continue;
      const draw = this.#drawOf(knob);
      if (draw() * 100 < knob.percent) return { knob, draw: draw() };
    }
    return undefined;
  }

  /** `chaos: throttled sqs:SendMessage, seed 7`: for the log of the request that it strikes, and so for `why`. */
  tell(ctx: Context, did: string, subject?: Arn): void {
    ctx.log.info(`chaos: ${did}, seed ${this.#state.seed}`, subject === undefined ? undefined : { subject });
  }

  /** Before the handler, after the caller was authorized. Throws what a throttled call, or a target that fails, answers. */
  async disturb(ctx: Context, call: Disturbed): Promise<void> {
    const name = `${call.service}:${call.operation}`;
    // A delivery that waits for the clock would make the clock wait for it.
    const slow = call.internal ? undefined : this.strikes("delay", name);
    if (slow) {
      this.tell(ctx, `delayed ${name} by ${slow.knob.ms} ms`);
      const signal = AbortSignal.any([ctx.signal, this.#ended.signal]);
      // Whoever waits no longer is not delayed.
      await ctx.clock.sleep(slow.knob.ms!, signal).catch(() => undefined);
    }
    if (this.strikes("throttle", name)) {
      this.tell(ctx, `throttled ${name}`);
      throw throttling(call);
    }
    if (!call.internal) return;
    const target = call.resources.find((arn) => this.strikes("fail", arn));
    if (target === undefined) return;
    this.tell(ctx, `failed ${name}`, target);
    throw new AwsError("ServiceUnavailable", 503, `chaos: the target failed, seed ${this.#state.seed}`);
  }

  /** Nobody is delayed any longer. */
  [Symbol.dispose](): void {
    this.#ended.abort();
  }

  #drawOf(knob: Knob): () => number {
    let draw = this.#draws.get(knob);
    if (!draw) {
      draw = seeded(hash(`${this.#state.seed} ${knob.kind} ${knob.what}`));
      this.#draws.set(knob, draw);
    }
    return draw;
  }
}

/** `what` is a name, or the last part of an ARN. */
function means(pattern: string, what: string): boolean {
  if (pattern === "*" || pattern === what) return true;
  const text = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^(?:arn:.*:)?${text}$`, "s").test(what);
}

/** Each service's own words, where it has some. */
const THROTTLED: Readonly<Record<string, readonly [code: string, status: number, message: string]>> = {
  s3: ["SlowDown", 503, "Please reduce your request rate."],
  dynamodb: [
    "ProvisionedThroughputExceededException",
    400,
    "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API.",
  ],
  lambda: ["TooManyRequestsException", 429, "Rate Exceeded."],
  sqs: ["RequestThrottled", 403, "The request was denied due to request throttling."],
  sns: ["Throttled", 429, "Rate exceeded"],
  organizations: ["TooManyRequestsException", 400, "Rate exceeded"],
  scheduler: ["ThrottlingException", 429, "Rate exceeded"],
  pipes: ["ThrottlingException", 429, "Rate exceeded"],
};

function throttling({ service, query }: Disturbed): AwsError {
  const [code, status, message] = THROTTLED[service] ?? [
    query ? "Throttling" : "ThrottlingException",
    400,
    "Rate exceeded",
  ];
  return new AwsError(code, status, message);
}

/** mulberry32: small, and good enough to be unfair with. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return value;
}
