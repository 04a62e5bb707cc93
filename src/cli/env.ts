// What a shell needs so that the aws CLI and every SDK talk to this cloud.
import { parseArgs } from "node:util";
import { defaults } from "../config.ts";
import { type Command, print } from "./command.ts";

export const command: Command = {
  summary: 'prints the exports for a shell: eval "$(aws-like env)"',
  usage: "[--port 4566] [--host localhost] [--region us-east-1]",
  async run(args) {
    const { values } = parseArgs({
      args: [...args],
      options: { port: { type: "string" }, host: { type: "string" }, region: { type: "string" } },
    });
    print(`export AWS_ENDPOINT_URL=http://${values.host ?? "localhost"}:${values.port ?? defaults.port}`);
    print(`export AWS_ACCESS_KEY_ID=${defaults.rootAccessKeyId}`);
    print(`export AWS_SECRET_ACCESS_KEY=${defaults.rootSecretAccessKey}`);
    print(`export AWS_DEFAULT_REGION=${values.region ?? defaults.region}`);
  },
};
