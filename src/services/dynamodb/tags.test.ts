import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type CreateTableCommandInput, DynamoDB } from "@aws-sdk/client-dynamodb";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const dynamodb = cloud.client(DynamoDB);

const simple = (name: string, more: Partial<CreateTableCommandInput> = {}): CreateTableCommandInput => ({
  TableName: name,
  AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
  KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
  BillingMode: "PAY_PER_REQUEST",
  ...more,
});

const INVALID = "One or more parameter values were invalid: ";

test("tags are set, listed and taken away", async () => {
  const { TableDescription } = await dynamodb.createTable(simple("tagged", { Tags: [{ Key: "team", Value: "a" }] }));
  const ResourceArn = TableDescription!.TableArn!;
  await dynamodb.tagResource({
    ResourceArn,
    Tags: [
      { Key: "team", Value: "b" },
      { Key: "stage", Value: "" },
    ],
  });
  assert.deepEqual((await dynamodb.listTagsOfResource({ ResourceArn })).Tags, [
    { Key: "stage", Value: "" },
    { Key: "team", Value: "b" },
  ]);
  await dynamodb.untagResource({ ResourceArn, TagKeys: ["team"] });
  assert.equal((await dynamodb.listTagsOfResource({ ResourceArn })).Tags?.length, 1);
  await assert.rejects(dynamodb.listTagsOfResource({ ResourceArn: `${ResourceArn}x` }), {
    name: "ResourceNotFoundException",
    message: `Requested resource not found: ResourceArn: ${ResourceArn}x not found`,
  });
});

test("tags are refused in AWS's words", async () => {
  const { TableDescription } = await dynamodb.createTable(simple("tag-rules"));
  const ResourceArn = TableDescription!.TableArn!;
  const tag = (...Tags: { Key: string; Value: string }[]) => dynamodb.tagResource({ ResourceArn, Tags });
  const many = Array.from({ length: 51 }, (_, i) => ({ Key: `k${i}`, Value: "" }));
  const refused: readonly (readonly [() => Promise<unknown>, string])[] = [
    [() => tag({ Key: "a#", Value: "" }), "The Tag Key provided is invalid, Key: a#"],
    [() => tag({ Key: "a", Value: "#" }), "The Tag Value provided is invalid, Value: #"],
    [() => tag({ Key: "AWS:a", Value: "" }), "Tag Key cannot be prefixed with aws:, Key: AWS:a"],
    [
      () => tag({ Key: "a", Value: "1" }, { Key: "a", Value: "2" }),
      "Duplicate Tag Keys provided as input: Duplicate Tag Key found a",
    ],
    [() => tag(), "Atleast one Tag needs to be provided as Input."],
    [() => dynamodb.untagResource({ ResourceArn, TagKeys: [] }), "Atleast one Tag Key needs to be provided as Input."],
    [() => tag(...many), "Number of Tags exceed the current limit for the provided ResourceArn"],
    [
      () => dynamodb.createTable(simple("tag-rules-2", { Tags: many })),
      "Number of Tags exceed the current limit for the provided ResourceArn",
    ],
    [
      () => dynamodb.listTagsOfResource({ ResourceArn: "tag-rules" }),
      `${INVALID}ARNs must start with 'arn:': tag-rules`,
    ],
    [
      () => dynamodb.listTagsOfResource({ ResourceArn: "arn:aws:s3:::bucket" }),
      `${INVALID}Provided Arn is not a DynamoDB resource arn: arn:aws:s3:::bucket`,
    ],
    [
      () => dynamodb.listTagsOfResource({ ResourceArn: `${ResourceArn}/index/abc` }),
      `${INVALID}Invalid resource arn provided, only table or stream is accepted. Provided resource arn: ${ResourceArn}/index/abc`,
    ],
  ];
  for (const [send, message] of refused) await assert.rejects(send(), { name: "ValidationException", message });
  assert.deepEqual((await dynamodb.listTagsOfResource({ ResourceArn })).Tags, []);
});

test("tags are listed ten at a time", async () => {
  const { TableDescription } = await dynamodb.createTable(simple("many-tags"));
  const ResourceArn = TableDescription!.TableArn!;
  const Tags = Array.from({ length: 13 }, (_, i) => ({ Key: `k${i}`, Value: "v" }));
  await dynamodb.tagResource({ ResourceArn, Tags });
  const first = await dynamodb.listTagsOfResource({ ResourceArn });
  const second = await dynamodb.listTagsOfResource({ ResourceArn, NextToken: first.NextToken });
  assert.deepEqual([first.Tags?.length, second.Tags?.length, second.NextToken], [10, 3, undefined]);
});
