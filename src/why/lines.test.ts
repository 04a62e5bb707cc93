// Line numbers of statements, as an editor shows them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { lineOf } from "./lines.ts";

const LIST = `{
  "Version": "2012-10-17",
  "Id": "a { \\"Statement\\": [ {",
  "Statement": [
    { "Sid": "First", "Effect": "Allow",
      "Condition": { "StringEquals": { "Statement": "{" } } },

    {
      "Effect": "Deny" }, { "Sid": "1", "Effect": "Deny" }
  ]
}
`;
const ONE = `{
  "Statement":
    { "Effect": "Allow", "Condition": { "Bool": {} } }
}`;

const cases: readonly (readonly [what: string, text: string, statement: string, line: number | undefined])[] = [
  ["by its Sid", LIST, "First", 5],
  ["by its place", LIST, "2", 8],
  ["by a Sid that looks like a place", LIST, "1", 9],
  ["alone, without a list", ONE, "1", 3],
  ["on a line with all others", '{"Statement":[{},{}]}', "2", 1],
  ["that is not there", LIST, "9", undefined],
  ["of no JSON", "{", "1", undefined],
];

for (const [what, text, statement, line] of cases)
  test(`a statement is found ${what}`, () => assert.equal(lineOf(text, statement), line));
