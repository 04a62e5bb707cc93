// What was made of the template: `.aws-like/template.json`. Without it nothing would be known of a resource that the template forgot.
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Subject } from "./kind.ts";

/** In the order in which they were made. */
export interface Deployed extends Subject<Readonly<Record<string, unknown>>> {
  readonly retain: boolean;
}

const fileOf = (dir: string): string => join(dir, ".aws-like", "template.json");

export async function readState(dir: string): Promise<Deployed[]> {
  const file = fileOf(dir);
  if (!existsSync(file)) return [];
  return (JSON.parse(await readFile(file, "utf8")) as { resources: Deployed[] }).resources;
}

export async function writeState(dir: string, resources: readonly Deployed[]): Promise<void> {
  const file = fileOf(dir);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify({ resources }, undefined, 1)}\n`);
  await rename(`${file}.new`, file);
}
