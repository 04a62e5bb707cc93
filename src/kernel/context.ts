// What a handler is given besides its input: who asks, in which account and region, and everything it may do to the world.
import type { Config } from "../config.ts";
import type { HttpRequest } from "../model/http.ts";
import type { Singly, Store, Tx } from "../store/store.ts";
import type { Chaos } from "./chaos.ts";
import type { Clock } from "./clock.ts";
import type { Entry, Journal, Log } from "./journal.ts";
import { type Change, type Memory, shelvesOf } from "./memory.ts";
import { type Arn, newRequestId, parseArn } from "./names.ts";
import type { Place, Post } from "./post.ts";
import type { Seal } from "./seal.ts";
import type { Controls, Watch } from "./service.ts";
import type { Input, OperationName, Output, ServiceName } from "./types.ts";

export type Principal =
  | {
      readonly kind: "root";
      readonly account: string;
      readonly arn: Arn;
      readonly id: string;
      /** Where it acts with credentials of GetSessionToken. */
      readonly session?: SessionFacts;
    }
  | {
      readonly kind: "user";
      readonly account: string;
      readonly arn: Arn;
      readonly id: string;
      /** Where it acts with credentials of GetSessionToken. */
      readonly session?: SessionFacts;
    }
  /** Temporary credentials of a role: `arn` is arn:aws:sts::A:assumed-role/ROLE/SESSION, `id` AROA...:SESSION. */
  | {
      readonly kind: "session";
      readonly account: string;
      readonly arn: Arn;
      readonly id: string;
      readonly roleArn: Arn;
      /** Session policies, as JSON: they limit what the role allows. */
      readonly policies?: readonly string[];
      /** The role's, and over them the session's. */
      readonly tags?: Readonly<Record<string, string>>;
      readonly session?: SessionFacts;
    }
  /** GetFederationToken: `arn` is arn:aws:sts::A:federated-user/NAME, `id` A:NAME; it may what both its user and its session policies allow. */
  | {
      readonly kind: "federated";
      readonly account: string;
      readonly arn: Arn;
      readonly id: string;
      readonly user: { readonly arn: Arn; readonly id: string };
      readonly policies: readonly string[];
      readonly tags?: Readonly<Record<string, string>>;
      readonly session?: SessionFacts;
    }
  /** An AWS service that acts for a resource: `sourceArn` is the bucket, the rule... that caused the call. */
  | { readonly kind: "service"; readonly name: string; readonly account: string; readonly sourceArn?: Arn }
  | { readonly kind: "anonymous" };

/** Nobody of AWS's yet: whoever holds a token of this identity provider, and asks for a role with it. */
export interface Provider {
  readonly kind: "provider";
  /** An ARN, or the name of one that AWS knows: `accounts.google.com`. */
  readonly name: Arn;
}

/** What temporary credentials remember of how they were given. Times in ms since the epoch. */
export interface SessionFacts {
  /** aws:TokenIssueTime */
  readonly issuedAt: number;
  /** aws:MultiFactorAuthAge counts from here; absent where no MFA was given. */
  readonly mfaAt?: number;
  readonly sourceIdentity?: string;
  /** Keys of the tags that a role assumed from here keeps. */
  readonly transitiveTags?: readonly string[];
  /** aws:FederatedProvider */
  readonly provider?: string;
  /** Further keys of the identity provider's token: `accounts.example.com:sub`. */
  readonly claims?: Readonly<Record<string, readonly string[]>>;
}

/** Complete when made: nothing is filled in on the way. */
export interface Context {
  readonly config: Config;
  /** Where this cloud answers: `http://127.0.0.1:4566`. */
  readonly endpoint: string;
  /** The account that the request works in: the caller's. */
  readonly account: string;
  readonly region: string;
  readonly principal: Principal;
  /** Of this request, or of the delivery of a Work. Everything it causes carries it as `cause`. */
  readonly requestId: string;
  /** The id of what caused this: a request, a file's event, a Work. */
  readonly cause?: string;
  /** The X-Amzn-Trace-Id under which this happens: Lambda counts in it how often an event has gone through a function. */
  readonly trace?: string;
  readonly now: number;
  /** Aborted when the caller goes away or the process stops. */
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly clock: Clock;
  /** What a user turned on to go wrong: ask `on` first. */
  readonly chaos: Chaos;
  read<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Where one statement says it all, or the next need not be of the same moment: cheaper than a `read`. */
  readonly singly: Singly;
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * What `load` reads, remembered under `key` of a shelf; where others write to the same store, read each time. A shelf with a service's name is
   * forgotten whenever that service writes; any other (`dynamodb table`: what changes seldom beside what changes always) by `forget`.
   */
  recall<T>(shelf: string, key: string, load: () => Promise<T>): T | Promise<T>;
  /** After the commit that changed what lies on the shelf, before it is answered. Where the change is made by many: `forgetWith` the transaction. */
  forget(shelf: string): void;
  /** The next time that something on the shelf changes, by this process. */
  change(shelf: string): Change;
  /** For who polls a queue or a stream: begin to watch before you look whether there is something, or what comes in between is missed. */
  watch(resource: Arn): Promise<Watch>;
  /** Secrets as they lie in the store: encrypted and authenticated with the workspace's key. `about` says whose: it must be the same at `unseal`. */
  seal(text: string, about: string): string;
  /** undefined: not sealed here, not about that, or changed. */
  unseal(sealed: string, about: string): string | undefined;
  /** Due work, committed with the change that caused it, or not at all. */
  put(tx: Tx, work: NewWork): Promise<void>;
  /** Calls an operation of any service as `as` (default: this principal), validated and authorized as if it came over HTTP. */
  call<S extends ServiceName, Op extends OperationName<S>>(
    service: S,
    operation: Op,
    input: Input<S, Op>,
    as?: Principal,
  ): Promise<Output<S, Op>>;
  /** Asks a resource that is invoked by no operation, as `as`, under IAM: see Service's `answering`. Throws NotImplemented where it is none. */
  ask(resource: Arn, input: unknown, as: Principal): Promise<unknown>;
  /**
   * By the SDK's name of a service (`sqs`, `cloudwatchlogs`) and of its operation (`sendMessage`), in any case. Undefined: no service here has it, or it
   * takes a stream.
   */
  action(service: string, operation: string): Action | undefined;
  /** Whether the caller's multi-factor device of this serial number shows `code` now. Each code is good once. */
  verifyMfa(serialNumber: string, code: string): Promise<boolean>;
  /** Service control policies over an account, a list for each level; undefined: it is bound by none. */
  controls(account: string): Promise<Controls | undefined>;
  /** Requests signed with this access key are, from now on, caused by `cause` (a running invocation); undefined ends it. */
  attribute(accessKeyId: string, cause: string | undefined, trace?: string): void;
  /** A context of its own for something that no request asked for: a file's event, a background loop. Has a new requestId. */
  fork(as: { principal: Principal; account: string; region: string; cause?: string; trace?: string }): Context;
}

/** An operation that somebody named in a text: a universal target. */
export interface Action {
  readonly service: ServiceName;
  readonly operation: string;
  /** Its input for `call`, of JSON by the model's own names. Throws a SerializationException. */
  input(json: unknown): unknown;
}

/** One row, one delivery, at least once. */
export interface Work {
  readonly id: string;
  /** ms since the epoch. */
  readonly due: number;
  /** Whose service `deliver`s it. */
  readonly to: Arn;
  readonly as: Principal;
  /** JSON. */
  readonly payload: unknown;
  readonly retry: Retry;
  /** Request id of what caused it. */
  readonly cause: string;
  readonly trace?: string;
  /** 1 at the first delivery. */
  readonly attempt: number;
  readonly createdAt: number;
}

export interface NewWork {
  readonly to: Arn;
  readonly payload: unknown;
  /** Default: now. */
  readonly due?: number;
  /** Default: the context's principal. */
  readonly as?: Principal;
  /** Default: try for 24 hours, a minute apart at most. */
  readonly retry?: Retry;
  /** Request id of what caused it, where one transaction serves several. Default: the context's. */
  readonly cause?: string;
}

export interface Retry {
  /** Wait before the second delivery, the third, ...; the last one repeats. ms. */
  readonly waitsMs: readonly number[];
  /** Deliveries in all; then `giveUp`. */
  readonly attempts: number;
  /** Since it was put; then `giveUp`. */
  readonly maxAgeMs?: number;
}

/** What all contexts of one cloud share. */
export interface World {
  readonly config: Config;
  readonly endpoint: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly chaos: Chaos;
  readonly journal: Journal;
  readonly post: Post;
  readonly memory: Memory;
  readonly seal: Seal;
  /** Cause and trace of what is signed with an access key: see Context.attribute. */
  readonly causes: Map<string, { readonly cause: string; readonly trace: string | undefined }>;
  /** The door's way in for calls that come from within: validate, authorize, handle, log. */
  call(
    ctx: Context,
    of: {
      service: ServiceName;
      operation: string;
      input: unknown;
      request?: HttpRequest | undefined;
      /** The service that asks on behalf of its own caller: aws:ViaAWSService. */
      via?: string | undefined;
    },
  ): Promise<unknown>;
  /** The door's way in for what is no operation: authorize, answer. */
  ask(ctx: Context, of: { resource: Arn; input: unknown }): Promise<unknown>;
  watch(ctx: Context, resource: Arn): Promise<Watch>;
  action: Context["action"];
  verifyMfa(ctx: Context, of: { serialNumber: string; code: string }): Promise<boolean>;
  controls(ctx: Context, account: string): Promise<Controls | undefined>;
}

export interface Caller extends Place {
  readonly principal: Principal;
  readonly requestId?: string;
  readonly cause?: string;
  readonly trace?: string | undefined;
  readonly signal?: AbortSignal;
  /** The part that speaks in the journal: the service's name. */
  readonly from: string;
  /** Where it asks from, which policies have conditions on. */
  readonly request?: HttpRequest | undefined;
}

const NEVER = new AbortController().signal;

export const makeContext = (world: World, caller: Caller): Context => new WorldContext(world, caller);

class WorldContext implements Context {
  readonly #world: World;
  readonly #from: string;
  readonly #request: HttpRequest | undefined;
  readonly account: string;
  readonly region: string;
  readonly principal: Principal;
  readonly requestId: string;
  readonly cause: string | undefined;
  readonly trace: string | undefined;
  readonly signal: AbortSignal;
  #log: Log | undefined;
  // What a running transaction has put: dispatched when it is committed, forgotten when it is not.
  #put: WeakMap<Tx, { any: boolean; readonly leased: Work[] }> | undefined;

  constructor(world: World, caller: Caller) {
    this.#world = world;
    this.#from = caller.from;
    this.#request = caller.request;
    this.account = caller.account;
    this.region = caller.region;
    this.principal = caller.principal;
    this.requestId = caller.requestId ?? newRequestId();
    this.cause = caller.cause;
    this.trace = caller.trace;
    this.signal = caller.signal ?? NEVER;
  }

  // Many a request makes neither a line nor a transaction: what they need is made when it is wanted.
  get log(): Log {
    this.#log ??= logOf(this.#world, this, this.#from);
    return this.#log;
  }

  get config(): Config {
    return this.#world.config;
  }

  get endpoint(): string {
    return this.#world.endpoint;
  }

  get clock(): Clock {
    return this.#world.clock;
  }

  get chaos(): Chaos {
    return this.#world.chaos;
  }

  get now(): number {
    return this.#world.clock.now();
  }

  read<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#world.store.read(work);
  }

  get singly(): Singly {
    return this.#world.store.singly;
  }

  async write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    let put = { any: false, leased: [] as Work[] };
    let last: Tx | undefined;
    const result = await this.#world.store.write((tx) => {
      last = tx;
      put = { any: false, leased: [] };
      this.#put ??= new WeakMap();
      this.#put.set(tx, put);
      return work(tx);
    });
    this.#world.memory.forget(this.#from);
    for (const shelf of shelvesOf(last!)) this.#world.memory.forget(shelf);
    if (put.any) this.#world.post.dispatch(put.leased, this);
    return result;
  }

  recall<T>(shelf: string, key: string, load: () => Promise<T>): T | Promise<T> {
    return this.#world.memory.recall(shelf, key, load);
  }

  forget(shelf: string): void {
    this.#world.memory.forget(shelf);
  }

  change(shelf: string): Change {
    return this.#world.memory.change(shelf);
  }

  watch(resource: Arn): Promise<Watch> {
    return this.#world.watch(this, resource);
  }

  seal(text: string, about: string): string {
    return this.#world.seal.seal(text, about);
  }

  unseal(sealed: string, about: string): string | undefined {
    return this.#world.seal.unseal(sealed, about);
  }

  async put(tx: Tx, work: NewWork): Promise<void> {
    const put = this.#put?.get(tx);
    if (!put) throw new Error("put belongs into a transaction of the same context's write");
    put.any = true;
    const mine = await this.#world.post.put(tx, work, this, put.leased.length);
    if (mine) put.leased.push(mine);
  }

  call<S extends ServiceName, Op extends OperationName<S>>(
    service: S,
    operation: Op,
    input: Input<S, Op>,
    as: Principal = this.principal,
  ): Promise<Output<S, Op>> {
    // What a service does for its caller, of its own, is done from where the caller is: DeleteObjects deletes each object so.
    const request = service === this.#from && as === this.principal ? this.#request : undefined;
    const ctx = makeContext(this.#world, {
      account: "account" in as ? as.account : this.account,
      region: this.region,
      principal: as,
      cause: this.requestId,
      trace: this.trace,
      signal: this.signal,
      from: service,
      request,
    });
    const via = service !== this.#from && as === this.principal && as.kind !== "service" ? this.#from : undefined;
    return this.#world.call(ctx, { service, operation, input, request, via }) as Promise<Output<S, Op>>;
  }

  ask(resource: Arn, input: unknown, as: Principal): Promise<unknown> {
    const { service = "", region = "" } = parseArn(resource) ?? {};
    const ctx = makeContext(this.#world, {
      account: "account" in as ? as.account : this.account,
      region: region || this.region,
      principal: as,
      cause: this.requestId,
      signal: this.signal,
      from: service,
    });
    return this.#world.ask(ctx, { resource, input });
  }

  action(service: string, operation: string): Action | undefined {
    return this.#world.action(service, operation);
  }

  verifyMfa(serialNumber: string, code: string): Promise<boolean> {
    return this.#world.verifyMfa(this, { serialNumber, code });
  }

  controls(account: string): Promise<Controls | undefined> {
    return this.#world.controls(this, account);
  }

  attribute(accessKeyId: string, cause: string | undefined, trace?: string): void {
    if (cause === undefined) this.#world.causes.delete(accessKeyId);
    else this.#world.causes.set(accessKeyId, { cause, trace });
  }

  fork(as: { principal: Principal; account: string; region: string; cause?: string; trace?: string }): Context {
    return makeContext(this.#world, { ...as, from: this.#from });
  }
}

function logOf(world: World, ctx: Context, from: string): Log {
  const entry = (level: Entry["level"], text: string): Omit<Entry, "fields"> => ({
    at: ctx.now,
    level,
    id: ctx.requestId,
    ...(ctx.cause !== undefined && { cause: ctx.cause }),
    from,
    text,
  });
  const at = (level: Entry["level"]) => (text: string, fields?: Record<string, unknown>) =>
    world.journal.write({ ...entry(level, text), ...(fields && { fields }) });
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    record: (text, fields) => world.journal.record(entry("debug", text), fields),
    keep: (text) => world.journal.texts.keep(text),
  };
}
