import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { IAM } from "@aws-sdk/client-iam";
import { Pipes } from "@aws-sdk/client-pipes";
import { SQS } from "@aws-sdk/client-sqs";
import { eventsOf, queueArn } from "../../../test/bus.ts";
import { startCloud } from "../../../test/cloud.ts";
import { createRole } from "../../../test/lambda.ts";
import { allow, policy, refusal } from "../../../test/principals.ts";

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sqs = cloud.client(SQS);
const pipes = cloud.client(Pipes);
const events = eventsOf(cloud);
await createRole(cloud, "pipe", "pipes.amazonaws.com");
const RoleArn = "arn:aws:iam::000000000000:role/pipe";

/** What came, and what is answered next: 200 and the path, where nothing else is said. */
const seen: string[] = [];
const answers: [status: number, body: string][] = [];
const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  seen.push([request.method, request.url, request.headers["x-key"], request.headers["x-n"], body].join(" "));
  const [status, text] = answers.shift() ?? [200, ""];
  response.writeHead(status).end(text);
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
after(() => server.close());

const { ConnectionArn } = await events.createConnection({
  Name: "c",
  AuthorizationType: "API_KEY",
  AuthParameters: { ApiKeyAuthParameters: { ApiKeyName: "x-key", ApiKeyValue: "secret" } },
});
const { ApiDestinationArn } = await events.createApiDestination({
  Name: "d",
  ConnectionArn,
  HttpMethod: "POST",
  InvocationEndpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/of/*`,
});
const api = ApiDestinationArn!;
const HttpParameters = {
  PathParameterValues: ["$.body.name"],
  HeaderParameters: { "x-n": "$.body.n" },
  QueryStringParameters: { from: "pipe" },
};
const InputTemplate = '{"n": <$.body.n>}';

async function queues(...names: string[]): Promise<void> {
  for (const QueueName of names) await sqs.createQueue({ QueueName, Attributes: { VisibilityTimeout: "30" } });
}
const url = (name: string) => `${cloud.endpoint}/000000000000/${name}`;
const send = (name: string, body: object) =>
  sqs.sendMessage({ QueueUrl: url(name), MessageBody: JSON.stringify(body) });
const came = async () => {
  await cloud.settle();
  return seen.splice(0);
};
const left = async (QueueUrl: string) => {
  const { Attributes } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["All"] });
  return Number(Attributes!.ApproximateNumberOfMessages) + Number(Attributes!.ApproximateNumberOfMessagesNotVisible);
};

test("An API destination gets each event, with parts of it in path, headers and query, and again when it fails", async () => {
  await queues("to-api");
  const TargetParameters = { InputTemplate, HttpParameters };
  await pipes.createPipe({ Name: "to-api", Source: queueArn("to-api"), Target: api, RoleArn, TargetParameters });
  answers.push([500, ""]);
  await send("to-api", { name: "a b", n: 7 });
  const request = 'POST /of/a%20b?from=pipe secret 7 {"n":7}';
  assert.deepEqual(await came(), [request]);
  assert.equal(await left(url("to-api")), 1);
  await cloud.advance(31_000);
  assert.deepEqual(await came(), [request]);
  assert.equal(await left(url("to-api")), 0);
});

test("What an API destination answers is what the target gets; JSON of nothing ends there, text is text", async () => {
  await queues("enriched", "out");
  const EnrichmentParameters = { InputTemplate, HttpParameters };
  const way = { Source: queueArn("enriched"), Enrichment: api, Target: queueArn("out") };
  await pipes.createPipe({ Name: "enriched", ...way, RoleArn, EnrichmentParameters });
  for (const answer of ['{"who":"Ann"}', "{}", '[{"who":"Bob"},{"who":"Cid"}]', "no JSON"]) {
    answers.push([200, answer]);
    await send("enriched", { name: "x", n: 1 });
    assert.deepEqual(await came(), ['POST /of/x?from=pipe secret 1 {"n":1}']);
  }
  const { Messages = [] } = await sqs.receiveMessage({ QueueUrl: url("out"), MaxNumberOfMessages: 10 });
  const bodies = Messages.map(({ Body }) => Body).sort();
  assert.deepEqual(bodies, ["no JSON", '{"who":"Ann"}', '{"who":"Bob"}', '{"who":"Cid"}']);
});

test("The pipe's role must be allowed to invoke it; what is refused stays in the queue", async () => {
  await queues("refused");
  await createRole(cloud, "reader", "pipes.amazonaws.com");
  const PolicyDocument = policy(allow("sqs:*"));
  await cloud.client(IAM).putRolePolicy({ RoleName: "reader", PolicyName: "all", PolicyDocument });
  const role = "arn:aws:iam::000000000000:role/reader";
  await pipes.createPipe({ Name: "refused", Source: queueArn("refused"), Target: api, RoleArn: role });
  await send("refused", { n: 1 });
  assert.deepEqual(await came(), []);
  assert.equal(await left(url("refused")), 1);
  await pipes.deletePipe({ Name: "refused" });
});

test("An API destination takes no batches, and its parameters belong to it alone", async () => {
  await queues("q");
  const create = (of: object) =>
    refusal(pipes.createPipe({ Name: "p", Source: queueArn("q"), Target: api, RoleArn, ...of }));
  const SourceParameters = { SqsQueueParameters: { BatchSize: 2 } };
  const refused: [object, RegExp][] = [
    [{ SourceParameters }, /SqsQueueParameters.BatchSize.*at most 1 /],
    [{ SourceParameters, Enrichment: api, Target: queueArn("q") }, /SqsQueueParameters.BatchSize.*at most 1 /],
    [{ Target: queueArn("q"), TargetParameters: { HttpParameters } }, /TargetParameters.HttpParameters/],
    [{ EnrichmentParameters: { HttpParameters } }, /EnrichmentParameters.HttpParameters/],
    [
      { TargetParameters: { HttpParameters: { PathParameterValues: ["$.[a"] } } },
      /TargetParameters.HttpParameters.*\$\.\[a/,
    ],
    [{ TargetParameters: { InputTemplate: "<$.a[>" } }, /TargetParameters.InputTemplate.*Invalid JSON path/],
    [{ Target: "arn:aws:sns:us-east-1:000000000000:t.fifo" }, /FIFO topics are not supported/],
  ];
  for (const [of, expected] of refused) {
    const said = await create(of);
    assert.match(said, /^ValidationException 400 /);
    assert.match(said, expected);
  }
});
