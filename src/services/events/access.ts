// What a caller must be allowed to do with a bus or a rule, and the condition keys that are known of it.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
import { type Access, type Arn, type Conditions, type Context, parseArn, type Tags } from "../../kernel/mod.ts";
import { type BusRef, busArn, busOfArn, findBus, SHELF } from "./bus-rows.ts";
import { findRule, type RuleRef, refOfArn, ruleArn } from "./rows.ts";

export const onBus = (action: string, ref: BusRef, conditions?: Conditions): Access => ({
  action: `events:${action}`,
  resource: busArn(ref),
  ...(conditions && { conditions }),
});

/** For lists: of the account and region, of no resource in particular. */
export const onAll = (ctx: Context, action: string, kind: string): Access => ({
  action: `events:${action}`,
  resource: `arn:aws:events:${ctx.region}:${ctx.account}:${kind}/*`,
});

/** events:creatorAccount says who made the rule, or is about to; events:ManagedBy which service. */
export const onRule = (ctx: Context, action: string, ref: RuleRef, more: Conditions = {}): Access => ({
  action: `events:${action}`,
  resource: ruleArn(ref),
  conditions: async (wanted) => {
    if (!wanted.has("events:creatoraccount") && !wanted.has("events:managedby")) return more;
    const rule = await findRule(ctx.singly, ref);
    return {
      ...more,
      "events:creatorAccount": rule?.created_by ?? ctx.account,
      ...(rule?.managed_by && { "events:ManagedBy": rule.managed_by }),
    };
  },
});

/** Who passes a role to EventBridge must be allowed to. */
export const passRole = (role: string | undefined): Access[] =>
  role
    ? [{ action: "iam:PassRole", resource: role, conditions: { "iam:PassedToService": "events.amazonaws.com" } }]
    : [];

/** For the door: a bus's policy is also about its rules. */
export function resourcePolicy(ctx: Context, resource: Arn): string | undefined | Promise<string | undefined> {
  const rule = refOfArn(resource);
  const ref = rule ? { account: rule.account, region: rule.region, name: rule.bus } : busOfArn(resource);
  if (!ref) return undefined;
  return ctx.recall(SHELF, `policy ${busArn(ref)}`, async () => (await findBus(ctx.singly, ref))?.policy ?? undefined);
}

/** For the door. */
export async function resourceTags(ctx: Context, resource: Arn): Promise<Tags | undefined> {
  const rule = refOfArn(resource);
  const bus = busOfArn(resource);
  if (!rule && !bus) return undefined;
  const row = rule ? await findRule(ctx.singly, rule) : await findBus(ctx.singly, bus!);
  return row && (JSON.parse(row.tags) as Tags);
}

export const accountOf = (arn: Arn | undefined): string => parseArn(arn ?? "")?.account ?? "";
