// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables
// What the simulator says before is what the API does then: random policies and boundaries of a user, and the calls they are about.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CreatePolicyCommand,
  IAMClient,
  PutUserPermissionsBoundaryCommand,
  PutUserPolicyCommand,
  SimulatePrincipalPolicyCommand,
} from "@aws-sdk/client-iam";
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { startCloud } from "../../../test/cloud.ts";
import { policy, refusal, userWith } from "../../../test/principals.ts";
import { random } from "../../../test/random.ts";

const ROUNDS = 25;
const BUCKET = "arn:aws:s3:::photos";
const queue = (name: string) => `arn:aws:sqs:us-east-1:000000000000:${name}`;

const ACTIONS = ["*", "sqs:*", "sqs:*", "sqs:get*", "sqs:SendMessage", "s3:List*", "s3:GetObject"];
const RESOURCES = ["*", "*", "*", BUCKET, queue("one"), queue("*"), queue("${aws:username}")];
const CONDITIONS = [
  {},
  {},
  { StringEquals: { "aws:username": "one" } },
  { StringLike: { "aws:PrincipalArn": "*:user/two" } },
  { Null: { "aws:PrincipalTag/team": "true" } },
  { DateGreaterThan: { "aws:CurrentTime": "2020-01-01T00:00:00Z" } },
];

test("what the simulator says is what happens", async () => {
  const next = random(20261122);
  const pick = <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)]!;
  const statement = () => ({
    Effect: next() < 0.85 ? "Allow" : "Deny",
    [next() < 0.9 ? "Action" : "NotAction"]: pick(ACTIONS),
    Resource: pick(RESOURCES),
    Condition: pick(CONDITIONS),
  });
  const statements = (most: number) => policy(...Array.from({ length: 1 + Math.floor(next() * most) }, statement));

  await using cloud = await startCloud();
  const iam = cloud.client(IAMClient);
  // Named as a queue is, so that ${aws:username} names one.
  const key = await userWith(cloud, "one");
  await cloud.client(S3Client).send(new CreateBucketCommand({ Bucket: "photos" }));
  const root = cloud.client(SQSClient);
  const url: Record<string, string> = {};
  for (const QueueName of ["one", "two"])
    url[QueueName] = (await root.send(new CreateQueueCommand({ QueueName }))).QueueUrl!;
  const [s3, sqs] = [cloud.client(S3Client, key), cloud.client(SQSClient, key)];
  const calls = [
    ["s3:ListBucket", BUCKET, () => s3.send(new ListObjectsV2Command({ Bucket: "photos" }))],
    ["sqs:GetQueueAttributes", queue("one"), () => sqs.send(new GetQueueAttributesCommand({ QueueUrl: url.one }))],
    ["sqs:GetQueueAttributes", queue("two"), () => sqs.send(new GetQueueAttributesCommand({ QueueUrl: url.two }))],
    ["sqs:SendMessage", queue("two"), () => sqs.send(new SendMessageCommand({ QueueUrl: url.two, MessageBody: "m" }))],
  ] as const;

  const seen = { allowed: 0, implicitDeny: 0, explicitDeny: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const PolicyDocument = statements(4);
    await iam.send(new PutUserPolicyCommand({ UserName: "one", PolicyName: "p", PolicyDocument }));
    if (round % 3 === 2) {
      const document = statements(3);
      const made = await iam.send(new CreatePolicyCommand({ PolicyName: `b${round}`, PolicyDocument: document }));
      await iam.send(
        new PutUserPermissionsBoundaryCommand({ UserName: "one", PermissionsBoundary: made.Policy!.Arn! }),
      );
    }
    for (const [action, resource, send] of calls) {
      const { EvaluationResults } = await iam.send(
        new SimulatePrincipalPolicyCommand({
          PolicySourceArn: "arn:aws:iam::000000000000:user/one",
          ActionNames: [action],
          ResourceArns: [resource],
        }),
      );
      const said = EvaluationResults![0]!.EvalDecision!;
      seen[said]++;
      const about = `round ${round}: ${action} on ${resource} by ${PolicyDocument}`;
      if (said === "allowed") await assert.doesNotReject(send(), about);
      else assert.match(await refusal(send()), said === "explicitDeny" ? /explicit deny/ : /because no /, about);
    }
  }
  // All three came up, or nothing was tried.
  assert.ok(
    Object.values(seen).every((times) => times > 5),
    JSON.stringify(seen),
  );
});
