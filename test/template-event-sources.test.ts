// What a template says of event sources, made on a real cloud, changed, and gone again.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { Lambda } from "@aws-sdk/client-lambda";
import { SQS } from "@aws-sdk/client-sqs";
import { deploy } from "../src/template/deploy.ts";
import { plan } from "../src/template/plan.ts";
import { startCloud } from "./cloud.ts";

const TEMPLATE = `
Transform: AWS::Serverless-2016-10-31
Resources:
  In: { Type: AWS::SQS::Queue, Properties: { QueueName: in } }
  Lost: { Type: AWS::SQS::Queue, Properties: { QueueName: lost } }
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: table
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      StreamSpecification: { StreamViewType: NEW_IMAGE }
  Function:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: f
      Runtime: provided.al2023
      Handler: lambda.handler
      CodeUri: code/
      Events:
        Queue:
          Type: SQS
          Properties: { Queue: !GetAtt In.Arn, BatchSize: 5, FunctionResponseTypes: [ReportBatchItemFailures] }
        Changes:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Table.StreamArn
            StartingPosition: TRIM_HORIZON
            MaximumRetryAttempts: 0
            DestinationConfig: { OnFailure: { Type: SQS, Destination: !GetAtt Lost.Arn } }
`;

test("SAM's SQS and DynamoDB events are mappings with the role that they need; they are changed and removed", async () => {
  await using cloud = await startCloud();
  const { dir } = cloud.aws.config;
  mkdirSync(join(dir, "code"), { recursive: true });
  writeFileSync(
    join(dir, "code/lambda.sh"),
    `handler() { jq -e '.Records[0].body != null' <<<"$1" >&2 && echo null; }\n`,
  );
  const place = { account: "000000000000", region: "us-east-1", stack: "workspace", endpoint: cloud.endpoint, dir };
  const make = (text: string) =>
    deploy(plan(text, { place, parameters: new Map() }), {
      call: (service, operation, input) => cloud.aws.call(service, operation, input),
      place,
    });
  await make(TEMPLATE);
  const lambda = cloud.client(Lambda);
  const mappings = async () => {
    const { EventSourceMappings = [] } = await lambda.listEventSourceMappings({ FunctionName: "f" });
    return EventSourceMappings.map(({ EventSourceArn, BatchSize, State }) => [
      EventSourceArn!.split(":")[2],
      BatchSize,
      State,
    ]).sort();
  };
  assert.deepEqual(await mappings(), [
    ["dynamodb", 100, "Enabled"],
    ["sqs", 5, "Enabled"],
  ]);
  const sqs = cloud.client(SQS);
  const url = (name: string) => `${cloud.endpoint}/000000000000/${name}`;
  await sqs.sendMessage({ QueueUrl: url("in"), MessageBody: "1" });
  await cloud.client(DynamoDB).putItem({ TableName: "table", Item: { id: { S: "1" } } });
  await cloud.settle();
  const names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] as const;
  const { Attributes } = await sqs.getQueueAttributes({ QueueUrl: url("in"), AttributeNames: [...names] });
  assert.deepEqual(Object.values(Attributes!), ["0", "0"]);
  // A stream's event has no body: the function fails, and its record goes where the template says, by what the role may.
  const { Messages = [] } = await sqs.receiveMessage({ QueueUrl: url("lost") });
  assert.equal(JSON.parse(Messages[0]!.Body!).requestContext.condition, "RetryAttemptsExhausted");

  await make(TEMPLATE.replace("BatchSize: 5, ", "Enabled: false, "));
  assert.deepEqual(await mappings(), [
    ["dynamodb", 100, "Enabled"],
    ["sqs", 10, "Disabled"],
  ]);
  await make(TEMPLATE.slice(0, TEMPLATE.indexOf("        Changes:")));
  assert.deepEqual(await mappings(), [["sqs", 5, "Enabled"]]);
});
