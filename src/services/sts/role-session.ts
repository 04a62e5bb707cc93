// A session of a role, however it was come by.
import assert from "node:assert/strict";
import { type Arn, type Context, type Principal, parseArn, type SessionFacts } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import type { Tags } from "./limits.ts";
import { asSts, openSession } from "./sessions.ts";

const HOUR_S = 3600;

export interface RoleSession {
  readonly roleArn: Arn;
  /** RoleSessionName */
  readonly name: string;
  /** Default: an hour. */
  readonly seconds?: number | undefined;
  readonly tokenSize?: number | undefined;
  /** Assumed by a session of a role: an hour at most. */
  readonly chained: boolean;
  /** Session policies; how full AWS's room for them is, in percent. */
  readonly limits: {
    readonly policies: readonly string[];
    readonly policyArns: readonly Arn[];
    readonly packed: number;
  };
  /** Of the session: over the role's. */
  readonly tags: Tags;
  readonly facts: Omit<SessionFacts, "issuedAt">;
}

/** The answer of AssumeRole and its like, as far as they are alike. */
export async function openRoleSession(ctx: Context, of: RoleSession) {
  const { roleArn, name, seconds = HOUR_S, limits, facts } = of;
  const { account } = parseArn(roleArn)!;
  const role = await roleOf(ctx, account, roleArn);
  if (of.chained && seconds > HOUR_S) throw errors.chainedTooLong();
  if (seconds > role.longestS) throw errors.tooLong();
  const principal: Principal = {
    kind: "session",
    account,
    arn: `arn:aws:sts::${account}:assumed-role/${role.name}/${name}`,
    id: `${role.id}:${name}`,
    roleArn,
    ...(limits.policies.length > 0 && { policies: limits.policies }),
    tags: over(role.tags, of.tags),
    session: { issuedAt: ctx.now, ...facts },
  };
  const { policyArns, packed } = limits;
  return {
    ...openSession(ctx, { principal, policyArns, seconds, tokenSize: of.tokenSize }),
    AssumedRoleUser: { AssumedRoleId: principal.id, Arn: principal.arn },
    ...(packed > 0 && { PackedPolicySize: packed }),
  };
}

/** Keys are compared without case: a session's `Team` replaces the role's `team`. */
function over(below: Tags, above: Tags): Tags {
  const replaced = new Set(Object.keys(above).map((key) => key.toLowerCase()));
  const kept = Object.entries(below).filter(([key]) => !replaced.has(key.toLowerCase()));
  return { ...Object.fromEntries(kept), ...above };
}

/** The door has found the role's trust policy: that there is a role is known. */
async function roleOf(ctx: Context, account: string, arn: Arn) {
  const RoleName = arn.slice(arn.lastIndexOf("/") + 1);
  const { Role } = await ctx.call("iam", "GetRole", { RoleName }, asSts(account));
  const { RoleId, MaxSessionDuration, Tags = [] } = Role!;
  assert.equal(Role!.Arn, arn, "the role is not the one whose trust policy was asked");
  return {
    name: Role!.RoleName!,
    id: RoleId!,
    longestS: MaxSessionDuration ?? HOUR_S,
    tags: Object.fromEntries(Tags.map(({ Key, Value }) => [Key!, Value ?? ""])),
  };
}
