import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  ConfirmSubscriptionCommand,
  CreateTopicCommand,
  DeleteTopicCommand,
  GetSubscriptionAttributesCommand,
  GetTopicAttributesCommand,
  ListSubscriptionsByTopicCommand,
  ListSubscriptionsCommand,
  PublishCommand,
  SetSubscriptionAttributesCommand,
  SetTopicAttributesCommand,
  SNSClient,
  SubscribeCommand,
  type SubscribeCommandInput,
  UnsubscribeCommand,
} from "@aws-sdk/client-sns";
import { CreateQueueCommand, ReceiveMessageCommand, SetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { type Key, startCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sns = cloud.client(SNSClient);
const QUEUE = "arn:aws:sqs:us-east-1:000000000000:q";
const OTHER: Key = { accessKeyId: "111111111111", secretAccessKey: "test" };

const topic = async (Name: string, Attributes: Record<string, string> = {}): Promise<string> =>
  (await sns.send(new CreateTopicCommand({ Name, Attributes }))).TopicArn!;
const subscribe = async (of: Omit<SubscribeCommandInput, "ReturnSubscriptionArn">): Promise<string> =>
  (await sns.send(new SubscribeCommand({ ...of, ReturnSubscriptionArn: true }))).SubscriptionArn!;
const attributesOf = async (SubscriptionArn: string): Promise<Record<string, string>> =>
  (await sns.send(new GetSubscriptionAttributesCommand({ SubscriptionArn }))).Attributes!;
const set = (SubscriptionArn: string, AttributeName: string, AttributeValue: string) =>
  sns.send(new SetSubscriptionAttributesCommand({ SubscriptionArn, AttributeName, AttributeValue }));
const invalid = (said: string): string => `InvalidParameter 400 Invalid parameter: ${said}`;

test("a queue of one's own is subscribed at once, with AWS's attributes", async () => {
  const TopicArn = await topic("own");
  const SubscriptionArn = await subscribe({ TopicArn, Protocol: "sqs", Endpoint: QUEUE });
  assert.match(SubscriptionArn, new RegExp(`^${TopicArn}:[0-9a-f-]{36}$`));
  assert.deepEqual(await attributesOf(SubscriptionArn), {
    ConfirmationWasAuthenticated: "true",
    Endpoint: QUEUE,
    Owner: "000000000000",
    PendingConfirmation: "false",
    Protocol: "sqs",
    RawMessageDelivery: "false",
    SubscriptionArn,
    SubscriptionPrincipal: "arn:aws:iam::000000000000:root",
    TopicArn,
  });
  const Subscriptions = [{ Endpoint: QUEUE, Owner: "000000000000", Protocol: "sqs", SubscriptionArn, TopicArn }];
  const listed = await sns.send(new ListSubscriptionsByTopicCommand({ TopicArn }));
  assert.deepEqual(listed.Subscriptions, Subscriptions);
  const all = await sns.send(new ListSubscriptionsCommand({}));
  assert.deepEqual(all.Subscriptions, Subscriptions);
});

test("what cannot be subscribed is refused in AWS's words", async () => {
  const TopicArn = await topic("refusing");
  const fifo = await topic("refusing.fifo", { FifoTopic: "true" });
  const cases: [Omit<SubscribeCommandInput, "TopicArn"> & { TopicArn?: string }, string][] = [
    [{ Protocol: "carrier-pigeon", Endpoint: "x" }, "Amazon SNS does not support this protocol string: carrier-pigeon"],
    [{ Protocol: "sqs", Endpoint: "http://localhost/000000000000/q" }, "SQS endpoint ARN"],
    [{ Protocol: "lambda", Endpoint: QUEUE }, "Lambda endpoint ARN"],
    [{ Protocol: "http", Endpoint: "https://example.com" }, "Endpoint must match the specified protocol"],
    [{ Protocol: "email", Endpoint: "nobody" }, "Email address"],
    [
      { Protocol: "sqs", Endpoint: `${QUEUE}.fifo` },
      "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
    ],
    [
      { TopicArn: fifo, Protocol: "http", Endpoint: "http://example.com" },
      "Invalid parameter: Endpoint Reason: Please use FIFO SQS queue",
    ],
    [
      { Protocol: "sqs", Endpoint: QUEUE, Attributes: { RawMessageDelivery: "wrong" } },
      "Attributes Reason: RawMessageDelivery: Invalid value [wrong]. Must be true or false.",
    ],
    [
      { Protocol: "sqs", Endpoint: QUEUE, Attributes: { FilterPolicy: "invalid" } },
      "Attributes Reason: FilterPolicy: failed to parse JSON. Unrecognized token 'invalid': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 8]",
    ],
  ];
  for (const [of, said] of cases) assert.equal(await refusal(subscribe({ TopicArn, ...of })), invalid(said));
  for (const Endpoint of ["invalid-number", "+15--551234567", "NAA+15551234567", "+15551234567.", "/+15551234567"])
    assert.equal(
      await refusal(subscribe({ TopicArn, Protocol: "sms", Endpoint })),
      `InvalidParameter 400 Invalid SMS endpoint: ${Endpoint}`,
    );
  for (const Protocol of ["firehose", "application"])
    assert.match(await refusal(subscribe({ TopicArn, Protocol, Endpoint: "x" })), /^NotImplemented 501/);
  assert.equal(
    await refusal(subscribe({ TopicArn: `${TopicArn}x`, Protocol: "sqs", Endpoint: QUEUE })),
    "NotFound 404 Topic does not exist",
  );
});

test("the same endpoint is the same subscription, unless its attributes are others", async () => {
  const of = { TopicArn: await topic("twice"), Protocol: "sqs", Endpoint: QUEUE };
  const first = await subscribe({ ...of, Attributes: { RawMessageDelivery: "true" } });
  assert.equal(await subscribe(of), first);
  assert.equal(await subscribe({ ...of, Attributes: { RawMessageDelivery: "true" } }), first);
  assert.equal(
    await refusal(subscribe({ ...of, Attributes: { RawMessageDelivery: "false" } })),
    invalid("Attributes Reason: Subscription already exists with different attributes"),
  );
});

test("SetSubscriptionAttributes keeps what is sound and says what is not", async () => {
  const one = await subscribe({ TopicArn: await topic("set"), Protocol: "sqs", Endpoint: QUEUE });
  const dead = JSON.stringify({ deadLetterTargetArn: QUEUE });
  await set(one, "RawMessageDelivery", "true");
  await set(one, "RedrivePolicy", dead);
  await set(one, "FilterPolicy", '{"a":["b"]}');
  const { RawMessageDelivery, RedrivePolicy, FilterPolicy, FilterPolicyScope } = await attributesOf(one);
  assert.deepEqual(
    [RawMessageDelivery, RedrivePolicy, FilterPolicy, FilterPolicyScope],
    ["true", dead, '{"a":["b"]}', "MessageAttributes"],
  );
  const cases: [string, string, string][] = [
    ["fake", "x", "AttributeName"],
    ["RawMessageDelivery", "", "RawMessageDelivery: Invalid value []. Must be true or false."],
    ["RedrivePolicy", '{"deadLetterTargetArn":"fake"}', "RedrivePolicy: deadLetterTargetArn is an invalid arn"],
    ["RedrivePolicy", '{"maxReceiveCount":3}', "RedrivePolicy: invalid JSON. Attribute maxReceiveCount is unknown."],
    [
      "RedrivePolicy",
      "{invalidjson}",
      "RedrivePolicy: failed to parse JSON. Unexpected character ('i' (code 105)): was expecting double-quote to start field name\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 2]",
    ],
    [
      "FilterPolicy",
      '{"a":{"b":["c"]}}',
      "Filter policy scope MessageAttributes does not support nested filter policy",
    ],
    ["DeliveryPolicy", '{"guaranteed":false}', "DeliveryPolicy: protocol sqs does not support delivery policies"],
  ];
  for (const [name, value, said] of cases) assert.equal(await refusal(set(one, name, value)), invalid(said));
  assert.match(await refusal(set(one, "ReplayPolicy", "{}")), /^NotImplemented 501/);
  await set(one, "FilterPolicy", "");
  assert.equal((await attributesOf(one)).FilterPolicy, undefined);
  await sns.send(new UnsubscribeCommand({ SubscriptionArn: one }));
  assert.equal(await refusal(set(one, "RawMessageDelivery", "true")), "NotFound 404 Subscription does not exist");
});

test("an HTTP subscription's policies: its own, the topic's, and what holds", async () => {
  const TopicArn = await topic("http");
  await sns.send(
    new SetTopicAttributesCommand({
      TopicArn,
      AttributeName: "DeliveryPolicy",
      AttributeValue: '{"http":{"defaultRequestPolicy":{"headerContentType":"application/json"}}}',
    }),
  );
  const healthyRetryPolicy = { minDelayTarget: 1, maxDelayTarget: 1, numRetries: 0 };
  const one = await subscribe({
    TopicArn,
    Protocol: "http",
    Endpoint: "http://127.0.0.1:1/",
    Attributes: {
      DeliveryPolicy: JSON.stringify({ healthyRetryPolicy, throttlePolicy: { maxReceivesPerSecond: 1000 } }),
    },
  });
  const { DeliveryPolicy, EffectiveDeliveryPolicy, PendingConfirmation } = await attributesOf(one);
  const zeros = { numMaxDelayRetries: 0, numNoDelayRetries: 0, numMinDelayRetries: 0, backoffFunction: "linear" };
  const own = {
    healthyRetryPolicy: { ...healthyRetryPolicy, ...zeros },
    sicklyRetryPolicy: null,
    throttlePolicy: { maxReceivesPerSecond: 1000 },
    requestPolicy: null,
    guaranteed: false,
  };
  assert.equal(DeliveryPolicy, JSON.stringify(own));
  assert.equal(
    EffectiveDeliveryPolicy,
    JSON.stringify({ ...own, requestPolicy: { headerContentType: "application/json" } }),
  );
  assert.equal(PendingConfirmation, "true");
});

test("Unsubscribe is idempotent, and judges the ARN", async () => {
  const SubscriptionArn = await subscribe({ TopicArn: await topic("left"), Protocol: "sqs", Endpoint: QUEUE });
  const leave = (arn: string) => sns.send(new UnsubscribeCommand({ SubscriptionArn: arn }));
  await leave(SubscriptionArn);
  await leave(SubscriptionArn);
  assert.equal(await refusal(attributesOf(SubscriptionArn)), "NotFound 404 Subscription does not exist");
  const at = "SubscriptionArn Reason: An ARN must have at least 6 elements, not";
  assert.equal(await refusal(leave("random")), invalid(`${at} 1`));
  assert.equal(await refusal(leave("arn:aws:sns:us-east-1:random")), invalid(`${at} 5`));
  assert.equal(await refusal(leave("arn:aws:sns:us-east-1:000000000000:random")), invalid("SubscriptionId"));
  assert.equal(await refusal(leave("")), invalid("SubscriptionArn Reason: no value for required parameter"));
});

test("what nobody confirms is gone after two days; lists say that it is pending", async () => {
  const TopicArn = await topic("unanswered");
  const answer = await sns.send(new SubscribeCommand({ TopicArn, Protocol: "email", Endpoint: "a@b.example" }));
  assert.equal(answer.SubscriptionArn, "pending confirmation");
  const listed = async () => (await sns.send(new ListSubscriptionsByTopicCommand({ TopicArn }))).Subscriptions!;
  assert.deepEqual(
    (await listed()).map((one) => one.SubscriptionArn),
    ["PendingConfirmation"],
  );
  const counted = await sns.send(new GetTopicAttributesCommand({ TopicArn }));
  assert.equal(counted.Attributes!.SubscriptionsPending, "1");
  await cloud.advance(2 * 24 * 3_600_000 - 1000);
  assert.equal((await listed()).length, 1);
  await cloud.advance(2000);
  assert.deepEqual(await listed(), []);
});

test("another account subscribes its queue and looks after the subscription; the topic's may end it", async () => {
  const TopicArn = await topic("theirs");
  const may = policy({
    Effect: "Allow",
    Principal: { AWS: "111111111111" },
    Action: "sns:Subscribe",
    Resource: TopicArn,
    Condition: {
      StringEquals: { "sns:Protocol": "sqs" },
      StringLike: { "sns:Endpoint": "arn:aws:sqs:*:111111111111:*" },
    },
  });
  await sns.send(new SetTopicAttributesCommand({ TopicArn, AttributeName: "Policy", AttributeValue: may }));
  const other = cloud.client(SNSClient, OTHER);
  const Endpoint = "arn:aws:sqs:us-east-1:111111111111:q";
  const { SubscriptionArn } = await other.send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint }));
  assert.match(
    await refusal(other.send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint: QUEUE }))),
    /^AuthorizationError/,
  );
  const { Attributes } = await other.send(new GetSubscriptionAttributesCommand({ SubscriptionArn }));
  assert.deepEqual([Attributes!.Owner, Attributes!.PendingConfirmation], ["111111111111", "false"]);
  assert.equal((await other.send(new ListSubscriptionsCommand({}))).Subscriptions!.length, 1);
  const stranger = cloud.client(SNSClient, { accessKeyId: "222222222222", secretAccessKey: "test" });
  assert.match(await refusal(stranger.send(new UnsubscribeCommand({ SubscriptionArn }))), /^AuthorizationError 403/);
  await other.send(
    new SetSubscriptionAttributesCommand({
      SubscriptionArn,
      AttributeName: "RawMessageDelivery",
      AttributeValue: "true",
    }),
  );
  await sns.send(new UnsubscribeCommand({ SubscriptionArn }));
  assert.equal((await other.send(new ListSubscriptionsCommand({}))).Subscriptions!.length, 0);
});

test("another account's queue is asked before it gets anything", async () => {
  const TopicArn = await topic("asking");
  const theirs = cloud.client(SQSClient, OTHER);
  const { QueueUrl } = await theirs.send(new CreateQueueCommand({ QueueName: "asked" }));
  const Policy = policy(allow("sqs:SendMessage", { Principal: { Service: "sns.amazonaws.com" } }));
  await theirs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
  const Endpoint = "arn:aws:sqs:us-east-1:111111111111:asked";
  const answer = await sns.send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint }));
  assert.equal(answer.SubscriptionArn, "pending confirmation");
  await sns.send(new PublishCommand({ TopicArn, Message: "too early" }));
  await cloud.settle();
  const receive = async () => {
    const { Messages = [] } = await theirs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
    return Messages.map(({ Body }) => JSON.parse(Body!) as Record<string, string>);
  };
  const asked = await receive();
  assert.deepEqual(
    asked.map(({ Type }) => Type),
    ["SubscriptionConfirmation"],
  );
  const { Token } = asked[0]!;
  const confirm = (token: string | undefined) => sns.send(new ConfirmSubscriptionCommand({ TopicArn, Token: token }));
  assert.equal(await refusal(confirm("short")), invalid("Token"));
  assert.equal(await refusal(confirm("ab".repeat(128))), "InvalidParameter 400 Invalid token");
  await confirm(Token);
  await sns.send(new PublishCommand({ TopicArn, Message: "now" }));
  await cloud.settle();
  assert.deepEqual(
    (await receive()).map(({ Message }) => Message),
    ["now"],
  );
});

test("a topic that is deleted takes its subscriptions along", async () => {
  const TopicArn = await topic("deleted");
  const one = await subscribe({ TopicArn, Protocol: "sqs", Endpoint: QUEUE });
  await sns.send(new DeleteTopicCommand({ TopicArn }));
  assert.equal(await refusal(attributesOf(one)), "NotFound 404 Subscription does not exist");
});

test("subscriptions are listed in pages of a hundred", async () => {
  const TopicArn = await topic("many");
  const one = (at: number) => subscribe({ TopicArn, Protocol: "sqs", Endpoint: `${QUEUE}${at}` });
  await Promise.all(Array.from({ length: 101 }, (_, at) => one(at)));
  const first = await sns.send(new ListSubscriptionsByTopicCommand({ TopicArn }));
  const NextToken = first.NextToken!;
  const second = await sns.send(new ListSubscriptionsByTopicCommand({ TopicArn, NextToken }));
  assert.deepEqual([first.Subscriptions!.length, second.Subscriptions!.length, second.NextToken], [100, 1, undefined]);
});

test("a topic has two hundred filters at most", async () => {
  const TopicArn = await topic("choosy");
  const filtered = (at: number) =>
    subscribe({ TopicArn, Protocol: "sqs", Endpoint: `${QUEUE}${at}`, Attributes: { FilterPolicy: '{"a":["b"]}' } });
  await Promise.all(Array.from({ length: 200 }, (_, at) => filtered(at)));
  assert.match(await refusal(filtered(200)), /^FilterPolicyLimitExceeded 403/);
  const plain = await subscribe({ TopicArn, Protocol: "sqs", Endpoint: `${QUEUE}201` });
  assert.match(await refusal(set(plain, "FilterPolicy", '{"a":["b"]}')), /^FilterPolicyLimitExceeded 403/);
});

test("a user may do to a subscription what his policy says of it", async () => {
  const SubscriptionArn = await subscribe({ TopicArn: await topic("mine"), Protocol: "sqs", Endpoint: QUEUE });
  const may = policy(allow("sns:GetSubscriptionAttributes"));
  const user = cloud.client(SNSClient, await userWith(cloud, "reader", { may }));
  await user.send(new GetSubscriptionAttributesCommand({ SubscriptionArn }));
  assert.match(
    await refusal(user.send(new UnsubscribeCommand({ SubscriptionArn }))),
    /not authorized to perform: SNS:Unsubscribe on resource: arn:aws:sns:us-east-1:000000000000:mine:/,
  );
});
