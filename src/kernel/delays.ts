// What AWS takes seconds or minutes for (a table that is CREATING, a function that is Pending) is done at once, unless `--delays real` was asked for.
import type { Context } from "./context.ts";

/** ms until it is done, on the clock; 0: now, in the transaction that begins it. `realMs` is what it was seen to take on AWS. */
export const delayed = ({ config }: Pick<Context, "config">, realMs: number): number =>
  config.delays === "real" ? realMs : 0;
