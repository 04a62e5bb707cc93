// Whoever follows the hints ends with what is there: for any sequence of changes, faster than they can be watched.
import assert from "node:assert/strict";
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { type Hint, openWatcher } from "./watch.ts";

const changes = {
  write: (path: string, text: string) => writeFileSync(path, text),
  append: (path: string, text: string) => appendFileSync(path, text),
  mkdir: (path: string) => mkdirSync(path, { recursive: true }),
  remove: (path: string) => rmSync(path, { recursive: true }),
  rename: (path: string, other: string) => renameSync(path, other),
  // Not both names at once: what is written by one of them is not reported of the other.
  deliver(path: string, other: string) {
    linkSync(path, other);
    unlinkSync(path);
  },
  moveOver(path: string, other: string) {
    statSync(path);
    if (other.startsWith(`${path}/`) || path.startsWith(`${other}/`) || path === other) return;
    rmSync(other, { recursive: true, force: true });
    renameSync(path, other);
  },
  writeDeep(path: string, text: string) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  },
} as const;

const TWO_PLACES: ReadonlySet<string> = new Set(["rename", "deliver", "moveOver"]);

// What may not be done in the present state of the tree is no change.
const IMPOSSIBLE = new Set(["ENOENT", "ENOTDIR", "EISDIR", "EEXIST", "ENOTEMPTY", "EINVAL", "EPERM"]);

const place = fc.array(fc.constantFrom("a", "b", "sedAbc123"), { minLength: 1, maxLength: 3 });
const change = fc.record({
  kind: fc.constantFrom(...(Object.keys(changes) as (keyof typeof changes)[])),
  // Hints are followed while nothing changes, or while more does.
  before: fc.constantFrom("nothing", "nothing", "nothing", "a turn", "settled"),
  from: place,
  to: place,
});

test("whoever follows the hints ends with what is there", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 120, size: "max" }), async (sequence) => {
      const above = mkdtempSync(join(tmpdir(), "aws-like-follow-"));
      const root = join(above, "root");
      mkdirSync(root);
      const known = new Map<string, string>();
      const follower = await openWatcher({
        settleMs: 10,
        holdMs: 10,
        onHint: (hint) => follow(known, hint),
        onNotice: (text) => assert.fail(text),
      });
      try {
        await follower.add(root);
        for (const [index, { kind, before, from, to }] of sequence.entries()) {
          if (before === "a turn") await nextTurn();
          else if (before === "settled") await follower.settled();
          const path = join(root, ...from);
          const second = TWO_PLACES.has(kind) ? join(root, ...to) : `${index} `;
          try {
            changes[kind](path, second);
          } catch (error) {
            if (!IMPOSSIBLE.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
          }
        }
        await follower.settled();
        assert.deepEqual(Object.fromEntries([...known].sort()), Object.fromEntries([...walk(root)].sort()));
      } finally {
        await follower[Symbol.asyncDispose]();
        rmSync(above, { recursive: true });
      }
    }),
    { numRuns: 30, interruptAfterTimeLimit: 60_000 },
  );
});

/** What reconcile does with a hint, in memory. */
function follow(known: Map<string, string>, hint: Hint): void {
  if (hint.kind === "finished") {
    const text = read(hint.path);
    if (text !== undefined) known.set(hint.path, text);
  } else if (hint.kind === "gone") {
    drop(known, hint.path);
  } else if (hint.kind === "rescan") {
    drop(known, hint.root);
    for (const [path, text] of walk(hint.root)) known.set(path, text);
  }
}

function drop(known: Map<string, string>, below: string): void {
  for (const path of known.keys())
    if ((path === below || path.startsWith(`${below}/`)) && read(path) === undefined) known.delete(path);
}

const read = (path: string): string | undefined =>
  statSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path, "utf8") : undefined;

function walk(root: string): Map<string, string> {
  const files = new Map<string, string>();
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) return files;
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) files.set(join(entry.parentPath, entry.name), read(join(entry.parentPath, entry.name)) ?? "");
  return files;
}
