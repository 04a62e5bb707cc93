// A watched directory, for the tests of the watcher.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test as nodeTest, type TestContext } from "node:test";
import { type Hint, openWatcher, type WatchOptions } from "../src/services/s3/watch.ts";
import type { Fault } from "../src/services/s3/watch-protocol.ts";

export const test = (name: string, run: (t: TestContext) => Promise<void>) => nodeTest(name, { timeout: 60_000 }, run);

/** A watched directory, and one beside it on the same file system that is not watched. */
export async function watchDirectory(options: Partial<WatchOptions> = {}) {
  const above = mkdtempSync(join(tmpdir(), "aws-like-watch-"));
  const root = join(above, "root");
  const outside = join(above, "outside");
  mkdirSync(root);
  mkdirSync(outside);
  let hints: Hint[] = [];
  const notices: string[] = [];
  const awaited = new Set<() => void>();
  let befall: (fault: Fault) => void = () => assert.fail("no worker");
  const watcher = await openWatcher({
    settleMs: 20,
    pollMs: 20,
    onHint(hint) {
      hints.push(hint);
      for (const look of awaited) look();
    },
    onNotice: (text) => notices.push(text),
    faults: (given) => {
      befall = given;
    },
    ...options,
  });
  const shortened = (path: string) => (path === root ? "." : path.slice(root.length + 1));
  return {
    watcher,
    root,
    outside,
    above,
    notices,
    befall: (fault: Fault) => befall(fault),
    at: (...path: string[]) => join(root, ...path),
    /** A bash command in the root; it has ended when this returns. */
    run: (command: string) =>
      execFileSync("bash", ["-ec", command], { cwd: root, stdio: ["ignore", "ignore", "inherit"] }),
    /** The paths of one kind that were hinted so far, sorted, repeated where they were hinted more than once. */
    paths: (kind: Hint["kind"]) =>
      hints
        .filter((hint) => hint.kind === kind)
        .map((hint) => shortened(hint.kind === "rescan" ? hint.root : hint.path))
        .sort(),
    hinted: () => hints,
    forget: () => {
      hints = [];
    },
    until: (wanted: (hint: Hint) => boolean) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (!hints.some(wanted)) return;
          awaited.delete(look);
          resolve();
        };
        awaited.add(look);
        look();
      }),
    async [Symbol.asyncDispose]() {
      await watcher[Symbol.asyncDispose]();
      rmSync(above, { recursive: true, force: true });
    },
  };
}

export async function watchRoot(options: Partial<WatchOptions> = {}) {
  const world = await watchDirectory(options);
  await world.watcher.add(world.root);
  return world;
}

export const has = (program: string) => spawnSync("sh", ["-c", 'command -v "$1"', "sh", program]).status === 0;

export function skipWithout(t: TestContext, program: string): boolean {
  if (has(program)) return false;
  t.skip(`${program} is not installed`);
  return true;
}
