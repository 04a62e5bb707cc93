import assert from "node:assert/strict";
import { after, test } from "node:test";
import { SQS } from "@aws-sdk/client-sqs";
import { startCloud } from "../../../test/cloud.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sqs = cloud.client(SQS);

const ARN = "arn:aws:sqs:us-east-1:000000000000:";
const create = async (QueueName: string, Attributes: Record<string, string> = {}): Promise<string> =>
  (await sqs.createQueue({ QueueName, Attributes })).QueueUrl!;
const redrive = (target: string) => ({
  RedrivePolicy: JSON.stringify({ deadLetterTargetArn: `${ARN}${target}`, maxReceiveCount: 1 }),
});

test("A redrive-allow policy says which queues may name this one as their dead-letter queue", async () => {
  const allow = (policy: object) => ({ RedriveAllowPolicy: JSON.stringify(policy) });
  await create("nobody", allow({ redrivePermission: "denyAll" }));
  await create("everybody", allow({ redrivePermission: "allowAll" }));
  const some = await create("some", allow({ redrivePermission: "byQueue", sourceQueueArns: [`${ARN}chosen`] }));
  const refused = (target: string) => ({
    Code: "InvalidParameterValue",
    message: `Value ${redrive(target).RedrivePolicy} for parameter RedrivePolicy is invalid. Reason: The dead-letter queue's redrive allow policy doesn't permit this source queue.`,
  });
  await assert.rejects(create("a", redrive("nobody")), refused("nobody"));
  await assert.rejects(create("b", redrive("some")), refused("some"));
  const free = await create("c", redrive("everybody"));
  await assert.rejects(sqs.setQueueAttributes({ QueueUrl: free, Attributes: redrive("some") }), refused("some"));
  const chosen = await create("chosen", redrive("some"));
  // Taken back, it binds new policies; what was set before stays.
  await sqs.setQueueAttributes({ QueueUrl: some, Attributes: allow({ redrivePermission: "denyAll" }) });
  await sqs.setQueueAttributes({ QueueUrl: chosen, Attributes: { DelaySeconds: "1" } });
  const { Attributes } = await sqs.getQueueAttributes({ QueueUrl: some, AttributeNames: ["RedriveAllowPolicy"] });
  assert.equal(Attributes!.RedriveAllowPolicy, '{"redrivePermission":"denyAll"}');
});

const cannot = (text: string, reason: string) =>
  `Value ${text} for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS can't create the redrive allow policy. ${reason}`;
const unsupported =
  "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format.";
const eleven = JSON.stringify({ redrivePermission: "byQueue", sourceQueueArns: Array(11).fill(`${ARN}q`) });
const policies: readonly (readonly [string, string])[] = [
  ["nonsense", unsupported],
  ["[]", unsupported],
  ['{"redrivePermission":"allow"}', unsupported],
  ['{"redrivePermission":"allowAll","more":1}', unsupported],
  ['{"redrivePermission":"byQueue","sourceQueueArns":"q"}', unsupported],
  [
    '{"redrivePermission":"byQueue"}',
    cannot(
      '{"redrivePermission":"byQueue"}',
      "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.",
    ),
  ],
  [
    '{"redrivePermission":"denyAll","sourceQueueArns":["q"]}',
    cannot(
      '{"redrivePermission":"denyAll","sourceQueueArns":["q"]}',
      "To specify one or more source queue ARNs, you must set redrivePermission to byQueue.",
    ),
  ],
  [eleven, cannot(eleven, "The maximum number of source queue ARNs you can specify is 10.")],
];

test("A redrive-allow policy that says nothing sound is refused", async () => {
  for (const [RedriveAllowPolicy, message] of policies)
    await assert.rejects(create("unsound", { RedriveAllowPolicy }), { message }, RedriveAllowPolicy);
});

test("ListDeadLetterSourceQueues goes by page where MaxResults is given", async () => {
  const QueueUrl = await create("letters");
  for (const name of ["s1", "s2", "s3"]) await create(name, redrive("letters"));
  await create("s4", redrive("everybody"));
  const names = (urls: string[] | undefined) => urls?.map((url) => url.split("/").at(-1));
  const all = await sqs.listDeadLetterSourceQueues({ QueueUrl });
  assert.deepEqual([names(all.queueUrls), all.NextToken], [["s1", "s2", "s3"], undefined]);
  const first = await sqs.listDeadLetterSourceQueues({ QueueUrl, MaxResults: 2 });
  assert.deepEqual(names(first.queueUrls), ["s1", "s2"]);
  const { NextToken } = first;
  const second = await sqs.listDeadLetterSourceQueues({ QueueUrl, MaxResults: 2, NextToken });
  assert.deepEqual([names(second.queueUrls), second.NextToken], [["s3"], undefined]);
  await assert.rejects(sqs.listDeadLetterSourceQueues({ QueueUrl, MaxResults: 1001 }), {
    message:
      "Value 1001 for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.",
  });
});
