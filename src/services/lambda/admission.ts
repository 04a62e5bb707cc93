// Who may run now. Counted in memory, by this process: what runs ends with it.

import { type Limits, provisionedOf } from "./concurrency.ts";
import type { FunctionRow } from "./configuration.ts";
import { errors } from "./errors.ts";

export class Admission {
  /** Invocations that run, by what they count against. */
  readonly #running: Map<string, number>;

  constructor() {
    this.#running = new Map();
  }

  /**
   * AWS's order: what is kept ready for the version, then what is reserved for the function, else what the account has left. The disposal gives it
   * back. Throws TooManyRequestsException with AWS's reason.
   */
  admit(row: FunctionRow, limits: Limits): Disposable {
    const { function_name: name, version } = row;
    const place = `${row.account} ${row.region}`;
    const ready = limits.provisioned.get(name)?.get(version) ?? 0;
    const reserved = limits.reserved.get(name);
    return (
      this.#take(`${place} ${name} ${version}`, ready) ??
      (reserved === undefined
        ? (this.#take(place, limits.unreserved) ?? refuse("ConcurrentInvocationLimitExceeded"))
        : (this.#take(`${place} ${name}`, reserved - provisionedOf(limits, name)) ??
          refuse("ReservedFunctionConcurrentInvocationLimitExceeded")))
    );
  }

  #take(what: string, limit: number): Disposable | undefined {
    const now = this.#running.get(what) ?? 0;
    if (now >= limit) return undefined;
    this.#running.set(what, now + 1);
    return {
      [Symbol.dispose]: () => {
        const left = this.#running.get(what)! - 1;
        if (left === 0) this.#running.delete(what);
        else this.#running.set(what, left);
      },
    };
  }
}

function refuse(reason: Parameters<typeof errors.throttled>[0]): never {
  throw errors.throttled(reason);
}
