import { parseArgs } from "node:util";
import { type Command, print } from "./command.ts";
import { ask, endpointOf, remoteOptions, remoteUsage } from "./remote.ts";

export const command: Command = {
  summary: "forgets everything: buckets, tables, functions, roles; then makes what the template says",
  usage: remoteUsage,
  details: "Files in mapped directories (input/) stay, and are found again as new objects.",
  async run(args, environment) {
    const { values } = parseArgs({ args: [...args], options: remoteOptions });
    await ask(endpointOf(values.endpoint, environment), "/_aws-like/reset", environment, {});
    print("reset");
  },
};
