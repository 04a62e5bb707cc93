// GetLogEvents, of one stream, both ways; FilterLogEvents, of a group, by a pattern.
import { type Context, defineOperations, type Input } from "../../kernel/mod.ts";
import { onNamed, onStream } from "./access.ts";
import { errors } from "./errors.ts";
import { BEGINNING, eventsOfGroup, eventsOfStream, type Found, idFrom, timeOfId } from "./events.ts";
import { pattern } from "./patterns.ts";
import { groupNamed, knownGroup, knownStream, openGroup } from "./rows.ts";

const MOST_EVENTS = 10_000;
const MOST_BYTES = 1_048_576;
/** Later than what anybody's clock says. */
const FOREVER = 8_640_000_000_000_000;

export const reading = defineOperations("logs", {
  GetLogEvents: {
    access: (ctx, input) => onStream(groupNamed(ctx, input), "GetLogEvents", input.logStreamName),
    async handle(ctx, input) {
      const token = readToken(input.nextToken);
      const group = await knownGroup(ctx, groupNamed(ctx, input));
      if (!group) throw errors.noGroup();
      const stream = await knownStream(ctx, group, input.logStreamName!);
      if (!stream) throw errors.noStream();
      const backwards = token ? token.way === "b" : !input.startFromHead;
      const { startTime = 0, endTime = FOREVER } = input;
      const from = token && !backwards ? Math.max(startTime, timeOfId(token.id)) : startTime;
      const to = token && backwards ? Math.min(endTime, timeOfId(token.id) + 1) : endTime;
      const found = eventsOfStream(ctx, { group, stream, from, to, backwards });
      const beyond = ({ id }: Found) => !token || (backwards ? id < token.id : id > token.id);
      const page = await pageOf(found, { limit: input.limit, wanted: beyond });
      const events = backwards ? page.events.reverse() : page.events;
      // At an end, the token that was given comes back.
      const here = token?.id ?? (backwards && events.length === 0 ? idFrom(Math.min(to, ctx.now)) : BEGINNING);
      return {
        events: events.map(({ timestamp, message, ingestedMs }) => ({ timestamp, message, ingestionTime: ingestedMs })),
        nextForwardToken: `f/${events.at(-1)?.id ?? here}/s`,
        nextBackwardToken: `b/${events[0]?.id ?? here}/s`,
      };
    },
  },

  FilterLogEvents: {
    access: (ctx, input) => onNamed(ctx, "FilterLogEvents", input),
    async handle(ctx, input) {
      if (input.startFromHead === false) throw errors.notImplemented("FilterLogEvents' startFromHead: false");
      const { logStreamNames: names, logStreamNamePrefix: prefix } = input;
      if (names !== undefined && prefix !== undefined)
        throw errors.parameter("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.");
      const matches = pattern(input.filterPattern);
      const after = input.nextToken === undefined ? "" : Buffer.from(input.nextToken, "base64url").toString();
      if (input.nextToken !== undefined && !/^\d{56}$/.test(after)) throw errors.nextToken();
      const group = await openGroup(ctx.singly, groupNamed(ctx, input));
      await openAll(ctx, group, names);
      const { startTime = 0, endTime = FOREVER } = input;
      if (startTime > endTime) throw errors.parameter("End time must be greater than or equal to start time.");
      const from = after === "" ? startTime : Math.max(startTime, timeOfId(after));
      const found = eventsOfGroup(ctx, { group, prefix, names, from, to: endTime + 1 });
      const wanted = ({ id, message }: Found) => id > after && matches(message) !== undefined;
      const { events, more } = await pageOf(found, { limit: input.limit, wanted });
      return {
        events: events.map(({ id, stream, timestamp, message, ingestedMs }) => ({
          logStreamName: stream,
          timestamp,
          message,
          ingestionTime: ingestedMs,
          eventId: id,
        })),
        // "This parameter is being deprecated ... always empty".
        searchedLogStreams: [],
        ...(more && { nextToken: Buffer.from(events.at(-1)!.id).toString("base64url") }),
      };
    },
  },
});

async function openAll(
  ctx: Context,
  group: Parameters<typeof knownStream>[1],
  names: Input<"logs", "FilterLogEvents">["logStreamNames"],
): Promise<void> {
  for (const name of names ?? []) if (!(await knownStream(ctx, group, name))) throw errors.noStream();
}

/** `f/<56 digits>/s`: what comes after this event; `b/...`: what was before it. */
function readToken(token: string | undefined): { way: "f" | "b"; id: string } | undefined {
  if (token === undefined) return undefined;
  const [, way, id] = /^([fb])\/(\d{56})(?:\/s)?$/.exec(token) ?? [];
  if (id === undefined) throw errors.nextToken();
  return { way: way as "f" | "b", id };
}

/** "up to 10,000 log events, or as many as fit in 1 MB"; one at least. */
async function pageOf(
  found: AsyncGenerator<Found>,
  { limit = MOST_EVENTS, wanted }: { limit: number | undefined; wanted(event: Found): boolean },
): Promise<{ events: Found[]; more: boolean }> {
  const events: Found[] = [];
  let bytes = 0;
  for await (const event of found) {
    if (!wanted(event)) continue;
    bytes += Buffer.byteLength(event.message) + 26;
    if (events.length === limit || (events.length > 0 && bytes > MOST_BYTES)) return { events, more: true };
    events.push(event);
  }
  return { events, more: false };
}
