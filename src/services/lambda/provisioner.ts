// Keeps environments ready for what has provisioned concurrency. The store says what is wanted; memory, what is there.
import type { Context } from "../../kernel/mod.ts";
import type { FunctionRow } from "./configuration.ts";
import { InitFailed, type Pool, type WorkerKey } from "./sandbox/pool.ts";
import type { Sandbox, Worker } from "./sandbox/sandbox.ts";

export interface ProvisionerOptions {
  readonly ctx: Context;
  readonly pool: Pool;
  keyOf(row: FunctionRow): WorkerKey;
  start(row: FunctionRow): (sandbox: Sandbox) => Promise<Worker>;
}

export class Provisioner {
  readonly #options: ProvisionerOptions;
  /** What was kept last, and why it failed. By key. */
  #kept: Map<string, { key: WorkerKey; failure?: string }>;
  #turn: Promise<void>;

  constructor(options: ProvisionerOptions) {
    this.#options = options;
    this.#kept = new Map();
    this.#turn = Promise.resolve();
  }

  /** Makes it so, after whatever is being made so now. `again`: what failed is tried once more. */
  reconcile({ again = false } = {}): Promise<void> {
    this.#turn = this.#turn.then(() => this.#reconcile(again));
    return this.#turn;
  }

  state(row: FunctionRow): { available: number; failure?: string | undefined } {
    const key = this.#options.keyOf(row);
    return { available: this.#options.pool.kept(key), failure: this.#kept.get(nameOf(key))?.failure };
  }

  async #reconcile(again: boolean): Promise<void> {
    const { ctx, pool, keyOf, start } = this.#options;
    const wanted = await ctx.read((tx) => tx.all<FunctionRow & { executions: number }>(WANTED, {}));
    const before = this.#kept;
    this.#kept = new Map();
    for (const { executions, ...row } of wanted) {
      const key = keyOf(row);
      const failure = before.get(nameOf(key))?.failure;
      const kept: { key: WorkerKey; failure?: string } = { key };
      this.#kept.set(nameOf(key), kept);
      before.delete(nameOf(key));
      if (failure !== undefined && !again) {
        kept.failure = failure;
        continue;
      }
      try {
        await pool.keep(key, executions, start(row));
      } catch (error) {
        kept.failure =
          error instanceof InitFailed ? "FUNCTION_ERROR_INIT_FAILURE" : error instanceof Error ? error.message : "";
        ctx.log.error(`provisioned concurrency of ${key.functionKey} (version ${row.version}) failed: ${error}`);
      }
    }
    for (const { key } of before.values()) await pool.keep(key, 0, refuse);
  }
}

const nameOf = (key: WorkerKey): string => `${key.functionKey} ${key.revision}`;

const refuse = (): never => {
  throw new Error("nothing is to be started");
};

const WANTED = `
SELECT f.*, p.executions FROM lambda_provisioned_concurrency p
LEFT JOIN lambda_alias a
  ON a.account = p.account AND a.region = p.region AND a.function_name = p.function_name AND a.name = p.qualifier
JOIN lambda_function f
  ON f.account = p.account AND f.region = p.region AND f.function_name = p.function_name
  AND f.version = coalesce(a.function_version, p.qualifier)
ORDER BY p.account, p.region, p.function_name, p.qualifier`;
