import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  AssociateKmsKeyCommand,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  DeleteLogGroupCommand,
  DeleteLogStreamCommand,
  DeleteRetentionPolicyCommand,
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
  DisassociateKmsKeyCommand,
  ListLogGroupsCommand,
  ListTagsForResourceCommand,
  ListTagsLogGroupCommand,
  PutLogGroupDeletionProtectionCommand,
  PutRetentionPolicyCommand,
  TagLogGroupCommand,
  TagResourceCommand,
  UntagLogGroupCommand,
  UntagResourceCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { startLogs } from "../../../test/logs.ts";
import { refusal } from "../../../test/principals.ts";

const ARN = "arn:aws:logs:us-east-1:000000000000:log-group:";
const DAY = 86_400_000;

test("A log group is made, described, changed and deleted", async () => {
  await using cloud = await startLogs();
  const { logs } = cloud;
  const create = (logGroupName: string, more = {}) => logs.send(new CreateLogGroupCommand({ logGroupName, ...more }));
  const describe = async (more = {}) => (await logs.send(new DescribeLogGroupsCommand(more))).logGroups!;
  await create("/app/web", { kmsKeyId: "arn:aws:kms:us-east-1:000000000000:key/k", tags: { env: "test" } });
  const [group] = await describe();
  assert.ok(group!.creationTime);
  assert.deepEqual(group, {
    logGroupName: "/app/web",
    creationTime: group!.creationTime,
    metricFilterCount: 0,
    arn: `${ARN}/app/web:*`,
    storedBytes: 0,
    kmsKeyId: "arn:aws:kms:us-east-1:000000000000:key/k",
    logGroupClass: "STANDARD",
    logGroupArn: `${ARN}/app/web`,
    deletionProtectionEnabled: false,
  });
  assert.equal(
    await refusal(create("/app/web")),
    "ResourceAlreadyExistsException 400 The specified log group already exists",
  );
  assert.equal(
    await refusal(create("a".repeat(513))),
    "InvalidParameterException 400 Invalid LogGroup or LogStream, both must have length less than or equal to 512.",
  );
  assert.match(
    await refusal(create("a b")),
    /^InvalidParameterException 400 1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern/,
  );

  await logs.send(new DisassociateKmsKeyCommand({ logGroupName: "/app/web" }));
  assert.equal((await describe())[0]!.kmsKeyId, undefined);
  await logs.send(new AssociateKmsKeyCommand({ resourceIdentifier: `${ARN}/app/web`, kmsKeyId: "k2" }));
  await logs.send(new PutRetentionPolicyCommand({ logGroupName: "/app/web", retentionInDays: 7 }));
  assert.deepEqual(
    (await describe()).map(({ kmsKeyId, retentionInDays }) => [kmsKeyId, retentionInDays]),
    [["k2", 7]],
  );
  await logs.send(new DeleteRetentionPolicyCommand({ logGroupName: "/app/web" }));
  assert.equal((await describe())[0]!.retentionInDays, undefined);
  assert.match(
    await refusal(logs.send(new PutRetentionPolicyCommand({ logGroupName: "/app/web", retentionInDays: 2 }))),
    /Value '2' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: \[1, 3, 5, 7, /,
  );

  const protect = (deletionProtectionEnabled: boolean) =>
    logs.send(new PutLogGroupDeletionProtectionCommand({ logGroupIdentifier: "/app/web", deletionProtectionEnabled }));
  await protect(true);
  assert.match(
    await refusal(logs.send(new DeleteLogGroupCommand({ logGroupName: "/app/web" }))),
    /^ValidationException 400 .*deletion protection/,
  );
  await protect(false);
  await logs.send(new DeleteLogGroupCommand({ logGroupName: "/app/web" }));
  assert.deepEqual(await describe(), []);
  for (const sent of [
    logs.send(new DeleteLogGroupCommand({ logGroupName: "/app/web" })),
    logs.send(new PutRetentionPolicyCommand({ logGroupName: "/app/web", retentionInDays: 7 })),
    logs.send(new DescribeLogStreamsCommand({ logGroupName: "/app/web" })),
    logs.send(new TagResourceCommand({ resourceArn: `${ARN}/app/web`, tags: { a: "b" } })),
  ])
    assert.equal(await refusal(sent), "ResourceNotFoundException 400 The specified log group does not exist.");
});

test("Log groups are listed by prefix, by pattern, and in pages", async () => {
  await using cloud = await startLogs();
  const { logs } = cloud;
  for (const name of ["/a/1", "/a/2", "/a/DataLogs", "/b/1"]) await cloud.createGroup(name);
  const names = async (more = {}) =>
    (await logs.send(new DescribeLogGroupsCommand(more))).logGroups!.map(({ logGroupName }) => logGroupName);
  assert.deepEqual(await names({ logGroupNamePrefix: "/a/" }), ["/a/1", "/a/2", "/a/DataLogs"]);
  assert.deepEqual(await names({ logGroupNamePattern: "ataL" }), ["/a/DataLogs"]);
  assert.deepEqual(await names({ logGroupNamePattern: "datalogs" }), []);
  assert.deepEqual(await names({ logGroupIdentifiers: [`${ARN}/b/1`] }), ["/b/1"]);
  assert.equal(
    await refusal(names({ logGroupNamePattern: "a", logGroupNamePrefix: "a" })),
    "InvalidParameterException 400 LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
  );
  const first = await logs.send(new DescribeLogGroupsCommand({ limit: 3 }));
  const second = await logs.send(new DescribeLogGroupsCommand({ limit: 3, nextToken: first.nextToken }));
  assert.equal(first.logGroups!.length, 3);
  assert.deepEqual(
    second.logGroups!.map(({ logGroupName }) => logGroupName),
    ["/b/1"],
  );
  assert.equal(second.nextToken, undefined);
  assert.equal(
    await refusal(names({ nextToken: "x" })),
    "InvalidParameterException 400 The specified nextToken is invalid.",
  );
  const listed = await logs.send(new ListLogGroupsCommand({ logGroupNamePattern: "^/a/|nothing" }));
  assert.deepEqual(listed.logGroups![0], {
    logGroupName: "/a/1",
    logGroupArn: `${ARN}/a/1`,
    logGroupClass: "STANDARD",
  });
  assert.equal(listed.logGroups!.length, 3);
});

test("Tags of a log group, by its ARN and by its name", async () => {
  await using cloud = await startLogs();
  const { logs } = cloud;
  const resourceArn = `${ARN}g`;
  await logs.send(new CreateLogGroupCommand({ logGroupName: "g", tags: { env: "testing1" } }));
  await logs.send(new TagResourceCommand({ resourceArn, tags: { test1: "val1", test2: "val2" } }));
  await logs.send(new TagLogGroupCommand({ logGroupName: "g", tags: { test3: "val3" } }));
  const expected = { env: "testing1", test1: "val1", test2: "val2", test3: "val3" };
  assert.deepEqual((await logs.send(new ListTagsForResourceCommand({ resourceArn }))).tags, expected);
  assert.deepEqual((await logs.send(new ListTagsLogGroupCommand({ logGroupName: "g" }))).tags, expected);
  await logs.send(new UntagResourceCommand({ resourceArn, tagKeys: ["env"] }));
  await logs.send(new UntagLogGroupCommand({ logGroupName: "g", tags: ["test1", "test3"] }));
  assert.deepEqual((await logs.send(new ListTagsForResourceCommand({ resourceArn }))).tags, { test2: "val2" });
});

test("Log streams are made, described by name and by their last event, and deleted with their text", async () => {
  await using cloud = await startLogs();
  const { logs } = cloud;
  await cloud.createGroup("g", "a1", "a2", "b");
  const create = (logStreamName: string) => logs.send(new CreateLogStreamCommand({ logGroupName: "g", logStreamName }));
  assert.equal(
    await refusal(create("a1")),
    "ResourceAlreadyExistsException 400 The specified log stream already exists",
  );
  assert.match(await refusal(create("a:b")), /^InvalidParameterException 400 1 validation error/);
  await cloud.put("g", "a2", [1000, "old"]);
  await cloud.put("g", "b", "new");
  const describe = (more = {}) => logs.send(new DescribeLogStreamsCommand({ logGroupIdentifier: "g", ...more }));
  const names = async (more = {}) => (await describe(more)).logStreams!.map(({ logStreamName }) => logStreamName);
  assert.deepEqual(await names(), ["a1", "a2", "b"]);
  assert.deepEqual(await names({ logStreamNamePrefix: "a" }), ["a1", "a2"]);
  assert.deepEqual(await names({ descending: true }), ["b", "a2", "a1"]);
  assert.deepEqual(await names({ orderBy: "LastEventTime", descending: true }), ["b", "a2", "a1"]);
  assert.deepEqual(await names({ orderBy: "LastEventTime" }), ["a1", "a2", "b"]);
  for (const orderBy of ["LogStreamName", "LastEventTime"] as const)
    for (const descending of [true, false]) {
      const first = await describe({ orderBy, descending, limit: 2 });
      const rest = await describe({ orderBy, descending, limit: 2, nextToken: first.nextToken });
      const paged = [...first.logStreams!, ...rest.logStreams!].map(({ logStreamName }) => logStreamName);
      assert.deepEqual(paged, await names({ orderBy, descending }));
    }
  assert.equal(
    await refusal(names({ orderBy: "LastEventTime", logStreamNamePrefix: "a" })),
    "InvalidParameterException 400 Cannot order by LastEventTime with a logStreamNamePrefix.",
  );
  assert.equal(
    await refusal(names({ logGroupName: "g" })),
    "ValidationException 400 LogGroup name and LogGroup ARN are mutually exclusive parameters.",
  );
  const [a1, a2] = (await describe()).logStreams!;
  assert.deepEqual(a1, {
    logStreamName: "a1",
    creationTime: a1!.creationTime,
    arn: `${ARN}g:log-stream:a1`,
    storedBytes: 0,
  });
  assert.equal(a2!.firstEventTimestamp, a2!.lastEventTimestamp);
  assert.match(a2!.uploadSequenceToken!, /^\d{56}$/);
  const file = join(cloud.aws.config.dir, "logs/groups/g", new Date(cloud.now()).toISOString().slice(0, 10), "a2.log");
  assert.ok(existsSync(file));
  await logs.send(new DeleteLogStreamCommand({ logGroupName: "g", logStreamName: "a2" }));
  assert.ok(!existsSync(file));
  assert.deepEqual(await names(), ["a1", "b"]);
  assert.deepEqual(await cloud.filter("g"), ["new"]);
  assert.equal(
    await refusal(logs.send(new DeleteLogStreamCommand({ logGroupName: "g", logStreamName: "a2" }))),
    "ResourceNotFoundException 400 The specified log stream does not exist.",
  );
});

test("What is older than the group's retention is not shown, and its text is removed within a day", async () => {
  await using cloud = await startLogs();
  const { logs } = cloud;
  await cloud.createGroup("g", "s");
  await logs.send(new PutRetentionPolicyCommand({ logGroupName: "g", retentionInDays: 1 }));
  const day = new Date(cloud.now()).toISOString().slice(0, 10);
  await cloud.put("g", "s", [DAY / 2, "old"], "young");
  const file = join(cloud.aws.config.dir, "logs/groups/g", day, "s.log");
  assert.deepEqual(await cloud.filter("g"), ["old", "young"]);
  await cloud.advance(0.75 * DAY);
  assert.deepEqual(await cloud.filter("g"), ["young"]);
  assert.ok(existsSync(file));
  await cloud.advance(1.5 * DAY);
  assert.deepEqual(await cloud.filter("g"), []);
  assert.ok(!existsSync(file));
  const { logGroups } = await logs.send(new DescribeLogGroupsCommand({}));
  assert.equal(logGroups![0]!.storedBytes, 0);
  await cloud.put("g", "s", "again");
  assert.deepEqual(await cloud.filter("g"), ["again"]);
});
