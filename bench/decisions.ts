// What it costs that IAM decides: decisions a second, and GetItem as a user with as many policies beside GetItem as root. `node bench/decisions.ts [DIR]`
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { IAM } from "@aws-sdk/client-iam";
import { evaluate, type Question } from "../src/kernel/policy/evaluate.ts";
import { policySet } from "../src/kernel/policy/policy-set.ts";
import { ACCOUNT, cpuMs, type Host, REGION, startHost } from "./host.ts";
import { openGenerator } from "./load.ts";
import { signed } from "./signed.ts";
import { median, percent, runAlone, type Table, whole } from "./table.ts";

const POLICIES = [1, 10, 100] as const;
const CONNECTIONS = 32;
const ROUNDS = 9;
/** CPU time is told in steps of 10 ms. */
const MEASURE_MS = 1500;
const REQUESTS = 200;
const DECISIONS = 50_000;
const POLICIES_PER_GROUP = 10;
const TableName = "bench";
const TABLE = `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/`;

export async function measure(dir: string): Promise<Table[]> {
  await using host = await startHost(dir);
  const [root, ...users] = await overHttp(host);
  const rows = POLICIES.map((many, i) => {
    const [bare, conditional] = [false, true].map((conditions) => microseconds(many, conditions));
    const cost = [
      median(users[i]!).toFixed(0),
      percent(median(users[i]!.map((cpu, round) => cpu / root![round]!)) - 1),
    ];
    return [`${many}`, whole(1e6 / bare!), bare!.toFixed(2), conditional!.toFixed(2), ...cost];
  });
  return [
    {
      title: "Decisions",
      note: `A user with so many policies, of which the last names the table and the others another one. GetItem over HTTP at ${CONNECTIONS} connections, as the user and as root by turns: CPU time of the server a request, root's is ${median(root!).toFixed(0)} µs; medians of ${ROUNDS} rounds, of the comparison too. Aim: at most 5 % more.`,
      head: ["policies", "decisions/s", "µs", "µs, with conditions", "GetItem, µs", "more than root's"],
      rows,
    },
  ];
}

/** Statements as a user's might be; none allows it but the last. */
const documents = (many: number, conditions: boolean): string[] =>
  Array.from({ length: many }, (_, i) =>
    JSON.stringify({
      Version: "2012-10-17",
      Statement: {
        Effect: "Allow",
        Action: ["dynamodb:GetItem", "dynamodb:Query"],
        Resource: `${TABLE}${i === many - 1 ? TableName : `t${i}${i % 2 ? "*" : ""}`}`,
        ...(conditions && { Condition: { StringEquals: { "aws:RequestedRegion": [REGION] } } }),
      },
    }),
  );

function microseconds(many: number, conditions: boolean): number {
  const texts = documents(many, conditions).map((document, i) => ({ name: `p${i}`, document }));
  const question: Question = {
    caller: { kind: "user", account: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:user/u`, id: "AIDAU" },
    action: "dynamodb:GetItem",
    resource: `${TABLE}${TableName}`,
    keys: new Map([["aws:requestedregion", [REGION]]]),
    identityPolicies: policySet("identity-based policy", texts),
    sameAccount: true,
  };
  const rounds = Array.from({ length: ROUNDS }, () => {
    const begin = performance.now();
    for (let i = 0; i < DECISIONS; i++) if (!evaluate(question).allowed) throw new Error("not allowed");
    return ((performance.now() - begin) / DECISIONS) * 1000;
  });
  return median(rounds);
}

/** CPU time of the server for a request, µs, in each round: root's, then those of users with so many policies. By turns, so that a busy hour hits all. */
async function overHttp(host: Host): Promise<number[][]> {
  using generator = await openGenerator();
  const root = new DynamoDB(host.client);
  await fill(root);
  const clients = [root];
  for (const many of POLICIES) clients.push(await userOf(host, many));
  const costs: { requests: number; micros: number[] }[] = [];
  for (const client of clients) {
    const send = (one: DynamoDB) => one.getItem({ TableName, Key: { id: { S: "a" } } });
    costs.push({ requests: await generator.keep(await signed(client, REQUESTS, send)), micros: [] });
    client.destroy();
  }
  for (let round = 0; round <= ROUNDS; round++)
    for (const { requests, micros } of costs) {
      const begin = cpuMs(host.pid);
      const { count } = await generator.run({
        requests,
        port: host.port,
        connections: CONNECTIONS,
        warmUpMs: 0,
        measureMs: MEASURE_MS,
      });
      // The first round warms up.
      if (round > 0) micros.push(((cpuMs(host.pid) - begin) / count) * 1000);
    }
  return costs.map(({ micros }) => micros);
}

async function fill(client: DynamoDB): Promise<void> {
  await client.createTable({
    TableName,
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  await client.putItem({ TableName, Item: { id: { S: "a" }, name: { S: "x".repeat(300) } } });
}

/** A user is in ten groups at most, and a group has ten policies: that is a hundred. */
async function userOf(host: Host, many: number): Promise<DynamoDB> {
  const iam = new IAM(host.client);
  const UserName = `u${many}`;
  await iam.createUser({ UserName });
  for (const [i, PolicyDocument] of documents(many, false).entries()) {
    const GroupName = `${UserName}-g${Math.floor(i / POLICIES_PER_GROUP)}`;
    if (i % POLICIES_PER_GROUP === 0) {
      await iam.createGroup({ GroupName });
      await iam.addUserToGroup({ GroupName, UserName });
    }
    const { Policy } = await iam.createPolicy({ PolicyName: `${UserName}-p${i}`, PolicyDocument });
    await iam.attachGroupPolicy({ GroupName, PolicyArn: Policy!.Arn! });
  }
  const { AccessKey } = await iam.createAccessKey({ UserName });
  iam.destroy();
  const credentials = { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
  return new DynamoDB({ ...host.client, credentials });
}

if (import.meta.main) await runAlone(measure);
