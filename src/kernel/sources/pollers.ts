// The pollers of one service: a mapping's or a pipe's each, under its id.
import type { Running } from "../service.ts";
import type { Poller } from "./source.ts";

export class Pollers implements Running {
  readonly #pollers = new Map<string, Poller>();

  has(id: string): boolean {
    return this.#pollers.has(id);
  }

  /** Ends the one that has the id already. */
  async begin(id: string, start: () => Poller): Promise<void> {
    await this.end(id);
    this.#pollers.set(id, start());
  }

  /** Resolves when what it had under way is done. */
  async end(id: string): Promise<void> {
    const poller = this.#pollers.get(id);
    this.#pollers.delete(id);
    await poller?.[Symbol.asyncDispose]();
  }

  async settled(): Promise<void> {
    await Promise.all([...this.#pollers.values()].map((poller) => poller.settled()));
  }

  nextDue(): number | undefined {
    const due = [...this.#pollers.values()].map((poller) => poller.nextDue()).filter((next) => next !== undefined);
    return due.length > 0 ? Math.min(...due) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#pollers.keys()].map((id) => this.end(id)));
  }
}
