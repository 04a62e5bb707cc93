// What a command of the command line is.

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Command {
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What follows the command's name: `[--dir DIR] [--port N]`. */
  readonly usage: string;
  readonly details?: string;
  run(args: readonly string[], environment: Environment): Promise<void>;
}

/** What a user can mend: printed as one sentence, exit code 1. */
export class UserError extends Error {}

export const print = (text: string): void => void process.stdout.write(`${text}\n`);
