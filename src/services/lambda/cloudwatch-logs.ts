// A function's lines on their way to CloudWatch Logs: gathered for a moment, then put in its role's name, as AWS does. A role that may not
// costs the function its log group there, not its life; the text file has the lines all the same.
import { AwsError, type Context, type Principal } from "../../kernel/mod.ts";

/** Where an execution environment's lines go. */
export interface Destination {
  readonly functionArn: string;
  readonly account: string;
  readonly region: string;
  readonly group: string;
  readonly stream: string;
  /** The function's role. */
  readonly as: Principal;
}

/** What it returns, if anything, resolves when there is room again. */
export type Ship = (now: number, text: string) => Promise<void> | undefined;

interface LogEvent {
  readonly timestamp: number;
  readonly message: string;
}

interface Stream {
  readonly to: Destination;
  waiting: LogEvent[];
  bytes: number;
  sent: Promise<void> | undefined;
  deniedUntil: number;
}

/** Lines of so long go together, in real time. */
const GATHERED_MS = 40;
/** PutLogEvents takes 1 MB and 10,000 events. */
const MOST_BYTES = 900_000;
const MOST_EVENTS = 10_000;
/** A function that floods waits. */
const HIGH_WATER_BYTES = 4 * 1024 * 1024;
/** How long a role that may not is not asked again; on the clock. */
const DENIED_MS = 10_000;

export class CloudWatchLogs {
  readonly #ctx: Context;
  readonly #busy = new Set<Stream>();
  readonly #told = new Set<string>();
  /** Ends the gathering. */
  readonly #hurry = new Map<Stream, () => void>();

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  open(to: Destination): Ship {
    const stream: Stream = { to, waiting: [], bytes: 0, sent: undefined, deniedUntil: 0 };
    let last = 0;
    return (now, text) => {
      // What Logs takes is in the order of time; a clock may have been set back.
      last = Math.max(now, last);
      // The line feed belongs to the event, as on AWS.
      const message = `${text}\n`;
      stream.waiting.push({ timestamp: last, message });
      stream.bytes += message.length;
      stream.sent ??= this.#send(stream, GATHERED_MS);
      return stream.bytes > HIGH_WATER_BYTES ? stream.sent : undefined;
    };
  }

  /** Resolves when all that was given so far was put, or refused. */
  async flushed(): Promise<void> {
    await Promise.all([...this.#busy].map((stream) => this.#sendNow(stream)));
  }

  async #send(stream: Stream, afterMs: number): Promise<void> {
    this.#busy.add(stream);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, afterMs);
      this.#hurry.set(stream, () => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.#hurry.delete(stream);
    while (stream.waiting.length > 0) await this.#put(stream, take(stream));
    stream.sent = undefined;
    this.#busy.delete(stream);
  }

  async #sendNow(stream: Stream): Promise<void> {
    this.#hurry.get(stream)?.();
    await stream.sent;
  }

  async #put(stream: Stream, logEvents: readonly LogEvent[]): Promise<void> {
    const { to } = stream;
    const ctx = this.#ctx.fork({ principal: to.as, account: to.account, region: to.region });
    if (ctx.now < stream.deniedUntil) return;
    const logGroupName = to.group;
    const logStreamName = to.stream;
    const put = () => ctx.call("logs", "PutLogEvents", { logGroupName, logStreamName, logEvents: [...logEvents] });
    try {
      await put().catch(async (error: unknown) => {
        if (codeOf(error) !== "ResourceNotFoundException") throw error;
        await make(ctx, "CreateLogGroup", { logGroupName });
        await make(ctx, "CreateLogStream", { logGroupName, logStreamName });
        await put();
      });
    } catch (error) {
      stream.deniedUntil = ctx.now + DENIED_MS;
      this.#tell(to, error);
    }
  }

  #tell({ functionArn, group }: Destination, error: unknown): void {
    const text = `its lines are not in the log group ${group}, but in its file: ${(error as Error).message}`;
    const said = `${functionArn} ${text}`;
    if (this.#told.has(said)) return;
    this.#told.add(said);
    this.#ctx.log.warn(text, { subject: functionArn });
  }
}

const codeOf = (error: unknown): string | undefined => (error instanceof AwsError ? error.code : undefined);

/** Another environment of the function may have been first. */
async function make(
  ctx: Context,
  operation: "CreateLogGroup" | "CreateLogStream",
  input: { logGroupName: string; logStreamName?: string },
): Promise<void> {
  try {
    await ctx.call("logs", operation, input as { logGroupName: string; logStreamName: string });
  } catch (error) {
    if (codeOf(error) !== "ResourceAlreadyExistsException") throw error;
  }
}

function take(stream: Stream): LogEvent[] {
  let bytes = 0;
  let count = 0;
  for (const { message } of stream.waiting) {
    bytes += Buffer.byteLength(message) + 26;
    if (count > 0 && (bytes > MOST_BYTES || count === MOST_EVENTS)) break;
    count++;
  }
  const taken = stream.waiting.splice(0, count);
  stream.bytes -= taken.reduce((all, { message }) => all + message.length, 0);
  return taken;
}
