import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { DynamoDB, type ExportTableToPointInTimeCommandInput } from "@aws-sdk/client-dynamodb";
import { S3 } from "@aws-sdk/client-s3";
import { startCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
await cloud.aws.clock({ freeze: true });
const dynamodb = cloud.client(DynamoDB);
const s3 = cloud.client(S3);
const MINUTE = 60_000;
const S3Bucket = "exported";
await s3.createBucket({ Bucket: S3Bucket });

async function makeTable(TableName: string, recovered = true): Promise<string> {
  const { TableDescription } = await dynamodb.createTable({
    TableName,
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  if (recovered)
    await dynamodb.updateContinuousBackups({
      TableName,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    });
  return TableDescription!.TableArn!;
}

const put = (TableName: string, id: string, value: string) =>
  dynamodb.putItem({ TableName, Item: { id: { S: id }, value: { N: value }, raw: { B: Buffer.from("raw") } } });

async function exported(input: Omit<ExportTableToPointInTimeCommandInput, "S3Bucket">) {
  const { ExportDescription } = await dynamodb.exportTableToPointInTime({ S3Bucket, ...input });
  await cloud.settle();
  return (await dynamodb.describeExport({ ExportArn: ExportDescription!.ExportArn })).ExportDescription!;
}

async function object(Key: string): Promise<Buffer> {
  const { Body } = await s3.getObject({ Bucket: S3Bucket, Key });
  return Buffer.from(await Body!.transformToByteArray());
}

/** The lines of all data files, and their manifests. */
async function read(manifest: string) {
  const summary = JSON.parse(String(await object(manifest))) as Record<string, unknown>;
  const text = String(await object(summary.manifestFilesS3Key as string));
  const files = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, string | number>);
  const lines: Record<string, unknown>[] = [];
  for (const { dataFileS3Key, md5Checksum, etag, itemCount } of files) {
    const body = await object(dataFileS3Key as string);
    assert.equal(createHash("md5").update(body).digest("base64"), md5Checksum);
    assert.equal(createHash("md5").update(body).digest("hex"), etag);
    const found = String(gunzipSync(body))
      .split("\n")
      .filter((line) => line !== "");
    assert.equal(found.length, itemCount);
    lines.push(...found.map((line) => JSON.parse(line) as Record<string, unknown>));
  }
  return { summary, files, lines: lines.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) };
}

test("a table is exported as it was at a time, with manifests that tell of each file", async () => {
  const TableArn = await makeTable("full");
  await put("full", "a", "1");
  await put("full", "b", "2.50");
  const ExportTime = new Date(cloud.aws.now());
  await cloud.advance(MINUTE);
  await put("full", "a", "3");
  await put("full", "c", "4");
  const { ExportDescription: begun } = await dynamodb.exportTableToPointInTime({
    TableArn,
    S3Bucket,
    S3Prefix: "backups",
    ExportTime,
    ClientToken: "once",
  });
  assert.deepEqual(Object.keys(begun!).toSorted(), [
    "ClientToken",
    "ExportArn",
    "ExportFormat",
    "ExportStatus",
    "ExportTime",
    "S3Bucket",
    "S3Prefix",
    "S3SseAlgorithm",
    "StartTime",
    "TableArn",
    "TableId",
  ]);
  assert.equal(begun!.ExportStatus, "IN_PROGRESS");
  await cloud.settle();
  const { ExportDescription: done } = await dynamodb.describeExport({ ExportArn: begun!.ExportArn });
  assert.deepEqual([done!.ExportStatus, done!.ItemCount, done!.FailureMessage], ["COMPLETED", 2, undefined]);
  const id = begun!.ExportArn!.split("/").at(-1)!;
  assert.match(id, /^\d{14}-[0-9a-f]{8}$/);
  assert.equal(done!.ExportManifest, `backups/AWSDynamoDB/${id}/manifest-summary.json`);
  const { summary, files, lines } = await read(done!.ExportManifest!);
  const { endTime, billedSizeBytes, ...rest } = summary;
  assert.equal(endTime, new Date(done!.EndTime!).toISOString());
  assert.equal(billedSizeBytes, done!.BilledSizeBytes);
  assert.deepEqual(rest, {
    version: "2020-06-30",
    exportArn: begun!.ExportArn,
    startTime: begun!.StartTime!.toISOString(),
    tableArn: TableArn,
    tableId: begun!.TableId,
    exportTime: ExportTime.toISOString(),
    s3Bucket: S3Bucket,
    s3Prefix: "backups",
    s3SseAlgorithm: "AES256",
    s3SseKmsKeyId: null,
    manifestFilesS3Key: `backups/AWSDynamoDB/${id}/manifest-files.json`,
    itemCount: 2,
    outputFormat: "DYNAMODB_JSON",
    outputView: null,
    exportType: "FULL_EXPORT",
  });
  assert.match(
    String(files[0]!.dataFileS3Key),
    new RegExp(`^backups/AWSDynamoDB/${id}/data/[a-z2-7]{26}\\.json\\.gz$`),
  );
  const raw = { B: Buffer.from("raw").toString("base64") };
  assert.deepEqual(lines, [
    { Item: { id: { S: "a" }, value: { N: "1" }, raw } },
    { Item: { id: { S: "b" }, value: { N: "2.5" }, raw } },
  ]);
  const { Contents } = await s3.listObjectsV2({ Bucket: S3Bucket, Prefix: `backups/AWSDynamoDB/${id}/` });
  const names = Contents!.map(({ Key }) => Key!.split(`${id}/`)[1]!);
  assert.deepEqual(
    names.filter((name) => !name.startsWith("data/")),
    ["_started", "manifest-files.json", "manifest-files.md5", "manifest-summary.json", "manifest-summary.md5"],
  );
  const home = `backups/AWSDynamoDB/${id}`;
  assert.equal(
    String(await object(`${home}/manifest-summary.md5`)),
    createHash("md5")
      .update(await object(`${home}/manifest-summary.json`))
      .digest("base64"),
  );

  const again = { TableArn, S3Bucket, S3Prefix: "backups", ExportTime, ClientToken: "once" };
  assert.equal((await dynamodb.exportTableToPointInTime(again)).ExportDescription!.ExportArn, begun!.ExportArn);
  assert.match(
    await refusal(dynamodb.exportTableToPointInTime({ ...again, S3Prefix: "other" })),
    /^ExportConflictException 400 Export conflict: Duplicate request detected with conflicting parameters$/,
  );
});

test("a table of many items is exported in several files, each item once", async () => {
  const TableArn = await makeTable("many");
  const text = "x".repeat(200_000);
  const COUNT = 100;
  for (let i = 0; i < COUNT; i++)
    await dynamodb.putItem({ TableName: "many", Item: { id: { S: `i${i}` }, text: { S: text } } });
  const { ExportManifest, ItemCount } = await exported({ TableArn });
  assert.equal(ItemCount, COUNT);
  const { lines } = await read(ExportManifest!);
  const ids = new Set(lines.map(({ Item }) => (Item as { id: { S: string } }).id.S));
  assert.equal(ids.size, COUNT);
  const empty = await exported({ TableArn: await makeTable("nothing") });
  assert.deepEqual([empty.ExportStatus, empty.ItemCount], ["COMPLETED", 0]);
  assert.deepEqual((await read(empty.ExportManifest!)).lines, []);
});

test("an incremental export tells each change of a window once, from before it to its end", async () => {
  const TableArn = await makeTable("changes");
  await put("changes", "kept", "1");
  await put("changes", "changed", "1");
  await put("changes", "removed", "1");
  await cloud.advance(20 * MINUTE);
  const ExportFromTime = new Date(cloud.aws.now());
  await put("changes", "changed", "2");
  await cloud.advance(MINUTE);
  await put("changes", "changed", "3");
  const micros = { WriteTimestampMicros: { N: `${cloud.aws.now()}000` } };
  await put("changes", "new", "1");
  await put("changes", "passing", "1");
  await dynamodb.deleteItem({ TableName: "changes", Key: { id: { S: "removed" } } });
  await cloud.advance(MINUTE);
  await dynamodb.deleteItem({ TableName: "changes", Key: { id: { S: "passing" } } });
  const later = { WriteTimestampMicros: { N: `${cloud.aws.now()}000` } };
  await cloud.advance(20 * MINUTE);
  const ExportToTime = new Date(cloud.aws.now());
  await put("changes", "changed", "4");
  await put("changes", "late", "1");
  const spec = { ExportFromTime, ExportToTime };
  const done = await exported({ TableArn, ExportType: "INCREMENTAL_EXPORT", IncrementalExportSpecification: spec });
  assert.equal(done.FailureMessage, undefined);
  assert.deepEqual(done.IncrementalExportSpecification, { ...spec, ExportViewType: "NEW_AND_OLD_IMAGES" });
  const raw = { B: Buffer.from("raw").toString("base64") };
  const image = (id: string, N: string) => ({ id: { S: id }, value: { N }, raw });
  const of = (id: string, more: object, Metadata = micros) => ({ Metadata, Keys: { id: { S: id } }, ...more });
  const { lines, summary, files } = await read(done.ExportManifest!);
  assert.deepEqual([summary.exportType, summary.outputView], ["INCREMENTAL_EXPORT", "NEW_AND_OLD_IMAGES"]);
  assert.match(String(files[0]!.dataFileS3Key), /^AWSDynamoDB\/data\/[a-z2-7]{26}\.json\.gz$/);
  const byKey = (all: object[]) =>
    new Map(all.map((line) => [(line as { Keys: { id: { S: string } } }).Keys.id.S, line]));
  assert.deepEqual(
    byKey(lines),
    byKey([
      of("changed", { OldImage: image("changed", "1"), NewImage: image("changed", "3") }),
      of("new", { NewImage: image("new", "1") }),
      of("passing", {}, later),
      of("removed", { OldImage: image("removed", "1") }),
    ]),
  );
  const news = await exported({
    TableArn,
    ExportType: "INCREMENTAL_EXPORT",
    IncrementalExportSpecification: { ...spec, ExportViewType: "NEW_IMAGE" },
  });
  assert.deepEqual(
    byKey((await read(news.ExportManifest!)).lines).get("changed"),
    of("changed", { NewImage: image("changed", "3") }),
  );
});

test("an export that cannot be is refused at once; one that the bucket does not take fails", async () => {
  const TableArn = await makeTable("refusing");
  const plain = await makeTable("plain", false);
  const now = cloud.aws.now();
  const at = (ms: number) => new Date(now + ms);
  await cloud.advance(60 * MINUTE);
  const changes = (from: number, to?: number) => ({
    ExportType: "INCREMENTAL_EXPORT" as const,
    IncrementalExportSpecification: { ExportFromTime: at(from), ...(to !== undefined && { ExportToTime: at(to) }) },
  });
  const cases: [object, RegExp][] = [
    [
      { TableArn: "refusing" },
      /^ValidationException 400 One or more parameter values were invalid: tableArn is not a valid ARN$/,
    ],
    [{ TableArn: `${TableArn}/index/x` }, /^ValidationException 400 Invalid Request: Table ARN is invalid\.$/],
    [{ TableArn: `${TableArn}-2` }, /^TableNotFoundException 400 Table not found: arn:/],
    [
      { TableArn: plain },
      /^PointInTimeRecoveryUnavailableException 400 Point in time recovery is not enabled for table 'plain'$/,
    ],
    [{ ExportTime: at(120 * MINUTE) }, /^InvalidExportTimeException 400 Export Time is invalid$/],
    [{ ExportTime: at(-10 * MINUTE) }, /^InvalidExportTimeException 400 Export Time is invalid$/],
    [
      { ExportType: "INCREMENTAL_EXPORT" },
      /: Incremental Export Specification expected when export type is set as Incremental Export$/,
    ],
    [{ ...changes(0), ExportType: undefined }, /: Export Type expected to be Incremental Export when /],
    [
      { ...changes(0), ExportType: "FULL_EXPORT" },
      /: When Export Type is Full Export , Incremental Export Specification should not be provided$/,
    ],
    [
      { ExportType: "INCREMENTAL_EXPORT", IncrementalExportSpecification: {} },
      /: ExportFromTime must be provided in IncrementalExportSpecification$/,
    ],
    [changes(0, 10 * MINUTE), /^InvalidExportTimeException 400 Difference between .* is less than 15 minutes$/],
    [
      changes(-10 * MINUTE),
      /^InvalidExportTimeException 400 Incremental export period from time cannot be less than the table creation time : /,
    ],
    [changes(0, 61 * MINUTE), /cannot be greater than the current time : /],
    [{ S3SseKmsKeyId: "k" }, /: KMS Key Id is not supported for this encryption type$/],
    [{ ExportFormat: "ION" }, /^NotImplemented 501 ExportFormat ION/],
  ];
  for (const [more, expected] of cases)
    assert.match(await refusal(dynamodb.exportTableToPointInTime({ TableArn, S3Bucket, ...more })), expected);

  const nowhere = await exported({ TableArn, ...{ S3Bucket: "nowhere" } });
  assert.deepEqual([nowhere.ExportStatus, nowhere.FailureCode], ["FAILED", "S3NoSuchBucket"]);
  assert.match(
    nowhere.FailureMessage!,
    /^The specified bucket does not exist \(Service: Amazon S3; Status Code: 404; Error Code: NoSuchBucket; /,
  );
  const may = policy(allow(["dynamodb:ExportTableToPointInTime", "dynamodb:DescribeExport"]));
  const half = cloud.client(DynamoDB, await userWith(cloud, "half", { may }));
  const { ExportDescription } = await half.exportTableToPointInTime({ TableArn, S3Bucket });
  await cloud.settle();
  const denied = await half.describeExport({ ExportArn: ExportDescription!.ExportArn });
  assert.equal(denied.ExportDescription!.FailureCode, "S3AccessDenied", "it is theirs to write to the bucket");
});

test("exports are listed from the newest on, a page at a time, and told of when their table is gone", async () => {
  const TableArn = await makeTable("listed");
  const arns: (string | undefined)[] = [];
  for (const S3Prefix of ["a", "b", "c"]) arns.unshift((await exported({ TableArn, S3Prefix })).ExportArn);
  const list = async (more: object = {}) => {
    const { ExportSummaries, NextToken } = await dynamodb.listExports({ TableArn, ...more });
    return { arns: ExportSummaries!.map(({ ExportArn }) => ExportArn), NextToken };
  };
  assert.deepEqual(await list(), { arns, NextToken: undefined });
  const first = await list({ MaxResults: 2 });
  assert.deepEqual(first.arns, arns.slice(0, 2));
  assert.deepEqual(await list({ NextToken: first.NextToken }), { arns: arns.slice(2), NextToken: undefined });
  assert.match(await refusal(list({ NextToken: "x" })), /: Provided nextToken is invalid: x$/);
  assert.match(
    await refusal(dynamodb.listImports({ NextToken: first.NextToken })),
    /^ValidationException 400 Invalid Request: Provided nextToken is invalid: /,
  );
  const ExportArn = arns[0]!;
  const cases: [string, RegExp][] = [
    [TableArn, /^ValidationException 400 Invalid Export ARN$/],
    [`${ExportArn}0`, /^ExportNotFoundException 400 Export not found: Export not found: arn:/],
    [ExportArn.replace("us-east-1", "eu-west-1"), /^ExportNotFoundException 400 Export not found: Invalid export arn$/],
  ];
  for (const [arn, expected] of cases)
    assert.match(await refusal(dynamodb.describeExport({ ExportArn: arn })), expected);
  await dynamodb.deleteTable({ TableName: "listed" });
  assert.deepEqual((await list()).arns, []);
  assert.equal((await dynamodb.describeExport({ ExportArn })).ExportDescription!.ExportStatus, "COMPLETED");
});
