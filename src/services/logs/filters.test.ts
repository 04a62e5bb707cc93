import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import {
  CancelExportTaskCommand,
  CreateExportTaskCommand,
  DeleteMetricFilterCommand,
  DeleteResourcePolicyCommand,
  DescribeExportTasksCommand,
  DescribeLogGroupsCommand,
  DescribeMetricFiltersCommand,
  DescribeResourcePoliciesCommand,
  PutMetricFilterCommand,
  PutResourcePolicyCommand,
  TestMetricFilterCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { EventBridgeClient, PutEventsCommand, PutRuleCommand, PutTargetsCommand } from "@aws-sdk/client-eventbridge";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { startLogs } from "../../../test/logs.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";
import { compileFilterPattern } from "./filter-pattern/filter-pattern.ts";
import { metricData } from "./metric-data.ts";

const transformation = { metricName: "Errors", metricNamespace: "App", metricValue: "1" };

test("Metric filters are put, described, tested and deleted", async () => {
  await using cloud = await startLogs();
  const { logs } = cloud;
  await cloud.createGroup("a");
  await cloud.createGroup("b");
  const put = (logGroupName: string, filterName: string, filterPattern = "ERROR", more = {}) =>
    logs.send(
      new PutMetricFilterCommand({
        logGroupName,
        filterName,
        filterPattern,
        metricTransformations: [{ ...transformation, ...more }],
      }),
    );
  await put("a", "errors");
  await put("a", "slow", "{ $.ms > 100 }", {
    metricValue: "$.ms",
    dimensions: { Path: "$.path" },
    unit: "Milliseconds",
  });
  await put("b", "errors", "[..., status = 5*]", { metricName: "Fives", defaultValue: 0 });
  const describe = async (more = {}) => (await logs.send(new DescribeMetricFiltersCommand(more))).metricFilters!;
  const names = async (more = {}) =>
    (await describe(more)).map(({ logGroupName, filterName }) => `${logGroupName} ${filterName}`);
  assert.deepEqual(await names(), ["a errors", "a slow", "b errors"]);
  assert.deepEqual(await names({ logGroupName: "a", filterNamePrefix: "e" }), ["a errors"]);
  assert.deepEqual(await names({ metricName: "Fives", metricNamespace: "App" }), ["b errors"]);
  const [errors] = await describe({ logGroupName: "a" });
  assert.deepEqual(errors, {
    filterName: "errors",
    filterPattern: "ERROR",
    metricTransformations: [transformation],
    creationTime: errors!.creationTime,
    logGroupName: "a",
    applyOnTransformedLogs: false,
  });
  const first = await logs.send(new DescribeMetricFiltersCommand({ limit: 2 }));
  assert.deepEqual(await names({ nextToken: first.nextToken }), ["b errors"]);
  assert.equal((await logs.send(new DescribeLogGroupsCommand({}))).logGroups![0]!.metricFilterCount, 2);
  for (const [sent, words] of [
    [put("a", "x", "{ $.a"), /^InvalidParameterException 400 Invalid filter pattern/],
    [put("none", "x"), /^ResourceNotFoundException 400 The specified log group does not exist/],
    [put("a", "x", "{ $.a = 1 }", { dimensions: { A: "$.a" }, defaultValue: 0 }), /mutually exclusive properties/],
    [put("a", "x", "ERROR", { metricValue: "$.a" }), /^InvalidParameterException 400 Invalid metric transformation/],
    [names({ metricName: "Fives" }), /^InvalidParameterException/],
    [
      logs.send(new DeleteMetricFilterCommand({ logGroupName: "a", filterName: "none" })),
      /^ResourceNotFoundException 400 The specified metric filter does not exist/,
    ],
  ] as const)
    assert.match(await refusal(sent), words);
  await logs.send(new DeleteMetricFilterCommand({ logGroupName: "a", filterName: "slow" }));
  assert.deepEqual(await names({ logGroupName: "a" }), ["a errors"]);
  const { matches } = await logs.send(
    new TestMetricFilterCommand({
      filterPattern: "[ip, id, user, timestamp, request, status_code = 4*, size]",
      logEventMessages: [
        '127.0.0.1 - frank [10/Oct/2000:13:35:22 -0700] "GET /a.gif HTTP/1.0" 500 5324',
        '127.0.0.1 - frank [10/Oct/2000:13:50:35 -0700] "GET /b.gif HTTP/1.0" 404 23',
      ],
    }),
  );
  assert.deepEqual(matches, [
    {
      eventNumber: 2,
      eventMessage: '127.0.0.1 - frank [10/Oct/2000:13:50:35 -0700] "GET /b.gif HTTP/1.0" 404 23',
      extractedValues: {
        $ip: "127.0.0.1",
        $id: "-",
        $user: "frank",
        $timestamp: "10/Oct/2000:13:50:35 -0700",
        $request: "GET /b.gif HTTP/1.0",
        $status_code: "404",
        $size: "23",
      },
    },
  ]);
});

test("A metric filter makes a datum of each minute and each combination of dimensions", () => {
  const minute = Date.UTC(2026, 10, 23, 3, 1);
  const at = (ms: number, event: object) => ({ timestamp: minute + ms, message: JSON.stringify(event) });
  const match = compileFilterPattern("{ $.ms > 10 }");
  const events = [
    at(0, { ms: 20, path: "/a" }),
    at(1, { ms: 20, path: "/a" }),
    at(2, { ms: 30, path: "/b" }),
    at(3, { ms: 5, path: "/a" }),
    at(4, { ms: 40 }),
    at(60_000, { ms: 1, path: "/a" }),
  ];
  const slow = { metricName: "Slow", metricNamespace: "App", metricValue: "$.ms" };
  const datum = (path: string, value: number, count: number) => ({
    MetricName: "Slow",
    Timestamp: new Date(minute),
    Dimensions: [{ Name: "Path", Value: path }],
    Values: [value],
    Counts: [count],
    Unit: "Milliseconds",
  });
  assert.deepEqual(metricData({ ...slow, dimensions: { Path: "$.path" }, unit: "Milliseconds" }, match, events), [
    datum("/a", 20, 2),
    datum("/b", 30, 1),
  ]);
  assert.deepEqual(metricData({ ...slow, metricValue: "1", defaultValue: 0 }, match, events), [
    { MetricName: "Slow", Timestamp: new Date(minute), Values: [1], Counts: [4] },
    { MetricName: "Slow", Timestamp: new Date(minute + 60_000), Values: [0], Counts: [1] },
  ]);
});

test("A policy on a group's ARN lets a user in, and a resource policy lets EventBridge write", async () => {
  await using cloud = await startLogs();
  const { logs } = cloud;
  await cloud.createGroup("/app/web", "s");
  await cloud.createGroup("/app/db", "s");
  const arn = "arn:aws:logs:us-east-1:000000000000:log-group:";
  const key = await userWith(cloud, "u", { may: policy(allow("logs:*", { Resource: `${arn}/app/web:*` })) });
  const user = cloud.client(logs.constructor as new () => typeof logs, key);
  await user.send(
    new PutMetricFilterCommand({
      logGroupName: "/app/web",
      filterName: "f",
      filterPattern: "",
      metricTransformations: [transformation],
    }),
  );
  assert.equal(
    await refusal(user.send(new DescribeMetricFiltersCommand({ logGroupName: "/app/db" }))),
    `AccessDeniedException 400 User: arn:aws:iam::000000000000:user/u is not authorized to perform: logs:DescribeMetricFilters on resource: ${arn}/app/db:log-stream: because no identity-based policy allows the logs:DescribeMetricFilters action`,
  );

  const events = cloud.client(EventBridgeClient);
  await events.send(new PutRuleCommand({ Name: "r", EventPattern: '{"source":["app"]}' }));
  await events.send(new PutTargetsCommand({ Rule: "r", Targets: [{ Id: "1", Arn: `${arn}/app/db` }] }));
  const send = () => events.send(new PutEventsCommand({ Entries: [{ Source: "app", DetailType: "d", Detail: "{}" }] }));
  await send();
  await cloud.settle();
  assert.deepEqual(await cloud.filter("/app/db"), []);
  const document = policy({
    Effect: "Allow",
    Principal: { Service: ["events.amazonaws.com", "delivery.logs.amazonaws.com"] },
    Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
    Resource: `${arn}/app/db:*`,
  });
  const put = await logs.send(new PutResourcePolicyCommand({ policyName: "events", policyDocument: document }));
  assert.equal(put.resourcePolicy!.policyDocument, document);
  await send();
  await cloud.settle();
  const [message] = await cloud.filter("/app/db");
  assert.equal((JSON.parse(message!) as { source: string }).source, "app");
  assert.deepEqual(
    (await logs.send(new DescribeResourcePoliciesCommand({}))).resourcePolicies!.map(({ policyName }) => policyName),
    ["events"],
  );
  await logs.send(new DeleteResourcePolicyCommand({ policyName: "events" }));
  await send();
  await cloud.settle();
  assert.equal((await cloud.filter("/app/db")).length, 1);
  assert.equal(
    await refusal(logs.send(new DeleteResourcePolicyCommand({ policyName: "events" }))),
    "ResourceNotFoundException 400 Policy with name [events] does not exist.",
  );
  assert.match(
    await refusal(logs.send(new PutResourcePolicyCommand({ policyName: "p", policyDocument: "{" }))),
    /^InvalidParameterException 400/,
  );
});

test("An export task writes a group's text into a bucket that lets Logs write", async () => {
  await using cloud = await startLogs();
  const { logs } = cloud;
  const s3 = cloud.client(S3Client);
  await cloud.createGroup("g", "web/1", "db");
  await cloud.put("g", "web/1", [5000, "one"], [1000, "two"]);
  await cloud.put("g", "db", "three");
  await s3.send(new CreateBucketCommand({ Bucket: "exported" }));
  const create = (more = {}) =>
    logs.send(
      new CreateExportTaskCommand({
        logGroupName: "g",
        from: cloud.now() - 2000,
        to: cloud.now() + 1000,
        destination: "exported",
        destinationPrefix: "p",
        ...more,
      }),
    );
  assert.match(await refusal(create()), /^InvalidParameterException 400 .* call on the given bucket failed\./);
  const Principal = { Service: "logs.amazonaws.com" };
  await s3.send(
    new PutBucketPolicyCommand({
      Bucket: "exported",
      Policy: policy(
        { Effect: "Allow", Principal, Action: "s3:GetBucketAcl", Resource: "arn:aws:s3:::exported" },
        { Effect: "Allow", Principal, Action: "s3:PutObject", Resource: "arn:aws:s3:::exported/*" },
      ),
    }),
  );
  assert.match(await refusal(create({ destination: "nowhere" })), /The given bucket does not exist/);
  assert.match(await refusal(create({ logGroupName: "none" })), /^ResourceNotFoundException/);
  assert.match(await refusal(create({ from: 5, to: 5 })), /^InvalidParameterException/);
  const { taskId } = await create({ taskName: "t" });
  await cloud.settle();
  const { exportTasks } = await logs.send(new DescribeExportTasksCommand({ taskId }));
  assert.deepEqual(exportTasks![0]!.status, { code: "COMPLETED", message: "Completed successfully" });
  assert.equal(exportTasks![0]!.taskName, "t");
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: "exported" }));
  assert.deepEqual(
    Contents!.map(({ Key }) => Key),
    ["p/aws-logs-write-test", `p/${taskId}/db/000000.gz`, `p/${taskId}/web-1/000000.gz`].sort(),
  );
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: "exported", Key: `p/${taskId}/web-1/000000.gz` }));
  assert.match(gunzipSync(await Body!.transformToByteArray()).toString(), /^\S{24} two\n$/);
  assert.match(await refusal(logs.send(new CancelExportTaskCommand({ taskId }))), /^InvalidOperationException 400/);
  assert.match(
    await refusal(logs.send(new DescribeExportTasksCommand({ taskId: "none" }))),
    /^ResourceNotFoundException 400 The specified export task does not exist/,
  );
});
