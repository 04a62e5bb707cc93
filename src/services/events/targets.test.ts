import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { AddPermissionCommand } from "@aws-sdk/client-lambda";
import { SNS } from "@aws-sdk/client-sns";
import { SQS } from "@aws-sdk/client-sqs";
import { entry, eventsOf, listen, queueArn, roleFor, ruleArn, sink } from "../../../test/bus.ts";
import { arnOf, startCloudWithRole } from "../../../test/lambda.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";

const cloud = await startCloudWithRole();
after(() => cloud[Symbol.asyncDispose]());
const events = eventsOf(cloud);
const sqs = cloud.client(SQS);

const put = (Source: string) => events.putEvents({ Entries: [entry({ n: 1 }, { Source })] });

test("A topic gets the event where its policy lets EventBridge publish", async () => {
  const sns = cloud.client(SNS);
  const received = await sink(cloud, "subscribed");
  const Policy = policy({ ...allow("sqs:SendMessage"), Principal: { Service: "sns.amazonaws.com" } });
  await sqs.setQueueAttributes({ QueueUrl: `${cloud.endpoint}/000000000000/subscribed`, Attributes: { Policy } });
  const { TopicArn } = await sns.createTopic({ Name: "told" });
  await sns.subscribe({ TopicArn, Protocol: "sqs", Endpoint: queueArn("subscribed") });
  const dead = await sink(cloud, "untold");
  await listen(
    events,
    { Name: "told", EventPattern: { source: ["told"] } },
    { Arn: TopicArn!, DeadLetterConfig: { Arn: queueArn("untold") } },
  );
  await put("told");
  assert.deepEqual(
    (await dead()).map(({ MessageAttributes }) => MessageAttributes!.ERROR_CODE!.StringValue),
    ["NO_PERMISSIONS"],
  );
  const AttributeValue = policy({
    ...allow("sns:Publish", { Resource: TopicArn }),
    Principal: { Service: "events.amazonaws.com" },
  });
  await sns.setTopicAttributes({ TopicArn, AttributeName: "Policy", AttributeValue });
  await put("told");
  const [message] = await received();
  const { Message } = JSON.parse(message!.Body!) as { Message: string };
  assert.deepEqual((JSON.parse(Message) as { detail: object }).detail, { n: 1 });
});

test("A function is invoked with what its rule's template makes", async () => {
  await cloud.createBash("placed", 'echo "got $1" >&2');
  const permission = {
    StatementId: "e",
    Action: "lambda:InvokeFunction",
    Principal: "events.amazonaws.com",
    SourceArn: ruleArn("placed"),
  };
  await cloud.lambda.send(new AddPermissionCommand({ FunctionName: "placed", ...permission }));
  const InputTransformer = { InputPathsMap: { n: "$.detail.n" }, InputTemplate: '{"made":<n>}' };
  await listen(
    events,
    { Name: "placed", EventPattern: { source: ["placed"] } },
    { Arn: arnOf("placed"), InputTransformer },
  );
  await put("placed");
  await cloud.settle();
  const dir = join(cloud.aws.config.dir, "logs/lambda/placed");
  const text = (await Promise.all((await readdir(dir)).map((file) => readFile(join(dir, file), "utf8")))).join("");
  assert.match(text, /got \{"made":1\}/);
});

test("A target's role sends in EventBridge's place: no policy of the queue is needed", async () => {
  await sqs.createQueue({ QueueName: "closed" });
  const RoleArn = await roleFor(cloud, "sending", allow("sqs:SendMessage", { Resource: queueArn("closed") }));
  await listen(events, { Name: "role", EventPattern: { source: ["role"] } }, { Arn: queueArn("closed"), RoleArn });
  await put("role");
  await cloud.settle();
  const { Messages } = await sqs.receiveMessage({ QueueUrl: `${cloud.endpoint}/000000000000/closed` });
  assert.equal(Messages?.length, 1);
});

test("Whoever gives a target a role must be allowed to pass it", async () => {
  const may = policy(allow(["events:*"]));
  const user = eventsOf(cloud, await userWith(cloud, "passer", { may }));
  const RoleArn = "arn:aws:iam::000000000000:role/sending";
  const Targets = [{ Id: "t", Arn: queueArn("closed"), RoleArn }];
  assert.match(
    await refusal(user.putTargets({ Rule: "role", Targets })),
    /^AccessDeniedException 400 .*iam:PassRole on resource: arn:aws:iam::000000000000:role\/sending/,
  );
  await user.putTargets({ Rule: "role", Targets: [{ Id: "t", Arn: queueArn("closed") }] });
});
