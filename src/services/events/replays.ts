// StartReplay, CancelReplay, DescribeReplay, ListReplays: an archive's events again, in steps that survive a restart.
import {
  type Access,
  type Arn,
  type Context,
  defineOperations,
  type Output,
  type Principal,
  parseArn,
  type Tx,
} from "../../kernel/mod.ts";
import { onAll } from "./access.ts";
import { archiveArn, archiveOfArn, findArchive } from "./archived.ts";
import { type BusRef, busArn, busOfArn } from "./bus-rows.ts";
import { errors } from "./errors.ts";
import { type Event, parseExact } from "./event.ts";
import { cursorOf, paged } from "./pages.ts";
import { type Arrival, type Listeners, listenersOf, put, type Routed, routed, tell } from "./routing.ts";

type State = "STARTING" | "RUNNING" | "CANCELLING" | "COMPLETED" | "CANCELLED" | "FAILED";

interface Replay {
  readonly account: string;
  readonly region: string;
  readonly name: string;
  readonly archive: string;
  readonly bus: string;
  /** JSON: ARNs of the rules that are asked; none: all. */
  readonly filter_arns: string;
  readonly description: string | null;
  readonly from_ms: number;
  readonly to_ms: number;
  readonly state: State;
  readonly state_reason: string | null;
  /** The last event that was replayed. */
  readonly last_time_ms: number | null;
  readonly last_event_id: string | null;
  readonly started_ms: number;
  readonly ended_ms: number | null;
}

interface ReplayRef {
  readonly account: string;
  readonly region: string;
  readonly name: string;
}

/** Events of one step, which is one transaction. */
const STEP = 100;
/** Quota: replays at a time. */
const MOST_RUNNING = 10;

const replayArn = ({ account, region, name }: ReplayRef): Arn => `arn:aws:events:${region}:${account}:replay/${name}`;

export function replayOfArn(arn: Arn): ReplayRef | undefined {
  const parts = parseArn(arn);
  const name = /^replay\/([^/]+)$/.exec(parts?.resource ?? "")?.[1];
  return parts?.service === "events" && name ? { account: parts.account, region: parts.region, name } : undefined;
}

const refOf = ({ account, region }: Context, name: string | undefined): ReplayRef => ({
  account,
  region,
  name: name ?? "",
});

const onReplay = (ctx: Context, action: string, name: string | undefined): Access => ({
  action: `events:${action}`,
  resource: replayArn(refOf(ctx, name)),
});

export const replays = defineOperations("events", {
  StartReplay: {
    access: (ctx, input) => onReplay(ctx, "StartReplay", input.ReplayName),
    async handle(ctx, input) {
      const ref = refOf(ctx, input.ReplayName);
      const archive = archiveOfArn(input.EventSourceArn ?? "");
      if (!archive) throw errors.parameter("EventSourceArn", "Must contain an archive ARN.");
      const bus = busOfArn(input.Destination?.Arn ?? "");
      if (!bus) throw errors.parameter("Destination.Arn", "Must contain an event bus ARN.");
      const from_ms = input.EventStartTime!.getTime();
      const to_ms = input.EventEndTime!.getTime();
      if (from_ms >= to_ms) throw errors.parameter("EventEndTime", "EventStartTime must be before EventEndTime.");
      await ctx.write(async (tx) => {
        const own = archive.account === ctx.account && archive.region === ctx.region;
        const found = own ? await findArchive(tx, archive) : undefined;
        if (!found) throw errors.noArchive(archive.name);
        if (found.bus !== bus.name || found.account !== bus.account || found.region !== bus.region)
          throw errors.parameter("Destination.Arn", "Cross event bus replay is not permitted.");
        if (await findReplay(tx, ref)) throw errors.replayExists(ref.name);
        if ((await countRunning(tx, ref)) >= MOST_RUNNING) throw errors.limit();
        await saveReplay(tx, {
          ...ref,
          archive: archive.name,
          bus: bus.name,
          filter_arns: JSON.stringify(input.Destination?.FilterArns ?? []),
          description: input.Description ?? null,
          from_ms,
          to_ms,
          state: "STARTING",
          state_reason: null,
          last_time_ms: null,
          last_event_id: null,
          started_ms: ctx.now,
          ended_ms: null,
        });
        await ctx.put(tx, { to: replayArn(ref), as: replaying(ref), payload: { kind: "replay" } });
      });
      return { ReplayArn: replayArn(ref), State: "STARTING" as const, ReplayStartTime: new Date(ctx.now) };
    },
  },

  CancelReplay: {
    access: (ctx, input) => onReplay(ctx, "CancelReplay", input.ReplayName),
    async handle(ctx, input) {
      const ref = refOf(ctx, input.ReplayName);
      await ctx.write(async (tx) => {
        const replay = await openReplay(tx, ref);
        if (replay.state !== "STARTING" && replay.state !== "RUNNING")
          throw errors.illegalStatus(`Replay ${ref.name} is not in a valid state for this operation.`);
        await saveReplay(tx, { ...replay, state: "CANCELLING" });
      });
      return { ReplayArn: replayArn(ref), State: "CANCELLING" as const };
    },
  },

  DescribeReplay: {
    access: (ctx, input) => onReplay(ctx, "DescribeReplay", input.ReplayName),
    async handle(ctx, input) {
      const replay = await ctx.read((tx) => openReplay(tx, refOf(ctx, input.ReplayName)));
      const filters = JSON.parse(replay.filter_arns) as Arn[];
      return {
        ...listed(replay),
        ReplayArn: replayArn(replay),
        ...(replay.description !== null && { Description: replay.description }),
        Destination: { Arn: busArn(busRef(replay)), ...(filters.length > 0 && { FilterArns: filters }) },
      };
    },
  },

  ListReplays: {
    access: (ctx) => onAll(ctx, "ListReplays", "replay"),
    async handle(ctx, input) {
      const { NamePrefix, EventSourceArn, State } = input;
      if ([NamePrefix, EventSourceArn, State].filter((given) => given !== undefined).length > 1)
        throw errors.validation(
          "At most one filter is allowed for ListReplays. Use either : State, EventSourceArn, or NamePrefix.",
        );
      const { account, region } = ctx;
      const { items, more } = await paged(input, (page) =>
        ctx.read((tx) => listReplays(tx, { account, region, prefix: NamePrefix ?? "", ...page })),
      );
      const wanted = items.filter(
        (one) =>
          (EventSourceArn === undefined || sourceArn(one) === EventSourceArn) &&
          (State === undefined || one.state === State),
      );
      return { Replays: wanted.map(listed), ...(more && { NextToken: cursorOf(items.at(-1)!.name) }) };
    },
  },
});

const busRef = ({ account, region, bus }: Replay): BusRef => ({ account, region, name: bus });
const sourceArn = ({ account, region, archive }: Replay): Arn => archiveArn({ account, region, name: archive });

const replaying = (ref: ReplayRef): Principal => ({
  kind: "service",
  name: "events.amazonaws.com",
  account: ref.account,
  sourceArn: replayArn(ref),
});

const listed = (replay: Replay): NonNullable<Output<"events", "ListReplays">["Replays"]>[number] => ({
  ReplayName: replay.name,
  EventSourceArn: sourceArn(replay),
  State: replay.state,
  ...(replay.state_reason !== null && { StateReason: replay.state_reason }),
  EventStartTime: new Date(replay.from_ms),
  EventEndTime: new Date(replay.to_ms),
  ...(replay.last_time_ms !== null && { EventLastReplayedTime: new Date(replay.last_time_ms) }),
  ReplayStartTime: new Date(replay.started_ms),
  ...(replay.ended_ms !== null && { ReplayEndTime: new Date(replay.ended_ms) }),
});

/** The next events of it, to the rules that its bus has now; and the work for those after them. Delivered twice, it goes on where it is. */
export async function replayStep(ctx: Context, ref: ReplayRef): Promise<void> {
  const replay = await ctx.read((tx) => findReplay(tx, ref));
  if (!replay) return;
  const listeners = await listenersOf(ctx, busRef(replay));
  const brought = await ctx.write(async (tx) => {
    const now = await findReplay(tx, ref);
    if (!now || now.ended_ms !== null) return [];
    const end = (state: State, state_reason: string | null = null) =>
      saveReplay(tx, { ...now, state, state_reason, ended_ms: ctx.now });
    if (now.state === "CANCELLING") await end("CANCELLED");
    else if (!listeners) await end("FAILED", `Event bus ${now.bus} does not exist.`);
    else return bringNext(ctx, tx, now, listeners);
    return [];
  });
  for (const one of brought) tell(ctx, busRef(replay), one);
  ctx.log.info(`replay ${ref.name}: ${brought.length} events`, { subject: replayArn(ref) });
}

/** It failed again and again: it says so, and a replay of another name may go on where it was. */
export async function failReplay(ctx: Context, tx: Tx, ref: ReplayRef, error: unknown): Promise<void> {
  const replay = await findReplay(tx, ref);
  if (!replay || replay.ended_ms !== null) return;
  const state_reason = error instanceof Error ? error.message.slice(0, 512) : "The replay could not go on.";
  await saveReplay(tx, { ...replay, state: "FAILED", state_reason, ended_ms: ctx.now });
}

async function bringNext(ctx: Context, tx: Tx, replay: Replay, listeners: Listeners): Promise<Routed[]> {
  const events = await nextEvents(tx, replay);
  const brought = events.map(({ event }) => routed(ctx, listeners, arrivalOf(ctx, replay, event)));
  for (const one of brought) await put(ctx, tx, one);
  const last = events.at(-1);
  const moved = { ...replay, ...(last && { last_time_ms: last.time_ms, last_event_id: last.event_id }) };
  if (events.length < STEP) await saveReplay(tx, { ...moved, state: "COMPLETED", ended_ms: ctx.now });
  else {
    await saveReplay(tx, { ...moved, state: "RUNNING" });
    await ctx.put(tx, { to: replayArn(replay), as: replaying(replay), payload: { kind: "replay" } });
  }
  return brought;
}

function arrivalOf(ctx: Context, { name, filter_arns }: Replay, text: string): Arrival {
  const rules = JSON.parse(filter_arns) as Arn[];
  const exact = parseExact(text) as Event | undefined;
  return {
    event: { ...(JSON.parse(text) as Event), "replay-name": name },
    ...(exact && { exact: { ...exact, "replay-name": name } }),
    receivedMs: ctx.now,
    forwarded: false,
    ...(rules.length > 0 && { rules }),
  };
}

const nextEvents = (tx: Tx, { account, region, archive, from_ms, to_ms, last_time_ms, last_event_id }: Replay) =>
  tx.all<{ time_ms: number; event_id: string; event: string }>(
    `SELECT time_ms, event_id, event FROM events_archived
     WHERE account = :account AND region = :region AND archive = :archive AND time_ms >= :from AND time_ms <= :to
       AND (time_ms > :after OR (time_ms = :after AND event_id > :id))
     ORDER BY time_ms, event_id LIMIT :limit`,
    {
      account,
      region,
      archive,
      from: from_ms,
      to: to_ms,
      after: last_time_ms ?? -1,
      id: last_event_id ?? "",
      limit: STEP,
    },
  );

const COLUMNS = `account, region, name, archive, bus, filter_arns, description, from_ms, to_ms, state, state_reason,
  last_time_ms, last_event_id, started_ms, ended_ms`;

const findReplay = (tx: Tx, { account, region, name }: ReplayRef): Promise<Replay | undefined> =>
  tx.one<Replay>(
    `SELECT ${COLUMNS} FROM events_replay WHERE account = :account AND region = :region AND name = :name`,
    { account, region, name },
  );

async function openReplay(tx: Tx, ref: ReplayRef): Promise<Replay> {
  const replay = await findReplay(tx, ref);
  if (!replay) throw errors.noReplay(ref.name);
  return replay;
}

async function countRunning(tx: Tx, { account, region }: ReplayRef): Promise<number> {
  const row = await tx.one<{ n: number }>(
    "SELECT COUNT(*) AS n FROM events_replay WHERE account = :account AND region = :region AND ended_ms IS NULL",
    { account, region },
  );
  return row!.n;
}

const listReplays = (
  tx: Tx,
  of: { account: string; region: string; prefix: string; after: string; limit: number },
): Promise<Replay[]> =>
  tx.all<Replay>(
    `SELECT ${COLUMNS} FROM events_replay
     WHERE account = :account AND region = :region AND name > :after AND name >= :prefix AND name < :beyond
     ORDER BY name LIMIT :limit`,
    { ...of, beyond: `${of.prefix}\x7f` },
  );

async function saveReplay(tx: Tx, replay: Replay): Promise<void> {
  await tx.run(
    `INSERT INTO events_replay (${COLUMNS}) VALUES (:account, :region, :name, :archive, :bus, :filter_arns, :description, :from_ms,
       :to_ms, :state, :state_reason, :last_time_ms, :last_event_id, :started_ms, :ended_ms)
     ON CONFLICT (account, region, name) DO UPDATE SET state = excluded.state, state_reason = excluded.state_reason,
       last_time_ms = excluded.last_time_ms, last_event_id = excluded.last_event_id, ended_ms = excluded.ended_ms`,
    { ...replay },
  );
}
