import assert from "node:assert/strict";
import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { lookAtLive, openLive } from "./live.ts";

interface Workspace extends AsyncDisposable {
  readonly dir: string;
  readonly lambdaDir: string;
}

async function workspace(): Promise<Workspace> {
  const dir = await mkdtemp(join(tmpdir(), "aws-like-live-"));
  await writeFile(join(dir, "db.sqlite"), "secret");
  await writeFile(join(dir, "lambda.sh"), "handler() { echo 1; }\n");
  await mkdir(join(dir, "code/lib"), { recursive: true });
  await writeFile(join(dir, "code/lib/a.py"), "x = 1\n");
  return {
    dir,
    lambdaDir: join(dir, ".aws-like/lambda"),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true }),
  };
}

test("A live file is mounted from a directory that holds nothing else", async () => {
  await using ws = await workspace();
  await chmod(join(ws.dir, "lambda.sh"), 0o600);
  const live = await openLive(ws.dir, ws.lambdaDir, join(ws.dir, "lambda.sh"));
  assert.deepEqual(await readdir(live.dir), ["lambda.sh"]);
  assert.equal((await stat(join(live.dir, "lambda.sh"))).mode & 0o777, 0o644);
  assert.equal(live.size, 22);
});

test("A live directory is mounted itself", async () => {
  await using ws = await workspace();
  const path = join(ws.dir, "code");
  assert.equal((await openLive(ws.dir, ws.lambdaDir, path)).dir, path);
});

test("An edit, a replacement and a new mode of live code each give another hash; nothing else does", async () => {
  await using ws = await workspace();
  for (const [path, file] of [
    ["lambda.sh", "lambda.sh"],
    ["code", "code/lib/a.py"],
  ] as const) {
    const look = async () => (await lookAtLive(ws.dir, join(ws.dir, path))).sha256;
    const target = join(ws.dir, file);
    const seen = [await look()];
    assert.equal(await look(), seen[0]);
    await appendFile(target, "# more\n");
    seen.push(await look());
    await writeFile(join(ws.dir, "new"), await readFile(target));
    await rename(join(ws.dir, "new"), target);
    seen.push(await look());
    await chmod(target, 0o755);
    seen.push(await look());
    assert.equal(new Set(seen).size, 4);
    await writeFile(join(ws.dir, "db.sqlite"), "more");
    assert.equal(await look(), seen[3]);
  }
});

test("A removed and an added file of a live directory each give another hash", async () => {
  await using ws = await workspace();
  const look = async () => (await lookAtLive(ws.dir, join(ws.dir, "code"))).sha256;
  const seen = [await look()];
  await writeFile(join(ws.dir, "code/b.py"), "");
  seen.push(await look());
  await rm(join(ws.dir, "code/lib/a.py"));
  seen.push(await look());
  assert.equal(new Set(seen).size, 3);
});

test("Edited live files are staged anew, and old versions do not pile up", async () => {
  await using ws = await workspace();
  const path = join(ws.dir, "lambda.sh");
  const dirs: string[] = [];
  for (let i = 0; i < 5; i++) {
    await writeFile(path, `echo ${i}${"#".repeat(i)}\n`);
    const { dir } = await openLive(ws.dir, ws.lambdaDir, path);
    assert.match(await readFile(join(dir, "lambda.sh"), "utf8"), new RegExp(`echo ${i}`));
    dirs.push(dir);
  }
  assert.equal(new Set(dirs).size, 5);
  assert.equal((await readdir(join(dirs[0]!, ".."))).length, 2);
});

test("Live code that would show the workspace, or that lies outside it, is refused", async () => {
  await using ws = await workspace();
  await symlink("/etc", join(ws.dir, "outside"));
  await symlink("/etc/hostname", join(ws.dir, "outside.sh"));
  await symlink(ws.dir, join(ws.dir, "myself"));
  await mkdir(ws.lambdaDir, { recursive: true });
  for (const path of [ws.dir, `${ws.dir}/`, join(ws.dir, "code/.."), "/etc", "/", join(ws.dir, "outside")])
    await assert.rejects(lookAtLive(ws.dir, path), { code: "InvalidParameterValueException" }, path);
  for (const path of [join(ws.dir, "outside.sh"), join(ws.dir, "myself"), ws.lambdaDir, "lambda.sh", "/dev/null"])
    await assert.rejects(lookAtLive(ws.dir, path), { code: "InvalidParameterValueException" }, path);
});

test("Live code that is the cloud's own state is refused, be it one file", async () => {
  await using ws = await workspace();
  await mkdir(join(ws.dir, "buckets/photos"), { recursive: true });
  for (const file of ["db.sqlite", "db.sqlite-wal", "buckets/photos/cat.jpg"]) await writeFile(join(ws.dir, file), "");
  for (const path of ["db.sqlite", "db.sqlite-wal", "buckets", "buckets/photos", "buckets/photos/cat.jpg"])
    await assert.rejects(lookAtLive(ws.dir, join(ws.dir, path)), { code: "InvalidParameterValueException" }, path);
});

test("Live code that is not there is refused as a missing object", async () => {
  await using ws = await workspace();
  await assert.rejects(lookAtLive(ws.dir, join(ws.dir, "nothing.sh")), {
    code: "InvalidParameterValueException",
    message: /S3 Error Code: NoSuchKey/,
  });
});
