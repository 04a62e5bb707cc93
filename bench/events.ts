// PutEvents a second with 1 and with 10,000 rules on the bus, beside a bare node:http. `node bench/events.ts [DIR]`
import { EventBridge } from "@aws-sdk/client-eventbridge";
import { SQS } from "@aws-sdk/client-sqs";
import { ACCOUNT, type Host, REGION, startBare, startHost } from "./host.ts";
import { compare, openGenerator, REQUEST_HEAD, requestRow } from "./load.ts";
import { signed } from "./signed.ts";
import { runAlone, type Table, whole } from "./table.ts";

const RULES = [1, 10_000] as const;
const CONNECTIONS = [1, 32] as const;
const REQUESTS = 200;
const MEASURE_MS = 1500;
const AT_ONCE = 32;
const QUEUE = `arn:aws:sqs:${REGION}:${ACCOUNT}:met`;

export async function measure(dir: string): Promise<Table[]> {
  await using host = await startHost(dir);
  await using bare = await startBare();
  using generator = await openGenerator();
  const events = new EventBridge(host.client);
  await makeQueue(host);
  const rows: string[][] = [];
  for (const [at, many] of RULES.entries()) {
    await addRules(events, RULES[at - 1] ?? 0, many);
    const rules = `${whole(many)} rule${many > 1 ? "s" : ""}`;
    for (const [what, Source] of [
      ["meets none", "nobody"],
      ["meets one, with a queue", "app.0"],
    ] as const)
      for (const connections of CONNECTIONS) {
        const entry = { Source, DetailType: "Type 0", Detail: JSON.stringify({ id: "order-0", total: 250 }) };
        const sent = await signed(events, REQUESTS, (client) => client.putEvents({ Entries: [entry] }));
        const load = { requests: await generator.keep(sent), connections, warmUpMs: 200, measureMs: MEASURE_MS };
        rows.push(
          requestRow(`${rules}, ${what}, ${connections} at once`, await compare(generator, { host, bare }, load)),
        );
      }
  }
  events.destroy();
  return [
    {
      title: "PutEvents",
      note: "One event a request. What meets no rule writes nothing; what meets one is a durable commit with the delivery, and the delivery itself goes on beside the requests that are counted: SendMessage under the queue's policy, another commit. The limit is a bare node:http that answers as many bytes.",
      head: REQUEST_HEAD,
      rows,
    },
  ];
}

async function makeQueue(host: Host): Promise<void> {
  const sqs = new SQS(host.client);
  const Policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Principal: { Service: "events.amazonaws.com" }, Action: "sqs:SendMessage", Resource: QUEUE },
    ],
  });
  await sqs.createQueue({ QueueName: "met", Attributes: { Policy } });
  sqs.destroy();
}

/** Rules as an application has them: a source, a type and an id each; only the first is met. */
async function addRules(events: EventBridge, from: number, to: number): Promise<void> {
  const ResourceARN = `arn:aws:events:${REGION}:${ACCOUNT}:event-bus/default`;
  if (from > 0) await events.tagResource({ ResourceARN, Tags: [{ Key: "aws-like:rules", Value: `${to}` }] });
  let next = from;
  const one = async () => {
    while (next < to) {
      const i = next++;
      const pattern = { source: [`app.${i % 50}`], "detail-type": [`Type ${i}`], detail: { id: [`order-${i}`] } };
      await events.putRule({ Name: `rule-${i}`, EventPattern: JSON.stringify(pattern) });
      if (i === 0) await events.putTargets({ Rule: "rule-0", Targets: [{ Id: "q", Arn: QUEUE }] });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

if (import.meta.main) await runAlone(measure);
