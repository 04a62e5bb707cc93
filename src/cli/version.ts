import { version } from "../version.ts";
import { type Command, print } from "./command.ts";

export const command: Command = {
  summary: "the version of aws-like, and of the Node that runs it",
  usage: "",
  async run() {
    print(`aws-like ${version} (node ${process.version})`);
  },
};
