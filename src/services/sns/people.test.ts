// Mails and text messages: they lie in the outbox, which `aws-like outbox` shows.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  CheckIfPhoneNumberIsOptedOutCommand,
  CreateTopicCommand,
  GetSMSAttributesCommand,
  ListPhoneNumbersOptedOutCommand,
  OptInPhoneNumberCommand,
  PublishCommand,
  type PublishCommandInput,
  SetSMSAttributesCommand,
  SNSClient,
  SubscribeCommand,
} from "@aws-sdk/client-sns";
import { run } from "../../../test/bin.ts";
import { startCloud } from "../../../test/cloud.ts";
import { refusal } from "../../../test/principals.ts";
import type { OutboxRow } from "./outbox-query.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sns = cloud.client(SNSClient);

/** What was sent to this address, oldest first. */
async function lettersTo(recipient: string): Promise<OutboxRow[]> {
  await cloud.settle();
  const answer = await fetch(`${cloud.endpoint}/_aws-like/outbox`);
  const { letters } = (await answer.json()) as { letters: OutboxRow[] };
  return letters.filter((letter) => letter.recipient === recipient);
}
const link = ({ body }: OutboxRow): string => /^http\S+$/m.exec(body)![0];
const topic = async (Name: string, Attributes = {}): Promise<string> =>
  (await sns.send(new CreateTopicCommand({ Name, Attributes }))).TopicArn!;
const publish = (of: PublishCommandInput) => sns.send(new PublishCommand(of));

test("a mail asks for confirmation; its link works, and the link of each later mail ends the subscription", async () => {
  const TopicArn = await topic("mailed", { DisplayName: "The shop" });
  const to = "a@b.example";
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: "email", Endpoint: to }));
  const [asked] = await lettersTo(to);
  assert.equal(asked!.subject, "AWS Notification - Subscription Confirmation");
  assert.equal(asked!.sender, "The shop <no-reply@sns.amazonaws.com>");
  assert.match(await (await fetch(link(asked!))).text(), /<ConfirmSubscriptionResult>/);
  await publish({ TopicArn, Message: "Open!", Subject: "News" });
  await publish({ TopicArn, Message: "Closed." });
  const [, open, closed] = await lettersTo(to);
  assert.deepEqual([open!.subject, open!.body.split("\n")[0]], ["News", "Open!"]);
  assert.deepEqual([closed!.subject, closed!.body.split("\n")[0]], ["AWS Notification Message", "Closed."]);
  assert.equal((await fetch(link(closed!))).status, 200);
  await publish({ TopicArn, Message: "unheard" });
  const [, , , farewell, ...more] = await lettersTo(to);
  assert.equal(more.length, 0);
  await fetch(link(farewell!));
  await publish({ TopicArn, Message: "again" });
  assert.match((await lettersTo(to)).at(-1)!.body, /^again\n/);
});

test("email-json has the envelope as its body", async () => {
  const TopicArn = await topic("mailed-json");
  const to = "json@b.example";
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: "email-json", Endpoint: to }));
  await fetch(link((await lettersTo(to))[0]!));
  await publish({ TopicArn, Message: "x" });
  const { Type, Message } = JSON.parse((await lettersTo(to)).at(-1)!.body);
  assert.deepEqual([Type, Message], ["Notification", "x"]);
});

test("a telephone is subscribed at once, and gets the topic's name before the text", async () => {
  const TopicArn = await topic("texted", { DisplayName: "Shop" });
  const { SubscriptionArn } = await sns.send(
    new SubscribeCommand({ TopicArn, Protocol: "sms", Endpoint: "+15/55-123.456 7" }),
  );
  assert.match(SubscriptionArn!, new RegExp(`^${TopicArn}:`));
  await publish({ TopicArn, Message: '{"default":"long","sms":"short"}', MessageStructure: "json" });
  const [letter] = await lettersTo("+15551234567");
  assert.deepEqual([letter!.protocol, letter!.body], ["sms", "Shop> short"]);
});

test("a text message goes to a number without a topic, from the sender that is set", async () => {
  const PhoneNumber = "+4915112345678";
  const sender = { "AWS.SNS.SMS.SenderID": { DataType: "String", StringValue: "Mine" } };
  const { MessageId } = await publish({ PhoneNumber, Message: "one", MessageAttributes: sender });
  assert.match(MessageId!, /^[0-9a-f-]{36}$/);
  await sns.send(new SetSMSAttributesCommand({ attributes: { DefaultSenderID: "Default" } }));
  await publish({ PhoneNumber, Message: "two" });
  const letters = await lettersTo(PhoneNumber);
  assert.deepEqual(
    letters.map(({ sender, body }) => [sender, body]),
    [
      ["Mine", "one"],
      ["Default", "two"],
    ],
  );
  assert.equal(
    await refusal(publish({ PhoneNumber, Message: "x".repeat(1601) })),
    "InvalidParameter 400 Invalid parameter: Message too long",
  );
});

test("who answered STOP gets nothing until he is opted in again", async () => {
  const phoneNumber = "+12025550100";
  const stop = (number: string) =>
    fetch(`${cloud.endpoint}/_aws-like/outbox`, { method: "POST", body: JSON.stringify({ stop: number }) });
  const isOptedOut = async () => (await sns.send(new CheckIfPhoneNumberIsOptedOutCommand({ phoneNumber }))).isOptedOut;
  assert.equal(await isOptedOut(), false);
  assert.equal((await stop(phoneNumber)).status, 200);
  assert.equal((await stop("x")).status, 400);
  assert.equal(await isOptedOut(), true);
  assert.deepEqual((await sns.send(new ListPhoneNumbersOptedOutCommand({}))).phoneNumbers, [phoneNumber]);
  await publish({ PhoneNumber: phoneNumber, Message: "unwanted" });
  await sns.send(new OptInPhoneNumberCommand({ phoneNumber }));
  await publish({ PhoneNumber: phoneNumber, Message: "wanted" });
  assert.deepEqual(
    (await lettersTo(phoneNumber)).map(({ body }) => body),
    ["wanted"],
  );
  assert.deepEqual((await sns.send(new ListPhoneNumbersOptedOutCommand({}))).phoneNumbers, []);
});

test("the settings of text messages are kept for the region and judged", async () => {
  await using own = await startCloud();
  const client = own.client(SNSClient);
  const get = async (...attributes: string[]) =>
    (await client.send(new GetSMSAttributesCommand({ attributes }))).attributes;
  const set = (attributes: Record<string, string>) => client.send(new SetSMSAttributesCommand({ attributes }));
  assert.deepEqual(await get(), { MonthlySpendLimit: "1" });
  await set({ DefaultSMSType: "Promotional", DefaultSenderID: "LSTest", DeliveryStatusSuccessSamplingRate: "100" });
  assert.deepEqual(await get("DefaultSMSType", "DefaultSenderID"), {
    DefaultSMSType: "Promotional",
    DefaultSenderID: "LSTest",
  });
  assert.equal(await refusal(set({ Nonsense: "x" })), "InvalidParameter 400 Nonsense is not a valid attribute");
  assert.equal(await refusal(set({ DefaultSMSType: "x" })), "InvalidParameter 400 DefaultSMSType is invalid");
  assert.match(await refusal(set({ UsageReportS3Bucket: "b" })), /^NotImplemented 501/);
});

test("aws-like outbox shows what was sent", async () => {
  await publish({ PhoneNumber: "+12025550199", Message: "shown" });
  const { code, stdout } = await run(["outbox", "--endpoint", cloud.endpoint]);
  assert.equal(code, 0);
  assert.match(stdout, /^\S+Z {2}sms\nFrom: \w+\nTo: \+12025550199\n\n {2}shown\n/m);
});
