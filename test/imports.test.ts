// The arrows of docs/architecture.md: who may import whom.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");

/** Part of the tree -> what it may import besides itself. The first pattern that matches a file names its part. */
const arrows: readonly (readonly [part: string, pattern: RegExp, mayImport: readonly string[]])[] = [
  ["test", /\.test\.ts$/, ["*"]],
  ["kernel/mod", /^src\/kernel\/mod\.ts$/, ["kernel", "store", "model", "config"]],
  ["kernel", /^src\/kernel\//, ["store", "model", "config"]],
  ["model", /^src\/model\//, []],
  ["store", /^src\/store\//, []],
  ["config", /^src\/config\.ts$/, []],
  ["accounts", /^src\/accounts\.ts$/, ["config"]],
  ["version", /^src\/version\.ts$/, []],
  ["workspace", /^src\/workspace\.ts$/, []],
  ["wire", /^src\/wire\//, ["model", "kernel/error"]],
  ["door", /^src\/door\//, ["wire", "model", "kernel", "config"]],
  ["why", /^src\/why\//, ["kernel"]],
  ["services", /^src\/services\/[^/]+\//, ["kernel/mod"]],
  ["register", /^src\/services\.ts$/, ["kernel", "model", "services"]],
  ["template", /^src\/template\//, ["aws", "kernel"]],
  ["snapshot", /^src\/snapshot\.ts$/, ["config", "kernel", "store"]],
  ["control", /^src\/control\.ts$/, ["aws", "config", "kernel", "model", "register", "snapshot", "version", "why"]],
  ["cloud", /^src\/cloud\.ts$/, ["config", "door", "kernel", "register", "store"]],
  [
    "aws",
    /^src\/aws\.ts$/,
    ["accounts", "cloud", "config", "control", "door", "kernel", "model", "snapshot", "store", "why", "workspace"],
  ],
  [
    "cli",
    /^src\/(main\.ts|cli\/)/,
    ["accounts", "aws", "config", "door", "template", "version", "kernel", "services", "why", "wire"],
  ],
];

const partOf = (file: string): string => {
  if (file === "src/kernel/error.ts") return "kernel/error";
  const found = arrows.find(([, pattern]) => pattern.test(file));
  assert.ok(found, `${file} belongs to no part of the tree`);
  return found[0];
};

const importsOf = (file: string): string[] => {
  const text = readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s[^;"']*?from\s*["'](\.[^"']+)["']|import\(\s*["'](\.[^"']+)["']\s*\)/g,
  );
  return [...found].map((m) => relative(root, join(root, dirname(file), (m[1] ?? m[2])!)));
};

for (const file of globSync("src/**/*.ts", { cwd: root }))
  test(`${file} imports only what it may`, () => {
    const part = partOf(file);
    if (part === "test") return;
    const allowed = part === "kernel/error" ? [] : arrows.find(([name]) => name === part)![2];
    for (const imported of importsOf(file)) {
      const to = partOf(imported);
      const inside = part === to && (part !== "services" || file.split("/")[2] === imported.split("/")[2]);
      const kernelPart = to.startsWith("kernel") && (part.startsWith("kernel") || allowed.includes("kernel"));
      assert.ok(inside || kernelPart || allowed.includes(to), `${file} may not import ${imported}`);
    }
  });

test("a service does not import another", () => {
  for (const file of globSync("src/services/*/**/*.ts", { cwd: root }))
    for (const imported of importsOf(file))
      if (imported.startsWith("src/services/"))
        assert.equal(imported.split("/")[2], file.split("/")[2], `${file} imports ${imported}`);
});
