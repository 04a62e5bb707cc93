// What the tests of CloudWatch Logs share: a cloud, a client, and what a stream or a group holds, in a few words.
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  FilterLogEventsCommand,
  type FilterLogEventsCommandInput,
  PutLogEventsCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import type { StartOptions } from "../src/aws.ts";
import { startCloud, type TestCloud } from "./cloud.ts";

export interface LogsCloud extends TestCloud {
  readonly logs: CloudWatchLogsClient;
  now(): number;
  /** A group with these streams. */
  createGroup(name: string, ...streams: string[]): Promise<void>;
  /** Messages of now, or `[how long ago in ms, message]`. */
  put(group: string, stream: string, ...events: (string | readonly [agoMs: number, message: string])[]): Promise<void>;
  /** What FilterLogEvents finds: messages. */
  filter(group: string, more?: Partial<FilterLogEventsCommandInput>): Promise<string[]>;
}

export async function startLogs(options: StartOptions = {}): Promise<LogsCloud> {
  const cloud = await startCloud(options);
  await cloud.aws.clock({ freeze: true });
  return withLogs(cloud);
}

export function withLogs<C extends TestCloud>(cloud: C): C & LogsCloud {
  const logs = cloud.client(CloudWatchLogsClient);
  const now = () => cloud.aws.now();
  return {
    ...cloud,
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
    logs,
    now,
    async createGroup(logGroupName, ...streams) {
      await logs.send(new CreateLogGroupCommand({ logGroupName }));
      for (const logStreamName of streams) await logs.send(new CreateLogStreamCommand({ logGroupName, logStreamName }));
    },
    async put(logGroupName, logStreamName, ...events) {
      const at = now();
      const logEvents = events.map((event) =>
        typeof event === "string" ? { timestamp: at, message: event } : { timestamp: at - event[0], message: event[1] },
      );
      await logs.send(new PutLogEventsCommand({ logGroupName, logStreamName, logEvents }));
    },
    async filter(logGroupName, more = {}) {
      const { events = [] } = await logs.send(new FilterLogEventsCommand({ logGroupName, ...more }));
      return events.map(({ message }) => message!);
    },
  };
}
