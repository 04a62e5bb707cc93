// StartMessageMoveTask, ListMessageMoveTasks, CancelMessageMoveTask: dead letters go back, a second's worth at a time, on the clock.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
import { type Access, type Context, defineOperations, newRequestId, type Tx, type Work } from "../../kernel/mod.ts";
import { type QueueRef, queueArn, queueOfArn } from "./access.ts";
import { sourcesOf } from "./dead-letters.ts";
import { errors } from "./errors.ts";
import { moveBack, NO_QUEUE } from "./move-messages.ts";
import { countMessages, findQueue, type Queue } from "./queue-row.ts";
import { waitingOf } from "./waiting.ts";

export const moveTasks = defineOperations("sqs", {
  StartMessageMoveTask: {
    async access(ctx, { SourceArn, DestinationArn }) {
      const source = refOf("SourceArn", SourceArn);
      const destinations =
        DestinationArn === undefined
          ? await ctx.read(async (tx) => {
              const queue = await findQueue(tx, source);
              return queue ? await sourcesOf(tx, queue) : [];
            })
          : [refOf("DestinationArn", DestinationArn)];
      const sends = destinations.map((to) => ({ action: "sqs:SendMessage", resource: queueArn(to) }));
      return [...onTasks(source, "StartMessageMoveTask"), ...sends];
    },
    async handle(ctx, { SourceArn, DestinationArn, MaxNumberOfMessagesPerSecond: rate }) {
      if (rate !== undefined && !(rate >= 1 && rate <= MOST_A_SECOND))
        throw errors.parameter(
          "MaxNumberOfMessagesPerSecond",
          rate,
          `Must be between 1 and ${MOST_A_SECOND}, if provided.`,
        );
      const id = newRequestId();
      await ctx.write(async (tx) => {
        const source = await existing(tx, "SourceArn", SourceArn);
        if ((await sourcesOf(tx, source)).length === 0) throw errors.noDeadLetterQueue();
        if (DestinationArn !== undefined) {
          const target = await existing(tx, "DestinationArn", DestinationArn);
          if (target.fifo !== source.fifo) throw errors.parameter("DestinationArn", DestinationArn, OTHER_TYPE);
          if (target.number === source.number) throw errors.parameter("DestinationArn", DestinationArn, SAME);
        }
        const running = await tx.one(
          "SELECT id FROM sqs_move_task WHERE source_arn = :arn AND status IN ('RUNNING', 'CANCELLING')",
          { arn: queueArn(source) },
        );
        if (running) throw errors.taskRunning();
        const { visible } = await countMessages(tx, source, ctx.now);
        await tx.run(
          `INSERT INTO sqs_move_task (id, source_arn, destination_arn, rate, status, to_move, moved, step, failure, started_ms)
           VALUES (:id, :source_arn, :destination_arn, :rate, 'RUNNING', :to_move, 0, 0, NULL, :now)`,
          {
            id,
            source_arn: queueArn(source),
            destination_arn: DestinationArn ?? null,
            rate: rate ?? null,
            to_move: visible,
            now: ctx.now,
          },
        );
        await ctx.put(tx, { to: queueArn(source), payload: { kind: "move", task: id, step: 0 } });
      });
      ctx.log.info(`moving messages of ${SourceArn}`, { subject: SourceArn });
      return { TaskHandle: handleOf(id, SourceArn!) };
    },
  },

  ListMessageMoveTasks: {
    access: (_ctx, { SourceArn }) => onTasks(refOf("SourceArn", SourceArn), "ListMessageMoveTasks"),
    async handle(ctx, { SourceArn, MaxResults: most = 1 }) {
      if (!(most >= 1 && most <= MOST_LISTED))
        throw errors.parameter("MaxResults", most, `MaxResults must be an integer between 1 and ${MOST_LISTED}.`);
      const tasks = await ctx.read(async (tx) => {
        const source = await existing(tx, "SourceArn", SourceArn);
        return tx.all<Task>(
          `SELECT * FROM sqs_move_task WHERE source_arn = :arn ORDER BY started_ms DESC, id LIMIT :most`,
          { arn: queueArn(source), most },
        );
      });
      return { Results: tasks.map(toResult) };
    },
  },

  CancelMessageMoveTask: {
    access: (_ctx, { TaskHandle }) =>
      onTasks(refOf("SourceArn", parseHandle(TaskHandle).sourceArn), "CancelMessageMoveTask"),
    async handle(ctx, { TaskHandle }) {
      const { taskId, sourceArn } = parseHandle(TaskHandle);
      return ctx.write(async (tx) => {
        await existing(tx, "SourceArn", sourceArn);
        const task = await findTask(tx, taskId);
        if (!task || task.source_arn !== sourceArn) throw errors.noTask();
        if (task.status !== "RUNNING") throw errors.taskOver();
        await save(tx, { ...task, status: "CANCELLING" });
        return { ApproximateNumberOfMessagesMoved: task.moved };
      });
    },
  },
});

const MOST_A_SECOND = 500;
const MOST_LISTED = 10;
const STEP_MS = 1_000;
const OTHER_TYPE = "The destination queue must be of the same type as the source queue.";
const SAME = "The destination queue must not be the source queue.";

interface Task {
  readonly id: string;
  readonly source_arn: string;
  /** null: each message goes back to the queue it came from. */
  readonly destination_arn: string | null;
  readonly rate: number | null;
  readonly status: "RUNNING" | "CANCELLING" | "CANCELLED" | "COMPLETED" | "FAILED";
  readonly to_move: number;
  readonly moved: number;
  /** The next: a step that was delivered twice is done once. */
  readonly step: number;
  readonly failure: string | null;
  readonly started_ms: number;
}

/** What the move is part of: the payload of its due work. */
export interface Step {
  readonly kind: "move";
  readonly task: string;
  readonly step: number;
}

/** A second's worth of messages, and the next step is due in a second. */
export async function step(ctx: Context, work: Work): Promise<void> {
  const { task: id, step: at } = work.payload as Step;
  const woken = await ctx.write(async (tx) => {
    const task = await findTask(tx, id);
    if (!task || task.step !== at) return NONE;
    if (task.status === "CANCELLING") return end(tx, { ...task, status: "CANCELLED" });
    const source = await findQueue(tx, queueOfArn(task.source_arn)!);
    if (!source) return end(tx, { ...task, status: "FAILED", failure: NO_QUEUE });
    const { destination_arn: destination, rate } = task;
    const most = Math.min(rate ?? MOST_A_SECOND, task.to_move - task.moved);
    const { moved, targets, failure } = await moveBack(tx, source, { destination, most, now: ctx.now });
    const after: Task = { ...task, moved: task.moved + moved, step: at + 1 };
    if (failure !== undefined) await save(tx, { ...after, status: "FAILED", failure });
    else if (moved === 0 || after.moved >= task.to_move) await save(tx, { ...after, status: "COMPLETED" });
    else {
      await save(tx, after);
      await ctx.put(tx, { to: work.to, payload: { ...(work.payload as Step), step: at + 1 }, due: ctx.now + STEP_MS });
    }
    return targets;
  });
  for (const number of woken) waitingOf(ctx).wake(number);
}

/** A step failed again and again: the task says so, and another may be started. */
export async function failTask(tx: Tx, { task: id }: Step): Promise<void> {
  const task = await findTask(tx, id);
  if (task?.status === "RUNNING" || task?.status === "CANCELLING")
    await save(tx, { ...task, status: "FAILED", failure: "InternalError" });
}

const NONE: ReadonlySet<number> = new Set();

async function end(tx: Tx, task: Task): Promise<ReadonlySet<number>> {
  await save(tx, task);
  return NONE;
}

async function save(tx: Tx, { id, status, moved, step, failure }: Task): Promise<void> {
  await tx.run(
    "UPDATE sqs_move_task SET status = :status, moved = :moved, step = :step, failure = :failure WHERE id = :id",
    { id, status, moved, step, failure },
  );
}

const findTask = (tx: Tx, id: string): Promise<Task | undefined> =>
  tx.one<Task>("SELECT * FROM sqs_move_task WHERE id = :id", { id });

/** Who moves must be allowed to receive and delete there too. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html */
const onTasks = (source: QueueRef, action: string): Access[] =>
  [action, "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"].map((name) => ({
    action: `sqs:${name}`,
    resource: queueArn(source),
  }));

function refOf(parameter: string, arn: string | undefined): QueueRef {
  const ref = queueOfArn(arn ?? "");
  if (!ref?.account || !ref.region || !ref.name) throw errors.taskArn(parameter);
  return ref;
}

async function existing(tx: Tx, parameter: string, arn: string | undefined): Promise<Queue> {
  const queue = await findQueue(tx, refOf(parameter, arn));
  if (!queue) throw errors.noResource(parameter);
  return queue;
}

/** As AWS's: base64 of JSON (recorded: a handle of another task or queue is told apart). */
const handleOf = (taskId: string, sourceArn: string): string =>
  Buffer.from(JSON.stringify({ taskId, sourceArn })).toString("base64");

function parseHandle(handle: string | undefined): { taskId: string; sourceArn: string } {
  try {
    const { taskId, sourceArn } = JSON.parse(Buffer.from(handle ?? "", "base64").toString()) as Record<string, unknown>;
    if (typeof taskId === "string" && typeof sourceArn === "string") return { taskId, sourceArn };
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
  }
  throw errors.taskHandle();
}

const toResult = (task: Task) => ({
  // Only what runs has a handle (recorded): it is there to cancel with.
  ...(task.status === "RUNNING" && { TaskHandle: handleOf(task.id, task.source_arn) }),
  Status: task.status,
  SourceArn: task.source_arn,
  ...(task.destination_arn !== null && { DestinationArn: task.destination_arn }),
  ...(task.rate !== null && { MaxNumberOfMessagesPerSecond: task.rate }),
  ApproximateNumberOfMessagesMoved: task.moved,
  ApproximateNumberOfMessagesToMove: task.to_move,
  ...(task.failure !== null && { FailureReason: task.failure }),
  StartedTimestamp: task.started_ms,
});
