// kill -9 in the middle of an import, a restore and an export: each goes on where it was, and no item is lost or there twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { S3 } from "@aws-sdk/client-s3";
import { makeWorkspace, until } from "./running.ts";

const COUNT = 4500;
const SCHEMA = {
  AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" as const }],
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" as const }],
  BillingMode: "PAY_PER_REQUEST" as const,
};
const PointInTimeRecoverySpecification = { PointInTimeRecoveryEnabled: true };

test("kill -9 during an import, a restore and an export loses nothing of them", { timeout: 170_000 }, async () => {
  await using workspace = await makeWorkspace({ init: false });
  const first = await workspace.up();
  const Bucket = "jobs";
  await first.client(S3).createBucket({ Bucket });
  const text = "x".repeat(8000);
  const line = (i: number) => `${JSON.stringify({ Item: { id: { S: `i${i}` }, text: { S: text } } })}\n`;
  const Body = Buffer.from(Array.from({ length: COUNT }, (_, i) => line(i)).join(""));
  await first.client(S3).putObject({ Bucket, Key: "source/1", Body });
  const { ImportTableDescription } = await first.client(DynamoDB).importTable({
    S3BucketSource: { S3Bucket: Bucket, S3KeyPrefix: "source/" },
    InputFormat: "DYNAMODB_JSON",
    TableCreationParameters: { TableName: "large", ...SCHEMA },
  });
  const { ImportArn } = ImportTableDescription!;
  const imported = async (client: DynamoDB) => (await client.describeImport({ ImportArn })).ImportTableDescription!;
  await until("some of it is imported", async () => (await imported(first.client(DynamoDB))).ProcessedItemCount! > 0);
  await first.kill();

  const second = await workspace.up();
  const dynamodb = second.client(DynamoDB);
  const between = await imported(dynamodb);
  await second.settle();
  const done = await imported(dynamodb);
  assert.deepEqual([done.ImportStatus, done.ImportedItemCount, done.ErrorCount], ["COMPLETED", COUNT, 0]);
  assert.ok(between.ProcessedItemCount! <= COUNT);
  await dynamodb.updateContinuousBackups({ TableName: "large", PointInTimeRecoverySpecification });
  await dynamodb.deleteItem({ TableName: "large", Key: { id: { S: "i0" } } });
  const { ExportDescription } = await dynamodb.exportTableToPointInTime({
    TableArn: done.TableArn,
    S3Bucket: Bucket,
    S3Prefix: "out",
  });
  await dynamodb.restoreTableToPointInTime({
    SourceTableName: "large",
    TargetTableName: "again",
    UseLatestRestorableTime: true,
  });
  await second.kill();

  const third = await workspace.up();
  await third.settle();
  const { ExportDescription: exported } = await third
    .client(DynamoDB)
    .describeExport({ ExportArn: ExportDescription!.ExportArn });
  assert.deepEqual(
    [exported!.ExportStatus, exported!.ItemCount, exported!.FailureMessage],
    ["COMPLETED", COUNT - 1, undefined],
  );
  const s3 = third.client(S3);
  const read = async (Key: string) => {
    const { Body: body } = await s3.getObject({ Bucket, Key });
    return Buffer.from(await body!.transformToByteArray());
  };
  const list = String(await read(exported!.ExportManifest!.replace("summary", "files")))
    .trim()
    .split("\n");
  const ids = new Set<string>();
  let lines = 0;
  for (const file of list) {
    const { dataFileS3Key } = JSON.parse(file) as { dataFileS3Key: string };
    for (const one of String(gunzipSync(await read(dataFileS3Key)))
      .trim()
      .split("\n")) {
      lines++;
      ids.add((JSON.parse(one) as { Item: { id: { S: string } } }).Item.id.S);
    }
  }
  assert.deepEqual([lines, ids.size], [COUNT - 1, COUNT - 1], "each item once");
  const { Table } = await third.client(DynamoDB).describeTable({ TableName: "again" });
  assert.deepEqual([Table!.TableStatus, Table!.ItemCount], ["ACTIVE", COUNT - 1]);
});
