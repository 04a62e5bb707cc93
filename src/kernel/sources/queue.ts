// Polls a queue: what matches is brought in batches, and deleted where that succeeded. What failed shows again when its visibility ends.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html, .../services-sqs-scaling.html
import type { Context, Principal } from "../context.ts";
import { parseArn } from "../names.ts";
import { asFiltered, type Message, messageRecord } from "./records.ts";
import { Rests, waitAfter } from "./rest.ts";
import type { Consumer, Poller, QueueSource, SourceRecord } from "./source.ts";

/** Of one ReceiveMessage, and of one DeleteMessageBatch. */
const MOST_MESSAGES = 10;
/** "Lambda starts processing five batches at a time", and one more each time that all are at work. */
const FIRST_HANDS = 5;
/** A batch is no larger than what a function can be invoked with. Bytes. */
const MOST_BYTES = 6 * 1024 * 1024;

export function pollQueue(ctx: Context, source: QueueSource, consumer: Consumer): Poller {
  const poller = new QueuePoller(ctx, source, consumer);
  const running = poller.run();
  return {
    settled: () => poller.settled(),
    nextDue: () => poller.nextDue(),
    async [Symbol.asyncDispose]() {
      poller.stop();
      await running;
    },
  };
}

class QueuePoller {
  readonly #ctx: Context;
  readonly #source: QueueSource;
  readonly #consumer: Consumer;
  readonly #url: string;
  readonly #rests: Rests;
  readonly #batches = new Set<Promise<void>>();
  #hands: number;
  #as: Principal | undefined;
  #failures = 0;

  constructor(ctx: Context, source: QueueSource, consumer: Consumer) {
    const { account, resource } = parseArn(source.arn)!;
    this.#ctx = ctx;
    this.#source = source;
    this.#consumer = consumer;
    this.#url = `${ctx.endpoint}/${account}/${resource}`;
    this.#rests = new Rests(ctx);
    this.#hands = Math.min(FIRST_HANDS, source.maximumConcurrency);
  }

  stop(): void {
    this.#rests.stop();
  }

  nextDue(): number | undefined {
    return this.#rests.nextDue();
  }

  settled(): Promise<void> {
    return this.#rests.idle(() => this.#ctx.clock.now());
  }

  run(): Promise<void> {
    return this.#rests.busy(async () => {
      while (!this.#rests.stopped) {
        await this.#handFree();
        const batch = await this.#gathered();
        for (const part of parted(batch)) {
          await this.#handFree();
          this.#start(part);
        }
        if (batch.length > 0) continue;
        if (this.#batches.size === 0) this.#hands = Math.min(FIRST_HANDS, this.#source.maximumConcurrency);
      }
      await Promise.all(this.#batches);
    });
  }

  /** Where all hands are at work there is one more from now on; at the limit one is waited for. */
  async #handFree(): Promise<void> {
    if (this.#batches.size < this.#hands) return;
    if (this.#hands < this.#source.maximumConcurrency) this.#hands++;
    else await Promise.race(this.#batches);
  }

  /** A store that is away for a moment must not end the polling. */
  async #gathered(): Promise<Message[]> {
    try {
      return await this.#gather();
    } catch (error) {
      this.#failures++;
      this.#consumer.trouble?.(this.#ctx, error);
      await this.#rests.rest(this.#ctx, { until: this.#retryAt() });
      return [];
    }
  }

  /** A batch that is full, or whose window is over. Empty: there was nothing, and it was waited for. */
  async #gather(): Promise<Message[]> {
    const batch: Message[] = [];
    let bytes = 0;
    let until: number | undefined;
    while (!this.#rests.stopped) {
      using watch = await this.#ctx.watch(this.#source.arn);
      const got = await this.#receive(Math.min(MOST_MESSAGES, this.#source.batchSize - batch.length));
      const wanted = got ? await this.#wanted(got) : [];
      batch.push(...wanted);
      bytes += wanted.reduce((sum, message) => sum + sizeOf(message), 0);
      if (batch.length > 0) until ??= this.#ctx.clock.now() + this.#source.windowMs;
      const over = until !== undefined && this.#ctx.clock.now() >= until;
      if (over || batch.length >= this.#source.batchSize || bytes >= MOST_BYTES) return batch;
      if (got && got.length > 0) continue;
      const shown = got ? await watch.nextDue() : this.#retryAt();
      const next = Math.min(shown ?? Number.POSITIVE_INFINITY, until ?? Number.POSITIVE_INFINITY);
      const when = Number.isFinite(next) ? { until: next } : {};
      // A source that cannot be asked is not asked again because of a message.
      await this.#rests.rest(this.#ctx, got ? { ...when, changed: watch.changed } : when);
      if (batch.length === 0) return batch;
    }
    return batch;
  }

  /** Whoever was refused may have another role by now. */
  async #session(): Promise<Principal> {
    this.#as ??= await this.#source.as();
    return this.#as;
  }

  #retryAt(): number {
    return this.#ctx.clock.now() + waitAfter(this.#failures);
  }

  /** undefined: the queue could not be asked. */
  async #receive(count: number): Promise<Message[] | undefined> {
    const input = {
      QueueUrl: this.#url,
      MaxNumberOfMessages: count,
      WaitTimeSeconds: 0,
      MessageAttributeNames: ["All"],
      MessageSystemAttributeNames: ["All" as const],
    };
    try {
      const { Messages = [] } = await this.#ctx.call("sqs", "ReceiveMessage", input, await this.#session());
      if (this.#failures > 0) this.#consumer.trouble?.(this.#ctx, undefined);
      this.#failures = 0;
      return Messages;
    } catch (error) {
      this.#failures++;
      this.#as = undefined;
      this.#consumer.trouble?.(this.#ctx, error);
      return undefined;
    }
  }

  /** What no filter lets through is deleted: it is nobody's. */
  async #wanted(messages: readonly Message[]): Promise<Message[]> {
    const { filters, arn } = this.#source;
    if (filters.length === 0 || messages.length === 0) return [...messages];
    const passes = (message: Message) => {
      const event = asFiltered(messageRecord(message, arn));
      return filters.some((filter) => filter.matches(event));
    };
    const [wanted, rest] = [messages.filter(passes), messages.filter((message) => !passes(message))];
    await this.#delete(rest);
    return wanted;
  }

  #start(batch: readonly Message[]): void {
    const done = this.#process(batch).finally(() => this.#batches.delete(done));
    this.#batches.add(done);
  }

  #process(batch: readonly Message[]): Promise<void> {
    return this.#rests.busy(async () => {
      const ctx = this.#forked();
      const records: SourceRecord[] = batch.map((message) => messageRecord(message, this.#source.arn));
      const attempt = Math.max(...batch.map(({ Attributes }) => Number(Attributes?.ApproximateReceiveCount ?? 1)));
      let failed: ReadonlySet<string>;
      try {
        failed = new Set((await this.#consumer.consume(ctx, records, attempt)).failed);
      } catch (error) {
        // They show again when their visibility ends: nothing is to be done.
        ctx.log.warn(`a batch of ${batch.length} from ${this.#source.arn} failed: ${(error as Error).message}`);
        return;
      }
      await this.#delete(batch.filter(({ MessageId }) => !failed.has(MessageId!)));
    });
  }

  /** Each batch begins a chain of its own. */
  #forked(): Context {
    const { account, region } = this.#ctx;
    return this.#ctx.fork({ principal: this.#ctx.principal, account, region });
  }

  async #delete(messages: readonly Message[]): Promise<void> {
    for (let at = 0; at < messages.length; at += MOST_MESSAGES) {
      const Entries = messages
        .slice(at, at + MOST_MESSAGES)
        .map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle }));
      try {
        await this.#ctx.call("sqs", "DeleteMessageBatch", { QueueUrl: this.#url, Entries }, await this.#session());
      } catch (error) {
        this.#as = undefined;
        this.#consumer.trouble?.(this.#ctx, error); // they come again: at least once
        return;
      }
    }
  }
}

/** As it will be written, about: a body within a body. */
const sizeOf = (message: Message): number => Buffer.byteLength(JSON.stringify(message));

/** The last ten messages that came may be more than a batch can hold. */
function parted(batch: readonly Message[]): Message[][] {
  const parts: Message[][] = [];
  let left = 0;
  for (const message of batch) {
    const bytes = sizeOf(message);
    if (bytes > left) {
      parts.push([]);
      left = MOST_BYTES;
    }
    parts.at(-1)!.push(message);
    left -= bytes;
  }
  return parts;
}
