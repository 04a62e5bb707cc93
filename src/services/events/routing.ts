// From an event on a bus to what is due: the rules that it meets are looked up in an index of all patterns, each of their targets is one work.
import { type Arn, type Context, PatternIndex, type Tx } from "../../kernel/mod.ts";
import { archive } from "./archived.ts";
import { type BusRef, busArn, findBus, SHELF } from "./bus-rows.ts";
import type { Event } from "./event.ts";
import { compiled } from "./patterns.ts";
import { patternRules, type Rule, ruleArn, targetsOfBus } from "./rows.ts";
import { sendingOf } from "./sending.ts";
import { passed } from "./tap.ts";
import { kindOf, type Target } from "./target-checks.ts";

/** A rule that is on, with its targets. */
interface Listener {
  readonly rule: Rule;
  readonly targets: readonly Target[];
}

export type Listeners = PatternIndex<Listener>;

/** An event on its way through a bus. */
export interface Arrival {
  readonly event: Event;
  /** What targets get, where numbers are in it that JavaScript rounds: patterns see `event`. */
  readonly exact?: Event;
  readonly receivedMs: number;
  /** Another bus sent it: it is not sent on to a third. */
  readonly forwarded: boolean;
  /** Of a replay: the only rules that are asked. */
  readonly rules?: readonly Arn[];
}

/** Undefined: there is no such bus. Read once for each state of the bus's rules; whoever changes them gives them another version. */
export async function listenersOf(ctx: Context, bus: BusRef): Promise<Listeners | undefined> {
  const version = await ctx.recall(
    SHELF,
    `rules ${busArn(bus)}`,
    async () => (await findBus(ctx.singly, bus))?.rules_version,
  );
  if (version === undefined) return undefined;
  const known = made.get(version);
  if (known) return known;
  const { found, listeners } = await ctx.read(async (tx) => {
    const now = await findBus(tx, bus);
    return { found: now?.rules_version, listeners: await load(tx, bus) };
  });
  if (found === undefined) return undefined;
  made.set(found, listeners);
  if (made.size > MOST_MADE) made.delete(made.keys().next().value!);
  return listeners;
}

// By version, which no two states of any bus share: the empty one is of a bus that never had a rule.
const made = new Map<string, Listeners>([["", new PatternIndex()]]);
const MOST_MADE = 200;

async function load(tx: Tx, bus: BusRef): Promise<Listeners> {
  const targets = new Map<string, Target[]>();
  for (const { rule_name, definition } of await targetsOfBus(tx, bus)) {
    const target = JSON.parse(definition) as Target;
    const known = targets.get(rule_name);
    if (known) known.push(target);
    else targets.set(rule_name, [target]);
  }
  const listeners: Listeners = new PatternIndex();
  for (const rule of await patternRules(tx, bus))
    listeners.add(compiled(rule.pattern!), { rule, targets: targets.get(rule.name) ?? [] });
  return listeners;
}

/** What is to be written of one event. */
export interface Routed {
  readonly arrival: Arrival;
  readonly met: readonly Listener[];
}

export function routed(ctx: Context, listeners: Listeners, arrival: Arrival): Routed {
  const all = listeners.matching(arrival.event);
  const met = arrival.rules ? all.filter(({ rule }) => arrival.rules!.includes(ruleArn(rule))) : all;
  if (arrival.forwarded)
    for (const { rule, targets } of met)
      if (targets.some(({ Arn }) => kindOf(Arn!) === "bus"))
        ctx.log.warn(`rule ${rule.name}: an event that another bus sent is not sent on to a third`, {
          subject: ruleArn(rule),
        });
  return { arrival, met };
}

/** After the commit: what passed, and what it met, in the log and for who watches. */
export function tell(ctx: Context, bus: BusRef, { arrival: { event }, met }: Routed): void {
  const rules = met.map(({ rule }) => rule.name);
  const found = rules.length > 0 ? `meets ${rules.join(", ")}` : "meets no rule";
  ctx.log.info(`${event.source} "${event["detail-type"]}" on ${bus.name} ${found}`, { subject: event.id });
  passed(ctx.endpoint, { bus: busArn(bus), event, rules });
}

/** Into the transaction: one work a target; what an archive keeps is kept at once. */
export async function put(ctx: Context, tx: Tx, { arrival, met }: Routed): Promise<void> {
  const { receivedMs, forwarded } = arrival;
  const event = arrival.exact ?? arrival.event;
  const text = JSON.stringify(event);
  for (const { rule, targets } of met)
    for (const target of targets) {
      const kind = kindOf(target.Arn!);
      if (kind === "archive") await archive(ctx, tx, target.Arn!, { event, text, receivedMs });
      else if (kind !== "bus" || !forwarded) await ctx.put(tx, sendingOf(rule, target, { event, text, receivedMs }));
    }
}
