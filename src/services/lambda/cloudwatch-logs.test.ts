import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import {
  DescribeLogStreamsCommand,
  DescribeSubscriptionFiltersCommand,
  PutSubscriptionFilterCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { DeleteRolePolicyCommand, IAMClient } from "@aws-sdk/client-iam";
import { AddPermissionCommand } from "@aws-sdk/client-lambda";
import { ACCOUNT, arnOf, startCloudWithRole } from "../../../test/lambda.ts";
import { withLogs } from "../../../test/logs.ts";
import { refusal } from "../../../test/principals.ts";

test("A function's lines are in its log group, a stream for each environment, and go to who subscribes", async () => {
  await using started = await startCloudWithRole();
  const cloud = withLogs(started);
  await cloud.createBash("f", '{ echo hello; echo "[ERROR] bad"; echo done; } >&2');
  await cloud.invoke("f");
  await cloud.settle();
  const lines = await cloud.filter("/aws/lambda/f");
  assert.match(lines[0]!, /^INIT_START Runtime Version: provided:al2023/);
  assert.match(lines[1]!, /^START RequestId: \S+ Version: \$LATEST\n$/);
  assert.deepEqual(await cloud.filter("/aws/lambda/f", { filterPattern: '"[ERROR]"' }), ["[ERROR] bad\n"]);
  assert.match(lines.at(-2)!, /^END RequestId/);
  assert.match(lines.at(-1)!, /^REPORT RequestId: .*Init Duration/);
  const { logStreams } = await cloud.logs.send(new DescribeLogStreamsCommand({ logGroupName: "/aws/lambda/f" }));
  assert.equal(logStreams!.length, 1);
  assert.match(logStreams![0]!.logStreamName!, /^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/);

  await cloud.createBash("reader", "cat >&2");
  const subscribe = (destinationArn = arnOf("reader"), more = {}) =>
    cloud.logs.send(
      new PutSubscriptionFilterCommand({
        logGroupName: "/aws/lambda/f",
        filterName: "errors",
        filterPattern: "ERROR",
        destinationArn,
        ...more,
      }),
    );
  assert.match(await refusal(subscribe()), /^InvalidParameterException 400 Could not execute the lambda function\./);
  await cloud.lambda.send(
    new AddPermissionCommand({
      FunctionName: "reader",
      StatementId: "logs",
      Action: "lambda:InvokeFunction",
      Principal: "logs.us-east-1.amazonaws.com",
      SourceArn: `arn:aws:logs:us-east-1:${ACCOUNT}:log-group:/aws/lambda/f:*`,
      SourceAccount: ACCOUNT,
    }),
  );
  await subscribe();
  const { subscriptionFilters } = await cloud.logs.send(
    new DescribeSubscriptionFiltersCommand({ logGroupName: "/aws/lambda/f" }),
  );
  assert.deepEqual(subscriptionFilters, [
    {
      filterName: "errors",
      logGroupName: "/aws/lambda/f",
      filterPattern: "ERROR",
      destinationArn: arnOf("reader"),
      distribution: "ByLogStream",
      applyOnTransformedLogs: false,
      creationTime: subscriptionFilters![0]!.creationTime,
    },
  ]);
  assert.match(await refusal(subscribe(arnOf("none"))), /Could not execute the lambda function/);
  assert.match(
    await refusal(subscribe(arnOf("reader").replace(ACCOUNT, "111111111111"))),
    /^AccessDeniedException 400 Cross-account lambda invocation passing is not allowed\./,
  );
  assert.equal(
    await refusal(subscribe("arn:aws:kinesis:us-east-1:000000000000:stream/s")),
    "InvalidParameterException 400 destinationArn for vendor kinesis cannot be used without roleArn",
  );
  await subscribe(arnOf("reader"), { filterName: "second" });
  assert.equal(
    await refusal(subscribe(arnOf("reader"), { filterName: "third" })),
    "LimitExceededException 400 Resource limit exceeded.",
  );

  await cloud.invoke("f");
  await cloud.settle();
  const events = await cloud.filter("/aws/lambda/reader", { filterPattern: "awslogs" });
  assert.equal(events.length, 2);
  const { awslogs } = JSON.parse(events[0]!) as { awslogs: { data: string } };
  const data = JSON.parse(gunzipSync(Buffer.from(awslogs.data, "base64")).toString());
  assert.equal(data.messageType, "DATA_MESSAGE");
  assert.equal(data.owner, ACCOUNT);
  assert.equal(data.logGroup, "/aws/lambda/f");
  assert.equal(data.logStream, logStreams![0]!.logStreamName);
  assert.deepEqual(
    data.logEvents.map(({ message }: { message: string }) => message),
    ["[ERROR] bad\n"],
  );
  assert.match(data.logEvents[0].id, /^\d{56}$/);
});

test("A function whose role may not write logs runs all the same, and the terminal says what it lacks", async () => {
  const shown: string[] = [];
  await using started = await startCloudWithRole({ show: ({ text }) => void shown.push(text) });
  const cloud = withLogs(started);
  await cloud.client(IAMClient).send(new DeleteRolePolicyCommand({ RoleName: "function", PolicyName: "all" }));
  await cloud.createBash("f", "echo hi >&2");
  assert.equal((await cloud.invoke("f")).error, undefined);
  await cloud.settle();
  assert.equal(
    await refusal(cloud.filter("/aws/lambda/f")),
    "ResourceNotFoundException 400 The specified log group does not exist.",
  );
  const said = shown.filter((text) => text.startsWith("its lines are not in the log group /aws/lambda/f"));
  assert.equal(said.length, 1);
  assert.match(said[0]!, /is not authorized to perform: logs:PutLogEvents/);
});
