// Real files, real programs, real events; each test ends with the exact list of what was hinted.
import assert from "node:assert/strict";
import {
  appendFileSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

import { skipWithout, test, watchDirectory, watchRoot } from "../../../test/watched.ts";

test("a copied file is finished once, by its own name", async () => {
  await using world = await watchRoot();
  world.run("cp /etc/hostname a.txt; cp -p /etc/hostname 'with space.txt'; touch empty");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["a.txt", "empty", "with space.txt"]);
  assert.deepEqual(world.paths("gone"), []);
  assert.equal(world.watcher.exact, true);
  assert.deepEqual(world.notices, []);
});

test("files that are there when a root is added are not hinted, their changes are", async () => {
  await using world = await watchDirectory();
  mkdirSync(world.at("deep/er"), { recursive: true });
  writeFileSync(world.at("old"), "1");
  writeFileSync(world.at("deep/er/old"), "1");
  await world.watcher.add(world.root);
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), []);
  appendFileSync(world.at("deep/er/old"), "2");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["deep/er/old"]);
});

test("a file in directories that were made a moment ago is not missed", async () => {
  await using world = await watchRoot();
  const expected: string[] = [];
  for (let i = 0; i < 300; i++) {
    mkdirSync(world.at(`${i}/a/b/c/d`), { recursive: true });
    writeFileSync(world.at(`${i}/a/b/c/d/file`), "x");
    writeFileSync(world.at(`${i}/a/file`), "x");
    expected.push(`${i}/a/b/c/d/file`, `${i}/a/file`);
  }
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), expected.sort());
  assert.equal(world.paths("directory").length, 300 * 5);
});

test("20,000 files in 800 new nested directories are finished once each", async () => {
  await using world = await watchRoot();
  const expected: string[] = [];
  for (let directory = 0; directory < 400; directory++) {
    mkdirSync(world.at(`${directory}`));
    mkdirSync(world.at(`${directory}/below`));
    for (let file = 0; file < 25; file++)
      for (const path of [`${directory}/${file}`, `${directory}/below/${file}`]) {
        writeFileSync(world.at(path), "x");
        expected.push(path);
      }
  }
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), expected.sort());
  assert.deepEqual(world.paths("rescan"), []);
});

test("cp -r, tar x and rsync of a tree finish each file once", async (t) => {
  if (skipWithout(t, "rsync")) return;
  await using world = await watchRoot();
  const files: string[] = [];
  for (let directory = 0; directory < 20; directory++) {
    mkdirSync(join(world.outside, `tree/${directory}/below`), { recursive: true });
    for (let file = 0; file < 25; file++)
      for (const path of [`tree/${directory}/${file}`, `tree/${directory}/below/${file}`]) {
        writeFileSync(join(world.outside, path), "content");
        files.push(path);
      }
  }
  for (const command of [
    "cp -r ../outside/tree .",
    "tar c -C ../outside tree | tar x",
    "rsync -a ../outside/tree .",
    "rsync -a --inplace ../outside/tree .",
    "rsync -a --delay-updates ../outside/tree .",
  ]) {
    world.forget();
    world.run(command);
    await world.watcher.settled();
    assert.deepEqual(world.paths("finished"), files.toSorted(), command);
    rmSync(world.at("tree"), { recursive: true });
    await world.watcher.settled();
  }
});

test("rsync over an old version finishes the file, not its temporary name", async (t) => {
  if (skipWithout(t, "rsync")) return;
  await using world = await watchRoot();
  writeFileSync(world.at("report.csv"), "old");
  writeFileSync(join(world.outside, "report.csv"), "newer content");
  await world.watcher.settled();
  world.forget();
  world.run("rsync -a ../outside/report.csv .");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["report.csv"]);
  assert.deepEqual(
    world.paths("gone").filter((path) => path === "report.csv"),
    [],
  );
});

test("saving in vim and editing with sed -i finish the file once and remove nothing", async (t) => {
  if (skipWithout(t, "vim") || skipWithout(t, "sed")) return;
  await using world = await watchRoot();
  writeFileSync(world.at("notes"), "one\n");
  await world.watcher.settled();
  for (const command of [
    "vim -es -u NONE -c 'set backupcopy=no' -c 'normal otwo' -c wq notes",
    "vim -es -u NONE -c 'set backupcopy=yes' -c 'normal othree' -c wq notes",
    "vim -es -u NONE -c 'set backupcopy=no writebackup' -c 'normal ofour' -c wq notes",
    "sed -i s/one/1/ notes",
  ]) {
    world.forget();
    world.run(command);
    await world.watcher.settled();
    assert.deepEqual(world.paths("finished"), ["notes"], command);
    assert.deepEqual(
      world.paths("gone").filter((path) => path === "notes"),
      [],
      command,
    );
  }
  assert.match(readFileSync(world.at("notes"), "utf8"), /^1\ntwo\nthree\nfour\n/);
});

test("a file whose name looks temporary but stays is finished", async () => {
  await using world = await watchRoot();
  const names = [".config.backup", "sedatives", "4913", "x.tmp", "notes~"];
  for (const name of names) writeFileSync(world.at(name), "x");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), names.toSorted());
});

test("a download is not finished before it has its final name", async () => {
  await using world = await watchRoot();
  writeFileSync(world.at("a.iso.part"), "x");
  writeFileSync(world.at("b.iso.crdownload"), "x");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), []);
  renameSync(world.at("a.iso.part"), world.at("a.iso"));
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["a.iso"]);
});

test("a slow writer's file is not finished before it is closed", async () => {
  await using world = await watchRoot();
  const file = openSync(world.at("slow"), "w");
  for (let i = 0; i < 3; i++) {
    writeSync(file, "part\n");
    await world.watcher.settled();
    await world.watcher.settled();
  }
  assert.deepEqual(world.paths("finished"), []);
  closeSync(file);
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["slow"]);
});

test("a slow writer's file is not finished early when its directory, or the file, is moved in meanwhile", async () => {
  await using world = await watchRoot();
  mkdirSync(join(world.outside, "dir"));
  const inDirectory = openSync(join(world.outside, "dir/slow"), "w");
  const alone = openSync(join(world.outside, "alone"), "w");
  renameSync(join(world.outside, "dir"), world.at("dir"));
  renameSync(join(world.outside, "alone"), world.at("alone"));
  await world.watcher.settled();
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), []);
  for (const file of [inDirectory, alone]) {
    writeSync(file, "the end");
    closeSync(file);
  }
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["alone", "dir/slow"]);
});

test("each close of an append and a truncation in place is another finish", async () => {
  await using world = await watchRoot();
  for (const change of [
    () => writeFileSync(world.at("log"), "1"),
    () => appendFileSync(world.at("log"), "2"),
    () => appendFileSync(world.at("log"), "3"),
    () => truncateSync(world.at("log"), 1),
  ]) {
    change();
    await world.watcher.settled();
  }
  assert.deepEqual(world.paths("finished"), ["log", "log", "log", "log"]);
});

test("hard links, symbolic links and nodes that were never open are finished", async () => {
  await using world = await watchRoot();
  writeFileSync(join(world.outside, "file"), "x");
  linkSync(join(world.outside, "file"), world.at("linked"));
  symlinkSync("nowhere", world.at("symbolic"));
  // The way of programs that must not overwrite: link to the final name, then unlink the temporary one.
  writeFileSync(join(world.outside, "temporary"), "x");
  linkSync(join(world.outside, "temporary"), world.at("delivered"));
  unlinkSync(join(world.outside, "temporary"));
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["delivered", "linked", "symbolic"]);
});

test("a hard link to a file that is being written is finished when the writer has closed it", async () => {
  await using world = await watchRoot();
  const file = openSync(join(world.outside, "file"), "w");
  linkSync(join(world.outside, "file"), world.at("linked"));
  await world.watcher.settled();
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), []);
  closeSync(file);
  await world.until(({ kind }) => kind === "finished");
  assert.deepEqual(world.paths("finished"), ["linked"]);
});

test("pipes and sockets are nobody's objects", async () => {
  await using world = await watchRoot();
  world.run("mkfifo pipe; (exec 3<>pipe; echo x >&3); mv pipe pipe2");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), []);
});

test("a renamed file is gone by its old name and finished by its new one", async () => {
  await using world = await watchRoot();
  writeFileSync(world.at("a"), "x");
  await world.watcher.settled();
  world.forget();
  renameSync(world.at("a"), world.at("b"));
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["b"]);
  assert.deepEqual(world.paths("gone"), ["a"]);
});

test("a directory that is moved in, renamed, and moved out takes its files along", async () => {
  await using world = await watchRoot();
  mkdirSync(join(world.outside, "d/below"), { recursive: true });
  writeFileSync(join(world.outside, "d/1"), "x");
  writeFileSync(join(world.outside, "d/below/2"), "x");

  renameSync(join(world.outside, "d"), world.at("d"));
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["d/1", "d/below/2"]);
  assert.deepEqual(world.paths("directory"), ["d", "d/below"]);

  world.forget();
  renameSync(world.at("d"), world.at("e"));
  writeFileSync(world.at("e/below/3"), "x");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["e/1", "e/below/2", "e/below/3"]);
  assert.deepEqual(world.paths("gone"), ["d"]);

  world.forget();
  renameSync(world.at("e"), join(world.outside, "e"));
  writeFileSync(join(world.outside, "e/below/4"), "x");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), []);
  assert.deepEqual(world.paths("gone"), ["e"]);
});

test("a directory that is replaced by another of its name is to be compared", async () => {
  await using world = await watchRoot();
  mkdirSync(world.at("d"));
  writeFileSync(world.at("d/old"), "x");
  await world.watcher.settled();
  world.forget();
  // Not by a shell: on a busy machine its processes take longer than the settle time.
  renameSync(world.at("d"), world.at("../outside/d"));
  mkdirSync(world.at("d"));
  writeFileSync(world.at("d/new"), "x");
  await world.watcher.settled();
  assert.deepEqual(world.paths("rescan"), ["d"]);
  assert.deepEqual(world.paths("finished"), ["d/new"]);
});

test("a file that becomes a directory, and the other way round, is gone", async () => {
  await using world = await watchRoot();
  world.run("echo x > a; mkdir b; echo x > b/c");
  await world.watcher.settled();
  world.forget();
  world.run("rm a; mkdir a; echo x > a/c; rm -r b; echo x > b");
  await world.watcher.settled();
  assert.deepEqual(world.paths("gone"), ["a", "b", "b/c"]);
  assert.deepEqual(world.paths("finished"), ["a/c", "b"]);
});

test("a directory that becomes a file, and another file before anybody looked, is gone", async () => {
  await using world = await watchRoot();
  world.run("mkdir b; echo x > b/c");
  await world.watcher.settled();
  world.forget();
  world.run("mv b ../outside/b; echo x > b; rm b; echo y > b");
  await world.watcher.settled();
  assert.deepEqual(world.paths("gone"), ["b"]);
});

test("a removed tree is gone with each of its files, and one made anew is seen", async () => {
  await using world = await watchRoot();
  world.run("mkdir -p t/u; echo x > t/1; echo x > t/u/2");
  await world.watcher.settled();
  world.forget();
  world.run("rm -r t");
  await world.watcher.settled();
  assert.deepEqual(world.paths("gone"), ["t", "t/1", "t/u", "t/u/2"]);
  world.run("mkdir -p t/u; echo x > t/u/2");
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), ["t/u/2"]);
});

test("names may hold anything that UTF-8 can say; others are said once and left out", async () => {
  await using world = await watchRoot();
  const names = ["line\nbreak", "tab\t", "café", "日本語", "👩‍🚀", "\ufffd", "-rf", "a\\b", "'\""];
  for (const name of names) writeFileSync(world.at(name), "x");
  mkdirSync(world.at("日本/👩‍🚀"), { recursive: true });
  writeFileSync(world.at("日本/👩‍🚀/é"), "x");
  writeFileSync(Buffer.concat([Buffer.from(`${world.root}/caf`), Buffer.from([0xe9])]), "x");
  mkdirSync(join(world.outside, "moved"));
  writeFileSync(Buffer.concat([Buffer.from(`${world.outside}/moved/caf`), Buffer.from([0xe9])]), "x");
  writeFileSync(join(world.outside, "moved/\ufffd"), "x");
  renameSync(join(world.outside, "moved"), world.at("moved"));
  await world.watcher.settled();
  assert.deepEqual(world.paths("finished"), [...names, "日本/👩‍🚀/é", "moved/\ufffd"].sort());
  assert.equal(world.notices.length, 2);
  for (const notice of world.notices) assert.match(notice, /not UTF-8.*caf\\xe9$/);
});
