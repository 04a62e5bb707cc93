// So many at once, the others in the order in which they asked.
export class Hands {
  #free: number;
  readonly #waiting: (() => void)[];

  constructor(count: number) {
    this.#free = count;
    this.#waiting = [];
  }

  /** Resolves when a hand is free. Its disposal gives it back, to whoever has waited longest. */
  async take(): Promise<AsyncDisposable> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return {
      [Symbol.asyncDispose]: async () => {
        const next = this.#waiting.shift();
        if (next) next();
        else this.#free++;
      },
    };
  }
}
