// SNS to many queues: from the request of Publish until the last message can be received. `node bench/sns.ts [DIR]`
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SNS } from "@aws-sdk/client-sns";
import { SQS } from "@aws-sdk/client-sqs";
import { ACCOUNT, type Host, REGION, startHost } from "./host.ts";
import { ms, quantile, runAlone, type Table } from "./table.ts";

const QUEUES = [1, 10, 100];
const ROUNDS = 200;
const WARM_UP = 30;
/** A text of a kilobyte. */
const MESSAGE = "x".repeat(1024);
const LOOK_MS = 0.5;
const NOTE =
  "Publish of 1 KiB, one at a time, in ms: until it is answered, when its deliveries are durable; and until the last queue's message is committed, so that a receiver has it. Looked at from outside, in the database. Enveloped: signed, RSA 2048. Aim: p99 of 100 queues 50 ms at most.";

export async function measure(dir: string): Promise<Table[]> {
  const rows: string[][] = [];
  for (const raw of [true, false])
    for (const queues of QUEUES) {
      await using host = await startHost(dir);
      const { answered, received } = await fanOut(host, { queues, raw });
      const figures = [answered, received].flatMap((times) => [ms(quantile(times, 0.5)), ms(quantile(times, 0.99))]);
      rows.push([`${queues} ${queues === 1 ? "queue" : "queues"}, ${raw ? "raw" : "enveloped"}`, ...figures]);
    }
  return [{ title: "SNS: fan-out", note: NOTE, head: ["", "answered p50", "p99", "receivable p50", "p99"], rows }];
}

async function fanOut(host: Host, { queues, raw }: { queues: number; raw: boolean }) {
  const sns = new SNS(host.client);
  const sqs = new SQS(host.client);
  const { TopicArn } = await sns.createTopic({ Name: "topic" });
  const Policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Service: "sns.amazonaws.com" },
        Action: "sqs:SendMessage",
        Resource: "*",
        Condition: { ArnEquals: { "aws:SourceArn": TopicArn } },
      },
    ],
  });
  for (let at = 0; at < queues; at++) {
    await sqs.createQueue({ QueueName: `queue-${at}`, Attributes: { Policy } });
    const Endpoint = `arn:aws:sqs:${REGION}:${ACCOUNT}:queue-${at}`;
    await sns.subscribe({ TopicArn, Protocol: "sqs", Endpoint, Attributes: { RawMessageDelivery: String(raw) } });
  }
  using database = new DatabaseSync(join(host.dir, "db.sqlite"), { readOnly: true });
  const count = database.prepare("SELECT COUNT(*) AS count FROM sqs_message");
  const answered: number[] = [];
  const received: number[] = [];
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    const wanted = (round + 1) * queues;
    const began = performance.now();
    await sns.publish({ TopicArn, Message: MESSAGE });
    const answer = performance.now() - began;
    while ((count.get() as { count: number }).count < wanted) await new Promise((wait) => setTimeout(wait, LOOK_MS));
    if (round < WARM_UP) continue;
    answered.push(answer);
    received.push(performance.now() - began);
  }
  sns.destroy();
  sqs.destroy();
  return { answered, received };
}

if (import.meta.main) await runAlone(measure);
