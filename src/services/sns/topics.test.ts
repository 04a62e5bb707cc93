import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  AddPermissionCommand,
  CreateTopicCommand,
  DeleteTopicCommand,
  GetTopicAttributesCommand,
  ListTagsForResourceCommand,
  ListTopicsCommand,
  PublishCommand,
  PutDataProtectionPolicyCommand,
  RemovePermissionCommand,
  SetTopicAttributesCommand,
  SNSClient,
  TagResourceCommand,
  UntagResourceCommand,
} from "@aws-sdk/client-sns";
import { startCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sns = cloud.client(SNSClient);
const arnOf = (name: string): string => `arn:aws:sns:us-east-1:000000000000:${name}`;

const create = async (Name: string, Attributes: Record<string, string> = {}): Promise<string> =>
  (await sns.send(new CreateTopicCommand({ Name, Attributes }))).TopicArn!;
const attributesOf = async (TopicArn: string): Promise<Record<string, string>> =>
  (await sns.send(new GetTopicAttributesCommand({ TopicArn }))).Attributes!;
const set = (TopicArn: string, AttributeName: string, AttributeValue: string) =>
  sns.send(new SetTopicAttributesCommand({ TopicArn, AttributeName, AttributeValue }));

test("a new topic has AWS's attributes, its default policy to the letter", async () => {
  const TopicArn = await create("plain");
  assert.equal(TopicArn, arnOf("plain"));
  const { Policy, EffectiveDeliveryPolicy, ...rest } = await attributesOf(TopicArn);
  assert.deepEqual(rest, {
    DisplayName: "",
    Owner: "000000000000",
    SubscriptionsConfirmed: "0",
    SubscriptionsDeleted: "0",
    SubscriptionsPending: "0",
    TopicArn,
  });
  assert.equal(
    Policy,
    `{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID","Effect":"Allow","Principal":{"AWS":"*"},"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes","SNS:AddPermission","SNS:RemovePermission","SNS:DeleteTopic","SNS:Subscribe","SNS:ListSubscriptionsByTopic","SNS:Publish"],"Resource":"${TopicArn}","Condition":{"StringEquals":{"AWS:SourceOwner":"000000000000"}}}]}`,
  );
  assert.equal(
    EffectiveDeliveryPolicy,
    '{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"disableSubscriptionOverrides":false,"defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}}',
  );
});

test("CreateTopic gives the same topic again, and refuses other attributes and tags", async () => {
  const first = { Name: "again", Attributes: { DisplayName: "one" }, Tags: [{ Key: "a", Value: "1" }] };
  const { TopicArn } = await sns.send(new CreateTopicCommand(first));
  for (const same of [first, { Name: "again" }, { Name: "again", Attributes: { DisplayName: "one" } }])
    assert.equal((await sns.send(new CreateTopicCommand(same))).TopicArn, TopicArn);
  const taken =
    "InvalidParameter 400 Invalid parameter: Attributes Reason: Topic already exists with different attributes";
  const others: Record<string, string>[] = [{ DisplayName: "two" }, { DisplayName: "one", KmsMasterKeyId: "k" }];
  for (const Attributes of others)
    assert.equal(await refusal(sns.send(new CreateTopicCommand({ Name: "again", Attributes }))), taken);
  assert.equal(
    await refusal(sns.send(new CreateTopicCommand({ Name: "again", Tags: [{ Key: "b", Value: "1" }] }))),
    "InvalidParameter 400 Invalid parameter: Tags Reason: Topic already exists with different tags",
  );
});

test("a topic's name is judged, and with FifoTopic its suffix", async () => {
  const bad: [string, Record<string, string>?][] = [
    ["a.b"],
    ["with blank"],
    ["x".repeat(257)],
    ["name.fifo"],
    ["name", { FifoTopic: "true" }],
    [".fifo", { FifoTopic: "true" }],
  ];
  for (const [Name, Attributes = {}] of bad)
    assert.equal(await refusal(create(Name, Attributes)), "InvalidParameter 400 Invalid parameter: Topic Name", Name);
  const fifo = await create("ordered.fifo", { FifoTopic: "true", SignatureVersion: "2" });
  const { FifoTopic, ContentBasedDeduplication, SignatureVersion } = await attributesOf(fifo);
  assert.deepEqual([FifoTopic, ContentBasedDeduplication, SignatureVersion], ["true", "false", "2"]);
});

test("SetTopicAttributes keeps what is sound and says what is not, as AWS says it", async () => {
  const TopicArn = await create("changed");
  await set(TopicArn, "DisplayName", "Shown");
  await set(TopicArn, "KmsMasterKeyId", "alias/aws/sns");
  await set(TopicArn, "TracingConfig", "PassThrough");
  await set(TopicArn, "SignatureVersion", "2");
  const { DisplayName, KmsMasterKeyId, TracingConfig, SignatureVersion } = await attributesOf(TopicArn);
  assert.deepEqual(
    [DisplayName, KmsMasterKeyId, TracingConfig, SignatureVersion],
    ["Shown", "alias/aws/sns", "PassThrough", "2"],
  );
  const refused: [string, string, string][] = [
    ["Nonsense", "x", "AttributeName"],
    ["FifoTopic", "false", "AttributeName"],
    ["ContentBasedDeduplication", "true", "AttributeName"],
    ["SignatureVersion", "3", "SignatureVersion"],
    ["DisplayName", "x".repeat(101), "DisplayName"],
    ["Policy", "no json", "Policy Error: null"],
    ["Policy", policy(allow("s3:GetObject", { Principal: "*" })), "Policy statement action out of service scope!"],
  ];
  for (const [name, value, said] of refused)
    assert.equal(await refusal(set(TopicArn, name, value)), `InvalidParameter 400 Invalid parameter: ${said}`, name);
  for (const [name, value] of [
    ["HTTPSuccessFeedbackRoleArn", "arn:aws:iam::000000000000:role/r"],
    ["ArchivePolicy", "{}"],
    ["TracingConfig", "Active"],
  ] as const)
    assert.match(await refusal(set(TopicArn, name, value)), /^NotImplemented 501/);
  assert.equal(await refusal(set(arnOf("none"), "DisplayName", "x")), "NotFound 404 Topic does not exist");
});

test("a delivery policy is completed, changed in part, and taken away", async () => {
  const TopicArn = await create("policied");
  const put = (http: unknown) => set(TopicArn, "DeliveryPolicy", http === "" ? "" : JSON.stringify({ http }));
  const healthy = { minDelayTarget: 5, maxDelayTarget: 6, numRetries: 1 };
  await put({ defaultHealthyRetryPolicy: healthy });
  const one = await attributesOf(TopicArn);
  assert.deepEqual(JSON.parse(one.DeliveryPolicy!), {
    http: { defaultHealthyRetryPolicy: healthy, disableSubscriptionOverrides: false },
  });
  const { http } = JSON.parse(one.EffectiveDeliveryPolicy!) as { http: { defaultHealthyRetryPolicy: object } };
  assert.deepEqual(http.defaultHealthyRetryPolicy, {
    ...healthy,
    numMaxDelayRetries: 0,
    numNoDelayRetries: 0,
    numMinDelayRetries: 0,
    backoffFunction: "linear",
  });
  await put({ defaultHealthyRetryPolicy: null });
  assert.equal((await attributesOf(TopicArn)).DeliveryPolicy, '{"http":{"disableSubscriptionOverrides":false}}');
  await put(null);
  assert.equal((await attributesOf(TopicArn)).DeliveryPolicy, undefined);
  const at = "http.defaultHealthyRetryPolicy";
  const refused: [unknown, string][] = [
    [
      { defaultHealthyRetryPolicy: { ...healthy, numRetries: 101 } },
      `${at}.numRetries must be less than or equal to 100`,
    ],
    [
      { defaultHealthyRetryPolicy: { ...healthy, minDelayTarget: 0 } },
      `${at}.minDelayTarget must be greater than or equal to 1`,
    ],
    [{ defaultHealthyRetryPolicy: { minDelayTarget: 1 } }, `${at}.maxDelayTarget must be specified`],
    [
      { defaultHealthyRetryPolicy: { minDelayTarget: 3000, maxDelayTarget: 3600, numRetries: 3 } },
      `${at}: Total policy retry time cannot be greater than 3600 seconds`,
    ],
    [{ throttlePolicy: {} }, "Unexpected JSON member: throttlePolicy"],
    [
      { defaultRequestPolicy: { headerContentType: "x/y" } },
      "http.defaultRequestPolicy.headerContentType: 'x/y' is not a supported content type",
    ],
  ];
  for (const [given, said] of refused)
    assert.equal(await refusal(put(given)), `InvalidParameter 400 Invalid parameter: DeliveryPolicy: ${said}`);
  assert.match(
    await refusal(set(TopicArn, "DeliveryPolicy", "{no")),
    /DeliveryPolicy: failed to parse JSON\. Unexpected character \('n' \(code 110\)\)/,
  );
});

test("topics are listed in pages of a hundred, each region its own", async () => {
  await using other = await startCloud();
  const client = other.client(SNSClient);
  await Promise.all(Array.from({ length: 101 }, (_, at) => client.send(new CreateTopicCommand({ Name: `t${at}` }))));
  const first = await client.send(new ListTopicsCommand({}));
  assert.equal(first.Topics!.length, 100);
  const second = await client.send(new ListTopicsCommand({ NextToken: first.NextToken! }));
  assert.deepEqual([second.Topics!.length, second.NextToken], [1, undefined]);
  assert.equal(
    await refusal(client.send(new GetTopicAttributesCommand({ TopicArn: "arn:aws:sns:eu-west-1:000000000000:t1" }))),
    "InvalidParameter 400 Invalid parameter: TopicArn",
  );
});

test("an ARN that is none is said to be none; a topic that is not there can be deleted", async () => {
  const get = (TopicArn: string) => refusal(sns.send(new GetTopicAttributesCommand({ TopicArn })));
  const short = "InvalidParameter 400 Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not";
  assert.equal(await get("nonsense"), `${short} 1`);
  assert.equal(await get("arn:aws:sns:us-east-1:000000000000"), `${short} 5`);
  assert.equal(await get(arnOf("missing")), "NotFound 404 Topic does not exist");
  await sns.send(new DeleteTopicCommand({ TopicArn: arnOf("missing") }));
});

test("tags are given, changed, taken away; a key twice is refused", async () => {
  const ResourceArn = await create("tagged");
  const tag = (...Tags: { Key: string; Value: string }[]) => sns.send(new TagResourceCommand({ ResourceArn, Tags }));
  const listed = async () => (await sns.send(new ListTagsForResourceCommand({ ResourceArn }))).Tags;
  await tag({ Key: "k1", Value: "v1" }, { Key: "k2", Value: "v2" });
  await tag({ Key: "k2", Value: "v2b" });
  await sns.send(new UntagResourceCommand({ ResourceArn, TagKeys: ["k1"] }));
  assert.deepEqual(await listed(), [{ Key: "k2", Value: "v2b" }]);
  assert.equal(
    await refusal(tag({ Key: "a", Value: "1" }, { Key: "a", Value: "2" })),
    "InvalidParameter 400 Invalid parameter: Duplicated keys are not allowed.",
  );
  await sns.send(new DeleteTopicCommand({ TopicArn: ResourceArn }));
  assert.equal(await refusal(listed()), "ResourceNotFound 404 Resource does not exist");
});

test("permissions are added to the default policy and removed; they let another account in", async () => {
  const TopicArn = await create("shared");
  const add = (Label: string, ActionName: string[]) =>
    sns.send(new AddPermissionCommand({ TopicArn, Label, AWSAccountId: ["111111111111"], ActionName }));
  const other = cloud.client(SNSClient, { accessKeyId: "111111111111", secretAccessKey: "test" });
  const publish = () => other.send(new PublishCommand({ TopicArn, Message: "x" }));
  assert.equal(
    await refusal(publish()),
    `AuthorizationError 403 User: arn:aws:iam::111111111111:root is not authorized to perform: SNS:Publish on resource: ${TopicArn} because no resource-based policy allows the SNS:Publish action`,
  );
  await add("mine", ["Publish"]);
  const statement = JSON.parse((await attributesOf(TopicArn)).Policy!).Statement[1];
  assert.deepEqual(statement, {
    Sid: "mine",
    Effect: "Allow",
    Principal: { AWS: "arn:aws:iam::111111111111:root" },
    Action: "SNS:Publish",
    Resource: TopicArn,
  });
  await publish();
  assert.equal(
    await refusal(add("mine", ["Publish"])),
    "InvalidParameter 400 Invalid parameter: Statement already exists",
  );
  assert.equal(
    await refusal(add("two", ["Nonsense"])),
    "InvalidParameter 400 Invalid parameter: Policy statement action out of service scope!",
  );
  await sns.send(new RemovePermissionCommand({ TopicArn, Label: "mine" }));
  assert.match(await refusal(publish()), /^AuthorizationError 403/);
});

test("a user may what his policy says of the topic", async () => {
  const TopicArn = await create("guarded");
  const may = policy({ Effect: "Allow", Action: "sns:Publish", Resource: TopicArn });
  const user = cloud.client(SNSClient, await userWith(cloud, "publisher", { may }));
  await user.send(new PublishCommand({ TopicArn, Message: "x" }));
  assert.equal(
    await refusal(user.send(new DeleteTopicCommand({ TopicArn }))),
    `AuthorizationError 403 User: arn:aws:iam::000000000000:user/publisher is not authorized to perform: SNS:DeleteTopic on resource: ${TopicArn} because no identity-based policy allows the SNS:DeleteTopic action`,
  );
});

test("what is not there is refused by name", async () => {
  const sent = sns.send(new PutDataProtectionPolicyCommand({ ResourceArn: arnOf("x"), DataProtectionPolicy: "{}" }));
  assert.match(await refusal(sent), /^NotImplemented 501/);
});
