// Logs Insights: StartQuery runs a query at once, GetQueryResults reads what it found; and the queries that are kept by name.
import { type Context, defineOperations, type Input, newRequestId, type Output } from "../../kernel/mod.ts";
import { onAll, onEverything, onGroup } from "./access.ts";
import { errors } from "./errors.ts";
import { eventsOfGroup } from "./events.ts";
import { fieldsOf, type Row } from "./insights/fields.ts";
import { textOf } from "./insights/functions.ts";
import { type Command, NotDone, PatternFault, parseQuery } from "./insights/parse.ts";
import { finish, leading, pass } from "./insights/run.ts";
import { cut, readCursor } from "./pages.ts";
import { type GroupRef, type GroupRow, groupNamed, openGroup } from "./rows.ts";

interface QueryRow {
  readonly id: string;
  /** JSON: names. */
  readonly groups: string;
  readonly query: string;
  readonly status: "Complete" | "Failed";
  /** JSON: a list of `[name, value]` for each result. */
  readonly results: string;
  /** JSON. */
  readonly statistics: string;
  readonly principal: string;
  readonly created_ms: number;
  readonly took_ms: number;
}

/** "Query results are available for 7 days". */
const KEPT_MS = 7 * 86_400_000;
/** What one query may hold in memory. */
const MOST_ROWS = 500_000;
const MOST_GROUPS = 50;
const PAGE = 1000;

export const queries = defineOperations("logs", {
  StartQuery: {
    access: (ctx, input) => groupsOf(ctx, input).map((ref) => onGroup(ref, "StartQuery")),
    async handle(ctx, input) {
      if (input.queryLanguage !== undefined && input.queryLanguage !== "CWLI")
        throw errors.notImplemented(`The query language ${input.queryLanguage}`);
      const { queryString = "", startTime = 0, endTime = 0 } = input;
      const commands = parsed(queryString);
      if (startTime > endTime) throw errors.parameter("End time should not be before start time.");
      const refs = groupsOf(ctx, input);
      const groups = await Promise.all(refs.map((ref) => openGroup(ctx.singly, ref)));
      const range = { from: milliseconds(startTime), to: milliseconds(endTime) + 1000 };
      const id = newRequestId();
      const { account, region } = ctx;
      const ran = await run(ctx, { groups, commands, range, limit: input.limit });
      const principal = "arn" in ctx.principal ? ctx.principal.arn : "";
      await ctx.write(async (tx) => {
        const before = ctx.now - KEPT_MS;
        await tx.run("DELETE FROM logs_query WHERE account = :account AND region = :region AND created_ms < :before", {
          account,
          region,
          before,
        });
        await tx.run(
          `INSERT INTO logs_query (account, region, id, groups, query, status, results, statistics, principal, created_ms, took_ms)
           VALUES (:account, :region, :id, :groups, :query, :status, :results, :statistics, :principal, :created_ms, :took_ms)`,
          {
            account,
            region,
            id,
            groups: JSON.stringify(groups.map(({ name }) => name)),
            query: queryString,
            status: ran.status,
            results: JSON.stringify(ran.results),
            statistics: JSON.stringify(ran.statistics),
            principal,
            created_ms: ctx.now,
            took_ms: 0,
          },
        );
      });
      return { queryId: id };
    },
  },

  GetQueryResults: {
    access: () => onEverything("GetQueryResults"),
    async handle(ctx, input) {
      const { status, results, statistics } = await openQuery(ctx, input.queryId!);
      const [after] = readCursor(input.nextToken);
      const all = JSON.parse(results) as [string, string][][];
      const start = after === "" ? 0 : Number(after);
      const items = all.slice(start, start + (input.maxItems ?? all.length));
      const end = start + items.length;
      return {
        queryLanguage: "CWLI" as const,
        results: items.map((row) => row.map(([field, value]) => ({ field, value }))),
        statistics: JSON.parse(statistics) as Statistics,
        status,
        ...(end < all.length && { nextToken: Buffer.from(JSON.stringify([String(end)])).toString("base64url") }),
      };
    },
  },

  StopQuery: {
    access: () => onEverything("StopQuery"),
    async handle(ctx, input) {
      await openQuery(ctx, input.queryId!);
      // A query is over when its id is known.
      throw errors.parameter("The specified query is not running: it has ended already.");
    },
  },

  DescribeQueries: {
    access: () => onEverything("DescribeQueries"),
    async handle(ctx, input) {
      const { account, region } = ctx;
      const rows = await ctx.singly.all<QueryRow>(
        "SELECT * FROM logs_query WHERE account = :account AND region = :region ORDER BY created_ms DESC, id",
        { account, region },
      );
      const wanted = rows.filter(
        ({ groups, status }) =>
          (input.logGroupName === undefined || (JSON.parse(groups) as string[]).includes(input.logGroupName)) &&
          (input.status === undefined || status === input.status) &&
          (input.queryLanguage === undefined || input.queryLanguage === "CWLI"),
      );
      const [after] = readCursor(input.nextToken);
      const rest = after === "" ? wanted : wanted.slice(wanted.findIndex(({ id }) => id === after) + 1);
      const { items, nextToken } = cut(rest, input.maxResults ?? PAGE, ({ id }) => [id]);
      return { queries: items.map(described), ...(nextToken !== undefined && { nextToken }) };
    },
  },

  GetLogRecord: {
    access: (ctx) => onAll(ctx, "GetLogRecord"),
    async handle(ctx, input) {
      const [group, stream, id] = readPointer(input.logRecordPointer);
      const row = await openGroup(ctx.singly, groupNamed(ctx, { logGroupName: group }));
      const from = Number(id.slice(1, 20));
      for await (const event of eventsOfGroup(ctx, { group: row, names: [stream], from, to: from + 1 })) {
        if (event.id !== id) continue;
        const fields = fieldsOf(event, { log: logOf(row), pointer: input.logRecordPointer! });
        return { logRecord: Object.fromEntries([...fields].map(([name, value]) => [name, textOf(value)])) };
      }
      throw errors.parameter("The specified log record pointer is invalid.");
    },
  },

  GetLogGroupFields: {
    access: (ctx, input) => onGroup(groupNamed(ctx, input), "GetLogGroupFields"),
    async handle(ctx, input) {
      const group = await openGroup(ctx.singly, groupNamed(ctx, input));
      // "the 8 minutes before and after this time"; without it, the last 15.
      const around = input.time === undefined ? undefined : milliseconds(input.time);
      const range =
        around === undefined
          ? { from: ctx.now - 900_000, to: ctx.now + 1 }
          : { from: around - 480_000, to: around + 480_000 };
      const counts = new Map<string, number>();
      let events = 0;
      for await (const event of eventsOfGroup(ctx, { group, ...range })) {
        if (++events > SAMPLE) break;
        for (const name of fieldsOf(event, { log: logOf(group), pointer: "" }).keys())
          if (name !== "@ptr") counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      const seen = Math.min(events, SAMPLE);
      const logGroupFields = [...counts].map(([name, count]) => ({ name, percent: Math.round((100 * count) / seen) }));
      return { logGroupFields: logGroupFields.sort((a, b) => b.percent - a.percent || (a.name < b.name ? -1 : 1)) };
    },
  },
});

const SAMPLE = 10_000;

function groupsOf(
  ctx: Context,
  { logGroupName, logGroupNames, logGroupIdentifiers }: Input<"logs", "StartQuery">,
): GroupRef[] {
  const given = [logGroupName && [logGroupName], logGroupNames, logGroupIdentifiers].filter((one) => one?.length);
  if (given.length !== 1)
    throw errors.parameter("Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be specified.");
  const names = given[0] as string[];
  if (names.length > MOST_GROUPS) throw errors.parameter(`A query takes at most ${MOST_GROUPS} log groups.`);
  return names.map((logGroupIdentifier) => groupNamed(ctx, { logGroupIdentifier }));
}

/** Seconds, as the API says; who gives milliseconds means them. */
const milliseconds = (time: number): number => (time > 1e11 ? time : time * 1000);

function parsed(text: string): Command[] {
  try {
    return parseQuery(text);
  } catch (error) {
    if (error instanceof NotDone) throw errors.notImplemented(`The query command ${error.message}`);
    if (!(error instanceof PatternFault)) throw error;
    const at = Number(/ at position (\d+)$/.exec(error.message)?.[1] ?? 0);
    throw errors.malformedQuery(error.message, at, at + 1);
  }
}

type Statistics = NonNullable<Output<"logs", "GetQueryResults">["statistics"]>;

const logOf = ({ account, name }: GroupRef): string => `${account}:${name}`;

interface Running {
  readonly groups: readonly GroupRow[];
  readonly commands: readonly Command[];
  readonly range: { readonly from: number; readonly to: number };
  readonly limit: number | undefined;
}

async function run(ctx: Context, { groups, commands, range, limit }: Running) {
  const first = commands.slice(0, leading(commands));
  const now = ctx.now;
  const rows: Row[] = [];
  let [records, bytes] = [0, 0];
  for (const group of groups)
    for await (const event of eventsOfGroup(ctx, { group, ...range })) {
      records++;
      bytes += Buffer.byteLength(event.message);
      const pointer = Buffer.from(JSON.stringify([group.name, event.stream, event.id])).toString("base64url");
      const row = fieldsOf(event, { log: logOf(group), pointer });
      if (!pass(first, row, now)) continue;
      rows.push(row);
      if (rows.length > MOST_ROWS)
        return { status: "Failed", results: [], statistics: statisticsOf(0, records, bytes, groups) };
    }
  // The latest first, where nothing else is said.
  const time = (row: Row) => (row.get("@timestamp") as Date).getTime();
  rows.reverse().sort((a, b) => time(b) - time(a));
  const { results, matched } = finish(commands, rows, { now, limit });
  return { status: "Complete", results, statistics: statisticsOf(matched, records, bytes, groups) };
}

const statisticsOf = (
  recordsMatched: number,
  recordsScanned: number,
  bytesScanned: number,
  { length }: readonly GroupRow[],
): Statistics => ({
  recordsMatched,
  recordsScanned,
  estimatedRecordsSkipped: 0,
  bytesScanned,
  estimatedBytesSkipped: 0,
  logGroupsScanned: length,
});

async function openQuery({ account, region, singly }: Context, id: string): Promise<QueryRow> {
  const row = await singly.one<QueryRow>(
    "SELECT * FROM logs_query WHERE account = :account AND region = :region AND id = :id",
    { account, region, id },
  );
  if (!row) throw errors.noQuery();
  return row;
}

type Described = NonNullable<Output<"logs", "DescribeQueries">["queries"]>[number];

const described = ({ id, groups, query, status, statistics, principal, created_ms, took_ms }: QueryRow): Described => ({
  queryLanguage: "CWLI",
  queryId: id,
  queryString: query,
  status,
  createTime: created_ms,
  logGroupName: (JSON.parse(groups) as string[]).join(","),
  queryDuration: took_ms,
  bytesScanned: (JSON.parse(statistics) as Statistics).bytesScanned,
  userIdentity: principal,
});

function readPointer(pointer = ""): [group: string, stream: string, id: string] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(pointer, "base64url").toString());
    if (Array.isArray(parts) && parts.length === 3 && /^\d{56}$/.test(String(parts[2])))
      return parts.map(String) as [string, string, string];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw errors.parameter("The specified log record pointer is invalid.");
}
