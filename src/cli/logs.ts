// The functions' logs: text files in logs/lambda/, one folder a function. No running cloud is needed to read them.
import { existsSync } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Command, print, UserError } from "./command.ts";

/** How often a followed file is looked at. */
const FOLLOW_MS = 200;
const CHUNK_BYTES = 64 * 1024;

export const command: Command = {
  summary: "prints the logs of functions, and follows them",
  usage: "[-f] [--dir DIR] [FUNCTION]",
  async run(args) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { follow: { type: "boolean", short: "f" }, dir: { type: "string" } },
      allowPositionals: true,
    });
    const dir = resolve(values.dir ?? ".", "logs", "lambda");
    if (!existsSync(dir)) throw new UserError(`there are no logs in ${dir}; say --dir WORKSPACE`);
    const read = new Map<string, number>();
    await show(dir, positionals[0], read);
    while (values.follow) {
      await sleep(FOLLOW_MS);
      await show(dir, positionals[0], read);
    }
  },
};

/** Prints what each file has beyond what was `read` of it. */
async function show(dir: string, name: string | undefined, read: Map<string, number>): Promise<void> {
  const folders = name === undefined ? await readdir(dir) : [name];
  for (const folder of folders.sort()) {
    if (!existsSync(join(dir, folder))) throw new UserError(`there is no log of a function ${folder}`);
    for (const file of (await readdir(join(dir, folder))).sort()) {
      const path = join(dir, folder, file);
      const from = read.get(path) ?? 0;
      const text = await textFrom(path, from);
      const whole = text.subarray(0, text.lastIndexOf("\n") + 1);
      read.set(path, from + whole.length);
      for (const line of whole.toString("utf8").split("\n").slice(0, -1)) print(name ? line : `${folder}  ${line}`);
    }
  }
}

async function textFrom(path: string, from: number): Promise<Buffer> {
  await using file = await open(path);
  const parts: Buffer[] = [];
  for (let at = from; ; ) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, at);
    if (bytesRead === 0) return Buffer.concat(parts);
    parts.push(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}
