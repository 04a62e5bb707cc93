// What a handler is given besides its input: who asks, in which account and region, and everything it may do to the world.
import type { Config } from "../config.ts";
import type { Tx } from "../store/store.ts";
import type { Clock } from "./clock.ts";
import type { Log } from "./journal.ts";
import type { Arn } from "./names.ts";
import type { Input, OperationName, Output, ServiceName } from "./types.ts";

export type Principal =
  | { readonly kind: "root"; readonly account: string; readonly arn: Arn; readonly id: string }
  | { readonly kind: "user"; readonly account: string; readonly arn: Arn; readonly id: string }
  /** Temporary credentials of a role: `arn` is arn:aws:sts::A:assumed-role/ROLE/SESSION, `id` AROA...:SESSION. */
  | {
      readonly kind: "session";
      readonly account: string;
      readonly arn: Arn;
      readonly id: string;
      readonly roleArn: Arn;
      /** Session policies, as JSON: they limit what the role allows. */
      readonly policies?: readonly string[];
      readonly tags?: Readonly<Record<string, string>>;
    }
  /** An AWS service that acts for a resource: `sourceArn` is the bucket, the rule... that caused the call. */
  | { readonly kind: "service"; readonly name: string; readonly account: string; readonly sourceArn?: Arn }
  | { readonly kind: "anonymous" };

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
  readonly now: number;
  /** Aborted when the caller goes away or the process stops. */
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly clock: Clock;
  read<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Due work, committed with the change that caused it, or not at all. */
  put(tx: Tx, work: NewWork): Promise<void>;
  /** Calls an operation of any service as `as` (default: this principal), validated and authorized as if it came over HTTP. */
  call<S extends ServiceName, Op extends OperationName<S>>(
    service: S,
    operation: Op,
    input: Input<S, Op>,
    as?: Principal,
  ): Promise<Output<S, Op>>;
  /** Requests signed with this access key are, from now on, caused by `cause` (a running invocation); undefined ends it. */
  attribute(accessKeyId: string, cause: string | undefined): void;
  /** A context of its own for something that no request asked for: a file's event, a background loop. Has a new requestId. */
  fork(as: { principal: Principal; account: string; region: string; cause?: string }): Context;
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
}

export interface Retry {
  /** Wait before the second delivery, the third, ...; the last one repeats. ms. */
  readonly waitsMs: readonly number[];
  /** Deliveries in all; then `giveUp`. */
  readonly attempts: number;
  /** Since it was put; then `giveUp`. */
  readonly maxAgeMs?: number;
}
