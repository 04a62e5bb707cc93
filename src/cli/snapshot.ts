import { parseArgs } from "node:util";
import { type Command, print, UserError } from "./command.ts";
import { ask, endpointOf, remoteOptions, remoteUsage } from "./remote.ts";

const PATH = "/_aws-like/snapshots";

export const command: Command = {
  summary: "saves the whole state under a name, and brings it back",
  usage: `save NAME | restore NAME | list ${remoteUsage}`,
  details: "A snapshot is a folder in snapshots/ of the workspace: the database, the buckets, mapped directories.",
  async run(args, environment) {
    const { values, positionals } = parseArgs({ args: [...args], options: remoteOptions, allowPositionals: true });
    const [verb, name] = positionals;
    const endpoint = endpointOf(values.endpoint, environment);
    if (verb === "list") {
      const { snapshots } = await ask<{ snapshots: { name: string; savedAt: string }[] }>(endpoint, PATH, environment);
      for (const snapshot of snapshots) print(`${snapshot.savedAt}  ${snapshot.name}`);
      return;
    }
    if ((verb !== "save" && verb !== "restore") || !name)
      throw new UserError("say: snapshot save NAME, restore NAME or list");
    await ask(endpoint, PATH, environment, { name, restore: verb === "restore" });
    print(`${verb === "save" ? "saved" : "restored"} ${name}`);
  },
};
