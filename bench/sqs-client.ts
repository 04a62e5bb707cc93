// Clients of a queue, in a process of their own over raw sockets: each connection sends a message, receives one and deletes it, one request at a
// time. Sends and receives are signed once; only a delete has something of its own to sign.
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { signedHeaders } from "../src/cli/signed.ts";
import { sha256 } from "../src/door/canonical.ts";
import { quantile } from "./table.ts";

export interface Work {
  readonly port: number;
  readonly queueUrl: string;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** `cycle`: send, receive, delete in turn. The others fill or empty the queue. `wake`: a long poll waits for each send. */
  readonly what: "cycle" | "send" | "receive" | "delete" | "wake";
  /** A server that answers a constant: nothing is read from what it says. */
  readonly bare: boolean;
}

export interface Done {
  readonly perSecond: number;
  /** Of one request; of `wake` from the send's first byte to the long poll's last. ms */
  readonly p50: number;
  readonly p99: number;
  readonly count: number;
}

export interface Clients extends Disposable {
  run(work: Work): Promise<Done>;
}

export function openClients(): Clients {
  const child = fork(import.meta.filename, { serialization: "advanced" });
  return {
    async run(work) {
      child.send(work);
      const [answer] = (await once(child, "message")) as [{ done?: Done; error?: string }];
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer.done!;
    },
    [Symbol.dispose]: () => child.disconnect(),
  };
}

const BODY = "x".repeat(300);
const ANSWER_LIMIT_MS = 30_000;

if (import.meta.main && process.send) {
  const handles = new Map<number, string[]>();
  process.on("message", async (work: Work) => {
    try {
      process.send!({ done: work.what === "wake" ? await wake(work) : await run(work, handlesOf(work)) });
    } catch (error) {
      process.send!({ error: (error as Error).stack });
    }
  });
  // What was received and not deleted yet, of each server.
  const handlesOf = ({ port }: Work): string[] => {
    if (!handles.has(port)) handles.set(port, []);
    return handles.get(port)!;
  };
}

async function run(work: Work, handles: string[]): Promise<Done> {
  const begin = performance.now() + work.warmUpMs;
  const end = begin + work.measureMs;
  const times: number[] = [];
  let last = begin;
  const send = signed(work, "SendMessage", { QueueUrl: work.queueUrl, MessageBody: BODY });
  const receive = signed(work, "ReceiveMessage", { QueueUrl: work.queueUrl });
  const remove = (ReceiptHandle: string) => signed(work, "DeleteMessage", { QueueUrl: work.queueUrl, ReceiptHandle });
  const anyRemove = remove("x".repeat(120));
  const hand = async () => {
    using client = await openConnection(work.port);
    const ask = async (request: Buffer): Promise<string> => {
      const sent = performance.now();
      const answer = await client.ask(request);
      last = performance.now();
      if (last >= begin) times.push(last - sent);
      return answer;
    };
    do {
      if (work.what === "cycle" || work.what === "send") await ask(send);
      if (work.what === "send") continue;
      if (work.what !== "delete") {
        const handle = /"ReceiptHandle":"([^"]+)"/.exec(await ask(receive))?.[1];
        if (handle !== undefined) handles.push(handle);
        else if (!work.bare) break; // there is no more
      }
      if (work.what === "receive") continue;
      const handle = handles.pop();
      if (handle === undefined && !work.bare) break;
      await ask(work.bare ? anyRemove : remove(handle!));
    } while (performance.now() < end);
  };
  await Promise.all(Array.from({ length: work.connections }, hand));
  const perSecond = (times.length / (last - begin)) * 1000;
  return { perSecond, p50: quantile(times, 0.5), p99: quantile(times, 0.99), count: times.length };
}

/** One connection waits, another sends: so many times after each other. */
async function wake(work: Work): Promise<Done> {
  const end = performance.now() + work.measureMs;
  const times: number[] = [];
  using waiter = await openConnection(work.port);
  using sender = await openConnection(work.port);
  const { queueUrl: QueueUrl } = work;
  const poll = signed(work, "ReceiveMessage", { QueueUrl, WaitTimeSeconds: 20 });
  const send = signed(work, "SendMessage", { QueueUrl, MessageBody: BODY });
  const began = performance.now();
  do {
    const received = waiter.ask(poll);
    // It has to wait already: else a send is measured that comes first.
    await new Promise((later) => setTimeout(later, 5));
    const sent = performance.now();
    const answered = sender.ask(send);
    const answer = await received;
    times.push(performance.now() - sent);
    await answered;
    const ReceiptHandle = /"ReceiptHandle":"([^"]+)"/.exec(answer)![1]!;
    await sender.ask(signed(work, "DeleteMessage", { QueueUrl, ReceiptHandle }));
  } while (performance.now() < end);
  const perSecond = (times.length / (performance.now() - began)) * 1000;
  return { perSecond, p50: quantile(times, 0.5), p99: quantile(times, 0.99), count: times.length };
}

function signed({ port }: Work, operation: string, input: object): Buffer {
  const body = JSON.stringify(input);
  const access = {
    endpoint: `http://127.0.0.1:${port}`,
    region: "us-east-1",
    accessKeyId: "test",
    secretAccessKey: "test",
  };
  const headers = signedHeaders(access, {
    service: "sqs",
    method: "POST",
    path: "/",
    query: "",
    headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": `AmazonSQS.${operation}` },
    payloadHash: sha256(body),
  });
  const lines = Object.entries({ ...headers, "content-length": String(body.length) }).map(([k, v]) => `${k}: ${v}\r\n`);
  return Buffer.from(`POST / HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
}

interface Connection extends Disposable {
  /** The answer's body; rejects where it is no 200. */
  ask(request: Buffer): Promise<string>;
}

async function openConnection(port: number): Promise<Connection> {
  const socket = connect(port, "127.0.0.1").setNoDelay();
  await once(socket, "connect");
  let settle: PromiseWithResolvers<string> | undefined;
  let text = "";
  socket.setTimeout(ANSWER_LIMIT_MS, () => settle?.reject(new Error("no answer")));
  socket.on("error", (error) => settle?.reject(error));
  socket.on("close", () => settle?.reject(new Error("the connection was closed")));
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    const at = text.indexOf("\r\n\r\n");
    if (at < 0) return;
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
    if (text.length < at + 4 + length) return;
    const whole = text;
    text = "";
    if (whole.startsWith("HTTP/1.1 200")) settle!.resolve(whole.slice(at + 4));
    else settle!.reject(new Error(whole.slice(0, 1000)));
  });
  return {
    ask(request) {
      settle = Promise.withResolvers<string>();
      socket.write(request);
      return settle.promise;
    },
    [Symbol.dispose]: () => socket.destroy(),
  };
}
