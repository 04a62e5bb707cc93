// A FIFO queue beside an obvious model of one: what is received after any sequence of sends, receives, deletes, changes and passing time.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { SQS } from "@aws-sdk/client-sqs";
import { startCloud } from "../../../test/cloud.ts";
import { type Random, random } from "../../../test/random.ts";

const SEQUENCES = 10;
const STEPS = 50;
const GROUPS = 3;
const VISIBILITY_S = 10;
const DEDUPLICATION_MS = 300_000;

const cloud = await startCloud();
after(() => cloud[Symbol.asyncDispose]());
const sqs = cloud.client(SQS);
await cloud.aws.clock({ freeze: true });

interface Message {
  readonly id: string;
  readonly group: string;
  readonly body: string;
  visibleAt: number;
  handle?: string;
}

/** In the order in which they were sent. A message can be received when nothing before it in its group is in flight. */
class Model {
  messages: Message[] = [];
  readonly sent = new Map<string, { id: string; until: number }>();

  duplicate(deduplicationId: string, now: number): string | undefined {
    const before = this.sent.get(deduplicationId);
    return before && before.until > now ? before.id : undefined;
  }

  receivable(most: number, now: number): Message[] {
    const waits = new Set<string>();
    const found: Message[] = [];
    for (const message of this.messages) {
      if (message.visibleAt > now) waits.add(message.group);
      else if (!waits.has(message.group) && found.length < most) found.push(message);
    }
    return found;
  }

  /** Undefined: the handle is no message's newest. */
  holder(handle: string): Message | undefined {
    return this.messages.find((message) => message.handle === handle);
  }
}

interface At {
  readonly QueueUrl: string;
  readonly model: Model;
  /** All that were ever given. */
  readonly handles: string[];
  readonly next: Random;
  readonly scope: string;
  readonly step: number;
}

async function send({ QueueUrl, model, next, scope, step }: At): Promise<void> {
  const group = `g${Math.floor(next() * GROUPS)}`;
  // Few ids: many a message was sent before.
  const id = `d${Math.floor(next() * 20)}`;
  const { MessageId } = await sqs.sendMessage({
    QueueUrl,
    MessageBody: `${step}`,
    MessageGroupId: group,
    MessageDeduplicationId: id,
  });
  const now = cloud.aws.now();
  const key = scope === "queue" ? id : `${group} ${id}`;
  const before = model.duplicate(key, now);
  if (before !== undefined) return assert.equal(MessageId, before, "sent again, it is the same message");
  model.sent.set(key, { id: MessageId!, until: now + DEDUPLICATION_MS });
  model.messages.push({ id: MessageId!, group, body: `${step}`, visibleAt: now });
}

async function receive({ QueueUrl, model, handles, next }: At): Promise<void> {
  const most = 1 + Math.floor(next() * 10);
  const { Messages = [] } = await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: most });
  const now = cloud.aws.now();
  const expected = model.receivable(most, now);
  assert.deepEqual(
    Messages.map(({ MessageId, Body }) => [MessageId, Body]),
    expected.map(({ id, body }) => [id, body]),
  );
  for (const [at, message] of expected.entries()) {
    message.visibleAt = now + VISIBILITY_S * 1000;
    message.handle = Messages[at]!.ReceiptHandle!;
    handles.push(message.handle);
  }
}

const some = ({ handles, next }: At): string | undefined => handles[Math.floor(next() * handles.length)];

async function remove(at: At): Promise<void> {
  const ReceiptHandle = some(at);
  if (ReceiptHandle === undefined) return;
  const held = at.model.holder(ReceiptHandle);
  const deleting = sqs.deleteMessage({ QueueUrl: at.QueueUrl, ReceiptHandle });
  if (held && held.visibleAt <= cloud.aws.now())
    return assert.rejects(deleting, { message: /The receipt handle has expired/ });
  await deleting;
  at.model.messages = at.model.messages.filter((message) => message !== held);
}

async function change(at: At): Promise<void> {
  const ReceiptHandle = some(at);
  if (ReceiptHandle === undefined) return;
  const VisibilityTimeout = Math.floor(at.next() * 20);
  const held = at.model.holder(ReceiptHandle);
  const changing = sqs.changeMessageVisibility({ QueueUrl: at.QueueUrl, ReceiptHandle, VisibilityTimeout });
  const now = cloud.aws.now();
  if (!held || held.visibleAt <= now) return assert.rejects(changing, { Code: "InvalidParameterValue" });
  await changing;
  held.visibleAt = now + VisibilityTimeout * 1000;
}

const pass = ({ next }: At): Promise<void> => cloud.advance(Math.floor(next() ** 3 * 120_000));

/** How often each is done, of one. */
const ACTS: readonly (readonly [share: number, act: (at: At) => Promise<void>])[] = [
  [0.35, send],
  [0.25, receive],
  [0.15, remove],
  [0.1, change],
  [0.15, pass],
];

function chosen(draw: number): (at: At) => Promise<void> {
  let left = draw;
  for (const [share, act] of ACTS) {
    if (left < share) return act;
    left -= share;
  }
  return pass;
}

for (let seed = 1; seed <= SEQUENCES; seed++)
  test(`A FIFO queue does what its model does (seed ${seed})`, async () => {
    const next = random(seed);
    const scope = next() < 0.5 ? "queue" : "messageGroup";
    const { QueueUrl } = await sqs.createQueue({
      QueueName: `model-${seed}.fifo`,
      Attributes: { FifoQueue: "true", VisibilityTimeout: String(VISIBILITY_S), DeduplicationScope: scope },
    });
    const at = { QueueUrl: QueueUrl!, model: new Model(), handles: [], next, scope };
    for (let step = 0; step < STEPS; step++) await chosen(next())({ ...at, step });
    // In the end all is visible, and comes in the order in which it was sent.
    await cloud.advance(20_000);
    await receive({ ...at, next: () => 0.99, step: STEPS });
  });
