// Subscriptions of HTTP endpoints, against a server of the test's own.
import assert from "node:assert/strict";
import { createVerify, X509Certificate } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import {
  ConfirmSubscriptionCommand,
  CreateTopicCommand,
  GetSubscriptionAttributesCommand,
  GetTopicAttributesCommand,
  PublishCommand,
  SetSubscriptionAttributesCommand,
  SNSClient,
  SubscribeCommand,
  UnsubscribeCommand,
} from "@aws-sdk/client-sns";
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { startCloud, type TestCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal } from "../../../test/principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sns = cloud.client(SNSClient);

interface Post {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** On the cloud's clock. */
  readonly at: number;
}

/** Answers what `status` says, and keeps what it was sent. */
async function endpoint(of: TestCloud = cloud) {
  const posts: Post[] = [];
  const answers = { status: 200 };
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    posts.push({ headers: request.headers, body, at: of.aws.now() });
    response.writeHead(answers.status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/sns`;
  const take = (): Post[] => posts.splice(0);
  return {
    url,
    answers,
    take,
    [Symbol.asyncDispose]: () => new Promise<void>((done) => void server.close(() => done())),
  };
}

const topic = async (Name: string, Attributes: Record<string, string> = {}): Promise<string> =>
  (await sns.send(new CreateTopicCommand({ Name, Attributes }))).TopicArn!;

async function subscribe(TopicArn: string, Endpoint: string, Attributes: Record<string, string> = {}): Promise<string> {
  const input = { TopicArn, Protocol: "http", Endpoint, Attributes, ReturnSubscriptionArn: true };
  const { SubscriptionArn } = await sns.send(new SubscribeCommand(input));
  await cloud.settle();
  return SubscriptionArn!;
}

async function subscribed(
  TopicArn: string,
  at: Awaited<ReturnType<typeof endpoint>>,
  attributes = {},
): Promise<string> {
  const SubscriptionArn = await subscribe(TopicArn, at.url, attributes);
  const { Token } = JSON.parse(at.take()[0]!.body);
  await sns.send(new ConfirmSubscriptionCommand({ TopicArn, Token }));
  return SubscriptionArn;
}

const publish = async (TopicArn: string, Message: string, more = {}) => {
  const sent = await sns.send(new PublishCommand({ TopicArn, Message, ...more }));
  await cloud.settle();
  return sent;
};

/** As https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html says: by the certificate alone. */
async function verify(message: Record<string, string>): Promise<boolean> {
  const names =
    message.Type === "Notification"
      ? ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
      : ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
  const text = names
    .filter((name) => message[name] !== undefined)
    .map((name) => `${name}\n${message[name]}\n`)
    .join("");
  const pem = await (await fetch(message.SigningCertURL!)).text();
  const certificate = new X509Certificate(pem);
  assert.equal(certificate.subject, "CN=sns.amazonaws.com");
  assert.ok(certificate.verify(certificate.publicKey));
  assert.equal(certificate.checkHost("sns.amazonaws.com"), "sns.amazonaws.com");
  const hash = message.SignatureVersion === "2" ? "RSA-SHA256" : "RSA-SHA1";
  return createVerify(hash).update(text).verify(certificate.publicKey, message.Signature!, "base64");
}

test("an endpoint is asked, confirms by the link, is notified, leaves by the link and comes back by it", async () => {
  await using at = await endpoint();
  const TopicArn = await topic("visited");
  const SubscriptionArn = await subscribe(TopicArn, at.url);
  await publish(TopicArn, "too early");
  const [asked, ...more] = at.take();
  assert.equal(more.length, 0);
  const question = JSON.parse(asked!.body);
  assert.deepEqual(Object.keys(question), [
    "Type",
    "MessageId",
    "Token",
    "TopicArn",
    "Message",
    "SubscribeURL",
    "Timestamp",
    "SignatureVersion",
    "Signature",
    "SigningCertURL",
  ]);
  assert.equal(asked!.headers["x-amz-sns-message-type"], "SubscriptionConfirmation");
  assert.equal(asked!.headers["x-amz-sns-message-id"], question.MessageId);
  assert.equal(asked!.headers["x-amz-sns-topic-arn"], TopicArn);
  assert.equal(asked!.headers["x-amz-sns-subscription-arn"], undefined);
  assert.equal(asked!.headers["content-type"], "text/plain; charset=UTF-8");
  assert.equal(asked!.headers["user-agent"], "Amazon Simple Notification Service Agent");
  assert.ok(await verify(question));

  const confirmed = await fetch(question.SubscribeURL);
  assert.match(
    await confirmed.text(),
    new RegExp(`<ConfirmSubscriptionResult><SubscriptionArn>${SubscriptionArn}</SubscriptionArn>`),
  );
  const { Attributes } = await sns.send(new GetSubscriptionAttributesCommand({ SubscriptionArn }));
  assert.deepEqual([Attributes!.PendingConfirmation, Attributes!.ConfirmationWasAuthenticated], ["false", "false"]);

  await publish(TopicArn, "Hello", { Subject: "S" });
  const [told] = at.take();
  const notification = JSON.parse(told!.body);
  assert.equal(notification.Message, "Hello");
  assert.equal(told!.headers["x-amz-sns-message-type"], "Notification");
  assert.equal(told!.headers["x-amz-sns-subscription-arn"], SubscriptionArn);
  assert.ok(await verify(notification));
  assert.equal(await verify({ ...notification, Message: "Hello!" }), false);

  assert.equal((await fetch(notification.UnsubscribeURL)).status, 200);
  await cloud.settle();
  const [left] = at.take();
  const farewell = JSON.parse(left!.body);
  assert.equal(farewell.Type, "UnsubscribeConfirmation");
  assert.match(farewell.Message, new RegExp(`^You have chosen to deactivate subscription ${SubscriptionArn}\\.\n`));
  assert.ok(await verify(farewell));
  await publish(TopicArn, "unheard");
  assert.equal(at.take().length, 0);
  const counted = await sns.send(new GetTopicAttributesCommand({ TopicArn }));
  assert.equal(counted.Attributes!.SubscriptionsDeleted, "1");

  await fetch(farewell.SubscribeURL);
  await publish(TopicArn, "back");
  assert.equal(JSON.parse(at.take()[0]!.body).Message, "back");
});

test("signature version 2 is SHA-256, in what is asked and what is told", async () => {
  await using at = await endpoint();
  const TopicArn = await topic("sha256", { SignatureVersion: "2" });
  await subscribe(TopicArn, at.url);
  const question = JSON.parse(at.take()[0]!.body);
  assert.equal(question.SignatureVersion, "2");
  assert.ok(await verify(question));
  await fetch(question.SubscribeURL);
  await publish(TopicArn, "x");
  const notification = JSON.parse(at.take()[0]!.body);
  assert.equal(notification.SignatureVersion, "2");
  assert.ok(await verify(notification));
});

test("raw delivery has the text alone, a header of its own, and the content type that the policy says", async () => {
  await using at = await endpoint();
  const TopicArn = await topic("raw");
  await subscribed(TopicArn, at, {
    RawMessageDelivery: "true",
    DeliveryPolicy: '{"requestPolicy":{"headerContentType":"text/csv"}}',
  });
  await publish(TopicArn, "a,b");
  const [told] = at.take();
  assert.equal(told!.body, "a,b");
  assert.equal(told!.headers["x-amz-sns-rawdelivery"], "true");
  assert.equal(told!.headers["content-type"], "text/csv");
});

test("who confirmed so can be unsubscribed by a signed request only", async () => {
  await using at = await endpoint();
  const TopicArn = await topic("signed");
  const SubscriptionArn = await subscribe(TopicArn, at.url);
  const { Token } = JSON.parse(at.take()[0]!.body);
  await sns.send(new ConfirmSubscriptionCommand({ TopicArn, Token, AuthenticateOnUnsubscribe: "true" }));
  await publish(TopicArn, "x");
  const { UnsubscribeURL } = JSON.parse(at.take()[0]!.body);
  assert.equal((await fetch(UnsubscribeURL)).status, 403);
  await publish(TopicArn, "y");
  assert.equal(at.take().length, 1);
  await sns.send(new UnsubscribeCommand({ SubscriptionArn }));
});

test("a failing endpoint is tried again in the phases of its policy, on the clock; then comes the dead-letter queue", async () => {
  await using own = await startCloud();
  await using at = await endpoint(own);
  const client = own.client(SNSClient);
  const sqs = own.client(SQSClient);
  const Policy = policy(allow("sqs:SendMessage", { Principal: { Service: "sns.amazonaws.com" } }));
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "dead", Attributes: { Policy } }));
  await own.aws.clock({ freeze: true });
  const { TopicArn } = await client.send(new CreateTopicCommand({ Name: "failing" }));
  const healthyRetryPolicy = {
    minDelayTarget: 10,
    maxDelayTarget: 30,
    numRetries: 7,
    numNoDelayRetries: 1,
    numMinDelayRetries: 1,
    numMaxDelayRetries: 2,
    backoffFunction: "linear",
  };
  const Attributes = {
    DeliveryPolicy: JSON.stringify({ healthyRetryPolicy }),
    RedrivePolicy: '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead"}',
  };
  await client.send(new SubscribeCommand({ TopicArn, Protocol: "http", Endpoint: at.url, Attributes }));
  await own.settle();
  await client.send(new ConfirmSubscriptionCommand({ TopicArn, Token: JSON.parse(at.take()[0]!.body).Token }));
  at.answers.status = 503;
  const began = own.aws.now();
  await client.send(new PublishCommand({ TopicArn, Message: "x" }));
  await own.settle();
  await own.advance(600_000);
  const seconds = at.take().map((post) => (post.at - began) / 1000);
  // At once, at 10; then 10, 20 and 30 apart; then twice 30.
  assert.deepEqual(seconds, [0, 0, 10, 20, 40, 70, 100, 130]);
  const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl }));
  assert.equal(JSON.parse(Messages![0]!.Body!).Message, "x");
});

test("an endpoint that refuses is not asked again; one that is too busy is", async () => {
  await using at = await endpoint();
  const TopicArn = await topic("judged");
  await subscribed(TopicArn, at);
  at.answers.status = 404;
  await publish(TopicArn, "x");
  await cloud.advance(120_000);
  assert.equal(at.take().length, 1);
  at.answers.status = 429;
  await publish(TopicArn, "y");
  await cloud.advance(120_000);
  assert.equal(at.take().length, 4); // three retries, 20 seconds apart
});

test("an endpoint that takes two a second is sent no more", async () => {
  await using own = await startCloud();
  await using at = await endpoint(own);
  const client = own.client(SNSClient);
  await own.aws.clock({ freeze: true });
  const { TopicArn } = await client.send(new CreateTopicCommand({ Name: "throttled" }));
  const Attributes = { DeliveryPolicy: '{"throttlePolicy":{"maxReceivesPerSecond":2}}' };
  await client.send(new SubscribeCommand({ TopicArn, Protocol: "http", Endpoint: at.url, Attributes }));
  await own.settle();
  await client.send(new ConfirmSubscriptionCommand({ TopicArn, Token: JSON.parse(at.take()[0]!.body).Token }));
  const began = own.aws.now();
  for (const Message of ["a", "b", "c"]) await client.send(new PublishCommand({ TopicArn, Message }));
  await own.advance(5000);
  assert.deepEqual(
    at.take().map((post) => post.at - began),
    [0, 500, 1000],
  );
});

test("a link that is wrong is refused in AWS's words", async () => {
  const TopicArn = await topic("wrong");
  const follow = async (query: string) =>
    (await fetch(`${cloud.endpoint}/?Action=ConfirmSubscription&${query}`)).text();
  assert.match(
    await follow(`TopicArn=nonsense&Token=${"ab".repeat(64)}`),
    /<Message>Invalid parameter: Topic<\/Message>/,
  );
  assert.match(await follow(`TopicArn=${TopicArn}&Token=x`), /<Message>Invalid parameter: Token<\/Message>/);
  assert.match(await follow(`TopicArn=${TopicArn}&Token=${"ab".repeat(64)}`), /<Message>Invalid token<\/Message>/);
  assert.equal((await fetch(`${cloud.endpoint}/SimpleNotificationService-0.pem`)).status, 404);
});

test("the token of a question lives two days", async () => {
  await using at = await endpoint();
  const TopicArn = await topic("late");
  await subscribe(TopicArn, at.url);
  const { Token } = JSON.parse(at.take()[0]!.body);
  await cloud.advance(2 * 24 * 3_600_000 + 1000);
  const late = sns.send(new ConfirmSubscriptionCommand({ TopicArn, Token }));
  assert.equal(await refusal(late), "InvalidParameter 400 Invalid token");
});

test("the key that signs is the workspace's: what was signed before a restart is verified after it", async () => {
  const { mkdtemp, rm } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const { join } = await import("node:path");
  const dir = await mkdtemp(join(tmpdir(), "aws-like-sns-"));
  try {
    const names: string[] = [];
    for (const Name of ["first", "second"]) {
      await using own = await startCloud({ dir });
      await using at = await endpoint(own);
      const client = own.client(SNSClient);
      const { TopicArn } = await client.send(new CreateTopicCommand({ Name }));
      await client.send(new SubscribeCommand({ TopicArn, Protocol: "http", Endpoint: at.url }));
      await own.settle();
      const question = JSON.parse(at.take()[0]!.body);
      assert.ok(await verify(question));
      names.push(new URL(question.SigningCertURL).pathname);
      const rows = await own.aws.read((tx) =>
        tx.all<{ private_key: string }>("SELECT private_key FROM sns_signing_key"),
      );
      assert.match(rows[0]!.private_key, /^sealed1:/);
    }
    assert.equal(names[0], names[1]);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test("a subscription's attributes change how it is told from then on", async () => {
  await using at = await endpoint();
  const TopicArn = await topic("changing");
  const SubscriptionArn = await subscribed(TopicArn, at);
  const raw = { SubscriptionArn, AttributeName: "RawMessageDelivery", AttributeValue: "true" };
  await sns.send(new SetSubscriptionAttributesCommand(raw));
  await publish(TopicArn, "plain");
  assert.equal(at.take()[0]!.body, "plain");
});
