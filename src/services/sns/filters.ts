// Filter policies: the kernel's patterns, with the errors of SNS. https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
import { compileFilterPolicy, type FilterPolicy, PatternFault } from "../../kernel/mod.ts";
import { Fault } from "./errors.ts";
import { type Message, textFor } from "./notification.ts";
import type { Subscription } from "./subscription-row.ts";
import type { Attributes } from "./topic-attributes.ts";

/** Throws a Fault. */
export function checkFilter({ FilterPolicy, FilterPolicyScope }: Attributes): void {
  if (FilterPolicy === undefined) return;
  try {
    compileFilterPolicy(FilterPolicy, scopeOf(FilterPolicyScope));
  } catch (error) {
    if (error instanceof PatternFault) throw new Fault(error.message);
    throw error;
  }
}

/** Whether it is to be delivered there. */
export function passes(one: Subscription, message: Message): boolean {
  const filter = filterOf(one);
  return !filter || filter.matches({ body: textFor(message, one.protocol), attributes: message.attributes });
}

// As long as a subscription is remembered, so is its filter.
const compiled = new WeakMap<Subscription, FilterPolicy>();

function filterOf(one: Subscription): FilterPolicy | undefined {
  const { FilterPolicy, FilterPolicyScope } = one.attributes;
  if (FilterPolicy === undefined) return undefined;
  const known = compiled.get(one);
  if (known) return known;
  const made = compileFilterPolicy(FilterPolicy, scopeOf(FilterPolicyScope));
  compiled.set(one, made);
  return made;
}

const scopeOf = (scope: string | undefined) => (scope === "MessageBody" ? "MessageBody" : "MessageAttributes");
