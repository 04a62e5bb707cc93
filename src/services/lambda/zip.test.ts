import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { zipOf } from "../../../test/zip.ts";
import { readZip, ZipError } from "./zip.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

test("A zip's files come with their bytes, mode bits, directories and symbolic links", () => {
  const entries = readZip(
    zipOf({
      bootstrap: { data: "#!/bin/sh\n".repeat(100), mode: 0o100755 },
      "lib/": { data: "", mode: 0o040755 },
      "lib/ünï.txt": { data: "ü", mode: 0o100644 },
      "lib/link": { data: "../bootstrap", mode: 0o120777 },
    }),
  );
  assert.deepEqual(
    entries.map(({ path, kind, mode, size }) => ({ path, kind, mode, size })),
    [
      { path: "bootstrap", kind: "file", mode: 0o755, size: 1000 },
      { path: "lib", kind: "directory", mode: 0o755, size: 0 },
      { path: "lib/ünï.txt", kind: "file", mode: 0o644, size: 2 },
      { path: "lib/link", kind: "symlink", mode: 0o777, size: 12 },
    ],
  );
  assert.equal(text(entries[0]!.read()), "#!/bin/sh\n".repeat(100));
  assert.equal(text(entries[3]!.read()), "../bootstrap");
});

test("An entry of no bytes and an archive of no entries are read", () => {
  const [empty] = readZip(zipOf({ "__init__.py": { data: "" } }));
  assert.equal(empty!.read().length, 0);
  assert.deepEqual(readZip(zipOf({})), []);
});

for (const name of ["../evil", "/etc/passwd", "a/../../evil", "..\\evil", "a\0b"])
  test(`A zip with the entry ${JSON.stringify(name)} is refused`, () => {
    assert.throws(() => readZip(zipOf({ [name]: { data: "x" } })), ZipError);
  });

test("What is no zip, or is cut anywhere, is a ZipError and nothing else", () => {
  const zip = zipOf({ "a.txt": { data: "hello ".repeat(50) }, "b.txt": { data: "b" } });
  for (const bytes of [Buffer.alloc(0), Buffer.from("not a zip"), Buffer.alloc(1000, 0x50)])
    assert.throws(() => readZip(bytes), ZipError);
  for (let length = 0; length < zip.length; length++)
    assert.throws(() => readZip(zip.subarray(0, length)).map((entry) => entry.read()), ZipError, `cut at ${length}`);
});

test("A changed byte of an entry is noticed", () => {
  const zip = zipOf({ "a.txt": { data: "hello hello hello hello" } });
  zip[zip.indexOf("a.txt") + 6]! ^= 0x55;
  assert.throws(() => readZip(zip)[0]!.read(), ZipError);
});

test("An entry that inflates to more than its directory says is refused before it fills the memory", () => {
  const zip = zipOf({ bomb: { data: Buffer.alloc(50_000_000), size: 10 } });
  assert.throws(() => readZip(zip)[0]!.read(), ZipError);
});

test("Zip64 sizes and offsets are read", () => {
  const [entry] = readZip(zipOf({ "a.txt": { data: "hello" } }, { zip64: true }));
  assert.equal(entry!.size, 5);
  assert.equal(text(entry!.read()), "hello");
});

test("What Debian's zip, or Python's zipfile, packs is read", () => {
  const dir = mkdtempSync(join(tmpdir(), "aws-like-zip-"));
  try {
    mkdirSync(join(dir, "in/sub"), { recursive: true });
    writeFileSync(join(dir, "in/bootstrap"), "#!/bin/bash\n");
    chmodSync(join(dir, "in/bootstrap"), 0o755);
    writeFileSync(join(dir, "in/sub/x.txt"), "x".repeat(10_000));
    symlinkSync("sub/x.txt", join(dir, "in/link"));
    execFileSync("python3", ["-m", "zipfile", "-c", "out.zip", "in/bootstrap", "in/sub/"], { cwd: dir });
    const entries = readZip(readFileSync(join(dir, "out.zip")));
    const found = entries.find(({ path }) => path === "bootstrap");
    assert.equal(found?.mode, 0o755);
    assert.equal(text(entries.find(({ path }) => path === "sub/x.txt")!.read()), "x".repeat(10_000));
  } finally {
    rmSync(dir, { recursive: true });
  }
});
