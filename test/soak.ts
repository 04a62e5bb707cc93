// Invocations that fail in every way a function can: what was accepted must be accounted for, and nothing of a sandbox may be left behind.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InvokeCommand, PutFunctionEventInvokeConfigCommand } from "@aws-sdk/client-lambda";
import { CreateQueueCommand, DeleteMessageBatchCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { ACCOUNT, ROLE, type startCloudWithRole } from "./lambda.ts";
import { random } from "./random.ts";
import { zipOf } from "./zip.ts";

/** What an invocation does, how often of a hundred, and the error type that its caller or the destination's record is to name. */
const FATES = [
  ["answer", 60, undefined],
  ["error", 8, "ValueError"],
  ["exit", 8, "Runtime.ExitError"],
  ["crash", 8, "Runtime.ExitError"],
  ["garbage", 7, undefined],
  ["leave", 5, undefined],
  ["memory", 3, "Runtime.ExitError"],
  ["timeout", 1, "Sandbox.Timedout"],
] as const;

type Fate = (typeof FATES)[number][0];

const APP = `import os, signal, subprocess, sys, time
def handler(event, context):
    fate = event["fate"]
    open("/tmp/last" if os.path.isdir("/var/task") else os.environ["TMPDIR"] + "/last", "w").write(fate)
    if fate == "error": raise ValueError(fate)
    if fate == "exit": os._exit(3)
    if fate == "crash": os.kill(os.getpid(), signal.SIGKILL)
    if fate == "memory": bytearray(400 << 20)
    if fate == "timeout": time.sleep(60)
    if fate == "garbage":
        sys.stdout.buffer.write(os.urandom(2000)); sys.stderr.write("\\x00\\ufffd" * 100)
        return os.urandom(500)
    if fate == "leave": subprocess.Popen(["sleep", "60"], start_new_session=True)
    return event["id"]
`;

export interface Soaked {
  /** Answers that were not what their fate says. */
  readonly wrong: readonly string[];
  /** Accepted events that no destination heard of. */
  readonly lost: readonly number[];
  /** What is there that was not there before: processes, mounts, cgroups, descriptors, files. */
  readonly left: readonly string[];
  readonly seconds: number;
}

interface Options {
  readonly start: typeof startCloudWithRole;
  /** Callers at once. */
  readonly hands?: number;
  readonly seed?: number;
  readonly said?: (text: string) => void;
}

/** Every second invocation is asynchronous. `said` hears of the progress. */
export async function soak(
  count: number,
  { start, hands = 8, seed = 7, said = (_text: string): void => undefined }: Options,
): Promise<Soaked> {
  const dir = await mkdtemp(join(tmpdir(), "aws-like-soak-"));
  const before = inventory(dir);
  const began = performance.now();
  const chance = random(seed);
  const wrong: string[] = [];
  const open = new Map<number, Fate>();
  try {
    {
      await using cloud = await start({ dir });
      const sqs = cloud.client(SQSClient);
      const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "told" }));
      await cloud.createBash("f", "", {
        Runtime: "python3.13",
        Handler: "app.handler",
        Role: ROLE,
        Code: { ZipFile: zipOf({ "app.py": APP }) },
        Timeout: 1,
        MemorySize: 128,
        Environment: { Variables: { SOAK: dir } },
      });
      const Destination = `arn:aws:sqs:us-east-1:${ACCOUNT}:told`;
      await cloud.lambda.send(
        new PutFunctionEventInvokeConfigCommand({
          FunctionName: "f",
          MaximumRetryAttempts: 0,
          DestinationConfig: { OnSuccess: { Destination }, OnFailure: { Destination } },
        }),
      );

      let next = 0;
      const invoke = async (): Promise<void> => {
        while (next < count) {
          const id = next++;
          const fate = fateOf(chance());
          const asynchronous = id % 2 === 0;
          const { Payload, FunctionError } = await cloud.lambda.send(
            new InvokeCommand({
              FunctionName: "f",
              InvocationType: asynchronous ? "Event" : "RequestResponse",
              Payload: JSON.stringify({ id, fate }),
            }),
          );
          if (asynchronous) open.set(id, fate);
          else {
            const text = Payload?.transformToString() ?? "";
            if (!isRight(fate, id, { text, failed: FunctionError !== undefined }))
              wrong.push(`${fate}: ${text.slice(0, 200)}`);
          }
          if (id % 1000 === 999) said(`${id + 1} of ${count}`);
        }
      };
      await Promise.all(Array.from({ length: hands }, invoke));
      if (inventory(dir).processes.length === 0) wrong.push("no process of a sandbox was found while one was there");
      await cloud.settle();
      for (;;) {
        const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
        if (Messages.length === 0) break;
        for (const { Body } of Messages) {
          const { requestPayload, responseContext, responsePayload } = JSON.parse(Body!);
          const { id, fate } = requestPayload as { id: number; fate: Fate };
          const answer = { text: JSON.stringify(responsePayload), failed: responseContext.functionError !== undefined };
          if (!isRight(fate, id, answer)) wrong.push(`${fate}, asynchronous: ${answer.text.slice(0, 200)}`);
          open.delete(id);
        }
        await sqs.send(
          new DeleteMessageBatchCommand({
            QueueUrl,
            Entries: Messages.map(({ ReceiptHandle }, index) => ({ Id: `${index}`, ReceiptHandle })),
          }),
        );
      }
    }
    const left = Object.entries(inventory(dir)).flatMap(([what, now]) => {
      const known = new Set(before[what as keyof typeof before]);
      return now.filter((name) => !known.has(name)).map((name) => `${what}: ${name}`);
    });
    return { wrong, lost: [...open.keys()], left, seconds: (performance.now() - began) / 1000 };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function fateOf(chance: number): Fate {
  let left = chance * 100;
  for (const [fate, share] of FATES) {
    left -= share;
    if (left < 0) return fate;
  }
  return "answer";
}

function isRight(fate: Fate, id: number, { text, failed }: { text: string; failed: boolean }): boolean {
  const type = FATES.find(([name]) => name === fate)![2];
  if (type !== undefined) return failed && text.includes(`"${type}"`);
  return !failed && (fate === "garbage" || text === `${id}`);
}

/** What this machine holds of this process's sandboxes. */
function inventory(dir: string) {
  const list = (path: string): string[] => {
    try {
      return readdirSync(path);
    } catch {
      return []; // None there.
    }
  };
  const read = (path: string, how: (path: string) => string): string => {
    try {
      return how(path);
    } catch {
      return ""; // Gone meanwhile.
    }
  };
  const ours = `aws-like-${process.pid}`;
  return {
    processes: list("/proc").filter((pid) =>
      read(`/proc/${pid}/environ`, (path) => readFileSync(path, "latin1")).includes(`SOAK=${dir}`),
    ),
    children: list(`/proc/${process.pid}/task`).flatMap((task) =>
      read(`/proc/${process.pid}/task/${task}/children`, (path) => readFileSync(path, "latin1"))
        .split(" ")
        .filter(Boolean),
    ),
    mounts: readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .filter((line) => line.includes(dir)),
    cgroups: list("/sys/fs/cgroup").flatMap((name) =>
      list(`/sys/fs/cgroup/${name}/${ours}`)
        .filter((entry) => /^\d+$/.test(entry))
        .map((entry) => `${name}/${entry}`),
    ),
    // Sockets and pipes have new names each time: how many there are is told in steps.
    descriptors: [
      `${Math.floor(list("/proc/self/fd").filter((fd) => /^(pipe|socket|\/)/.test(read(`/proc/self/fd/${fd}`, (path) => readlinkSync(path)))).length / 100)} hundred`,
    ],
    files: list(join(dir, ".aws-like", "lambda", "sandboxes")),
  };
}
