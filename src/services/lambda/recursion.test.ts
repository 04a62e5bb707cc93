// Loops are cut after 16 runs, whatever the function calls with: nothing here sends a trace header by itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AddPermissionCommand,
  GetFunctionRecursionConfigCommand,
  InvokeCommand,
  PutFunctionEventInvokeConfigCommand,
  PutFunctionRecursionConfigCommand,
} from "@aws-sdk/client-lambda";
import {
  CreateBucketCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { CreateTopicCommand, PublishCommand, SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import { ACCOUNT, arnOf } from "../../../test/lambda.ts";
import { queueArn, SAY, startMappingsCloud } from "../../../test/mappings.ts";
import { refusal } from "../../../test/principals.ts";

const CURL = (service: string) =>
  `curl -sS --aws-sigv4 "aws:amz:$AWS_REGION:${service}" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" -H "x-amz-security-token: $AWS_SESSION_TOKEN" -o /dev/null`;

type Cloud = Awaited<ReturnType<typeof startMappingsCloud>>;

const toDead = (cloud: Cloud, FunctionName: string) =>
  cloud.lambda.send(
    new PutFunctionEventInvokeConfigCommand({
      FunctionName,
      MaximumRetryAttempts: 0,
      DestinationConfig: { OnFailure: { Destination: queueArn("dead") } },
    }),
  );

const permit = (cloud: Cloud, FunctionName: string, service: string) =>
  cloud.lambda.send(
    new AddPermissionCommand({
      FunctionName,
      StatementId: "s",
      Action: "lambda:InvokeFunction",
      Principal: `${service}.amazonaws.com`,
      SourceAccount: ACCOUNT,
    }),
  );

test("S3 -> function -> S3 is cut after 16 runs, and the event goes to OnFailure", async () => {
  await using cloud = await startMappingsCloud();
  await cloud.queue("dead");
  const s3 = cloud.client(S3Client);
  await s3.send(new CreateBucketCommand({ Bucket: "loop" }));
  await cloud.createBash(
    "f",
    `${SAY}; ${CURL("s3")} -X PUT --data-binary x -H x-amz-content-sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 "$AWS_ENDPOINT_URL/loop/$RANDOM$RANDOM"; echo null`,
  );
  await toDead(cloud, "f");
  await permit(cloud, "f", "s3");
  await s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: "loop",
      NotificationConfiguration: {
        LambdaFunctionConfigurations: [{ Events: ["s3:ObjectCreated:*"], LambdaFunctionArn: arnOf("f") }],
      },
    }),
  );
  await s3.send(new PutObjectCommand({ Bucket: "loop", Key: "first", Body: "x" }));
  await cloud.settle();
  assert.equal((await cloud.got("f")).length, 16);
  const [record] = await cloud.received("dead");
  assert.equal(record.responsePayload.errorType, "RecursiveInvocationException");
  await s3.send(new PutObjectCommand({ Bucket: "loop", Key: "second", Body: "x" })); // an event of its own
  await cloud.settle();
  assert.equal((await cloud.got("f")).length, 32);
});

test("SQS -> function -> SQS ends in the queue's dead-letter queue; other messages of the batch go on", async () => {
  await using cloud = await startMappingsCloud();
  await cloud.queue("dead");
  const redrive = JSON.stringify({ deadLetterTargetArn: queueArn("dead"), maxReceiveCount: 1 });
  await cloud.queue("loop", { RedrivePolicy: redrive });
  const send = `${CURL("sqs")} -H 'content-type: application/x-amz-json-1.0' -H 'x-amz-target: AmazonSQS.SendMessage' -d '{"QueueUrl":"'$AWS_ENDPOINT_URL/${ACCOUNT}/loop'","MessageBody":"1"}' "$AWS_ENDPOINT_URL/"`;
  await cloud.createBash("f", `${SAY}; ${send}; echo null`);
  await cloud.map("f", queueArn("loop"));
  await cloud.send("loop", ["1"]);
  await cloud.settle();
  assert.equal((await cloud.got("f")).length, 16);
  await cloud.advance(120_000);
  assert.equal((await cloud.got("f")).length, 16);
  assert.deepEqual(await cloud.received("dead"), [1]);
});

test("SNS -> function -> SNS is cut, and so is a function that invokes itself; what is allowed to loop is not", async () => {
  await using cloud = await startMappingsCloud();
  await cloud.queue("dead");
  const sns = cloud.client(SNSClient);
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: "loop" }));
  await cloud.createBash(
    "f",
    `${SAY}; ${CURL("sns")} -d 'Action=Publish&Version=2010-03-31&Message=x&TopicArn=${encodeURIComponent(TopicArn!)}' "$AWS_ENDPOINT_URL/"; echo null`,
  );
  await toDead(cloud, "f");
  await permit(cloud, "f", "sns");
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: "lambda", Endpoint: arnOf("f") }));
  await sns.send(new PublishCommand({ TopicArn, Message: "x" }));
  await cloud.settle();
  assert.equal((await cloud.got("f")).length, 16);
  assert.equal((await cloud.received("dead"))[0].responsePayload.errorType, "RecursiveInvocationException");

  const count = `n=$(jq -r '.n' <<<"$1"); [[ $n -lt 20 ]] || { echo null; return; }`;
  const invoke = `${CURL("lambda")} -H 'x-amz-invocation-type: Event' -d "{\\"n\\":$((n+1))}" "$AWS_ENDPOINT_URL/2015-03-31/functions/$AWS_LAMBDA_FUNCTION_NAME/invocations"`;
  for (const name of ["self", "allowed"]) await cloud.createBash(name, `${SAY}; ${count}; ${invoke}; echo null`);
  const config = (FunctionName: string) => cloud.lambda.send(new GetFunctionRecursionConfigCommand({ FunctionName }));
  assert.equal((await config("self")).RecursiveLoop, "Terminate");
  await cloud.lambda.send(new PutFunctionRecursionConfigCommand({ FunctionName: "allowed", RecursiveLoop: "Allow" }));
  assert.equal((await config("allowed")).RecursiveLoop, "Allow");
  assert.equal(await refusal(config("nobody")), `ResourceNotFoundException 404 Function not found: ${arnOf("nobody")}`);
  for (const FunctionName of ["self", "allowed"])
    await cloud.lambda.send(new InvokeCommand({ FunctionName, InvocationType: "Event", Payload: '{"n":1}' }));
  await cloud.settle();
  assert.deepEqual([(await cloud.got("self")).length, (await cloud.got("allowed")).length], [16, 20]);
});
