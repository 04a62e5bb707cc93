// The commands that mend a denial are pasted into a shell, and name what the denied caller chose to name.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { type Asked, askedOf } from "./record.ts";
import { remediesOf } from "./remedy.ts";

const commandFor = (resource: string): string => {
  const statement = { Effect: "Allow", Action: "sts:AssumeRole", Principal: { AWS: "*" } };
  const missing = [{ change: "add", where: "role trust policy", statement }];
  const fields = { action: "sts:AssumeRole", subject: resource, allowed: false, by: "", principal: "x", missing };
  const asked: Asked = askedOf({ at: 0, id: "1", level: "debug", from: "sts", text: "", fields })!;
  return remediesOf(asked)[0]!.commands[0]!;
};

test("a command is said as it is where its names are plain", () => {
  assert.equal(
    commandFor("arn:aws:iam::000000000000:role/deploy"),
    "aws iam update-assume-role-policy --role-name deploy --policy-document file://policy.json",
  );
});

test("a name is one word to the shell, whatever stands in it", () => {
  for (const name of ["x;echo gone", "$(echo gone)", "`echo gone`", "it's", "a\nb", "*"]) {
    const shown = execFileSync("sh", [
      "-c",
      `aws() { printf '%s' "$4"; }; ${commandFor(`arn:aws:iam::000000000000:role/${name}`)}`,
    ]);
    assert.ok(shown.toString().endsWith(name), `${shown}`);
  }
});
