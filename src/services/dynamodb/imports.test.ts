import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { DynamoDB, type ImportTableCommandInput, paginateScan } from "@aws-sdk/client-dynamodb";
import { S3 } from "@aws-sdk/client-s3";
import { startCloud, type TestCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";
import { csvRecords } from "./csv.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);
const s3 = cloud.client(S3);
const Bucket = "sources";
await s3.createBucket({ Bucket });

const SCHEMA = {
  AttributeDefinitions: [
    { AttributeName: "id", AttributeType: "S" as const },
    { AttributeName: "rank", AttributeType: "N" as const },
  ],
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" as const }],
  GlobalSecondaryIndexes: [
    {
      IndexName: "by-rank",
      KeySchema: [{ AttributeName: "rank", KeyType: "HASH" as const }],
      Projection: { ProjectionType: "ALL" as const },
    },
  ],
  BillingMode: "PAY_PER_REQUEST" as const,
};

const request = (TableName: string, more: object = {}): ImportTableCommandInput => ({
  S3BucketSource: { S3Bucket: Bucket, S3KeyPrefix: `${TableName}/` },
  InputFormat: "DYNAMODB_JSON",
  TableCreationParameters: { TableName, ...SCHEMA },
  ...more,
});

async function imported(TableName: string, more: object = {}, as = dynamodb) {
  const { ImportTableDescription } = await as.importTable(request(TableName, more));
  await cloud.settle();
  return (await dynamodb.describeImport({ ImportArn: ImportTableDescription!.ImportArn })).ImportTableDescription!;
}

const put = (Key: string, Body: string | Uint8Array) =>
  s3.putObject({ Bucket, Key, Body, ContentLength: Buffer.byteLength(Body) });

async function contents(TableName: string, IndexName?: string) {
  const { Items } = await dynamodb.scan({ TableName, IndexName });
  return Items!.toSorted((a, b) => (a.id!.S! < b.id!.S! ? -1 : 1));
}

const line = (id: string, rank: string, more: object = {}) =>
  `${JSON.stringify({ Item: { id: { S: id }, rank: { N: rank }, ...more } })}\n`;

test("DynamoDB JSON becomes a table with its indexes, from however many objects, compressed or not", async () => {
  const raw = { B: Buffer.from("raw").toString("base64") };
  const objects = { NONE: (text: string) => Buffer.from(text), GZIP: gzipSync, ZSTD: zstdCompressSync };
  for (const [compression, pack] of Object.entries(objects)) {
    const TableName = `json-${compression}`;
    await put(`${TableName}/1`, pack(line("a", "1", { raw }) + line("b", "1.50")));
    await put(`${TableName}/2`, pack(line("c", "2").trimEnd()));
    await put(`${TableName}/empty`, "");
    await put(`${TableName}-other/1`, "this is not its prefix");
    const done = await imported(TableName, { InputCompressionType: compression, ClientToken: compression });
    assert.deepEqual(
      [done.ImportStatus, done.ProcessedItemCount, done.ImportedItemCount, done.ErrorCount, done.FailureMessage],
      ["COMPLETED", 3, 3, 0, undefined],
    );
    assert.deepEqual(done.S3BucketSource, {
      S3Bucket: Bucket,
      S3KeyPrefix: `${TableName}/`,
      S3BucketOwner: "000000000000",
    });
    assert.deepEqual(done.TableCreationParameters, { TableName, ...SCHEMA });
    assert.equal(done.InputCompressionType, compression);
    const length = Buffer.byteLength(line("a", "1", { raw }) + line("b", "1.50") + line("c", "2")) - 1;
    assert.equal(done.ProcessedSizeBytes, length);
    const { Table } = await dynamodb.describeTable({ TableName });
    assert.deepEqual([Table!.TableStatus, Table!.TableId], ["ACTIVE", done.TableId]);
    const expected = [
      { id: { S: "a" }, rank: { N: "1" }, raw: { B: new Uint8Array(Buffer.from("raw")) } },
      { id: { S: "b" }, rank: { N: "1.5" } },
      { id: { S: "c" }, rank: { N: "2" } },
    ];
    assert.deepEqual(await contents(TableName), expected);
    assert.deepEqual(await contents(TableName, "by-rank"), expected);
  }
});

test("CSV becomes a table: keys of tables and indexes have their types, all else are strings", async () => {
  await put("csv/1", 'id,rank,note\na,1,"says ""hi"", twice"\r\nb,02,"two\nlines"\n\n');
  await put("csv/2", "id,rank,note\nc,3,\n");
  const done = await imported("csv", { InputFormat: "CSV" });
  assert.deepEqual([done.ImportStatus, done.ImportedItemCount, done.InputFormatOptions], ["COMPLETED", 3, undefined]);
  assert.deepEqual(await contents("csv"), [
    { id: { S: "a" }, rank: { N: "1" }, note: { S: 'says "hi", twice' } },
    { id: { S: "b" }, rank: { N: "2" }, note: { S: "two\nlines" } },
    { id: { S: "c" }, rank: { N: "3" }, note: { S: "" } },
  ]);
  await put("headed/1", "a;1;x\nb;2\nc;3;z\n");
  const InputFormatOptions = { Csv: { Delimiter: ";", HeaderList: ["id", "rank", "note"] } };
  const headed = await imported("headed", { InputFormat: "CSV", InputFormatOptions });
  assert.deepEqual(
    [headed.ImportStatus, headed.ProcessedItemCount, headed.ImportedItemCount, headed.ErrorCount],
    ["FAILED", 3, 2, 1],
    "a line of too few columns is none",
  );
  assert.deepEqual(headed.InputFormatOptions, InputFormatOptions);
  assert.deepEqual(
    (await contents("headed")).map(({ id, note }) => [id!.S, note!.S]),
    [
      ["a", "x"],
      ["c", "z"],
    ],
  );
});

test("records that are no items are counted; the others are in the table, which is ACTIVE", async () => {
  await put(
    "faulty/1",
    [line("a", "1"), '{"Item":{"rank":{"N":"1"}}}\n', line("b", "x"), line("", "1"), line("c", "2")].join(""),
  );
  await put("faulty/2", [line("d", "1"), "garbage\n", line("never", "1")].join(""));
  await put("faulty/3", ['{"id":{"S":"x"}}\n{"Item":{"id":{"Z":"x"}}}\n', line("e", "3"), line("e", "4")].join(""));
  const done = await imported("faulty");
  assert.deepEqual(
    [done.ImportStatus, done.FailureCode, done.ProcessedItemCount, done.ImportedItemCount, done.ErrorCount],
    ["FAILED", "ItemValidationError", 11, 5, 6],
  );
  assert.equal(
    done.FailureMessage,
    "Some of the items failed validation checks and were not imported. Please check CloudWatch error logs for more details.",
  );
  const ids = (await contents("faulty")).map(({ id }) => id!.S);
  assert.deepEqual(ids, ["a", "c", "d", "e"]);
  const ranks = (await contents("faulty", "by-rank")).map(({ rank }) => rank!.N);
  assert.deepEqual(ranks, ["1", "2", "1", "4"], "the later of two of one key, and nothing of the first");
  await put("unzipped/1", line("a", "1"));
  const unzipped = await imported("unzipped", { InputCompressionType: "GZIP" });
  assert.deepEqual([unzipped.ProcessedItemCount, unzipped.ErrorCount], [1, 1]);
});

test("what S3 refuses makes no table; an empty prefix makes an empty one", async () => {
  const gone = await imported("bucketless", { S3BucketSource: { S3Bucket: "nowhere" } });
  assert.deepEqual([gone.ImportStatus, gone.FailureCode, gone.ErrorCount], ["FAILED", "S3NoSuchBucket", 0]);
  assert.match(await refusal(dynamodb.describeTable({ TableName: "bucketless" })), /^ResourceNotFoundException/);
  const none = await imported("none");
  assert.deepEqual([none.ImportStatus, none.ProcessedItemCount], ["COMPLETED", 0]);
  assert.deepEqual(await contents("none"), []);
  await put("denied/1", line("a", "1"));
  const may = policy(allow(["dynamodb:ImportTable", "s3:ListBucket"]));
  const half = cloud.client(DynamoDB, await userWith(cloud, "half", { may }));
  const denied = await imported("denied", {}, half);
  assert.deepEqual([denied.ImportStatus, denied.FailureCode], ["FAILED", "S3AccessDenied"], "it is theirs to read");
});

test("an import is refused in AWS's words, and asked for once with a token", async () => {
  await put("asked/1", line("a", "1"));
  const { ImportTableDescription } = await dynamodb.importTable(request("asked", { ClientToken: "once" }));
  assert.equal(ImportTableDescription!.ImportStatus, "IN_PROGRESS");
  await cloud.settle();
  const refused: [object, RegExp][] = [
    [{}, /^ResourceInUseException 400 Table already exists: asked$/],
    [{ ClientToken: "once" }, /^ResourceInUseException 400 Table already exists: asked$/],
    [{ InputFormat: "ION" }, /^NotImplemented 501 InputFormat ION/],
    [
      { InputFormatOptions: { Csv: { Delimiter: ";" } } },
      /^ValidationException 400 Invalid Request: Unsupported InputFormatOptions for the given input format: DYNAMODB_JSON\.$/,
    ],
    [
      { TableCreationParameters: { TableName: "other", ...SCHEMA, BillingMode: undefined } },
      /: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED$/,
    ],
    [
      { ClientToken: "once", TableCreationParameters: { TableName: "other", ...SCHEMA } },
      /^ImportConflictException 400 Import conflict: Duplicate request detected with conflicting parameters$/,
    ],
  ];
  for (const [more, expected] of refused)
    assert.match(await refusal(dynamodb.importTable(request("asked", more))), expected);
  await dynamodb.deleteTable({ TableName: "asked" });
  const again = await dynamodb.importTable(request("asked", { ClientToken: "once" }));
  assert.equal(again.ImportTableDescription!.ImportArn, ImportTableDescription!.ImportArn);
  const { TableArn, ImportArn } = ImportTableDescription!;
  const { ImportSummaryList } = await dynamodb.listImports({ TableArn });
  assert.deepEqual(
    ImportSummaryList!.map((job) => [job.ImportArn, job.ImportStatus]),
    [[ImportArn, "COMPLETED"]],
  );
  assert.equal((await dynamodb.listImports({ PageSize: 1 })).ImportSummaryList!.length, 1);
  assert.match(
    await refusal(dynamodb.describeImport({ ImportArn: TableArn })),
    /^ValidationException 400 Invalid Import ARN$/,
  );
  assert.match(
    await refusal(dynamodb.describeImport({ ImportArn: `${ImportArn}0` })),
    /^ImportNotFoundException 400 Import not found: /,
  );
});

test("an import that is interrupted goes on where it was, and counts nothing twice", async () => {
  const dir = await mkdtemp(join(tmpdir(), "aws-like-import-"));
  after(() => rm(dir, { recursive: true, force: true }));
  const COUNT = 6000;
  let arn: string | undefined;
  {
    await using first: TestCloud = await startCloud({ dir });
    const bucket = first.client(S3);
    await bucket.createBucket({ Bucket });
    const lines = Array.from({ length: COUNT }, (_, i) => line(`i${i}`, String(i)));
    await bucket.putObject({ Bucket, Key: "large/1", Body: lines.slice(0, COUNT / 2).join("") });
    await bucket.putObject({ Bucket, Key: "large/2", Body: lines.slice(COUNT / 2).join("") });
    const client = first.client(DynamoDB);
    const { ImportTableDescription } = await client.importTable(request("large"));
    arn = ImportTableDescription!.ImportArn;
    assert.match(
      await refusal(client.deleteTable({ TableName: "large" })),
      /^ResourceInUseException 400 .*Table is being created: large$/,
    );
    for (let done = 0; done === 0; )
      done = (await client.describeImport({ ImportArn: arn })).ImportTableDescription!.ProcessedItemCount!;
  }
  await using second: TestCloud = await startCloud({ dir });
  const client = second.client(DynamoDB);
  const { ImportTableDescription: between } = await client.describeImport({ ImportArn: arn });
  assert.ok(between!.ProcessedItemCount! > 0);
  await second.advance(10_000);
  const { ImportTableDescription: done } = await client.describeImport({ ImportArn: arn });
  assert.deepEqual(
    [done!.ImportStatus, done!.ProcessedItemCount, done!.ImportedItemCount, done!.ErrorCount],
    ["COMPLETED", COUNT, COUNT, 0],
  );
  let found = 0;
  for await (const { Count } of paginateScan({ client }, { TableName: "large", Select: "COUNT" })) found += Count!;
  assert.equal(found, COUNT);
});

test("CSV is the same however it is cut into pieces", async () => {
  const read = async (pieces: AsyncIterable<string>, delimiter: string, longest = 100) => {
    const records: (readonly string[])[] = [];
    for await (const record of csvRecords(pieces, { delimiter, longest })) records.push(record);
    return records;
  };
  const text = 'a,"b ""c""",\r\n"x\ny",,"z"\n\nlast,"",q';
  const expected = [
    ["a", 'b "c"', ""],
    ["x\ny", "", "z"],
    ["last", "", "q"],
  ];
  for (let size = 1; size <= text.length; size++) {
    const pieces = async function* () {
      for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
    };
    assert.deepEqual(await read(pieces(), ","), expected);
  }
  const one = async function* (piece: string) {
    yield piece;
  };
  await assert.rejects(read(one('a;"b'), ";"), /not closed/);
  await assert.rejects(read(one("a;b"), ";", 2), /longer than 2/);
});
