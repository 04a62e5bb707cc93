// The watcher when things go wrong, or somebody else's way: lost events, dead workers, roots that go, other engines.
import assert from "node:assert/strict";
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { test, watchDirectory, watchRoot } from "../../../test/watched.ts";

test("when events were lost, the root is to be compared and nothing later is missed", async (t) => {
  const most = Number(readFileSync("/proc/sys/fs/inotify/max_queued_events", "utf8"));
  if (most > 40_000) return t.skip(`fs.inotify.max_queued_events is ${most}: too many to overflow in a test`);
  await using world = await watchRoot();
  const gate = new Int32Array(new SharedArrayBuffer(4));
  world.befall({ fault: "stall", gate });
  for (let i = 0; i < most / 2 + 500; i++) writeFileSync(world.at(`${i}`), "x");
  mkdirSync(world.at("unseen/below"), { recursive: true });
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  await world.until(({ kind }) => kind === "rescan");
  await world.watcher.settled();
  assert.deepEqual(world.paths("rescan"), ["."]);
  world.forget();
  writeFileSync(world.at("unseen/below/file"), "x");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["unseen/below/file"]);
});

test("a worker that dies is started again, and everything is to be compared", async () => {
  await using world = await watchRoot();
  mkdirSync(world.at("d"));
  await world.watcher.settled();
  world.befall({ fault: "crash" });
  const asked = world.watcher.settled();
  await world.until(({ kind }) => kind === "rescan");
  await asked;
  writeFileSync(world.at("d/file"), "x");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["d/file"]);
  assert.deepEqual(world.paths("rescan"), ["."]);
  assert.match(world.notices.join("\n"), /worker died .*crashed, as a test wished/);
});

test("a root that is removed is gone, and watched again when it is back", async () => {
  await using world = await watchRoot();
  writeFileSync(world.at("a"), "x");
  await world.watcher.settled();
  rmSync(world.root, { recursive: true });
  await world.watcher.settled();
  assert.deepEqual(world.paths("gone"), [".", "a"]);
  world.forget();
  world.watcher.settled();
  mkdirSync(world.at("d"), { recursive: true });
  writeFileSync(world.at("d/b"), "x");
  await world.until((hint) => hint.kind === "finished");
  writeFileSync(world.at("d/c"), "x");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["d/b", "d/c"]);
});

test("a root whose parent is moved away is gone, though nothing is reported", async () => {
  await using world = await watchDirectory();
  const root = join(world.outside, "root");
  mkdirSync(root);
  await world.watcher.add(root);
  renameSync(world.outside, `${world.outside}2`);
  await world.watcher.settled();
  assert.deepEqual(world.hinted(), [{ kind: "gone", path: root }]);
  renameSync(`${world.outside}2`, world.outside);
  await world.watcher.settled();
  writeFileSync(join(root, "a"), "x");
  await world.watcher.settled();
  assert.deepEqual(world.hinted().slice(1), [{ kind: "finished", path: join(root, "a") }]);
});

test("roots may be one within the other, and may be removed", async () => {
  await using world = await watchRoot();
  mkdirSync(world.at("inner"));
  await world.watcher.settled();
  await world.watcher.add(world.at("inner"));
  writeFileSync(world.at("inner/a"), "x");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["inner/a", "inner/a"]);
  world.forget();
  await world.watcher.remove(world.root);
  writeFileSync(world.at("inner/b"), "x");
  writeFileSync(world.at("c"), "x");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["inner/b"]);
});

test("a root that is no directory is refused", async () => {
  await using world = await watchDirectory();
  writeFileSync(world.at("file"), "x");
  await assert.rejects(world.watcher.add(world.at("nothing")), /ENOENT/);
  await assert.rejects(world.watcher.add(world.at("file")), /ENOTDIR/);
});

test("a file that somebody found is finished when it is not being written", async () => {
  await using world = await watchDirectory();
  writeFileSync(world.at("done"), "x");
  const file = openSync(world.at("written"), "w");
  await world.watcher.add(world.root);
  world.watcher.found([world.at("done"), world.at("written"), world.at("missing")]);
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["done"]);
  closeSync(file);
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["done", "written"]);
});

test("where no inotify watch is left, the rest is polled, and a notice names the limit", async () => {
  await using world = await watchRoot({ maxWatches: 2 });
  mkdirSync(world.at("watched"));
  await world.watcher.settled();
  mkdirSync(world.at("polled/below"), { recursive: true });
  writeFileSync(world.at("polled/below/a"), "x");
  writeFileSync(world.at("watched/b"), "x");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["polled/below/a", "watched/b"]);
  world.run("rm polled/below/a; echo x > polled/c");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["polled/below/a", "polled/c", "watched/b"]);
  assert.deepEqual(world.paths("gone"), ["polled/below/a"]);
  assert.equal(world.notices.length, 1);
  assert.match(world.notices[0]!, /sysctl fs\.inotify\.max_user_watches/);
});

for (const engine of ["fs.watch", "poll"] as const)
  test(`without inotify, ${engine} finds what came, changed and went`, async () => {
    await using world = await watchRoot({ engine });
    assert.equal(world.watcher.exact, false);
    world.run("mkdir -p a/b/c; echo x > a/b/c/file; echo x > top; echo x > it.part; touch -d '1 day ago' a/b/c/file");
    await world.watcher.settled();
    assert.deepEqual([...new Set(world.paths("finished"))], ["a/b/c/file", "top"]);
    assert.deepEqual(world.paths("directory"), ["a", "a/b", "a/b/c"]);
    world.forget();
    world.run("echo more >> top; rm -r a");
    await world.watcher.settled();
    assert.deepEqual([...new Set(world.paths("finished"))], ["top"]);
    assert.deepEqual(world.paths("gone"), ["a", "a/b", "a/b/c", "a/b/c/file"]);
    const file = openSync(world.at("slow"), "w");
    writeSync(file, "x");
    await world.watcher.settled();
    await world.watcher.settled();
    assert.deepEqual(
      world.paths("finished").filter((path) => path === "slow"),
      [],
    );
    closeSync(file);
    await world.until((hint) => hint.kind === "finished" && hint.path === world.at("slow"));
  });

test("a closed watcher says nothing more, and refuses", async () => {
  const world = await watchRoot();
  await world[Symbol.asyncDispose]();
  await assert.rejects(world.watcher.settled(), /closed/);
  await assert.rejects(world.watcher.add(tmpdir()), /closed/);
  await world.watcher[Symbol.asyncDispose]();
});
