// Ten thousand schedules that are due in the same second: when the last of them has reached its queue. `node bench/scheduler.ts [DIR]`
import { IAM } from "@aws-sdk/client-iam";
import { Scheduler } from "@aws-sdk/client-scheduler";
import { SQS } from "@aws-sdk/client-sqs";
import { ACCOUNT, cpuMs, type Host, REGION, startHost } from "./host.ts";
import { runAlone, type Table, whole } from "./table.ts";

const COUNTS = [100, 10_000] as const;
const CONNECTIONS = 16;
/** Before they are due, on the cloud's clock: so the looking begins with time to spare. */
const LEAD_MS = 3_000;
const LOOK_MS = 100;
const LIMIT_MS = 300_000;

export async function measure(dir: string): Promise<Table[]> {
  const rows: string[][] = [];
  for (const count of COUNTS) {
    await using host = await startHost(dir);
    const made = await make(host, count);
    const { tookMs, cpu } = await fire(host, { count, at: made.at });
    rows.push([
      whole(count),
      whole((count * 1000) / made.tookMs),
      (tookMs / 1000).toFixed(1),
      whole((count * 1000) / tookMs),
      (cpu / count).toFixed(2),
    ]);
  }
  return [
    {
      title: "Schedules",
      note: `One-time schedules, all due in the same second, each a message to one queue under the schedule's role; made by CreateSchedule at ${CONNECTIONS} connections. Seconds from then until the last message is there; CPU of the server. Aim: 10,000 within their minute.`,
      head: ["schedules", "made/s", "last after, s", "fired/s", "CPU each, ms"],
      rows,
    },
  ];
}

const RoleArn = `arn:aws:iam::${ACCOUNT}:role/bench`;
const Arn = `arn:aws:sqs:${REGION}:${ACCOUNT}:bench`;

async function make(host: Host, count: number): Promise<{ at: number; tookMs: number }> {
  const [iam, sqs, scheduler] = [new IAM(host.client), new SQS(host.client), new Scheduler(host.client)];
  const document = (statement: object) => JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
  const trusted = { Effect: "Allow", Action: "sts:AssumeRole", Principal: { Service: "scheduler.amazonaws.com" } };
  const may = { Effect: "Allow", Action: "sqs:SendMessage", Resource: Arn };
  await iam.createRole({ RoleName: "bench", AssumeRolePolicyDocument: document(trusted) });
  await iam.putRolePolicy({ RoleName: "bench", PolicyName: "p", PolicyDocument: document(may) });
  await sqs.createQueue({ QueueName: "bench" });
  const at = Math.ceil(Date.now() / 1000) * 1000 + 86_400_000;
  const ScheduleExpression = `at(${new Date(at).toISOString().slice(0, 19)})`;
  const begin = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      for (let i = next++; i < count; i = next++)
        await scheduler.createSchedule({
          Name: `s${i}`,
          ScheduleExpression,
          FlexibleTimeWindow: { Mode: "OFF" },
          Target: { Arn, RoleArn, Input: `message ${i}` },
        });
    }),
  );
  const tookMs = performance.now() - begin;
  for (const client of [iam, sqs, scheduler]) client.destroy();
  return { at, tookMs };
}

async function fire(
  host: Host,
  { count, at }: { count: number; at: number },
): Promise<{ tookMs: number; cpu: number }> {
  const sqs = new SQS(host.client);
  const { QueueUrl } = await sqs.getQueueUrl({ QueueName: "bench" });
  const asked = Date.now();
  await fetch(`${host.endpoint}/_aws-like/clock`, {
    method: "POST",
    body: JSON.stringify({ advance: at - LEAD_MS - asked }),
  });
  const due = performance.now() + LEAD_MS - (Date.now() - asked);
  const cpu = cpuMs(host.pid);
  while (performance.now() - due < LIMIT_MS) {
    const AttributeNames = ["ApproximateNumberOfMessages"] as const;
    const { Attributes } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: [...AttributeNames] });
    if (Number(Attributes!.ApproximateNumberOfMessages) >= count) {
      sqs.destroy();
      return { tookMs: performance.now() - due, cpu: cpuMs(host.pid) - cpu };
    }
    await new Promise((wait) => setTimeout(wait, LOOK_MS));
  }
  throw new Error(`not all of ${count} schedules fired within ${LIMIT_MS / 1000} s`);
}

if (import.meta.main) await runAlone(measure);
