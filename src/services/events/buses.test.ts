import assert from "node:assert/strict";
import { after, test } from "node:test";
import { EventBridge } from "@aws-sdk/client-eventbridge";
import { busArn, entry, eventsOf, listen, queueArn, roleFor, ruleArn, sink } from "../../../test/bus.ts";
import { startCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal } from "../../../test/principals.ts";

const OTHER = "222222222222";
const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const events = eventsOf(cloud);
const stranger = eventsOf(cloud, { accessKeyId: OTHER, secretAccessKey: "test" });

const inRegion = (region: string): EventBridge =>
  new EventBridge({ endpoint: cloud.endpoint, region, credentials: { accessKeyId: "test", secretAccessKey: "test" } });

const role = (name: string, ...statements: object[]) => roleFor(cloud, name, ...statements);
const bodies = async (received: () => Promise<{ Body?: string | undefined }[]>) =>
  (await received()).map(({ Body }) => JSON.parse(Body!) as Record<string, unknown>);

test("A bus is made, described, changed, listed and deleted", async () => {
  const made = await events.createEventBus({ Name: "orders", Description: "d", Tags: [{ Key: "k", Value: "v" }] });
  assert.equal(made.EventBusArn, busArn("orders"));
  assert.equal(made.Description, "d");
  assert.equal(
    await refusal(events.createEventBus({ Name: "orders" })),
    "ResourceAlreadyExistsException 400 Event bus orders already exists.",
  );
  assert.equal(
    await refusal(events.createEventBus({ Name: "default" })),
    "ResourceAlreadyExistsException 400 Event bus default already exists.",
  );
  assert.match(await refusal(events.createEventBus({ Name: "a/b" })), /^ValidationException 400 /);
  const DeadLetterConfig = { Arn: queueArn("dead") };
  await events.updateEventBus({ Name: "orders", Description: "e", DeadLetterConfig });
  const {
    $metadata: _,
    CreationTime,
    LastModifiedTime,
    ...bus
  } = await events.describeEventBus({ Name: busArn("orders") });
  assert.deepEqual(bus, { Name: "orders", Arn: busArn("orders"), Description: "e", DeadLetterConfig });
  assert.ok(CreationTime! <= LastModifiedTime!);
  assert.deepEqual((await events.listTagsForResource({ ResourceARN: busArn("orders") })).Tags, [
    { Key: "k", Value: "v" },
  ]);
  await events.untagResource({ ResourceARN: busArn("orders"), TagKeys: ["k"] });
  assert.deepEqual((await events.listTagsForResource({ ResourceARN: busArn("orders") })).Tags, []);
  await events.createEventBus({ Name: "aaa" });
  const page = await events.listEventBuses({ Limit: 2 });
  const rest = await events.listEventBuses({ NextToken: page.NextToken });
  assert.deepEqual(
    [page, rest].map(({ EventBuses }) => EventBuses!.map(({ Name }) => Name)),
    [["aaa", "default"], ["orders"]],
  );
  const named = await events.listEventBuses({ NamePrefix: "ord" });
  assert.deepEqual(
    named.EventBuses!.map(({ Name }) => Name),
    ["orders"],
  );
  await listen(events, { Name: "r", EventBusName: "orders", EventPattern: { source: ["a"] } });
  assert.match(
    await refusal(events.deleteEventBus({ Name: "orders" })),
    /^ValidationException 400 .* since it has rules\.$/,
  );
  await events.deleteRule({ Name: "r", EventBusName: "orders" });
  for (const Name of ["orders", "aaa"]) await events.deleteEventBus({ Name });
  const gone = "ResourceNotFoundException 400 Event bus orders does not exist.";
  assert.equal(await refusal(events.describeEventBus({ Name: "orders" })), gone);
  assert.equal(await refusal(events.deleteEventBus({ Name: "orders" })), gone);
  assert.equal(await refusal(events.listRules({ EventBusName: "orders" })), gone);
  assert.equal(
    await refusal(events.deleteEventBus({ Name: "default" })),
    "ValidationException 400 Cannot delete event bus default.",
  );
});

test("Rules of two buses are apart, by name or ARN of the bus", async () => {
  await events.createEventBus({ Name: "apart" });
  const received = await sink(cloud, "apart");
  await listen(
    events,
    { Name: "same", EventBusName: busArn("apart"), EventPattern: { source: ["app"] } },
    queueArn("apart"),
  );
  await listen(events, { Name: "same", EventPattern: { source: ["nobody"] } });
  const { Arn, EventBusName } = await events.describeRule({ Name: "same", EventBusName: "apart" });
  assert.deepEqual([Arn, EventBusName], [ruleArn("apart/same"), "apart"]);
  await events.putEvents({ Entries: [entry({ n: 1 }), entry({ n: 2 }, { EventBusName: busArn("apart") })] });
  assert.deepEqual(
    (await bodies(received)).map(({ detail }) => detail),
    [{ n: 2 }],
  );
  assert.deepEqual(
    (await events.listRuleNamesByTarget({ TargetArn: queueArn("apart"), EventBusName: "apart" })).RuleNames,
    ["same"],
  );
  assert.deepEqual((await events.listRuleNamesByTarget({ TargetArn: queueArn("apart") })).RuleNames, []);
});

test("PutPermission and RemovePermission change the policy a statement at a time, or whole", async () => {
  const shown = async () => JSON.parse((await events.describeEventBus({})).Policy ?? "null") as unknown;
  await events.putPermission({ Action: "events:PutEvents", Principal: OTHER, StatementId: "one" });
  const Condition = { Type: "StringEquals", Key: "aws:PrincipalOrgID", Value: "o-1234567890" };
  await events.putPermission({ Action: "events:PutEvents", Principal: "*", StatementId: "all", Condition });
  const base = { Effect: "Allow", Action: "events:PutEvents", Resource: busArn("default") };
  assert.deepEqual(await shown(), {
    Version: "2012-10-17",
    Statement: [
      { Sid: "one", ...base, Principal: { AWS: `arn:aws:iam::${OTHER}:root` } },
      { Sid: "all", ...base, Principal: "*", Condition: { StringEquals: { "aws:PrincipalOrgID": "o-1234567890" } } },
    ],
  });
  await events.removePermission({ StatementId: "all" });
  const missing = "ResourceNotFoundException 400 Statement with the provided id does not exist.";
  assert.equal(await refusal(events.removePermission({ StatementId: "all" })), missing);
  assert.match(
    await refusal(events.putPermission({ Policy: "nonsense" })),
    /^ValidationException 400 Parameter Policy is not valid\./,
  );
  assert.match(
    await refusal(events.putPermission({ Principal: "*" })),
    /^ValidationException 400 Parameter Action is not valid\./,
  );
  await events.removePermission({ RemoveAllPermissions: true });
  assert.equal(await shown(), null);
});

test("Another account may put events and rules where the bus's policy lets it, and nowhere else", async () => {
  await events.createEventBus({ Name: "shared" });
  const received = await sink(cloud, "shared");
  await listen(events, { Name: "all", EventBusName: "shared", EventPattern: { account: [OTHER] } }, queueArn("shared"));
  const Entries = [entry({ n: 1 }, { EventBusName: busArn("shared") })];
  assert.match(
    await refusal(stranger.putEvents({ Entries })),
    /^AccessDeniedException 400 .*because no resource-based policy allows/,
  );
  await events.putPermission({
    EventBusName: "shared",
    Policy: policy(
      {
        ...allow("events:PutEvents", { Resource: busArn("shared") }),
        Principal: { AWS: OTHER },
        Condition: { StringEquals: { "events:source": "app" } },
      },
      {
        ...allow(["events:PutRule", "events:DescribeRule"], { Resource: ruleArn("shared/*") }),
        Principal: { AWS: OTHER },
      },
    ),
  });
  await stranger.putEvents({ Entries });
  assert.match(
    await refusal(stranger.putEvents({ Entries: [{ ...Entries[0]!, Source: "other" }] })),
    /^AccessDeniedException/,
  );
  const [body] = await bodies(received);
  assert.deepEqual([body!.account, body!.detail], [OTHER, { n: 1 }]);
  await listen(stranger, { Name: "theirs", EventBusName: busArn("shared"), EventPattern: { source: ["a"] } });
  assert.equal((await events.describeRule({ Name: "theirs", EventBusName: "shared" })).CreatedBy, OTHER);
});

test("A bus sends on to buses of the same, another account or region, as its target's role: the same event, once", async () => {
  await events.createEventBus({ Name: "second" });
  await events.createEventBus({ Name: "third" });
  const west = inRegion("eu-west-1");
  await west.createEventBus({ Name: "far" });
  const far = busArn("far").replace("us-east-1", "eu-west-1");
  const theirs = busArn("default").replace("000000000000", OTHER);
  await stranger.putPermission({ Action: "events:PutEvents", Principal: "000000000000", StatementId: "in" });
  const RoleArn = await role("forwarding", allow("events:PutEvents"));
  const second = { Arn: busArn("second"), RoleArn };
  await listen(
    events,
    { Name: "on", EventPattern: { source: ["on"] } },
    second,
    { Arn: far, RoleArn },
    { Arn: theirs, RoleArn },
  );
  await listen(
    events,
    { Name: "on", EventBusName: "second", EventPattern: { source: ["on"] } },
    { Arn: busArn("third"), RoleArn },
    queueArn("second"),
  );
  const sinks = {
    second: await sink(cloud, "second"),
    third: await sink(cloud, "third"),
    far: await sink(cloud, "far"),
    theirs: await sink(cloud, "theirs"),
  };
  const all = { source: ["on"] };
  await listen(events, { Name: "all", EventBusName: "third", EventPattern: all }, queueArn("third"));
  await listen(west, { Name: "all", EventBusName: "far", EventPattern: all }, queueArn("far"));
  await listen(stranger, { Name: "all", EventPattern: all }, queueArn("theirs"));
  const { Entries } = await events.putEvents({ Entries: [entry('{"n":12345678901234567890}', { Source: "on" })] });
  for (const name of ["second", "far", "theirs"] as const) {
    const [message, ...more] = await sinks[name]();
    const body = JSON.parse(message?.Body ?? "{}") as Record<string, unknown>;
    assert.match(message!.Body!, /"detail":\{"n":12345678901234567890\}/);
    assert.deepEqual(
      [body?.id, body?.account, body?.region, more],
      [Entries![0]!.EventId, "000000000000", "us-east-1", []],
      name,
    );
  }
  assert.deepEqual(await bodies(sinks.third), []);
  west.destroy();
});

test("A role that may not, and a queue that lets nobody in, are refusals: the dead-letter queue says so", async () => {
  const dead = await sink(cloud, "refused");
  const DeadLetterConfig = { Arn: queueArn("refused") };
  const RoleArn = await role("powerless");
  await events.createEventBus({ Name: "closed" });
  await listen(
    events,
    { Name: "refused", EventPattern: { source: ["refused"] } },
    { Arn: busArn("closed"), RoleArn, DeadLetterConfig },
    { Arn: busArn("closed"), DeadLetterConfig },
    { Arn: queueArn("refused"), RoleArn: "arn:aws:iam::000000000000:role/nobody", DeadLetterConfig },
  );
  await events.putEvents({ Entries: [entry({}, { Source: "refused" })] });
  const letters = (await dead()).map(({ MessageAttributes }) => [
    MessageAttributes!.TARGET_ARN!.StringValue,
    MessageAttributes!.ERROR_CODE!.StringValue,
  ]);
  assert.deepEqual(letters.sort(), [
    [busArn("closed"), "NO_PERMISSIONS"],
    [busArn("closed"), "NO_PERMISSIONS"],
    [queueArn("refused"), "NO_PERMISSIONS"],
  ]);
});

test("A bus has 300 rules, or as many as its tag aws-like:rules says", async () => {
  await events.createEventBus({ Name: "small", Tags: [{ Key: "aws-like:rules", Value: "1" }] });
  const put = (Name: string) => events.putRule({ Name, EventBusName: "small", EventPattern: '{"source":["a"]}' });
  await put("one");
  await put("one");
  const full = "LimitExceededException 400 The requested resource exceeds the maximum number allowed.";
  assert.equal(await refusal(put("two")), full);
  await events.tagResource({ ResourceARN: busArn("small"), Tags: [{ Key: "aws-like:rules", Value: "2" }] });
  await put("two");
});
