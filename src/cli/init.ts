// A workspace from the example: what a trainee begins with.
import { existsSync } from "node:fs";
import { cp, readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Command, print, UserError } from "./command.ts";

const example = [join(import.meta.dirname, "../../example"), join(import.meta.dirname, "../../../example")].find(
  (dir) => existsSync(dir),
);

export const command: Command = {
  summary: "makes a workspace: a bucket directory, a function in bash, a table, a template",
  usage: "DIR",
  async run(args) {
    const { positionals } = parseArgs({ args: [...args], options: {}, allowPositionals: true });
    const [dir] = positionals;
    if (!dir) throw new UserError("say which directory to make: aws-like init my-workspace");
    if (!example) throw new UserError("the example is missing from this installation");
    if (existsSync(dir) && (await readdir(dir)).length > 0) throw new UserError(`${resolve(dir)} is not empty`);
    // What only keeps an empty directory in git would be an object in the bucket.
    await cp(example, dir, { recursive: true, filter: (path) => basename(path) !== ".gitkeep" });
    print(`made ${resolve(dir)}; next: cd ${dir} && aws-like up`);
  },
};
