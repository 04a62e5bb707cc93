// A ledger of messages against a cloud that is killed at random moments: what was sent and answered is received; what was deleted and answered
// never comes again; no message is in two hands within its visibility; a FIFO queue's groups keep their order.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { type Message, SQS } from "@aws-sdk/client-sqs";
import { random } from "./random.ts";
import { makeWorkspace, type Running } from "./running.ts";

export interface LedgerOptions {
  readonly messages: number;
  readonly kills: number;
  readonly seed: number;
  readonly fifo: boolean;
  /** postgres://..., or db.sqlite. */
  readonly databaseUrl?: string;
  readonly say?: (line: string) => void;
}

export interface Ledger {
  /** Answers that were lost: the sender sent again, the receiver did not know whether its delete was done. */
  readonly lostSends: number;
  readonly lostDeletes: number;
  /** Deliveries of what was delivered before. */
  readonly duplicates: number;
}

const GROUPS = 8;
const BATCH = 10;
const RECEIVERS = 4;
const VISIBILITY_S = 30;
const RETRY_MS = 10;
/** The last kill comes before so much is sent. */
const LAST_KILL = 0.9;

/** Rejects with an AssertionError that names the message. */
export async function keepLedger(options: LedgerOptions): Promise<Ledger> {
  const { messages, kills, seed, fifo, databaseUrl, say = () => undefined } = options;
  const next = random(seed);
  await using workspace = await makeWorkspace({ init: false });
  const args = databaseUrl === undefined ? [] : ["--database", databaseUrl];
  let cloud: Running = await workspace.up("--quiet", ...args);
  const QueueName = fifo ? "ledger.fifo" : "ledger";
  const Attributes = { VisibilityTimeout: String(VISIBILITY_S), ...(fifo && { FifoQueue: "true" }) };
  await cloud.client(SQS).createQueue({ QueueName, Attributes });
  const book = new Book(fifo);
  // Whatever went wrong, nobody goes on asking.
  let over = false;
  using _end = {
    [Symbol.dispose]() {
      over = true;
    },
  };

  /** Asks whichever cloud is alive, until it answers. `again` is told that an answer was lost. */
  const surely = async <T>(ask: (sqs: SQS, QueueUrl: string) => Promise<T>, again: () => void): Promise<T> => {
    for (let lost = false; ; ) {
      if (over) throw new Error("it is over");
      const at = cloud;
      try {
        return await ask(clientOf(at), `${at.endpoint}/000000000000/${QueueName}`);
      } catch (error) {
        if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode) throw error;
        if (!lost) again();
        lost = true;
        await sleep(RETRY_MS);
      }
    }
  };
  const clients = new WeakMap<Running, SQS>();
  const clientOf = (of: Running): SQS => {
    const client = clients.get(of) ?? of.client(SQS);
    clients.set(of, client);
    return client;
  };

  const sender = async (group: number) => {
    for (let from = 0; from < messages / GROUPS; from += BATCH) {
      const count = Math.min(BATCH, Math.ceil(messages / GROUPS) - from);
      const bodies = Array.from({ length: count }, (_, i) => `${group} ${from + i}`);
      const Entries = bodies.map((MessageBody, i) => ({
        Id: String(i),
        MessageBody,
        ...(fifo && { MessageGroupId: `g${group}`, MessageDeduplicationId: MessageBody.replace(" ", "-") }),
      }));
      const { Successful } = await surely(
        (sqs, QueueUrl) => sqs.sendMessageBatch({ QueueUrl, Entries }),
        () => book.lostSend(bodies),
      );
      assert.equal(Successful!.length, count);
      book.sent(bodies);
    }
  };

  let draining = false;
  // While the clock is moved nobody has anything in his hands: it would show again under them.
  let pause: PromiseWithResolvers<void> | undefined;
  let busy = 0;
  const receiver = async () => {
    for (let idle = 0; !draining || idle < 3; ) {
      while (pause) await pause.promise;
      busy++;
      using _turn = {
        [Symbol.dispose]() {
          busy--;
        },
      };
      const asked = performance.now();
      const { Messages = [] } = await surely(
        (sqs, QueueUrl) => sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: draining ? 0 : 1 }),
        () => undefined,
      );
      idle = Messages.length > 0 ? 0 : idle + 1;
      book.received(Messages, asked);
      if (Messages.length === 0) continue;
      const Entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle }));
      let lost = false;
      const { Failed = [] } = await surely(
        (sqs, QueueUrl) => sqs.deleteMessageBatch({ QueueUrl, Entries }),
        () => {
          lost = true;
          book.lostDelete(Messages);
        },
      );
      // A FIFO message's handle may have expired while the cloud was away.
      const failed = new Set(Failed.map(({ Id }) => Messages[Number(Id)]!));
      book.notDeleted([...failed]);
      book.deleted(
        Messages.filter((message) => !failed.has(message)),
        lost,
      );
    }
  };

  const senders = Array.from({ length: GROUPS }, (_, group) => sender(group));
  const receivers = Array.from({ length: RECEIVERS }, receiver);
  const sending = Promise.all(senders);
  const receiving = Promise.all(receivers);
  // What goes wrong shows where it is awaited.
  sending.catch(() => undefined);
  receiving.catch(() => undefined);
  for (let kill = 0; kill < kills; kill++) {
    // In the middle of something, whatever the machine's speed.
    const after = ((kill + next()) / kills) * LAST_KILL * messages;
    while (book.progress < after) await Promise.race([sleep(RETRY_MS), sending]);
    await sleep(next() * RETRY_MS);
    await cloud.kill();
    cloud = await workspace.up("--quiet", ...args);
    say(`killed ${kill + 1} times; ${book}`);
  }
  await sending;
  await sleep(0);
  // What was taken by an answer that was lost shows again.
  const advanced = async () => {
    pause = Promise.withResolvers();
    while (busy > 0) await sleep(RETRY_MS);
    book.visibleAgain();
    const { code, stderr } = await cloud.cli("clock", "advance", `${VISIBILITY_S + 1}s`);
    assert.equal(code, 0, stderr);
    pause.resolve();
    pause = undefined;
  };
  await advanced();
  draining = true;
  await receiving;
  await advanced();
  await receiver();
  say(String(book));
  const result = book.close(messages);
  await cloud.stop();
  return result;
}

/** What was sent and received, and must be. */
class Book {
  readonly #fifo: boolean;
  readonly #sent = new Set<string>();
  readonly #received = new Map<string, number>();
  /** By message id: received, its handle not known to be of no use; ms of real time. */
  readonly #held = new Map<string, number>();
  readonly #gone = new Set<string>();
  /** Of each group: the number of the message that was received first and last. */
  readonly #last = new Map<string, number>();
  readonly #mayComeTwice = new Set<string>();
  #lostSends = 0;
  #lostDeletes = 0;
  #duplicates = 0;

  constructor(fifo: boolean) {
    this.#fifo = fifo;
  }

  /** Messages whose send was answered. */
  get progress(): number {
    return this.#sent.size;
  }

  sent(bodies: readonly string[]): void {
    for (const body of bodies) this.#sent.add(body);
  }

  lostSend(bodies: readonly string[]): void {
    this.#lostSends++;
    // FIFO sends it once: it has an id.
    if (!this.#fifo) for (const body of bodies) this.#mayComeTwice.add(body);
  }

  received(messages: readonly Message[], asked: number): void {
    for (const { MessageId, Body } of messages) {
      assert.ok(!this.#gone.has(MessageId!), `${Body} comes again after its delete was answered`);
      const since = this.#held.get(MessageId!);
      if (since !== undefined) {
        const heldMs = performance.now() - since;
        assert.ok(heldMs > VISIBILITY_S * 1000, `${Body} is in two hands, ${Math.round(heldMs)} ms after the first`);
      }
      this.#held.set(MessageId!, asked);
      const times = (this.#received.get(Body!) ?? 0) + 1;
      this.#received.set(Body!, times);
      if (times > 1) {
        this.#duplicates++;
        assert.ok(this.#mayComeTwice.has(Body!), `${Body} comes twice, and no answer about it was lost`);
      } else if (this.#fifo) this.#inOrder(Body!);
    }
  }

  lostDelete(messages: readonly Message[]): void {
    this.#lostDeletes++;
    for (const { Body } of messages) this.#mayComeTwice.add(Body!);
  }

  deleted(messages: readonly Message[], lost: boolean): void {
    for (const { MessageId } of messages) {
      this.#held.delete(MessageId!);
      if (!lost) this.#gone.add(MessageId!);
    }
  }

  notDeleted(messages: readonly Message[]): void {
    for (const { MessageId, Body } of messages) {
      this.#held.delete(MessageId!);
      this.#mayComeTwice.add(Body!);
    }
  }

  /** The clock was moved: what is held may be received. */
  visibleAgain(): void {
    this.#held.clear();
  }

  close(messages: number): Ledger {
    assert.equal(this.#sent.size, Math.ceil(messages / GROUPS) * GROUPS);
    const missing = [...this.#sent].filter((body) => !this.#received.has(body));
    assert.deepEqual(missing, [], "sent, answered, and never received");
    const unknown = [...this.#received.keys()].filter((body) => !this.#sent.has(body));
    assert.deepEqual(unknown, [], "received, and never sent");
    return { lostSends: this.#lostSends, lostDeletes: this.#lostDeletes, duplicates: this.#duplicates };
  }

  toString(): string {
    return `${this.#sent.size} sent, ${this.#received.size} received, ${this.#duplicates} twice, lost answers: ${this.#lostSends} to sends, ${this.#lostDeletes} to deletes`;
  }

  #inOrder(body: string): void {
    const [group, number] = body.split(" ");
    const last = this.#last.get(group!) ?? -1;
    assert.ok(Number(number) > last, `${body} comes after ${group} ${last}`);
    this.#last.set(group!, Number(number));
  }
}
