// What a function says while it runs, of a running cloud.
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { Said } from "../../services/lambda/tap.ts";
import { type Environment, UserError } from "../command.ts";
import { openAnswer } from "../remote.ts";

export interface Followed extends AsyncDisposable {
  /** Resolves when that invocation is over: with what it failed of, if it did. All its lines have been shown then. */
  over(requestId: string): Promise<string | undefined>;
  /** Rejects when the cloud stops. */
  readonly ended: Promise<never>;
}

export interface Following {
  readonly functionArn: string;
  readonly environment: Environment;
  readonly show: (line: string) => void;
  /** Its sandboxes wait there for a debugger meanwhile. */
  readonly debugPort?: number;
}

/** Resolves when every line from now on is shown. */
export async function follow(
  endpoint: string,
  { functionArn, environment, show, debugPort }: Following,
): Promise<Followed> {
  const query = new URLSearchParams({ arn: functionArn, ...(debugPort && { debug: `${debugPort}` }) });
  const answer = await openAnswer(endpoint, `/_aws-like/function?${query}`, environment);
  const body = Readable.fromWeb(answer.body!);
  const lines = createInterface({ input: body })[Symbol.asyncIterator]();
  await lines.next(); // {"watching":true}
  const ends = new Map<string, PromiseWithResolvers<string | undefined>>();
  const endOf = (requestId: string) => {
    const end = ends.get(requestId) ?? Promise.withResolvers();
    ends.set(requestId, end);
    return end;
  };
  const read = async (): Promise<never> => {
    for await (const line of lines) {
      const said = JSON.parse(line) as Said;
      if (said.line === undefined) endOf(said.requestId).resolve(said.error);
      else show(said.line.replaceAll("\r", "\n"));
    }
    throw new UserError(`${endpoint} says no more`);
  };
  const ended = read();
  ended.catch(() => undefined); // Whoever waits gets it.
  return {
    ended,
    over: (requestId) => Promise.race([endOf(requestId).promise, ended]),
    async [Symbol.asyncDispose]() {
      body.destroy();
    },
  };
}
