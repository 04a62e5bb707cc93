// This program's version, from its package.json (one folder up from src/, two from dist/src/).
import { existsSync, readFileSync } from "node:fs";

const file = [new URL("../package.json", import.meta.url), new URL("../../package.json", import.meta.url)].find((url) =>
  existsSync(url),
);

export const version: string = file
  ? (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version
  : "unknown";
