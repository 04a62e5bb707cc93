// Log streams: one source's events, in the order of their time.
import { defineOperations, newHex, type Output, type Singly } from "../../kernel/mod.ts";
import { onNamed, onStream } from "./access.ts";
import { errors } from "./errors.ts";
import { removeText, streamFile } from "./files.ts";
import { beyond, cut, readCursor } from "./pages.ts";
import {
  catalogChanged,
  findStream,
  type GroupRow,
  groupNamed,
  openGroup,
  openStream,
  refOf,
  type StreamRow,
  streamArn,
} from "./rows.ts";

const PAGE = 50;

export const streams = defineOperations("logs", {
  CreateLogStream: {
    access: (ctx, input) => onStream(refOf(ctx, input.logGroupName), "CreateLogStream", input.logStreamName),
    async handle(ctx, input) {
      const name = input.logStreamName!;
      await ctx.write(async (tx) => {
        const group = await openGroup(tx, refOf(ctx, input.logGroupName));
        if (await findStream(tx, group.id, name)) throw errors.streamExists();
        await tx.run(
          `INSERT INTO logs_stream (group_id, name, id, file, created_ms, stored_bytes, next_seq)
           VALUES (:group_id, :name, :id, :file, :created_ms, 0, 0)`,
          { group_id: group.id, name, id: newHex(32), file: await freeFile(tx, group.id, name), created_ms: ctx.now },
        );
        catalogChanged(tx);
      });
      return {};
    },
  },

  DeleteLogStream: {
    access: (ctx, input) => onStream(refOf(ctx, input.logGroupName), "DeleteLogStream", input.logStreamName),
    async handle(ctx, input) {
      const group = await openGroup(ctx.singly, refOf(ctx, input.logGroupName));
      const { id, file } = await openStream(ctx.singly, group.id, input.logStreamName);
      await removeText(ctx.config, { dir: group.dir, file });
      await ctx.write(async (tx) => {
        await tx.run("DELETE FROM logs_batch WHERE stream_id = :id", { id });
        await tx.run("DELETE FROM logs_stream WHERE id = :id", { id });
        catalogChanged(tx);
      });
      return {};
    },
  },

  DescribeLogStreams: {
    access: (ctx, input) => onNamed(ctx, "DescribeLogStreams", input),
    async handle(ctx, input) {
      const { limit = PAGE, logStreamNamePrefix: prefix = "", orderBy = "LogStreamName", descending = false } = input;
      if (orderBy === "LastEventTime" && input.logStreamNamePrefix !== undefined)
        throw errors.parameter("Cannot order by LastEventTime with a logStreamNamePrefix.");
      const group = await openGroup(ctx.singly, groupNamed(ctx, input));
      const order =
        `${orderBy === "LastEventTime" ? "time" : "name"} ${descending ? "down" : "up"}` as keyof typeof LISTS;
      const [after, at] = readCursor(input.nextToken, 2);
      const first = input.nextToken === undefined;
      const rows = await ctx.singly.all<StreamRow>(LISTS[order], {
        id: group.id,
        prefix,
        end: beyond(prefix),
        after: first && descending ? beyond("") : after!,
        most: limit + 1,
        ...(orderBy === "LastEventTime" && { at: first ? (descending ? Number.MAX_SAFE_INTEGER : -1) : Number(at) }),
      });
      const { items, nextToken } = cut(rows, limit, (row) => [row.name, String(row.last_event_ms ?? 0)]);
      return {
        logStreams: items.map((row) => described(group, row)),
        ...(nextToken !== undefined && { nextToken }),
      };
    },
  },
});

const NAMED = "SELECT * FROM logs_stream WHERE group_id = :id AND name >= :prefix AND name < :end";

/** A stream without events comes as if its last were at the beginning of time. */
const LISTS = {
  "name up": `${NAMED} AND name > :after ORDER BY name LIMIT :most`,
  "name down": `${NAMED} AND name < :after ORDER BY name DESC LIMIT :most`,
  "time up": `${NAMED} AND (COALESCE(last_event_ms, 0) > :at OR (COALESCE(last_event_ms, 0) = :at AND name > :after))
    ORDER BY COALESCE(last_event_ms, 0), name LIMIT :most`,
  "time down": `${NAMED} AND (COALESCE(last_event_ms, 0) < :at OR (COALESCE(last_event_ms, 0) = :at AND name < :after))
    ORDER BY COALESCE(last_event_ms, 0) DESC, name DESC LIMIT :most`,
} as const;

type Described = NonNullable<Output<"logs", "DescribeLogStreams">["logStreams"]>[number];

/** "storedBytes: as of June 17, 2019, this value is always zero" for a stream. */
const described = (group: GroupRow, row: StreamRow): Described => ({
  logStreamName: row.name,
  creationTime: row.created_ms,
  ...(row.first_event_ms !== null && { firstEventTimestamp: row.first_event_ms }),
  ...(row.last_event_ms !== null && { lastEventTimestamp: row.last_event_ms }),
  ...(row.last_ingestion_ms !== null && {
    lastIngestionTime: row.last_ingestion_ms,
    uploadSequenceToken: sequenceToken(row),
  }),
  arn: streamArn(group, row.name),
  storedBytes: 0,
});

/** Nobody reads it any more: "Sequence tokens are ignored". 56 digits, as AWS's. */
export const sequenceToken = ({ id, next_seq }: Pick<StreamRow, "id" | "next_seq">): string =>
  `49${BigInt(`0x${id.slice(0, 24)}`)}`.padEnd(44, "0").slice(0, 44) + String(next_seq).padStart(12, "0");

async function freeFile(tx: Singly, groupId: string, name: string): Promise<string> {
  for (let nth = 1; ; nth++) {
    const file = streamFile(name, nth);
    const taken = await tx.one("SELECT id FROM logs_stream WHERE group_id = :groupId AND file = :file", {
      groupId,
      file,
    });
    if (!taken) return file;
  }
}
