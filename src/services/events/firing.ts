// A rule's schedule as due work: one row a rule says when it is due next. When it is, the event goes to each target as a work of its own,
// and the next time is planned: all in one transaction.
import { type Context, newRequestId, parseSchedule, type Tx } from "../../kernel/mod.ts";
import { type Event, timeText } from "./event.ts";
import { findRule, listTargets, type Rule, type RuleRef, ruleArn, saveRule } from "./rows.ts";
import { eventBridge, sendingOf } from "./sending.ts";
import type { Target } from "./target-checks.ts";

/** Due at `at`: the rule is due. Ignored where the rule's own `next_ms` says otherwise by now. */
export interface Fire {
  readonly kind: "fire";
  readonly at: number;
}

/** The rule with its next time, and the work for it. Disabled, without a schedule, or never due again, it has neither. */
export async function plan(ctx: Context, tx: Tx, rule: Rule, previous?: number): Promise<Rule> {
  const schedule = rule.schedule === null ? undefined : parseSchedule(rule.schedule)!;
  const due = previous === undefined ? schedule?.first(ctx.now) : schedule?.next(previous, ctx.now);
  if (rule.state !== "ENABLED" || due === undefined) return { ...rule, next_ms: null };
  const payload: Fire = { kind: "fire", at: due };
  // Each time begins a chain of its own: what happens is not caused by all the times before.
  await ctx.put(tx, { to: ruleArn(rule), as: eventBridge(rule), due, payload, cause: newRequestId() });
  return { ...rule, next_ms: due };
}

export async function fire(ctx: Context, ref: RuleRef, { at }: Fire): Promise<void> {
  const count = await ctx.write(async (tx) => {
    const rule = await findRule(tx, ref);
    // Changed, disabled or deleted since; or this work was delivered before, and its process died.
    if (!rule || rule.next_ms !== at) return undefined;
    const targets = await listTargets(tx, ref);
    const event = scheduledEvent(rule, at);
    const text = JSON.stringify(event);
    for (const { definition } of targets)
      await ctx.put(tx, sendingOf(rule, JSON.parse(definition) as Target, { event, text, receivedMs: at }));
    await saveRule(tx, await plan(ctx, tx, rule, at));
    return targets.length;
  });
  if (count !== undefined)
    ctx.log.info(`rule ${ref.name} is due: ${count} target${count === 1 ? "" : "s"}`, { subject: ruleArn(ref) });
}

/** Its transaction failed again and again: this time is lost, not the schedule. */
export async function skip(ctx: Context, tx: Tx, ref: RuleRef, { at }: Fire): Promise<void> {
  const rule = await findRule(tx, ref);
  if (rule?.next_ms !== at) return;
  ctx.log.error(`rule ${ref.name}: what was due at ${timeText(at)} is lost`, { subject: ruleArn(ref) });
  await saveRule(tx, await plan(ctx, tx, rule, at));
}

/** https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-events.html: the time is the scheduled one. */
const scheduledEvent = (rule: Rule, at: number): Event => ({
  version: "0",
  id: newRequestId(),
  "detail-type": "Scheduled Event",
  source: "aws.events",
  account: rule.account,
  time: timeText(at),
  region: rule.region,
  resources: [ruleArn(rule)],
  detail: {},
});
