// Runs a function once: its answer on stdout, its log on stderr.
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Command, print, UserError } from "./command.ts";
import { follow } from "./function/follow.ts";
import { configurationOf, functionPath, lambda, unqualified } from "./function/remote.ts";
import { endpointOf, remoteOptions, remoteUsage } from "./remote.ts";
import { type Access, accessOf } from "./signed.ts";

const options = {
  ...remoteOptions,
  event: { type: "string" },
  follow: { type: "boolean" },
  async: { type: "boolean" },
} as const;

export const command: Command = {
  summary: "runs a function: its answer on stdout, its log on stderr",
  usage: `FUNCTION [--event FILE|-|JSON] [--follow] [--async] ${remoteUsage}`,
  details: [
    "FUNCTION is a name, a name with a version or alias (NAME:live), or an ARN.",
    "",
    "--event   what it gets: a file, - for standard input, or JSON itself. Default: {}",
    "--follow  log lines as they come (of all invocations of the function meanwhile); else the last 4 KB, at the end",
    "--async   InvocationType Event: prints the request id; with --follow waits for the first attempt",
    "",
    "The exit code is 1 where the function failed; the answer is then its error document.",
  ].join("\n"),
  async run(args, environment) {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [name, ...more] = positionals;
    if (name === undefined || more.length > 0) throw new UserError("say one function: its name or its ARN");
    const endpoint = endpointOf(values.endpoint, environment);
    const access = accessOf(endpoint, environment);
    const event = readEvent(values.event);
    const asked = { name, event, asynchronous: values.async === true };
    if (!values.follow) return finish(await invoke(access, asked), { showTail: true });
    const functionArn = unqualified((await configurationOf(access, name)).FunctionArn);
    await using followed = await follow(endpoint, { functionArn, environment, show: toStderr });
    const answer = await invoke(access, asked);
    const error = await followed.over(answer.requestId);
    finish({ ...answer, failed: answer.failed || error !== undefined }, { showTail: false });
  },
};

interface Asked {
  readonly name: string;
  readonly event: string;
  readonly asynchronous: boolean;
}

interface Answer {
  readonly requestId: string;
  /** What is printed: the payload, or the id where there is none yet. */
  readonly text: string;
  readonly tail: string;
  readonly failed: boolean;
}

export async function invoke(access: Access, { name, event, asynchronous }: Asked): Promise<Answer> {
  const answer = await lambda(access, {
    method: "POST",
    path: functionPath(name, "/invocations"),
    headers: asynchronous ? { "x-amz-invocation-type": "Event" } : { "x-amz-log-type": "Tail" },
    body: event,
  });
  const requestId = answer.headers.get("x-amzn-requestid") ?? "";
  return {
    requestId,
    text: asynchronous ? requestId : await answer.text(),
    tail: Buffer.from(answer.headers.get("x-amz-log-result") ?? "", "base64").toString(),
    failed: answer.headers.has("x-amz-function-error"),
  };
}

export function finish({ text, tail, failed }: Answer, { showTail }: { showTail: boolean }): void {
  if (showTail && tail !== "") toStderr(tail.replace(/\n$/, ""));
  print(text);
  if (failed) process.exitCode = 1;
}

export const toStderr = (text: string): void => void process.stderr.write(`${text}\n`);

/** JSON, of a file, of standard input (-) or said itself. Throws UserError. */
export function readEvent(given = "{}"): string {
  const text = isJson(given) ? given : readFile(given);
  if (!isJson(text)) throw new UserError(`the event is not JSON: ${text.trim().slice(0, 60)}`);
  return text;
}

function readFile(path: string): string {
  if (path !== "-" && !existsSync(path)) throw new UserError(`${path} is neither JSON nor a file`);
  return readFileSync(path === "-" ? 0 : path, "utf8");
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return false;
  }
}
