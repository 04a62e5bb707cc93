// A function under a debugger: its sandboxes wait for one, and its timeout waits with them.
import { parseArgs } from "node:util";
import { type Command, print, UserError } from "./command.ts";
import { follow } from "./function/follow.ts";
import { configurationOf, unqualified } from "./function/remote.ts";
import { finish, invoke, readEvent, toStderr } from "./invoke.ts";
import { endpointOf, remoteOptions, remoteUsage } from "./remote.ts";
import { accessOf } from "./signed.ts";

const options = { ...remoteOptions, port: { type: "string" }, event: { type: "string" } } as const;

/** The ports at which editors look. */
const DEBUGGERS = [
  {
    runtime: /^nodejs/,
    port: 9229,
    how: "chrome://inspect, node inspect HOST:PORT, or attach your editor's Node debugger",
  },
  { runtime: /^python/, port: 5678, how: 'attach your editor\'s Python debugger (debugpy: "connect" to it)' },
] as const;

export const command: Command = {
  summary: "runs a function under a debugger, and stops its timeout meanwhile",
  usage: `FUNCTION [--port N] [--event FILE|-|JSON] ${remoteUsage}`,
  details: [
    "Until Ctrl-C the function runs in one sandbox at a time; a new one waits for a debugger on the loopback of the cloud's host before it",
    "loads the function. While a debugger is attached the timeout does not run. The function is invoked as ever, by whoever invokes it.",
    "",
    "--port   default: 9229 for Node (inspector), 5678 for Python (debugpy, which must be in the package or in the host's Python)",
    "--event  invoke it with this, print the answer and end",
  ].join("\n"),
  async run(args, environment) {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [name, ...more] = positionals;
    if (name === undefined || more.length > 0) throw new UserError("say one function: its name or its ARN");
    const endpoint = endpointOf(values.endpoint, environment);
    const access = accessOf(endpoint, environment);
    const event = values.event === undefined ? undefined : readEvent(values.event);
    const { Runtime, FunctionArn } = await configurationOf(access, name);
    const known = DEBUGGERS.find(({ runtime }) => runtime.test(Runtime));
    if (!known)
      throw new UserError(`${name} runs on ${Runtime}: there is no debugger for it, Node and Python have one`);
    const port = values.port === undefined ? known.port : Number(values.port);
    const functionArn = unqualified(FunctionArn);
    await using followed = await follow(endpoint, { functionArn, environment, show: toStderr, debugPort: port });
    const host = new URL(endpoint).hostname;
    toStderr(`${name} waits for a debugger at its next start: 127.0.0.1:${port} of ${host}`);
    toStderr(known.how.replace("HOST:PORT", `127.0.0.1:${port}`));
    if (event === undefined) {
      print("Ctrl-C ends it");
      await followed.ended;
      return;
    }
    const answer = await invoke(access, { name, event, asynchronous: false });
    await followed.over(answer.requestId);
    finish(answer, { showTail: false });
  },
};
