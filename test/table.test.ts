// `aws-like table`: a CSV file goes in, SQL comes out; of a cloud that runs, and of a workspace that does not.
import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { linesOf } from "../src/cli/table/csv.ts";
import { type Import, importCsv } from "../src/cli/table/import.ts";
import { Guess, typesSaid } from "../src/cli/table/types.ts";
import { viewQuery } from "../src/services/dynamodb/view-query.ts";
import { type Ran, run, temporary } from "./bin.ts";
import { ROOT, startCloud } from "./cloud.ts";
import { makeWorkspace } from "./running.ts";

const FILES = `\ufeffname,size,ok,zip,note
cat.jpg,123,true,00501,"hello, ""world"""
dog.jpg,4.5e3,false,10001,"two
lines"

cat.jpg,124,TRUE,00501,
`;

function assertRefused({ code, stdout, stderr }: Ran, sentence: RegExp): void {
  assert.equal(code, 1, stdout + stderr);
  assert.match(stderr, /^aws-like: [^\n]+\n$/);
  assert.match(stderr, sentence);
}

test("a running cloud takes a file in by its API, and is asked in SQL", async () => {
  await using it = await makeWorkspace({ init: false });
  const cloud = await it.up();
  const files = it.at("files.csv");
  await writeFile(files, FILES);
  assertRefused(await cloud.cli("table", files, "files"), /there is no table files; to make it say --key/);
  const made = await cloud.cli("table", files, "files", "--key", "name");
  assert.match(made.stdout, /^made the table files\n3 lines into files, \d+\.\d s\n$/, made.stderr);
  const dynamodb = cloud.client(DynamoDB);
  const { Items } = await dynamodb.scan({ TableName: "files" });
  assert.deepEqual(
    Items!.toSorted((a, b) => (a.name!.S! < b.name!.S! ? -1 : 1)),
    [
      { name: { S: "cat.jpg" }, size: { N: "124" }, ok: { BOOL: true }, zip: { S: "00501" } },
      {
        name: { S: "dog.jpg" },
        size: { N: "4500" },
        ok: { BOOL: false },
        zip: { S: "10001" },
        note: { S: "two\nlines" },
      },
    ],
  );
  const asked = async (...args: string[]) => {
    const { stdout, stderr, code } = await cloud.cli("table", ...args);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  assert.equal(
    await asked("files", "--sql", "order by size"),
    [
      "name     size  ok  zip    note",
      "-------  ----  --  -----  ---------",
      "cat.jpg  124   1   00501",
      "dog.jpg  4500  0   10001  two lines",
      "",
    ].join("\n"),
  );
  assert.equal(
    await asked("files", "--sql", "where size > 1000", "--csv"),
    'name,size,ok,zip,note\ndog.jpg,4500,0,10001,"two\nlines"\n',
  );
  assert.equal(
    await asked("files", "--json", "--sql", "select name, ok from files where size < 1000"),
    '{"name":"cat.jpg","ok":1}\n',
  );
  assert.equal(await asked("files", "--sql", "where name = ';'"), "");
  assertRefused(await cloud.cli("table", "files", "--sql", "where nix = 1"), /no such column: nix$/m);
  assertRefused(await cloud.cli("table", "files", "--sql", "; drop table dynamodb_item"), /without a semicolon$/m);
  const large = it.at("large.csv");
  await writeFile(
    large,
    `id,text\n${Array.from({ length: 120 }, (_, i) => `${i},${"x".repeat(100_000)}`).join("\n")}\n`,
  );
  assert.equal((await cloud.cli("table", large, "large", "--key", "id")).code, 0);
  const body = JSON.stringify({ table: "large" });
  const some = await fetch(`${cloud.endpoint}/_aws-like/table`, { method: "POST", body });
  const { rows, more } = (await some.json()) as { rows: unknown[]; more: boolean };
  assert.deepEqual([rows.length, more], [100, true], "no answer holds more than some megabytes");
  assertRefused(await run(["table", files, "files", "--dir", it.dir]), /another aws-like runs in .*; stop it first$/m);
  assertRefused(await cloud.cli("table", "other"), /there is no table other in us-east-1$/m);
});

test("what a file has wrong is said with its line", async () => {
  await using cloud = await startCloud();
  await using it = await temporary();
  const file = join(it.dir, "fault.csv");
  const access = { endpoint: cloud.endpoint, region: "us-east-1", ...ROOT };
  await writeFile(file, "id,n\n1,2\n");
  const made = await importCsv({ access, file, table: "numbers", ...NOTHING_SAID, key: ["id"] });
  assert.deepEqual(made, { lines: 1, made: true });
  const faults: readonly (readonly [string, Partial<Import>, RegExp])[] = [
    ["id,n\na,1\nb,2,3\n", {}, /line 3: 3 fields, where the header has 2$/m],
    ["id,id\na,b\n", {}, /two columns id$/m],
    ['id,n\na,"1\n', {}, /line 2: a quote is never closed$/m],
    ["id,n\n,1\n", {}, /line 2: id is empty, and of the key$/m],
    ["n\n1\n", {}, /no column id, which is of the key of numbers$/m],
    ["id,n\na,1\n", { types: typesSaid("n=BOOL") }, /line 2, n: "1" is neither true nor false$/m],
    ["id,n\n1,x\n", { types: typesSaid("n=N") }, /lines 2 to 2: ValidationException: .*x/],
    ["id,n\na,1\n", { key: ["n"] }, /the table numbers is there, with the key id: leave out --key$/m],
    ["", {}, /is empty: its first line names the columns$/m],
  ];
  for (const [text, more, message] of faults) {
    await writeFile(file, text);
    await assert.rejects(importCsv({ access, file, table: "numbers", ...NOTHING_SAID, ...more }), { message });
  }
  assert.throws(() => typesSaid("n=X"), /--types is COLUMN=TYPE/);
});
const NOTHING_SAID = { key: undefined, types: typesSaid(undefined) };

test("a workspace that does not run takes a file in and is read as well, and is left as it was found", async () => {
  await using it = await temporary();
  const at = (name: string) => join(it.dir, name);
  const table = (...args: string[]) => run(["table", ...args, "--dir", it.dir]);
  await writeFile(
    at("n.csv"),
    `id,at,n\n${Array.from({ length: 300 }, (_, i) => `k${i % 150},${i},${i}`).join("\n")}\n`,
  );
  assert.equal((await table(at("n.csv"), "numbers", "--key", "id")).code, 0);
  const counted = await table("numbers", "--csv", "--sql", "select count(*) as items, min(n) as least from numbers");
  assert.equal(counted.stdout, "items,least\n150,150\n", "of two lines with the same key the later counts");
  assert.ok(!(await readdir(it.dir)).some((name) => /-wal|-shm/.test(name)));
  // As the table says: its key stays text where the file has numbers only.
  await writeFile(at("more.csv"), "id,flag\n7,yes\n8,no\n");
  assert.equal((await table(at("more.csv"), "numbers", "--types", "flag=S")).code, 0);
  assert.equal(
    (await table("numbers", "--json", "--sql", "where flag = 'yes'")).stdout,
    '{"id":"7","at":null,"n":null,"flag":"yes"}\n',
  );
  assertRefused(await run(["table", "x", "--dir", it.dir, "--csv", "--json"]), /exclude each other$/m);
  assertRefused(await run(["table", at("none.csv"), "x", "--dir", it.dir]), /there is no file/);
  assertRefused(await run(["table", "x", "--dir", at("logs")]), /there is no database in/);
});

test("CSV is read across the pieces that a file comes in, with all kinds of line ends and quotes", async () => {
  await using it = await temporary();
  const file = join(it.dir, "x.csv");
  const long = "é".repeat(300_000);
  await writeFile(file, `a,b\r\n"x ""y"" z",\r\n"1\r\n2","${long}"\r\nit's,5" pipe\n,\nlast,`);
  const lines: [number, readonly string[]][] = [];
  for await (const { number, fields } of linesOf(file, () => undefined)) lines.push([number, fields]);
  assert.deepEqual(lines, [
    [1, ["a", "b"]],
    [2, ['x "y" z', ""]],
    [3, ["1\r\n2", long]],
    [5, ["it's", '5" pipe']],
    [6, ["", ""]],
    [7, ["last", ""]],
  ]);
});

test("a column is a number or a boolean only where all of it is, and would be given back as it stands", () => {
  const cases: readonly (readonly [fields: string[], type: string])[] = [
    [["1", "-2.50", "1e10", ""], "N"],
    [["007"], "S"],
    [["1", "x"], "S"],
    [["9".repeat(38)], "N"],
    [["9".repeat(39)], "S"],
    [["true", "False"], "BOOL"],
    [["true", "1"], "S"],
    [["", ""], "S"],
    [["NaN"], "S"],
    [["+1"], "S"],
  ];
  for (const [fields, type] of cases) {
    const guess = new Guess();
    for (const field of fields) guess.look(field);
    assert.equal(guess.type, type, fields.join());
  }
});

test("SQL of one's own stands alone, or behind the table", () => {
  assert.equal(viewQuery('a"b', "where x").query, 'SELECT * FROM "a""b" where x');
  assert.equal(viewQuery("t", " SELECT 1").query, " SELECT 1");
  assert.throws(() => viewQuery("t", "where a = 'it''s;' ; select 1"), /semicolon/);
  assert.doesNotThrow(() => viewQuery("t", "where a = 'it''s;'"));
});
