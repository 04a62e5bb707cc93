// StartLiveTail: an event stream that says once a second what came into some groups since.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartLiveTail.html
import { setTimeout as sleep } from "node:timers/promises";
import { type Context, defineOperations, newRequestId, type Output } from "../../kernel/mod.ts";
import { onGroup } from "./access.ts";
import { errors } from "./errors.ts";
import { listen } from "./live-tails.ts";
import { pattern } from "./patterns.ts";
import { groupNamed, openGroup, refOfArn } from "./rows.ts";

type Update = NonNullable<Output<"logs", "StartLiveTail">["responseStream"]> extends AsyncIterable<infer U> ? U : never;
type LiveEvent = NonNullable<
  NonNullable<Extract<Update, { sessionUpdate: object }>["sessionUpdate"]>["sessionResults"]
>[number];

/** "A session update contains up to 500 events"; beyond that it is a sample. One a second. */
const MOST_EVENTS = 500;
const UPDATE_MS = 1000;
const SESSION_MS = 3 * 3_600_000;

export const liveTail = defineOperations("logs", {
  StartLiveTail: {
    access: (ctx, input) =>
      (input.logGroupIdentifiers ?? []).map((logGroupIdentifier) =>
        onGroup(groupNamed(ctx, { logGroupIdentifier }), "StartLiveTail"),
      ),
    async handle(ctx, input) {
      const { logGroupIdentifiers = [], logStreamNames: names, logStreamNamePrefixes: prefixes } = input;
      if (logGroupIdentifiers.some((one) => !refOfArn(one)))
        throw errors.parameter("logGroupIdentifiers must be ARNs of log groups.");
      if (names?.length && prefixes?.length)
        throw errors.parameter("logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.");
      if ((names?.length || prefixes?.length) && logGroupIdentifiers.length > 1)
        throw errors.parameter("Log streams can be given for one log group only.");
      const match = pattern(input.logEventFilterPattern);
      const groups = await Promise.all(
        logGroupIdentifiers.map((logGroupIdentifier) => openGroup(ctx.singly, groupNamed(ctx, { logGroupIdentifier }))),
      );
      const ids = new Set(groups.map(({ id }) => id));
      const wanted = (stream: string): boolean =>
        (!names?.length || names.includes(stream)) &&
        (!prefixes?.length || prefixes.some((one) => stream.startsWith(one)));
      const session: Session = {
        start: {
          requestId: ctx.requestId,
          sessionId: newRequestId(),
          logGroupIdentifiers,
          logStreamNames: names ?? [],
          logStreamNamePrefixes: prefixes ?? [],
          logEventFilterPattern: input.logEventFilterPattern ?? "",
        },
        waiting: [],
        more: false,
      };
      // Listened to from here on: what comes in before the first update is read belongs to it.
      const listening = listen(ctx, ({ group, stream, events, ingestedMs }) => {
        if (!ids.has(group.id) || !wanted(stream)) return;
        for (const { timestamp, message } of events)
          if (match(message))
            keep(session, {
              logStreamName: stream,
              logGroupIdentifier: `${group.account}:${group.name}`,
              message,
              timestamp,
              ingestionTime: ingestedMs,
            });
      });
      return { responseStream: updates(ctx, session, listening) };
    },
  },
});

interface Session {
  readonly start: NonNullable<Extract<Update, { sessionStart: object }>["sessionStart"]>;
  waiting: LiveEvent[];
  more: boolean;
}

function keep(session: Session, event: LiveEvent): void {
  if (session.waiting.length < MOST_EVENTS) session.waiting.push(event);
  else session.more = true;
}

/** Seconds of real time: who looks on does. */
async function* updates(ctx: Context, session: Session, listening: Disposable): AsyncGenerator<Update> {
  using _listening = listening;
  yield { sessionStart: session.start } as Update;
  for (let left = SESSION_MS; left > 0 && !ctx.signal.aborted; left -= UPDATE_MS) {
    const { waiting, more } = session;
    session.waiting = [];
    session.more = false;
    yield { sessionUpdate: { sessionMetadata: { sampled: more }, sessionResults: waiting } } as Update;
    // Who goes away ends the wait, and the loop.
    await sleep(UPDATE_MS, undefined, { signal: ctx.signal, ref: false }).catch(() => undefined);
  }
}
