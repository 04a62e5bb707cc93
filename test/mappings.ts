// A cloud with a function's role, queues and a table with a stream, and what a function has got so far.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateTableCommand, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import {
  CreateEventSourceMappingCommand,
  type CreateEventSourceMappingCommandInput,
  GetEventSourceMappingCommand,
} from "@aws-sdk/client-lambda";
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  SQSClient,
} from "@aws-sdk/client-sqs";
import type { StartOptions } from "../src/aws.ts";
import { ACCOUNT, startCloudWithRole } from "./lambda.ts";

export const queueArn = (name: string): string => `arn:aws:sqs:us-east-1:${ACCOUNT}:${name}`;

// biome-ignore lint/suspicious/noExplicitAny: whatever a function got
export type Event = any;

/** A handler that says what it got, in one line of its log. */
export const SAY = 'echo "got $(jq -c . <<<"$1")" >&2';

export async function startMappingsCloud(options: StartOptions = {}) {
  const cloud = await startCloudWithRole(options);
  const sqs = cloud.client(SQSClient);
  const db = cloud.client(DynamoDBClient);
  const url = (name: string) => `${cloud.endpoint}/${ACCOUNT}/${name}`;
  const linesOf = async (name: string, words: string) => {
    const dir = join(cloud.aws.config.dir, "logs/lambda", name);
    const files = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      return [];
    });
    const text = (await Promise.all(files.map((file) => readFile(join(dir, file), "utf8")))).join("");
    return text.split("\n").filter((line) => line.includes(words));
  };
  return {
    ...cloud,
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
    sqs,
    url,
    queue: (QueueName: string, Attributes: Record<string, string> = {}) =>
      sqs.send(new CreateQueueCommand({ QueueName, Attributes })),
    async send(name: string, bodies: readonly string[], more: Partial<SendMessageBatchRequestEntry> = {}) {
      for (let at = 0; at < bodies.length; at += 10) {
        const Entries = bodies.slice(at, at + 10).map((MessageBody, i) => ({ Id: String(i), MessageBody, ...more }));
        await sqs.send(new SendMessageBatchCommand({ QueueUrl: url(name), Entries }));
      }
    },
    async received(name: string): Promise<Event[]> {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({ QueueUrl: url(name), MaxNumberOfMessages: 10, VisibilityTimeout: 0 }),
      );
      return Messages.map(({ Body }) => JSON.parse(Body!));
    },
    /** `waiting + in flight`. */
    async depth(name: string): Promise<string> {
      const { Attributes } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: url(name), AttributeNames: ["All"] }),
      );
      return `${Attributes!.ApproximateNumberOfMessages} + ${Attributes!.ApproximateNumberOfMessagesNotVisible}`;
    },
    /** The stream's ARN, and what writes an item. */
    async table(TableName: string) {
      const { TableDescription } = await db.send(
        new CreateTableCommand({
          TableName,
          BillingMode: "PAY_PER_REQUEST",
          AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
          KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
          StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
        }),
      );
      const put = (id: string, n = 0) =>
        db.send(new PutItemCommand({ TableName, Item: { id: { S: id }, n: { N: String(n) } } }));
      return { arn: TableDescription!.LatestStreamArn!, put };
    },
    map: (FunctionName: string, EventSourceArn: string, more: Partial<CreateEventSourceMappingCommandInput> = {}) =>
      cloud.lambda.send(new CreateEventSourceMappingCommand({ FunctionName, EventSourceArn, ...more })),
    mapping: (UUID: string | undefined) => cloud.lambda.send(new GetEventSourceMappingCommand({ UUID })),
    /** The lines of a function's log that say "at". */
    log: (name: string) => linesOf(name, " at "),
    /** The events that a function said it got. */
    got: async (name: string): Promise<Event[]> =>
      (await linesOf(name, " got {")).map((line) => JSON.parse(line.slice(line.indexOf(" got ") + 5))),
  };
}

export const bodies = (event: Event): string[] => event.Records.map((record: Event) => record.body);
export const keys = (event: Event): string[] => event.Records.map((record: Event) => record.dynamodb.Keys.id.S);
