// aws-like queue, send and chaos, as a user runs them.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { EventBridge } from "@aws-sdk/client-eventbridge";
import { SNS } from "@aws-sdk/client-sns";
import { SQS } from "@aws-sdk/client-sqs";
import { run } from "./bin.ts";
import { startCloud } from "./cloud.ts";
import { policy } from "./principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sqs = cloud.client(SQS);
await cloud.aws.clock({ freeze: Date.parse("2030-01-01T00:00:00Z") });

const cli = (...args: string[]) => run([...args, "--endpoint", cloud.endpoint]);
async function said(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(...args);
  assert.equal(code, 0, stderr);
  return stdout;
}
async function refused(sentence: RegExp, ...args: string[]): Promise<void> {
  const { code, stderr } = await cli(...args);
  assert.equal(code, 1);
  assert.match(stderr, /^aws-like: [^\n]+\n$/);
  assert.match(stderr, sentence);
}

test("send puts a message into a queue, queue shows it and receives nothing", async () => {
  const { QueueUrl } = await sqs.createQueue({ QueueName: "orders" });
  const id = (await said("send", "orders", "hällo", "--attribute", "colour=red=x", "--group", "g")).trim();
  await said("send", QueueUrl!, "later", "--delay", "90");
  await said("send", "arn:aws:sqs:us-east-1:000000000000:orders", "x".repeat(100));
  const shown = await said("queue", "orders", "--most", "2");
  const lines = shown.trimEnd().split("\n");
  assert.equal(lines[0], "arn:aws:sqs:us-east-1:000000000000:orders: 2 to receive, 0 in flight, 1 delayed");
  assert.match(lines[1]!, /^id +age +visible in +receives +group +body +attributes$/);
  assert.match(lines[3]!, new RegExp(`^${id} +0.0s +now +0 +g +hällo +colour=red=x$`));
  assert.match(lines[4]!, /now +0 +x{57}\.\.\.$/);
  assert.equal(lines[5], "and 1 more; --most N shows more");
  const json = (await said("queue", QueueUrl!, "--json")).trimEnd().split("\n");
  const [first, , last] = json.map((line) => JSON.parse(line));
  assert.deepEqual(first, {
    id,
    body: "hällo",
    sentMs: cloud.aws.now(),
    visibleMs: cloud.aws.now(),
    receives: 0,
    group: "g",
    senderId: "000000000000",
    attributes: { colour: { DataType: "String", StringValue: "red=x" } },
  });
  assert.equal(last.visibleMs, cloud.aws.now() + 90_000);
  const { Messages } = await sqs.receiveMessage({
    QueueUrl: QueueUrl!,
    MessageSystemAttributeNames: ["ApproximateReceiveCount"],
  });
  assert.equal(Messages![0]!.Attributes!.ApproximateReceiveCount, "1");
  assert.match(await said("queue", "orders"), /: 1 to receive, 1 in flight, 1 delayed/);
});

test("What cannot be sent or shown is said in one sentence", async () => {
  await refused(/there is no queue nothing in us-east-1 of 000000000000/, "queue", "nothing");
  await refused(/say one queue/, "queue");
  await refused(/QueueDoesNotExist: The specified queue does not exist/, "send", "nothing", "x");
  await refused(/a queue takes no --subject/, "send", "orders", "x", "--subject", "s");
  await refused(/red is no attribute; say NAME=VALUE/, "send", "orders", "x", "--attribute", "red");
  await refused(/arn:aws:s3:::b is no queue, topic or event bus/, "send", "arn:aws:s3:::b", "x");
});

test("send publishes to a topic and puts an event on a bus", async () => {
  const arn = "arn:aws:sqs:us-east-1:000000000000:heard";
  const { QueueUrl } = await sqs.createQueue({
    QueueName: "heard",
    Attributes: {
      Policy: policy(
        ...["sns", "events"].map((name) => ({
          Effect: "Allow",
          Principal: { Service: `${name}.amazonaws.com` },
          Action: "sqs:SendMessage",
          Resource: arn,
        })),
      ),
    },
  });
  const sns = cloud.client(SNS);
  const { TopicArn } = await sns.createTopic({ Name: "news" });
  await sns.subscribe({ TopicArn, Protocol: "sqs", Endpoint: arn });
  const events = cloud.client(EventBridge);
  await events.putRule({ Name: "all", EventPattern: '{"source":["my.app"]}' });
  await events.putTargets({ Rule: "all", Targets: [{ Id: "1", Arn: arn }] });
  const id = (await said("send", "topic/news", "hello", "--subject", "s", "--attribute", "a=b")).trim();
  await said("send", TopicArn!, "again");
  assert.match(await said("send", "bus/default", '{"n":1}', "--source", "my.app"), /^[0-9a-f-]{36}\n$/);
  await refused(/MalformedDetail: /, "send", "bus/default", "no json");
  await refused(/NotFound: Topic does not exist/, "send", "topic/none", "x");
  await refused(/a topic takes no --delay/, "send", "topic/news", "x", "--delay", "1");
  await cloud.settle();
  const { Messages } = await sqs.receiveMessage({ QueueUrl: QueueUrl!, MaxNumberOfMessages: 10 });
  const heard = Messages!.map(({ Body }) => JSON.parse(Body!));
  const first = heard.find(({ MessageId }) => MessageId === id);
  assert.deepEqual([first.Message, first.Subject, first.MessageAttributes.a.Value], ["hello", "s", "b"]);
  assert.ok(heard.some(({ Message }) => Message === "again"));
  const event = heard.find(({ source }) => source === "my.app");
  assert.deepEqual([event["detail-type"], event.detail], ["Message", { n: 1 }]);
});

test("chaos lists, sets and clears", async () => {
  assert.equal(await said("chaos"), "calm: nothing goes wrong on purpose\n");
  await said("chaos", "duplicate", "20", "orders", "--seed", "7");
  await said("chaos", "delay", "300ms", "sqs:SendMessage", "50%");
  assert.equal(
    await said("chaos", "fail", "5", "arn:aws:lambda:*"),
    [
      "duplicate   20 %            orders",
      "delay       50 %    300 ms  sqs:SendMessage",
      "fail         5 %            arn:aws:lambda:*",
      "seed 7",
      "",
    ].join("\n"),
  );
  await said("chaos", "clear", "delay");
  const { knobs } = JSON.parse(await said("chaos", "--json"));
  assert.equal(knobs.length, 2);
  await refused(/many is no percentage/, "chaos", "duplicate", "many");
  await refused(/say: chaos throttle PERCENT OPERATION/, "chaos", "throttle", "5");
  await refused(/there is no chaos drop/, "chaos", "drop");
  assert.equal(await said("chaos", "clear"), "calm: nothing goes wrong on purpose\n");
});
